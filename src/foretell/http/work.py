"""Threads do the computing, so that the event loop stays free to answer. Work that nobody waits for stops."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from functools import partial
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from foretell.http.refusal import Refused
from foretell.stop import Stop, WorkStopped, check

T = TypeVar("T")
CORES = os.cpu_count() or 1
WAITING = 8
"""The number of long calls of one caller that may wait for a thread; four times as many of all callers."""
ENDING = 5.0
"""Seconds that running calls have to stop when the service ends."""
STOPPED = "the service was stopped before this was done; send it again"


class Pool:
    """Threads that take callers in turn, and a limit on the calls that wait for one.

    A call whose caller leaves is told to stop (`foretell.stop`), and its thread is free once it has.

    Args:
        name: of the threads.
        threads: how many there are.
        share: how many of them one caller may have at a time.
        waiting: how many calls may wait for a thread; more are refused.
        each: how many calls of one caller may wait.
    """

    def __init__(self, name: str, threads: int, share: int, waiting: int, each: int) -> None:
        self._threads = ThreadPoolExecutor(threads, f"foretell-{name}")
        self._free, self._share, self._waiting, self._each = threads, share, waiting, each
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()  # the next caller comes first
        self._working = Counter[str]()
        self._stops: dict[Stop, Future[Any]] = {}

    async def run(self, call: Callable[[], T], caller: str = "") -> T:
        """Run a call.

        Args:
            call: the call.
            caller: whose it is.

        Raises:
            Refused: 503, too many calls are waiting, or the service is stopped.
        """
        await self._turn(caller)
        stop = Stop()
        running: Future[T] = self._threads.submit(_during, stop, call)
        self._stops[stop] = running
        future = asyncio.wrap_future(running)
        future.add_done_callback(partial(self._done, stop, caller))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            stop.set()
            raise
        except WorkStopped:
            raise Refused(503, STOPPED) from None

    async def _turn(self, caller: str) -> None:
        """Wait until there is a thread, and take it."""
        if self._free and self._working[caller] < self._share:  # then no call waits that could run
            self._take(caller)
            return
        queue = self._queues.setdefault(caller, deque())
        if len(queue) >= self._each or sum(map(len, self._queues.values())) >= self._waiting:
            self._tidy(caller)
            raise Refused(503, "too many requests are waiting; try again", Retry_After="1")
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it got its thread in the same moment
                self._give(caller)
            else:
                queue.remove(turn)
                self._tidy(caller)
            raise

    def _take(self, caller: str) -> None:
        self._free -= 1
        self._working[caller] += 1

    def _give(self, caller: str) -> None:
        """Give a thread back, and hand it to the next caller that may have it."""
        self._free += 1
        self._working[caller] -= 1
        self._working += Counter()  # forgets those without work
        for other, queue in self._queues.items():
            if self._working[other] < self._share:
                queue.popleft().set_result(None)
                self._take(other)
                self._queues.move_to_end(other)
                self._tidy(other)
                return

    def _tidy(self, caller: str) -> None:
        if not self._queues.get(caller, True):
            del self._queues[caller]

    def _done(self, stop: Stop, caller: str, future: asyncio.Future[Any]) -> None:
        del self._stops[stop]
        self._give(caller)
        if not future.cancelled():
            future.exception()  # marks the error as seen: the client may have left

    def stop(self) -> list[Future[Any]]:
        """Tell the running calls to stop, and return them. Waiting calls never start."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for stop in list(self._stops):
            stop.set()
        return list(self._stops.values())


class Work:
    """The threads of a service.

    Searches run in parallel. Everything else takes its callers in turn, and no caller has all threads: writes, files
    that are added, passages that a reranker reads, and pictures that are decoded. No pool waits for another.

    Args:
        waiting: the number of searches that may wait for a thread, and of writes, half of them of one caller. More are
            refused.
        writers: how many writes may run at a time. They embed in parallel; a store writes them one by one.
    """

    def __init__(self, waiting: int, writers: int = max(4, CORES)) -> None:
        several = max(2, CORES // 2)
        long = {"waiting": 4 * WAITING, "each": WAITING}
        self._searches = Pool("search", max(4, CORES), max(4, CORES), waiting, waiting)
        self._writes = Pool("write", writers, max(1, writers // 2), waiting, max(1, waiting // 2))
        self.files = Pool("files", several, several // 2, **long)
        self.readers = Pool("rerank", several, several // 2, **long)
        self.pictures = Pool("picture", several, several // 2, **long)

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

    async def write(self, call: Callable[[], T], caller: str = "") -> T:
        """Run a call that writes for a caller. Raises Refused (503) if too many calls are waiting."""
        return await self._writes.run(call, caller)

    async def steps(
        self, make: Callable[[], Generator[T, None, None]], refused: Callable[[], None], caller: str = ""
    ) -> AsyncIterator[T]:
        """Add a file, and yield the steps as they happen.

        The call stops if the caller stops asking for steps, or if the service closes.

        Args:
            make: starts the call and returns its steps.
            refused: is called if the call never starts.
            caller: whose file it is.

        Raises:
            Refused: 503, too many calls are waiting.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue[T | None]()
        started = False

        def run() -> None:
            nonlocal started
            started = True
            with closing(make()) as made:
                for step in made:
                    check()
                    with suppress(RuntimeError):  # the loop is closed
                        loop.call_soon_threadsafe(queue.put_nowait, step)

        task = asyncio.ensure_future(self.files.run(run, caller))

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
            task.cancel()

    def close(self) -> bool:
        """Stop the running calls; waiting calls never start.

        Returns:
            Whether all calls ended within `ENDING` seconds.
        """
        pools = (self._searches, self._writes, self.files, self.readers, self.pictures)
        return not wait([call for pool in pools for call in pool.stop()], ENDING).not_done


async def unless_left(receive: Receive, work: Awaitable[T]) -> T:
    """The result of some work, which is cancelled when the client of the request leaves.

    Args:
        receive: of the request, whose body has been read.
        work: the work.

    Raises:
        ClientDisconnect: the client has left.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _during(stop: Stop, call: Callable[[], T]) -> T:
    with stop.during():
        return call()
