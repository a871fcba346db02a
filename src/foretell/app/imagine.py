"""The page on which a model imagines: a photograph, sliders, what truly comes beside what the model imagines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response

from foretell.agents.see import IMAGES
from foretell.app.able import chosen, look
from foretell.app.asking import Asking
from foretell.app.frame import shown
from foretell.app.photographs import samples, thumbnail
from foretell.app.see import take_photograph
from foretell.http.json import Json
from foretell.http.refusal import Refused

T = TypeVar("T")
FIRST = "astronaut"
"""The photograph of the first visit."""
OTHERS = frozenset({"model", "photo", "over"})
"""Fields of the query that are not changes."""
FOREVER = {"Cache-Control": "private, max-age=86400, immutable"}

router = APIRouter()


@router.get("/imagine")
async def page(request: Request) -> Response:
    """Show a photograph, its change, and what a model imagines."""
    over = request.query_params.get("over", "")

    def run(asking: Asking) -> dict[str, Any]:
        model, photo, values = _asked(asking, request)
        return {
            "model": model,
            "models": asking.names,
            "photo": photo,
            "samples": list(samples()),
            "own": photo not in samples(),
            "parameters": asking.parameters(model),
            "answer": asking.ask(model, photo, values),
            "strip": asking.strip(model, photo, values, over) if over else [],
            "over": over,
        }

    return shown(request, "imagine", **await _look(request, run))


@router.get("/imagine/answer")
async def answer(request: Request) -> Response:
    """The answer to one change, for the sliders."""

    def run(asking: Asking) -> dict[str, Any]:
        return asking.ask(*_asked(asking, request))

    return Json(await _look(request, run), headers={"Cache-Control": "no-store"})


@router.get("/imagine/picture/{model}/{photo}/{state}.png")
async def picture(request: Request, model: str, photo: str, state: str) -> Response:
    """A version of a photograph."""
    file = await _look(request, lambda asking: asking.picture(_known(asking, model), photo, state))
    return Response(file, headers=FOREVER, media_type="image/png")


@router.get("/imagine/decoded/{model}/{photo}.png")
async def decoded(request: Request, model: str, photo: str) -> Response:
    """What a model imagines, as its decoder draws it."""

    def run(asking: Asking) -> bytes:
        values = asking.values(_known(asking, model), dict(request.query_params))
        return asking.decoded(model, photo, values)

    return Response(await _look(request, run), headers=FOREVER, media_type="image/png")


@router.get("/imagine/sample/{name}")
async def sample(name: str) -> Response:
    """A photograph that comes with foretell, small."""
    if name not in samples():
        raise Refused(404, f"there is no photograph {name!r:.40} here")
    return Response(thumbnail(name), headers=FOREVER, media_type="image/webp")


@router.post("/imagine")
async def send(request: Request) -> Response:
    """Take a photograph of a visitor with a key."""
    return await take_photograph(request, "/imagine")


async def _look(request: Request, run: Callable[[Asking], T]) -> T:
    """Run a model, as `foretell.app.able.look`."""
    asking: Asking = request.app.state.asking
    return await look(request, lambda: run(asking))


def _asked(asking: Asking, request: Request) -> tuple[str, str, dict[str, float]]:
    """The model, the photograph and the changes of a query."""
    query = request.query_params
    model = _known(asking, query.get("model", ""))
    changes = {name: text for name, text in query.items() if name not in OTHERS}
    return model, query.get("photo") or FIRST, asking.values(model, changes)


def _known(asking: Asking, model: str) -> str:
    return chosen(model, asking.names, "imagines", IMAGES)
