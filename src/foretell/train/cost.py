"""What a training costs, before a weight is in memory: parameters, products, memory and files.

One part of a step runs on torch's `meta` device. Its tensors have shapes and types, and no numbers. So the papers'
largest models take seconds. A counter adds up the operations of all products, forward and backward. A hook adds up the
bytes that autograd keeps from the forward pass for the backward pass.

Not counted: what is not a product, the data's decoding, the target encoder's short-lived tensors, and the allocator's
gaps. docs/scale.md compares the result with published and with own runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode

from foretell.data import Batch, Captions, Clips, EpisodeClips, Photographs
from foretell.data.columns import several_texts, tensor
from foretell.errors import ForetellError
from foretell.method import Method, parameters
from foretell.methods import METHODS, begin
from foretell.train.loop import TrainConfig
from foretell.train.muon import orthogonal
from foretell.train.optimizer import grouped

META = torch.device("meta")
FLOAT, MOMENTS = 4, 2
"""Bytes of a weight, a gradient or a moment; moments that AdamW has of each weight. Muon has one of each matrix."""
COUNTED = 32
"""Samples that run: what a step costs grows with its samples, but for the comparison of all with all in some losses."""
CAPTION = "a small red ball rolls behind a large blue box"


@dataclass(frozen=True)
class StepCost:
    """An optimiser step of one process, in all its parts."""

    parameters: dict[str, int]
    """By part of the model."""
    trained: int
    """Those of them that the optimiser moves."""
    flops: int
    """Multiplications and additions of the products, forward, backward, and in Muon's directions."""
    operations: int
    """Calls of torch's operations, in all parts."""
    samples: int
    """Of one part of a step."""
    parts: int
    activations: int
    """Bytes that one part of a step keeps for its backward pass."""
    weights: int
    """Bytes of weights and gradients, and of their copies in bfloat16."""
    moments: int
    """Bytes of the optimiser's moments."""

    @property
    def state(self) -> int:
        """Bytes of weights, gradients and moments."""
        return self.weights + self.moments

    @property
    def checkpoint(self) -> int:
        """Bytes of a file that training resumes from."""
        return FLOAT * sum(self.parameters.values()) + self.moments


def skeleton(config: Any, encoder: Method | None = None) -> Method:
    """A model of a configuration, in training mode, whose tensors have no numbers.

    Args:
        config: as of `foretell.methods.begin`.
        encoder: a trained model, for a method that stands on the encoder of another; None for an encoder of the size
            that the configuration says.

    Raises:
        ForetellError: no method has such a configuration, or as `Method.begin`.
    """
    if encoder is not None:
        return begin(config, encoder).to(META).train()
    for entry in METHODS.values():
        if type(config) is entry.config:
            with META:
                return entry.kind(config).train()
    raise ForetellError(f"{type(config).__name__} is not the configuration of a registered method")


def blank(model: Method, count: int) -> Batch:
    """A batch of `count` samples that have no numbers, of what a model reads.

    Raises:
        ForetellError: the model reads something else than pictures, clips, episodes or captions.
    """
    reads = model.config.reads
    if not isinstance(reads, Photographs | Clips):
        raise ForetellError(
            f"{type(model).__name__} reads {type(reads).__name__}, expected photographs, clips, episodes or captions: "
            "its cost depends on the data; train some steps, and see images_per_second in the run's metrics.jsonl"
        )
    frames = (reads.frames,) if isinstance(reads, Clips) else ()
    pixels = torch.empty(count, 3, *frames, reads.size, reads.size, dtype=torch.uint8, device=META)
    if isinstance(reads, Captions):
        texts = [[f"{CAPTION} {n}" for n in range(first, first + 4)] for first in range(count)]
        return Batch(pixels=pixels, captions=tensor(several_texts(texts)))
    if isinstance(reads, EpisodeClips):
        sizes = {name: getattr(model.config, name) for name in ("states", "actions")}
        steps = {name: torch.empty(count, reads.frames - 1, n, device=META) for name, n in sizes.items()}
        return Batch(pixels=pixels, **steps)
    return Batch(pixels=pixels)


