"""The passages of many files, and the report of what could not be used."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from foretell.search.passage import Passage

from .block import Empty, Options, Unusable
from .files import File, Skipped, find
from .guard import Limits, Parser


class Reading:
    """An iterable of passages; each loop over it parses the files again.

    files: what will be read, in this order.
    skipped: every file, or part of one, that could not be used so far, with the reason.
    empty: those of the files so far that were read and have no text in them.
    """

    def __init__(self, paths: Sequence[Path], options: Options, limits: Limits) -> None:
        files, self._other = find(paths)
        self.files: tuple[File, ...] = tuple(files)
        self.skipped: list[Skipped] = list(self._other)
        self.empty: set[Path] = set()
        self._options, self._limits = options, limits

    def __iter__(self) -> Iterator[Passage]:
        for _, passages in self.by_file():
            yield from passages

    def by_file(self) -> Iterator[tuple[File, Iterator[Passage]]]:
        """Each file with its passages. Passages that are not taken before the next file are not parsed."""
        self.skipped, self.empty = list(self._other), set()
        with Parser(self._options, self._limits) as parser:
            for file in self.files:
                passages = self._of(file, parser)
                yield file, passages
                passages.close()

    def _of(self, file: File, parser: Parser) -> Generator[Passage, None, None]:
        count, parts = 0, len(self.skipped)
        try:
            for passage in parser.passages(file, lambda reason: self.skipped.append(Skipped(file.name, reason))):
                count += 1
                yield replace(passage, metadata={"source": file.name, **passage.metadata})
            if not count and len(self.skipped) == parts:
                raise Empty("no text in it")
        except Unusable as error:
            so_far = f"; {count:,} passages before that are kept" if count else ""
            self.skipped.append(Skipped(file.name, f"{error}{so_far}"))
            if isinstance(error, Empty):
                self.empty.add(file.path)
