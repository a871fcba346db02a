"""Training checkpoints of facebookresearch/ijepa (.pth.tar): context encoder, predictor and target encoder.

A dictionary of `encoder`, `predictor` and `target_encoder`, each a dictionary of tensors whose names begin with
`module.`. Entries that only training uses (`opt`, `scaler`, `epoch`, ...) are not read.

d predictor width · D encoder width
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from foretell.errors import ForetellError
from foretell.hub.files import check
from foretell.hub.official.encoder import (
    J,
    config_of,
    depth_of,
    encoder_only,
    fill,
    kind_of,
    table_of,
    tell,
    tensors_of,
)
from foretell.hub.official.family import Family
from foretell.hub.official.found import FoundWeights, bare, tensors_in
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.positions import ROTARY, PositionKind
from foretell.nn.predictor import Predictor, PredictorConfig
from foretell.nn.vit import ViTConfig

C = TypeVar("C", bound=ViTConfig)

PREDICTOR = {
    "embed": "predictor_embed",
    "blocks": "predictor_blocks",
    "norm": "predictor_norm",
    "project": "predictor_proj",
}
"""First part of a name: ours -> Meta's. The mask token and the positions change shape as well."""


NETWORKS = {
    "encoder": ("encoder", "context_encoder"),
    "predictor": ("predictor",),
    "target_encoder": ("target_encoder", "ema_encoder"),
}
"""A network -> the names that it has in checkpoints."""


def recognise(found: FoundWeights) -> bool:
    """Whether this is a dictionary with an `encoder` or a `target_encoder`; those of clips are asked for first."""
    return any("patch_embed.proj.weight" in part for part in parts_of(found).values())


def load(found: FoundWeights) -> IJEPA:
    """The whole model. Where a checkpoint has one encoder alone, it serves as both."""
    parts = parts_of(found)
    encoder = same(parts, lambda part: config_of(part, found.source), found.source)
    if "predictor" not in parts:
        return filled(encoder_only(encoder), parts, found.source)
    predictor = predictor_config(parts["predictor"], found.source, encoder.grid, "resized", encoder.heads)
    return filled(IJEPA(IJEPAConfig(encoder, predictor)), parts, found.source)


FAMILY = Family("facebookresearch/ijepa", recognise, load)


def parts_of(found: FoundWeights) -> dict[str, dict[str, Tensor]]:
    """The networks of a training checkpoint; raises ForetellError where one of them is something else."""
    content = _grouped(found.content)
    parts = {
        name: part
        for name, others in NETWORKS.items()
        if (part := next((content[other] for other in others if content.get(other) is not None), None)) is not None
    }
    networks = {name: tensors_in(part) for name, part in parts.items() if isinstance(part, dict)}
    if networks and (odd := parts.keys() - networks.keys()):
        kinds = ", ".join(f"{name} has the type {type(parts[name]).__name__}" for name in sorted(odd))
        raise ForetellError(f"{found.source}: {kinds}, expected a dictionary of tensors")
    return networks


