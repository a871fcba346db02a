"""An encoder as ONNX, held against torch before it is handed over: `foretell export --format onnx`.

B batch · N patches · D width
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.hub.files import write_atomically
from foretell.hub.timm_form import encoder_of
from foretell.method import Method
from foretell.nn.positions import ROTARY
from foretell.nn.vit import VideoViTConfig, ViT, pool

AGREES = 1e-4
"""How much the file's answers may differ from torch's."""
OPSET = 17


class _Encoder(nn.Module):
    """Pixels to latents and their mean."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Float[Tensor, "B 3 ..."]) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B D"]]:
        latents = self.network(pixels)
        return latents, pool(latents)


def save(model: Method, folder: Path, encoder: str, dtype: torch.dtype) -> Path:
    """Write model.onnx and README.md.

    Its input is `pixels` [B, 3, S, S] (of clips [B, 3, T, S, S]) in [0, 1], not standardised, float32, at the size of
    the training images. Its outputs are `latents` [B, N, D] and `features` [B, D], their mean. B may be any.

    Args:
        model: one that encodes patches.
        folder: made if need be.
        encoder: `target`, or `context` where the model has one.
        dtype: float32; ONNX holds no other here.

    Returns:
        The folder.

    Raises:
        ForetellError: the model has no such encoder, its positions are rotary, onnxruntime is not installed, or the
            file's answers differ from torch's by more than 1e-4.
    """
    if dtype != torch.float32:
        raise ForetellError(f"dtype is {str(dtype).removeprefix('torch.')}, expected float32 for ONNX")
    network = encoder_of(model, encoder, "ONNX")
    if isinstance(network, ViT) and network.config.positions in ROTARY:
        raise ForetellError(
            f"encoder.positions are {network.config.positions}, which turn complex numbers, and ONNX has none: export "
            "to huggingface, or train with sincos positions"
        )
    runtime = needed("onnxruntime", "checking the ONNX file")
    folder.mkdir(parents=True, exist_ok=True)
    path, size = folder / "model.onnx", _size(network)
    wrapped = _Encoder(network).eval()
    names = ("pixels", "latents", "features")
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of tracing: sizes of the training image are meant to be constants
        torch.onnx.export(
            wrapped,
            (torch.rand(2, 3, *size),),
            str(path),
            dynamo=False,  # the other exporter needs onnxscript
            opset_version=OPSET,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={name: {0: "batch"} for name in names},
        )
        x = torch.rand(3, 3, *size, generator=torch.Generator().manual_seed(0))
        expected = wrapped(x)
        found = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"pixels": x.numpy()})
    apart = max((a - torch.from_numpy(b)).abs().max().item() for a, b in zip(expected, found, strict=True))
    if not apart <= AGREES:
        path.unlink()
        raise ForetellError(f"{path}: its answers differ from torch's by {apart:.1e}, expected {AGREES:g} at most")
    write_atomically(folder / "README.md", _card(folder.name, size, apart))
    return folder


def _size(network: Any) -> tuple[int, ...]:
    config = network.config
    side = (config.image_size, config.image_size)
    return (config.frames, *side) if isinstance(config, VideoViTConfig) else side


def _card(name: str, size: tuple[int, ...], apart: float) -> str:
    return f"""# {name}

An encoder of foretell as ONNX (opset {OPSET}). Its answers differ from torch's by {apart:.0e} at most, on noise.

- `pixels`: float32 [B, 3, {", ".join(map(str, size))}] in [0, 1], not standardised.
- `latents`: float32 [B, N, D], a vector a patch. `features`: float32 [B, D], their mean.

```python
import onnxruntime

session = onnxruntime.InferenceSession("{name}/model.onnx")
latents, features = session.run(None, {{"pixels": pixels}})
```
"""
