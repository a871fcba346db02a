"""All measures of a model in one report: plain numbers for JSON, and a table for people. Images here may be clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from rich.table import Table

from foretell.capabilities import EncodesPatches, able, require
from foretell.data import Pictures, Videos
from foretell.errors import ForetellError
from foretell.evaluate.controls import compare
from foretell.evaluate.encode import Device
from foretell.evaluate.measure import Line, Measure
from foretell.evaluate.measures import MEASURES
from foretell.evaluate.subject import Subject, labels_of
from foretell.evaluate.verdict import verdict
from foretell.method import Method, parameters

LATENT_BYTES = 2 * 2**30
"""Memory for the patch latents of each data set. From a larger set the attentive probe takes a random part."""
CONTROLS = {"untrained": "untrained", "pixels": "raw pixels"}
"""The controls of a model, and their names in the table."""


def evaluate(
    model: Method,
    train: Pictures,
    test: Pictures,
    *,
    measures: Sequence[Measure] = MEASURES,
    controls: bool = True,
    seed: int = 0,
    device: Device = None,
    trained_on: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure a frozen model in every way that applies to it.

    Args:
        model: any method; it is left as it was, on its device and in its mode.
        train: the data that probes learn from; RankMe and LiDAR use it, too.
        test: the data that probes and predictions are tested on.
        measures: the measures to run; `foretell.evaluate.chosen` makes a list with other settings or further measures.
        controls: also measure the same network untrained, and raw pixels. It takes one to three times as long again.
        seed: everything drawn comes from it: the same seed, machine and device give the same report.
        device: the device to compute on; None for the model's.
        trained_on: fingerprint of the data that the model learned from, see `foretell.hub.trained_on`.
        progress: show progress bars.

    Returns:
        Plain numbers, ready for JSON. A measure that does not apply is None.

        - `linear`, `mlp`, `attentive`, `knn`: {`value`, `low`, `high`, `chance`}, the accuracy in [0, 1], its 95 %
            interval (Wilson), and what naming the commonest class would score. Beside them `untrained` (the same
            network with fresh weights) and, for images, `pixels`, see `foretell.evaluate.controls.compare`.
        - `rankme`, `lidar`: {`value`, `of`}, and the most it can be: the width, unless there are fewer images.
        - `sparsity`: {`zeros`, `half`, `dead`} of the features of `test`, see `sparsity`.
        - `mrr`: see `mrr`.
        - `retrieval`, `zero_shot`, `composition`, `spectrum`: of models that know words, see their files in
            `foretell.evaluate.measures`.
        - `left_out`: why a measure does not apply, by its name.
        - `verdict`: {`learned`, `text`}: whether there is more in the features than in those of the untrained network;
            None without controls or without labels.
        - `data`: what is counted (`of`: images or clips), their numbers in `train` and `test`, `classes`, and the
          number of `skipped` files. `seen` says whether the model was trained on the test images (without labels);
          None without `trained_on`.
        - `model`: `method`, `width`, and the parameters of what was trained: one `encoder`, the `predictor`.

    Raises:
        ForetellError: fewer than two images to learn from or none to test on, a test class that `train` lacks, or
            latents that are not finite.
    """
    if len(train) < 2 or not len(test):
        raise ForetellError(
            f"found {len(train)} {_of(train)} to learn from and {len(test)} to test on, expected two or more, and one "
            "or more"
        )
    labels = labels_of(train, test)
    device = next(model.parameters()).device if device is None else torch.device(device)
    keep = 0 if labels is None else latents_kept(model, train, measures)
    subject = Subject(model, train, test, labels, device, seed, keep, progress)

    lacking = {measure.name: measure.lacks(subject) for measure in measures}
    applying = [measure for measure in measures if lacking[measure.name] is None]
    results = {measure.name: measure.run(subject) for measure in applying}
    width = subject.learn.features.shape[1]
    subject = subject.forgotten()  # the controls need the memory
    against = compare(subject, applying, results) if controls else {}
    found = {name: result.numbers | against.get(name, {}) for name, result in results.items()}
    return {
        **{measure.name: found.get(measure.name) for measure in measures},
        "left_out": {name: reason for name, reason in lacking.items() if reason},
        "verdict": verdict(found, applying),
        "data": _data(train, test, trained_on),
        "model": {"method": type(model).__name__, "width": width}
        | {name: parameters(module) for name, module in model.trained().items()},
    }


