"""Processes that call functions for this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell import stop
from foretell.errors import ForetellError

from .child import OUT_OF_MEMORY
from .wire import dumps, loads


class Ended(ForetellError):
    """A call ended its process: it took too much time or memory, or it crashed."""


@dataclass(frozen=True)
class Job:
    """What a worker is for.

    Attributes:
        name: in sentences, such as "parsing it".
        memory: bytes of address space that calls may take, beyond what their modules take.
        nice: how much the process stands back for others.
        threads: of numerical libraries; 0 for one for each core.
        short: calls are short, so one that nobody waits for is not ended. The process stays warm.
    """

    name: str
    memory: int = 2 << 30
    nice: int = 0
    threads: int = 0
    short: bool = False


class Worker:
    """A child process that runs one call after another. It starts at the first, and again after a call has ended it.

    It starts as a command of its own, without fork or multiprocessing, so that programs with threads and scripts
    without a main guard can use it. A context manager: at its end the process is ended.

    Args:
        job: what it is for.
    """

    def __init__(self, job: Job) -> None:
        self.job = job
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, function: str, seconds: float, /, **arguments: Any) -> Iterator[Any]:
        """The values that a function gives, as they come.

        Args:
            function: `package.module:function`, which returns an iterable.
            seconds: the most seconds of computing.
            arguments: of the function.

        Raises:
            ForetellError: the function raised one, or another error.
            Ended: the call ended its process.
            foretell.stop.WorkStopped: nobody waits for the present work any more.
        """
        process = self._process or self._start()
        self._process = None  # the child takes no other call before this one has been read to its end
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with nullcontext() if self.job.short else stop.ending(process.kill):
                try:
                    process.stdin.write(
                        dumps({"function": function, "seconds": seconds, "arguments": arguments}),
                    )
                    process.stdin.flush()
                    for line in process.stdout:
                        kind, value = loads(line)
                        if kind == "value":
                            yield value
                            continue
                        self._process = process
                        if kind == "failed":
                            raise ForetellError(value)
                        return
                except (BrokenPipeError, ValueError):  # it died before the call, or in the middle of a line
                    pass
                stop.check()
                raise Ended(self._end(process.wait(), seconds))
        finally:
            if self._process is None:
                _ended(process)

    def close(self) -> None:
        """End the process."""
        if self._process:
            _ended(self._process)
            self._process = None

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: files of the current folder must not be imported as modules
        code = f"from foretell.workers.child import main; main({self.job.memory}, {self.job.nice})"
        home = str(Path(__file__).parents[2])
        path = os.pathsep.join([home, *(entry for entry in sys.path if entry)])
        threads: Mapping[str, str] = {"OMP_NUM_THREADS": str(self.job.threads)} if self.job.threads else {}
        return subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **threads, "PYTHONPATH": path},
        )

    def _end(self, status: int, seconds: float) -> str:
        memory = f"{self.job.memory / 2**30:.3g} GiB of memory"
        if status == OUT_OF_MEMORY:
            return f"{self.job.name} takes more than {memory}"
        if status < 0 and signal.Signals(-status).name == "SIGXCPU":
            return f"{self.job.name} takes more than {seconds:.3g} s, too much for its size"
        if status < 0:
            return f"{self.job.name} crashed ({signal.Signals(-status).name}), as it does where {memory} are not enough"
        return f"{self.job.name} could not be done (exit status {status})"


class Workers:
    """Warm processes for one job. There are never more than were in use at the same time.

    Args:
        job: what they are for.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._idle: list[Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[Worker]:
        """A worker of one's own, for a while."""
        with self._lock:
            worker = self._idle.pop() if self._idle else Worker(self._job)
        try:
            yield worker
        finally:
            with self._lock:
                if self._closed:
                    worker.close()
                else:
                    self._idle.append(worker)

    def close(self) -> None:
        """End the idle processes, and each other one when it is given back."""
        with self._lock:
            self._closed = True
            for worker in self._idle:
                worker.close()


def _ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()
