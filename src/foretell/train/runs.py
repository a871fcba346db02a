"""Runs beside each other: what each is, how far it came, and what tells two apart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from foretell import hub
from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.hub.files import read_json
from foretell.method import Method
from foretell.train.loop import read
from foretell.train.show import unlearned

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEEP = 4
"""Folders below a folder of runs that are looked into."""
SHOWN = 12
"""Rows of a table of two curves."""
COLOURS = ("#00966e", "#d1495b")


@dataclass(frozen=True)
class RunSummary:
    """What a run's folder says."""

    path: Path
    method: str
    data: str
    step: int
    """The last one that it has measured."""
    steps: int
    """Those that it was asked for."""
    loss: float | None
    knn: float | None
    """The last kNN accuracy of its monitors; None without labels."""
    state: str
    """`finished`, `running` or `stopped`."""
    verdict: str
    """Whether its error is below that of guesses that need no learning; empty where nothing was measured."""

    def told(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self) | {"path": str(self.path)}


def find_runs(folder: Path) -> list[RunSummary]:
    """All runs in a folder and below, by their paths.

    Raises:
        ForetellError: there is no such folder.
    """
    if not folder.is_dir():
        raise ForetellError(f"{folder}: not found, expected a folder of runs")
    places = [folder, *(path for depth in range(1, DEEP + 1) for path in folder.glob("/".join("*" * depth)))]
    return [summary(path) for path in sorted(places) if _is_run(path)]


def summary(folder: Path) -> RunSummary:
    """What one run is, and how far it came.

    Raises:
        ForetellError: the folder holds no run.
    """
    config, lines = read_run(folder)
    losses = [line for line in lines if "loss" in line]
    monitors = [line["monitor"] for line in lines if "monitor" in line]
    finished = (folder / "model.safetensors").is_file()
    sentence = unlearned(monitors[-1]) if monitors else None
    verdict = ("no better than guessing" if sentence else "better than guessing") if monitors else ""
    return RunSummary(
        path=folder,
        method=str(config.get("method")),
        data=str(config.get("data", {}).get("spec", "")),
        step=max((line["step"] for line in lines), default=0),
        steps=int(config["train"].get("steps", 0)),
        loss=losses[-1]["loss"] if losses else None,
        knn=next((each["knn"] for each in reversed(monitors) if "knn" in each), None),
        state="running" if _held(folder) else "finished" if finished else "stopped",
        verdict=verdict,
    )


def differences(one: Path, other: Path) -> dict[str, tuple[Any, Any]]:
    """The settings in which two runs differ, by their dotted names; None where one has no such setting."""
    first, second = (settings(read_run(run)[0]) for run in (one, other))
    names = sorted(first.keys() | second.keys())
    return {name: (first.get(name), second.get(name)) for name in names if first.get(name) != second.get(name)}


def settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of a run that are choices, by their dotted names."""
    return _flat({name: value for name, value in config.items() if name not in _UNTOLD})


_UNTOLD = ("versions", "git", "source")


def curves(one: Path, other: Path) -> list[tuple[int, float | None, float | None]]:
    """The losses of two runs at some steps: (step, of the first, of the second), None where one has not come there."""
    first, second = (
        {line["step"]: line["loss"] for line in read_run(run)[1] if "loss" in line} for run in (one, other)
    )
    steps = sorted(first.keys() | second.keys())
    chosen = sorted({steps[round(n * (len(steps) - 1) / (SHOWN - 1))] for n in range(SHOWN)}) if steps else []
    return [(step, first.get(step), second.get(step)) for step in chosen]


def draw(one: Path, other: Path) -> Figure:
    """The losses of two runs, step by step; below them kNN, where both have measured it."""
    needed("matplotlib", "drawing")
    from matplotlib.figure import Figure

    runs = {run: read_run(run)[1] for run in (one, other)}
    knn = all(any("knn" in line.get("monitor", {}) for line in lines) for lines in runs.values())
    figure = Figure((8, 6 if knn else 3.5), layout="constrained")
    plots = figure.subplots(1 + knn, 1, squeeze=False)[:, 0]
    for (run, lines), colour in zip(runs.items(), COLOURS, strict=True):
        found = [(line["step"], line["loss"]) for line in lines if "loss" in line]
        plots[0].plot(*zip(*found, strict=True), color=colour, label=run.name)
        if knn:
            seen = [(line["step"], line["monitor"]["knn"]) for line in lines if "knn" in line.get("monitor", {})]
            plots[1].plot(*zip(*seen, strict=True), color=colour, marker=".")
            plots[1].set_ylabel("kNN accuracy")
    plots[0].set_ylabel("loss")
    plots[0].legend()
    plots[-1].set_xlabel("step")
    return figure


def card(model: Method, folder: Path) -> str:
    """The model card of a run: that of its model, with its data, its steps and its last measures."""
    config, lines = read_run(folder)
    told, train = summary(folder), config["train"]
    fingerprint = str(config.get("data", {}).get("fingerprint", ""))[:12]
    monitors = [line["monitor"] for line in lines if "monitor" in line]
    said = [
        f"- **Data**: `{told.data}` (fingerprint {fingerprint}).",
        f"- **Training**: {told.step:,} steps of {train['batch']} samples, seed {train['seed']}.",
        *([f"- **Loss**: {told.loss:.4f} at the end."] if told.loss is not None else []),
        *([f"- **Begun with**: `{config['init']}`."] if config.get("init") else []),
        *([f"- **Measured at the end**: {_spoken(monitors[-1])}; {told.verdict}."] if monitors else []),
    ]
    return hub.model_card(model, folder.name) + "\n## The run\n\n" + "\n".join(said) + "\n"


def _spoken(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


def _is_run(path: Path) -> bool:
    if not (path / "config.json").is_file():
        return False
    try:
        return isinstance(read_json(path / "config.json").get("train"), dict)
    except ForetellError:
        return False


def read_run(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A run's configuration, and the lines of its metrics."""
    if not _is_run(folder):
        raise ForetellError(f"{folder} holds no run, expected a folder that foretell train wrote")
    path = folder / "metrics.jsonl"
    return read_json(folder / "config.json"), read(path) if path.is_file() else []


def _held(folder: Path) -> bool:
    """Whether a process trains there."""
    if not (folder / ".lock").is_file():
        return False
    try:
        with filelock.FileLock(folder / ".lock", timeout=0):
            return False
    except filelock.Timeout:
        return True
    except (OSError, NotImplementedError):
        return False


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix.removesuffix("."): json.loads(json.dumps(value))}
    return {name: leaf for key, inner in value.items() for name, leaf in _flat(inner, f"{prefix}{key}.").items()}
