"""Forecast a procedure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from foretell.cli.flags import FIGURES, MODEL, Usage, at_least, output, parse
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.data import Procedures
    from foretell.data.procedures import ClipOf
    from foretell.forecast import Forecast, Strip
    from foretell.methods.vedit import VEDIT

DRAWN = 4
"""Futures in the picture, at most."""
SIDE, FRAMES = 96, 16
"""Pixels and frames of clips in the picture: encoders see smaller ones."""


@dataclass(frozen=True)
class Asked:
    """Forecast a procedure: the likeliest next steps, or those between here and a goal."""

    model: Annotated[Positional[str], arg(help=f"a trained VEDIT: {MODEL}", metavar="MODEL")]
    clips: Annotated[
        Positional[tuple[Path, ...]], arg(help="videos of the steps so far, in order", metavar="CLIP")
    ] = ()
    goal: Annotated[Path | None, arg(help="video of the step that it should lead to")] = None
    steps: Annotated[int, arg(help="how many steps come next, or lie between the last clip and the goal")] = 1
    samples: Annotated[int, arg(help="futures that are sampled")] = 8
    data: Annotated[
        str | None, arg(help="procedures, such as coin:FILE: one of them is forecast, in place of CLIPs")
    ] = None
    row: Annotated[int, arg(help="the procedure of --data")] = 0
    seen: Annotated[int, arg(help="how many of its steps were seen; with --to-goal, its last step is the goal")] = 1
    to_goal: Annotated[bool, arg(help="with --data: fill the steps up to the procedure's last")] = False
    bank: Annotated[str | None, arg(help="procedures whose clips the futures are compared with; --data by default")] = (
        None
    )
    json: Annotated[bool, arg(help="print JSON instead of lines")] = False
    out: Annotated[Path | None, arg(help="also draw the forecast here")] = None
    seed: int = 0

    def __post_init__(self) -> None:
        at_least(self, steps=1, samples=1, row=0, seen=1, seed=0)
        if bool(self.clips) == bool(self.data):
            raise Usage("forecast needs either CLIPs or --data: give the videos of the steps so far, or one procedure")
        if self.goal and self.data:
            raise Usage("--goal goes with CLIPs; with --data, --to-goal takes the procedure's last step")


def forecast(args: list[str]) -> None:
    """Forecast a procedure: foretell forecast MODEL CLIP... [--goal CLIP] [--steps T] [--out picture.png]."""
    from foretell import hub
    from foretell.forecast import forecast as ask
    from foretell.methods.vedit import VEDIT

    flags = parse(Asked, args, "forecast")
    output("--out", flags.out, FIGURES)
    model = hub.load(flags.model)
    if not isinstance(model, VEDIT):
        raise ForetellError(
            f"{flags.model} is of the kind {type(model).__name__}, expected a VEDIT: train one by foretell train vedit"
        )
    data = _load(flags.data, model)
    bank = _load(flags.bank, model) if flags.bank else data
    told = _row(flags, data, model) if data else _videos(flags, model)
    found = ask(model, told.seen, goal=told.goal, steps=told.steps, samples=flags.samples, bank=bank, seed=flags.seed)
    if flags.out:
        _draw(found, told, flags.out)
    print(json.dumps(found.numbers(), indent=2) if flags.json else _lines(found))


@dataclass(frozen=True)
class _Told:
    """What the model is told, and what is drawn of it."""

    seen: Any
    goal: Any
    steps: int
    strips: list[tuple[str, Path | ClipOf | None]]
    """Of what was seen: a title, and where its pixels are; None where nobody knows."""
    aim: tuple[str, Path | ClipOf | None] | None = None


def _load(spec: str | None, model: VEDIT) -> Procedures | None:
    """One set of procedures: its test split where it names splits."""
    from foretell.data import train_test

    return None if spec is None else train_test(spec, model.reads)[1]


def _row(flags: Asked, data: Procedures, model: VEDIT) -> _Told:
    """The first steps of one procedure."""
    if flags.row >= len(data):
        raise Usage(
            f"--row is {flags.row}, and the data has {len(data)} procedures to test on: give 0 to {len(data) - 1}"
        )
    batch = data.batch([flags.row])
    clips = model.whole(batch)
    latents, step = clips.latents[0], clips.labels["step"][0].tolist()
    if flags.seen > len(step):
        raise Usage(f"--seen is {flags.seen}, and procedure {flags.row} has {len(step)} steps")
    between = len(step) - flags.seen - 1
    if flags.to_goal and between < 1:
        raise Usage(
            f"--to-goal: nothing lies between step {flags.seen} of procedure {flags.row} and its last, {len(step)}"
        )
    strips: list[tuple[str, Path | ClipOf | None]] = [
        (data.steps[step[place]], data.clip(flags.row, place)) for place in range(len(step))
    ]
    goal, aim = (latents[-1], strips[-1]) if flags.to_goal else (None, None)
    return _Told(latents[: flags.seen], goal, between if flags.to_goal else flags.steps, strips[: flags.seen], aim)


def _videos(flags: Asked, model: VEDIT) -> _Told:
    """Videos of the steps so far, and of the goal."""
    import numpy as np
    import torch

    from foretell.data.clips import whole
    from foretell.methods.vedit import NO_ENCODER

    encoder = model.reads.encoder
    if encoder is None:
        raise ForetellError(NO_ENCODER)
    paths = [*flags.clips, *([flags.goal] if flags.goal else [])]
    pixels = [whole(path, encoder.size, encoder.frames) for path in paths]
    latents = model.encode(torch.from_numpy(np.stack(pixels)).transpose(1, 2))
    strips: list[tuple[str, Path | ClipOf | None]] = [(path.name, path) for path in paths]
    n = len(flags.clips)
    return _Told(
        latents[:n], latents[-1] if flags.goal else None, flags.steps, strips[:n], strips[-1] if flags.goal else None
    )


def _lines(found: Forecast) -> str:
    """What is printed for people."""
    lines = [f"seen: {', '.join(found.seen)}" + (f"; goal: {found.goal}" if found.goal else "")]
    if found.task:
        lines.append("task: " + ", ".join(f"{name} {p:.0%}" for name, p in found.task[:3]))
    for number, some in enumerate(found.steps, 1):
        lines.append(f"step {number}: " + ", ".join(f"{name} {p:.0%}" for name, p in some))
    for number, future in enumerate(found.nearest, 1):
        lines.append(f"future {number} is nearest to: " + " → ".join(each.label for each in future))
    return "\n".join(lines)


def _draw(found: Forecast, told: _Told, path: Path) -> None:
    from foretell.forecast import forecast_figure

    some = f", {DRAWN} are drawn" if found.nearest and len(found.futures) > DRAWN else ""
    note = f"{len(found.futures)} futures were sampled{some}; a bar is the mean probability over them"
    futures = [[_strip((each.label, each.clip)) for each in future] for future in found.nearest[:DRAWN]]
    goal = None if told.aim is None else _strip(told.aim)
    figure = forecast_figure([_strip(each) for each in told.strips], found.steps, futures, goal, note)
    figure.savefig(path)


def _strip(shown: tuple[str, Path | ClipOf | None]) -> Strip:
    """A clip with its pixels, where they can be had: `coin:FILE`, say, has no videos."""
    from foretell.data.clips import read, whole
    from foretell.forecast import Strip

    title, clip = shown
    try:
        if clip is None:
            return Strip(title, None)
        return Strip(title, whole(clip, SIDE, FRAMES) if isinstance(clip, Path) else read(clip, SIDE, FRAMES))
    except ForetellError:
        return Strip(title, None)
