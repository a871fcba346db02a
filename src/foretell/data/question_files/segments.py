"""Annotations of COCO: boxes and segmentations, as places in a picture's square.

{"id": 7, "image_id": 1, "category_id": 3, "bbox": [x, y, width, height], "iscrowd": 0, "segmentation": …}

A segmentation is a list of polygons [x, y, x, y, …], or a run-length encoding {"size": [height, width], "counts": …}.
Counts are runs of pixels outside and inside in turn, column by column from the upper left corner: numbers, or a text
that packs them as pycocotools does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from foretell.data.images.padded import PaddedSquare
from foretell.data.items import Unusable
from foretell.errors import ForetellError
from foretell.language.outlines import area, filled, rings
from foretell.language.places import Spot

from .layout import json_of, rows_of

_EXPECTED = 'COCO\'s {"images": [...], "annotations": [{"bbox": ..., "segmentation": ...}], "categories": [...]}'


class CocoImage(NamedTuple):
    """A picture that a file lists."""

    id: Any
    file: str
    size: tuple[int, int] | None
    """Width and height."""


class CocoInstances(NamedTuple):
    """The contents of a file of instances."""

    images: Mapping[Any, CocoImage]
    annotations: Mapping[Any, dict[str, Any]]
    categories: Mapping[Any, str]


def instances_of(path: Path) -> CocoInstances:
    """The pictures, annotations and names of categories in a file of instances. Raises ForetellError."""
    found = json_of(path, _EXPECTED)
    if not isinstance(found, dict):
        raise ForetellError(f"{path}: holds no object, expected {_EXPECTED}")
    parts = {name: rows_of(path, found.get(name), _EXPECTED) for name in ("images", "annotations", "categories")}
    return CocoInstances(
        images_of(path, parts["images"]),
        {row.get("id"): row for row in parts["annotations"]},
        {row.get("id"): str(row.get("name", "")) for row in parts["categories"]},
    )


def images_of(path: Path, rows: Sequence[dict[str, Any]]) -> dict[Any, CocoImage]:
    """Number -> picture. Raises ForetellError."""
    made = {}
    for row in rows:
        if not isinstance(row.get("file_name"), str):
            raise ForetellError(f"{path}: an image has no 'file_name' but {', '.join(map(str, row))}")
        size = (row.get("width"), row.get("height"))
        made[row.get("id")] = CocoImage(row.get("id"), row["file_name"], size if all(size) else None)  # type: ignore[arg-type]
    return made


def box_of(annotation: Mapping[str, Any], square: PaddedSquare) -> Spot:
    """The box of an annotation. Raises Unusable."""
    try:
        x, y, width, height = map(float, annotation["bbox"])
    except (KeyError, TypeError, ValueError):
        raise Unusable(f"its box is {annotation.get('bbox')!r}, expected [x, y, width, height]") from None
    corners = np.array([[x, y], [x + width, y + height]]).clip(0, [square.width, square.height])
    if not (corners[1] > corners[0]).all():
        raise Unusable(f"its box {annotation['bbox']} holds nothing of the picture")
    return Spot("box", (square.shares(corners),))


def outline_of(annotation: Mapping[str, Any], square: PaddedSquare) -> Spot:
    """The outline of an annotation. Raises Unusable."""
    found = annotation.get("segmentation")
    if isinstance(found, dict):
        outline = rings(decoded(found))
    elif isinstance(found, list) and found:
        polygons = [_polygon(each) for each in found]
        outline = [_clockwise(polygons[0])] if len(polygons) == 1 else rings(_filled(polygons, square))
    else:
        raise Unusable("it has no segmentation")
    if not outline:
        raise Unusable("its segmentation is empty")
    return Spot("mask", tuple(square.shares(ring) for ring in outline))


def decoded(encoding: Mapping[str, Any]) -> np.ndarray:
    """The mask of a run-length encoding: bool [H, W]. Raises Unusable."""
    try:
        height, width = map(int, encoding["size"])
        counts = encoding["counts"]
        runs = np.array(_unpacked(counts) if isinstance(counts, (str, bytes)) else counts, np.int64)
    except (KeyError, TypeError, ValueError, IndexError):
        raise Unusable("its run-length encoding has no size or no counts that can be read") from None
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise Unusable(f"its run-length encoding has {runs.sum()} pixels, expected {height} × {width}")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return inside.reshape(width, height).T


def _unpacked(text: str | bytes) -> list[int]:
    """Counts from pycocotools' text: five bits a character from the lowest on, and a sixth that tells of more.

    From the fourth count on, the difference from the count before the last one is kept.
    """
    values = text.encode() if isinstance(text, str) else text
    counts, place = list[int](), 0
    while place < len(values):
        count, shift, bits = 0, 0, 32
        while bits & 32:
            bits = values[place] - 48
            count |= (bits & 31) << shift
            shift, place = shift + 5, place + 1
        if bits & 16:  # the sign
            count -= 1 << shift
        counts.append(count + (counts[-2] if len(counts) > 2 else 0))
    return counts


def _polygon(numbers: Any) -> np.ndarray:
    try:
        points = np.array(numbers, np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        raise Unusable("a polygon of its segmentation has no pairs of numbers") from None
    if len(points) < 3 or not np.isfinite(points).all():
        raise Unusable(f"a polygon of its segmentation has {len(points)} corners, expected 3 or more")
    return points


def _clockwise(ring: np.ndarray) -> np.ndarray:
    return ring if area(ring) >= 0 else ring[::-1]


def _filled(polygons: Sequence[np.ndarray], square: PaddedSquare) -> np.ndarray:
    """All that lies in any of the polygons: they may overlap."""
    return np.any([filled([each], square.height, square.width) for each in polygons], 0)
