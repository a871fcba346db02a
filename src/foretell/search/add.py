"""Add files to a collection: only new passages are embedded, and a file is replaced as a whole or not at all."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.errors import ForetellError
from foretell.progress import bar
from foretell.search import entries
from foretell.search.entries import Draft
from foretell.search.ingest.block import Options
from foretell.search.ingest.files import FoundFile, find
from foretell.search.ingest.guard import Limits, Parser
from foretell.search.ingest.reading import parse
from foretell.search.models.onnx import digest
from foretell.search.passage import Passage
from foretell.search.storage.protocol import Addition, Collection, Former

if TYPE_CHECKING:
    from foretell.search.models.media import ImageModel
    from foretell.search.models.pictures import Through
    from foretell.search.models.text import TextModel

BATCH = 256  # entries of small files that are written in one transaction
STEP = 16  # passages that are embedded between two steps
FORMER = "; its former entries are kept"
KINDS = {".md": "Markdown", ".markdown": "Markdown", ".text": "TXT", ".jpg": "JPEG", ".htm": "HTML", ".tif": "TIFF"}


@dataclass
class Added:
    """The result of adding files."""

    files: int = 0
    """Files that were new or changed."""
    unchanged: int = 0
    """Files whose content was stored already."""
    entries: int = 0
    """New entries."""
    removed: int = 0
    """Entries that changed files no longer contain."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """Files, or parts of files, that could not be used, with the reason."""


@dataclass(frozen=True)
class AddProgress:
    """The progress of the work."""

    file: str
    """The file that is being added."""
    done: int
    """Files that are done."""
    files: int
    """All files."""
    embedded: int
    """Passages of this file that are embedded."""
    passages: int

    @property
    def fraction(self) -> float:
        """The share of all work that is done, 0 to 1."""
        return (self.done + self.embedded / max(self.passages, 1)) / self.files


@dataclass(frozen=True)
class Guard:
    """The limits on what files may cost. The defaults are for files of one's own."""

    documents: Limits = field(default_factory=Limits)
    pictures: Callable[[], AbstractContextManager[Through]] | None = None
    """Opens a process that decodes pictures and videos; None decodes them in this one."""
    nice: int = 0
    """How much the processes stand back for others."""


@dataclass(frozen=True)
class _Content:
    """The contents of a file."""

    passages: Sequence[Passage]
    seen: Iterator[tuple[int, Any, bytes | None]]
    """For each passage that can be embedded: its place in `passages`, the model's input, and a thumbnail."""
    unread: Sequence[str] = ()
    """Reasons why parts of the file could not be used."""
    failure: str | None = None
    """The reason why the file could not be read."""


def add(
    collection: Collection,
    model: TextModel | ImageModel,
    paths: Sequence[Path],
    text: str | None = None,
    password: str | None = None,
    *,
    progress: bool = False,
) -> Added:
    """Add files to a collection. Arguments and errors as of `steps`; `progress` shows a bar."""
    done = Added()
    with bar("adding" if progress else None, 1.0) as adding:
        for step in steps(collection, model, paths, done, text, password):
            adding.reach(step.fraction, f"adding {step.file}")
    return done


def steps(
    collection: Collection,
    model: TextModel | ImageModel,
    paths: Sequence[Path],
    done: Added,
    text: str | None = None,
    password: str | None = None,
    base: Path | None = None,
    guard: Guard | None = None,
) -> Iterator[AddProgress]:
    """Add files to a collection, and report how far it is. `done` counts the finished work.

    A caller that stops early interrupts the work. The files that are done stay.

    Args:
        collection: receives the entries.
        model: embeds the passages.
        paths: files and folders.
        done: is updated after each file.
        text: the column to search, of tables and records.
        password: opens encrypted PDF files.
        base: the folder that file names are relative to; None to know files by their whole path. An upload passes
            through a temporary folder, and the next upload with the same name is the same file.
        guard: the limits on what a file may cost; None for those of `Guard`.

    Raises:
        ForetellError: as `Knowledge.add`.
    """
    found = _found(model, paths, done)
    waiting: list[Addition] = []
    with _reader(model, text, password, guard or Guard()) as read:
        for count, file in enumerate(found):
            yield (step := AddProgress(str(file.path), count, len(found), 0, 0))
            hash = _hash(file.path, text)
            place = f"upload:{file.path.relative_to(base).as_posix()}" if base else str(file.path.resolve())
            if place.encode(errors="ignore").decode() != place:
                done.skipped.append((str(file.path), "its name is not UTF-8; rename it"))
                continue
            former = collection.file(place, hash)
            if former.hash == hash:
                done.unchanged += 1
                continue
            if former.known:
                addition = Addition(place, hash, _kind(file.path), [], set(), known=True)
            else:
                addition = yield from _embedded(model, partial(read, file), file.path, place, hash, former, step, done)
            if addition:
                waiting.append(addition)
            if sum(len(each.drafts) or 1 for each in waiting) >= BATCH:
                _write(collection, model, waiting, done)
                waiting.clear()
        _write(collection, model, waiting, done)


