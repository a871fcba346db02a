"""Write a model in another library's form: `foretell export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from foretell import hub
from foretell.capabilities import EncodesPatches, require
from foretell.errors import ForetellError
from foretell.hub import onnx_form, timm_form
from foretell.hub.files import finite
from foretell.hub.official import huggingface, huggingface_video
from foretell.method import Method
from foretell.nn.vit import VideoViTConfig

Format = Literal["huggingface", "foretell", "onnx", "timm", "torchvision"]
Encoder = Literal["target", "context"]
Precision = Literal["float32", "float16", "bfloat16"]


def _huggingface(model: Method, out: Path, encoder: Encoder, dtype: torch.dtype) -> Path:
    patches = require(model, EncodesPatches, "transformers' form").patch_encoder
    save = huggingface_video.save if isinstance(patches.config, VideoViTConfig) else huggingface.save
    return save(model, out, encoder, dtype)


FORMATS: dict[str, Callable[[Method, Path, Encoder, torch.dtype], Path]] = {
    "huggingface": _huggingface,
    "onnx": onnx_form.save,
    "timm": timm_form.save,
    "torchvision": timm_form.save,
    "foretell": lambda model, out, _, dtype: hub.save(model, out, dtype=dtype),
}
"""name -> what writes it, given the model, where to, which encoder (for forms that hold one) and the type of floats."""


def export(
    model: Method, out: Path, format: str = "huggingface", encoder: Encoder = "target", dtype: Precision = "float32"
) -> Path:
    """Write a model in another form.

    Args:
        model: any method.
        out: a folder, made if need be.
        format: `huggingface` writes transformers' I-JEPA, with one encoder. A V-JEPA with positions of kind
            `rotary-vjepa2` becomes its V-JEPA 2, with one encoder and the predictor. `onnx` is an encoder, held against
            torch. `timm` is an encoder under timm's names; `torchvision` is another word for it: a ResNet has the same
            names in both. `foretell` is this library's own form: it turns a training checkpoint of gigabytes into a
            folder that is safe to pass on.
        encoder: which encoder, for forms that have only one.
        dtype: type to store floats in.

    Returns:
        A sentence about the written files.

    Raises:
        ForetellError: the form is unknown or has no place for something of the model, a weight is not finite, or the
            disk is full.
    """
    if format not in FORMATS:
        raise ForetellError(f"format is {format!r}, expected one of {', '.join(FORMATS)}")
    finite(model.state_dict(), "the model")
    return FORMATS[format](model, out, encoder, getattr(torch, dtype))
