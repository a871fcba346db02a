"""Training checkpoints of facebookresearch/ijepa (.pth.tar): context encoder, predictor and target encoder.

A dictionary of `encoder`, `predictor` and `target_encoder`, each a dictionary of tensors whose names begin with
`module.`; what is of use to training alone (`opt`, `scaler`, `epoch`, ...) is not read.

d predictor width · D encoder width
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from foretell.errors import ForetellError
from foretell.hub.files import check
from foretell.hub.official.encoder import config_of, depth_of, encoder_only, fill, kind_of, tensors_of
from foretell.hub.official.family import Family
from foretell.hub.official.found import Found, tensors_in
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.predictor import Predictor, PredictorConfig

PREDICTOR = {
    "embed": "predictor_embed",
    "blocks": "predictor_blocks",
    "norm": "predictor_norm",
    "project": "predictor_proj",
}
"""First part of a name: ours -> Meta's. The mask token and the positions change shape as well."""


def recognise(found: Found) -> bool:
    """Whether this is a dictionary with an `encoder` or a `target_encoder` for images."""
    return any("patch_embed.proj.weight" in part for part in _parts(found).values())


def load(found: Found) -> IJEPA:
    """The whole model. Where a checkpoint has one encoder alone, it serves as both."""
    parts = _parts(found)
    given = {"encoder", "target_encoder"} & parts.keys()
    configs = {name: config_of(parts[name], found.source) for name in sorted(given)}
    if len(set(configs.values())) > 1:
        raise ForetellError(f"{found.source}: encoder and target_encoder differ in size")
    encoder = next(iter(configs.values()))
    if "predictor" in parts:
        predictor = _predictor_config(parts["predictor"], encoder.heads, encoder.grid, found)
        model = IJEPA(IJEPAConfig(encoder, predictor))
    else:
        model = encoder_only(encoder)

    expected = {name: tensors_of(model.context_encoder) for name in given}
    if "predictor" in parts:
        expected["predictor"] = predictor_tensors(model.predictor, encoder.grid)
    check(_flat(expected), _flat(parts), found.source)
    for home, names in (
        (model.context_encoder, ("encoder", "target_encoder")),
        (model.target_encoder, ("target_encoder", "encoder")),
    ):
        fill(home, next(parts[name] for name in names if name in parts))
    if "predictor" in parts:
        fill_predictor(model.predictor, parts["predictor"])
    return model


FAMILY = Family("facebookresearch/ijepa", recognise, load)


def predictor_tensors(predictor: Predictor, grid: tuple[int, ...]) -> dict[str, Tensor]:
    """A predictor's tensors under Meta's names, in Meta's shapes; the table of positions is always among them."""
    tensors = predictor.state_dict()
    tensors.pop("positions.table", None)
    token = tensors.pop("queries.token")
    return {".".join((PREDICTOR[first], *rest)): t for (first, *rest), t in _split(tensors)} | {
        "mask_token": token.view(1, 1, -1),
        "predictor_pos_embed": predictor.positions(grid).detach().unsqueeze(0),
    }


def fill_predictor(predictor: Predictor, tensors: Mapping[str, Tensor]) -> None:
    """Load tensors under Meta's names; they must be those of `predictor_tensors`, by name and shape."""
    rest = dict(tensors)
    token, positions = rest.pop("mask_token"), rest.pop("predictor_pos_embed")
    ours = {theirs: name for name, theirs in PREDICTOR.items()}
    own = {".".join((ours[first], *tail)): t for (first, *tail), t in _split(rest)} | {"queries.token": token.flatten()}
    if predictor.positions.kind == "learned":
        own["positions.table"] = positions[0]
    predictor.load_state_dict(own)


def _parts(found: Found) -> dict[str, dict[str, Tensor]]:
    names = ("encoder", "predictor", "target_encoder")
    return {name: tensors_in(part) for name in names if isinstance(part := found.content.get(name), dict)}


def _predictor_config(
    tensors: Mapping[str, Tensor], heads: int, grid: tuple[int, ...], found: Found
) -> PredictorConfig:
    """[d, D] tells the width, the names tell the depth; heads are the encoder's, as in Meta's `init_model`."""
    telling = ("predictor_embed.weight", "predictor_pos_embed")
    if lacking := [name for name in telling if name not in tensors]:
        raise ForetellError(f"{found.source} lacks {' and '.join(lacking)}, which would tell the predictor's size")
    embed, positions = (tensors[name] for name in telling)
    width = embed.shape[0]
    if width % heads:
        raise ForetellError(f"{found.source}: predictor width {width} is not a multiple of the encoder's {heads} heads")
    return PredictorConfig(width, depth_of(tensors, "predictor_blocks."), heads, kind_of(positions, width, grid))


def _flat(parts: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {f"{part}.{name}": t for part, tensors in parts.items() for name, t in tensors.items()}


def _split(tensors: Mapping[str, Tensor]) -> list[tuple[list[str], Any]]:
    return [(name.split("."), t) for name, t in tensors.items()]
