"""A decoder of latents, to look at what a world model imagines: after Dosovitskiy & Brox, "Inverting Visual
Representations with Convolutional Networks", 2016, arXiv:1506.02753.

    x̂ = d_ψ(s_x),   L(ψ) = mean | x̂ − x |,   s_x = LN(f^EMA(x))        §3, eq. 1

A world model is frozen. A small convolutional network learns the pictures that its target latents came from. Then it
shows a prediction as a picture. It is for looking alone: no measure uses it. What it draws is no proof of what a latent
contains, because it has learned how pictures look on average.

Differs from the paper:
- Latents of patches and of tubelets, and no network for classification. A tubelet is decoded by itself.
- Absolute error, not squared error, which blurs more.
- No up-convolutions: each step rearranges channels into pixels (arXiv:1609.05158), which leaves no checkerboard.
- The pictures are those that the model's own training shows to its target encoder: with other colours, where it has
  learned those.

B batch · N patches · D width of a latent · W channels
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foretell import losses
from foretell.capabilities import Predicts, require
from foretell.errors import ForetellError, Range, within
from foretell.method import Method, weights_digest
from foretell.methods.vjepa_ac import Framed
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.registry import register

if TYPE_CHECKING:
    from foretell.data import Batch

LEAST = 16
"""The fewest channels of a layer."""


@dataclass(frozen=True)
class LatentDecoderConfig:
    """The configuration of a decoder of latents."""

    encoder: Annotated[ViTConfig | VideoViTConfig, Framed()] = field(default_factory=ViTConfig)
    """Size of the encoder whose latents are decoded: that of the world model."""
    width: int = 128
    """W, channels at the grid of patches. Each step to pixels halves them."""
    world: str = ""
    """Fingerprint of that encoder's weights: latents of another would give noise."""

    def __post_init__(self) -> None:
        within(self, width=Range(LEAST, 4096, whole=True))

    @property
    def reads(self) -> Any:
        """The data that the method reads, for `foretell.data.load`."""
        from foretell.data import Clips, Photographs

        c = self.encoder
        return Clips(c.image_size, c.frames) if isinstance(c, VideoViTConfig) else Photographs(c.image_size)


@dataclass(frozen=True)
class Inverted:
    """Pictures, and the latents that they are to be told from."""

    latents: Float[Tensor, "B N D"]
    pictures: Float[Tensor, "B 3 ..."]


