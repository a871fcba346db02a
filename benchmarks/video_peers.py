"""One exact V-JEPA step in each library, as `benchmarks.peers` has it for I-JEPA: L1 on layer-normed targets, two masks
of each clip, one pass of the target encoder.
"""

from __future__ import annotations

import warnings
from copy import deepcopy
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.peers import (
    LR,
    WEIGHT_DECAY,
    Step,
    autocast,
    average,
    foretell,
    load_encoder,
    load_predictor,
)
from benchmarks.problem import Problem


def transformers(problem: Problem, dtype: torch.dtype) -> Step:
    """transformers' VJEPA2Model, from a folder that `foretell export` would write.

    As shipped its encoder sees the whole clip and its predictor is shown a part of what came out, which is no training
    problem. Here its layers get the visible patches alone, with their places, all contexts in one batch.
    """
    from transformers import VJEPA2Model
    from transformers.models.vjepa2.modeling_vjepa2 import apply_masks

    from foretell.hub.official.huggingface_video import save

    p = problem
    with TemporaryDirectory() as folder:
        model = VJEPA2Model.from_pretrained(save(p.reference, Path(folder))).train()
    encoder, predictor = model.encoder, model.predictor
    target_encoder = deepcopy(encoder).requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), LR, weight_decay=WEIGHT_DECAY)
    clips = p.normalised.transpose(1, 2)
    contexts, targets = p.masks[0], p.masks[1][:, 0]
    each, wanted = list(contexts.split(p.batch)), list(targets.split(p.batch))
    places = contexts.unsqueeze(-1).expand(-1, -1, p.width)

    def step() -> Tensor:
        optimizer.zero_grad()
        with autocast(dtype):
            with torch.no_grad():
                h = target_encoder(clips).last_hidden_state
                h = apply_masks(F.layer_norm(h, (h.shape[-1],)), wanted)
            z = apply_masks(encoder.embeddings(clips), each)
            for layer in encoder.layer:
                z, _ = layer(z, contexts)
            z = encoder.layernorm(z)
            whole = z.new_zeros(len(z), int(places.max()) + 1, p.width).scatter(
                1, places, z
            )  # it picks them from there
            loss = F.l1_loss(predictor(whole, [contexts], [targets]).last_hidden_state, h)
        loss.backward()
        optimizer.step()
        average(target_encoder, encoder)
        return loss.detach()

    return step


def meta(problem: Problem, dtype: torch.dtype) -> Step:
    """Meta's networks of V-JEPA 2 as cc-vjepa2 packs them, in the lines of their trainer: mask by mask."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm has moved what it imports
        from vjepa2.masks.utils import apply_masks
        from vjepa2.models.predictor import VisionTransformerPredictor
        from vjepa2.models.vision_transformer import VisionTransformer
        from vjepa2.utils.wrappers import MultiSeqWrapper, PredictorMultiSeqWrapper

    p = problem
    clip = {"img_size": p.image_size, "patch_size": p.patch_size, "num_frames": p.frames, "tubelet_size": 2}
    options = {"num_heads": p.heads, "norm_layer": partial(nn.LayerNorm, eps=1e-6), "use_rope": True}
    vit = VisionTransformer(**clip, **options, embed_dim=p.width, depth=p.depth)
    narrow = VisionTransformerPredictor(
        **clip,
        **options,
        embed_dim=p.width,
        predictor_embed_dim=p.predictor_width,
        depth=p.predictor_depth,
        use_mask_tokens=True,
        num_mask_tokens=1,
    )
    load_encoder(p, vit)
    load_predictor(
        p,
        narrow.predictor_embed,
        narrow.mask_tokens[0],
        narrow.predictor_blocks,
        narrow.predictor_norm,
        narrow.predictor_proj,
    )
    encoder, predictor = MultiSeqWrapper(vit), PredictorMultiSeqWrapper(narrow)
    target_encoder = deepcopy(encoder).requires_grad_(False)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *predictor.parameters()], LR, weight_decay=WEIGHT_DECAY)
    contexts, targets = list(p.masks[0].split(p.batch)), list(p.masks[1][:, 0].split(p.batch))

    def step() -> Tensor:
        with autocast(dtype):
            with torch.no_grad():
                (h,) = target_encoder([p.normalised])
                h = apply_masks(F.layer_norm(h, (h.size(-1),)), targets, concat=False)
            (z,) = predictor(encoder([p.normalised], [contexts]), [contexts], [targets])
            loss = sum(torch.mean(torch.abs(a - b)) for a, b in zip(z, h, strict=True)) / len(h)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        average(target_encoder, encoder)
        return loss.detach()

    return step


PEERS = {"foretell": foretell, "transformers": transformers, "cc-vjepa2": meta}
