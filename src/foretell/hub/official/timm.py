"""I-JEPA ViTs of timm (`vit_huge_patch14_gap_224.in1k_ijepa` and its like): a folder, or a bare file of tensors.

timm uses Meta's names, so a bare dictionary of Meta's encoder is one of these, too. There is no
predictor. timm resizes positions with antialiasing where ours does not: on grids other than the training image's
the two differ a little.
"""

from __future__ import annotations

from typing import Any

from foretell.errors import ForetellError
from foretell.hub.files import check, parse
from foretell.hub.official.encoder import IMAGENET, Normalisation, config_of, encoder_only, fill, headless, tensors_of
from foretell.hub.official.family import Family
from foretell.hub.official.found import Found
from foretell.methods import IJEPA

OTHER = ("act_layer", "norm_layer", "block_fn", "mlp_layer", "embed_layer", "attn_layer")
"""Arguments of timm that change the computation without changing a tensor's name."""


def recognise(found: Found) -> bool:
    """Whether tensors are named as timm's and Meta's ViTs are."""
    return {"patch_embed.proj.weight", "blocks.0.attn.qkv.weight"} <= found.tensors.keys()


def load(found: Found) -> IJEPA:
    """The encoder, twice, and a fresh predictor."""
    arguments = parse(dict[str, Any], found.config.get("model_args") or {}, found.source, "model_args")
    if other := [name for name in OTHER if name in arguments]:
        raise ForetellError(f"{found.source}: config.json sets {other[0]}, which an I-JEPA encoder leaves as it is")
    tensors = headless(found.tensors, ("head.",), found.source)
    heads = parse(int | None, arguments.get("num_heads"), found.source, "model_args.num_heads")
    model = encoder_only(config_of(tensors, found.source, heads, _normalisation(found)))
    check(tensors_of(model.context_encoder), tensors, found.source)
    fill(model.context_encoder, tensors)
    fill(model.target_encoder, tensors)
    return model


FAMILY = Family("timm", recognise, load)


def _normalisation(found: Found) -> Normalisation:
    pretrained = parse(dict[str, Any], found.config.get("pretrained_cfg") or {}, found.source, "pretrained_cfg")
    given = {**found.config, **pretrained}
    mean, std = given.get("mean", IMAGENET[0]), given.get("std", IMAGENET[1])
    return parse(Normalisation, (mean, std), found.source, "mean and std")
