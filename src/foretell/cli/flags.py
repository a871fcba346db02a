"""The parts that all commands share: the words for data and models, flags from dataclasses, and errors in one
sentence.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from textwrap import dedent
from typing import TypeVar

import tyro

from foretell.errors import ForetellError, Range, check_range, near
from foretell.extras import needed

DATA = (
    "folder of images (class sub-folders optional), Hugging Face image parquet (file or folder), "
    "torchvision:NAME:ROOT for a torchvision data set on disk, `photographs` for the bundled ones, or `captions:N` for "
    "captioned scenes that are made here"
)
ANY_DATA = (
    f"{DATA}; for a video model: a folder of videos, a list (.csv, 'path label' a line), or `scenes`; for a model that "
    "answers questions: `questions:N`, or annotations such as `refcoco:FOLDER`"
)


PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".pdf")
"""Endings of the files that Pillow writes."""
FIGURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".svg", ".pdf", ".eps")
"""Endings of the files that matplotlib writes."""

MODEL = (
    "name of a shipped model (see `foretell models`), a run's or a model's folder, official weights "
    "(file or folder), or a Hugging Face repository"
)


Parsed = TypeVar("Parsed")


class Usage(ForetellError):
    """The command's words are wrong; exit status 2."""


def parse(schema: type[Parsed], args: list[str], prog: str, text: str | None = None) -> Parsed:
    """Parse flags; tyro's framed message becomes one sentence."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                schema,
                args=args,
                prog=f"foretell {prog}",
                description=text or inspect.getdoc(schema),
                config=(tyro.conf.FlagCreatePairsOff, tyro.conf.AvoidSubcommands),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        raise Usage(f"{_sentence(complaint.getvalue())} (see foretell {prog} --help)") from None


def _sentence(frame: str) -> str:
    """tyro's framed message in one sentence: its parts without the frame and the flags' help texts."""
    lines = (line.strip("│").rstrip() for line in frame.splitlines()[1:-1])
    text = dedent("\n".join(line if line.strip("─- ") else "" for line in lines))  # without the rules across it
    parts: list[list[str]] = [[]]
    for line in text.splitlines():
        if not line:
            parts.append([])
        elif not line.startswith(" " * 5):  # help texts are indented deeper than their flags
            parts[-1].append(line.strip())
    return "; ".join(" ".join(part) for part in parts if part and not part[0].startswith(("For full", "Argument")))


def first(args: list[str], command: str, what: str, choices: dict[str, str]) -> str:
    """The leading word of a command, which decides its flags."""
    if args[:1] in (["-h"], ["--help"]):
        print(f"usage: foretell {command} {what} [flags]\n\n{table(choices)}\n")
        print(f"`foretell {command} {what} --help` lists the flags.")
        sys.exit(0)
    if not args or args[0] not in choices:
        found = f"{args[0]!r} is not one{near(args[0], choices)}" if args else "none is given"
        raise Usage(f"{command} needs a {what} first, and {found}; there are {', '.join(choices)}")
    return args[0]


def empty(folder: Path) -> None:
    """Refuse a folder that is not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ForetellError(f"{folder} is not an empty folder: choose another --out")


def output(flag: str, path: Path | None, endings: tuple[str, ...] = ()) -> None:
    """Refuse a file that cannot be written, before its contents are computed. Its folder is made.

    Args:
        flag: the flag of the file.
        path: the path of the file; None for no file.
        endings: the endings that its name may have; none for any.
    """
    if path is None:
        return
    if endings and path.suffix.lower() not in endings:
        what = "picture" if endings in (PICTURES, FIGURES) else "table"
        raise Usage(f"{flag} {path} is not the name of a {what}, expected one that ends in {', '.join(endings)}")
    if endings is FIGURES:
        needed("matplotlib", flag)
    try:
        if path.is_dir():
            raise Usage(f"{flag} {path} is a folder, expected the name of a file")
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        with path.open("ab") if path.exists() else TemporaryFile(dir=path.parent):  # an existing file stays unchanged
            pass
    except OSError as error:
        raise ForetellError(f"{flag} {path} cannot be written ({error.strerror}): choose another") from None


def at_least(flags: object, **least: int) -> None:
    """Refuse numbers that are too small. `least` has the smallest useful number of each flag. None is ignored."""
    for name, smallest in least.items():
        check_range(f"--{name}", getattr(flags, name), Range(smallest), Usage)


def summary(thing: Callable[..., object]) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(thing) or "").splitlines()[0]


def table(rows: dict[str, str]) -> str:
    """Names and their descriptions, in two columns."""
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {text}" for name, text in rows.items())
