"""The process of a worker. It calls functions that give values one by one.

It limits its own memory, and the computing time of each call.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from importlib import import_module
from typing import Any

from foretell.errors import ForetellError
from foretell.extras import missing

from .wire import dumps, loads

try:
    import resource
except ImportError:  # on Windows a process cannot limit itself
    resource = None

OUT_OF_MEMORY = 77  # this process's status


def main(memory: int, nice: int) -> None:
    """Serve until standard input ends.

    Args:
        memory: bytes of address space that the calls may take, beyond what their modules take.
        nice: how much this process stands back for others.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interruptions
    if nice and hasattr(os, "nice"):
        os.nice(nice)
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # the output of libraries must not mix with messages

        def send(kind: str, value: Any = None) -> None:
            out.write(dumps([kind, value]))

        for line in sys.stdin.buffer:
            request = loads(line)
            send(*_served(request, memory, send))
            out.flush()


def _served(request: dict[str, Any], memory: int, send: Any) -> tuple[str, Any]:
    """Serve a request; returns its last message."""
    try:
        module, _, name = request["function"].partition(":")
        function = getattr(import_module(module), name)
        _limit(memory, request["seconds"])
        for value in function(**request["arguments"]):
            send("value", value)
        return "end", None
    except ForetellError as error:
        return "failed", str(error)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # without another allocation
    except BrokenPipeError:
        os._exit(0)
    except ModuleNotFoundError as error:
        return "failed", str(missing(error.name or "a package", "this"))
    except Exception as error:  # libraries raise errors of any type on bad files
        return "failed", f"it failed ({type(error).__name__}: {error})"[:500]


def _limit(memory: int, seconds: float) -> None:
    global _limited
    if not resource:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(used.ru_utime + used.ru_stime + seconds))
    if not _limited:  # after the modules of the first call are loaded: torch alone maps 3 GB
        _lower(resource.RLIMIT_AS, memory + _mapped())
        _lower(resource.RLIMIT_CORE, 0)
        _limited = True


_limited = False


def _lower(limit: int, value: int) -> None:
    """Set a soft limit; it may be raised again for the next call."""
    assert resource
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _mapped() -> int:
    """Bytes of address space of this process; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
