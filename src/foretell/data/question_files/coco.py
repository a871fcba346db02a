"""COCO: questions of several tasks that its instances and captions answer.

A thing is asked for by the name of its category, where the picture has one of it. `every dog` asks for all of a
category, or for one that is not there. What is marked as a crowd is not asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from foretell.data.images.padded import PaddedSquare
from foretell.data.made.captioned.words import with_article
from foretell.data.made.questions.tasks import FINE, NONE
from foretell.data.source import split_of
from foretell.errors import ForetellError

from .layout import FileQuestion, QuestionLayout, json_of, phrased, picture_folder, rows_of
from .segments import CocoImage, CocoInstances, box_of, images_of, instances_of, outline_of

ABSENT = 1 / 3
"""Chance that `every …` names a category that is not there."""
_EXPECTED = 'COCO\'s {"images": [...], "annotations": [{"image_id": ..., "caption": ...}]}'


def _read(root: Path, options: Mapping[str, str]) -> tuple[list[Path], list[FileQuestion]]:
    files = sorted(root.rglob("*.json")) if root.is_dir() else [root]
    by_split: dict[str, dict[str, Path]] = defaultdict(dict)
    for file in files:
        kind = next((kind for kind in ("instances", "captions") if kind in file.stem.lower()), None)
        if kind is not None:
            split = _split(file)
            if other := by_split[split].get(kind):
                raise ForetellError(f"{root}: found {other.name} and {file.name}, expected one file of {kind} a split")
            by_split[split][kind] = file
    if not by_split:
        raise ForetellError(f"{root}: holds no instances*.json and no captions*.json, expected COCO's annotations")
    used = [file for kinds in by_split.values() for file in kinds.values()]
    return used, [asked for split, kinds in by_split.items() for asked in _of_split(split, kinds, options)]


def _split(file: Path) -> str:
    """`instances_train2017` is train."""
    parts = (part.rstrip("0123456789") for part in file.stem.lower().split("_"))
    return next((name for part in parts if (name := split_of(part))), "all")


def _of_split(split: str, kinds: Mapping[str, Path], options: Mapping[str, str]) -> Iterator[FileQuestion]:
    known = instances_of(kinds["instances"]) if "instances" in kinds else CocoInstances({}, {}, {})
    captions, images = dict[Any, list[str]](), dict(known.images)
    if "captions" in kinds:
        images, captions = _captions(kinds["captions"], images)
    folder = picture_folder(next(iter(kinds.values())), [image.file for image in images.values()], options)
    there: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in known.annotations.values():
        there[annotation.get("image_id")].append(annotation)
    for image in images.values():
        for task, question, answer in _asked(image, there[image.id], known.categories, captions.get(image.id, [])):
            yield FileQuestion(
                f"{image.file}: {task}", split, task, (folder / image.file,), question, answer, image.size
            )


def _captions(path: Path, images: dict[Any, CocoImage]) -> tuple[dict[Any, CocoImage], dict[Any, list[str]]]:
    """All pictures, and the captions of each."""
    found = json_of(path, _EXPECTED)
    if not isinstance(found, dict):
        raise ForetellError(f"{path}: holds no object, expected {_EXPECTED}")
    listed = images_of(path, rows_of(path, found.get("images"), _EXPECTED))
    captions: dict[Any, list[str]] = defaultdict(list)
    for row in rows_of(path, found.get("annotations"), _EXPECTED):
        if isinstance(row.get("caption"), str) and (text := " ".join(row["caption"].split())):
            captions[row.get("image_id")].append(text)
    return listed | images, captions


def _asked(
    image: CocoImage, there: Sequence[dict[str, Any]], categories: Mapping[Any, str], captions: Sequence[str]
) -> Iterator[tuple[str, Any, Any]]:
    """One question of each task that the picture allows: task, question and answer."""
    chance = Random(f"coco {image.id}")
    if captions:
        yield "caption", phrased("caption", "", image.id), chance.choice(captions)
    if not there:
        return
    by_category: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for annotation in there:
        by_category[annotation.get("category_id")].append(annotation)
    clear = {c: some for c, some in by_category.items() if c in categories and not any(a.get("iscrowd") for a in some)}
    single = [(categories[c], some[0]) for c, some in clear.items() if len(some) == 1]
    if single:
        name, one = chance.choice(single)
        yield "box", phrased("box", f"the {name}", image.id), lambda square: FINE.say([box_of(one, square)])
        named, other = chance.choice(single)
        question = phrased("outline", f"the {named}", image.id)
        yield "outline", question, lambda square: FINE.say([outline_of(other, square)])
    absent = [c for c in categories if c not in by_category]
    if absent and (chance.random() < ABSENT or not clear):
        yield "outlines", phrased("outlines", f"every {categories[chance.choice(absent)]}", image.id), NONE
    elif clear:
        category = chance.choice(list(clear))
        some = clear[category]
        question = phrased("outlines", f"every {categories[category]}", image.id)
        yield "outlines", question, lambda square: FINE.say([outline_of(each, square) for each in some])
    if clear:
        category = chance.choice(list(clear))
        thing = chance.choice(clear[category])

        def in_box(square: PaddedSquare) -> str:
            return phrased("region", FINE.say([box_of(thing, square)]), image.id)

        yield "region", in_box, with_article(categories[category])


LAYOUT = QuestionLayout("coco", "FOLDER", ("caption", "box", "outline", "outlines", "region"), _read)
