"""AdamW as in the JEPA papers, and Muon as an option."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import nn

from foretell.errors import ForetellError
from foretell.train.muon import Muon

Modules = Iterable[tuple[nn.Module, float]]


def adamw(
    modules: Modules, lr: float, weight_decay: float, betas: tuple[float, float] = (0.9, 0.999)
) -> torch.optim.AdamW:
    """Make an optimizer with two groups a module: weights, and biases and norms, which do not decay (I-JEPA §A.1).

    The released code also decays the mask token; this does not, because it is a vector and no matrix.

    Args:
        modules: pairs of a module and its share of the learning rate (1 for the full rate). Frozen parameters are
            left out.
        lr: learning rate.
        weight_decay: decoupled weight decay of the weights.
        betas: those of the running means.

    Returns:
        An AdamW whose groups carry `lr_share` and `decays`; `set_rates` turns a schedule into their rates.
    """
    # fused: one pass over the parameters instead of ten, on the CPU as on a GPU
    optimizer = torch.optim.AdamW(grouped(modules), lr=lr, weight_decay=weight_decay, betas=betas, fused=True)
    set_rates(optimizer, lr, weight_decay)
    return optimizer


def muon(modules: Modules, lr: float, weight_decay: float, dtype: torch.dtype = torch.float32) -> Muon:
    """Make an optimizer as `adamw`, but the matrices of transformer blocks go by Muon, with the same rates.

    Args:
        modules: as of `adamw`.
        lr: as of `adamw`.
        weight_decay: as of `adamw`.
        dtype: to compute directions in; bfloat16 is exact enough, where the processor has it.

    Raises:
        ForetellError: there are no transformer blocks.
    """
    groups = grouped(modules, apart=True)
    if not any(group["matrices"] for group in groups):
        raise ForetellError("optimizer muon is for transformer blocks, and this model has none: leave it at adamw")
    optimizer = Muon(groups, dtype, lr=lr, weight_decay=weight_decay, fused=True)
    set_rates(optimizer, lr, weight_decay)
    return optimizer


def chosen(
    name: Literal["adamw", "muon"], modules: Modules, lr: float, weight_decay: float, dtype: torch.dtype = torch.float32
) -> torch.optim.Optimizer:
    """`adamw` or `muon`, by name; arguments as theirs."""
    modules = list(modules)
    return muon(modules, lr, weight_decay, dtype) if name == "muon" else adamw(modules, lr, weight_decay)


def grouped(modules: Modules, apart: bool = False) -> list[dict[str, Any]]:
    """The groups of parameters: with decay, without, and with `apart` the matrices of blocks, single and three in
    one.
    """
    groups: dict[tuple[int, bool, int], dict[str, Any]] = {}
    for number, (module, share) in enumerate(modules):
        for name, p in module.named_parameters():
            if p.requires_grad:
                decays = p.ndim > 1 and not name.endswith("bias")
                matrices = (3 if "qkv" in name else 1) if apart and decays and p.ndim == 2 and "blocks." in name else 0
                new = {"params": [], "lr_share": share, "decays": decays, "matrices": matrices}
                groups.setdefault((number, not decays, matrices), new)["params"].append(p)
    return [groups[key] for key in sorted(groups)]


def set_rates(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float) -> None:
    """Set every group's learning rate and weight decay from the run's."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_share"]
        group["weight_decay"] = weight_decay if group["decays"] else 0.0
