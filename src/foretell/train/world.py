"""One process or many: the information that a training loop needs. One process needs no process group.

Without torchrun there is no process group and no wrapper. Under torchrun each process holds a whole copy of the model
(DDP), or with `shard` a slice of every parameter (FSDP2).
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from foretell.errors import ForetellError
from foretell.method import Method
from foretell.nn.vit import Block
from foretell.train.memory import keep_freed


@dataclass(frozen=True)
class World:
    """This process's place among all."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the files and shows the progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.size > 1:
            dist.barrier()

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """The mean of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
            value /= self.size
        return value

    def agree(self, value: int) -> bool:
        """Whether every process gives the same number; all get the same answer."""
        ends = torch.tensor([value, -value], device=self.device)
        if self.size > 1:
            dist.all_reduce(ends, dist.ReduceOp.MAX)
        return bool(ends[0] == -ends[1])


def enter(device: str = "auto") -> World:
    """Find the device and, under torchrun, join the other processes. On a CPU freed memory is kept from here on.

    Args:
        device: `auto` takes a GPU where there is one; otherwise a torch device such as `cpu` or `cuda:1`.

    Raises:
        ForetellError: the device is not a device or is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    try:
        place = torch.device(device)
        if place.type == "cuda" and size > 1:
            place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(place)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ForetellError(f"device {device!r} cannot be used here ({reason}); try --device cpu") from None
    if place.type == "cpu":
        keep_freed()
    if size > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    return World(place, rank, size)


def leave(failed: bool = False) -> None:
    """Part from the other processes, if there are any.

    Args:
        failed: an error is on its way. NCCL's parting waits for all, and an error of one process alone would never be
            seen: then it just ends, and torchrun ends the others.
    """
    if dist.is_initialized() and not (failed and dist.get_backend() == "nccl"):
        dist.destroy_process_group()


def distribute(model: Method, world: World, shard: bool) -> nn.Module:
    """Put a model on the world's device and among its processes. Returns the module to call for the loss."""
    model.to(world.device)
    if world.size == 1:
        return model
    if world.device.type == "cuda":  # batch norm over the whole batch; torch has it for GPUs alone
        nn.SyncBatchNorm.convert_sync_batchnorm(model)
    if not shard:
        return DistributedDataParallel(model)
    mesh = init_device_mesh(world.device.type, (world.size,))  # without it, FSDP takes the GPU even for `device="cpu"`
    for module in model.modules():
        if isinstance(module, Block):
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for name in model.entrances:
        register_fsdp_forward_method(model, name)
    return model


def accumulating(model: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Hold back the exchange of gradients for all but the last part of a step."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(last)
    elif isinstance(model, DistributedDataParallel) and not last:
        return model.no_sync()
    return nullcontext()


def gathered(part: torch.Tensor) -> torch.Tensor:
    """A tensor as a whole, of which each process may hold a slice."""
    return part.full_tensor() if isinstance(part, DTensor) else part


def like(own: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """A whole tensor where another lies, and split as that is."""
    whole = whole.to(own.device)
    return distribute_tensor(whole, own.device_mesh, own.placements) if isinstance(own, DTensor) else whole
