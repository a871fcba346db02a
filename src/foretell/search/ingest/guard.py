"""Parse files in a child process. A file that crashes it, hangs or takes too much memory is reported in a sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import foretell
from foretell.search.passage import Passage

from .block import Empty, Options, Unreadable
from .child import OUT_OF_MEMORY
from .files import FoundFile, Unread


@dataclass(frozen=True)
class Limits:
    """What parsing a file may cost.

    Attributes:
        memory: bytes of address space of the process that parses.
        seconds: of computing for a file of any size.
        seconds_per_megabyte: further seconds for each megabyte. A file that needs more is taken for a bomb.
    """

    memory: int = 2 << 30
    seconds: float = 20.0
    seconds_per_megabyte: float = 20.0

    def of(self, size: int) -> float:
        """Seconds for a file of `size` bytes."""
        return self.seconds + self.seconds_per_megabyte * size / 1e6


class Parser:
    """A child process that parses one file after another. It is started again after a file has ended it.

    It is a context manager. It starts the child as a command of its own, without fork or multiprocessing, so that
    programs with threads and scripts without a main guard can use it.
    """

    def __init__(self, options: Options, limits: Limits) -> None:
        self._options, self._limits = options, limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Parser:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

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
        seconds = self._limits.of(size)
        path = os.path.abspath(file.path)
        request = {"path": path, "kind": file.kind, "seconds": seconds, "options": asdict(self._options)}
        process = self._process or self._start()
        self._process = None  # the child takes no other request before the file has been read to its end
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                kind, *values = json.loads(line)
                if kind == "passage":
                    yield Passage(values[0], values[1], metadata=values[2])
                elif kind == "part":
                    yield Unread(file.name, values[0])
                else:
                    self._process = process
                    if kind == "empty":
                        raise Empty(values[0])
                    if kind == "unusable":
                        raise Unreadable(values[0])
                    return
            raise Unreadable(self._death(process.wait(), seconds))
        except (BrokenPipeError, ValueError):  # it died before the request, or in the middle of a line
            raise Unreadable(self._death(process.wait(), seconds)) from None
        finally:
            if self._process is None:
                _end(process)

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: files of the current folder must not be imported as modules
        code = f"from foretell.search.ingest.child import main; main({self._limits.memory})"
        home = str(Path(foretell.__file__).parents[1])
        path = os.pathsep.join([home, *(entry for entry in sys.path if entry)])
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )

    def _stop(self) -> None:
        if self._process:
            _end(self._process)
            self._process = None

    def _death(self, status: int, seconds: float) -> str:
        memory = f"{self._limits.memory / 2**30:.3g} GiB of memory"
        if status == OUT_OF_MEMORY:
            return f"parsing it takes more than {memory}"
        if status < 0 and signal.Signals(-status).name == "SIGXCPU":
            return f"parsing it takes more than {seconds:.3g} s, too much for its size"
        if status < 0:
            return f"its parser crashed ({signal.Signals(-status).name}), as it does where {memory} are not enough"
        return f"its parser could not run (exit status {status})"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
