"""The page on which a model answers questions about pictures: in words, with boxes and outlines on the pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from starlette.datastructures import UploadFile

from foretell.app import session
from foretell.app.able import able_models, chosen, look
from foretell.app.door import check_key
from foretell.app.frame import LARGEST, field, shown
from foretell.app.kept import KeptFiles, png
from foretell.http.refusal import Refused
from foretell.http.work import unless_left
from foretell.search.serve.call import Call

if TYPE_CHECKING:
    from foretell.ask import PictureAnswer

PICTURES = 8
"""Pictures of a question, at most."""
SCENES = 6
"""Scenes that are here to ask about."""
SIDE, SCENE = 640, 256
"""The longer side of a picture of a visitor, and the side of a scene, in pixels."""
PIXELS = 25_000_000
"""The most pixels of a picture that is decoded."""
LONGEST = 500
"""Characters of a question."""

router = APIRouter()


@router.get("/ask")
async def page(
    request: Request,
    model: Annotated[str, Query(max_length=200)] = "",
    scene: Annotated[int, Query(ge=0, lt=SCENES)] = 0,
    q: Annotated[str, Query(max_length=LONGEST)] = "",
) -> Response:
    """Show the scenes to ask about, and the answer to a question about one."""

    def run() -> dict[str, Any]:
        return _told(request, model, [_scene(scene)] if q.strip() else [], q, scene)

    return shown(request, "ask", **await look(request, run))


@router.get("/ask/scene/{number}")
async def picture(number: int) -> Response:
    """A scene that is here to ask about."""
    if not 0 <= number < SCENES:
        raise Refused(404, f"there is no scene {number} here, expected 0 to {SCENES - 1}")
    return Response(png(_scene(number)), headers={"Cache-Control": "public, max-age=86400"}, media_type="image/png")


@router.post("/ask")
async def asked(request: Request) -> Response:
    """Answer a question about pictures of a visitor with a key."""
    call = Call(request)
    try:
        await session.check_form(request, PICTURES)
        check_key(call)
        form = await request.form(max_files=PICTURES, max_fields=100)
        q, model = field(form, "q", LONGEST), field(form, "model", 200)
        files = [await each.read() for each in form.getlist("file") if isinstance(each, UploadFile)]
    finally:
        await request.close()  # the temporary files of the form
    if not any(files):
        raise Refused(400, f"there is no picture in the form, expected one to {PICTURES}")
    decoding = call.work.pictures.run(lambda: [opened(file) for file in files], call.who)
    pictures = await unless_left(request.receive, decoding)
    return shown(request, "ask", **await look(request, lambda: _told(request, model, pictures, q, None)))


def opened(file: bytes) -> Image.Image:
    """A picture of a visitor, upright and not larger than a page shows it.

    Raises:
        Refused: 400, it is too large.
        ForetellError: it is no picture.
    """
    from foretell.ask import open_picture

    if len(file) > LARGEST:
        raise Refused(400, f"a picture has {len(file):,} bytes, expected at most {LARGEST >> 20} MB each")
    try:
        with Image.open(io.BytesIO(file)) as image:
            pixels = image.width * image.height
    except (OSError, ValueError, Image.DecompressionBombError):
        raise Refused(400, "a file is no picture that can be read, expected JPEG, PNG, WebP or the like") from None
    if pixels > PIXELS:
        raise Refused(400, f"a picture has {pixels:,} pixels, expected at most {PIXELS:,}: make it smaller")
    found = open_picture(file)
    found.thumbnail((SIDE, SIDE))
    return found


def _told(request: Request, model: str, pictures: Sequence[Image.Image], q: str, scene: int | None) -> dict[str, Any]:
    """What the template tells: the models, and the answer where something was asked."""
    models = request.app.state.models
    names = able_models(models, "Answers")
    by = chosen(model, names, "answers questions", advice=HELP)
    told: dict[str, Any] = {
        "models": names,
        "model": by,
        "scene": scene,
        "scenes": range(SCENES),
        "q": q,
        "most": PICTURES,
        "side": SIDE,
        "suggestions": _suggestions(scene or 0),
        "answer": None,
    }
    if pictures:
        if not names:
            raise Refused(404, f"no model here answers questions: {HELP}")
        from foretell.ask import ask

        answer = ask(models.load(by), pictures, q)
        told["answer"] = answer_told(answer, request.app.state.kept)
    return told


HELP = "train one by foretell train vista --data questions:20000 --out RUN, and start foretell serve with --model RUN"


def answer_told(answer: PictureAnswer, kept: KeptFiles) -> dict[str, Any]:
    """An answer as the page shows it: places are numbers of drawings, in pixels of the pictures."""
    pictures = [
        {
            "source": kept.keep(png(image), "image/png"),
            "width": image.width,
            "height": image.height,
            "masks": [_path(each.rings) for each in answer.masks if each.image == number],
            "boxes": [_numbers(each.box) for each in answer.boxes if each.image == number],
            "points": [_numbers(each.point) for each in answer.points if each.image == number],
        }
        for number, image in enumerate(answer.pictures)
    ]
    counts = [("outline", len(answer.masks)), ("box", len(answer.boxes)), ("point", len(answer.points))]
    places = [f"{n} {name if n == 1 else 'boxes' if name == 'box' else name + 's'}" for name, n in counts if n]
    return {"text": answer.text, "places": places, "lost": list(answer.lost), "pictures": pictures}


def _path(rings: Sequence[Any]) -> str:
    """Rings in the form of SVG's path."""
    return " ".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring.tolist()) + "Z" for ring in rings)


def _numbers(values: Sequence[float]) -> list[float]:
    return [round(value, 1) for value in values]


@lru_cache(maxsize=SCENES)
def _scene(number: int) -> Image.Image:
    from foretell.data.made import captioned

    pixels = captioned.picture(captioned.scene(0, number, "test"), SCENE)
    return Image.fromarray(pixels.transpose(1, 2, 0))


@lru_cache(maxsize=SCENES)
def _suggestions(number: int) -> Sequence[str]:
    """Questions about a scene that it has an answer to."""
    from foretell.data.made import captioned
    from foretell.data.made.captioned.refer import refer

    drawn = captioned.scene(0, number, "test")
    chance = captioned.chance_of("questions of the page", number)
    named = [each.text for place in range(len(drawn.things)) if (each := refer(drawn, place, chance))]
    asked = ["describe the picture.", *(f"where is {text}?" for text in named[:1])]
    return [*asked, *(f"outline {text}." for text in named[-1:])]
