"""Show a world model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from foretell.cli.flags import parse


@dataclass(frozen=True)
class Demo:
    """Train a small image world model on bundled photographs, measure it, and write a report that explains it."""

    out: Annotated[Path, arg(help="folder for the run and report.html")] = Path("demo")
    minutes: Annotated[float, arg(help="minutes of training")] = 2.0
    seed: int = 0
    device: str = "auto"


def demo(args: list[str]) -> None:
    """Train a small world model for two minutes, and write a report about it: foretell demo [--out demo]."""
    from foretell.demo import demo as show

    flags = parse(Demo, args, "demo")
    show(flags.out, flags.minutes, flags.seed, flags.device)
