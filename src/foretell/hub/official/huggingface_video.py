"""V-JEPA 2 as Hugging Face transformers has it (`VJEPA2Model`): config.json and model.safetensors, both ways.

A folder holds one encoder, which in the released ones is the target encoder, and the predictor. The backbone of a
finetuned `VJEPA2ForVideoClassification` loads too; its head is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import nextafter
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from foretell.errors import SIZE, ForetellError, Range, within
from foretell.hub.files import check
from foretell.hub.official.encoder import fill, headless, predictorless, tensors_of
from foretell.hub.official.facebook import fill_predictor, predictor_tensors
from foretell.hub.official.facebook_video import VJEPA2_FPS, asked_with
from foretell.hub.official.family import Family
from foretell.hub.official.found import FoundWeights
from foretell.hub.official.huggingface import (
    HEADS,
    apart,
    deciding,
    joined,
    normalisation_of,
    scaling_json,
    write_folder,
)
from foretell.method import Method
from foretell.methods import VJEPA, VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig

KEYS = {
    r"patch_embed\.proj": "encoder.embeddings.patch_embeddings.proj",
    r"predictor_embed": "predictor.embeddings.predictor_embeddings",
    r"mask_tokens?": "predictor.embeddings.mask_tokens",
    r"blocks\.(\d+)\.attn\.(\w+)": r"encoder.layer.\1.attention.\2",
    r"blocks\.(\d+)\.(.+)": r"encoder.layer.\1.\2",
    r"predictor_blocks\.(\d+)\.attn\.(\w+)": r"predictor.layer.\1.attention.\2",
    r"predictor_blocks\.(\d+)\.(.+)": r"predictor.layer.\1.\2",
    r"norm": "encoder.layernorm",
    r"predictor_norm": "predictor.layernorm",
    r"predictor_proj": "predictor.proj",
}
"""Names without `.weight` or `.bias`: Meta's, with queries, keys and values apart -> transformers'."""
TOKENS = KEYS["mask_tokens?"]
SCALE = Range(0, 1000, above=True)


@dataclass(frozen=True)
class _Config:
    """The fields of transformers' VJEPA2Config that describe the networks, with its defaults."""

    patch_size: int | tuple[int, int] = 16
    crop_size: int = 256
    frames_per_clip: int = 64
    tubelet_size: int = 2
    hidden_size: int = 1024
    in_chans: Literal[3] = 3
    num_attention_heads: int = 16
    num_hidden_layers: int = 24
    mlp_ratio: float = 4.0
    layer_norm_eps: float = 1e-6
    qkv_bias: bool = True
    hidden_act: Literal["gelu"] = "gelu"
    pred_hidden_size: int = 384
    pred_num_attention_heads: int = 12
    pred_num_hidden_layers: int = 12
    pred_num_mask_tokens: int = 10
    pred_mlp_ratio: float = 4.0

    def __post_init__(self) -> None:
        within(self, "config.json", hidden_size=SIZE, mlp_ratio=SCALE, pred_hidden_size=SIZE, pred_mlp_ratio=SCALE)


def recognise(found: FoundWeights) -> bool:
    """Whether config.json says that this is a V-JEPA 2."""
    return found.config.get("model_type") == "vjepa2"


def load(found: FoundWeights) -> VJEPA:
    """The encoder, twice, and the predictor; a fresh one where the file has none."""
    named = {name.removeprefix("vjepa2."): t for name, t in found.tensors.items()}
    tensors = headless(named, HEADS, found.source)
    config = _ours(deciding(_Config, found.config, found.source), found)
    whole = any(name.startswith("predictor.") for name in tensors)
    model = VJEPA(config) if whole else predictorless(lambda: VJEPA(config))
    if (tokens := tensors.get(TOKENS)) is not None and tokens.ndim == 4 and len(tokens):
        tensors = tensors | {TOKENS: asked_with(tokens, found.source).unsqueeze(0)}
    own = _tensors(model, model.target_encoder, whole)
    check({_theirs(name): t for name, t in own.items()}, tensors, found.source)
    found_own = {name: tensors[_theirs(name)] for name in own}
    predictor = {name: t for name, t in found_own.items() if name.startswith(("predictor_", "mask_"))}
    encoder = joined({name: t for name, t in found_own.items() if name not in predictor})
    fill(model.context_encoder, encoder)
    fill(model.target_encoder, encoder)
    if whole:
        token = predictor.pop("mask_tokens")
        fill_predictor(model.predictor, joined(predictor) | {"mask_token": token[0]})
    return model


