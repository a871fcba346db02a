"""Ask a question about pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from foretell.cli.flags import MODEL, PICTURES, Usage, output, parse
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from PIL import Image

    from foretell.ask import PictureAnswer


@dataclass(frozen=True)
class Ask:
    """Ask a question about one or several pictures: the answer has words, boxes and outlines, in pixels.

    `[x0, y0, x1, y1]` in a question is a box in the first picture.
    """

    what: Annotated[
        Positional[tuple[str, ...]],
        arg(help=f"{MODEL}, that answers questions; then pictures; then the question", metavar="MODEL IMAGE QUESTION"),
    ] = ()
    json: Annotated[bool, arg(help="print JSON: {text, boxes, masks, points, lost, reply, images}")] = False
    out: Annotated[Path | None, arg(help="draw the pictures with boxes and outlines here (PNG)")] = None
    device: str = "auto"


def ask(args: list[str]) -> None:
    """Ask about pictures: foretell ask MODEL IMAGE... "where is the dog?" [--out drawn.png] [--json]."""
    from foretell import ask as asking
    from foretell import hub
    from foretell.progress import say
    from foretell.train.world import enter

    flags = parse(Ask, args, "ask")
    name, paths, question = _named(flags.what)
    output("--out", flags.out, PICTURES)
    pictures = [_opened(path) for path in paths]  # before a model is loaded, which takes seconds
    answer = asking.ask(hub.load(name, enter(flags.device).device), pictures, question)
    if flags.out:
        asking.draw(answer).save(flags.out)
        say(f"wrote {flags.out}")
    if flags.json:
        print(json.dumps({**answer.told(), "images": paths}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(answer, paths)))


def _named(words: tuple[str, ...]) -> tuple[str, list[str], str]:
    """The model, the pictures and the question."""
    if len(words) < 3:
        missing = ("a MODEL, an IMAGE and a question", "an IMAGE and a question", "a question")[len(words)]
        if len(words) == 2 and not _names_picture(words[1]):
            missing = "an IMAGE before the question"
        raise Usage(f'ask needs {missing}: foretell ask MODEL IMAGE "where is the dog?"')
    name, *paths, question = words
    if _names_picture(question):
        raise Usage(f"{question} is a picture, expected a question in words behind the pictures: add one in quotes")
    if not question.strip():
        raise Usage("the question is empty, expected words such as 'where is the dog?'")
    return name, paths, question


def _names_picture(word: str) -> bool:
    """Whether a word is no question but a file, or the name of one."""
    return " " not in word and (Path(word).exists() or Path(word).suffix.lower() in PICTURES)


def _opened(path: str) -> Image.Image:
    from foretell.ask import open_picture

    try:
        return open_picture(path)
    except ForetellError as error:
        if Path(path).suffix or Path(path).exists():
            raise
        raise Usage(f"{error}: a question of several words needs quotes around it") from None


def _lines(answer: PictureAnswer, paths: list[str]) -> list[str]:
    """The answer for people."""
    import numpy as np

    lines = [answer.text] if answer.text else []
    for each in answer.masks:
        corners = np.concatenate(each.rings)
        around = _whole([*corners.min(0), *corners.max(0)])
        lines.append(f"outline of {len(corners)} corners in {paths[each.image]}, within {around}")
    lines += [f"box in {paths[each.image]}: {_whole(each.box)}" for each in answer.boxes]
    lines += [f"point in {paths[each.image]}: {_whole(each.point)}" for each in answer.points]
    return lines + [f"not read: {clause}" for clause in answer.lost]


def _whole(pixels: Sequence[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in pixels)
