"""The joint-embedding predictive architecture: ŝ_y = predict(encode(x), a) ≈ stop_gradient(target(y)).

Read this file first: every method here is this class with its own views, queries and distance.

B batch · C channels · N patches · K context patches · M blocks · L patches a block · D width
A action parameters
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from foretell import losses
from foretell.actions import PictureActions
from foretell.capabilities import Foresees, Imagines, Predicts, require
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.nn.predictor import Predictor
from foretell.nn.vit import ViT, layer_norm, pool
from foretell.views import Views, take

if TYPE_CHECKING:
    from foretell.data import Batch


class JEPA(Method):
    """A context encoder, its slow copy the target encoder, and a predictor between their latents.

    A method is a subclass that builds the three and says, in `views`, how photographs become prediction
    problems.
    """

    actions: PictureActions | None = None
    """The actions that the predictor can be told; None for a model without actions."""
    entrances = (*Method.entrances, "target")

    def __init__(
        self, encoder: ViT, predictor: Predictor, distance: Callable[[Tensor, Tensor], Tensor], config: Any
    ) -> None:
        super().__init__(config)
        self.context_encoder = encoder
        self.target_encoder = deepcopy(encoder).requires_grad_(False)
        self.predictor = predictor
        self.distance = distance

    @abstractmethod
    def views(self, batch: Batch, generator: torch.Generator) -> Views:
        """Make prediction problems of some samples.

        Args:
            batch: samples of what `config.reads` says.
            generator: the only source of chance, of the CPU on any device (`foretell.chance`).
        """

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B C ..."]:
        """y: the target encoder's input in training."""
        return self.views(batch, generator).target

    def encode(self, x: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_x [B, K, D]: latents of the visible patches of x in [0, 1]; of all N patches without an index."""
        return self.in_chunks(self.context_encoder, x, index)

    @torch.no_grad()
    def target(self, y: Float[Tensor, "B C ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """s_y: the target of a prediction of y in [0, 1]: layer-normed, without gradient. With an index, only these
        patches are encoded, and the others are not seen.
        """
        return layer_norm(self.in_chunks(self.target_encoder, y, index))

    def predict(
        self,
        s_x: Float[Tensor, "B K D"],
        context_index: Int[Tensor, "B K"] | None = None,
        target_index: Int[Tensor, "B M L"] | None = None,
        action: Float[Tensor, "B A"] | None = None,
        grid: tuple[int, ...] | None = None,
        chance: torch.Generator | None = None,
    ) -> Float[Tensor, "B M L _"]:
        """ŝ_y: the predicted target latents at other places, after an action.

        Args:
            s_x: from `encode`.
            context_index: the same that `encode` had; None means every patch in raster order.
            target_index: M blocks, predicted apart; None means every patch as one block.
            action: for a model with actions (zeros: nothing changes).
            grid: patches along each axis; None means the training image's.
            chance: for a model with stochastic positions, draws them; None: every place is exact.

        Returns:
            Latents comparable with `target`.

        Raises:
            ForetellError: `target_index` has no axis of blocks.
        """
        if target_index is not None and target_index.ndim != 3:
            found = list(target_index.shape)
            raise ForetellError(f"target_index is {found}, expected [B, M, L]: .unsqueeze(1) makes [B, L] one block")
        grid = grid or self.context_encoder.config.grid
        every = torch.arange(torch.Size(grid).numel(), device=s_x.device).expand(len(s_x), -1)
        context_index = every if context_index is None else context_index
        target_index = every.unsqueeze(1) if target_index is None else target_index

        def predictor(s_x: Tensor, seen: Tensor, asked: Tensor, action: Tensor | None) -> Tensor:
            return self.predictor(s_x, seen, asked, grid, action, chance)

        return self.in_chunks(predictor, s_x, context_index, target_index, action)

    def forward(self, views: Views) -> Float[Tensor, ""]:
        """The loss of one prediction problem: distance(ŝ_y, s_y)."""
        grid = self.context_encoder.grid(views.context)
        s_x = self.encode(views.context, views.context_index)
        s_y = wanted(self.target(views.target), views)
        prediction = self.predict(s_x, views.context_index, views.target_index, views.action, grid, views.chance)
        return self.distance(prediction, s_y)

    @torch.no_grad()
    def update_target(self, momentum: float) -> None:
        """Move the target encoder towards the context encoder: θ̄ ← m·θ̄ + (1 − m)·θ."""
        slow: list[Tensor] = list(self.target_encoder.parameters())
        fast: list[Tensor] = list(self.context_encoder.parameters())
        torch._foreach_lerp_(slow, fast, 1.0 - momentum)

    def trained(self) -> dict[str, nn.Module]:
        """The context encoder and the predictor."""
        return {"encoder": self.context_encoder, "predictor": self.predictor}

    def features(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B D"]:
        """The target encoder's latents of x in [0, 1], averaged over patches: I-JEPA evaluates these (§4)."""
        return pool(self.in_chunks(self.target_encoder, x))

    def latents(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B N D"]:
        """The latents that monitors check for collapse: `target`, patch by patch."""
        return self.target(x)

    @torch.no_grad()
    def measures(self, views: Views) -> dict[str, float]:
        """The loss of a prediction problem, the losses of `trivial` answers, and the predictor's own measures."""
        views = replace(views, chance=None)  # FlexPredict's noise is for training only
        return {**super().measures(views), **self.trivial(views), **self.predictor.measures()}

    def trivial(self, views: Views) -> dict[str, float]:
        """The loss of two answers that need no learning.

        - `constant`: the best constant prediction. If this falls to zero, the latents have collapsed.
        - `copy`: the latent of the nearest visible patch.
        """
        target = self.target(views.target)
        s_y = wanted(target, views)
        constant = losses.centre(self.distance, target).expand_as(target)
        return {
            "constant": self.distance(wanted(constant, views), s_y).item(),
            "copy": self.distance(nearest_visible(self, views), s_y).item(),
        }

    def imagine(
        self, x: Float[Tensor, "B C ..."], action: Float[Tensor, "_ A"] | None = None
    ) -> Float[Tensor, "B N D"]:
        """The whole latent of x in [0, 1] after an action: predict(encode(x), every patch, a).

        Args:
            x: B images or clips.
            action: one for each, or [1, A]: the same for all.

        Raises:
            ForetellError: the predictor was never trained, or there is another number of actions.
        """
        require(self, Predicts, "imagining a change")
        s_x = self.encode(x)
        if action is not None:
            if len(action) not in (1, len(x)):
                raise ForetellError(
                    f"actions are {tuple(action.shape)}, expected a row of numbers for each of {len(x)}"
                )
            action = action.expand(len(x), -1)
        return self.predict(s_x, action=action, grid=self.context_encoder.grid(x))[:, 0]

    @property
    def patch_encoder(self) -> ViT:
        """The target encoder, which I-JEPA evaluates (§4)."""
        return self.target_encoder

    @property
    def patch_predictor(self) -> Predictor:
        """The predictor."""
        return self.predictor

    def lacks(self, capability: type) -> str | None:
        """As `Method.lacks`: it has no actions, is an image model, or its predictor was never trained."""
        name = type(self).__name__
        if capability is Imagines and self.actions is None:
            return f"{name} has no actions"
        if capability is Foresees and len(self.context_encoder.patch) != 3:
            return f"{name} is an image model"
        if capability in (Predicts, Imagines, Foresees) and self.untrained == "predictor":
            return "this model's predictor was never trained, as its weights hold an encoder only"
        return super().lacks(capability)


def wanted(s_y: Float[Tensor, "_ N D"], views: Views) -> Float[Tensor, "B M L D"]:
    """The latents to predict, of all of y; each y serves as many contexts as there are."""
    R = len(views.context) // len(s_y)
    return take(s_y.expand(R, *s_y.shape).flatten(0, 1), views.target_index)


def nearest_visible(model: JEPA, views: Views) -> Tensor:
    """Copy the source: for each target patch the target encoder's latent of x at the nearest visible patch.

    Returns:
        [B, M, L, D], comparable with a prediction.
    """
    grid = model.context_encoder.grid(views.context)
    axes = torch.meshgrid(*(torch.arange(float(n), device=views.context.device) for n in grid), indexing="ij")
    place = torch.stack([axis.flatten() for axis in axes], 1).expand(len(views.context), -1, -1)  # [B, N, axes]
    asked, seen = take(place, views.target_index.flatten(1)), take(place, views.context_index)
    nearest = views.context_index.gather(1, torch.cdist(asked, seen).argmin(-1))
    return take(model.target(views.context), nearest.unflatten(1, views.target_index.shape[1:]))
