"""Hold two checkouts against each other: short trainings must give the same losses, bit for bit.

    python tools/same_losses.py BEFORE AFTER [IMAGES]

Each checkout trains an I-JEPA, an image world model, a V-JEPA and a V-JEPA 2-AC for some steps, on one thread of the
CPU and with a cache of its own. IMAGES is a place that both can read; without it, `photographs`. Both checkouts need
the packages that are installed here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENCODER = "--model.encoder.image-size 32 --model.encoder.patch-size 4 --model.encoder.width 48 --model.encoder.depth 2"
PREDICTOR = "--model.predictor.width 24 --model.predictor.depth 1 --model.predictor.heads 3"
SMALL = f"{ENCODER} --model.encoder.heads 3 {PREDICTOR}"
RUNS = {
    "ijepa": f"ijepa --data {{images}} --steps 30 {SMALL}",
    "iwm": f"iwm --data {{images}} --steps 30 {SMALL}",
    "vjepa": "vjepa-tiny --data scenes:64 --steps 30",
    "vjepa-ac": f"vjepa-ac --encoder {{out}}/ijepa --data pusher:64 --steps 10 --model.frames 8 {PREDICTOR}",
}
SETTINGS = "--batch 16 --log-every 1 --monitor-every 0 --precision fp32 --device cpu"


def losses(checkout: Path, out: Path, images: str) -> dict[str, list[float]]:
    """The losses of each run, step by step."""
    paths = {"PYTHONPATH": str(checkout / "src"), "FORETELL_CACHE": str(out / "cache"), "OMP_NUM_THREADS": "1"}
    found = {}
    for name, flags in RUNS.items():
        command = f"train {flags.format(out=out, images=images)} --out {out / name} {SETTINGS}".split()
        subprocess.run([sys.executable, "-m", "foretell", *command], env=os.environ | paths, cwd=checkout, check=True)
        lines = (out / name / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        found[name] = [json.loads(line)["loss"] for line in lines]
    return found


def main(before: str, after: str, images: str = "photographs") -> int:
    """Print a line a run; 1 where a loss differs."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first = losses(Path(before).resolve(), Path(one), images)
        second = losses(Path(after).resolve(), Path(two), images)
    for name in RUNS:
        pairs = zip(first[name], second[name], strict=True)
        step = next((number for number, (a, b) in enumerate(pairs, 1) if a != b), None)
        same = f"{len(first[name])} losses are the same, bit for bit"
        print(f"{name}: {same if step is None else f'differs at step {step}'}")
    return int(first != second)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: python tools/same_losses.py BEFORE AFTER [IMAGES]")
    sys.exit(main(*sys.argv[1:]))
