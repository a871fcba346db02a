"""I-JEPA as Hugging Face transformers has it (`IJepaModel`): a folder of config.json and model.safetensors, both ways.

It has one encoder and no predictor. transformers stores queries, keys and values separately. Its files have the names
of version 4; since version 5 it has other names in memory. Both are read. Its positions are a table that is resized to
other grids, as kind `resized` is here.

D width
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from foretell.capabilities import EncodesPatches, require
from foretell.errors import DEPTH, FINITE, POSITIVE, SIZE, ForetellError, Range, within
from foretell.hub.files import check, parse, write_atomically, write_json, write_weights
from foretell.hub.official.encoder import (
    IMAGENET,
    Channels,
    Normalisation,
    check_gelu,
    encoder_only,
    fill,
    headless,
    kind_of,
    tensors_of,
)
from foretell.hub.official.family import Family
from foretell.hub.official.found import FoundWeights
from foretell.method import Method
from foretell.methods import IJEPA
from foretell.nn.vit import ViTConfig

C = TypeVar("C")
KEYS = {
    r"patch_embed\.proj": "embeddings.patch_embeddings.projection",
    r"pos_embed": "embeddings.position_embeddings",
    r"blocks\.(\d+)\.norm1": r"encoder.layer.\1.layernorm_before",
    r"blocks\.(\d+)\.attn\.([qkv]\w+)": r"encoder.layer.\1.attention.attention.\2",
    r"blocks\.(\d+)\.attn\.proj": r"encoder.layer.\1.attention.output.dense",
    r"blocks\.(\d+)\.norm2": r"encoder.layer.\1.layernorm_after",
    r"blocks\.(\d+)\.mlp\.fc1": r"encoder.layer.\1.intermediate.dense",
    r"blocks\.(\d+)\.mlp\.fc2": r"encoder.layer.\1.output.dense",
    r"norm": "layernorm",
}
"""Names without `.weight` or `.bias`: Meta's, with queries, keys and values apart -> transformers' on disk."""
MODERN = {
    r"attention\.attention\.([qkv])\w+": r"attention.\1_proj",
    r"attention\.output\.dense": "attention.o_proj",
    r"intermediate\.dense": "mlp.fc1",
    r"output\.dense": "mlp.fc2",
    r"encoder\.layer\.": "layers.",
}
"""Names on disk -> names in memory since transformers 5, one after the other."""
HEADS = ("classifier.", "pooler.")
"""The parts after the encoder in files of finetuned models."""


@dataclass(frozen=True)
class _Config:
    """The fields of transformers' IJepaConfig that describe the encoder, with its defaults."""

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: Literal["gelu"] = "gelu"
    layer_norm_eps: float = 1e-12
    image_size: int | tuple[int, int] = 224
    patch_size: int | tuple[int, int] = 16
    num_channels: Literal[3] = 3
    qkv_bias: bool = True

    def __post_init__(self) -> None:
        within(self, "config.json", hidden_size=SIZE, num_hidden_layers=DEPTH, num_attention_heads=SIZE)
        within(self, "config.json", intermediate_size=Range(1, 10_000_000))


@dataclass(frozen=True)
class _Processor:
    """The work of a transformers processor on pixels of 0 to 255; ImageNet's statistics by default."""

    do_rescale: bool = True
    rescale_factor: float = 1 / 255
    do_normalize: bool = True
    image_mean: Channels = IMAGENET[0]
    image_std: Channels = IMAGENET[1]

    def __post_init__(self) -> None:
        within(self, "the preprocessor's configuration", rescale_factor=POSITIVE, image_mean=FINITE, image_std=POSITIVE)


def recognise(found: FoundWeights) -> bool:
    """Whether config.json says that this is an I-JEPA."""
    return found.config.get("model_type") == "ijepa"


