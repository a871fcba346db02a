"""All measures of a model in one report: plain numbers for JSON, and a table for people. Images here may be clips."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from jaxtyping import Int
from rich.table import Table
from torch import Tensor

from foretell.data import Pictures
from foretell.errors import ForetellError
from foretell.evaluate.encode import Device, Encoded, augmented, encode, features
from foretell.evaluate.intervals import accuracy_of
from foretell.evaluate.measures.attentive import attentive_probe
from foretell.evaluate.measures.knn import knn
from foretell.evaluate.measures.lidar import lidar
from foretell.evaluate.measures.linear import linear_probe
from foretell.evaluate.measures.mlp import mlp_probe
from foretell.evaluate.measures.mrr import HITS, mrr
from foretell.evaluate.measures.rankme import rankme
from foretell.evaluate.measures.sparsity import sparsity
from foretell.jepa import JEPA
from foretell.method import Method, parameters

LATENT_BYTES = 2 * 2**30
"""Memory for the patch latents of each data set. Of a larger one the attentive probe takes a random part."""
PROBES = {"linear": "linear probe", "mlp": "two-layer probe", "attentive": "attentive probe", "knn": "kNN"}
RANKME_IMAGES = 25_600
"""As many as its paper uses (§4)."""


def evaluate(
    model: Method,
    train: Pictures,
    test: Pictures,
    *,
    seed: int = 0,
    device: Device = None,
    bank: int = 256,
    images: int = 64,
    queries: int = 16,
    trained_on: str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure a model in every way there is, frozen.

    Args:
        model: any method; it is left as it was, on its device and in its mode.
        train: what the probes learn from; RankMe and LiDAR are of these too.
        test: what the probes and the predictions are tested on.
        seed: everything drawn comes from it: the same seed, machine and device give the same report.
        device: where to compute; None for where the model is.
        bank: augmented targets to rank among, see `mrr`.
        images: photographs of `test` to rank predictions on, see `mrr`.
        queries: predictions for each bank, see `mrr`.
        trained_on: fingerprint of the data that the model learned from, see `foretell.hub.trained_on`.
        progress: show what is being done.

    Returns:
        Plain numbers, ready for JSON:

        - `linear`, `mlp`, `attentive`, `knn`: {`value`, `low`, `high`, `chance`}, the accuracy in [0, 1], its 95 %
            interval (Wilson), and what naming the commonest class would score; None without labels. `attentive`
            is None too for a model without patches to attend over.
        - `rankme`, `lidar`: {`value`, `of`}, and the most it can be: the width, unless there are fewer
            images.
        - `sparsity`: {`zeros`, `half`, `dead`} of the features of `test`, see `sparsity`.
        - `mrr`: see `mrr`; None for a model that has no actions or no trained predictor.
        - `data`: how many images are in `train` and `test`, `classes`, how many files were `skipped`, and whether the
            model has `seen` the test images while it learned (without labels); None without `trained_on`.
        - `model`: `method`, `width`, and the parameters of what was trained: one `encoder`, the `predictor`.

    Raises:
        ForetellError: fewer than two images to learn from or none to test on, a test class that `train` has
            not, or latents that are not finite numbers.
    """
    if len(train) < 2 or not len(test):
        raise ForetellError(
            f"found {len(train)} images to learn from and {len(test)} to test on; expected two or more, and one or more"
        )
    labels = _labels(train, test)

    def bar(text: str) -> str | None:
        return text if progress else None

    device = next(model.parameters()).device if device is None else torch.device(device)
    common: dict[str, Any] = {"seed": seed, "device": device}
    learn = _encode(model, train, labels is not None, seed, device, bar("Encoding the training images"))
    ask = _encode(model, test, labels is not None, seed, device, bar("Encoding the test images"))
    views = augmented(model, train, progress=bar("Encoding several views of images"), **common)
    some = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))[:RANKME_IMAGES]
    used = learn.features[some]
    asked: dict[str, Any] = {"bank": bank, "images": images, "queries": queries, **common}
    ranks = mrr(model, test, progress=bar("Ranking predictions"), **asked) if isinstance(model, JEPA) else None
    return {
        **_probes(model, learn, ask, labels, seed, device, bar("Training the attentive probe")),
        "rankme": {"value": rankme(used), "of": min(used.shape)},
        "lidar": {"value": lidar(views), "of": max(min(len(views) - 1, views.shape[-1]), 1)},
        "sparsity": sparsity(ask.features),
        "mrr": ranks,
        "data": {
            "train": len(train),
            "test": len(test),
            "classes": len(train.classes),
            "skipped": len({*train.skipped, *test.skipped}),
            "seen": None if trained_on is None else trained_on in (test.fingerprint, test.whole),
        },
        "model": {
            "method": type(model).__name__,
            "width": learn.features.shape[1],
            **{name: parameters(module) for name, module in model.trained().items()},
        },
    }


