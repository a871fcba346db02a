"""A diffusion transformer of two streams (MM-DiT: Esser et al. 2024, Stable Diffusion 3, arXiv:2403.03206, §4), as
VEDIT (arXiv:2410.03478) has it.

One stream is of what was seen, the other of what is being denoised. Each has weights of its own; in attention both are
one sequence. The time of diffusion s decides how each block scales, shifts and gates (adaLN-Zero: Peebles and Xie 2023,
arXiv:2212.09748, §3.2). Places in the procedure are rotary.

B batch · T noisy tokens · O seen tokens · N = T + O · D width · h heads · d width of a head · P pairs, d/2
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.nn.attention import attend
from foretell.nn.rotary import line_rotation, turn
from foretell.nn.vit import transformer

EPS = 1e-6
CLOCK = 1000.0
"""s is in (0, 1]; networks are told s · 1000, as SD3's."""


@dataclass(frozen=True)
class DiTConfig:
    """Size of a denoiser. Parameters: about 36 · depth · width²."""

    width: int = 128
    depth: int = 4
    heads: int = 4
    mlp_ratio: float = 4.0
    qk_norm: bool = True
    """Whether queries and keys are normed by their root mean square, head by head."""

    def __post_init__(self) -> None:
        transformer(self, "denoiser")


