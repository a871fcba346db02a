"""Multi-head attention: the one place that decides how softmax(QKᵀ/√d)V is computed.

B batch · N tokens · M tokens with those in memory · Q tokens that ask · D width · h heads · d width of a head
"""

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.nn.rotary import turn


def attend(
    q: Float[Tensor, "B h Q d"],
    k: Float[Tensor, "B h N d"],
    v: Float[Tensor, "B h N d"],
    mask: Bool[Tensor, "*some N"] | None = None,
) -> Float[Tensor, "B h Q d"]:
    """softmax(QKᵀ/√d)V; with a mask each token that asks sees only those where it is true.

    A mask is [Q, N], or differs from sample to sample: [B, 1, 1 or Q, N].

    In bfloat16 on a CPU the fused kernel's backward pass is several times slower than three plain products,
    so there it is written out. Everywhere else the fused kernel is as fast or faster.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)
        return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1) @ v
    return F.scaled_dot_product_attention(q, k, v, mask)


class Memory:
    """Keys and values of the tokens so far: a step of generation computes those of its new tokens alone."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    def extended(self, k: Float[Tensor, "B h N d"], v: Float[Tensor, "B h N d"]) -> tuple[Tensor, Tensor]:
        """Those so far and these; all are kept."""
        if self._kept is not None:
            k, v = (torch.cat(pair, 2) for pair in zip(self._kept, (k, v), strict=True))
        self._kept = k, v
        return k, v

    def keep(self, rows: Int[Tensor, " b"]) -> None:
        """Forget all samples but these."""
        if self._kept is not None:
            k, v = self._kept
            self._kept = k[rows], v[rows]


class Attention(nn.Module):
    """Self-attention with a fused projection; `forward(x, n)` lets only the first n tokens ask.

    Args:
        width: D.
        heads: h, divides D.
        qkv_bias: whether queries, keys and values have biases.
        out: width of the output; None for D.
    """

    def __init__(self, width: int, heads: int, qkv_bias: bool = True, out: int | None = None) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} cannot be split into {heads} heads: choose a multiple of the heads")
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, out or width)

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        n: int | None = None,
        rotation: Complex[Tensor, "R _ 1 N P"] | None = None,
        mask: Bool[Tensor, "*some M"] | None = None,
        memory: Memory | None = None,
    ) -> Float[Tensor, "B _ _"]:
        """[B, N, D] -> [B, n or N, out]; `rotation` tells where tokens are, where positions are rotary; `mask` as of
        `attend`. With a memory the tokens see those before, too: then the mask is of all M.
        """
        q, k, v = self._parts(x, n, rotation)
        if memory is not None:
            k, v = memory.extended(k, v)
        return self.proj(attend(q, k, v, mask).transpose(1, 2).flatten(2))

    def shares(
        self, x: Float[Tensor, "B N D"], n: int, rotation: Complex[Tensor, "R _ 1 N P"] | None = None
    ) -> Float[Tensor, "B h n N"]:
        """How much of its attention each of the first n tokens gives to every token."""
        q, k, _ = self._parts(x, n, rotation)
        return (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1)

    def _parts(
        self, x: Float[Tensor, "B N D"], n: int | None, rotation: Complex[Tensor, "R _ 1 N P"] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of the first n tokens, keys and values of all: [B, h, n or N, d]."""
        if n is None:
            q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        else:
            D = x.shape[-1]
            weight, bias = self.qkv.weight, self.qkv.bias
            ask, tell = (None, None) if bias is None else (bias[:D], bias[D:])
            q = F.linear(x[:, :n], weight[:D], ask).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            k, v = F.linear(x, weight[D:], tell).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        if rotation is not None:
            q, k = turn(q, rotation[..., :n, :]), turn(k, rotation)
        return q, k, v
