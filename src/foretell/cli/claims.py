"""Repeat the papers' findings at a small scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.flags import DATA, Usage, at_least, parse


@dataclass(frozen=True)
class Claims:
    """List the papers' findings and whether they hold here, or show one."""

    name: Annotated[Positional[str | None], arg(help="show this one with all its numbers", metavar="[NAME]")] = None


@dataclass(frozen=True)
class RunClaims:
    """Repeat findings: train the models that they compare, measure them, and say whether the findings hold."""

    names: Annotated[Positional[tuple[str, ...]], arg(help="claims to run, or `all`", metavar="NAME")]
    data: Annotated[str | None, arg(help=f"labelled images, for all claims but V-JEPA's: {DATA}")] = None
    other: Annotated[str | None, arg(help="another labelled data set, for claims about transfer or two tasks")] = None
    out: Annotated[
        Path, arg(help="folder for trainings and results; the same folder continues a run, and processes share it")
    ] = Path("runs/claims")
    seeds: Annotated[int, arg(help="trainings of each arm; their spread gives the intervals")] = 3
    add: Annotated[bool, arg(help="take the recorded seeds, and train only the missing ones")] = False

    def __post_init__(self) -> None:
        at_least(self, seeds=1)


def claims(args: list[str]) -> None:
    """Repeat the papers' findings: foretell claims [NAME] | foretell claims run NAME... --data DATA [--seeds N]."""
    from rich.console import Console
    from rich.markdown import Markdown

    from foretell.claims import CLAIMS, Claim, Data, details, overview, recorded, run
    from foretell.data import train_test

    def find(name: str) -> Claim:
        if name not in CLAIMS:
            raise Usage(f"{name!r} is not a claim; there are {', '.join(CLAIMS)}")
        return CLAIMS[name]

    def show(text: str) -> None:
        Console().print(Markdown(text))

    if args[:1] != ["run"]:
        name = parse(Claims, args, "claims").name
        show(details(find(name), recorded(find(name))) if name else overview(CLAIMS.values()))
        return
    flags = parse(RunClaims, args[1:], "claims run")

    chosen = [find(name) for name in (CLAIMS if flags.names == ("all",) else flags.names)]
    if asking := [claim.name for claim in chosen if not (claim.data or flags.data)]:
        raise Usage(f"{asking[0]} needs labelled images: name them by --data")

    @lru_cache
    def data(reads: Any, spec: str | None) -> Data[Any]:
        others = train_test(flags.other, reads) if flags.other and not spec else None
        train, test = train_test(spec or flags.data or "", reads)
        return Data(train, test, Data(*others) if others else None)

    for claim in chosen:
        show(details(claim, run(claim, data, flags.out, range(flags.seeds), add=flags.add)))
