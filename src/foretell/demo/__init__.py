"""Train a small world model, measure it beside a shipped one, and write a page that explains both.

    foretell demo --out demo

Read on in this order: small (the model and its training), findings (the measures), pictures and curves (the drawings),
    page (the report).
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from foretell import hub
from foretell.data import load
from foretell.demo.curves import trace
from foretell.demo.findings import find
from foretell.demo.page import render
from foretell.demo.pictures import draw
from foretell.demo.small import DATA, PIXELS, recipe
from foretell.errors import POSITIVE, ForetellError, check_range
from foretell.extras import needed
from foretell.hub.files import write_atomically, write_json
from foretell.progress import say
from foretell.train.loop import Stopped, read
from foretell.train.run import run
from foretell.train.world import enter

__all__ = ["demo"]

MARK = "made-by-foretell-demo.txt"
"""A file in every folder that a demo made. Only the contents of such folders are ever deleted."""


def demo(out: Path, minutes: float = 2.0, seed: int = 0, device: str = "auto") -> Path:
    """Train a small image world model on bundled photographs, measure it, and write a report that explains it all.

    Args:
        out: folder for `report.html`, `demo.json` (all its numbers) and `run` (the trained model). Absent, empty, or
            from a former demo; the run of that demo is deleted.
        minutes: length of the training; measuring takes about one more minute.
        seed: of the crops, the training and all random draws. The number of steps also depends on the machine's speed.
        device: the device to compute on.

    Returns:
        The report's path.

    Raises:
        ForetellError: `out` contains other files, no image world model ships with this installation, the training
            failed or was stopped, or a file cannot be written.
    """
    check_range("minutes", minutes, POSITIVE)
    needed("jinja2", "the demo's report")
    _make_room(out)
    place = enter(device).device
    name = _shipped()
    shipped = hub.load(name, place)

    say("1 of 3 · cutting photographs into crops")
    learn = load(DATA, PIXELS, seed=seed)
    held_out = load(DATA, shipped.context_encoder.config.image_size, split="test", seed=seed)
    config, train = recipe(shipped.config.augment, learn, 60 * minutes, seed, place)

    say(f"2 of 3 · training for about {minutes:g} min: {train.steps} steps of {train.batch} crops, on {place}")
    began = time.monotonic()
    try:
        run(config, train, DATA, out / "run", images=learn)
    except Stopped:
        raise ForetellError("the demo was stopped while it trained; the same command starts it again") from None
    seconds = time.monotonic() - began

    say(f"3 of 3 · measuring it beside {name}, on photographs that the training has not seen")
    fresh = hub.load(out / "run", place)
    tested = load(DATA, PIXELS, split="test", seed=seed)
    models = {"fresh": (fresh, tested), name: (shipped, held_out)}
    lines = read(out / "run" / "metrics.jsonl")
    found = find(models, lines, train, len(learn), seconds)
    write_json(out / "demo.json", found)
    report = out / "report.html"
    write_atomically(report, render(found, draw(models, seed), trace(lines), out))
    print(f"The report is {report}: open it in a browser.")
    return report


def _shipped() -> str:
    """The first image world model that comes with the package."""
    names = [name for name in hub.models() if "iwm" in name]
    if not names:
        raise ForetellError("no image world model came with this installation of foretell: install it again")
    return names[0]


def _make_room(out: Path) -> None:
    """Make the folder and mark it as a demo's. If it has a former demo, delete only its run."""
    try:
        if out.exists() and not (out / MARK).is_file() and (not out.is_dir() or any(out.iterdir())):
            raise ForetellError(f"{out} holds something that no demo made: choose another --out")
        if (out / "run").exists():
            shutil.rmtree(out / "run")
        out.mkdir(parents=True, exist_ok=True)
        (out / MARK).write_text("foretell demo made this folder. Run again, it deletes `run` and writes anew.\n")
    except OSError as error:
        raise ForetellError(f"{out}: cannot write here ({error.strerror or error})") from None