def _found(model: TextModel | ImageModel, paths: Sequence[Path], done: Added) -> Sequence[FoundFile]:
    """The files that the model can use. The others are reported in `done`. Raises ForetellError where there is none."""
    for path in paths:
        if not path.exists():
            raise ForetellError(f"{path} does not exist")
    if model.kind == "text":
        found, others = find(paths)
    else:
        found, others = find(paths, sorted(model.endings), f"{model.name} takes")
        found = list({file.path: file for file in found}.values())
    done.skipped += others
    if not found:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in others)
        where = ", ".join(map(str, paths)) or "nothing"
        raise ForetellError(reasons or f"{where}: no file of a kind that can be added")
    return found


@contextmanager
def _reader(
    model: TextModel | ImageModel, text: str | None, password: str | None, guard: Guard
) -> Iterator[Callable[[FoundFile], _Content]]:
    """A function that reads a file for the model. It may raise ForetellError, with the reason why it cannot."""
    if model.kind == "text":
        with Parser(Options(text, password), guard.documents, guard.nice) as parser:
            yield partial(_document, parser)
    elif guard.pictures is None:
        yield partial(_pictures, model, {})
    else:
        with guard.pictures() as through:
            yield partial(_pictures, model, {"through": through})


def _document(parser: Parser, file: FoundFile) -> _Content:
    parsed = parse(file, parser)
    texts = ((place, passage.text, None) for place, passage in enumerate(parsed.passages))
    return _Content(parsed.passages, texts, parsed.unread, parsed.failure)


def _pictures(model: ImageModel, how: dict[str, Through], file: FoundFile) -> _Content:
    passages, clips, damage = model.entries(file.path, file.name, **how)
    return _Content(passages, clips, [f"{damage}; these are kept"] if damage else [])


def _embedded(
    model: TextModel | ImageModel,
    read: Callable[[], _Content],
    path: Path,
    place: str,
    hash: str,
    former: Former,
    step: AddProgress,
    done: Added,
) -> Generator[AddProgress, None, Addition | None]:
    """Read a file, and embed the entries that are not stored yet. A file that was emptied gives no entries.

    Returns:
        The entries to write. None if the file cannot be used; then `done` contains the reason.
    """
    kept = FORMER if former.hash else ""
    embed: Callable[[Sequence[Any]], np.ndarray] = model.passages
    vectors: dict[int, np.ndarray] = {}
    small: dict[int, bytes | None] = {}
    try:
        content = read()
        passages = content.passages
        done.skipped += [(str(path), reason) for reason in content.unread]
        if content.failure:
            raise ForetellError(content.failure)
        keys = list(_keys(place, passages, "" if model.kind == "text" else hash))
        new = {i for i, key in enumerate(keys) if key not in former.keys}
        wanted = (each for each in content.seen if each[0] in new)
        more = bool(new)
        while more:
            yield replace(step, embedded=len(vectors), passages=len(new))
            some = list(islice(wanted, STEP))
            if some:
                vectors |= zip([i for i, *_ in some], embed([seen for _, seen, _ in some]), strict=True)
                small |= {i: thumbnail for i, _, thumbnail in some}
            more = len(some) == STEP
        drafts = [
            entries.checked(Draft(p.text, vectors[i], p.page, p.time, p.metadata, keys[i], small[i]))
            for i, p in enumerate(passages)
            if i in vectors
        ]
    except ForetellError as error:
        done.skipped.append((str(path), f"{str(error).removeprefix(f'{path}: ')}{kept}"))
        return None
    if len(vectors) < len(new) and model.kind != "text":
        share = f"; kept {len(vectors):,} of {len(new):,} clips" if vectors else kept
        done.skipped.append((str(path), f"{model.damaged}{share}"))
        if not vectors:
            return None
    if not passages and not former.hash:
        return None
    return Addition(place, hash, _kind(path), drafts, former.keys & set(keys))


def _kind(path: Path) -> str:
    return KINDS.get(path.suffix.lower(), path.suffix[1:].upper() or "file")


def _hash(path: Path, text: str | None) -> str:
    """The hash of a file's content and of the column that is searched."""
    try:
        return digest(path) + (f" {text}" if text else "")
    except OSError:
        return ""  # its reader reports the reason


def _keys(place: str, passages: Iterable[Passage], salt: str) -> Iterator[str]:
    """Each passage's key: a hash of its file, its text and its place. Equal passages of a file are numbered."""
    seen = Counter[str]()
    for p in passages:
        what = repr((place, p.page, p.time, p.text, sorted(p.metadata.items()), salt))
        seen[what] += 1
        yield hashlib.blake2b(f"{what} {seen[what]}".encode(errors="replace"), digest_size=16).hexdigest()


def _write(collection: Collection, model: TextModel | ImageModel, files: Sequence[Addition], done: Added) -> None:
    """Write several files, each as a whole."""
    if not files:
        return
    outcome = collection.put_files(files, model.fingerprint)
    done.files += len(files) - outcome.unchanged
    done.unchanged += outcome.unchanged
    done.entries += outcome.entries
    done.removed += outcome.removed