def _of(data: Pictures) -> str:
    """What is counted: of a video only some clips are taken."""
    return "clips" if isinstance(data, Videos) else "images"


def _data(train: Pictures, test: Pictures, trained_on: str | None) -> dict[str, Any]:
    """What a model was measured on."""
    return {
        "of": _of(train),
        "train": len(train),
        "test": len(test),
        "classes": len(train.classes),
        "skipped": len({*train.skipped, *test.skipped}),
        "seen": None if trained_on is None else trained_on in (test.fingerprint, test.whole),
    }


def latents_kept(model: Method, images: Pictures, measures: Sequence[Measure]) -> int:
    """The number of images whose patch latents fit into memory; 0 if no measure takes any or the model has none."""
    if not able(model, EncodesPatches) or not any(EncodesPatches in measure.needs for measure in measures):
        return 0
    encoder = require(model, EncodesPatches, "the attentive probe").patch_encoder
    return LATENT_BYTES // (2 * prod(encoder.grid(images.take([0]))) * encoder.width)


def table(report: dict[str, Any], measures: Sequence[Measure] = MEASURES) -> Table:
    """A report of `evaluate` for people: each value, its interval, chance, and what learned nothing."""
    lines = {measure: measure.lines(report[measure.name]) for measure in measures if report.get(measure.name)}
    every = [line for some in lines.values() for line in some]
    controls = {name: text for name, text in CONTROLS.items() if any(name in (line.numbers or {}) for line in every)}
    made = Table(title=_title(report), caption=_caption(report, measures))
    made.add_column("measure")
    for heading in ("value", "95 % interval", "chance", *controls.values()):
        made.add_column(heading, justify="right")
    section = None
    for measure, some in lines.items():
        if measure.section != section:
            made.add_section()
            section = measure.section
        for line in some:
            if line.numbers is None:
                made.add_section()
            made.add_row(line.title, *_cells(line, list(controls)))
    return made


def _cells(line: Line, controls: Sequence[str]) -> list[str]:
    """The columns after a line's title."""
    numbers = line.numbers
    if numbers is None:
        return []

    def written(found: Any) -> str:
        return "" if found is None else line.form.format(found)

    value = written(numbers["value"]) + (f" of {numbers['of']}" if "of" in numbers else "")
    interval = f"{written(numbers['low'])} – {written(numbers['high'])}" if "low" in numbers else ""
    others = [numbers.get(name, {}).get("value") for name in controls]
    return [value, interval, written(numbers.get("chance")), *map(written, others)]


def _title(report: dict[str, Any]) -> str:
    model = report["model"]
    counts = {name: count for name, count in model.items() if name not in ("method", "width")}
    return f"{model['method']}: " + ", ".join(f"{name} {n / 1e6:.1f} M" for name, n in counts.items()) + " parameters"


def _caption(report: dict[str, Any], measures: Sequence[Measure]) -> str:
    """The data, the verdict, and the measures that do not apply."""
    data = report["data"]
    of = data["of"]
    skipped = f"{data['skipped']:,} {'videos' if of == 'clips' else 'files'} skipped"
    said = [f"{data['train']:,} {of} to learn from and {data['test']:,} to test on; {skipped}"]
    if data["seen"]:
        said.append(f"The model learned from the test {of}, too, without labels: name splits to hold some back.")
    if report["verdict"]:
        said.append(report["verdict"]["text"])
    titles = defaultdict(list)
    for measure in measures:
        if reason := report["left_out"].get(measure.name):
            titles[reason].append(measure.title)
    said += [f"Left out: {', '.join(of)}. {reason}" for reason, of in titles.items()]
    return "\n".join(said)
