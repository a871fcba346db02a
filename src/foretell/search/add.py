"""Files into a knowledge: only what is new is read by the model, and a file is replaced as a whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.errors import ForetellError
from foretell.search import entries, ingest
from foretell.search.entries import Draft
from foretell.search.passage import Passage
from foretell.search.runtime import digest
from foretell.train.progress import watched

if TYPE_CHECKING:
    from foretell.search.embed import TextModel
    from foretell.search.images import ImageModel
    from foretell.search.knowledge import Knowledge

BATCH = 256  # entries of small files that are written in one transaction
KINDS = {".md": "Markdown", ".markdown": "Markdown", ".text": "TXT", ".jpg": "JPEG", ".htm": "HTML", ".tif": "TIFF"}


@dataclass
class Added:
    """What came of adding files."""

    files: int = 0
    """That were new or changed."""
    unchanged: int = 0
    """Files whose content was there already."""
    entries: int = 0
    """New ones."""
    removed: int = 0
    """Entries of changed files that are no longer in them."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Files that could not be used, with the reason."""


@dataclass
class _File:
    """A file, read and embedded, to be written."""

    path: Path
    hash: str
    drafts: list[Draft]  # new passages
    kept: set[str]  # keys of passages that are there already


def add(knowledge: Knowledge, paths: Sequence[Path], progress: bool) -> Added:
    """As `Knowledge.add`."""
    for path in paths:
        if not path.exists():
            raise ForetellError(f"{path} does not exist")
    model = knowledge.model
    files = list(dict.fromkeys(each for path in paths for each in _files(path, model)))
    if not files:
        raise ForetellError(f"{', '.join(map(str, paths)) or 'nothing'}: no file there is of a kind that can be added")
    done, waiting = Added(), list[_File]()
    for path in watched(files, "adding" if progress and len(files) > 1 else None):
        try:
            if (file := _read(knowledge, model, path, progress and len(files) == 1)) is None:
                done.unchanged += 1
                continue
        except ForetellError as error:
            done.skipped.append((str(path), str(error).removeprefix(f"{path}: ")))
            continue
        waiting.append(file)
        if sum(len(each.drafts) for each in waiting) >= BATCH:
            _write(knowledge, model, waiting, done)
            waiting.clear()
    _write(knowledge, model, waiting, done)
    return done


def _files(path: Path, model: TextModel | ImageModel) -> Iterator[Path]:
    """The file itself, or those below a folder that the model may know what to do with, by name."""
    if not path.is_dir():
        yield path
        return
    endings = ingest.ENDINGS
    if model.kind == "image":
        from foretell.data import folder as photographs  # not needed for texts, and brings torch

        endings = photographs.ENDINGS
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix.lower() in endings:
                yield Path(folder) / name


def _read(knowledge: Knowledge, model: TextModel | ImageModel, path: Path, progress: bool) -> _File | None:
    """A file's passages, those embedded that are not there yet; None where its content is there already."""
    n = knowledge.number
    try:
        hash = digest(path)
    except OSError as error:
        raise ForetellError(f"{path} cannot be read ({error.strerror or error})") from None
    place = str(path.resolve())
    with knowledge.store.read() as c:
        if c.execute("SELECT 1 FROM source WHERE collection = ? AND hash = ?", (n, hash)).fetchone():
            return None
        own = c.execute("SELECT number FROM source WHERE collection = ? AND path = ?", (n, place)).fetchone()
        there = {key for (key,) in c.execute(f"SELECT key FROM entry_{n} WHERE source = ?", own)} if own else set()
    things: list[Any]
    if model.kind == "image":
        passages, things = [Passage("", metadata={"source": path.name})], [model.read(path)]
    else:
        passages = [_with_source(passage, path) for passage in ingest.read(path)]
        things = [passage.text for passage in passages]
        if not passages:
            raise ForetellError(f"{path}: it holds no text")
    keys = list(_keys(place, passages, hash if model.kind == "image" else ""))
    new = [i for i, key in enumerate(keys) if key not in there]
    embed: Callable[[Sequence[Any]], np.ndarray] = model.passages
    vectors = []
    for start in watched(range(0, len(new), 16), f"embedding {path.name}" if progress else None):
        vectors.extend(embed([things[i] for i in new[start : start + 16]]))
    drafts = [
        entries.checked(Draft(p.text, vector, p.page, p.time, p.metadata, key))
        for vector, p, key in zip(vectors, [passages[i] for i in new], [keys[i] for i in new], strict=True)
    ]
    return _File(path, hash, drafts, there & set(keys))


def _with_source(passage: Passage, path: Path) -> Passage:
    return Passage(passage.text, passage.page, passage.time, {"source": path.name} | passage.metadata)


def _keys(place: str, passages: Iterable[Passage], salt: str) -> Iterator[str]:
    """A passage's key: of the file it is in, what it says and where, and which of several such it is."""
    seen = Counter[str]()
    for p in passages:
        what = repr((place, p.page, p.time, p.text, sorted(p.metadata.items()), salt))
        seen[what] += 1
        yield hashlib.blake2b(f"{what} {seen[what]}".encode(errors="replace"), digest_size=16).hexdigest()


def _write(knowledge: Knowledge, model: TextModel | ImageModel, files: Sequence[_File], done: Added) -> None:
    """Several files in one transaction: each as a whole."""
    if not files:
        return
    n = knowledge.number
    added = removed = unchanged = 0
    with knowledge.store.write() as c:
        for file in files:
            if c.execute("SELECT 1 FROM source WHERE collection = ? AND hash = ?", (n, file.hash)).fetchone():
                unchanged += 1  # another process, or another file of this batch, brought the same
                continue
            kind = KINDS.get(file.path.suffix.lower(), file.path.suffix[1:].upper() or "file")
            (source,) = c.execute(
                "INSERT INTO source (collection, path, hash, kind) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (collection, path) DO UPDATE SET hash = excluded.hash RETURNING number",
                (n, str(file.path.resolve()), file.hash, kind),
            ).fetchone()
            keep = file.kept | {draft.key for draft in file.drafts}
            old = c.execute(f"SELECT id, key FROM entry_{n} WHERE source = ?", (source,)).fetchall()
            removed += entries.drop(c, n, [id for id, key in old if key not in keep])
            added += len(entries.put(c, n, file.drafts, model.fingerprint, source))
    done.files += len(files) - unchanged
    done.unchanged += unchanged
    done.entries += added
    done.removed += removed