def _grouped(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint's networks as dictionaries, also where it has one dictionary of all tensors, as Lightning's has."""
    known = {other for others in NETWORKS.values() for other in others}
    flat = content.get("state_dict")
    if known & content.keys() or not isinstance(flat, dict):
        return content
    groups: dict[str, dict[str, Any]] = {}
    for name, t in flat.items():
        first, _, rest = bare(str(name)).partition(".")
        if first in known and rest:
            groups.setdefault(first, {})[rest] = t
    return groups or content


def same(parts: Mapping[str, Mapping[str, Tensor]], read: Callable[[Mapping[str, Tensor]], C], source: Path) -> C:
    """The configuration that the encoders of a checkpoint share; raises ForetellError where they differ."""
    configs = {read(parts[name]) for name in ("encoder", "target_encoder") if name in parts}
    if len(configs) > 1:
        raise ForetellError(f"{source}: encoder and target_encoder differ in size")
    return configs.pop()


def filled(model: J, parts: Mapping[str, Mapping[str, Tensor]], source: Path) -> J:
    """A model with a checkpoint's tensors in it, of which there must be all and no other."""
    given = {"encoder", "target_encoder"} & parts.keys()
    grid = model.context_encoder.config.grid
    expected = {name: tensors_of(model.context_encoder) for name in given}
    if "predictor" in parts:
        expected["predictor"] = predictor_tensors(model.predictor, grid)
    check(_flat(expected), _flat(parts), source)
    for home, names in (
        (model.context_encoder, ("encoder", "target_encoder")),
        (model.target_encoder, ("target_encoder", "encoder")),
    ):
        fill(home, next(parts[name] for name in names if name in parts))
    if "predictor" in parts:
        fill_predictor(model.predictor, parts["predictor"])
    return model


def predictor_tensors(predictor: Predictor, grid: tuple[int, ...]) -> dict[str, Tensor]:
    """A predictor's tensors under Meta's names, in Meta's shapes; with the table of positions, where there is one."""
    tensors = predictor.state_dict()
    tensors.pop("positions.table", None)
    body = {".".join((PREDICTOR[first], *rest)): t for (first, *rest), t in _split(tensors) if first != "queries"}
    if not predictor.positions.rotary:
        body["predictor_pos_embed"] = table_of(predictor.positions, grid)
    if "queries.token" in tensors:
        return body | {"mask_token": tensors["queries.token"].view(1, 1, -1)}
    return body | {f"mask_tokens.{n}": token.view(1, 1, -1) for n, token in enumerate(tensors["queries.tokens"])}


def fill_predictor(predictor: Predictor, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors under Meta's names; they must be those of `predictor_tensors`, by name and shape."""
    rest = dict(tensors)
    positions = rest.pop("predictor_pos_embed", None)
    if "mask_token" in rest:
        tokens = {"queries.token": rest.pop("mask_token").flatten()}
    else:
        several = [name for name in rest if name.startswith("mask_tokens.")]
        numbered = [rest.pop(f"mask_tokens.{n}").flatten() for n in range(len(several))]
        tokens = {"queries.tokens": torch.stack(numbered)}
    ours = {theirs: name for name, theirs in PREDICTOR.items()}
    own = {".".join((ours[first], *tail)): t for (first, *tail), t in _split(rest)} | tokens
    if positions is not None and predictor.positions.kind == "learned":
        own["positions.table"] = positions[0]
    predictor.load_state_dict(own)


def predictor_config(
    tensors: Mapping[str, Tensor], source: Path, grid: tuple[int, ...], fixed: PositionKind, heads: int | None
) -> PredictorConfig:
    """Read a predictor's configuration off its tensors, under Meta's names.

    Args:
        tensors: a predictor's.
        source: their name in errors.
        grid: patches along each axis of the training image.
        fixed: the kind of its positions, unless a table is found that is not of this kind.
        heads: attention heads; None gives each 32 channels.

    Raises:
        ForetellError: a tensor is missing that tells a size, or heads do not divide the width.
    """
    telling = ["predictor_embed.weight", "predictor_blocks.0.mlp.fc1.weight"]
    telling += [] if fixed in ROTARY else ["predictor_pos_embed"]
    embed, hidden, *table = tell(tensors, telling, source, "the predictor's size")
    width = embed.shape[0]
    heads = heads or max(width // 32, 1)
    if width % heads:
        raise ForetellError(f"{source}: predictor width {width} is not a multiple of {heads} heads")
    return PredictorConfig(
        width=width,
        depth=depth_of(tensors, "predictor_blocks."),
        heads=heads,
        positions=kind_of(table[0], width, grid, fixed) if table else fixed,
        mlp_ratio=hidden.shape[0] / width,
        qkv_bias="predictor_blocks.0.attn.qkv.bias" in tensors,
    )


def _flat(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{part}.{name}": t for part, tensors in parts.items() for name, t in tensors.items()}


def _split(tensors: Mapping[str, Tensor]) -> list[tuple[list[str], Any]]:
    return [(name.split("."), t) for name, t in tensors.items()]