def step_cost(
    model: Method, config: TrainConfig, processes: int = 1, bf16: bool = True, fused: bool = True
) -> StepCost:
    """Run a part of a step without numbers, and count.

    Args:
        model: from `skeleton`.
        config: the settings of the training.
        processes: the number of processes that share a step.
        bf16: whether products are computed in bfloat16.
        fused: whether attention keeps no scores, as on a GPU.

    Raises:
        ForetellError: the batch cannot be shared, or as `blank`.
    """
    parts = processes * config.accumulate
    if config.batch % parts:
        raise ForetellError(f"batch {config.batch} cannot be shared by {processes} devices × {config.accumulate} parts")
    samples = config.batch // parts
    batch = blank(model, min(samples, COUNTED))
    cast = Autocast(bf16, fused)
    own = {_place(t) for t in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(t: Tensor) -> Tensor:
        if _place(t) not in own | cast.copies.keys():
            kept[_place(t)] = t.untyped_storage().nbytes()
        return t

    with Calls() as calls, FlopCounterMode(display=False) as counter:
        views = model.views(batch, torch.Generator())
        with torch.autograd.graph.saved_tensors_hooks(keep, _same), cast:
            loss = model(views)
        activations = sum(kept.values())
        loss.backward()
    flops, activations = (round(n * samples / len(batch)) for n in (counter.get_total_flops(), activations))
    groups = grouped(((module, 1.0) for module in model.trained().values()), apart=config.optimizer == "muon")
    trained = sum(p.numel() for group in groups for p in group["params"])
    matrices = sum(p.numel() for group in groups for p in group["params"] if group["matrices"])
    copies = 2 if processes > 1 and not config.shard else 1  # DDP's buckets are a second copy of the gradients
    share = processes if config.shard else 1
    return StepCost(
        {part: n for part, module in model.named_children() if (n := parameters(module))},
        trained,
        flops * config.accumulate + _muon(groups),
        calls.number * config.accumulate,
        samples,
        config.accumulate,
        activations,
        (FLOAT * (parameters(model) + copies * trained) + sum(cast.copies.values())) // share,
        FLOAT * (MOMENTS * trained - matrices) // share,
    )


def _same(t: Tensor) -> Tensor:
    return t


def _place(t: Tensor) -> int:
    """Tells apart the memory that tensors lie in; views of one tensor share it."""
    return t.untyped_storage()._cdata


def _muon(groups: Iterable[dict[str, Any]]) -> int:
    """The operations that Muon's directions take."""
    with FlopCounterMode(display=False) as counter:
        for group in groups:
            for p in group["params"] if group["matrices"] else ():
                orthogonal(torch.empty_like(p).unflatten(0, (group["matrices"], -1)))
    return counter.get_total_flops()


class Calls(TorchDispatchMode):
    """Counts operations."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call an operation, and count it."""
        self.number += 1
        return func(*args, **(kwargs or {}))


class Fused(torch.autograd.Function):
    """softmax(QKᵀ)V whose scores are not kept, as a GPU's kernel computes it; the operations are counted, once each."""

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Tensor:
        """Keeps what FlashAttention keeps: its inputs, its output, and one number a query."""
        ctx, q, k, v = args
        out = (q @ k.mT) @ v
        ctx.save_for_backward(q, k, v, out, q.new_empty(q.shape[:-1], dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Four products for two."""
        (grad,), (q, k, v, *_) = grads, ctx.saved_tensors
        scores = grad @ v.mT
        return scores @ k, scores.mT @ q, scores.mT @ grad


PRODUCTS = {F.linear, F.conv2d, F.conv1d, torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, torch.einsum}
EXACT = {F.layer_norm, F.softmax, F.log_softmax, Tensor.softmax, Tensor.log_softmax, F.cross_entropy}
EXACT |= {F.smooth_l1_loss, F.mse_loss, F.l1_loss}
"""What torch computes in bfloat16 on a GPU under autocast, and what in float32."""


class Autocast(TorchFunctionMode):
    """The types of `torch.autocast` on a GPU, and its attention, for tensors without numbers."""

    def __init__(self, bf16: bool, fused: bool) -> None:
        super().__init__()
        self.bf16, self.fused = bf16, fused
        self.copies: dict[int, int] = {}
        """Copies of weights in bfloat16: where they lie, and their bytes."""
        self._alive: list[Tensor] = []  # so that no other tensor is at the same place

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function of torch, its arguments in the type that a GPU takes."""
        kwargs, attention = kwargs or {}, func is F.scaled_dot_product_attention
        if self.bf16 and (attention or func in PRODUCTS | EXACT):
            dtype = torch.float32 if func in EXACT else torch.bfloat16
            args, kwargs = tree_map(partial(self._in, dtype), (args, kwargs))
        return Fused.apply(*args[:3]) if attention and self.fused else func(*args, **kwargs)

    def _in(self, dtype: torch.dtype, each: Any) -> Any:
        if not isinstance(each, Tensor) or not each.is_floating_point() or each.dtype == dtype:
            return each
        copy = each.to(dtype)
        if each.is_leaf and each.requires_grad:
            self.copies[_place(copy)] = copy.untyped_storage().nbytes()
            self._alive.append(copy)
        return copy
