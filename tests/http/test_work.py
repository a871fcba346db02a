"""Threads, and the calls that wait for one."""

import asyncio
import threading
import time

import pytest
from starlette.requests import ClientDisconnect

from foretell.http import work as module
from foretell.http.refusal import Refused
from foretell.http.work import Pool, Work, unless_left
from foretell.stop import check


def run(use, waiting=4):
    """Run a coroutine with threads that are closed after it."""
    work = Work(waiting)
    try:
        return asyncio.run(use(work))
    finally:
        work.close()


def test_a_quick_call_needs_no_thread():
    async def use(work):
        here = threading.get_ident()
        assert await work.search(threading.get_ident, quick=True) == here
        assert await work.search(threading.get_ident) != here
        assert await work.write(threading.get_ident) != here

    run(use)


def test_calls_beyond_those_that_may_wait_are_refused():
    gate = threading.Event()

    async def use():
        work = Work(4, writers=1)
        calls = [asyncio.ensure_future(work.write(gate.wait)) for _ in range(3)]  # one runs, two wait
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="too many requests are waiting") as refused:
            await work.write(gate.wait)
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        assert await work.search(lambda: "other threads") == "other threads"
        gate.set()
        assert await asyncio.gather(*calls) == [True] * 3
        assert await work.write(lambda: "free again") == "free again"
        work.close()

    asyncio.run(use())


def test_long_writes_of_one_caller_stop_no_write_of_another():
    gate = threading.Event()

    async def use(work):
        long = [asyncio.ensure_future(work.write(gate.wait, "a")) for _ in range(4)]
        assert await asyncio.wait_for(work.write(lambda: "short", "b"), 10) == "short"
        assert not any(call.done() for call in long)
        gate.set()
        assert await asyncio.gather(*long) == [True] * 4

    run(use, waiting=8)


def test_one_writer_runs_calls_in_their_order():
    order = []

    async def use():
        work = Work(8, writers=1)
        await asyncio.gather(*(work.write(lambda i=i: order.append(i)) for i in range(4)))
        work.close()

    asyncio.run(use())
    assert order == [0, 1, 2, 3]


def test_steps_come_as_they_happen_and_end_with_the_error_of_the_call():
    def call():
        yield 1
        yield 2
        raise ValueError("the end")

    async def use(work):
        steps = work.steps(call, lambda: None)
        assert [await anext(steps), await anext(steps)] == [1, 2]
        with pytest.raises(ValueError, match="the end"):
            await anext(steps)

    run(use)


def test_a_caller_that_leaves_stops_a_long_call():
    stopped = threading.Event()

    def call():
        try:
            while True:
                yield "step"
                threading.Event().wait(0.001)
        finally:
            stopped.set()

    async def use(work):
        steps = work.steps(call, lambda: None)
        assert await anext(steps) == "step"
        await steps.aclose()
        assert await asyncio.to_thread(stopped.wait, 10)

    run(use)


def test_a_long_call_that_never_starts_is_told(monkeypatch):
    monkeypatch.setattr(module, "WAITING", 0)
    refused, gate = [], threading.Event()

    async def use(work):
        busy = asyncio.ensure_future(work.files.run(gate.wait, "me"))
        await asyncio.sleep(0)
        steps = work.steps(lambda: (i for i in [1]), lambda: refused.append(True), "me")
        with pytest.raises(Refused, match="too many requests are waiting"):
            await anext(steps)
        gate.set()
        await busy

    run(use)
    assert refused == [True]


def test_callers_take_turns_and_none_takes_all_threads(monkeypatch):
    taken, gate = [], threading.Event()

    async def use(work):
        pool = Pool("test", 2, 1, 10, 5)
        take = pool._take
        monkeypatch.setattr(pool, "_take", lambda caller: (taken.append(caller), take(caller)))
        greedy = [asyncio.ensure_future(pool.run(gate.wait, "a")) for _ in range(4)]
        await asyncio.sleep(0)
        others = [asyncio.ensure_future(pool.run(gate.wait, name)) for name in ("b", "c")]
        await asyncio.sleep(0)
        assert taken == ["a", "b"]  # the others of a wait, although b came later
        gate.set()
        await asyncio.gather(*greedy, *others)
        pool.stop()

    run(use)
    assert sorted(taken) == ["a"] * 4 + ["b", "c"]
    assert "c" in taken[2:4]


def test_a_caller_that_waits_for_too_much_is_refused_and_others_are_not():
    gate = threading.Event()

    async def use(work):
        pool = Pool("test", 1, 1, 10, 2)
        calls = [asyncio.ensure_future(pool.run(gate.wait, "a")) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="too many requests are waiting"):
            await pool.run(gate.wait, "a")
        calls.append(asyncio.ensure_future(pool.run(gate.wait, "b")))
        calls[1].cancel()
        await asyncio.sleep(0)
        gate.set()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert [each is True for each in done] == [True, False, True, True]
        assert not pool._queues
        pool.stop()

    run(use)


def test_a_call_whose_caller_leaves_is_told_to_stop():
    stopped = threading.Event()

    def call():
        try:
            while True:
                check()
                time.sleep(0.001)
        finally:
            stopped.set()

    async def use(work):
        gone = asyncio.Event()

        async def receive():
            await gone.wait()
            return {"type": "http.disconnect"}

        asyncio.get_running_loop().call_later(0.05, gone.set)
        with pytest.raises(ClientDisconnect):
            await unless_left(receive, work.search(call))
        assert await asyncio.to_thread(stopped.wait, 10)
        assert await unless_left(receive_nothing, work.search(lambda: "still here")) == "still here"

    async def receive_nothing():
        await asyncio.Event().wait()

    run(use)
