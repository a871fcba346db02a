"""Work that nobody waits for any more stops.

    stop = Stop()
    with stop.during():  # in the thread that works
        ...              # long loops call `check`, and child processes and queries are registered by `ending`
    stop.set()           # in another thread, when the caller has left

Outside of `during`, nothing here has an effect.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class WorkStopped(Exception):
    """The caller of this work has left. It is no error for a person, so it is no ForetellError."""


class Stop:
    """Tells work in another thread to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []
        self._set = False

    def set(self) -> None:
        """Stop the work: `check` raises from now on, and what is registered by `ending` is ended."""
        with self._lock:
            self._set = True
            for end in self._ends:
                end()

    @property
    def is_set(self) -> bool:
        """Whether the work was told to stop."""
        return self._set

    @contextmanager
    def during(self) -> Iterator[None]:
        """Make this the stop of the work inside, in this thread."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[Stop | None] = ContextVar("stop", default=None)


def check() -> None:
    """Raise WorkStopped if nobody waits for the present work."""
    stop = _current.get()
    if stop is not None and stop.is_set:
        raise WorkStopped


@contextmanager
def ending(end: Callable[[], None]) -> Iterator[None]:
    """Call `end`, from another thread, if the present work is told to stop while this is entered.

    Raises:
        WorkStopped: it was told so before.
    """
    stop = _current.get()
    if stop is None:
        yield
        return
    with stop._lock:
        if stop._set:
            raise WorkStopped
        stop._ends.append(end)
    try:
        yield
    finally:
        with stop._lock:  # after this, `end` is not called any more
            stop._ends.remove(end)
