"""The page of clips: how surprised a video model is over time, in step with the playing clip."""

from __future__ import annotations

import io
import math
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from fastapi import APIRouter, Query, Request, Response

from foretell.agents.models import ServedModels
from foretell.agents.see import VIDEOS, WINDOWS, check_length
from foretell.app import session
from foretell.app.able import able_models, chosen, look
from foretell.app.chart import plot
from foretell.app.door import check_key
from foretell.app.frame import field, sent_bytes, shown
from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.http.refusal import Refused
from foretell.search.serve.call import Call

if TYPE_CHECKING:
    from foretell.surprise import Surprise

SHOWN = 192
"""Side of a shown clip, in pixels."""
SECONDS, FRAMES = 2.0, 16
"""Of a scene."""
SCENES = (("continuity", False), ("permanence", True), ("colour", False), ("gravity", False), ("solidity", False))
"""Scenes that are here to see: what is violated in each, and whether a screen hides it."""
SEED = 7
"""Of the scenes."""
LONGEST = 480
"""The most frames of a clip of a visitor, at the model's pace."""

router = APIRouter()


class ClipToSee(NamedTuple):
    """A clip as a model sees it, and as a page shows it."""

    name: str
    pixels: np.ndarray
    """uint8 [T, 3, S, S], S the model's size."""
    large: np.ndarray
    """uint8 [T, 3, H, H]."""
    fps: float
    happens: float | None = None
    """When that happens which cannot be, in seconds, where it is known."""


@router.get("/see/clip")
async def page(
    request: Request,
    model: Annotated[str, Query(max_length=200)] = "",
    scene: Annotated[int, Query(ge=0, lt=len(SCENES))] = 0,
) -> Response:
    """Show how surprised a model is by a scene."""

    def run() -> dict[str, Any]:
        names, by = video_models(request.app.state.models, model)
        if not by:
            return {"models": names, "model": ""}
        size = request.app.state.models.load(by).config.encoder.image_size
        return _told(request, by, names, scene_clip(scene, size)) | {"scene": scene}

    return shown(request, "clip", **await look(request, run))


@router.post("/see/clip")
async def sent(request: Request) -> Response:
    """Show how surprised a model is by a clip of a visitor with a key."""
    await session.check_form(request)
    check_key(Call(request))
    file, name = await sent_bytes(request, "clip", "a video of at most {} MB")
    model = field(await request.form(), "model", 200)

    def run() -> dict[str, Any]:
        names, by = video_models(request.app.state.models, model)
        if not by:
            raise Refused(404, "no model here foresees clips, expected one such as vjepa-deep")
        return _told(request, by, names, _read(request.app.state.models, by, file, name)) | {"scene": None}

    return shown(request, "clip", **await look(request, run))


def video_models(models: ServedModels, asked: str = "") -> tuple[Sequence[str], str]:
    """The models that foresee clips, and the one that is asked; empty where there is none.

    Raises:
        Refused: 404, the model that is asked is not among them.
    """
    names = able_models(models, "Foresees")
    return names, chosen(asked, names, "foresees clips", VIDEOS)


@lru_cache(maxsize=8)
def scene_clip(number: int, size: int) -> ClipToSee:
    """An impossible scene, for a model of this image size.

    Raises:
        MissingExtra: pymunk is not installed.
    """
    needed("pymunk", "scenes")
    from foretell.data.made.scenes import pairs

    property, hidden = SCENES[number]
    made = [pairs(property, 2, SEED, hidden=hidden, size=side) for side in (size, SHOWN)]
    small, large = (each.impossible.pixels[0] for each in made)
    fps = FRAMES / SECONDS
    return ClipToSee(property, small, large, fps, float(made[1].revealed[0]) / fps)


