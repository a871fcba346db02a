"""Tools that look at a picture or a clip with a world model: imagine a change, measure surprise, name what is there,
answer a question.

They need a key: one call is as much work as hundreds of searches. Calls are done one at a time, in a thread of their
own.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import Annotated, Any, ClassVar

from pydantic import Field

from foretell.agents.desk import Desk, SentFile
from foretell.agents.models import abilities
from foretell.agents.tool import AgentTool, ToolAnswer
from foretell.errors import ForetellError
from foretell.page import small_png

IMAGES, VIDEOS = "iwm-mini", "vjepa-deep"  # as in foretell.capabilities, which brings torch
FRAMES = 3000
"""The most frames of a clip."""
WINDOWS, POINTS = 100, 60
"""The most windows that are measured in a clip, and points of the curve that is told."""
BANK = 64
"""The number of versions of a picture from which the imagined one is chosen."""

CORNERS = 1000
"""The most corners of outlines that are told."""

ModelName = Annotated[str, Field(min_length=1, max_length=200, description="from list_models")]


class ListModels(AgentTool):
    """List the world models that can look at pictures and clips, with the tools that each is for, and the changes that
    it can imagine: their names, ranges and units.
    """

    tool: ClassVar[str] = "list_models"

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        desk.check_key()
        models = await desk.look(lambda: [self._told(desk, name) for name in desk.models.names])
        return ToolAnswer({"models": models})

    def _told(self, desk: Desk, name: str) -> dict[str, Any]:
        try:
            return {"name": name, **abilities(desk.models.load(name))}
        except ForetellError:  # its sentence may name a folder of this machine
            return {"name": name, "tools": [], "problem": "it cannot be loaded here"}


class ImagineChange(AgentTool):
    """Ask a world model of images how a photograph would look after a change, such as more brightness. The model
    predicts latents, not pixels. The answer tells how well its prediction fits: the rank of the truly changed picture
    among many versions (rank 1: none is nearer), beside the rank by chance, and shows the nearest versions. Where
    the model has a decoder, `decoded` is its drawing of the prediction itself.
    """

    tool: ClassVar[str] = "imagine_change"
    file: Annotated[SentFile, Field(description="a photograph")]
    changes: Annotated[
        dict[str, float], Field(min_length=1, description='parameters from list_models: {"brightness": 0.6}')
    ]
    model: ModelName = IMAGES
    picture: Annotated[bool, Field(description="show the versions nearest to the prediction, as a picture")] = True

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        desk.check_key()
        return await desk.look(lambda: self._imagined(desk))

    def _imagined(self, desk: Desk) -> ToolAnswer:
        from foretell import imagine as imagining

        model = desk.models.load(self.model)
        imagining.actions_of(model).split(self.changes)  # a misspelt change is noticed before anything is decoded
        image = _picture(desk, self.file, model.config.encoder.image_size)
        found = imagining.imagine(model, image, self.changes, bank=BANK)
        order = found.order.tolist()
        told = {
            "asked": found.values,
            "rank_of_the_asked_version": found.rank,
            "of_versions": len(found.bank),
            "rank_by_chance": (len(found.bank) + 1) / 2,
            "distance_to_the_asked_version": round(float(found.distances[found.place]), 4),
            "distance_to_the_nearest_version": round(float(found.distances[order[0]]), 4),
            "nearest_is_the_asked_version": order[0] == found.place,
        }
        if not self.picture:
            return ToolAnswer(told)
        drawn = imagining.draw(found, decoder=desk.models.decoder(self.model))
        return ToolAnswer(told, [small_png(drawn)])


class MeasureSurprise(AgentTool):
    """Measure how surprised a video model is by a clip, over time: the distance of what happens from what the model
    predicted. A peak marks a moment that the model did not expect. The numbers of one model compare clips and moments;
    they have no unit.
    """

    tool: ClassVar[str] = "measure_surprise"
    file: Annotated[SentFile, Field(description="a video")]
    model: ModelName = VIDEOS

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        desk.check_key()
        return ToolAnswer(await desk.look(lambda: self._measured(desk)))

    def _measured(self, desk: Desk) -> dict[str, Any]:
        import torch

        from foretell import surprise as measure
        from foretell.capabilities import Foresees, require
        from foretell.data import video

        model = desk.models.load(self.model)
        require(model, Foresees, "surprise")
        with desk.file(self.file, video.ENDINGS, "file") as given:
            check_length(given.path)
            config = model.config
            pixels, seconds = video.read_video(given.path, config.encoder.image_size, **config.reads.pace)
            clip = torch.from_numpy(pixels).transpose(0, 1).unsqueeze(0)
            frames = clip.shape[2]
            measure.measurable(model, frames, source=given.name)
        stride = max(2, math.ceil((frames - config.encoder.frames + 1) / WINDOWS))
        told = measure.told(measure.surprise(model, clip, stride=stride), seconds)
        moments = list(zip(told["seconds"], told["surprise"], strict=True))
        step = math.ceil(len(moments) / POINTS)
        highest = [max(moments[i : i + step], key=lambda point: point[1]) for i in range(0, len(moments), step)]
        return {
            "mean": round(told["mean"], 4),
            "largest_of_a_window": round(told["largest"], 4),
            "peak_at_seconds": round(float(seconds[told["peak"]]), 3),
            "frames": frames,
            "curve": [{"seconds": round(s, 3), "surprise": round(value, 4)} for s, value in highest],
            **({"curve_is": f"the highest of every {step} points"} if step > 1 else {}),
        }


class LabelPicture(AgentTool):
    """Tell which of some labels fits a photograph best, by a model that knows words. Scores add up to 1 over the labels
    given: they say which fits best, not whether any does.
    """

    tool: ClassVar[str] = "label_picture"
    file: Annotated[SentFile, Field(description="a photograph")]
    labels: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(min_length=2, max_length=50, description='such as ["a red apple", "a dog"]'),
    ]
    model: Annotated[ModelName, Field(description="one with the tool label_picture in list_models")]

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        desk.check_key()
        return ToolAnswer(await desk.look(lambda: self._labelled(desk)))

    def _labelled(self, desk: Desk) -> dict[str, Any]:
        from foretell import label
        from foretell.capabilities import EncodesText, require
        from foretell.label.ask import distinct

        labels = distinct(self.labels)
        model = desk.models.load(self.model)
        require(model, EncodesText, "labelling")
        image = _picture(desk, self.file, model.config.encoder.image_size)
        found = label.ask(model, image.unsqueeze(0), labels)[0]
        ranked = sorted(found.scores, key=lambda name: -found.scores[name])
        told = [
            {"label": name, "score": round(found.scores[name], 4), "cosine": round(found.cosines[name], 4)}
            for name in ranked
        ]
        return {"label": found.label, "labels": told}


class AskAboutPictures(AgentTool):
    """Ask a model in words about one or several pictures: what is there, where it is, what pictures have in common. The
    answer has words, and boxes and outlines in pixels of the pictures. `lost` tells what in the model's reply could not
    be read. The model may be wrong: look at the drawn pictures.
    """

    tool: ClassVar[str] = "ask_about_pictures"
    files: Annotated[list[SentFile], Field(min_length=1, max_length=8, description="pictures, which count from 0")]
    question: Annotated[
        str,
        Field(
            min_length=1,
            max_length=500,
            description='such as "where is the red dog?"; [x0, y0, x1, y1] is a box in pixels of the first picture',
        ),
    ]
    model: Annotated[ModelName, Field(description="one with the tool ask_about_pictures in list_models")]
    picture: Annotated[bool, Field(description="show the pictures with the boxes and outlines of the answer")] = True

    async def run(self, desk: Desk) -> ToolAnswer:
        """As of `AgentTool`."""
        desk.check_key()
        return await desk.look(lambda: self._answered(desk))

    def _answered(self, desk: Desk) -> ToolAnswer:
        from foretell import ask as asking
        from foretell.data import folder

        model = desk.models.load(self.model)
        with ExitStack() as opened:
            given = [
                opened.enter_context(desk.file(sent, folder.ENDINGS, f"files.{number}"))
                for number, sent in enumerate(self.files)
            ]
            answer = asking.ask(model, [each.path for each in given], self.question)
        told = answer.told()
        if answer.text == answer.reply:
            del told["reply"]  # it was said already
        corners = sum(len(ring) for each in answer.masks for ring in each.rings)
        if corners > CORNERS:
            told["masks"] = told["masks"][:1]
            told["masks_are"] = f"the first of {len(answer.masks)}, which have {corners} corners: look at the picture"
        if not self.picture:
            return ToolAnswer(told)
        return ToolAnswer(told, [small_png(asking.draw(answer))])


def _picture(desk: Desk, sent: SentFile, size: int) -> Any:
    """A photograph as a model sees it: uint8 [3, S, S]. Raises ForetellError where it is none."""
    from foretell import imagine as imagining
    from foretell.data import folder

    with desk.file(sent, folder.ENDINGS, "file") as given:
        return imagining.read_image(given.path, size)


def check_length(path: Any) -> None:
    """Refuse a video that is too long, before it is decoded."""
    from foretell.data.items import Unusable
    from foretell.data.video import frames

    try:
        with frames.reasons():
            count = len(frames.told(path)[0])
    except (Unusable, OSError) as reason:
        raise ForetellError(f"{path}: {reason}") from None
    if count > FRAMES:
        raise ForetellError(f"file has {count:,} frames, expected at most {FRAMES:,}: cut it into parts")
