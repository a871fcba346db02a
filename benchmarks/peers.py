"""One exact I-JEPA step in each library, written as its own documentation and trainer would have it.

Each function takes the problem and the type to compute in, and returns a function that makes one step (forward,
backward, AdamW, moving average of the target encoder) from the reference's weights and returns its loss.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.problem import Problem
from foretell.nn.positions import sincos

LR, WEIGHT_DECAY, MOMENTUM = 1e-4, 0.04, 0.996
Step = Callable[[], Tensor]


def autocast(dtype: torch.dtype) -> torch.autocast:
    """bfloat16 as every trainer here would use it; nothing for float32."""
    return torch.autocast("cpu", dtype, enabled=dtype != torch.float32)


def foretell(problem: Problem, dtype: torch.dtype) -> Step:
    """As `foretell.train.loop.Trainer.step` does."""
    from foretell.train.optimizer import adamw

    model = deepcopy(problem.reference)
    optimizer = adamw([(module, 1.0) for module in model.trained().values()], LR, WEIGHT_DECAY)

    def step() -> Tensor:
        with autocast(dtype):
            loss = model(problem.views)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        model.update_target(MOMENTUM)
        return loss.detach()

    return step


def lightly(problem: Problem, dtype: torch.dtype) -> Step:
    """lightly's masked ViT and I-JEPA predictor (both over timm's blocks), in a plain loop as in its examples."""
    from lightly.models import utils
    from lightly.models.modules import IJEPAPredictorTIMM, MaskedVisionTransformerTIMM
    from timm.models.vision_transformer import VisionTransformer

    p, N = problem, prod(problem.config.encoder.grid)
    norm = partial(nn.LayerNorm, eps=1e-6)
    size = {"embed_dim": p.width, "depth": p.depth, "num_heads": p.heads, "norm_layer": norm}
    vit = VisionTransformer(p.image_size, p.patch_size, num_classes=0, global_pool="", class_token=False, **size)
    encoder = MaskedVisionTransformerTIMM(vit)
    predictor = IJEPAPredictorTIMM(N, p.predictor_depth, p.width, p.predictor_width, p.heads)
    decoder = predictor.decoder
    load_encoder(p, vit)
    load_predictor(
        p, predictor.predictor_embed, decoder.mask_token, decoder.blocks, decoder.norm, predictor.predictor_proj
    )
    target_encoder = deepcopy(encoder).requires_grad_(False)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *predictor.parameters()], LR, weight_decay=WEIGHT_DECAY)
    context, targets = p.masks[0], list(p.masks[1].unbind(1))

    def step() -> Tensor:
        optimizer.zero_grad()
        with autocast(dtype):
            with torch.no_grad():
                h = target_encoder.encode(p.normalised)
                h = F.layer_norm(h, (h.shape[-1],))
                h = utils.apply_masks(h, targets)
            z = encoder.encode(p.normalised, idx_keep=context)
            loss = F.smooth_l1_loss(predictor(z, context, targets), h)
        loss.backward()
        optimizer.step()
        utils.update_momentum(encoder, target_encoder, MOMENTUM)
        return loss.detach()

    return step


def simulusion(problem: Problem, dtype: torch.dtype) -> Step:
    """simulusion's ports of the official networks and optimiser, in the lines of its JEPATask."""
    from simulusion.helpers.jepa_helper import init_opt
    from simulusion.models.vit import VisionTransformer, vit_predictor
    from simulusion.utils.jepa_utils import repeat_interleave_batch
    from simulusion.utils.utils import apply_masks

    p, N = problem, prod(problem.config.encoder.grid)
    encoder = VisionTransformer(
        img_size=[p.image_size],
        patch_size=p.patch_size,
        embed_dim=p.width,
        depth=p.depth,
        num_heads=p.heads,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    predictor = vit_predictor(
        num_patches=N,
        embed_dim=p.width,
        predictor_embed_dim=p.predictor_width,
        depth=p.predictor_depth,
        num_heads=p.heads,
    )
    load_encoder(p, encoder)
    load_predictor(
        p,
        predictor.predictor_embed,
        predictor.mask_token,
        predictor.predictor_blocks,
        predictor.predictor_norm,
        predictor.predictor_proj,
    )
    target = deepcopy(encoder).requires_grad_(False)
    rates = {"start_lr": LR, "ref_lr": LR, "final_lr": LR, "wd": WEIGHT_DECAY, "final_wd": WEIGHT_DECAY}
    optimizer, _, lr, wd = init_opt(encoder, predictor, iterations_per_epoch=100, warmup=0, num_epochs=100, **rates)
    context, targets = [p.masks[0]], list(p.masks[1].unbind(1))

    def step() -> Tensor:
        lr.step()
        wd.step()
        with autocast(dtype):
            with torch.no_grad():
                h = target(p.normalised)
                h = F.layer_norm(h, (h.size(-1),))
                h = apply_masks(h, targets)
                h = repeat_interleave_batch(h, p.batch, repeat=len(context))
            z = predictor(encoder(p.normalised, context), context, targets)
            loss = F.smooth_l1_loss(z, h)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average(target, encoder)
        return loss.detach()

    return step


def stable_pretraining(problem: Problem, dtype: torch.dtype) -> Step:
    """stable-pretraining's IJEPA and its teacher update.

    As shipped it predicts all blocks jointly, which is a smaller problem. Here its predictor has the blocks in the
    batch, as the paper has them, and the others' heads, positions and ε.
    """
    from stable_pretraining.backbone import FlexibleTransformer
    from stable_pretraining.methods.ijepa import IJEPA
    from timm.models.vision_transformer import VisionTransformer

    p, N = problem, prod(problem.config.encoder.grid)
    norm = partial(nn.LayerNorm, eps=1e-6)
    size = {"embed_dim": p.width, "depth": p.depth, "num_heads": p.heads, "norm_layer": norm}
    vit = VisionTransformer(p.image_size, p.patch_size, num_classes=0, global_pool="", class_token=False, **size)
    with torch.no_grad():
        vit.pos_embed.copy_(sincos(p.width, p.config.encoder.grid))
    model = IJEPA(vit, p.predictor_width, p.predictor_depth, ema_decay_start=MOMENTUM, ema_decay_end=MOMENTUM)
    model.predictor = FlexibleTransformer(
        p.width,
        p.predictor_width,
        p.width,
        N,
        p.predictor_depth,
        p.heads,
        self_attn=True,
        cross_attn=False,
        add_mask_token=True,
        use_adaln=False,
        num_prefix_tokens=0,
        zero_init_output=False,
    )
    for encoder in (model.encoder.student, model.encoder.teacher):
        encoder.vit.pos_embed.requires_grad_(False)
        load_encoder(p, encoder.vit)
    predictor = model.predictor
    predictor.pos_embed.copy_(sincos(p.predictor_width, p.config.encoder.grid))
    for module in predictor.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-6
    load_predictor(
        p,
        predictor.context_proj,
        predictor.mask_token,
        predictor.blocks,
        predictor.final_norm,
        predictor.output_proj,
    )
    model.train()
    optimizer = torch.optim.AdamW([q for q in model.parameters() if q.requires_grad], LR, weight_decay=WEIGHT_DECAY)
    context, (M, L) = p.masks[0], p.masks[1].shape[1:]
    rows = columns = p.image_size // p.patch_size
    asked = p.masks[1].flatten(0, 1)
    every = torch.arange(N).expand(p.batch, -1)
    gather = asked.view(p.batch, M * L, 1).expand(-1, -1, p.width)

    def step() -> Tensor:
        optimizer.zero_grad()
        with autocast(dtype):
            student, teacher = model.encoder.student, model.encoder.teacher
            patches = student.patch_embed(p.normalised)
            z = model._encode(patches, context, rows, columns, student)
            with torch.no_grad():
                h = model._encode(teacher.patch_embed(p.normalised), every, rows, columns, teacher)
                h = F.layer_norm(h, [h.size(-1)]).gather(1, gather)
            queries = torch.zeros(p.batch * M, L, p.width, dtype=z.dtype)
            prediction = predictor(
                context=z.repeat_interleave(M, 0),
                queries=queries,
                context_idx=context.repeat_interleave(M, 0),
                query_idx=asked,
                query_mask=torch.ones(p.batch * M, L, dtype=torch.bool),
            )
            loss = F.smooth_l1_loss(prediction, h.view_as(prediction))
        loss.backward()
        optimizer.step()
        model.encoder.update_teacher()
        return loss.detach()

    return step


PEERS = {
    "foretell": foretell,
    "lightly": lightly,
    "simulusion": simulusion,
    "stable-pretraining": stable_pretraining,
}


@torch.no_grad()
def average(target_encoder: nn.Module, encoder: nn.Module) -> None:
    """The moving average, as Meta's trainers make it."""
    slow, fast = list(target_encoder.parameters()), list(encoder.parameters())
    torch._foreach_mul_(slow, MOMENTUM)
    torch._foreach_add_(slow, fast, alpha=1 - MOMENTUM)


@torch.no_grad()
def load_encoder(problem: Problem, vit: nn.Module) -> None:
    """The reference's weights into a ViT with timm's names."""
    ours = problem.reference.context_encoder
    vit.patch_embed.proj.weight.copy_(ours.patch_embed.weight.view_as(vit.patch_embed.proj.weight))
    vit.patch_embed.proj.bias.copy_(ours.patch_embed.bias)
    vit.blocks.load_state_dict(ours.blocks.state_dict())
    vit.norm.load_state_dict(ours.norm.state_dict())


@torch.no_grad()
def load_predictor(
    problem: Problem, embed: nn.Module, token: Tensor, blocks: nn.Module, norm: nn.Module, project: nn.Module
) -> None:
    """The reference's predictor into parts of another."""
    ours = problem.reference.predictor
    embed.load_state_dict(ours.embed.state_dict())
    token.copy_(ours.queries.token.view_as(token))
    blocks.load_state_dict(ours.blocks.state_dict())
    norm.load_state_dict(ours.norm.state_dict())
    project.load_state_dict(ours.project.state_dict())