def load(found: FoundWeights) -> IJEPA:
    """The encoder, twice, and a fresh predictor."""
    named = {name.removeprefix("ijepa."): t for name, t in found.tensors.items()}
    tensors = headless(named, HEADS, found.source)
    model = encoder_only(_encoder_config(found, tensors))
    modern = any(name.startswith("layers.") for name in tensors)
    own = apart(tensors_of(model.context_encoder))
    check({_theirs(name, modern): t for name, t in own.items()}, tensors, found.source)
    whole = joined({name: tensors[_theirs(name, modern)] for name in own})
    fill(model.context_encoder, whole)
    fill(model.target_encoder, whole)
    return model


FAMILY = Family("Hugging Face transformers' I-JEPA", recognise, load)


def save(
    model: Method,
    folder: str | Path,
    encoder: Literal["target", "context"] = "target",
    dtype: torch.dtype | None = None,
) -> Path:
    """Save an encoder so that transformers loads it: `IJepaModel.from_pretrained(folder)`.

    `AutoImageProcessor.from_pretrained(folder)` gives the preprocessing: it resizes to the training image's size and
    normalises as the encoder itself does here.

    Args:
        model: any that encodes patches of images.
        folder: made if need be; holds config.json, preprocessor_config.json, model.safetensors and README.md
            afterwards.
        encoder: I-JEPA evaluates the `target` encoder; the released Hugging Face folders have the `context` encoder.
        dtype: store floats in this type; None keeps them.

    Returns:
        The folder.

    Raises:
        ForetellError: the encoder has something that transformers' I-JEPA has no place for, or the disk is full.
    """
    chosen = require(model, EncodesPatches, "transformers' I-JEPA").patch_encoder
    if encoder == "context":
        chosen = getattr(model, "context_encoder", chosen)  # a joint-embedding method has one encoder
    if chosen.positions.rotary:
        raise ForetellError(f"positions are {chosen.config.positions}, and transformers' I-JEPA adds a table of them")
    if chosen.config.registers or chosen.config.stem != "linear":
        found = f"{chosen.config.registers} registers" if chosen.config.registers else "a stem of convolutions"
        raise ForetellError(f"the encoder has {found}, and transformers' I-JEPA has no place for that")
    check_gelu(chosen, "transformers' I-JEPA")
    tensors = {_theirs(name): t for name, t in apart(tensors_of(chosen)).items()}
    c, folder = chosen.config, Path(folder)
    files = {"config.json": _config_json(c), "preprocessor_config.json": _preprocessor_json(c)}
    return write_folder(folder, tensors, dtype, files, _card(folder.name, encoder, type(model).__name__))


def write_folder(
    folder: Path,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype | None,
    files: Mapping[str, dict[str, object]],
    card: str,
) -> Path:
    """Write what transformers loads: model.safetensors, JSON files (config.json also says the type) and README.md."""
    stored = {name: t.to(dtype or t.dtype) for name, t in tensors.items()}
    said = {"dtype": str(next(iter(stored.values())).dtype).removeprefix("torch.")}
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(folder / "model.safetensors", stored, {"format": "pt"})
    for name, content in files.items():
        write_json(folder / name, content | said if name == "config.json" else content)
    write_atomically(folder / "README.md", card)
    return folder


def deciding(schema: type[C], said: Mapping[str, Any], source: Path, file: str = "config.json") -> C:
    """The part of a JSON file that describes the networks: the fields of `schema`. Raises ForetellError for a wrong
    value.
    """
    kind: Any = schema
    names = {field.name for field in fields(kind)}
    return parse(schema, {name: value for name, value in said.items() if name in names}, source, file)


def _encoder_config(found: FoundWeights, tensors: Mapping[str, Tensor]) -> ViTConfig:
    c = deciding(_Config, found.config, found.source)
    image, patch = (n if isinstance(n, tuple) else (n, n) for n in (c.image_size, c.patch_size))
    if image[0] != image[1] or patch[0] != patch[1]:
        raise ForetellError(f"{found.source}: images of {image} pixels in patches of {patch}, expected squares")
    table = tensors.get("embeddings.position_embeddings")
    mean, std = normalisation_of(found)
    config = ViTConfig(
        image_size=image[0],
        patch_size=patch[0],
        width=c.hidden_size,
        depth=c.num_hidden_layers,
        heads=c.num_attention_heads,
        mean=mean,
        std=std,
        mlp_ratio=c.intermediate_size / c.hidden_size,
        eps=c.layer_norm_eps,
        qkv_bias=c.qkv_bias,
    )
    return replace(config, positions=kind_of(table, config.width, config.grid))


