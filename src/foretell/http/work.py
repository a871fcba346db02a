"""Threads do the computing, so that the event loop stays free to answer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from foretell.http.refusal import Refused

T = TypeVar("T")
FILES = 8
"""The number of files that may wait to be added."""


class Work:
    """Three pools of threads: searches run in parallel, writes run one by one, and files are added one by one.

    No pool waits for another.

    Args:
        waiting: the number of searches that may wait for a thread, and of writes. More are refused.
    """

    def __init__(self, waiting: int) -> None:
        self._searches = _Pool("search", max(4, os.cpu_count() or 1), waiting)
        self._writes = _Pool("write", 1, waiting)
        self._files = _Pool("files", 1, FILES)
        self._closed = False

    async def search(self, call: Callable[[], T], *, quick: bool = False) -> T:
        """Run a call that reads.

        Args:
            call: the call.
            quick: run it at once, without a thread. To wake a thread costs 0.2 to 0.4 ms.

        Returns:
            The result of the call.

        Raises:
            Refused: 503, too many calls are waiting.
        """
        return call() if quick else await self._searches.run(call)

    async def write(self, call: Callable[[], T]) -> T:
        """Run a call that writes, after all earlier ones. Raises Refused (503) if too many calls are waiting."""
        return await self._writes.run(call)

    async def steps(self, make: Callable[[], Iterator[T]], refused: Callable[[], None]) -> AsyncIterator[T]:
        """Run a long call, and yield its steps as they happen.

        The call stops at its next step if the caller stops asking for steps, or if the service closes.

        Args:
            make: starts the call and returns its steps.
            refused: is called if the call never starts.

        Raises:
            Refused: 503, too many calls are waiting.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[T | None]()
        started = stopped = False

        def run() -> None:
            nonlocal started
            started = True
            for step in make():
                if stopped or self._closed:
                    return
                loop.call_soon_threadsafe(queue.put_nowait, step)

        task = asyncio.ensure_future(self._files.run(run))

        def ended(_: asyncio.Future[None]) -> None:
            if not started:
                refused()
            queue.put_nowait(None)

        task.add_done_callback(ended)
        try:
            while (step := await queue.get()) is not None:
                yield step
            await task  # raises the error of the call, if there was one
        finally:
            stopped = True

    def close(self) -> None:
        """Wait for the running calls. A long call stops at its next step, and waiting calls never start."""
        self._closed = True
        for pool in (self._searches, self._writes, self._files):
            pool.close()


class _Pool:
    """Threads, and a limit on the calls that wait for one."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, f"foretell-{name}")
        self._free = threads + waiting

    async def run(self, call: Callable[[], T]) -> T:
        if not self._free:
            raise Refused(503, "too many requests are waiting; try again", Retry_After="1")
        self._free -= 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)  # a client that leaves does not cancel the call

    def _done(self, future: asyncio.Future[T]) -> None:
        self._free += 1
        if not future.cancelled():
            future.exception()  # marks the error as seen: the client may have left

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
