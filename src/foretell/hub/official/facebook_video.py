"""Checkpoints of facebookresearch/jepa (V-JEPA, .pth.tar) and facebookresearch/vjepa2 (V-JEPA 2, .pt).

Laid out as I-JEPA's, with patches of several frames, names that begin with `module.backbone.`, and several mask tokens:
V-JEPA has one for each of its two masks, V-JEPA 2 has ten (see `asked_with`). V-JEPA adds fixed positions, whose tables
are in the file. V-JEPA 2 turns queries and keys; if its file still has a table, that is not read.

D width · N patches · T tubelets · t frames a tubelet · p pixels a side of a patch · d predictor width
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from math import isqrt
from pathlib import Path

import torch
from torch import Tensor

from foretell.errors import ForetellError, ForetellWarning
from foretell.hub.official import facebook_ac
from foretell.hub.official.encoder import HEADS, depth_of, heads_of, kind_of, predictorless, tell
from foretell.hub.official.facebook import filled, parts_of, predictor_config, same
from foretell.hub.official.family import Family
from foretell.hub.official.found import FoundWeights
from foretell.masking import TubeMasks
from foretell.methods import VJEPA, VJEPAAC, VJEPAConfig
from foretell.nn.positions import PositionKind
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig

PATCHES = "patch_embed.proj.weight"
VJEPA2_HEADS = HEADS | {1408: 22}
"""Attention heads by width: V-JEPA 2's ViT-g has heads 64 wide, unlike I-JEPA's."""
VJEPA2_FRAMES, VJEPA2_SIDE, VJEPA2_FPS = 64, 256, 4.0
"""Clips that V-JEPA 2 was trained on at the end, which no tensor tells: frames, pixels a side, frames a second."""


TWO_ONE = ("norms_block.", "patch_embed_img.")
"""Beginnings of names that only V-JEPA 2.1's encoders have: norms of several layers, and an own embedding of images."""


def recognise(found: FoundWeights) -> bool:
    """Whether there are encoders for clips: patches with an axis of time."""
    encoders = [part for name, part in _parts(found).items() if name != "predictor" and PATCHES in part]
    return bool(encoders) and all(part[PATCHES].ndim == 5 for part in encoders)


def load(found: FoundWeights) -> VJEPA | VJEPAAC:
    """The whole model. Where a checkpoint has one encoder alone, it serves as both."""
    parts = _parts(found)
    predictor = parts.get("predictor", {})
    encoders = [part for name, part in parts.items() if name != "predictor"]
    _refuse_two_one(predictor, encoders, found.source)
    if facebook_ac.is_ac(predictor):
        parts = {name: _without_tables(part) for name, part in parts.items()}
        encoder = same(parts, lambda part: _encoder_config(part, found.source, "rotary-vjepa2"), found.source)
        return facebook_ac.load(parts, encoder, found.source)
    tokens = {name: t for name, t in predictor.items() if re.fullmatch(r"mask_tokens\.\d+", name)}
    if not _is_first(encoders, predictor, tokens):
        parts = {name: _without_tables(part) for name, part in parts.items()}
        if tokens:
            several = [tokens[name] for name in sorted(tokens, key=_number)]
            if len({token.shape for token in several}) > 1:
                raise ForetellError(f"{found.source}: mask tokens have several shapes, expected one")
            token = asked_with(torch.stack(several), found.source)
            rest = {name: t for name, t in predictor.items() if name not in tokens}
            parts["predictor"] = _without_tables(rest) | {"mask_token": token}
        return _build(parts, found.source, "rotary-vjepa2")
    return _build(parts, found.source, "resized-vjepa", 1 + max(map(_number, tokens), default=1))


def _number(name: str) -> int:
    """The number of a mask token."""
    return int(name.rpartition(".")[2])


def _is_first(encoders: list[dict[str, Tensor]], predictor: Mapping[str, Tensor], tokens: Mapping[str, Tensor]) -> bool:
    """Whether this is a V-JEPA, and not a V-JEPA 2, which has rotary positions.

    V-JEPA has tables of positions. In some files of V-JEPA 2 there are such, too, which nothing reads; V-JEPA 2 has a
    token for each length of clips, most of which were never learned and are zero. V-JEPA has one for each kind of mask,
    and learns all.
    """
    if not any("pos_embed" in part for part in encoders):
        return False
    return len(tokens) <= 2 or (
        "predictor_pos_embed" in predictor and len({bool(t.any()) for t in tokens.values()}) == 1
    )


def _refuse_two_one(predictor: Mapping[str, Tensor], encoders: list[dict[str, Tensor]], source: Path) -> None:
    """V-JEPA 2.1 predicts several layers of its encoder, and its layout is not known well enough to be read."""
    signs = [name for part in encoders for name in part if name.startswith(TWO_ONE)]
    widths = {part[PATCHES].shape[0] for part in encoders if PATCHES in part}
    out = predictor.get("predictor_proj.weight")
    if out is not None and out.ndim == 2 and len(widths) == 1 and len(out) == 4 * min(widths):
        signs.append(f"its predictor answers {len(out)} numbers a patch")
    if signs:
        raise ForetellError(
            f"{source} looks like a V-JEPA 2.1 ({signs[0]}), which is not read, expected a V-JEPA, V-JEPA 2 or "
            "V-JEPA 2-AC: name a file of one of these"
        )


