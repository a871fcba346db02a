"""What VistaLLM says of outlines in few points (arXiv:2312.12423), at a small scale."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch

from foretell.claims.claim import Arm, Claim, Data, Expect, Experiment, Values
from foretell.data import Captions
from foretell.data.made.captioned import CaptionedScene, masks
from foretell.evaluate.questions import evaluate
from foretell.language.coarser import Outlining
from foretell.language.contours import SAMPLERS, Ring, along, spread
from foretell.language.outlines import area, filled, rings
from foretell.methods import Vista
from foretell.recipes import words as recipes

SOURCE = "Pramanick et al. 2024, arXiv:2312.12423"
SIZE = 256
"""Pixels a side of the scenes whose outlines are taken."""
SCENES = 60
"""Of each seed."""
POINTS = (8, 16, 32)


def overlap(mask: np.ndarray, outline: Sequence[Ring]) -> float:
    """Intersection over union of a mask and an outline."""
    found = filled(outline, *mask.shape)
    return float((found & mask).sum() / max((found | mask).sum(), 1))


def largest(mask: np.ndarray) -> Ring:
    """The ring around the largest part, with a point for each pixel that it passes."""
    return along(max(rings(mask), key=area))


def of_scenes(data: Data[Any], seed: int, *, sampler: str) -> Values:
    """How well outlines of so many points fill the masks of things in scenes."""
    chosen = torch.arange(len(data.test)).roll(-SCENES * seed)[:SCENES]
    scenes = data.test.batch(chosen).ragged("scene")
    seen = [
        mask for i in range(SCENES) for mask in masks(CaptionedScene.of(scenes[i].numpy()), SIZE) if mask.sum() > 100
    ]
    return {
        f"iou@{points}": float(np.mean([overlap(mask, _few(mask, sampler, points)) for mask in seen]))
        for points in POINTS
    }


def _few(mask: np.ndarray, sampler: str, points: int) -> list[Ring]:
    if sampler == "spread":
        return spread([along(ring) for ring in rings(mask)], points)
    few: Callable[[Ring, int], Ring] = SAMPLERS[sampler]
    return [few(largest(mask), points)]


CONTOURS = Claim(
    name="vista-contours",
    finding="Points where an outline bends say more of it than points at equal steps.",
    source=f"{SOURCE}, §3.2",
    paper="adaptive sampling 3 to 4 mIoU above uniform sampling, through the whole model",
    scale=f"outlines of things in {SCENES} made scenes a seed, {SIZE} pixels a side; no model",
    arms={name: Experiment(Captions(32), partial(of_scenes, sampler=name)) for name in (*SAMPLERS, "spread")},
    expects=(
        Expect("iou@32", larger="adaptive", smaller="uniform"),
        Expect("iou@16", larger="adaptive", smaller="uniform"),
    ),
    remark="Visvalingam's scores are computed anew after each loss; `spread` does so over all parts and holes.",
    data="captions:512",
)

HOLES = Claim(
    name="vista-holes",
    finding="Rings for parts and holes say more than one ring of as many points.",
    source=f"ours; {SOURCE} has one ring an object",
    paper="none",
    scale=CONTOURS.scale,
    arms={name: CONTOURS.arms[name] for name in ("visvalingam", "spread")},
    expects=(Expect("iou@32", larger="spread", smaller="visvalingam"),),
    data="captions:512",
)

BRIEF = replace(recipes.vista().train, steps=1500, monitor_every=0)
"""The first half hour of the recipe's first stage."""
TRAINED = f"the recipe `vista`, {BRIEF.steps:,} steps of {BRIEF.batch} questions"


def answered(model: Vista, data: Data[Any], seed: int) -> Values:
    """The metrics of all tasks of the data, of 200 test questions each."""
    report = evaluate(model, data.train, data.test, most=200, seed=seed, progress=False)
    return {
        f"{task} {metric}": found["value"]
        for task, metrics in report["tasks"].items()
        for metric, found in metrics.items()
        if found is not None
    }


def _arm(**changes: Any) -> Arm:
    recipe = recipes.vista()
    return Arm(replace(recipe, model=replace(recipe.model, **changes), train=BRIEF), answered)


def _tokens(count: int, guided: bool) -> dict[str, Any]:
    return {"tokenizer": replace(recipes.vista().model.tokenizer, tokens=count, guided=guided)}


GUIDED = Claim(
    name="vista-guided",
    finding="Tokens of a picture that the question guides say more than as many that it does not.",
    source=f"{SOURCE}, §3.1",
    paper="not among what is known here",
    scale=TRAINED,
    arms={"guided": _arm(**_tokens(16, True)), "unguided": _arm(**_tokens(25, False))},
    expects=(Expect("box miou", "guided", "unguided"), Expect("vqa accuracy", "guided", "unguided")),
    remark="22 tokens a picture where the question guides, six of them of Llip's heads; 25 where it does not.",
    data="questions:20000:vqa,box",
)

SPOKEN = Claim(
    name="vista-points",
    finding="A model that learns adaptive outlines outlines better than one of as many points at equal steps.",
    source=f"{SOURCE}, §3.2",
    paper=CONTOURS.paper,
    scale=TRAINED,
    arms={way: _arm(outlines=Outlining(16, way)) for way in ("adaptive", "uniform", "spread")},
    expects=(Expect("outline giou", "adaptive", "uniform"),),
    remark="16 points of an outline each.",
    data="questions:20000:box,outline",
)

CLAIMS = (CONTOURS, HOLES, GUIDED, SPOKEN)
