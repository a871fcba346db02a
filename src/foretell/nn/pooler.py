"""Attentive pooling: from patch latents to one vector, by a learned query (V-JEPA §4.2; IWM's heads).

Differs from the paper:
- The query is used as it is learned; the released code projects it first.
- A norm ends the pooling; the released code has none.

B batch · N patches · D width · n samples · P latents a clip · C their width
"""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from foretell.nn.attention import attend
from foretell.nn.vit import initialise


class AttentivePooler(nn.Module):
    """A learned query attends over all latents, then a residual MLP and a norm: [B, N, D] -> [B, D]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.query = nn.Parameter(torch.empty(width))
        self.kv = nn.Linear(width, 2 * width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        initialise(self, nn.ModuleList())
        nn.init.trunc_normal_(self.query, std=0.02)

    def forward(
        self, latents: Float[Tensor, "B N D"], there: Bool[Tensor, "B N"] | None = None
    ) -> Float[Tensor, "B D"]:
        """Latents to one vector a sample; `there` says which latents a sample has, None that it has all."""
        query = self.query.expand(len(latents), 1, -1)
        q = query.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.kv(self.norm1(latents)).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = query + attend(q, k, v, None if there is None else there[:, None, None]).transpose(1, 2).flatten(2)
        x = x + self.mlp(self.norm2(x))
        return self.norm(x)[:, 0]


class AttentiveClassifier(nn.Sequential):
    """Attentive pooling, then a linear layer: [B, N, D] -> [B, classes]."""

    def __init__(self, width: int, heads: int, classes: int) -> None:
        pooler, head = AttentivePooler(width, heads), nn.Linear(width, classes)
        nn.init.trunc_normal_(head.weight, std=0.02)
        nn.init.zeros_(head.bias)
        super().__init__(pooler, head)


class Classifier(nn.Module):
    """The attentive classifier: a learned query reads clips' latents, and a linear layer names them, for each kind.

    Each of a clip's latents is embedded by weights of its own: so the query knows which is which.

    Args:
        shape: P and C.
        width: to read them in.
        heads: of the query.
        classes: how many there are of each kind.
    """

    def __init__(self, shape: tuple[int, int], width: int, heads: int, classes: Mapping[str, int]) -> None:
        super().__init__()
        P, C = shape
        self.embed = nn.Parameter(torch.randn(P, C, width) / C**0.5)
        self.places = nn.Parameter(torch.zeros(P, width))
        self.pooler = AttentivePooler(width, heads)
        self.heads = nn.ModuleDict({kind: nn.Linear(width, count) for kind, count in classes.items() if count})

    def forward(
        self, latents: Float[Tensor, "n clips P C"], there: Bool[Tensor, "n clips"] | None = None
    ) -> dict[str, Float[Tensor, "n classes"]]:
        """Logits of each kind, of one clip or several together; `there` says which clips there are."""
        embedded = torch.einsum("nkpc,pcd->nkpd", latents, self.embed) + self.places
        known = None if there is None else there.repeat_interleave(len(self.places), 1)
        pooled = self.pooler(embedded.flatten(1, 2), known)
        return {kind: head(pooled) for kind, head in self.heads.items()}
