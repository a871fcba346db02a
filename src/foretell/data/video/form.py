"""Videos as a data set: the clips of many videos, decoded side by side, for the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from foretell.data.cache import Form, Stored, labels_of
from foretell.data.dataset import Skipped, Videos
from foretell.data.images.decode import reason
from foretell.data.items import Decoded, Item, Unusable, in_threads, label_column
from foretell.data.reads import Clips
from foretell.data.source import Contents, Source, Splits, file_at, identity
from foretell.extras import MissingExtra

from .decode import decode_video

VERSION = 1  # raise it when the same video gives other clips
ClipsOf: TypeAlias = Callable[[Any, Any], tuple[Mapping[str, np.ndarray], str | None]]
"""The result of an item: its clips, with a row in every column for each, and the damage if some are missing."""


def videos(cut: Clips) -> Form[Videos]:
    """Clips cut in this way, for the cache."""
    return Form(
        what="videos",
        kind=_videos,
        shape=(cut.frames, 3, cut.size, cut.size),
        key=f"video {VERSION} {astuple(cut)}",
        decode=lambda items: in_threads(items, lambda some: decode_items(some, partial(_clips, cut=cut)), 1),
        each=cut.clips,
        before=labels_of,
    )


def _videos(stored: Stored) -> Videos:
    return Videos(stored.array("pixels"), stored.labels, stored.classes, stored.skipped, stored.fingerprint)


def find(path: Path) -> Splits:
    """The one split of a video file."""
    file = file_at(path)
    item = Item(path.name, lambda: (path, None))
    return {"all": Source(path.name, identity("video", path, file), lambda: Contents(1, (), [item]))}


def decode_items(items: list[Item], clips_of: ClipsOf) -> Decoded:
    """The clips of each item."""
    found: list[Mapping[str, np.ndarray]] = []
    skipped = []
    for item in items:
        try:
            clips, damage = clips_of(*item.read())
        except MissingExtra:
            raise
        except Exception as error:  # one bad video never stops the others
            skipped.append(Skipped(item.name, reason(error)))
            continue
        found.append(clips)
        if damage:
            skipped.append(Skipped(item.name, f"{damage}; kept {len(clips['pixels'])} clips"))
    columns = {name: np.concatenate([clips[name] for clips in found]) for name in (found[0] if found else ())}
    return Decoded(columns, skipped, len(items))


def _clips(raw: Any, label: int | None, cut: Clips) -> tuple[Mapping[str, np.ndarray], str | None]:
    """A video's clips; of one that is decoded already, itself."""
    if isinstance(raw, Path):
        clips, damage = decode_video(raw, cut)
    elif isinstance(raw, np.ndarray):
        clips, damage = raw[None], None
    else:
        raise Unusable("not a video")
    return {"pixels": clips, "labels": label_column([label] * len(clips))}, damage
