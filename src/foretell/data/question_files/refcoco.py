"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO: expressions that people wrote for things in COCO's pictures.

[{"ref_id": 0, "ann_id": 1719310, "image_id": 581857, "split": "train", "sentences": [{"sent": "navy blue shirt"}]}]

It is `refs(unc).p`, a pickle of lists, dictionaries, texts and numbers, from which nothing else is made; or the same as
JSON. gRefCOCO is JSON, has a list in `ann_id`, and [-1] with `"no_target": true` where nothing is so called. Boxes and
outlines are those of `instances.json`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from foretell.data.images.padded import PaddedSquare
from foretell.data.made.questions.tasks import FINE, NONE
from foretell.errors import ForetellError

from .layout import FileQuestion, QuestionLayout, json_of, phrased, picture_folder, rows_of
from .segments import CocoInstances, box_of, instances_of, outline_of

_EXPECTED = 'REFER\'s [{"ref_id": ..., "ann_id": ..., "image_id": ..., "split": ..., "sentences": [{"sent": ...}]}]'


class _Plain(pickle.Unpickler):
    """Reads lists, dictionaries, texts and numbers, which need no class."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _read(
    prefix: str, tasks: Sequence[str], root: Path, options: Mapping[str, str]
) -> tuple[list[Path], list[FileQuestion]]:
    table = _table(root, prefix, options.get("by"))
    instances = table.parent / "instances.json"
    known = instances_of(instances)
    folder = picture_folder(instances, [image.file for image in known.images.values()], options)
    rows = rows_of(table, _plain(table) if table.suffix == ".p" else json_of(table, _EXPECTED), _EXPECTED)
    return [table, instances], [asked for row in rows for asked in _of_row(row, known, folder, tasks)]


def _table(root: Path, prefix: str, by: str | None) -> Path:
    """The file of references, of which there may be several, by who divided them into splits."""
    if root.is_file():
        return root
    wanted = f"{prefix}({by})" if by else f"{prefix}("
    found = [
        file
        for file in sorted(root.iterdir())
        if file.suffix in (".p", ".json") and (file.stem.startswith(wanted) or (not by and file.stem == prefix))
    ]
    stems = {file.stem for file in found}
    if len(stems) != 1:
        listed = f"found {', '.join(file.name for file in found)}" if found else f"holds no {wanted}….p or .json"
        raise ForetellError(f"{root}: {listed}, expected one such as {prefix}(unc): choose by #by=unc")
    return found[0]


def _plain(path: Path) -> Any:
    """The contents of a pickle, of which nothing is run."""
    try:
        with path.open("rb") as file:
            return _Plain(file, encoding="utf-8").load()
    except Exception as error:  # a damaged pickle raises errors of any type
        raise ForetellError(
            f"{path}: cannot be read ({error or type(error).__name__}), expected a pickle of plain lists, "
            "dictionaries, texts and numbers, as REFER has them"
        ) from None


def _of_row(row: dict[str, Any], known: CocoInstances, folder: Path, tasks: Sequence[str]) -> Iterator[FileQuestion]:
    """A question of each task for each sentence; rows without sentences ask nothing."""
    number, split = row.get("ref_id"), str(row.get("split") or "all")
    image = known.images.get(row.get("image_id"))
    several = row.get("ann_id") if isinstance(row.get("ann_id"), list) else [row.get("ann_id")]
    wanted = [] if row.get("no_target") else [each for each in several if each != -1]
    targets = [known.annotations[each] for each in wanted if each in known.annotations]
    sentences = row.get("sentences")
    for place, sentence in enumerate(sentences if isinstance(sentences, list) else [], 1):
        name = f"reference {number}, sentence {place}"
        text = (
            " ".join(str(sentence.get("sent") or sentence.get("raw") or "").split())
            if isinstance(sentence, dict)
            else ""
        )
        if image is None:
            problem = f"its picture {row.get('image_id')!r} is not in instances.json"
        elif len(targets) < len(wanted):
            problem = f"its annotation {row.get('ann_id')!r} is not in instances.json"
        else:
            problem = "" if text else "asks nothing"
        if problem or image is None:
            yield FileQuestion(name, split, problem=problem)
            continue
        for task in tasks:
            answer = partial(_said, task, targets) if targets else NONE
            question = phrased(task, text, number, place)
            yield FileQuestion(f"{name} ({task})", split, task, (folder / image.file,), question, answer, image.size)


def _text(sentence: Any) -> str:
    found = sentence if isinstance(sentence, dict) else {}
    return " ".join(str(found.get("sent") or found.get("raw") or "").split())


def _said(task: str, targets: Sequence[dict[str, Any]], square: PaddedSquare) -> str:
    return FINE.say([(box_of if task == "box" else outline_of)(target, square) for target in targets])


LAYOUT = QuestionLayout("refcoco", "FOLDER", ("box", "outline"), partial(_read, "refs", ("box", "outline")))
SEVERAL = QuestionLayout("grefcoco", "FOLDER", ("outlines",), partial(_read, "grefs", ("outlines",)))
