"""Masks for video (V-JEPA, arXiv:2404.08471, §3.2). A place hidden in the plane is hidden at all times. Otherwise the
predictor could copy it from a neighbouring frame.

The released code cuts every context of a batch to the shortest, in raster order: the last tubelet is almost never seen.
Here the context is a fixed number of the plane's free places, at random. If blocks leave fewer free places, the missing
ones are taken from the hidden places. Every patch outside the context is predicted.

B batch · R masks a clip · T tubelets · N = T · rows · columns patches · K context patches · L patches to predict
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from jaxtyping import Int
from torch import Tensor

from foretell.errors import SHARE, SOME, ForetellError, Range, within
from foretell.masking.blocks import ASPECT, block_size, complement, place


@dataclass(frozen=True)
class TubeMasks:
    """V-JEPA's blocks, several masks a clip: each context sees a share of the plane that lies outside all blocks."""

    blocks: tuple[tuple[int, float], ...] = ((8, 0.15), (2, 0.7))
    """For each mask of a clip: the number of hidden blocks of the plane, and the area of each as a share of the plane.
    The defaults are the paper's short-range and long-range masks. Blocks overlap. No blocks, (0, 0.0): places are
    hidden at random.
    """
    aspect: tuple[float, float] = (0.75, 1.5)
    """Height over width of a block."""
    visible: float = 0.1
    """Share of the plane's places that the context sees."""
    past: tuple[float, float] = (1.0, 1.0)
    """Share of the clip's time that the context sees, from its beginning, drawn for each batch between these two; below
    1 masks are causal."""

    def __post_init__(self) -> None:
        if not self.blocks:
            raise ForetellError("masks blocks is empty, expected the blocks of one mask or more")
        for count, share in self.blocks:
            if count not in Range(0, 1000) or share not in SHARE:
                raise ForetellError(f"masks blocks has {count} of {share:g}, expected 0 to 1000 of 0 to 1 of the plane")
        within(self, "masks", aspect=ASPECT, visible=SOME, past=SOME)

    def draw(
        self, generator: torch.Generator, grid: tuple[int, ...], batch: int
    ) -> tuple[Int[Tensor, "R_B K"], Int[Tensor, "R_B 1 L"]]:
        """Draw masks for a batch; block sizes are shared by the batch, places are each sample's own.

        Args:
            generator: source of chance; its device is where the indices are made.
            grid: tubelets, rows and columns of patches.
            batch: B.

        Returns:
            Context indices, ascending, and all others, to be predicted together: R masks of all clips, one after the
            other.

        Raises:
            ForetellError: on this grid nothing would be seen, or nothing hidden.
        """
        (T, rows, columns), device = grid, generator.device
        places = rows * columns
        seen, (least, most) = round(self.visible * places), (ceil(share * T) for share in self.past)
        if not 0 < seen * most < T * places:
            raise ForetellError(
                f"visible {self.visible:g} and past {self.past[1]:g} show {seen * most} of the {T * places} patches "
                f"of a {T}×{rows}×{columns} grid: expected some and not all"
            )
        frames = int(torch.randint(least, most + 1, (), generator=generator, device=device))
        drawn = []
        for count, scale in self.blocks:
            score = torch.rand(batch, places, generator=generator, device=device)
            if count:
                low, high = self.aspect
                aspect = low + (high - low) * torch.rand((), generator=generator, device=device).item()
                size = block_size(scale, aspect, (rows, columns), places)
                hidden = place(generator, (rows, columns), size, (batch, count)).flatten(1)
                score = score.scatter(1, hidden, score.gather(1, hidden) - 1)  # once, however many blocks cover it
            drawn.append(score.topk(seen, dim=1).indices.sort(dim=1).values)
        chosen = torch.cat(drawn)
        context = (chosen.unsqueeze(1) + places * torch.arange(frames, device=device).view(-1, 1)).flatten(1)
        return context, complement(context, T * places).unsqueeze(1)