def _labels(train: Pictures, test: Pictures) -> tuple[Int[Tensor, " n"], Int[Tensor, " m"]] | None:
    """The labels of both as places in the training set's classes; None where either has none."""
    if train.labels is None or test.labels is None:
        return None
    foreign = [name for name in test.classes if name not in train.classes]
    if foreign:
        raise ForetellError(f"the test set has classes that the training set has not: {', '.join(foreign[:4])}")
    return train.labels, torch.tensor([train.classes.index(name) for name in test.classes])[test.labels]


def _encode(
    model: Method, images: Pictures, labels: bool, seed: int, device: torch.device, progress: str | None
) -> Encoded:
    """Features of all images, and as many patch latents as the attentive probe can use: none without patches."""
    if not isinstance(model, JEPA):
        z = features(model, images, device=device, progress=progress)
        return Encoded(z, torch.empty(0, 0, z.shape[1], dtype=torch.float16), torch.empty(0, dtype=torch.int64))
    patches = prod(model.target_encoder.grid(images.take([0])))
    keep = LATENT_BYTES // (2 * patches * model.target_encoder.width) if labels else 0
    return encode(model, images, keep=keep, device=device, seed=seed, progress=progress)


def _probes(
    model: Method,
    learn: Encoded,
    ask: Encoded,
    labels: tuple[Int[Tensor, " n"], Int[Tensor, " m"]] | None,
    seed: int,
    device: torch.device,
    progress: str | None,
) -> dict[str, Any]:
    if labels is None:
        return {"linear": None, "mlp": None, "attentive": None, "knn": None}
    y, y_test = labels
    made = (learn.features, y, ask.features, y_test)
    probes = {
        "linear": linear_probe(*made, seed=seed, device=device),
        "mlp": mlp_probe(*made, seed=seed, device=device),
        "attentive": attentive_probe(
            learn.latents,
            y[learn.index],
            ask.latents,
            y_test[ask.index],
            heads=model.target_encoder.config.heads,
            seed=seed,
            device=device,
            progress=progress,
        )
        if isinstance(model, JEPA)
        else None,
        "knn": knn(learn.features.to(device), y.to(device), ask.features.to(device), y_test.to(device)),
    }
    return {name: None if right is None else accuracy_of(int(right.sum()), y_test) for name, right in probes.items()}


def table(report: dict[str, Any]) -> Table:
    """A report of `evaluate` for people: each value, its interval, chance's and the untrained predictor's."""
    data, model, rank = report["data"], report["model"], report["mrr"]
    counts = {name: count for name, count in model.items() if name not in ("method", "width")}
    sizes = ", ".join(f"{name} {count / 1e6:.1f} M" for name, count in counts.items()) + " parameters"
    caption = f"{data['train']:,} to learn from and {data['test']:,} to test on, {data['skipped']:,} skipped"
    if data["seen"]:
        caption += "\nThe model learned from the test images, too, without labels: name splits to hold some back."
    if report["linear"] is None:
        caption += (
            "\nNo labels of two classes or more, no probes: put the files of each into a folder of its name, or list "
            "'path label' of videos."
        )
    made = Table(title=f"{model['method']}: {sizes}", caption=caption)
    made.add_column("measure")
    for heading in ("value", "95 % interval", "chance", "untrained"):
        made.add_column(heading, justify="right")

    for key, name in PROBES.items():
        if found := report[key]:
            ends = f"{found['low']:.1%} – {found['high']:.1%}"
            made.add_row(name, f"{found['value']:.1%}", ends, f"{found['chance']:.1%}", "")
    made.add_section()
    for key, name in (("rankme", "RankMe"), ("lidar", "LiDAR")):
        made.add_row(name, f"{report[key]['value']:.1f} of {report[key]['of']}", "", "", "")
    made.add_row("activations at 0", f"{report['sparsity']['zeros']:.1%}", "", "", "")
    if rank is None:
        return made

    def ranked(name: str, row: dict[str, Any], untrained: float, chance: float, value: float) -> None:
        ends = f"{row['low']:.3f} – {row['high']:.3f}"
        made.add_row(name, f"{value:.3f}", ends, f"{chance:.3f}", f"{untrained:.3f}")

    control = rank["untrained"]
    made.add_section()
    ranked(f"MRR among {rank['bank']}", rank, control["value"], rank["chance"], rank["value"])
    for k in HITS:
        hit, interval = f"hits@{k}", rank["intervals"][f"hits@{k}"]
        ranked(hit, interval, control[hit], interval["chance"], rank[hit])
    direction = None
    for name, row in rank["per_action"].items():
        if row["direction"] != direction:
            direction = row["direction"]
            made.add_section()
            made.add_row(f"MRR, {direction}")
        ranked(f"  {name}", row, control["per_action"][name]["value"], row["chance"], row["value"])
    return made
