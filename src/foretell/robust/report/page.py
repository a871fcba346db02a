"""What the report shows: for each class the pictures of each environment, what differs, and how sure the split is.

N rows · E environments
"""

from __future__ import annotations

import shlex
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from foretell import page
from foretell.data import Images
from foretell.robust.discovery import Found
from foretell.robust.report.measures import Effect, effects, measured
from foretell.robust.report.shares import agreement, percent, places
from foretell.robust.rows import Labelled

SHOWN, NEAR, TOLD, FILED = 18, 12, 6, 4
"""Pictures of an environment, pictures near the boundary, and differences that are told of: of pixels and of files."""
CLASSES = 12
"""At most so many classes are shown with pictures: those whose environments differ most in size come last."""
LARGE, SMALL = 0.8, 0.4
"""Sizes of an effect: above the first, nearly all pictures differ; below the second, it is a tendency."""


@dataclass(frozen=True)
class ShownPicture:
    """A picture in the page."""

    source: str
    title: str
    """Its file, and what is known of it."""


@dataclass(frozen=True)
class EnvironmentColumn:
    """One environment of a class."""

    number: int
    rows: int
    share: float
    pictures: list[ShownPicture] = field(default_factory=list)


@dataclass(frozen=True)
class Class:
    """A class and its environments."""

    name: str
    sides: list[EnvironmentColumn]
    effects: list[Effect]
    """The clear ones, between environment 0 and the last: of pixels, then of files; the largest first."""
    asked: int
    """How many were looked at."""
    near: list[ShownPicture]
    groups: list[list[int]] | None
    """Rows of each environment (down) and each known group (across)."""


def render(
    found: Found,
    rows: Labelled,
    *,
    data: str,
    out: Path,
    options: Sequence[str] = (),
    seed: int = 0,
    classes: Sequence[Class] | None = None,
) -> str:
    """The report as HTML.

    Args:
        found: from `discovery`.
        rows: that it was made of.
        data: what the user calls it.
        out: the folder of environments.parquet, as its reader would write it.
        options: that `foretell robust` needs for this data, such as `--features MODEL`.
        seed: draws the pictures that are shown.
        classes: from `described`; None describes them now.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    environment = page.environment(Path(__file__).parent, "the report")
    environment.globals["places"] = places
    environment.filters |= {"percent": percent, "agreement": agreement, "shell": shlex.quote, "strength": strength}
    report = found.report
    return environment.get_template("report.html.jinja").render(
        data=data,
        out=str(out),
        options=shlex.join(options),
        report=report,
        rows=len(rows.y),
        classes=described(found, rows, seed) if classes is None else classes,
        hidden=max(len(rows.classes) - CLASSES, 0),
        groups=rows.groups,
        environments=len(next(iter(report["environments"].values()))),
        pictures=rows.pictures is not None,
        skipped=rows.skipped,
        stable=stable(report["stability"]),
    )


def examples(classes: Sequence[Class]) -> dict[str, list[Any]]:
    """The pictures of the environments, as columns of examples.parquet: `class`, `environment`, `title`, and `image`,
    the content of a PNG file.
    """
    shown = [(c.name, side.number, picture) for c in classes for side in c.sides for picture in side.pictures]
    return {
        "class": [name for name, _, _ in shown],
        "environment": [number for _, number, _ in shown],
        "title": [picture.title for _, _, picture in shown],
        "image": [b64decode(picture.source.partition(",")[2]) for _, _, picture in shown],
    }


def stable(stability: dict[str, float] | None) -> bool | None:
    """Whether seeds agree more than such environments would by chance; None where nobody asked."""
    return None if stability is None else stability["low"] > stability["chance"]


def strength(effect: Effect) -> str:
    """How large an effect is, in a word."""
    return "strong" if effect.size >= LARGE else "clear" if effect.size >= SMALL else "slight"


def described(found: Found, rows: Labelled, seed: int) -> list[Class]:
    """The classes in their order, or those with the most rows that lack the shortcut where there are many."""
    by_class = [(sum(sizes[1:]), c) for c, sizes in enumerate(found.report["environments"].values())]
    chosen = sorted(c for _, c in sorted(by_class, reverse=True)[:CLASSES])
    return [_class(c, found, rows, seed) for c in chosen]


def _class(c: int, found: Found, rows: Labelled, seed: int) -> Class:
    name, of = rows.classes[c], (rows.y == c).nonzero().squeeze(1)
    environment, sizes = found.environment[of], found.report["environments"][name]
    shares = [size / max(len(of), 1) for size in sizes]
    groups = None
    if rows.group is not None and rows.groups:
        known = rows.group[of]
        groups = [
            torch.bincount(known[(environment == e) & (known >= 0)], minlength=len(rows.groups)).tolist()
            for e in range(len(sizes))
        ]
    if rows.pictures is None:
        sides = [EnvironmentColumn(e, size, share) for e, (size, share) in enumerate(zip(sizes, shares, strict=True))]
        return Class(name, sides, [], 0, [], groups)
    chance = torch.Generator().manual_seed(seed)
    sides = []
    for e, (size, share) in enumerate(zip(sizes, shares, strict=True)):
        there = of[environment == e]
        some = there[torch.randperm(len(there), generator=chance)[:SHOWN]]
        sides.append(EnvironmentColumn(e, size, share, _pictures(some, found, rows)))
    pictures = rows.pictures.subset(of)
    first, last = environment == 0, environment == len(sizes) - 1
    differ = effects(measured(pictures), pictures, first, last) if first.any() and last.any() else []
    clear = [effect for effect in differ if effect.clear]
    seen = [effect for effect in clear if effect.of_pixels][:TOLD]
    filed = [effect for effect in clear if not effect.of_pixels][:FILED]
    return Class(name, sides, seen + filed, len(differ), _near(of, found, rows), groups)


def _near(of: Int[Tensor, " n"], found: Found, rows: Labelled) -> list[ShownPicture]:
    """The rows of a class on which seeds agree least; those on which all agree are not near."""
    confidence = found.confidence[of]
    order = confidence.argsort(stable=True)[:NEAR]
    return _pictures(of[order[confidence[order] < 1]], found, rows)


def _pictures(index: Int[Tensor, " k"], found: Found, rows: Labelled) -> list[ShownPicture]:
    assert rows.pictures is not None
    some = rows.pictures.subset(index)
    names = _names(some, index)
    told = [
        f"{name} · environment {e} in {confidence:.0%} of the repetitions"
        for name, e, confidence in zip(
            names, found.environment[index].tolist(), found.confidence[index].tolist(), strict=True
        )
    ]
    pixels = some.take(torch.arange(len(some))).permute(0, 2, 3, 1).numpy()
    return [ShownPicture(page.uri(Image.fromarray(each)), title) for each, title in zip(pixels, told, strict=True)]


def _names(some: Images, index: Int[Tensor, " k"]) -> list[str]:
    from foretell.data.images.grouped import GroupedImages

    return some.facts().files if isinstance(some, GroupedImages) else [f"row {row}" for row in index.tolist()]
