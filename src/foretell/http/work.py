"""Threads that do what computes, so that the event loop only waits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from foretell.http.refusal import Refused

T = TypeVar("T")
FILES = 8  # that wait to be added


class Work:
    """Searches side by side, writes one after the other, and files one after the other beside them.

    Args:
        waiting: calls of a kind that wait for a thread; more are refused.
    """

    def __init__(self, waiting: int) -> None:
        self._searches = _Pool("search", max(4, os.cpu_count() or 1), waiting)
        self._writes = _Pool("write", 1, waiting)
        self._files = _Pool("files", 1, FILES)
        self._closed = False

    async def search(self, call: Callable[[], T], *, quick: bool = False) -> T:
        """The result of a call that reads; of a quick one without a thread, which takes some 0.3 ms to be woken.

        Raises:
            Refused: 503, too many wait.
        """
        return call() if quick else await self._searches.run(call)

    async def write(self, call: Callable[[], T]) -> T:
        """The result of a call that writes. Raises Refused (503) where too many wait."""
        return await self._writes.run(call)

    async def steps(self, make: Callable[[], Iterator[T]], refused: Callable[[], None]) -> AsyncIterator[T]:
        """What a long work tells meanwhile. Who stops asking interrupts it, at its next step.

        Args:
            make: begins the work.
            refused: is called where it is never begun.

        Raises:
            Refused: 503, too many wait.
        """
        loop, told = asyncio.get_running_loop(), asyncio.Queue[T | None]()
        begun = stopped = False

        def run() -> None:
            nonlocal begun
            begun = True
            for step in make():
                if stopped or self._closed:
                    return
                loop.call_soon_threadsafe(told.put_nowait, step)

        task = asyncio.ensure_future(self._files.run(run))

        def ended(_: asyncio.Future[None]) -> None:
            if not begun:
                refused()
            told.put_nowait(None)

        task.add_done_callback(ended)
        try:
            while (step := await told.get()) is not None:
                yield step
            await task
        finally:
            stopped = True

    def close(self) -> None:
        """Wait for what is at work; long work is interrupted."""
        self._closed = True
        for pool in (self._searches, self._writes, self._files):
            pool.close()


class _Pool:
    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._threads = ThreadPoolExecutor(threads, f"foretell-{name}")
        self._free = threads + waiting

    async def run(self, call: Callable[[], T]) -> T:
        if not self._free:
            raise Refused(503, "too many requests are waiting; try again", Retry_After="1")
        self._free -= 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, call)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)  # who leaves does not take the thread away

    def _done(self, future: asyncio.Future[T]) -> None:
        self._free += 1
        if not future.cancelled():
            future.exception()  # who left does not ask

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