def normalisation_of(found: FoundWeights) -> Normalisation:
    """Channel means and deviations of images in [0, 1], as the processor's configuration says; else ImageNet's."""
    p = deciding(_Processor, found.preprocessor, found.source, "the preprocessor's configuration")
    largest = 255 * p.rescale_factor if p.do_rescale else 255.0  # in its pixels; ours are at most 1
    mean, std = (p.image_mean, p.image_std) if p.do_normalize else ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))

    def scaled(channels: Channels) -> Channels:
        red, green, blue = (value / largest for value in channels)
        return red, green, blue

    return scaled(mean), scaled(std)


def _theirs(name: str, modern: bool = False) -> str:
    """transformers' name of a tensor of Meta's."""
    stem, dot, last = name.rpartition(".") if name.endswith((".weight", ".bias")) else (name, "", "")
    for ours, theirs in KEYS.items():
        if match := re.fullmatch(ours, stem):
            stem = match.expand(theirs)
            break
    else:
        raise ForetellError(f"the encoder's {name} has no place in transformers' I-JEPA")
    for old, new in MODERN.items() if modern else ():
        stem = re.sub(old, new, stem)
    return stem + dot + last


def apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Queries, keys and values as three tensors."""
    split: dict[str, Tensor] = {}
    for name, t in tensors.items():
        before, fused, after = name.partition("qkv")
        parts = zip(("query", "key", "value"), t.chunk(3), strict=True) if fused else [("", t)]
        split |= {before + part + after: each for part, each in parts}
    return split


def joined(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The reverse of `apart`."""
    whole = {name: t for name, t in tensors.items() if not re.search(r"attn\.(query|key|value)", name)}
    for name in tensors:
        if ".query." in name:
            parts = [tensors[name.replace("query", part)] for part in ("query", "key", "value")]
            whole[name.replace("query", "qkv")] = torch.cat(parts)
    return whole


def _config_json(c: ViTConfig) -> dict[str, object]:
    return {
        "architectures": ["IJepaModel"],
        "model_type": "ijepa",
        "hidden_size": c.width,
        "num_hidden_layers": c.depth,
        "num_attention_heads": c.heads,
        "intermediate_size": round(c.width * c.mlp_ratio),
        "hidden_act": "gelu",
        "layer_norm_eps": c.eps,
        "image_size": c.image_size,
        "patch_size": c.patch_size,
        "num_channels": 3,
        "qkv_bias": c.qkv_bias,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "initializer_range": 0.02,
    }


def _preprocessor_json(c: ViTConfig) -> dict[str, object]:
    return {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": c.image_size, "width": c.image_size},
        **scaling_json(c),
    }


def scaling_json(c: ViTConfig) -> dict[str, object]:
    """The work of every processor on the pixels."""
    return {
        "do_resize": True,
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(c.mean),
        "image_std": list(c.std),
    }


def _card(name: str, encoder: str, method: str) -> str:
    return f"""---
library_name: transformers
pipeline_tag: image-feature-extraction
tags: [ijepa, foretell]
---

# {name}

The {encoder} encoder of a world model ({method}) made with foretell, in the form of transformers' I-JEPA.

```python
from transformers import AutoImageProcessor, IJepaModel

processor = AutoImageProcessor.from_pretrained("{name}")
model = IJepaModel.from_pretrained("{name}")
latents = model(**processor(images=image, return_tensors="pt")).last_hidden_state  # [B, N, D]
embedding = latents.mean(1)
```
"""
