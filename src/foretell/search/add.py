"""Files into a knowledge: only what is new is read by the model, and a file is replaced as a whole or not at all."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.errors import ForetellError
from foretell.progress import bar
from foretell.search import entries, ingest
from foretell.search.entries import Draft
from foretell.search.ingest.files import find
from foretell.search.models.onnx import digest
from foretell.search.passage import Passage
from foretell.search.storage.protocol import Addition, Former

if TYPE_CHECKING:
    from foretell.search.knowledge import Knowledge
    from foretell.search.models.media import ImageModel
    from foretell.search.models.text import TextModel

BATCH = 256  # entries of small files that are written in one transaction
STEP = 16  # passages that are embedded between two steps
FORMER = "; its former entries are kept"
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
    """Files, or parts of them, that could not be used, with the reason."""


@dataclass(frozen=True)
class Step:
    """How far adding has come."""

    file: str
    """The one at work."""
    done: int
    """Files before it."""
    files: int
    """In all."""
    embedded: int
    """Of its passages."""
    passages: int

    @property
    def fraction(self) -> float:
        """Of everything, 0 to 1."""
        return (self.done + self.embedded / max(self.passages, 1)) / self.files


@dataclass(frozen=True)
class _File:
    """A file to be added, and how to read it."""

    path: Path
    read: Callable[[], tuple[Sequence[Passage], Iterator[tuple[int, Any]], str | None]]
    """Its passages; then, one at a time, the place of each and what the model is to see of it; and its damage.

    Raises ForetellError where it cannot be read; what was read and has nothing in it has no passage.
    """


def add(knowledge: Knowledge, paths: Sequence[Path], text: str | None, password: str | None, progress: bool) -> Added:
    """As `Knowledge.add`."""
    done = Added()
    with bar("adding" if progress else None, 1.0) as adding:
        for step in steps(knowledge, paths, done, text, password):
            adding.reach(step.fraction, f"adding {step.file}")
    return done


def steps(
    knowledge: Knowledge,
    paths: Sequence[Path],
    done: Added,
    text: str | None = None,
    password: str | None = None,
    base: Path | None = None,
) -> Iterator[Step]:
    """Add files as `Knowledge.add` does, telling how far it has come; `done` says what came of it, as of then.

    Who stops asking for steps interrupts it: the files that were done are kept.

    Args:
        knowledge: what they are added to.
        paths: files and folders.
        done: is changed as files are done.
        text: the column to search, of tables and records.
        password: opens encrypted PDF files.
        base: the folder below which a file's name says which file it is; None for wherever it lies. Uploads pass
            through a temporary folder, and the next one of that name is the same file.

    Raises:
        ForetellError: as `Knowledge.add`.
    """
    for path in paths:
        if not path.exists():
            raise ForetellError(f"{path} does not exist")
    model, before = knowledge.model, len(done.skipped)
    number, files = _pictures(model, paths, done) if model.kind != "text" else _documents(paths, text, password, done)
    if not number:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in done.skipped[before:])
        where = ", ".join(map(str, paths)) or "nothing"
        raise ForetellError(reasons or f"{where}: no file there is of a kind that can be added")
    waiting: list[Addition] = []
    with closing(files):
        for count, file in enumerate(files):
            yield (step := Step(str(file.path), count, number, 0, 0))
            hash = _hash(file.path, text)
            place = f"upload:{file.path.relative_to(base).as_posix()}" if base else str(file.path.resolve())
            if place.encode(errors="ignore").decode() != place:
                done.skipped.append((str(file.path), "its name is not UTF-8; rename it"))
                continue
            former = knowledge.collection.file(place, hash)
            if former.hash == hash:
                done.unchanged += 1
                continue
            if former.known:
                found = Addition(place, hash, _kind(file.path), [], set(), known=True)
            else:
                found = yield from _embedded(model, file, place, hash, former, step, done)
            if found:
                waiting.append(found)
            if sum(len(each.drafts) or 1 for each in waiting) >= BATCH:
                _write(knowledge, model, waiting, done)
                waiting.clear()
        _write(knowledge, model, waiting, done)


def _embedded(
    model: TextModel | ImageModel, file: _File, place: str, hash: str, former: Former, step: Step, done: Added
) -> Generator[Step, None, Addition | None]:
    """A file read and embedded, without its former entries; None, and why in `done`, where it cannot be.

    What was read and has nothing in it any more is a file without entries.
    """
    embed: Callable[[Sequence[Any]], np.ndarray] = model.passages
    vectors: dict[int, np.ndarray] = {}
    try:
        passages, things, damage = file.read()
        if damage:
            done.skipped.append((str(file.path), f"{damage}; these are kept"))
        keys = list(_keys(place, passages, "" if model.kind == "text" else hash))
        new = {i for i, key in enumerate(keys) if key not in former.keys}
        wanted = (thing for thing in things if thing[0] in new)
        more = bool(new)
        while more:
            yield replace(step, embedded=len(vectors), passages=len(new))
            some = list(islice(wanted, STEP))
            if some:
                vectors |= zip([i for i, _ in some], embed([thing for _, thing in some]), strict=True)
            more = len(some) == STEP
        drafts = [
            entries.checked(Draft(p.text, vectors[i], p.page, p.time, p.metadata, keys[i]))
            for i, p in enumerate(passages)
            if i in vectors
        ]
    except ForetellError as error:
        done.skipped.append(
            (str(file.path), f"{str(error).removeprefix(f'{file.path}: ')}{FORMER if former.hash else ''}")
        )
        return None
    if len(vectors) < len(new):
        from foretell.data.video import DAMAGED  # brings torch, which texts do not need

        kept = f"; kept {len(vectors):,} of {len(new):,} clips"
        done.skipped.append((str(file.path), f"{DAMAGED}{kept if vectors else FORMER if former.hash else ''}"))
        if not vectors:
            return None
    if not passages and not former.hash:
        return None
    return Addition(place, hash, _kind(file.path), drafts, former.keys & set(keys))


def _kind(path: Path) -> str:
    return KINDS.get(path.suffix.lower(), path.suffix[1:].upper() or "file")


def _documents(
    paths: Sequence[Path], text: str | None, password: str | None, done: Added
) -> tuple[int, Generator[_File, None, None]]:
    """Files that hold text, how many, and those that do not into the report."""
    reading = ingest.read(paths, text=text, password=password)
    done.skipped += reading.skipped

    def files() -> Generator[_File, None, None]:
        for file, passages in reading.by_file():
            known = len(reading.skipped)

            def read(
                path: Path = file.path, passages: Iterator[Passage] = passages, known: int = known
            ) -> tuple[Sequence[Passage], Iterator[tuple[int, str]], None]:
                read = list(passages)
                reasons = [reason for _, reason in reading.skipped[known:]]
                unread = None if read or path in reading.empty else reasons.pop()
                done.skipped.extend((str(path), reason) for reason in reasons)
                if unread:
                    raise ForetellError(unread)
                return read, enumerate(passage.text for passage in read), None

            yield _File(file.path, read)

    return len(reading.files), files()


def _pictures(model: ImageModel, paths: Sequence[Path], done: Added) -> tuple[int, Generator[_File, None, None]]:
    """Photographs and videos, how many, and what the model does not take into the report."""
    taken, others = find(paths, sorted(model.endings), f"{model.name} takes")
    done.skipped += others
    found = {file.path: file.name for file in taken}

    def files() -> Generator[_File, None, None]:
        for path, name in found.items():
            yield _File(path, partial(model.entries, path, name))

    return len(found), files()


def _hash(path: Path, text: str | None) -> str:
    """Of a file's content, and of which column of it is searched."""
    try:
        return digest(path) + (f" {text}" if text else "")
    except OSError:
        return ""  # its reader will say why


def _keys(place: str, passages: Iterable[Passage], salt: str) -> Iterator[str]:
    """A passage's key: of the file it is in, what it says and where, and which of several such it is."""
    seen = Counter[str]()
    for p in passages:
        what = repr((place, p.page, p.time, p.text, sorted(p.metadata.items()), salt))
        seen[what] += 1
        yield hashlib.blake2b(f"{what} {seen[what]}".encode(errors="replace"), digest_size=16).hexdigest()


def _write(knowledge: Knowledge, model: TextModel | ImageModel, files: Sequence[Addition], done: Added) -> None:
    """Several files, each as a whole."""
    if not files:
        return
    outcome = knowledge.collection.put_files(files, model.fingerprint)
    done.files += len(files) - outcome.unchanged
    done.unchanged += outcome.unchanged
    done.entries += outcome.entries
    done.removed += outcome.removed
