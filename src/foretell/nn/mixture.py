"""A caption chooses what to look at: cross-attention of a caption's vector over K outputs of an image (Llip, §3.2).

    wᵐₖ = softmaxₖ( W_Qᵐ g · W_Kᵐ hₖ / τ )      z = W_O concatₘ Σₖ wᵐₖ W_Vᵐ hₖ      ẑ = z / ‖z‖

B images · n captions · K outputs an image · D width of the image tower · G of the text tower · E of embeddings
M heads · d width of a head, E/M
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.errors import POSITIVE, SIZE, ForetellError, within
from foretell.losses import exact

By: TypeAlias = Literal["text", "learned", "uniform", "first"]


@dataclass(frozen=True)
class MixtureConfig:
    """How the outputs of an image become one embedding."""

    by: By = "text"
    """Who weights them: the caption, a query that is learned and the same for all captions, nobody (all weigh the
    same), or only the first output counts. The last three are the paper's ablations (§4.1)."""
    out: int = 192
    """E: width of embeddings."""
    heads: int = 8
    """M, divides E."""
    temperature: float = 5.0
    """τ: products of queries and keys are divided by it, and by nothing else unless `scaled`."""
    scaled: bool = False
    """Divide them also by √d, as attention does. The paper's text leaves open whether it does."""

    def __post_init__(self) -> None:
        within(self, "mixture", out=SIZE, heads=SIZE, temperature=POSITIVE)
        if self.out % self.heads:
            raise ForetellError(f"mixture out {self.out} is not a multiple of heads {self.heads}")


class Mixture(nn.Module):
    """Outputs of images and vectors of captions to embeddings on the unit sphere.

    Args:
        config: how.
        image_width: D.
        text_width: G.
    """

    def __init__(self, config: MixtureConfig, image_width: int, text_width: int) -> None:
        super().__init__()
        self.config = c = config
        if c.by == "text":
            self.query = nn.Linear(text_width, c.out)
        elif c.by == "learned":
            self.learned = nn.Parameter(torch.empty(c.out).normal_())
        if c.by in ("text", "learned"):
            self.key = nn.Linear(image_width, c.out)
        self.value = nn.Linear(image_width, c.out)
        self.project = nn.Linear(c.out, c.out, bias=False)
        self.project_text = nn.Linear(text_width, c.out, bias=False)
        for module in self.children():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def embed_text(self, g: Float[Tensor, "n G"]) -> Float[Tensor, "n E"]:
        """t̂: the unit vector of each caption."""
        return F.normalize(self.project_text(g).float(), dim=-1)

    def weights(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"] | None = None) -> Float[Tensor, "B _ M K"]:
        """How much each output counts, for each image, caption and head.

        Args:
            h: outputs of images.
            g: vectors of captions; None for no caption, which weights all the same.

        Returns:
            [B, n, M, K], sums of 1 over K; [B, 1, M, K] where captions have no say.
        """
        c, (B, K, _) = self.config, h.shape
        if c.by == "first":
            return F.one_hot(torch.zeros(B, 1, c.heads, dtype=torch.int64, device=h.device), K).to(h.dtype)
        if c.by == "uniform" or (c.by == "text" and g is None):
            return h.new_full((B, 1, c.heads, K), 1 / K)
        asked = self.learned.unsqueeze(0) if c.by == "learned" else self.query(g)
        q, k = asked.unflatten(-1, (c.heads, -1)), self.key(h).unflatten(-1, (c.heads, -1))
        scale = c.temperature * (q.shape[-1] ** 0.5 if c.scaled else 1.0)
        return torch.einsum("nmd,bkmd->bnmk", q / scale, k).softmax(-1)

    def forward(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"] | None = None) -> Float[Tensor, "B _ E"]:
        """ẑ: the unit vector of each image, mixed by each caption; [B, 1, E] where captions have no say."""
        v = self.value(h).unflatten(-1, (self.config.heads, -1))
        # W_O goes to the values, not to the mixtures: there are K of these an image, and as many of those as captions
        v = torch.einsum("bkmd,emd->bmke", v, self.project.weight.unflatten(1, (self.config.heads, -1)))
        z = self.weights(h, g).to(v.dtype).flatten(2) @ v.flatten(1, 2)
        return F.normalize(z.float(), dim=-1)

    def similarity(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B n"]:
        """⟨ẑᵢⱼ, t̂ⱼ⟩: the cosine of each image, mixed by each caption, and that caption; −1 to 1."""
        z, t = self(h, g), self.embed_text(g)
        with exact(z.device):
            return torch.einsum("bne,ne->bn", z.expand(-1, len(t), -1), t)
