"""Checkpoints of V-JEPA 2-AC (facebookresearch/vjepa2): a V-JEPA 2 encoder, and the predictor that reads actions.

The predictor's names are those of V-JEPA's, with `action_encoder` and `state_encoder`. `extrinsics_encoder`, for the
place of the camera, is in the file and was not trained: it is left out.

d predictor width · D encoder width · A actions
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from foretell.hub.files import check
from foretell.hub.official.encoder import depth_of, fill, tell, tensors_of
from foretell.methods import VJEPAAC, VJEPAACConfig
from foretell.nn.causal import CausalConfig, CausalPredictor
from foretell.nn.vit import VideoViTConfig

NAMES = {
    "embed": "predictor_embed",
    "embed_action": "action_encoder",
    "embed_state": "state_encoder",
    "blocks": "predictor_blocks",
    "norm": "predictor_norm",
    "project": "predictor_proj",
}
"""First part of a name: ours -> Meta's."""
FRAMES, FPS, HEAD = 16, 4.0, 64
"""What no tensor tells: frames of a training clip and a second (arXiv:2506.09985, §3.1), and the width of a head."""
LIMIT = 0.075
"""How far the paper's planner goes in a step; the file does not tell the largest actions of training."""


def is_ac(predictor: Mapping[str, Tensor]) -> bool:
    """Whether a predictor reads actions."""
    return any(name.startswith(("action_encoder.", "state_encoder.")) for name in predictor)


def load(parts: Mapping[str, Mapping[str, Tensor]], encoder: VideoViTConfig, source: Path) -> VJEPAAC:
    """The whole model.

    Args:
        parts: the networks of the checkpoint, without tables of positions.
        encoder: the encoder's configuration.
        source: their name in errors.

    Raises:
        ForetellError: a tensor is missing, unexpected or of another shape.
    """
    given = {name: t for name, t in parts["predictor"].items() if not name.startswith("extrinsics_encoder.")}
    embed, action = tell(given, ("predictor_embed.weight", "action_encoder.weight"), source, "the predictor's size")
    width, actions = embed.shape[0], action.shape[-1]
    predictor = CausalConfig(
        width, depth_of(given, "predictor_blocks."), max(width // HEAD, 1), positions="rotary-vjepa2"
    )
    model = VJEPAAC(
        VJEPAACConfig(encoder, predictor, actions, actions, FRAMES, fps=FPS)  # the state has as many numbers
    )
    name = next(name for name in ("target_encoder", "encoder") if name in parts)
    expected = {f"{name}.{key}": t for key, t in tensors_of(model.encoder).items()}
    expected |= {f"predictor.{key}": t for key, t in _theirs(model.predictor).items()}
    found = {f"{name}.{key}": t for key, t in parts[name].items()} | {f"predictor.{key}": t for key, t in given.items()}
    check(expected, found, source)
    fill(model.encoder, parts[name])
    ours = {theirs: own for own, theirs in NAMES.items()}
    renamed = {".".join((ours[first], *rest)): t for (first, *rest), t in _split(given)}
    model.predictor.load_state_dict(renamed)
    model.action_limit.fill_(LIMIT)
    return model


def _theirs(predictor: CausalPredictor) -> dict[str, Tensor]:
    """A predictor's tensors under Meta's names."""
    return {".".join((NAMES[first], *rest)): t for (first, *rest), t in _split(predictor.state_dict())}


def _split(tensors: Mapping[str, Tensor]) -> list[tuple[list[str], Tensor]]:
    return [(name.split("."), t) for name, t in tensors.items()]
