"""Parse files into passages, together with what could not be used of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from foretell.search.passage import Passage

from .block import Empty, Options, Unreadable
from .files import FoundFile, Unread, find
from .guard import Limits, Parser


@dataclass(frozen=True)
class ParsedFile:
    """A file's passages, and what could not be used of it."""

    passages: Sequence[Passage]
    unread: Sequence[str] = ()
    """Reasons why parts of the file could not be used. For a file without text: the reason why it has no passage."""
    failure: str | None = None
    """The reason why the file could not be read; None where it was read, at least in part."""


def parse(file: FoundFile, parser: Parser) -> ParsedFile:
    """Parse a file to its end."""
    passages: list[Passage] = []
    unread: list[str] = []
    try:
        for part in parts(file, parser):
            if isinstance(part, Passage):
                passages.append(part)
            else:
                unread.append(part.reason)
    except Empty as error:
        return ParsedFile(passages, [*unread, str(error)])
    except Unreadable as error:
        unread.append(str(error))
    if unread and not passages:
        return ParsedFile([], unread[:-1], unread[-1])
    return ParsedFile(passages, unread)


def parts(file: FoundFile, parser: Parser) -> Generator[Passage | Unread, None, None]:
    """A file's passages, and its parts that could not be used, as they come.

    Raises:
        Empty: the file was read, and contains no text.
        Unreadable: the rest of the file cannot be used.
    """
    passages = unread = 0
    try:
        for part in parser.parts(file):
            if isinstance(part, Passage):
                passages += 1
                yield replace(part, metadata={"source": file.name, **part.metadata})
            else:
                unread += 1
                yield part
    except Unreadable as error:
        kept = f"; {passages:,} passages before that are kept" if passages else ""
        raise type(error)(f"{error}{kept}") from None
    if not passages and not unread:
        raise Empty("no text in it")


class Reading:
    """An iterable of passages; each loop over it parses the files again.

    Attributes:
        files: the files that are read, in this order.
        skipped: every file, or part of one, that could not be used so far, with the reason.
    """

    def __init__(self, paths: Sequence[Path], options: Options, limits: Limits) -> None:
        files, self._others = find(paths)
        self.files: tuple[FoundFile, ...] = tuple(files)
        self.skipped: list[Unread] = list(self._others)
        self._options, self._limits = options, limits

    def __iter__(self) -> Iterator[Passage]:
        for _, passages in self.by_file():
            yield from passages

    def by_file(self) -> Iterator[tuple[FoundFile, Iterator[Passage]]]:
        """Each file with its passages. Passages that are not taken before the next file are not parsed."""
        self.skipped = list(self._others)
        with Parser(self._options, self._limits) as parser:
            for file in self.files:
                passages = self._passages(file, parser)
                yield file, passages
                passages.close()

    def _passages(self, file: FoundFile, parser: Parser) -> Generator[Passage, None, None]:
        found = parts(file, parser)
        try:
            for part in found:
                if isinstance(part, Passage):
                    yield part
                else:
                    self.skipped.append(part)
        except Unreadable as error:
            self.skipped.append(Unread(file.name, str(error)))
        finally:
            found.close()