FAMILY = Family("Hugging Face transformers' V-JEPA 2", recognise, load)


def save(
    model: Method,
    folder: str | Path,
    encoder: Literal["target", "context"] = "target",
    dtype: torch.dtype | None = None,
) -> Path:
    """Save an encoder and the predictor so that transformers loads them: `VJEPA2Model.from_pretrained(folder)`.

    `AutoVideoProcessor.from_pretrained(folder)` gives the preprocessing: it resizes and crops to the training clip's
    size, and normalises as the encoder itself does here.

    Args:
        model: a V-JEPA with positions of kind `rotary-vjepa2`.
        folder: made if need be; holds config.json, video_preprocessor_config.json, model.safetensors and README.md
            afterwards.
        encoder: the released folders have the `target` encoder.
        dtype: store floats in this type; None keeps them.

    Returns:
        The folder.

    Raises:
        ForetellError: the model has something that transformers' V-JEPA 2 has no place for, or the disk is full.
    """
    if refused := _refusal(model):
        raise ForetellError(f"transformers' V-JEPA 2 has no place for this model: {refused}")
    assert isinstance(model, VJEPA)
    chosen = model.target_encoder if encoder == "target" else model.context_encoder
    own = _tensors(model, chosen, True)
    tensors = {_theirs(name): t for name, t in own.items()}
    folder = Path(folder)
    files = {
        "config.json": _config_json(model, len(own["mask_tokens"])),
        "video_preprocessor_config.json": _preprocessor_json(chosen.config),
    }
    return write_folder(folder, tensors, dtype, files, _card(folder.name, encoder, model))


def _refusal(model: Method) -> str | None:
    if not isinstance(model, VJEPA) or type(model) is not VJEPA:  # one of its controls predicts something else
        return f"it is a {type(model).__name__}, expected a VJEPA"
    encoder, predictor = model.context_encoder.config, model.predictor.config
    for name, config in (("encoder", encoder), ("predictor", predictor)):
        if config.positions != "rotary-vjepa2":
            return f"{name}.positions are {config.positions}, expected rotary-vjepa2, which is chosen before training"
    if encoder.gelu != "none":
        return f"encoder.gelu is {encoder.gelu!r}, expected 'none'"
    if encoder.last_width is not None:
        return f"encoder.last_width is {encoder.last_width}, expected none"
    for name in ("eps", "qkv_bias"):
        ours, theirs = getattr(encoder, name), getattr(predictor, name)
        if ours != theirs:
            return f"{name} is {ours} in the encoder and {theirs} in the predictor, and there is one for both"
    return None


def _ours(c: _Config, found: FoundWeights) -> VJEPAConfig:
    patch = c.patch_size if isinstance(c.patch_size, tuple) else (c.patch_size, c.patch_size)
    if patch[0] != patch[1]:
        raise ForetellError(f"{found.source}: patches of {patch} pixels, expected squares")
    mean, std = normalisation_of(found)
    encoder = VideoViTConfig(
        image_size=c.crop_size,
        patch_size=patch[0],
        width=c.hidden_size,
        depth=c.num_hidden_layers,
        heads=c.num_attention_heads,
        mean=mean,
        std=std,
        mlp_ratio=int(c.hidden_size * c.mlp_ratio) / c.hidden_size,  # cut, not rounded
        eps=c.layer_norm_eps,
        qkv_bias=c.qkv_bias,
        positions="rotary-vjepa2",
        frames=c.frames_per_clip,
        tubelet=c.tubelet_size,
    )
    predictor = PredictorConfig(
        width=c.pred_hidden_size,
        depth=c.pred_num_hidden_layers,
        heads=c.pred_num_attention_heads,
        positions="rotary-vjepa2",
        mlp_ratio=int(c.pred_hidden_size * c.pred_mlp_ratio) / c.pred_hidden_size,
        eps=c.layer_norm_eps,
        qkv_bias=c.qkv_bias,
    )
    return VJEPAConfig(encoder, predictor, fps=VJEPA2_FPS)


