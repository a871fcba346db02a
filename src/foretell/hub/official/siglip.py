"""SigLIP's image tower (arXiv:2303.15343) as a ViT of ours, for methods that stand on another model's encoder.

Its pooling head is left out: what VistaLLM reads is patch by patch.
"""

from __future__ import annotations

from typing import Any

import torch

from foretell.errors import ForetellError
from foretell.hub.official.encoder import Normalisation
from foretell.nn.vit import ViT, ViTConfig

NAMES = {
    "embeddings.position_embedding.weight": "positions.table",
    "embeddings.patch_embedding.bias": "patch_embed.bias",
    "post_layernorm.": "norm.",
    "encoder.layers.": "blocks.",
    ".layer_norm1.": ".norm1.",
    ".layer_norm2.": ".norm2.",
    ".self_attn.out_proj.": ".attn.proj.",
}
"""Parts of transformers' names -> ours, where one is one. Queries, keys and values are apart there."""


def vision_encoder(tower: Any, normalisation: Normalisation) -> ViT:
    """The image tower of a SigLIP.

    Args:
        tower: transformers' `SiglipVisionModel`, or its inner module.
        normalisation: channel means and deviations.

    Raises:
        ForetellError: its MLPs have another nonlinearity.
    """
    c = tower.config
    if c.hidden_act not in ("gelu", "gelu_pytorch_tanh"):
        raise ForetellError(f"the image tower's hidden_act is {c.hidden_act}, expected gelu or gelu_pytorch_tanh")
    encoder = ViT(
        ViTConfig(
            image_size=c.image_size,
            patch_size=c.patch_size,
            width=c.hidden_size,
            depth=c.num_hidden_layers,
            heads=c.num_attention_heads,
            mean=normalisation[0],
            std=normalisation[1],
            mlp_ratio=c.intermediate_size / c.hidden_size,
            eps=c.layer_norm_eps,
            positions="learned",
            gelu="tanh" if c.hidden_act == "gelu_pytorch_tanh" else "none",
        )
    )
    given = {name: t for name, t in tower.state_dict().items() if not name.startswith("head.")}
    tensors = {"patch_embed.weight": given.pop("embeddings.patch_embedding.weight").flatten(1)}
    for block in range(c.num_hidden_layers):
        for kind in ("weight", "bias"):
            apart = [given.pop(f"encoder.layers.{block}.self_attn.{each}_proj.{kind}") for each in "qkv"]
            tensors[f"blocks.{block}.attn.qkv.{kind}"] = torch.cat(apart)
    for name, t in given.items():
        for theirs, ours in NAMES.items():
            name = name.replace(theirs, ours)
        tensors[name] = t
    encoder.load_state_dict(tensors)
    return encoder
