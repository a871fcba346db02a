"""The measures of claims: the library's own, on fewer images than in a report."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from foretell import finetune as tuning
from foretell.augment import Photometric, to_float
from foretell.claims.claim import Data, Kind, Values
from foretell.data import Images, Videos
from foretell.errors import ForetellError
from foretell.evaluate import features, knn, linear_probe, mrr, rankme
from foretell.evaluate.encode import evaluating
from foretell.finetune.classifier import FinetuneConfig, Mode
from foretell.jepa import JEPA
from foretell.method import Method, fresh
from foretell.surprise import on_scenes
from foretell.train.monitors import evenly

LEARN, ASK = 10_000, 5_000
"""Labelled images that a probe learns from, and is tested on, at most."""


def ranked(model: JEPA, data: Data[Images], seed: int) -> Values:
    """Equivariance: MRR and hits@1 among 256, the MRR of an untrained predictor; and `probes`.

    Banks are drawn at the paper's default strengths, for every model. `mrr, own bank` uses banks as strong as the
    model's training.
    """
    found, own = (
        mrr(model, data.test, bank=256, images=32, queries=16, seed=seed, drawn_from=drawn_from)
        for drawn_from in (Photometric(), None)
    )
    assert found is not None, "arms that are ranked have actions"
    assert own is not None
    names = {"mrr": found["value"], "hits@1": found["hits@1"], "untrained": found["untrained"]["value"]}
    return names | {"mrr, own bank": own["value"]} | probes(model, data, seed)


def probes(model: Method, data: Data[Images], seed: int, *, trained: bool = True) -> Values:
    """Linear probe, kNN and RankMe of frozen features.

    `trained=False` measures a model of the same kind before training.
    """
    if not trained:
        model = fresh(model, seed).eval()
    known, y, asked, y_asked = labelled(model, data, seed)
    return {
        "linear": linear_probe(known, y, asked, y_asked, seed=seed).float().mean().item(),
        "knn": knn(known, y, asked, y_asked).float().mean().item(),
        "rankme": rankme(known),
    }


def finetuned(model: JEPA, data: Data[Images], seed: int, *, mode: Mode, steps: int) -> Values:
    """Test accuracy after finetuning in a mode, every mode for the same steps."""
    config = FinetuneConfig(mode=mode, steps=steps, seed=seed)
    _, report = tuning.finetune(model, data.train, some(data.test, ASK, seed), config)
    return {"accuracy": report["accuracy"]["value"]}


def tuned_together(model: JEPA, data: Data[Images], seed: int, *, together: bool, steps: int) -> Values:
    """Mean test accuracy on both data sets, of one predictor for both or of one for each."""
    if data.other is None:
        raise ForetellError("this claim compares tasks on two data sets: name another one by --other")
    tasks = {name: (d.train, some(d.test, ASK, seed)) for name, d in {"first": data, "other": data.other}.items()}
    config = FinetuneConfig(steps=steps, seed=seed)
    if together:
        reports = tuning.multitask(model, tasks, config)[1]["tasks"]
    else:
        reports = {name: tuning.finetune(model, *task, config)[1] for name, task in tasks.items()}
    values = {name: report["accuracy"]["value"] for name, report in reports.items()}
    return values | {"mean accuracy": sum(values.values()) / len(values)}


def surprised(model: JEPA, data: Data[Videos], seed: int, *, trained: bool = True) -> Values:
    """Surprise: the share of pairs told apart, for visible and for hidden violations, each the mean over properties.
    Also the same with another clip's past, and the two monitors of `VJEPA.motion`.

    `trained=False` measures a model of the same kind before training.
    """
    video: Any = model if trained else fresh(model, seed).eval()
    report = on_scenes(video, 60, seed, others=20, baselines=False)

    def mean(rows: dict[str, Any], where: str) -> float:
        found = [row["value"] for name, row in rows["per_property"].items() if name.endswith(where)]
        return sum(found) / len(found)

    clips = to_float(data.test.take(evenly(len(data.test), 256)))
    with evaluating(video, None):
        values = video.motion(clips)
    for name, rows in (("", report["accuracy"]), (", shuffled", report["shuffled_context"])):
        values |= {where + name: mean(rows, where) for where in ("visible", "hidden")}
    return values


def labelled(model: Method, data: Data[Images], seed: int, learn: int = LEARN) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Features and labels of images to learn from, at most `learn`, and of images to test on."""
    known, asked = some(data.train, learn, seed), some(data.test, ASK, seed)
    if known.labels is None or asked.labels is None:
        raise ForetellError("this claim measures accuracy: every data set must have labels")
    return features(model, known), known.labels, features(model, asked), asked.labels


def some(images: Kind, most: int, seed: int) -> Kind:
    """At most `most` of the images, drawn without replacement."""
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    return images.subset(order[:most].sort().values)
