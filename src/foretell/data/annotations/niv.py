"""NIV (Alayrac et al. 2016, arXiv:1506.09215) and other sets, as lists of windows that codes for planning exchange.

`train*.json` and `test*.json` are lists of records, perhaps under `id`: `vid` (the video), `task` or `task_id`, and
`legal_range`, a list of [start, end, step] with times in seconds (PDPP's loader reads such). Steps are numbers, or
names. `steps.json` may name the numbers: a list. Windows of one video are joined: each step counts once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foretell.errors import ForetellError

from .annotated import Annotated, Layout, Segment, field, words
from .coin import read_json


def read(root: Path) -> list[Annotated]:
    """All videos. Raises ForetellError where a file is missing or has another layout."""
    named = read_json(root / "steps.json") if (root / "steps.json").is_file() else None
    files = [(split, path) for split in ("train", "test") for path in sorted(root.glob(f"{split}*.json"))]
    if not files:
        raise ForetellError(f"{root}: no train*.json and test*.json, expected lists of windows with 'legal_range'")
    found: dict[tuple[str, str], tuple[str, set[Segment]]] = {}
    for split, path in files:
        records = read_json(path)
        if not isinstance(records, list):
            raise ForetellError(f"{path}: holds other things than a list of windows")
        for place, outer in enumerate(records):
            where = f"{path}: record {place + 1}"
            record: Any = outer["id"] if isinstance(outer, dict) and isinstance(outer.get("id"), dict) else outer
            video = str(
                record["vid"] if isinstance(record, dict) and "vid" in record else field(record, "feature", where)
            )
            task = str(record["task"] if "task" in record else field(record, "task_id", where))
            steps = found.setdefault((split, Path(video).stem), (task, set()))[1]
            steps.update(_segments(field(record, "legal_range", where), named, where))
    return [
        Annotated(video, task, split, tuple(sorted(steps, key=lambda step: step.start)))
        for (split, video), (task, steps) in found.items()
    ]


def _segments(ranges: Any, named: Any, where: str) -> list[Segment]:
    segments = []
    for each in ranges if isinstance(ranges, list) else [ranges]:
        try:
            start, end, step = each
            label = str(named[step] if isinstance(named, list) and isinstance(step, int) else step)
            segments.append(Segment(label, float(start), float(end), *words(label)))
        except (TypeError, ValueError, IndexError):
            raise ForetellError(f"{where}: legal_range holds {each!r}, expected [start, end, step]") from None
    return segments


LAYOUT = Layout("niv", "FOLDER", read)
