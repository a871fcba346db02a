"""Ego4D's long-term anticipation (Grauman et al. 2022, arXiv:2110.07058): long sequences of actions.

`fho_lta_train.json` and `fho_lta_val.json` hold `clips`, a record an action: `clip_uid`, `action_idx` (its place in the
clip), `action_clip_start_sec`, `action_clip_end_sec`, `verb` and `noun`. A clip is a procedure; `scenarios.json`, where
somebody made it, tells a clip's scenario, which then is its task: {clip_uid: name}.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from foretell.errors import ForetellError

from .annotated import Annotated, Layout, Segment, field
from .coin import read_json

FILES = {"train": "fho_lta_train.json", "test": "fho_lta_val.json"}


def read(root: Path) -> list[Annotated]:
    """All clips. Raises ForetellError where a file is missing or has another layout."""
    scenarios = read_json(root / "scenarios.json") if (root / "scenarios.json").is_file() else {}
    found = []
    for split, name in FILES.items():
        path = root / name
        if not path.is_file() and split == "test":
            continue
        clips = field(read_json(path), "clips", str(path))
        if not isinstance(clips, list):
            raise ForetellError(f"{path}: 'clips' is not a list of actions")
        actions: dict[str, list[tuple[int, Segment]]] = defaultdict(list)
        for place, record in enumerate(clips):
            video, number, segment = _action(record, f"{path}: clip {place + 1}")
            actions[video].append((number, segment))
        found += [
            Annotated(video, str(scenarios.get(video, "")), split, tuple(s for _, s in sorted(some)))
            for video, some in actions.items()
        ]
    return found


def _action(record: Any, where: str) -> tuple[str, int, Segment]:
    video, number, verb, noun, start, end = (
        field(record, name, where)
        for name in ("clip_uid", "action_idx", "verb", "noun", "action_clip_start_sec", "action_clip_end_sec")
    )
    try:
        segment = Segment(f"{verb} {noun}", float(str(start)), float(str(end)), str(verb), str(noun))
        return str(video), int(str(number)), segment
    except ValueError:
        raise ForetellError(f"{where}: its place or its times are not numbers") from None


LAYOUT = Layout("ego4d", "FOLDER", read)
