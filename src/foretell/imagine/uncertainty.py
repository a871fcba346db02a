"""See where a model with stochastic positions is unsure (FlexPredict, arXiv:2308.00566).

    ŝ_yᵏ = p_φ(f_θ(x), ψ + A nᵏ),   unsureⱼ = std_k(ŝ_yⱼᵏ)

The predictor predicts the hidden patches many times, each time with another draw of their places. Where its predictions
differ, they depend on the exact place: there it predicts detail. The map shows the uncertainty about *places* that the
model was trained with, as it appears in the latents.

K draws · L hidden patches · D width
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from foretell.augment import to_float
from foretell.capabilities import Predicts, require
from foretell.errors import COUNT, ForetellError, Range, check_range
from foretell.evaluate.statistics import spearman
from foretell.extras import needed
from foretell.masking import BlockMasks, complement
from foretell.method import Method
from foretell.views import take

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Uncertain:
    """One context of a picture, and the model's predictions for the rest."""

    image: Float[Tensor, "3 S S"]
    grid: tuple[int, ...]
    hidden: Int[Tensor, " L"]
    """The patches that the model did not see."""
    unsure: Float[Tensor, " L"]
    """For each hidden patch the standard deviation of the prediction over draws, averaged over channels."""
    wrong: Float[Tensor, " L"]
    """For each hidden patch the mean absolute difference of the mean prediction from the target."""

    @property
    def agreement(self) -> float:
        """Spearman's rank correlation of `unsure` and `wrong`, −1 to 1: 1 where it is most wrong where most unsure."""
        return spearman(self.unsure, self.wrong)


@torch.no_grad()
def uncertainty(
    model: Method, image: UInt8[Tensor, "3 S S"], *, contexts: int = 4, draws: int = 32, seed: int = 0
) -> list[Uncertain]:
    """Ask a model for the hidden patches of a picture, with many draws of where they lie.

    Args:
        model: a JEPA trained with stochastic positions.
        image: at S, the model's image size (see `read_image`), on any device. The results are on the CPU.
        contexts: the number of contexts to draw. Each has its own result.
        draws: K, at least 2.
        seed: draws contexts and places.

    Raises:
        ForetellError: the model predicts no patches, its positions are exact, or there are too few contexts or draws.
    """
    world = unsure_of_places(model)
    check_range("contexts", contexts, COUNT)
    check_range("draws", draws, Range(2))
    x = to_float(image.unsqueeze(0)).to(next(model.parameters()).device)
    grid = world.patch_encoder.grid(x)
    chance = torch.Generator().manual_seed(seed)
    masks = getattr(world.config, "masks", BlockMasks())  # a method without masks is asked with I-JEPA's
    context_index = masks.draw(chance, grid, contexts)[0].to(x.device)
    hidden = complement(context_index, torch.Size(grid).numel())
    s_y = world.target(x)
    found = []
    for seen, asked in zip(context_index, hidden, strict=True):
        s_x = world.encode(x, seen.unsqueeze(0))
        # a draw is a sample of the batch, because noise can be on seen places, too
        again, anew = seen.expand(draws, -1), asked.expand(draws, 1, -1)
        nothing = None if world.actions is None else x.new_zeros(draws, len(world.actions.names))
        said = world.predict(s_x.expand(draws, -1, -1), again, anew, nothing, grid, chance)[:, 0]
        wrong = (said.mean(0) - take(s_y, asked.unsqueeze(0))[0]).abs().mean(-1)
        shown = (t.cpu() for t in (asked, said.std(0).mean(-1), wrong))
        found.append(Uncertain(to_float(image.cpu()), grid, *shown))
    return found


def unsure_of_places(model: Method) -> Predicts:
    """The model, as one that can be unsure of places; raises ForetellError where it cannot."""
    world = require(model, Predicts, "uncertainty about places")
    if not world.patch_predictor.config.noise.sigma:
        raise ForetellError(
            "this model's positions are exact, so it cannot be unsure of places: "
            "train one with stochastic positions (foretell train flexpredict)"
        )
    return world


def draw_uncertainty(found: list[Uncertain]) -> Figure:
    """Draw a row for each context: the visible patches, the model's uncertainty, and its error."""
    needed("matplotlib", "drawing")
    from matplotlib.figure import Figure

    figure = Figure((7.2, 2.1 * len(found) + 0.3), layout="constrained")
    rows = figure.subplots(len(found), 3, squeeze=False)
    unsure, wrong = (max(float(getattr(one, name).max()) for one in found) for name in ("unsure", "wrong"))
    for row, one in zip(rows, found, strict=True):
        seen = _paint(one, torch.zeros(len(one.hidden)), fill=1.0) > 0
        side = one.image.shape[-1] // one.grid[0]
        cover = seen.repeat_interleave(side, 0).repeat_interleave(side, 1)
        row[0].imshow(torch.where(cover, one.image, 0.85).permute(1, 2, 0).numpy())
        maps = [
            row[1].imshow(_paint(one, one.unsure).numpy(), cmap="magma", vmin=0, vmax=unsure),
            row[2].imshow(_paint(one, one.wrong).numpy(), cmap="magma", vmin=0, vmax=wrong),
        ]
        for axis, drawn in zip(row[1:], maps, strict=True):
            figure.colorbar(drawn, ax=axis, shrink=0.85)
        row[2].set_xlabel(f"rank correlation {one.agreement:.2f}")
        for axis in row:
            axis.set_xticks([])
            axis.set_yticks([])
    for axis, title in zip(rows[0], ("seen", "unsure: std over places", "wrong: distance to target"), strict=True):
        axis.set_title(title, fontsize=10)
    return figure


def _paint(one: Uncertain, values: Float[Tensor, " L"], fill: float = float("nan")) -> Float[Tensor, "rows columns"]:
    """Values of hidden patches on the grid; `fill` where the patch was seen."""
    painted = torch.full((torch.Size(one.grid).numel(),), fill)
    painted[one.hidden] = values
    return painted.reshape(one.grid)