class Stream(nn.Module):
    """What a block has for one stream.

    Args:
        config: its size.
        last: after this block the stream is not used: it only gives keys and values.
    """

    def __init__(self, config: DiTConfig, last: bool = False) -> None:
        super().__init__()
        D, d = config.width, config.width // config.heads
        self.heads, self.last = config.heads, last
        self.modulation = nn.Linear(D, (2 if last else 6) * D)
        self.qkv = nn.Linear(D, 3 * D)
        self.q_norm = nn.RMSNorm(d, eps=EPS) if config.qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(d, eps=EPS) if config.qk_norm else nn.Identity()
        if not last:
            hidden = round(config.mlp_ratio * D)
            self.proj = nn.Linear(D, D)
            self.mlp = nn.Sequential(nn.Linear(D, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, D))

    def modulations(self, condition: Float[Tensor, "_ D"]) -> tuple[Tensor, ...]:
        """Shift and scale before attention, and unless it is the last: gate, then shift, scale and gate of the MLP."""
        return self.modulation(condition).unsqueeze(1).chunk(2 if self.last else 6, dim=-1)

    def ask(
        self, x: Float[Tensor, "B N D"], parts: tuple[Tensor, ...], rotation: Complex[Tensor, "1 B 1 N P"] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, h, N, d]."""
        u = modulated(x, parts[0], parts[1])
        q, k, v = self.qkv(u).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = self.q_norm(q), self.k_norm(k)
        return (q, k, v) if rotation is None else (turn(q, rotation), turn(k, rotation), v)

    def answer(self, x: Float[Tensor, "B N D"], attended: Tensor, parts: tuple[Tensor, ...]) -> Float[Tensor, "B N D"]:
        """What attention found, and then the MLP, added to the stream."""
        gate, shift, scale, gate_mlp = parts
        x = torch.addcmul(x, gate, self.proj(attended))
        return torch.addcmul(x, gate_mlp, self.mlp(modulated(x, shift, scale)))


class MMDiTBlock(nn.Module):
    """Both streams through one block.

    Args:
        config: its size.
        last: of the seen stream only keys and values are needed, as in SD3's last block.
    """

    def __init__(self, config: DiTConfig, last: bool = False) -> None:
        super().__init__()
        self.noisy, self.seen = Stream(config), Stream(config, last)

    def forward(
        self,
        noisy: Float[Tensor, "B T D"],
        seen: Float[Tensor, "B O D"],
        condition: Float[Tensor, "_ D"],
        rotations: tuple[Tensor | None, Tensor | None] = (None, None),
        mask: Bool[Tensor, "B 1 1 N"] | None = None,
    ) -> tuple[Float[Tensor, "B T D"], Float[Tensor, "B O D"]]:
        """Denoise a little.

        Args:
            noisy: tokens that are being denoised.
            seen: tokens of what was seen.
            condition: SiLU of the embedded time, one for each sample or one for all.
            rotations: where the tokens of both streams are.
            mask: which of the N tokens are there; None for all.
        """
        noisy_parts, seen_parts = self.noisy.modulations(condition), self.seen.modulations(condition)
        asked = self.noisy.ask(noisy, noisy_parts, rotations[0])
        told = self.seen.ask(seen, seen_parts, rotations[1])
        T = noisy.shape[1]
        if self.seen.last:
            q, (k, v) = asked[0], (torch.cat(pair, 2) for pair in zip(asked[1:], told[1:], strict=True))
        else:
            q, k, v = (torch.cat(pair, 2) for pair in zip(asked, told, strict=True))
        found = attend(q, k, v, mask).transpose(1, 2).flatten(2)
        noisy = self.noisy.answer(noisy, found[:, :T], noisy_parts[2:])
        return noisy, seen if self.seen.last else self.seen.answer(seen, found[:, T:], seen_parts[2:])


class DiT(nn.Module):
    """Noisy latents and seen latents to the clean ones, or to their velocity. Its output layer begins at zero.

    Args:
        config: its size.
        channels: width of the latents.
        latents: latents a clip, which have a learned place each within the clip.
        seen: width of what was seen, where it is another; None for the same.
    """

    def __init__(self, config: DiTConfig, channels: int, latents: int = 1, seen: int | None = None) -> None:
        super().__init__()
        D = config.width
        self.config = config
        self.embed_noisy, self.embed_seen = nn.Linear(channels, D), nn.Linear(seen or channels, D)
        self.inside = nn.Parameter(torch.zeros(latents, D))
        self.clock = nn.Sequential(nn.Linear(256, D), nn.SiLU(), nn.Linear(D, D))
        self.blocks = nn.ModuleList(MMDiTBlock(config, last=n == config.depth - 1) for n in range(config.depth))
        self.modulation = nn.Linear(D, 2 * D)
        self.out = nn.Linear(D, channels)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        zeroed = [s.modulation for block in self.blocks for s in block.children() if isinstance(s, Stream)]
        for module in (*zeroed, self.modulation, self.out):
            nn.init.zeros_(module.weight)
        nn.init.trunc_normal_(self.inside, std=0.02)

    def forward(
        self,
        noisy: Float[Tensor, "B t P C"],
        seen: Float[Tensor, "B o P _"],
        time: Float[Tensor, " _"],
        places: tuple[Float[Tensor, "B t"], Float[Tensor, "B o"]],
        there: tuple[Bool[Tensor, "B t"], Bool[Tensor, "B o"]] | None = None,
    ) -> Float[Tensor, "B t P C"]:
        """What is said of each noisy latent.

        Args:
            noisy: x_s of t clips.
            seen: latents of o clips.
            time: s in [0, 1], one for each sample or one for all.
            places: of the clips in the procedure. Only differences matter.
            there: which clips there are, where samples have less than others; None for all.
        """
        P = noisy.shape[2]
        condition = F.silu(self.clock(clock(time * CLOCK).to(noisy.dtype)))
        x, y = (
            (embed(z) + self.inside).flatten(1, 2) for embed, z in ((self.embed_noisy, noisy), (self.embed_seen, seen))
        )
        d = self.config.width // self.config.heads
        rotations = tuple(line_rotation(d, each.repeat_interleave(P, 1)) for each in places)
        mask = None
        if there is not None:
            mask = torch.cat(there, 1).repeat_interleave(P, 1)[:, None, None]
        for block in self.blocks:
            x, y = block(x, y, condition, rotations, mask)
        shift, scale = self.modulation(condition).unsqueeze(1).chunk(2, dim=-1)
        return self.out(modulated(x, shift, scale)).unflatten(1, (-1, P))


def modulated(x: Float[Tensor, "B N D"], shift: Tensor, scale: Tensor) -> Float[Tensor, "B N D"]:
    """LN(x) · (1 + scale) + shift, without parameters of its own."""
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=EPS), 1 + scale)


def clock(time: Float[Tensor, " B"], width: int = 256) -> Float[Tensor, "B width"]:
    """Cosines and sines of a time at frequencies from 1 to 1/10,000, as in SD3."""
    half = width // 2
    frequency = torch.exp(-log(10_000) * torch.arange(half, device=time.device, dtype=torch.float32) / half)
    angles = time.float().unsqueeze(-1) * frequency
    return torch.cat([angles.cos(), angles.sin()], -1)
