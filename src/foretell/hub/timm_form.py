"""An encoder under the names of timm and torchvision: `foretell export --format timm`.

A ResNet has the same names in both. A ViT is timm's without a class token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foretell.capabilities import EncodesPatches, require
from foretell.errors import ForetellError
from foretell.hub.files import write_atomically, write_json, write_weights
from foretell.hub.official.encoder import tensors_of
from foretell.method import Method
from foretell.nn.resnet import ResNet
from foretell.nn.vit import ViT, ViTConfig

PLAIN = {"eps": 1e-6, "last_width": None, "registers": 0, "stem": "linear", "gelu": "none"}
"""Settings of a ViT for which timm's has a place."""


def save(model: Method, folder: Path, encoder: str, dtype: torch.dtype) -> Path:
    """Write model.safetensors, config.json as timm reads it, and README.md with the lines that load it.

    Args:
        model: a model whose encoder is a ResNet or a ViT of images, such as a SimCLR, VICReg, BYOL, I-JEPA or IWM.
        folder: made if need be.
        encoder: `target`, or `context` where the model has one.
        dtype: type to store floats in.

    Returns:
        The folder.

    Raises:
        ForetellError: the encoder has something for which timm has no place.
    """
    network = encoder_of(model, encoder, "timm's form")
    config, tensors, build = _resnet(network) if isinstance(network, ResNet) else _vit(network)
    said = {"mean": list(network.config.mean), "std": list(network.config.std)}
    side = network.config.image_size
    pretrained = {"input_size": [3, side, side], "fixed_input_size": True, "num_classes": 0, "crop_pct": 1.0, **said}
    folder.mkdir(parents=True, exist_ok=True)
    stored = {name: t.to(dtype) if t.is_floating_point() else t for name, t in tensors.items()}
    write_weights(folder / "model.safetensors", stored, {"format": "pt"})
    write_json(folder / "config.json", config | {"num_classes": 0, "pretrained_cfg": pretrained})
    write_atomically(folder / "README.md", _card(folder.name, build, said))
    return folder


def encoder_of(model: Method, encoder: str, purpose: str) -> Any:
    """A model's ResNet, or its encoder of patches: the target encoder, or where it has one the context encoder.

    Raises:
        ForetellError: it has neither; `purpose` is the subject of the sentence.
    """
    if isinstance(network := getattr(model, "encoder", None), ResNet):
        return network
    network = require(model, EncodesPatches, purpose).patch_encoder
    return getattr(model, "context_encoder", network) if encoder == "context" else network


def _resnet(network: ResNet) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    c = network.config
    if c.last_width is not None or c.base != 64:
        found = f"last_width {c.last_width}" if c.last_width is not None else f"base {c.base}"
        raise ForetellError(f"encoder has {found}, which torchvision's {c.name} has no place for: expected its own")
    small = (
        "\nmodel.conv1 = torch.nn.Conv2d(3, 64, 3, 1, 1, bias=False)  # for small images\n"
        "model.maxpool = torch.nn.Identity()"
        if c.small_images
        else ""
    )
    build = (
        f"model = torchvision.models.{c.name}()  # or timm.create_model({c.name!r}, num_classes=0)\n"
        f"model.fc = torch.nn.Identity(){small}"
    )
    return {"architecture": c.name}, dict(network.net.state_dict()), build


def _vit(network: Any) -> tuple[dict[str, Any], dict[str, Tensor], str]:
    if not isinstance(network, ViT) or type(network.config) is not ViTConfig:
        raise ForetellError(
            f"the encoder is a {type(network.config).__name__}, expected one of images, for timm's form"
        )
    c = network.config
    if network.positions.rotary:
        raise ForetellError(f"encoder.positions are {c.positions}, expected sincos, resized or learned for timm's form")
    for name, plain in PLAIN.items():
        if getattr(c, name) != plain:
            raise ForetellError(f"encoder.{name} is {getattr(c, name)!r}, expected {plain!r} for timm's form")
    arguments = {
        "img_size": c.image_size,
        "patch_size": c.patch_size,
        "embed_dim": c.width,
        "depth": c.depth,
        "num_heads": c.heads,
        "mlp_ratio": c.mlp_ratio,
        "qkv_bias": c.qkv_bias,
        "class_token": False,
        "global_pool": "avg",
        "fc_norm": False,
    }
    told = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    config = {"architecture": "vit_base_patch16_224", "model_args": arguments}
    return config, tensors_of(network), f'model = timm.create_model("vit_base_patch16_224", num_classes=0, {told})'


def _card(name: str, build: str, said: dict[str, list[float]]) -> str:
    return f"""# {name}

An encoder made with foretell. Pixels in [0, 1] are standardised by mean {said["mean"]} and std {said["std"]}. The
features are the mean over patches.

```python
import timm, torch, torchvision
from safetensors.torch import load_file

{build}
model.load_state_dict(load_file("{name}/model.safetensors"))
features = model.eval()((pixels - mean) / std)
```
"""
