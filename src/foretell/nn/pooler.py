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
from foretell.nn.discriminant import Discriminant
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
    """Names clips: a linear discriminant, and beside it a learned query that reads their latents.

    The discriminant has a closed form (`learn`). The query's linear layer begins at zero, so naming begins with what
    the discriminant says. Each of a clip's latents has an embedding of its own: so the query knows which is which.

    Args:
        shape: P and C.
        width: to read them in.
        heads: of the query.
        classes: how many there are of each kind.
        like: a classifier whose discriminants this one has, too; None for those of its own.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        width: int,
        heads: int,
        classes: Mapping[str, int],
        like: "Classifier | None" = None,
    ) -> None:
        super().__init__()
        P, C = shape
        self.embed = nn.Parameter(torch.randn(P, C, width) / C**0.5)
        self.places = nn.Parameter(torch.zeros(P, width))
        self.pooler = AttentivePooler(width, heads)
        counts = {kind: count for kind, count in classes.items() if count}
        self.heads = nn.ModuleDict({kind: zeroed(nn.Linear(width, count)) for kind, count in counts.items()})
        made = nn.ModuleDict({kind: Discriminant(P * C, count) for kind, count in counts.items()})
        self.discriminants = (
            made if like is None else nn.ModuleDict({kind: like.discriminants[kind] for kind in counts})
        )

    def forward(
        self, latents: Float[Tensor, "n clips P C"], there: Bool[Tensor, "n clips"] | None = None
    ) -> dict[str, Float[Tensor, "n classes"]]:
        """Logits of each kind, of one clip or several together; `there` says which clips there are."""
        embedded = torch.einsum("nkpc,pcd->nkpd", latents, self.embed) + self.places
        known = None if there is None else there.repeat_interleave(len(self.places), 1)
        pooled, mean = self.pooler(embedded.flatten(1, 2), known), middle(latents, there)
        return {kind: head(pooled) + self.discriminants[kind](mean) for kind, head in self.heads.items()}

    def discriminant(self, kind: str) -> Discriminant:
        """That of a kind of name."""
        found = self.discriminants[kind]
        assert isinstance(found, Discriminant)
        return found


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer, which now says 0 of everything."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def middle(
    latents: Float[Tensor, "n clips P C"], there: Bool[Tensor, "n clips"] | None = None
) -> Float[Tensor, "n PC"]:
    """The mean clip of each sample, its latents side by side."""
    flat = latents.flatten(2)
    if there is None:
        return flat.mean(1)
    return (flat * there.unsqueeze(-1)).sum(1) / there.sum(1, keepdim=True).clamp_min(1)