def _read(models: ServedModels, model: str, file: bytes, name: str) -> ClipToSee:
    """A clip of a visitor, at the pace of a model. Raises ForetellError where it is none, or Refused."""
    from foretell.data import video

    config = models.load(model).config
    with tempfile.TemporaryDirectory(prefix="foretell-") as folder:
        path = Path(folder) / f"clip{Path(name).suffix.lower()[:8] or '.mp4'}"
        path.write_bytes(file)
        try:
            check_length(path)
            pixels, seconds = video.read_video(path, config.encoder.image_size, **config.reads.pace)
            if len(pixels) > LONGEST:
                raise Refused(
                    400, f"the clip has {len(pixels):,} frames at the model's pace, expected at most {LONGEST}: cut it"
                )
            large, _ = video.read_video(path, SHOWN, **config.reads.pace)
        except ForetellError as error:
            raise Refused(400, str(error).replace(str(path), "the clip")) from None
    fps = (len(seconds) - 1) / float(seconds[-1]) if len(seconds) > 1 and seconds[-1] > 0 else FRAMES / SECONDS
    return ClipToSee("your clip", pixels, large, fps)


def _told(request: Request, model: str, names: Sequence[str], clip: ClipToSee) -> dict[str, Any]:
    """What the template tells of a clip."""
    import torch

    from foretell.surprise import measurable, surprise

    models, kept = request.app.state.models, request.app.state.kept
    loaded = models.load(model)
    frames, window = len(clip.pixels), loaded.config.encoder.frames
    measurable(loaded, frames, source="the clip")
    pixels = torch.from_numpy(clip.pixels).transpose(0, 1).unsqueeze(0)
    found = surprise(loaded, pixels, stride=max(2, math.ceil((frames - window + 1) / WINDOWS)))
    curve = curve_of(found, clip.fps)
    peak = max(curve, key=lambda point: point[1])[0]
    end = frames / clip.fps
    return {
        "models": names,
        "model": model,
        "scenes": [name for name, _ in SCENES],
        "clip": clip,
        "source": kept.keep(mp4(clip.large, clip.fps), "video/mp4"),
        "expected": _expected(request, model, clip, peak),
        "chart": plot("Surprise", {"loss": (model, curve)}, marked=frames <= 64, end=end, unit="s"),
        "peak": round(peak, 2),
        "end": end,
    }


def curve_of(found: Surprise, fps: float, clip: int = 0) -> list[tuple[float, float]]:
    """Surprise at a clip over its seconds: at the middle of each tubelet that was predicted."""
    moments, curve = found.curve()
    return [((m + found.tubelet / 2) / fps, v) for m, v in zip(moments.tolist(), curve[clip].tolist(), strict=True)]


def _expected(request: Request, model: str, clip: ClipToSee, peak: float) -> str:
    """The address of a clip that goes on after the peak as the model expected; empty where it has no decoder."""
    import torch

    from foretell.augment import to_float

    models = request.app.state.models
    decoder = models.decoder(model)
    if decoder is None:
        return ""
    loaded = models.load(model)
    encoder = loaded.config.encoder
    first = max(0, min(round(peak * clip.fps) - encoder.frames // 2, len(clip.pixels) - encoder.frames))
    window = torch.from_numpy(clip.pixels[first : first + encoder.frames]).transpose(0, 1).unsqueeze(0)
    T, *plane = encoder.grid
    seen = min(max(int((peak * clip.fps - first) // encoder.tubelet), 1), T - 1)
    with torch.no_grad():
        drawn = decoder.decode(loaded.foresee(to_float(window), seen), (T - seen, *plane))[0]
    after = (drawn * 255).round().byte().transpose(0, 1).numpy()
    start = first + seen * encoder.tubelet
    shown = np.concatenate([clip.pixels[:start], after])
    scale = max(1, SHOWN // encoder.image_size)
    return request.app.state.kept.keep(mp4(shown.repeat(scale, 2).repeat(scale, 3), clip.fps), "video/mp4")


def mp4(frames: np.ndarray, fps: float) -> bytes:
    """A clip, uint8 [T, 3, H, W] with even sides, as an H.264 video file."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000), options={"crf": "16"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[2], frames.shape[3], "yuv420p"
        for frame in frames.transpose(0, 2, 3, 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()