def _tensors(model: VJEPA, encoder: ViT, whole: bool) -> dict[str, Tensor]:
    """An encoder and, of a whole model, the predictor under Meta's names; mask tokens are one tensor, [n, 1, 1, d]."""
    tensors = tensors_of(encoder)
    if whole:
        predictor = predictor_tensors(model.predictor, encoder.config.grid)
        tokens = [predictor.pop(name) for name in list(predictor) if name.startswith("mask_token")]
        tensors |= predictor | {"mask_tokens": torch.stack(tokens)}
    return apart(tensors)


def _theirs(name: str) -> str:
    """transformers' name of a tensor of Meta's."""
    stem, dot, last = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
    for ours, theirs in KEYS.items():
        if match := re.fullmatch(ours, stem):
            return match.expand(theirs) + dot + last
    raise ForetellError(f"the model's {name} has no place in transformers' V-JEPA 2")


def _ratio(hidden: int, width: int) -> float:
    """A ratio that gives `hidden` although transformers rounds the product down."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else nextafter(ratio, ratio + 1)


def _config_json(model: VJEPA, tokens: int) -> dict[str, object]:
    c, p = model.context_encoder.config, model.predictor.config
    assert isinstance(c, VideoViTConfig)
    return {
        "architectures": ["VJEPA2Model"],
        "model_type": "vjepa2",
        "patch_size": c.patch_size,
        "crop_size": c.image_size,
        "frames_per_clip": c.frames,
        "tubelet_size": c.tubelet,
        "hidden_size": c.width,
        "in_chans": 3,
        "num_attention_heads": c.heads,
        "num_hidden_layers": c.depth,
        "mlp_ratio": _ratio(round(c.width * c.mlp_ratio), c.width),
        "layer_norm_eps": c.eps,
        "qkv_bias": c.qkv_bias,
        "hidden_act": "gelu",
        "drop_path_rate": 0.0,
        "attention_dropout": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
        "pred_hidden_size": p.width,
        "pred_num_attention_heads": p.heads,
        "pred_num_hidden_layers": p.depth,
        "pred_num_mask_tokens": tokens,
        "pred_zero_init_mask_tokens": True,
        "pred_mlp_ratio": _ratio(round(p.width * p.mlp_ratio), p.width),
    }


def _preprocessor_json(c: ViTConfig) -> dict[str, object]:
    return {
        "video_processor_type": "VJEPA2VideoProcessor",
        "size": {"shortest_edge": c.image_size * 256 // 224},
        "do_center_crop": True,
        "crop_size": {"height": c.image_size, "width": c.image_size},
        **scaling_json(c),
    }


def _card(name: str, encoder: str, model: VJEPA) -> str:
    doubt = "\nThe predictor was never trained.\n" if model.untrained == "predictor" else ""
    return f"""---
library_name: transformers
pipeline_tag: feature-extraction
tags: [vjepa2, foretell]
---

# {name}

The {encoder} encoder and the predictor of a V-JEPA made with foretell, in the form of transformers' V-JEPA 2. Compare
the predictor's output with layer-normed latents.
{doubt}
```python
from transformers import AutoVideoProcessor, VJEPA2Model

processor = AutoVideoProcessor.from_pretrained("{name}")
model = VJEPA2Model.from_pretrained("{name}")
latents = model(**processor(video, return_tensors="pt"), skip_predictor=True).last_hidden_state  # [B, N, D]
```
"""
