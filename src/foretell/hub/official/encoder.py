"""A ViT encoder under the names that Meta's and timm's files share, and what their tensors say of its size.

D width · N patches · P pixels a patch · p pixels a side of a patch
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from math import isqrt, prod
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from foretell.errors import ForetellError, ForetellWarning
from foretell.jepa import JEPA
from foretell.method import seeded
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.positions import PositionKind, Positions
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViT, ViTConfig

HEADS = {192: 3, 384: 6, 768: 12, 1024: 16, 1280: 16, 1408: 16}
"""Attention heads by width (ViT-Ti, S, B, L, H, g), which no tensor's shape tells."""
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""Channel means and deviations that I-JEPA was trained with."""
Channels = tuple[float, float, float]
Normalisation = tuple[Channels, Channels]
J = TypeVar("J", bound=JEPA)


def tensors_of(encoder: ViT) -> dict[str, Tensor]:
    """An encoder's tensors under Meta's names, in Meta's shapes; with the table of positions, where there is one."""
    tensors = encoder.state_dict()
    tensors.pop("positions.table", None)
    patches = tensors.pop("patch_embed.weight")
    if not encoder.positions.rotary:
        tensors["pos_embed"] = table_of(encoder.positions, encoder.config.grid)
    return tensors | {
        "patch_embed.proj.weight": patches.unflatten(1, (3, *encoder.patch)),  # [D, P] -> [D, 3, p, p]
        "patch_embed.proj.bias": tensors.pop("patch_embed.bias"),
    }


def table_of(positions: Positions, grid: tuple[int, ...]) -> Tensor:
    """The positions of a grid as files hold them: [1, N, D]."""
    return positions(grid).detach().unsqueeze(0)


def fill(encoder: ViT, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors under Meta's names; they must be those of `tensors_of`, by name and shape."""
    own = dict(tensors)
    positions = own.pop("pos_embed", None)
    own["patch_embed.weight"] = own.pop("patch_embed.proj.weight").flatten(1)
    own["patch_embed.bias"] = own.pop("patch_embed.proj.bias")
    if positions is not None and encoder.config.positions == "learned":
        own["positions.table"] = positions[0]
    encoder.load_state_dict(own)


def config_of(
    tensors: Mapping[str, Tensor], source: Path, heads: int | None = None, normalisation: Normalisation = IMAGENET
) -> ViTConfig:
    """Read an encoder's configuration off its tensors, under Meta's names.

    Args:
        tensors: an encoder's.
        source: their name in errors.
        heads: attention heads; None infers them from the width.
        normalisation: channel means and deviations.

    Raises:
        ForetellError: a tensor is missing that tells a size, or a size is one that this ViT cannot have.
    """
    telling = ("patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight")
    patches, positions, hidden = tell(tensors, telling, source, "the encoder's size")
    if patches.ndim != 4 or patches.shape[1] != 3 or patches.shape[2] != patches.shape[3]:
        raise ForetellError(f"{source}: {telling[0]} is {tuple(patches.shape)}, expected (width, 3, side, side)")
    width, side = patches.shape[0], patches.shape[-1]
    rows = isqrt(positions.shape[1]) if positions.ndim == 3 else 0
    if rows == 0 or positions.shape != (1, rows * rows, width):
        shape = tuple(positions.shape)
        raise ForetellError(f"{source}: pos_embed is {shape}, expected (1, patches of a square image, {width})")
    return ViTConfig(
        image_size=rows * side,
        patch_size=side,
        width=width,
        depth=depth_of(tensors, "blocks."),
        heads=heads or heads_of(width, source),
        mean=normalisation[0],
        std=normalisation[1],
        mlp_ratio=hidden.shape[0] / width,
        qkv_bias="blocks.0.attn.qkv.bias" in tensors,
        positions=kind_of(positions, width, (rows, rows)),
    )


def tell(tensors: Mapping[str, Tensor], names: Collection[str], source: Path, what: str) -> list[Tensor]:
    """The tensors of these names; raises ForetellError where one is missing, or empty, that would tell something."""
    if lacking := [name for name in names if name not in tensors]:
        raise ForetellError(f"{source} lacks {' and '.join(lacking)}, which would tell {what}")
    for name in names:
        if not (tensors[name].ndim and tensors[name].numel()):
            raise ForetellError(f"{source}: {name} is {tuple(tensors[name].shape)}, which tells nothing of {what}")
    return [tensors[name] for name in names]


def heads_of(width: int, source: Path, table: Mapping[int, int] = HEADS) -> int:
    """Attention heads by width; raises ForetellError for an unknown width."""
    if width not in table:
        raise ForetellError(
            f"{source}: nothing says how many attention heads width {width} has; known widths are "
            f"{', '.join(map(str, table))}"
        )
    return table[width]


def depth_of(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """The number of blocks under a prefix."""
    return len({name.removeprefix(prefix).split(".")[0] for name in tensors if name.startswith(prefix)})


def kind_of(table: Tensor | None, width: int, grid: tuple[int, ...], fixed: PositionKind = "resized") -> PositionKind:
    """Whether a stored table of positions, [1, N, D], is the fixed one, up to its own precision, or a learned one.

    A table that is missing, or of another shape or type, says nothing: `check` will give an account of it.
    """
    if table is None or table.shape != (1, prod(grid), width) or not table.is_floating_point():
        return fixed
    expected = table_of(Positions(fixed, width, grid), grid)
    precision = max(1e-5, torch.finfo(table.dtype).eps)
    return fixed if torch.allclose(table.float(), expected, rtol=0, atol=precision) else "learned"


def encoder_only(config: ViTConfig) -> IJEPA:
    """An I-JEPA for weights that hold an encoder alone: its predictor is fresh, and marked as such.

    The predictor has the size that I-JEPA's paper gives it. It is the same each time.
    """
    depth = {1280: 12, 1408: 16}.get(config.width, max(config.depth // 2, 1))
    width = max(min(384, config.width // 2) // config.heads, 1) * config.heads
    predictor = PredictorConfig(width, depth, config.heads, "resized")
    return predictorless(lambda: IJEPA(IJEPAConfig(config, predictor)))


def predictorless(build: Callable[[], J]) -> J:
    """A model for weights that hold no predictor: it has a fresh one, the same each time, and says so."""
    with seeded(0):
        model = build()
    model.untrained = "predictor"
    return model


def check_gelu(encoder: ViT, form: str) -> None:
    """Refuse an encoder whose MLPs approximate the GELU: other forms compute it exactly."""
    if encoder.config.gelu != "none":
        raise ForetellError(f"encoder.gelu is {encoder.config.gelu!r}, expected 'none' for {form}")


def headless(tensors: Mapping[str, Tensor], heads: tuple[str, ...], source: Path) -> dict[str, Tensor]:
    """The tensors without those of a head on top of the encoder; warns where there is one."""
    rest = {name: t for name, t in tensors.items() if not name.startswith(heads)}
    if len(rest) < len(tensors):
        warnings.warn(f"{source} has a head on top of its encoder, which is left out", ForetellWarning, stacklevel=2)
    return rest
