"""Outlines in few points against the masks they stand for: real ones, of COCO's annotations.

python -m benchmarks.contours path/to/instances.json
"""

from __future__ import annotations

import json
from pathlib import Path
from time import process_time

import numpy as np
import tyro
from PIL import Image, ImageDraw

from benchmarks.measure import table
from foretell.claims.vista import overlap
from foretell.language.contours import SAMPLERS, along, spread
from foretell.language.outlines import area, rings

POINTS = (8, 16, 32)
SMALLEST = 32**2
"""Pixels of a mask, at least: what COCO calls small is left out."""


def masks(path: Path) -> list[np.ndarray]:
    """Masks of the annotated things, cut out with a pixel around them; crowds are left out."""
    found = []
    for each in json.loads(path.read_text())["annotations"]:
        if each["iscrowd"] or each["area"] < SMALLEST:
            continue
        x, y, w, h = each["bbox"]
        drawn = Image.new("1", (int(w) + 3, int(h) + 3))
        for polygon in each["segmentation"]:
            ring = np.array(polygon).reshape(-1, 2) - (x - 1, y - 1)
            ImageDraw.Draw(drawn).polygon([tuple(point) for point in ring.tolist()], fill=1)
        found.append(np.array(drawn))
    return found


def main(path: tyro.conf.Positional[Path]) -> None:
    """Mean overlap and its standard error of each way, and how long it takes."""
    seen = masks(path)
    outlines = [[along(ring) for ring in rings(mask)] for mask in seen]
    ways = {name: lambda found, n, few=few: [few(max(found, key=area), n)] for name, few in SAMPLERS.items()}
    rows = []
    for name, few in {**ways, "spread": spread}.items():
        began, cells = process_time(), []
        for n in POINTS:
            found = np.array([overlap(mask, few(outline, n)) for mask, outline in zip(seen, outlines, strict=True)])
            cells.append(f"{found.mean():.3f} ± {found.std() / len(found) ** 0.5:.3f}")
        rows.append([name, *cells, f"{(process_time() - began) / len(POINTS) / len(seen) * 1e3:.0f}"])
    parts = sum(len(outline) > 1 for outline in outlines)
    print(f"{len(seen)} masks of 32² pixels or more, {parts} of them of several parts or with holes")
    table(["way", *(f"IoU at {n} points" for n in POINTS), "ms a mask, filling included"], rows)


if __name__ == "__main__":
    tyro.cli(main)
