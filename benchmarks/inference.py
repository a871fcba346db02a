"""An encoder at work: all patches of an image to latents, without gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import tyro
from torch import Tensor, nn

from benchmarks.measure import SIDE, available, interleaved, one_thread, product, table
from benchmarks.peers import load_encoder
from benchmarks.problem import Problem
from foretell.nn.positions import sincos

Encode = Callable[[], Tensor]


def foretell(problem: Problem) -> Encode:
    """Our ViT."""
    encoder = problem.reference.target_encoder.eval()
    return lambda: encoder(problem.pixels)


def timm(problem: Problem) -> Encode:
    """timm's ViT without a class token, as it lists I-JEPA's encoders, with our weights."""
    from timm.models.vision_transformer import VisionTransformer

    p = problem
    size = {"embed_dim": p.width, "depth": p.depth, "num_heads": p.heads}
    norm = partial(nn.LayerNorm, eps=1e-6)
    options = {"num_classes": 0, "global_pool": "", "class_token": False, "norm_layer": norm}
    encoder = VisionTransformer(p.image_size, p.patch_size, **options, **size).eval()
    load_encoder(p, encoder)
    with torch.no_grad():
        encoder.pos_embed.copy_(sincos(p.width, p.config.encoder.grid))
    return lambda: encoder(p.normalised)


def transformers(problem: Problem) -> Encode:
    """Hugging Face's IJepaModel of the same shape, with weights of its own."""
    from transformers import IJepaConfig, IJepaModel

    p = problem
    config = IJepaConfig(
        hidden_size=p.width,
        num_hidden_layers=p.depth,
        num_attention_heads=p.heads,
        intermediate_size=4 * p.width,
        image_size=p.image_size,
        patch_size=p.patch_size,
        layer_norm_eps=1e-6,
    )
    encoder = IJepaModel(config).eval()
    return lambda: encoder(p.normalised).last_hidden_state


def main(problem: tyro.conf.OmitArgPrefixes[Problem] = Problem(), rounds: int = 15) -> None:  # noqa: B008 frozen
    """Measure an encoder in foretell and in its peers, beside what the processor's matrix products allow.

    Args:
        problem: sizes; the predictor's are not read.
        rounds: turns that each contender has.
    """
    one_thread()
    p = problem
    print(
        f"ViT {p.depth}×{p.width}, {p.image_size} pixels in patches of {p.patch_size}, batch {p.batch}; fp32, "
        f"medians of {rounds} rounds\n"
    )
    with torch.inference_mode():
        builders = {"foretell": foretell, "timm": timm, "transformers": transformers}
        encoders = available({name: partial(build, p) for name, build in builders.items()})
        if "timm" in encoders:
            torch.testing.assert_close(encoders["timm"](), encoders["foretell"](), rtol=1e-4, atol=1e-4)
        seconds = interleaved({**encoders, "": product(torch.float32)}, rounds)
    rate = 2 * SIDE**3 / seconds.pop("")
    rows = [
        [name, f"{p.batch / s:.1f}", f"{p.target_flops / rate / s:.0%}", f"{s / seconds['foretell']:.2f}"]
        for name, s in seconds.items()
    ]
    table(["library", "images/s", "of the limit", "× foretell's time"], rows)
    print(f"limit: {p.target_flops / p.batch / 1e9:.2f} GFLOP an image at {rate / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    tyro.cli(main)
