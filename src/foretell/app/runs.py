"""The pages of training runs: a list, each run with its curves, and what tells two apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from foretell.app.chart import Plot, plot
from foretell.app.door import check_key
from foretell.app.frame import shown
from foretell.app.masks import masks_of
from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.search.serve.call import Call

LOSSES = {
    "training": "in training",
    "loss": "the model, on fixed problems",
    "teacher": "one step ahead",
    "constant": "always the average",
    "copy": "a copy of what is near",
}
"""Lines of the chart of the loss -> their labels. `training` are the losses of the steps, the others are measured."""
TITLES = {
    "rankme": "RankMe: directions that the model uses",
    "knn": "kNN accuracy",
    "spread": "Spread: how much latents differ from picture to picture",
    "mrr": "MRR",
}

router = APIRouter()


@router.get("/runs")
async def every(
    request: Request,
    one: Annotated[str, Query(max_length=1000)] = "",
    other: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """List the runs; or tell two apart."""
    call, root = Call(request), _root(request)
    check_key(call)

    def run() -> dict[str, Any]:
        from foretell.train.runs import find_runs

        told = [{"name": each.path.relative_to(root).as_posix(), "run": each} for each in find_runs(root)]
        return {"runs": told} | (_apart(root, one, other) if one and other else {"differ": None, "charts": []})

    return shown(request, "runs", one=one, other=other, **await call.search(run))


@router.get("/runs/{name:path}")
async def page(
    request: Request, name: str, part: Annotated[bool, Query(description="the curves alone")] = False
) -> Response:
    """Show a run: its curves, its settings, and the verdict."""
    call, root = Call(request), _root(request)
    check_key(call)

    def run() -> dict[str, Any]:
        from foretell.train.runs import settings, summary
        from foretell.train.show import unlearned

        folder, config, lines = _read(root, name)
        monitors = [line["monitor"] for line in lines if "monitor" in line]
        return {
            "run": summary(folder),
            "charts": charts({"": lines}),
            "settings": {key: value for key, value in settings(config).items() if value is not None},
            "sentence": unlearned(monitors[-1]) if monitors else None,
            "measured": monitors[-1] if monitors else {},
            "masks": masks_of(config),
        }

    return shown(request, "curves" if part else "run", name=name, **await call.search(run))


def charts(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Sequence[Plot]:
    """The charts of one run, or of several beside each other.

    Args:
        runs: name -> the lines of its metrics.jsonl. One run has a chart of its loss beside the guesses that need no
            learning; several have one of their losses.
    """
    looks = {
        name: [(line["step"], line["monitor"]) for line in lines if "monitor" in line] for name, lines in runs.items()
    }
    steps = {name: [(line["step"], line["loss"]) for line in lines if "loss" in line] for name, lines in runs.items()}

    def measured(name: str, measure: str) -> Sequence[tuple[float, float]]:
        return [(step, values[measure]) for step, values in looks[name] if measure in values]

    if len(runs) == 1:
        (name,) = runs
        curves = {"training": (LOSSES["training"], steps[name])}
        curves |= {kind: (label, measured(name, kind)) for kind, label in LOSSES.items() if kind != "training"}
        drawn = [plot("Loss", curves)]
    else:
        drawn = [plot("Loss in training", {f"run{n}": (name, steps[name]) for n, name in enumerate(runs)})]
    names = dict.fromkeys(name for look in looks.values() for _, values in look for name in values)
    for measure in names:
        if measure not in LOSSES:
            of = {f"run{n}": (name or "this run", measured(name, measure)) for n, name in enumerate(runs)}
            drawn.append(plot(TITLES.get(measure, measure), of, marked=True))
    return [each for each in drawn if each is not None]


def _apart(root: Path, one: str, other: str) -> dict[str, Any]:
    """The settings in which two runs differ, and their curves."""
    from foretell.train.runs import differences

    read = {name: _read(root, name) for name in (one, other)}
    if len(read) == 1:
        raise Refused(400, "both runs are the same, expected two")
    differ = differences(*(folder for folder, _, _ in read.values()))
    return {"differ": differ, "charts": charts({name: lines for name, (_, _, lines) in read.items()})}


def _root(request: Request) -> Path:
    root: Path | None = request.app.state.runs
    if root is None:
        raise Refused(404, "no runs are shown here: start foretell serve with --runs DIR")
    return root


def _read(root: Path, name: str) -> tuple[Path, dict[str, Any], list[dict[str, Any]]]:
    """A run below the folder of all: its folder, configuration and lines of metrics. Raises Refused (404)."""
    from foretell.train.runs import read_run

    folder = root / name
    try:
        if ".." in Path(name).parts or Path(name).is_absolute() or not folder.is_dir():
            raise ForetellError("no run")
        return folder, *read_run(folder)
    except (ForetellError, ValueError):
        raise Refused(404, f"there is no run {name!r:.80}") from None
