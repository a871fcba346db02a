"""Write scenes with physics as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from foretell.cli.flags import Usage, at_least, empty, parse
from foretell.errors import SHARE, check_range


@dataclass(frozen=True)
class Scenes:
    """Write scenes with physics as video files and film strips, with a record of every factor; or procedures."""

    out: Annotated[Path, arg(help="folder for the videos, strips and records")]
    n: Annotated[int, arg(help="clips, pairs (an even number), or procedures")] = 16
    pairs: Annotated[
        str | None,
        arg(
            help="pairs of possible and impossible clips: permanence, shape, colour, continuity, solidity, gravity, "
            "support, inertia, collision, or all"
        ),
    ] = None
    hidden: Annotated[bool, arg(help="pairs whose violation happens behind a screen")] = False
    procedures: Annotated[
        bool, arg(help="procedures at a bench, a video each, their steps by themselves, and steps.csv with the labels")
    ] = False
    branching: Annotated[
        float | None, arg(help="procedures: how often a decision is left to chance, 0 to 1; 1 without it")
    ] = None
    size: Annotated[int, arg(help="side of the picture in pixels, 16 or more; files show each four times as large")] = (
        64
    )
    frames: Annotated[int, arg(help="frames of a clip of two seconds, 8 or more")] = 16
    background: Annotated[Literal["constant", "colours", "textures"], arg(help="walls and floors")] = "constant"
    textures: Annotated[bool, arg(help="bodies, blocks and screens with patterns")] = False
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, n=1, size=16, frames=8)
        if self.hidden and not self.pairs:
            raise Usage("--hidden is of pairs, and none are asked for: add --pairs PROPERTY, or leave --hidden out")
        if self.procedures and (self.pairs or self.textures or self.background != "constant"):
            raise Usage("--procedures takes no --pairs, --textures or --background: leave them out")
        if self.branching is not None and not self.procedures:
            raise Usage("--branching is of procedures, and none are asked for: add --procedures")
        check_range("--branching", self.branching, SHARE, Usage)


def scenes(args: list[str]) -> None:
    """Write scenes to look at: foretell scenes --out DIR [--pairs PROPERTY] [--hidden] [--procedures] [--n N]."""
    flags = parse(Scenes, args, "scenes")
    empty(flags.out)
    if flags.procedures:
        _procedures(flags)
        return
    from foretell.data.made.scenes import Variety, show

    written = show.write(
        flags.out,
        flags.n,
        flags.seed,
        property=flags.pairs,
        hidden=flags.hidden,
        size=flags.size,
        frames=flags.frames,
        variety=Variety(flags.background, flags.textures),
    )
    print(f"{len(written)} files in {flags.out}: {', '.join(path.name for path in written if path.suffix == '.png')}")
    if flags.pairs:
        print(f"foretell surprise --benchmark pairs --data {flags.out} measures a model at them")


def _procedures(flags: Scenes) -> None:
    from foretell.data.made.procedures import show

    branching = 1.0 if flags.branching is None else flags.branching
    written = show.write(flags.out, flags.n, flags.seed, branching=branching, size=flags.size, frames=flags.frames)
    print(f"{len(written)} files in {flags.out}: {flags.n} procedures, clips/, steps.csv, strips.png")
