"""The small supervised loop that probes and finetuning share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from foretell.errors import ForetellError
from foretell.progress import watched
from foretell.train.optimizer import adamw, set_rates
from foretell.train.schedules import warmup_cosine


def fit(
    loss: Callable[[Tensor], Tensor],
    modules: Iterable[tuple[nn.Module, float]],
    samples: int,
    *,
    steps: int,
    batch: int,
    lr: float,
    weight_decay: float = 0.01,
    warmup: float = 0.05,
    seed: int = 0,
    progress: str | None = None,
) -> float:
    """Minimise a loss over random batches with AdamW, a warm-up and half a cosine.

    Args:
        loss: indices [batch] int64 on the CPU -> a scalar; it looks up inputs and labels itself.
        modules: pairs of a module to train and its share of the learning rate.
        samples: the number of samples. Every sample is used once before any is used twice.
        steps: optimiser steps.
        batch: samples a step; at most `samples` are used.
        lr: peak learning rate, reached after `warmup` (a share of the steps).
        weight_decay: decoupled weight decay.
        warmup: share of the steps.
        seed: decides the order of the samples.
        progress: the name of the work on a progress bar; None for no bar.

    Returns:
        The mean loss over the last tenth of the steps.

    Raises:
        ForetellError: it is not a finite number.
    """
    modules = list(modules)
    optimizer = adamw(modules, lr, weight_decay)
    generator = torch.Generator().manual_seed(seed)
    batch = min(batch, samples)
    order = torch.empty(0, dtype=torch.int64)
    last: list[float] = []
    for step in watched(range(steps), progress):
        set_rates(optimizer, warmup_cosine(step, steps, int(warmup * steps), lr / 10, lr, 0.0), weight_decay)
        if len(order) < batch:
            order = torch.cat([order, torch.randperm(samples, generator=generator)])
        index, order = order[:batch], order[batch:]
        value = loss(index)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step >= steps - max(steps // 10, 1):
            last.append(value.item())
    mean = sum(last) / len(last)
    if not math.isfinite(mean):
        raise ForetellError(f"the training diverged: its loss is {mean}; learn at a lower rate than {lr:g}")
    return mean
