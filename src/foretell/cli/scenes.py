"""Write scenes with physics as files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from foretell.cli.flags import Usage, at_least, empty, parse

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class Scenes:
    """Write scenes with physics as video files and film strips, with a record of every factor."""

    out: Annotated[Path, arg(help="folder for the videos, strips and records")]
    n: Annotated[int, arg(help="clips, or pairs (an even number)")] = 16
    pairs: Annotated[
        str | None,
        arg(
            help="pairs of possible and impossible clips: permanence, shape, colour, continuity, solidity, gravity, "
            "support, inertia, collision, or all"
        ),
    ] = None
    hidden: Annotated[bool, arg(help="pairs whose violation happens behind a screen")] = False
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


def scenes(args: list[str]) -> None:
    """Write scenes with physics to look at: foretell scenes --out DIR [--pairs PROPERTY] [--hidden] [--n N]."""
    from foretell.data.made.scenes import Variety, show

    flags = parse(Scenes, args, "scenes")
    empty(flags.out)
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