@register("decoder", LatentDecoderConfig)
class LatentDecoder(Method):
    """Draw the pictures that a frozen world model's latents came from, to look at what it imagines."""

    config: LatentDecoderConfig
    entrances = ("decode",)
    use = "foretell imagine MODEL IMAGE --decoder {out} --out imagined.png"

    def __init__(self, config: LatentDecoderConfig) -> None:
        super().__init__(config)
        c = config.encoder
        tubelet, side = prod(c.patch[:-2]), c.patch[-1]
        width = config.width
        layers: list[nn.Module] = [nn.Conv2d(c.last_width or c.width, width, 1), Residual(width), Residual(width)]
        for factor in factors(side):
            after = max(width // 2, LEAST)
            layers += [nn.Conv2d(width, after * factor**2, 3, padding=1), nn.PixelShuffle(factor), nn.GELU()]
            width = after
        self.network = nn.Sequential(*layers, nn.Conv2d(width, 3 * tubelet, 3, padding=1))
        self._world: tuple[Any, ...] = ()  # a tuple hides it: a decoder is saved without the model it decodes

    @classmethod
    def begin(cls, config: LatentDecoderConfig, encoder: Method | None = None) -> LatentDecoder:
        """A decoder that is yet to be trained.

        Args:
            config: its `encoder` and `world` are replaced by those of the model.
            encoder: the world model whose latents are decoded. It stays as it is.

        Raises:
            ForetellError: there is none, it predicts no latents of patches, or it predicts pixels.
        """
        if encoder is None:
            raise ForetellError("a decoder needs the world model whose latents it draws: --encoder MODEL names it")
        world = require(encoder, Predicts, "a decoder")
        c: Any = world.patch_encoder.config
        D = world.target(torch.zeros(1, 3, *blank(c))).shape[-1]
        if (c.last_width or c.width) != D:
            raise ForetellError(
                f"{type(encoder).__name__} predicts {D} numbers a patch, expected the {c.last_width or c.width} of a "
                "latent: it predicts pixels, which need no decoder"
            )
        built = cls(replace(config, encoder=c, world=fingerprint(encoder)))
        built._world = (world,)
        return built

    @property
    def world(self) -> Any:
        """The world model, in training. Raises ForetellError afterwards: a decoder is saved without it."""
        if not self._world:
            raise ForetellError(
                "a decoder draws latents, and has no encoder: give the model whose latents it draws, or "
                "`foretell decoder MODEL` to train it"
            )
        return self._world[0]

    @property
    def reads(self) -> Any:
        """The data that is read: of clips, at the pace of the world model."""
        return self.world.reads if self._world and len(self.config.encoder.grid) == 3 else self.config.reads

    def decode(self, latents: Float[Tensor, "B N D"], grid: tuple[int, ...] | None = None) -> Float[Tensor, "B 3 ..."]:
        """Draw latents.

        Args:
            latents: those of `target`, or a prediction of them.
            grid: patches along each axis; None for the training image's. Of clips it may have fewer tubelets.

        Returns:
            Pictures [B, 3, H, W] or clips [B, 3, T, H, W], in [0, 1].

        Raises:
            ForetellError: the latents do not fill the grid, or have another width.
        """
        grid, c = grid or self.config.encoder.grid, self.config.encoder
        D = c.last_width or c.width
        if latents.ndim != 3 or latents.shape[1:] != (prod(grid), D):
            raise ForetellError(f"latents are {list(latents.shape)}, expected [B, {prod(grid)}, {D}]")
        T, (rows, columns) = prod(grid[:-2]), grid[-2:]
        planes = latents.reshape(-1, rows, columns, D).permute(0, 3, 1, 2)  # each tubelet by itself
        drawn = self.network(planes).float().sigmoid()
        if len(grid) == 2:
            return drawn
        frames = drawn.unflatten(0, (-1, T)).unflatten(2, (3, -1))  # [B, T, 3, frames of a tubelet, H, W]
        return frames.transpose(1, 2).flatten(2, 3)

    @torch.no_grad()
    def views(self, batch: Batch, generator: torch.Generator) -> Inverted:
        """Pictures as the world model's target encoder saw them in its training, and their latents."""
        world = self.world.to(batch.pixels.device)
        pictures = world.augmented(batch, generator)
        return Inverted(world.target(pictures), pictures)

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B 3 ..."]:
        """Pictures as the world model's target encoder saw them in its training."""
        return self.world.augmented(batch, generator)

    def forward(self, views: Inverted) -> Float[Tensor, ""]:
        """The mean absolute error of the drawn pictures."""
        return losses.l1(self.decode(views.latents, self._grid(views.pictures)), views.pictures)

    @torch.no_grad()
    def measures(self, views: Inverted) -> dict[str, float]:
        """The loss, and that of always drawing the best constant picture (`constant`)."""
        same = losses.centre(losses.l1, views.pictures).expand_as(views.pictures)
        return {**super().measures(views), "constant": losses.l1(same, views.pictures).item()}

    def trained(self) -> dict[str, nn.Module]:
        """The network that draws."""
        return {"decoder": self.network}

    def features(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B D"]:
        """Those of the world model. Raises ForetellError where it is not here."""
        return self.world.features(x)

    def latents(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B N D"]:
        """Those of the world model, which are frozen and cannot collapse."""
        return self.world.target(x)

    @property
    def example(self) -> str:
        """Python for the model card."""
        return "pictures = model.decode(latents)  # [B, N, D] of `target` or a prediction -> [B, 3, ...] in [0, 1]"

    def _grid(self, pictures: Float[Tensor, "B 3 ..."]) -> tuple[int, ...]:
        sizes = zip(pictures.shape[2:], self.config.encoder.patch, strict=True)
        return tuple(size // patch for size, patch in sizes)


class Residual(nn.Module):
    """x + two convolutions of 3 × 3: each patch learns from its neighbours."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1), nn.GELU(), nn.Conv2d(width // 2, width, 3, padding=1)
        )

    def forward(self, x: Float[Tensor, "B W rows columns"]) -> Float[Tensor, "B W rows columns"]:
        """The sum."""
        return x + self.inner(x)


def factors(number: int) -> Iterator[int]:
    """The prime factors of a number, the largest first: steps from patches to pixels."""
    found, divisor = [], 2
    while number > 1:
        while number % divisor == 0:
            found.append(divisor)
            number //= divisor
        divisor += 1
    yield from reversed(found)


def blank(config: ViTConfig) -> tuple[int, ...]:
    """The size of a training picture or clip: (F,) H, W."""
    return tuple(n * patch for n, patch in zip(config.grid, config.patch, strict=True))


def fingerprint(model: Method) -> str:
    """Tells apart the encoders whose latents are decoded: it changes with the weights."""
    return weights_digest(require(model, Predicts, "a decoder").patch_encoder)
