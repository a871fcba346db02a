"""What VistaLLM says of outlines in few points (arXiv:2312.12423), at a small scale."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from foretell.claims.claim import Claim, Data, Expect, Experiment, Values
from foretell.data import Captions
from foretell.data.made.captioned import CaptionedScene, masks
from foretell.language.contours import SAMPLERS, Ring, along, spread
from foretell.language.outlines import area, filled, rings

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

CLAIMS = (CONTOURS, HOLES)
