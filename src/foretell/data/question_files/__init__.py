"""Questions from annotation files on disk, as their data sets publish them.

| place | what lies there | tasks |
|---|---|---|
| `coco:FOLDER` | COCO's `instances*.json`, `captions*.json` and images | caption, box, outline, outlines, region |
| `refcoco:FOLDER` | RefCOCO, RefCOCO+ or RefCOCOg: `refs(unc).p` (or `.json`), `instances.json` | box, outline |
| `grefcoco:FOLDER` | gRefCOCO: `grefs(unc).json`, `instances.json` | outlines |
| `gqa:PLACE` | GQA's questions: a file, or a folder of files such as `train_balanced_questions.json` | vqa |
| `nlvr2:PLACE` | NLVR2's lines of JSON: a file, or a folder of files such as `train.json` and `dev.json` | pair |

Options follow a `#`, as in `refcoco:data/refcoco#images=data/train2014,test=testA`:

- `images=DIR`: where the pictures are; else they are looked for near the files.
- `tasks=box+outline`: some tasks alone.
- `test=SPLIT`: the split to test on, where there are several.
- `by=unc`: which of several `refs(…)`.

A picture that is not square gets white beside it, and places are moved along. A row that cannot be used, or whose
picture is not there, is listed in `skipped`.

Read on in this order: layout (what every layout gives), segments (outlines of COCO), then a layout.
"""

from __future__ import annotations

from collections.abc import Mapping

from foretell.data.source import Splits

from . import coco, gqa, nlvr2, refcoco
from .layout import QuestionLayout, sources

LAYOUTS: Mapping[str, QuestionLayout] = {
    layout.name: layout for layout in (coco.LAYOUT, refcoco.LAYOUT, refcoco.SEVERAL, gqa.LAYOUT, nlvr2.LAYOUT)
}
"""Name -> how files of that name are read."""


def find(spec: str, size: int) -> Splits:
    """The splits of questions at a place `NAME:PLACE#OPTIONS`.

    Args:
        spec: the place; NAME is one of `LAYOUTS`.
        size: pixels a side of the pictures.

    Raises:
        ForetellError: nothing is there, a file has another layout, or an option is not known.
    """
    name, _, place = spec.partition(":")
    return sources(LAYOUTS[name], place, size)
