"""Measure the surprise of a video model."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from foretell.cli.flags import FIGURES, MODEL, Usage, at_least, output, parse
from foretell.errors import Range, check_range

if TYPE_CHECKING:
    import torch


PACED = ("pairs", "intphys2")
"""Benchmarks whose videos are read at the model's pace, or at the one that is asked for."""


@dataclass(frozen=True)
class Surprise:
    """Measure the surprise of a video model at videos, or at pairs of possible and impossible clips (--benchmark)."""

    what: Annotated[
        Positional[tuple[str, ...]],
        arg(help=f"{MODEL}; then videos. Leave this out with --benchmark", metavar="MODEL VIDEO"),
    ] = ()
    plot: Annotated[Path | None, arg(help="draw the curves under film strips here (PNG)")] = None
    benchmark: Annotated[
        Literal["scenes", "pairs", "intphys", "grasp", "inflevel", "intphys2"] | None,
        arg(help="score pairs: made here (scenes), PROPERTY/possible|impossible/NAME, or a published set"),
    ] = None
    model: Annotated[str, arg(help="with --benchmark: the model to score")] = "vjepa-deep"
    pixels: Annotated[
        str | None,
        arg(help="with --benchmark: a model of video-pixels, as a baseline; by default MODEL-pixels if that ships"),
    ] = None
    data: Annotated[Path | None, arg(help="with --benchmark other than scenes: the folder")] = None
    skip: Annotated[
        int | None,
        arg(help="with a published set: read every Nth frame; by default 2, 10 and 5 as in the paper; intphys2: --fps"),
    ] = None
    fps: Annotated[
        float | None,
        arg(help="frames a second: videos are resampled to it, a folder of pictures has it; by default the model's"),
    ] = None
    pairs: Annotated[int, arg(help="with --benchmark scenes: pairs of each property")] = 100
    context: Annotated[
        tuple[int, ...],
        arg(help="frames seen of a window; by default 2 to 10 sixteenths of it, chosen among by --benchmark"),
    ] = ()
    stride: Annotated[int, arg(help="frames between two windows")] = 2
    targets: Annotated[
        Literal["window", "future"],
        arg(help="the target encoder sees the whole window, as in the paper, or only the part that is predicted"),
    ] = "window"
    json: Annotated[bool, arg(help="print JSON")] = False
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        at_least(self, skip=1, pairs=1, stride=1)
        check_range("--fps", self.fps, Range(0, 1000, above=True), Usage)
        if self.fps and self.benchmark not in (None, *PACED):
            raise Usage(f"--fps is for videos and for --benchmark {' or '.join(PACED)}: leave it out")
        if self.fps and self.skip:
            raise Usage("--fps and --skip are two ways to say one thing: leave one of them out")
        if self.skip and self.benchmark not in ("intphys", "grasp", "inflevel", "intphys2"):
            raise Usage("--skip needs a published set (--benchmark intphys, grasp, inflevel or intphys2): leave it out")
        if self.plot and self.benchmark:
            raise Usage("--plot draws curves of videos, and --benchmark scores pairs: leave one of them out")
        if self.data and self.benchmark in (None, "scenes"):
            raise Usage("--data is the folder of a benchmark other than scenes: leave it out")


def surprise(args: list[str]) -> None:
    """Measure surprise: foretell surprise MODEL VIDEO... [--plot out.png] | --benchmark scenes [--model NAME]."""
    from foretell.train.world import enter

    flags = parse(Surprise, args, "surprise")
    device = enter(flags.device).device
    if flags.benchmark:
        if flags.what:
            raise Usage(f"--benchmark takes no videos, found {flags.what[0]!r}; --model names the model")
        _benchmark(flags, flags.benchmark, device)
    elif len(flags.what) < 2:
        raise Usage("surprise needs a MODEL and a VIDEO (see foretell surprise --help)")
    else:
        _videos(flags, device)


def _videos(flags: Surprise, device: torch.device) -> None:
    """Surprise at each single video."""
    import torch

    from foretell import hub
    from foretell import surprise as measure
    from foretell.capabilities import Foresees, require
    from foretell.data.video import read_video
    from foretell.errors import ForetellError
    from foretell.progress import say

    name, *paths = flags.what
    output("--plot", flags.plot, FIGURES)
    model = hub.load(name, device)
    require(model, Foresees, "surprise")  # before videos are read
    found, wrong = {}, 0
    for path in paths:
        try:
            pixels, seconds = read_video(path, model.config.encoder.image_size, **_pace(flags, model))
            video = torch.from_numpy(pixels).transpose(0, 1)
            contexts = measure.measurable(model, video.shape[1], flags.context, path)
        except ForetellError as error:
            if len(paths) == 1:
                raise
            print(f"foretell: {error}", file=sys.stderr)
            wrong += 1
            continue
        asked: dict[str, Any] = {"contexts": contexts, "stride": flags.stride, "targets": flags.targets}
        found[path] = video, measure.surprise(model, video.unsqueeze(0), progress=f"Watching {path}", **asked), seconds
    if flags.plot and found:
        measure.draw(found).savefig(flags.plot, dpi=120)
        say(f"wrote {flags.plot}")
    report = {path: measure.told(one, seconds) for path, (_, one, seconds) in found.items()}
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        for (path, one), (*_, seconds) in zip(report.items(), found.values(), strict=True):
            windows = f"mean {one['mean']:.3f}, {one['largest']:.3f} in the most surprising window"
            when = f"frame {one['peak']}, {seconds[one['peak']]:.2f} s"
            print(f"{path}: {windows}; the curve over frames peaks at {when}")
    if wrong:
        raise ForetellError(f"{wrong} of {len(paths)} videos could not be measured")


def _pace(flags: Surprise, model: Any) -> dict[str, Any]:
    """The pace of videos: the model's, or the one that was asked for."""
    return {"fps": flags.fps, "stride": 1} if flags.fps else model.config.reads.pace


def _benchmark(flags: Surprise, name: str, device: torch.device) -> None:
    """Surprise at pairs."""
    from rich.console import Console

    from foretell import hub
    from foretell import surprise as measure
    from foretell.capabilities import Foresees, require

    model = hub.load(flags.model, device)
    control = flags.pixels or (f"{flags.model}-pixels" if f"{flags.model}-pixels" in hub.models() else None)
    pixels = hub.load(control, device) if control else None
    for one in (model, pixels) if pixels else (model,):
        require(one, Foresees, "surprise")  # before clips are read or made
    options: dict[str, Any] = {
        "pixels": pixels,
        "contexts": flags.context or None,
        "stride": flags.stride,
        "targets": flags.targets,
        "seed": flags.seed,
        "progress": "Measuring surprise",
    }
    if name == "scenes":
        report = measure.on_scenes(model, flags.pairs, **options)
    else:
        if flags.data is None:
            raise Usage(f"--benchmark {name} needs --data, the folder of its clips")
        if name in PACED:
            pace = {"stride": flags.skip} if flags.skip else _pace(flags, model)
        else:
            pace = {"skip": flags.skip} if flags.skip else {}
        e = model.config.encoder
        test = measure.LAYOUTS[name](flags.data, e.image_size, **pace)
        validation = measure.scenes(20, 2 * flags.seed, e.image_size, e.frames)
        report = measure.benchmark(model, test, validation, **options)
    if flags.json:
        print(json.dumps(report, indent=2))
    else:
        Console().print(measure.table(report))