FAMILY = Family("facebookresearch/jepa and vjepa2", recognise, load)


def asked_with(tokens: Tensor, source: Path) -> Tensor:
    """The mask token [1, 1, d] of several [n, 1, 1, d] that V-JEPA 2 predicts with.

    Its code learns a token for each length of clip in a batch. With clips of one length only the first was learned, but
    its hub and transformers predict with the second. The second is taken if it was learned, and otherwise the first
    that was. A token that was never learned is zero.

    Warns:
        ForetellWarning: several were learned, and the others are left out.
    """
    learned = [n for n, token in enumerate(tokens) if token.any()]
    usual = min(1, len(tokens) - 1)
    chosen = usual if usual in learned or not learned else learned[0]
    if len(learned) > 1:
        warnings.warn(
            f"{source} has {len(learned)} mask tokens that were learned; number {chosen} is taken, as in "
            "transformers and Meta's hub, and the others are left out",
            ForetellWarning,
            stacklevel=2,
        )
    return tokens[chosen]


def _build(parts: Mapping[str, Mapping[str, Tensor]], source: Path, positions: PositionKind, kinds: int = 2) -> VJEPA:
    """The model; `kinds` is the number of mask tokens of a V-JEPA."""
    encoder = same(parts, lambda part: _encoder_config(part, source, positions), source)
    rotary = positions == "rotary-vjepa2"
    heads = None if rotary else encoder.heads
    if "predictor" in parts:
        predictor = predictor_config(parts["predictor"], source, encoder.grid, positions, heads)
    else:
        predictor = PredictorConfig(384, 12, heads or 12, positions)  # as the papers have it
    if rotary:
        config = VJEPAConfig(encoder, predictor, fps=VJEPA2_FPS)
    else:
        single = "mask_token" in parts.get("predictor", {})
        masks = TubeMasks(blocks=_blocks(kinds))
        config = VJEPAConfig(encoder, predictor, masks, stride=4, token_per_mask=not single)
    model = VJEPA(config) if "predictor" in parts else predictorless(lambda: VJEPA(config))
    return filled(model, parts, source)


def _blocks(kinds: int) -> tuple[tuple[int, float], ...]:
    """The masks of so many tokens: the paper's two, the first of them, or the second repeated. No file tells them."""
    usual = TubeMasks().blocks
    return (*usual, *usual[-1:] * kinds)[:kinds]


def _encoder_config(tensors: Mapping[str, Tensor], source: Path, positions: PositionKind) -> VideoViTConfig:
    telling = [PATCHES, "blocks.0.mlp.fc1.weight", *(["pos_embed"] if positions == "resized-vjepa" else [])]
    patches, hidden, *table = tell(tensors, telling, source, "the encoder's size")
    if patches.ndim != 5 or patches.shape[1] != 3 or patches.shape[3] != patches.shape[4]:
        shape = tuple(patches.shape)
        raise ForetellError(f"{source}: {PATCHES} is {shape}, expected (width, 3, frames, side, side)")
    width, _, tubelet, side, _ = patches.shape
    if table:
        grid, kind = _grid(table[0], width, source), positions
        kind = kind_of(table[0], width, grid, positions)
        heads = heads_of(width, source)
    else:
        pixels = 384 if "384" in source.stem else VJEPA2_SIDE  # as Meta names its files: nothing inside tells
        grid, kind = (VJEPA2_FRAMES // tubelet, pixels // side, pixels // side), positions
        heads = heads_of(width, source, VJEPA2_HEADS)
    return VideoViTConfig(
        image_size=grid[1] * side,
        patch_size=side,
        width=width,
        depth=depth_of(tensors, "blocks."),
        heads=heads,
        mlp_ratio=hidden.shape[0] / width,
        qkv_bias="blocks.0.attn.qkv.bias" in tensors,
        positions=kind,
        frames=grid[0] * tubelet,
        tubelet=tubelet,
    )


def _grid(table: Tensor, width: int, source: Path) -> tuple[int, int, int]:
    """The grid whose fixed positions a table [1, N, D] holds; of a learned one, the only grid that fits."""
    N = table.shape[1] if table.ndim == 3 else 0
    depths = [T for T in range(1, N + 1) if N % T == 0 and isqrt(N // T) ** 2 == N // T]
    grids = [(T, isqrt(N // T), isqrt(N // T)) for T in sorted(depths, key=lambda T: abs(T - 8))]  # most have 8
    if table.shape == (1, N, width):
        for grid in grids:
            if kind_of(table, width, grid, "resized-vjepa") == "resized-vjepa":
                return grid
        if len(grids) == 1:
            return grids[0]
    raise ForetellError(
        f"{source}: pos_embed, {tuple(table.shape)}, fits no clip of square frames: expected V-JEPA's "
        f"table of positions ({width} wide, uniform_power: true, as in released weights)"
    )


def _without_tables(part: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in part.items() if name not in ("pos_embed", "predictor_pos_embed")}


def _parts(found: FoundWeights) -> dict[str, dict[str, Tensor]]:
    """The networks; a bare dictionary of tensors is one encoder."""
    return parts_of(found) or {"target_encoder": found.tensors}
