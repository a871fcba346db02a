"""AdamW as the JEPA papers use it."""

from collections.abc import Iterable

import torch
from torch import nn


def adamw(
    modules: Iterable[tuple[nn.Module, float]],
    lr: float,
    weight_decay: float,
    betas: tuple[float, float] = (0.9, 0.999),
) -> torch.optim.AdamW:
    """Make an optimizer with two groups a module: weights, and biases and norms, which do not decay (I-JEPA §A.1).

    What the released code decays and this does not is the mask token: one vector has no matrix to keep small.

    Args:
        modules: pairs of a module and its share of the learning rate (1 for the full rate). Frozen parameters are
            left out.
        lr: learning rate.
        weight_decay: decoupled weight decay of the weights.
        betas: of the running means.

    Returns:
        An AdamW whose groups carry `lr_share` and `decays`; `set_rates` turns a schedule into their rates.
    """
    groups = []
    for module, share in modules:
        trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        for decays in (True, False):
            parameters = [p for name, p in trained if (p.ndim > 1 and not name.endswith("bias")) == decays]
            if parameters:
                groups.append({"params": parameters, "lr_share": share, "decays": decays})
    # fused: one pass over the parameters instead of ten, on the CPU as on a GPU
    optimizer = torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay, betas=betas, fused=True)
    set_rates(optimizer, lr, weight_decay)
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float) -> None:
    """Set every group's learning rate and weight decay from the run's."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_share"]
        group["weight_decay"] = weight_decay if group["decays"] else 0.0
