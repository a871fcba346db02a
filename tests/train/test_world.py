"""Errors that only two processes can have."""

import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from foretell.errors import ForetellError
from foretell.methods import IWM
from foretell.train import checkpoint
from foretell.train.loop import read
from foretell.train.world import World, distribute, leave

from .conftest import TINY

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def second():
    """The second of two processes; the first is only simulated."""
    dist.init_process_group("fake", rank=1, world_size=2, store=FakeStore())
    yield World(torch.device("cpu"), 1, 2)
    if dist.is_initialized():
        dist.destroy_process_group()


def two(script, *args):
    """Run a script beside this file in two processes, and return its output."""
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [*launch, str(Path(__file__).with_name(script)), *map(str, args)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_kind_of_method_can_be_watched_while_it_is_split(tmp_path):
    two("sharded.py", tmp_path)
    for run in ("IJEPA", "IWM", "Pixels", "VICReg", "VJEPA", "VideoPixels", "Llip", "VJEPAAC"):
        assert "spread" in read(tmp_path / run / "metrics.jsonl")[-1]["monitor"]


def test_a_model_is_split_on_the_device_asked_for(second, monkeypatch):
    monkeypatch.setattr(torch._C, "_get_accelerator", lambda *_: torch.device("cuda"))
    model = distribute(IWM(TINY), second, shard=True)
    assert all(isinstance(p, DTensor) and p.device_mesh.device_type == "cpu" for p in model.parameters())


@pytest.mark.parametrize(("backend", "stays"), [("nccl", True), ("gloo", False)])
def test_a_process_that_failed_alone_does_not_wait_for_the_others_to_part(second, monkeypatch, backend, stays):
    monkeypatch.setattr(dist, "get_backend", lambda: backend)
    leave(failed=True)
    assert dist.is_initialized() == stays
    leave()
    assert not dist.is_initialized()


def test_who_does_not_write_a_checkpoint_holds_one_whole_tensor_at_a_time(second, monkeypatch, tmp_path):
    model = distribute(IWM(TINY), second, shard=True)
    gather, held = DTensor.full_tensor, []

    def counted(part):
        assert not any(whole() is not None for whole in held)
        held.append(weakref.ref(whole := gather(part)))
        return whole

    monkeypatch.setattr(DTensor, "full_tensor", counted)
    checkpoint.save(tmp_path, 1, model, torch.optim.AdamW(model.parameters()), second)
    assert len(held) == len(list(model.parameters()))
    assert not list(tmp_path.iterdir())


def _resumes(rank, folder):
    """One process of two that share no folder: only the first has a checkpoint."""
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=2)
    world, model = World(torch.device("cpu"), rank, 2), IWM(TINY)
    own = folder / str(rank)
    optimizer = torch.optim.AdamW(model.parameters())
    if world.first:
        checkpoint.save(own, 7, model, optimizer, World(torch.device("cpu")))
    with pytest.raises(ForetellError, match=f"has step {7 if world.first else 0} here.* must be one that all mach"):
        checkpoint.resume(own, model, optimizer, world)
    dist.destroy_process_group()


def test_machines_that_do_not_share_the_folder_are_told_so(tmp_path):
    torch.multiprocessing.spawn(_resumes, (tmp_path,), nprocs=2)
