"""The joint-embedding predictive architecture: ŝ_y = predict(encode(x), a) ≈ stop_gradient(target(y)).

Read this file first: every method here is this class with its own views, queries and distance.

B batch · C channels · N patches · K context patches · M blocks · L patches a block · D width
A action parameters
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from foretell.augment import Photometric
from foretell.errors import ForetellError
from foretell.nn.predictor import Predictor
from foretell.nn.vit import ViT, layer_norm
from foretell.views import Views, take


class JEPA(nn.Module, ABC):
    """A context encoder, its slow copy the target encoder, and a predictor between their latents.

    A method is a subclass that builds the three and says, in `views`, how photographs become prediction
    problems.
    """

    actions: Photometric | None = None
    """What the predictor can be told; None for a model without actions."""
    predictor_trained: bool = True
    """False where official weights hold an encoder alone: the predictor is then as it was drawn."""

    def __init__(
        self, encoder: ViT, predictor: Predictor, distance: Callable[[Tensor, Tensor], Tensor], config: Any
    ) -> None:
        super().__init__()
        self.context_encoder = encoder
        self.target_encoder = deepcopy(encoder).requires_grad_(False)
        self.predictor = predictor
        self.distance = distance
        self.config = config
        """The dataclass the model was built from: `type(model)(model.config)` builds its like."""

    @abstractmethod
    def views(self, images: UInt8[Tensor, "B 3 H W"], generator: torch.Generator) -> Views:
        """Make prediction problems of photographs.

        Args:
            images: decoded photographs.
            generator: the only source of chance, on the images' device.
        """

    def encode(self, x: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_x [B, K, D]: latents of the visible patches of x in [0, 1]; of all N patches without an index."""
        return self.context_encoder(x, index)

    @torch.no_grad()
    def target(self, y: Float[Tensor, "B C ..."]) -> Float[Tensor, "B N D"]:
        """s_y: what a prediction of y in [0, 1] is held against: layer-normed, without gradient."""
        return layer_norm(self.target_encoder(y))

    def predict(
        self,
        s_x: Float[Tensor, "B K D"],
        context_index: Int[Tensor, "B K"] | None = None,
        target_index: Int[Tensor, "B M L"] | None = None,
        action: Float[Tensor, "B A"] | None = None,
        grid: tuple[int, ...] | None = None,
    ) -> Float[Tensor, "B M L D"]:
        """ŝ_y: what the target latents should be at other places, after an action.

        Args:
            s_x: from `encode`.
            context_index: the same that `encode` had; None means every patch in raster order.
            target_index: M blocks, predicted apart; None means every patch as one block.
            action: for a model with actions (zeros: nothing changes).
            grid: patches along each axis; None means the training image's.

        Returns:
            Latents comparable with `target`.
        """
        grid = grid or self.context_encoder.config.grid
        every = torch.arange(torch.Size(grid).numel(), device=s_x.device).expand(len(s_x), -1)
        context_index = every if context_index is None else context_index
        target_index = every.unsqueeze(1) if target_index is None else target_index
        return self.predictor(s_x, context_index, target_index, grid, action)

    def forward(self, views: Views) -> Float[Tensor, ""]:
        """The loss of one prediction problem: distance(ŝ_y, s_y)."""
        grid = self.context_encoder.grid(views.context)
        s_x = self.encode(views.context, views.context_index)
        s_y = take(self.target(views.target), views.target_index)
        prediction = self.predict(s_x, views.context_index, views.target_index, views.action, grid)
        return self.distance(prediction, s_y)

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """Move the target encoder towards the context encoder: θ̄ ← m·θ̄ + (1 − m)·θ."""
        slow: list[Tensor] = list(self.target_encoder.parameters())
        fast: list[Tensor] = list(self.context_encoder.parameters())
        torch._foreach_lerp_(slow, fast, 1.0 - momentum)

    def imagine(
        self, x: Float[Tensor, "B C ..."], action: Float[Tensor, "B A"] | None = None
    ) -> Float[Tensor, "B N D"]:
        """The whole latent of x in [0, 1] after an action: predict(encode(x), every patch, a).

        Raises:
            ForetellError: the predictor was never trained.
        """
        self.require_predictor()
        return self.predict(self.encode(x), action=action, grid=self.context_encoder.grid(x))[:, 0]

    def require_predictor(self) -> None:
        """Raise ForetellError unless the predictor was trained: what puts a model to work asks first."""
        if not self.predictor_trained:
            raise ForetellError(
                "this model's predictor was never trained, as its weights hold an encoder only: what needs no "
                "predictor works (encode, target, probes); train one first for the rest"
            )
