"""Threads, and the calls that wait for one."""

import asyncio
import threading

import pytest

from foretell.http import work as module
from foretell.http.refusal import Refused
from foretell.http.work import Work


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

    async def use(work):
        calls = [asyncio.ensure_future(work.write(gate.wait)) for _ in range(3)]  # one runs, two wait
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="too many requests are waiting") as refused:
            await work.write(gate.wait)
        assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        assert await work.search(lambda: "other threads") == "other threads"
        gate.set()
        assert await asyncio.gather(*calls) == [True] * 3
        assert await work.write(lambda: "free again") == "free again"

    run(use, waiting=2)


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
    monkeypatch.setattr(module, "FILES", -1)
    refused = []

    async def use(work):
        steps = work.steps(lambda: iter([1]), lambda: refused.append(True))
        with pytest.raises(Refused, match="too many requests are waiting"):
            await anext(steps)

    run(use)
    assert refused == [True]
