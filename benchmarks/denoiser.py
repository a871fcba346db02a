"""A block of the denoiser against the SD3 block of diffusers, of the same size, on shared weights.

    pip install diffusers
    python -m benchmarks.denoiser

Both are timed in turns, on one thread, in seconds of this process; the medians are printed. A training step is forward
and backward of 64 procedures with 8 clips seen and 4 asked. Eight futures are one forward pass of 8 procedures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.measure import interleaved
from foretell.nn.dit import DiTConfig, MMDiTBlock

WIDTH, HEADS, SEEN, ASKED, ROUNDS = 128, 4, 8, 4, 25


def twin(theirs: Any, width: int, heads: int) -> MMDiTBlock:
    """Our block with the weights of diffusers' block."""
    ours = MMDiTBlock(DiTConfig(width=width, depth=2, heads=heads))
    names: dict[str, Any] = {"noisy": ("norm1", ("to_q", "to_k", "to_v"), "to_out.0", "ff", "norm_q", "norm_k")}
    names["seen"] = (
        "norm1_context",
        ("add_q_proj", "add_k_proj", "add_v_proj"),
        "to_add_out",
        "ff_context",
        "norm_added_q",
        "norm_added_k",
    )
    weights = theirs.state_dict()
    state = {}
    for stream, (norm, qkv, out, ff, q_norm, k_norm) in names.items():
        state |= {f"{stream}.q_norm.weight": weights[f"attn.{q_norm}.weight"]}
        state |= {f"{stream}.k_norm.weight": weights[f"attn.{k_norm}.weight"]}
        for kind in ("weight", "bias"):
            state[f"{stream}.modulation.{kind}"] = weights[f"{norm}.linear.{kind}"]
            state[f"{stream}.qkv.{kind}"] = torch.cat([weights[f"attn.{name}.{kind}"] for name in qkv])
            state[f"{stream}.proj.{kind}"] = weights[f"attn.{out}.{kind}"]
            state[f"{stream}.mlp.0.{kind}"] = weights[f"{ff}.net.0.proj.{kind}"]
            state[f"{stream}.mlp.2.{kind}"] = weights[f"{ff}.net.2.{kind}"]
    ours.load_state_dict(state)
    return ours


def main() -> None:
    """Print the medians."""
    from diffusers.models.attention import JointTransformerBlock

    torch.set_num_threads(1)
    torch.manual_seed(0)
    theirs = JointTransformerBlock(WIDTH, HEADS, WIDTH // HEADS, qk_norm="rms_norm")
    for p in theirs.parameters():
        torch.nn.init.normal_(p, std=0.05)
    ours = twin(theirs, WIDTH, HEADS)

    def us(noisy: Tensor, seen: Tensor, time: Tensor) -> Any:
        return ours(noisy, seen, torch.nn.functional.silu(time))

    def them(noisy: Tensor, seen: Tensor, time: Tensor) -> Any:
        return theirs(hidden_states=noisy, encoder_hidden_states=seen, temb=time)

    for name, batch, learn in (("training step", 64, True), ("8 sampled futures", 8, False)):
        contenders = {
            who: partial(_call, block, batch, learn) for who, block in (("foretell", us), ("diffusers", them))
        }
        found = interleaved(contenders, ROUNDS)
        print(name, {who: f"{1e3 * seconds:.2f} ms" for who, seconds in found.items()})


def _call(block: Callable[..., Any], batch: int, learn: bool) -> None:
    shapes = ((batch, ASKED, WIDTH), (batch, SEEN, WIDTH), (batch, WIDTH))
    with torch.set_grad_enabled(learn):
        first, second = block(*(torch.randn(*shape) for shape in shapes))
        if learn:
            (first.square().mean() + second.square().mean()).backward()


if __name__ == "__main__":
    main()
