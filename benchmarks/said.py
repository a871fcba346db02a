"""What is lost when outlines are said as a model says them: in few points, and in bins. No answer can be better.

python -m benchmarks.said questions:576:outline
"""

from __future__ import annotations

from typing import get_args

import numpy as np
import torch
import tyro

from benchmarks.measure import table
from foretell.claims.vista import overlap
from foretell.data import Questions, load
from foretell.language.coarser import Outlining, Sampling, as_said
from foretell.language.outlines import filled
from foretell.language.places import FINE, Places

POINTS = (8, 12, 16)


def main(data: tyro.conf.Positional[str], size: int = 48, bins: int = 48, samples: int = 128) -> None:
    """Mean overlap of the outlines of test answers with their masks, and its standard error.

    Args:
        data: questions, some with one outline as their answer.
        size: pixels a side.
        bins: a side.
        samples: outlines at most.
    """
    told = load(data, Questions(size), split="test")
    answers = told.batch(torch.arange(len(told))).ragged("answer").texts()
    single = [text for text in answers if [spot.kind for spot in FINE.read(text).spots] == ["mask"]][:samples]
    masks = [_mask(text, FINE, size) for text in single]
    places, rows = Places(bins), []
    for way in get_args(Sampling):
        cells = []
        for points in POINTS:
            said = [as_said(text, places, Outlining(points, way), size) for text in single]
            found = np.array(
                [overlap(mask, _rings(text, places, size)) for mask, text in zip(masks, said, strict=True)]
            )
            cells.append(f"{found.mean():.3f} ± {found.std() / len(found) ** 0.5:.3f}")
        rows.append([way, *cells])
    print(f"{len(single)} outlines of {size} pixels, in {bins} bins")
    table(["way", *(f"IoU at {points} points" for points in POINTS)], rows)


def _rings(text: str, places: Places, size: int) -> list[np.ndarray]:
    return [ring * size for spot in places.read(text).spots for ring in spot.rings]


def _mask(text: str, places: Places, size: int) -> np.ndarray:
    return filled(_rings(text, places, size), size, size)


if __name__ == "__main__":
    tyro.cli(main)
