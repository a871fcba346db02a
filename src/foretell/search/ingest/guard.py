"""Parse files in a child process. A file that crashes it, hangs or takes too much memory is reported in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from foretell.errors import ForetellError
from foretell.search.passage import Passage
from foretell.workers.worker import Job, Worker

from .block import Empty, Options, Unreadable
from .files import FoundFile, Unread


@dataclass(frozen=True)
class Limits:
    """What parsing a file may cost.

    Attributes:
        memory: bytes of address space of the process that parses.
        seconds: of computing for a file of any size.
        seconds_per_megabyte: further seconds for each megabyte. A file that needs more is taken for a bomb.
        most_seconds: the most seconds of computing for a file, however large it is.
    """

    memory: int = 2 << 30
    seconds: float = 20.0
    seconds_per_megabyte: float = 20.0
    most_seconds: float = 600.0

    def of(self, size: int) -> float:
        """Seconds for a file of `size` bytes."""
        return min(self.seconds + self.seconds_per_megabyte * size / 1e6, self.most_seconds)


class Parser:
    """A child process that parses one file after another. It is started again after a file has ended it.

    It is a context manager.
    """

    def __init__(self, options: Options, limits: Limits, nice: int = 0) -> None:
        self._options, self._limits = options, limits
        self._worker = Worker(Job("parsing it", limits.memory, nice))

    def __enter__(self) -> Parser:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.close()

    def parts(self, file: FoundFile) -> Iterator[Passage | Unread]:
        """The passages of a file, and its parts that could not be used, as they come.

        Raises:
            Empty: the file contains no text.
            Unreadable: nothing more of the file can be used; the message is the reason.
        """
        try:
            size = file.path.stat().st_size
        except OSError as error:
            raise Unreadable(f"cannot be read ({error.strerror})") from None
        if not size:
            raise Empty("empty file")
        path, options = os.path.abspath(file.path), asdict(self._options)
        function = "foretell.search.ingest.child:parse"
        try:
            for kind, *values in self._worker.call(
                function, self._limits.of(size), path=path, kind=file.kind, options=options
            ):
                if kind == "passage":
                    yield Passage(values[0], values[1], metadata=values[2])
                elif kind == "part":
                    yield Unread(file.name, values[0])
                elif kind == "empty":
                    raise Empty(values[0])
                else:
                    raise Unreadable(values[0])
        except ForetellError as error:
            raise Unreadable(str(error)) from None
