"""Two processes: what only they can get wrong."""

import os
import subprocess
import sys
from pathlib import Path

from foretell.train.loop import read

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def two(script, *args):
    """Run a script beside this file in two processes; returns what it said."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launch, str(Path(__file__).with_name(script)), *map(str, args)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_kind_of_method_can_be_watched_while_it_is_split(tmp_path):
    two("sharded.py", tmp_path)
    for run in ("IJEPA", "IWM", "Pixels", "VICReg", "VJEPA", "VideoPixels", "VJEPAAC"):
        assert "spread" in read(tmp_path / run / "metrics.jsonl")[-1]["monitor"]
