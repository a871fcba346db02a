"""ViTs of timm (`vit_huge_patch14_gap_224.in1k_ijepa`, `vit_base_patch16_224` and their like): a folder, or a bare file
of tensors. A class token becomes a register (see `foretell.nn.vit`).

timm uses Meta's names, so a bare dictionary of Meta's encoder is one of these, too. There is no
predictor. timm resizes positions with antialiasing where ours does not: on grids other than the training image's
the two differ a little.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretell.errors import ForetellError, ForetellWarning
from foretell.hub.files import check, parse
from foretell.hub.official.encoder import IMAGENET, Normalisation, config_of, encoder_only, fill, headless, tensors_of
from foretell.hub.official.family import Family
from foretell.hub.official.found import FoundWeights
from foretell.methods import IJEPA

TOKENS = ("cls_token", "dist_token")
"""Tokens that lie nowhere, in their order."""
OTHER = ("act_layer", "norm_layer", "block_fn", "mlp_layer", "embed_layer", "attn_layer")
"""Arguments of timm that change the computation without changing a tensor's name."""


def recognise(found: FoundWeights) -> bool:
    """Whether tensors are named as timm's and Meta's ViTs are."""
    return {"patch_embed.proj.weight", "blocks.0.attn.qkv.weight"} <= found.tensors.keys()


def load(found: FoundWeights) -> IJEPA:
    """The encoder, twice, and a fresh predictor."""
    arguments = parse(dict[str, Any], found.config.get("model_args") or {}, found.source, "model_args")
    if other := [name for name in OTHER if name in arguments]:
        raise ForetellError(f"{found.source}: config.json sets {other[0]}, which an I-JEPA encoder leaves as it is")
    tensors, prefix = _apart(headless(found.tensors, ("head.", "head_dist."), found.source), found.source)
    heads = parse(int | None, arguments.get("num_heads"), found.source, "model_args.num_heads")
    config = config_of(tensors, found.source, heads, _normalisation(found))
    if prefix is not None:
        config, tensors = replace(config, registers=len(prefix)), tensors | {"registers": prefix}
    model = encoder_only(config)
    check(tensors_of(model.context_encoder), tensors, found.source)
    fill(model.context_encoder, tensors)
    fill(model.target_encoder, tensors)
    return model


def _apart(tensors: dict[str, Tensor], source: Path) -> tuple[dict[str, Tensor], Tensor | None]:
    """The tensors without a class token, and that token [1 or 2, D], its position added; None without one.

    It attends with the patches, and is read by nobody: what registers do.

    Warns:
        ForetellWarning: there is one, so features are not those that people know.
    """
    tokens = [tensors[name] for name in TOKENS if name in tensors]
    if not tokens or any(token.ndim != 3 or len(token) != 1 for token in tokens):
        return tensors, None
    rest = {name: t for name, t in tensors.items() if name not in TOKENS}
    prefix, places = torch.cat(tokens, 1), rest.get("pos_embed")
    R = prefix.shape[1]
    if (
        places is not None
        and places.ndim == 3
        and places.shape[1] > R
        and isqrt(places.shape[1]) ** 2 < places.shape[1]
    ):
        prefix, rest["pos_embed"] = prefix + places[:, :R], places[:, R:]
    warnings.warn(
        f"{source} has a class token, which attends with the patches as it did; features are the mean over patches, "
        "and not that token",
        ForetellWarning,
        stacklevel=2,
    )
    return rest, prefix[0]


FAMILY = Family("timm", recognise, load)


def _normalisation(found: FoundWeights) -> Normalisation:
    pretrained = parse(dict[str, Any], found.config.get("pretrained_cfg") or {}, found.source, "pretrained_cfg")
    given = {**found.config, **pretrained}
    mean, std = given.get("mean", IMAGENET[0]), given.get("std", IMAGENET[1])
    return parse(Normalisation, (mean, std), found.source, "mean and std")
