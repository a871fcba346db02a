"""The process that parses files. Requests and passages are lines of JSON.

It limits its own memory, and the computing time of each file. So a harmful file ends this process and nothing else.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from foretell.extras import missing

from .block import Empty, Options, Unreadable

try:
    import resource
except ImportError:  # on Windows a process cannot limit itself
    resource = None

OUT_OF_MEMORY = 77  # this process's status


def main(memory: int) -> None:
    """Serve until standard input ends. memory: the most bytes of address space of this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interruptions
    with os.fdopen(os.dup(1), "w", encoding="ascii") as out:
        os.dup2(2, 1)  # the output of libraries must not mix with messages
        if resource:
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
            resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

        def send(kind: str, *values: Any) -> None:
            json.dump([kind, *values], out)
            out.write("\n")

        for line in sys.stdin:
            _serve(json.loads(line), send)
            out.flush()


def _serve(request: dict[str, Any], send: Callable[..., None]) -> None:
    if resource:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = math.ceil(used.ru_utime + used.ru_stime + request["seconds"])
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    try:
        read = import_module(f".{request['kind']}", __package__).passages
        options = Options(**request["options"])
        for passage in read(Path(request["path"]), options, partial(send, "part")):
            send("passage", passage.text, passage.page, passage.metadata)
        send("done")
    except Empty as error:
        send("empty", str(error))
    except Unreadable as error:
        send("unusable", str(error))
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # without another allocation
    except BrokenPipeError:
        os._exit(0)
    except ModuleNotFoundError as error:
        send("unusable", str(missing(error.name or "a package", "reading it")))
    except OSError as error:
        send("unusable", f"cannot be read ({error.strerror})")
    except Exception as error:  # parsers raise errors of any type
        send("unusable", f"its parser failed ({type(error).__name__}: {error})"[:500])
