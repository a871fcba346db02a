"""Write episodes as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import at_least, empty, parse


@dataclass(frozen=True)
class Episodes:
    """Write episodes of a world that is made here: videos, each with a table of states and actions beside it."""

    world: Annotated[Positional[Literal["pusher"]], arg(help="a table with a pusher", metavar="WORLD")]
    out: Annotated[Path, arg(help="folder for the videos and tables")]
    n: Annotated[int, arg(help="episodes")] = 16
    frames: Annotated[int, arg(help="frames of an episode, four a second")] = 16
    size: Annotated[int, arg(help="side of the picture in pixels; files show each four times as large")] = 64
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, n=1, frames=2, size=8)


def episodes(args: list[str]) -> None:
    """Write episodes to learn from: foretell episodes pusher --out DIR [--n N] [--frames T]."""
    from foretell.data.made import pusher_files

    flags = parse(Episodes, args, "episodes")
    empty(flags.out)
    written = pusher_files.write(flags.out, flags.n, flags.seed, frames=flags.frames, size=flags.size)
    print(f"{len(written)} files in {flags.out}: episode-0000.mp4 with episode-0000.csv beside it, and so on")
