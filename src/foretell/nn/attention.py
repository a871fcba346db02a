"""Multi-head attention: the one place that decides how softmax(QKᵀ/√d)V is computed.

B batch · N tokens · Q tokens that ask · D width · h heads · d width of a head
"""

import torch
from jaxtyping import Bool, Complex, Float
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.nn.rotary import turn


def attend(
    q: Float[Tensor, "B h Q d"],
    k: Float[Tensor, "B h N d"],
    v: Float[Tensor, "B h N d"],
    mask: Bool[Tensor, "*some _ N"] | None = None,
) -> Float[Tensor, "B h Q d"]:
    """softmax(QKᵀ/√d)V; with a mask each token that asks sees only those where it is true: one mask, or [B, 1, Q, N].

    In bfloat16 on a CPU the fused kernel's backward pass is several times slower than three plain products,
    so there it is written out. Everywhere else the fused kernel is as fast or faster.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        scores = q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)
        return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1) @ v
    return F.scaled_dot_product_attention(q, k, v, mask)


class Attention(nn.Module):
    """Self-attention with a fused projection; `forward(x, n)` lets only the first n tokens ask.

    Args:
        width: D.
        heads: h, divides D.
        qkv_bias: whether queries, keys and values have biases.
        out: width of what comes out; None for D.
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
        mask: Bool[Tensor, "Q N"] | None = None,
    ) -> Float[Tensor, "B _ _"]:
        """[B, N, D] -> [B, n or N, out]; `rotation` tells where tokens are, where positions are rotary; `mask` as of
        `attend`.
        """
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
        return self.proj(attend(q, k, v, mask).transpose(1, 2).flatten(2))
