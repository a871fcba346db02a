"""Fair clocks on a machine that others use: one process, one thread, process time, contenders by turns, medians."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import process_time

import torch

SIDE = 1024  # of the square matrices whose product measures the processor


def interleaved(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds of process time a call, by contender: the median over rounds, in each of which all have a turn."""
    spent: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for run in contenders.values():
        run()
    for done in range(rounds):
        print(f"\rround {done + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        first = done % len(contenders)  # who goes before may leave the memory in another state
        for name in names[first:] + names[:first]:
            began = process_time()
            contenders[name]()
            spent[name].append(process_time() - began)
    print(file=sys.stderr)
    return {name: median(times) for name, times in spent.items()}


def product(dtype: torch.dtype) -> Callable[[], object]:
    """A contender that does nothing but multiply two square matrices: `SIDE`³ multiplications and additions."""
    a, b = torch.randn(2, SIDE, SIDE).to(dtype)
    return partial(torch.mm, a, b)


def available(builders: Mapping[str, Callable[[], Callable[[], object]]]) -> dict[str, Callable[[], object]]:
    """Build the contenders; say which cannot take part, and why."""
    built = {}
    for name, build in builders.items():
        try:
            with redirect_stdout(sys.stderr):  # some libraries have much to say
                built[name] = build()
        except ImportError as error:
            print(f"left out: {name} ({error})\n")
    return built


def table(head: list[str], rows: list[list[str]]) -> None:
    """Print Markdown."""
    for row in (head, ["---"] + ["---:"] * (len(head) - 1), *rows):
        print("| " + " | ".join(row) + " |")
    print()


def told(about: str | None) -> list[str]:
    """The words of the command line; with `--help` among them, print what a script is about, and end."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        sys.exit(print(about))
    return sys.argv[1:]


def one_thread() -> None:
    """Compute on one thread, and say on what."""
    torch.set_num_threads(1)
    print(f"{processor()}, one thread; Python {platform.python_version()}, torch {version('torch')}\n")


def processor() -> str:
    """The processor and what it can multiply in."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        about = dict(line.split(":", 1) for line in lines if ":" in line)
        name = next(about[key].strip() for key in about if key.strip() == "model name")
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    bf16 = "bf16" if torch.cpu._is_avx512_bf16_supported() else "no bf16"
    return f"{name} ({torch.backends.cpu.get_cpu_capability()}, {bf16})"
