"""The vision transformer (Dosovitskiy et al. 2021) as the JEPA family uses it: no class token, no dropout,
positions that fit any grid, and patches dropped before they are embedded.

B batch · C channels · N patches · K kept patches · P pixels a patch · D width · R registers
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import torch
from jaxtyping import Bool, Complex, Float, Int, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.errors import DEPTH, FINITE, POSITIVE, SIDE, SIZE, ForetellError, Range, within
from foretell.nn.attention import Attention, Memory
from foretell.nn.pixels import check_batch, standardised
from foretell.nn.positions import PositionKind, Positions
from foretell.nn.stem import Stem
from foretell.views import take


def transformer(config: Any, what: str) -> None:
    """Refuse a size that no transformer has: `width`, `depth` and `heads`, with the blocks of the configuration.

    Raises:
        ForetellError: names the field.
    """
    within(config, what, width=SIZE, depth=DEPTH, heads=SIZE)
    if config.width % config.heads:
        raise ForetellError(f"{what} width {config.width} is not a multiple of heads {config.heads}")
    rest = {"mlp_ratio": Range(1 / config.width, 1000), "eps": POSITIVE, "init_std": POSITIVE}
    within(config, what, **{name: expected for name, expected in rest.items() if hasattr(config, name)})


GELUKind = Literal["none", "tanh"]


@dataclass(frozen=True)
class ViTConfig:
    """Size of an encoder. Parameters: about 12 · depth · width²."""

    image_size: int = 64
    """Pixels a side of the training images. The encoder itself takes any multiple of the patch size."""
    patch_size: int = 8
    """Pixels a side of a patch."""
    width: int = 192
    depth: int = 6
    heads: int = 3
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Channel means taken off the pixels (in [0, 1]) before anything else: ImageNet's."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    mlp_ratio: float = 4.0
    """Hidden width of a block's MLP over its width."""
    eps: float = 1e-6
    """Added to the variance in every layer norm."""
    qkv_bias: bool = True
    """Whether queries, keys and values have a bias."""
    positions: PositionKind = "sincos"
    """Fixed positions of any grid, fixed ones of the training grid resized, learned ones resized, or rotary ones (see
    `foretell.nn.positions.Positions`)."""
    last_width: int | None = None
    """Width of the last block's output, and so of the latents; None for `width`. Expand or Narrow (arXiv:2304.05369)
    changes it in ResNets and leaves ViTs open. As there, only the output widens (see `Block`)."""
    init_std: float | None = 0.02
    """Standard deviation of the weights at first: the papers'. None for 1/√(fan-in), with which networks narrower than
    theirs learn sooner (docs/log.md)."""
    depth_scaled: bool = True
    """Divide the outputs of block n by √(2n) at first. The released code of I-JEPA and V-JEPA draws all linear layers
    again after that, so that nothing is divided there (False); V-JEPA 2's does not."""
    registers: int = 0
    """R: learned tokens that attend with the patches and lie nowhere (arXiv:2309.16588). Llip mixes what becomes of
    them."""
    stem: Literal["linear", "convolution"] = "linear"
    """How pixels become tokens. Convolutions (`foretell.nn.stem`) learn sooner, and see beyond the edge of a patch: a
    method that hides patches cannot use them."""
    gelu: GELUKind = "none"
    """How MLPs approximate the GELU: not at all, or by a hyperbolic tangent, as SigLIP's do."""

    def __post_init__(self) -> None:
        within(self, "encoder", image_size=SIDE, patch_size=SIDE, mean=FINITE, std=POSITIVE, last_width=SIZE)
        within(self, "encoder", registers=Range(0, 10_000, whole=True))
        transformer(self, "encoder")
        if self.image_size % self.patch_size:
            raise ForetellError(f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}")
        if self.last_width is not None and self.last_width % self.heads:
            raise ForetellError(
                f"encoder last_width {self.last_width} is not a multiple of heads {self.heads} (for attentive probes)"
            )

    @property
    def patch(self) -> tuple[int, ...]:
        """Size of a patch along each axis."""
        return self.patch_size, self.patch_size

    @property
    def grid(self) -> tuple[int, ...]:
        """Patches along each axis of a training image: rows and columns."""
        side = self.image_size // self.patch_size
        return side, side


@dataclass(frozen=True)
class VideoViTConfig(ViTConfig):
    """Size of an encoder of clips: the same transformer, with patches that last some frames (tubelets)."""

    frames: int = 16
    """Frames of a training clip. The encoder itself takes any multiple of `tubelet`."""
    tubelet: int = 2
    """Frames of a patch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        within(self, "encoder", frames=SIDE, tubelet=SIDE)
        if self.stem != "linear":
            raise ForetellError(
                f"encoder stem is {self.stem!r}, expected 'linear': a stem of convolutions takes images"
            )
        if self.frames % self.tubelet:
            raise ForetellError(f"frames {self.frames} is not a multiple of tubelet {self.tubelet}")

    @property
    def patch(self) -> tuple[int, ...]:
        """Size of a patch along each axis."""
        return self.tubelet, *super().patch

    @property
    def grid(self) -> tuple[int, ...]:
        """Patches along each axis of a training clip: tubelets, rows and columns."""
        return self.frames // self.tubelet, *super().grid


def mlp(width: int, hidden: int, gelu: GELUKind = "none") -> nn.Sequential:
    """Two layers with a GELU between; their names are those of released weights."""
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["fc1"], layers["act"], layers["fc2"] = (
        nn.Linear(width, hidden),
        nn.GELU(gelu),
        nn.Linear(hidden, width),
    )
    return nn.Sequential(layers)


class Block(nn.Module):
    """A pre-norm transformer block; `forward(x, n)` returns only the first n tokens, informed by all.

    With another output width `out`, the block corresponds to the last stage of a ResNet. Attention and the MLP's
    hidden layer keep their width. The residual stream is widened, and a linear map is the shortcut. So the cost grows
    with `out`, not with its square.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float = 4.0,
        eps: float = 1e-6,
        qkv_bias: bool = True,
        out: int | None = None,
        gelu: GELUKind = "none",
    ) -> None:
        super().__init__()
        hidden, out = round(width * mlp_ratio), out or width
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, qkv_bias, out)
        self.shortcut = nn.Identity() if out == width else nn.Linear(width, out)
        self.norm2 = nn.LayerNorm(out, eps=eps)
        self.mlp = mlp(out, hidden, gelu)

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        n: int | None = None,
        rotation: Complex[Tensor, "R _ 1 N P"] | None = None,
        mask: Bool[Tensor, "*some M"] | None = None,
        memory: Memory | None = None,
    ) -> Float[Tensor, "B _ _"]:
        """[B, N, D] -> [B, n or N, out]; `rotation` holds the places of tokens if positions are rotary. With a mask,
        token i attends only to the tokens j where mask[i, j] (see `foretell.nn.attention.attend`); with a memory, to
        tokens of former calls, too.
        """
        x = self.shortcut(x[:, :n]) + self.attn(self.norm1(x), n, rotation, mask, memory)
        return x + self.mlp(self.norm2(x))


def initialise(root: nn.Module, blocks: nn.ModuleList, std: float | None = 0.02, depth_scaled: bool = True) -> None:
    """Truncated normals; the output of each block is scaled by 1/√(2·depth so far), as in I-JEPA.

    Args:
        root: whose linear layers are drawn.
        blocks: those of it that add to what went before.
        std: deviation of the weights; None for 1/√(fan-in) of each layer.
        depth_scaled: whether the outputs of blocks are scaled.
    """
    for module in root.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=module.in_features**-0.5 if std is None else std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for depth, block in enumerate(blocks if depth_scaled else (), start=1):
        for name, parameter in block.named_parameters():
            if name in ("attn.proj.weight", "mlp.fc2.weight"):
                parameter.data.div_((2.0 * depth) ** 0.5)


def patchify(x: Shaped[Tensor, "B C *size"], patch: tuple[int, ...]) -> Shaped[Tensor, "B N P"]:
    """Cut into patches: N in raster order, P = C · prod(patch) with channels slowest."""
    B, C, *size = x.shape
    split = [n for side, p in zip(size, patch, strict=True) for n in (side // p, p)]
    rows, inside = range(2, 2 + len(split), 2), range(3, 3 + len(split), 2)
    return x.reshape(B, C, *split).permute(0, *rows, 1, *inside).reshape(B, -1, C * prod(patch))


class ViT(nn.Module):
    """Images, or clips, to patch latents."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        self.width = config.last_width or config.width
        self.patch = config.patch
        channels = (-1, *(1 for _ in self.patch))
        self.register_buffer("mean", torch.tensor(config.mean).view(channels), persistent=False)
        self.register_buffer("std", torch.tensor(config.std).view(channels), persistent=False)
        c = config
        self.patch_embed = (
            nn.Linear(3 * prod(self.patch), c.width) if c.stem == "linear" else Stem(c.patch_size, c.width)
        )
        self.positions = Positions(c.positions, c.width, c.grid, c.heads)
        outs = [None] * (c.depth - 1) + [c.last_width]
        self.blocks = nn.ModuleList(
            Block(c.width, c.heads, c.mlp_ratio, c.eps, c.qkv_bias, out, c.gelu) for out in outs
        )
        self.norm = nn.LayerNorm(self.width, eps=c.eps)
        initialise(self, self.blocks, c.init_std, c.depth_scaled)
        if isinstance(self.patch_embed, nn.Linear):
            # Small patches have few pixels: σ = 0.02 would drown what a patch shows in where it lies. As in MAE.
            nn.init.xavier_uniform_(self.patch_embed.weight)
        if c.registers:
            self.registers = nn.Parameter(torch.empty(c.registers, c.width))
            # as large as what blocks add, or all registers would become the same
            nn.init.normal_(self.registers, std=1.0 if c.init_std is None else c.init_std)

    def grid(self, x: Shaped[Tensor, "B C *size"]) -> tuple[int, ...]:
        """Patches along each axis of x. Raises ForetellError where patches do not fill it, or an axis is missing."""
        check_batch(x, len(self.patch))
        size = tuple(x.shape[2:])
        if any(s % p for s, p in zip(size, self.patch, strict=True)):
            raise ForetellError(f"x of {size} pixels cannot be cut into patches of {self.patch}: resize or crop it")
        return tuple(s // p for s, p in zip(size, self.patch, strict=True))

    def forward(self, x: Float[Tensor, "B 3 ..."], index: Int[Tensor, "B K"] | None = None) -> Float[Tensor, "B _ D"]:
        """Encode.

        Args:
            x: pixels in [0, 1], sides multiples of the patch size.
            index: the patches to keep; None keeps all.

        Returns:
            [B, K or N, D]: a latent a kept patch, in the order of `index`.

        Raises:
            ForetellError: x is not in [0, 1], or has a shape that cannot be cut into patches.
        """
        return self.norm(self._blocks(*self._tokens(x, index))[:, self.config.registers :])

    def encode_registers(self, x: Float[Tensor, "B 3 ..."]) -> Float[Tensor, "B R D"]:
        """What becomes of the registers, in the place of the patches; `x` is as of `forward`.

        The last block computes only them, and no patch.

        Raises:
            ForetellError: there are no registers, or as `forward`.
        """
        if not self.config.registers:
            raise ForetellError("this encoder has no registers: give its configuration registers of 1 or more")
        return self.norm(self._blocks(*self._tokens(x, None), self.config.registers))

    def register_attention(self, x: Float[Tensor, "B 3 ..."]) -> Float[Tensor, "B R N"]:
        """Which patches each register attends to in the last block: the mean over heads, as shares among the patches.

        Raises:
            ForetellError: as `encode_registers`.
        """
        return self.encode_looking(x)[2]

    def encode_looking(
        self, x: Float[Tensor, "B 3 ..."]
    ) -> tuple[Float[Tensor, "B N D"], Float[Tensor, "B R D"], Float[Tensor, "B R N"]]:
        """At once: the latents of the patches, what becomes of the registers, and which patches each attends to.

        Raises:
            ForetellError: as `encode_registers`.
        """
        if not self.config.registers:
            raise ForetellError("this encoder has no registers: give its configuration registers of 1 or more")
        (h, rotation), R = self._before_last(x), self.config.registers
        last = self._last
        shares = last.attn.shares(last.norm1(h), R, rotation).mean(1)[..., R:]
        latents = self.norm(last(h, rotation=rotation))
        return latents[:, R:], latents[:, :R], shares / shares.sum(-1, keepdim=True)

    def attention(self, x: Float[Tensor, "B 3 ..."]) -> Float[Tensor, "B N"]:
        """How much attention each patch gets in the last block: the mean over heads and over all tokens that ask, as
        shares among the patches. `x` is as of `forward`.
        """
        h, rotation = self._before_last(x)
        shares = self._last.attn.shares(self._last.norm1(h), h.shape[1], rotation).mean((1, 2))
        shares = shares[:, self.config.registers :]
        return shares / shares.sum(-1, keepdim=True)

    @property
    def _last(self) -> Block:
        last = self.blocks[-1]
        assert isinstance(last, Block)
        return last

    def _before_last(
        self, x: Float[Tensor, "B 3 ..."]
    ) -> tuple[Float[Tensor, "B _ D"], Complex[Tensor, "_ _ 1 _ P"] | None]:
        """What the last block gets, of registers and all patches."""
        h, rotation = self._tokens(x, None)
        for block in self.blocks[:-1]:
            h = block(h, rotation=rotation)
        return h, rotation

    def _tokens(
        self, x: Float[Tensor, "B 3 ..."], index: Int[Tensor, "B K"] | None
    ) -> tuple[Float[Tensor, "B _ D"], Complex[Tensor, "_ _ 1 _ P"] | None]:
        """Registers and embedded patches, and how they are turned where positions are rotary."""
        grid = self.grid(x)
        position, rotation = self.positions(grid, x.device), self.positions.rotation(grid, x.device, index)
        x = standardised(x, self.mean, self.std, self.training)
        if isinstance(self.patch_embed, Stem):
            if index is not None:
                raise ForetellError(
                    "encoder stem 'convolution' sees beyond the edge of a patch, so no patch can be hidden from it: a "
                    "method that hides patches needs 'linear'"
                )
            h = self.patch_embed(x) + position
        else:
            patches = patchify(x, self.patch)
            if index is not None:  # embedding and encoding cost what is kept, not what there is
                patches, position = take(patches, index), position[index]
            h = self.patch_embed(patches) + position
        if self.config.registers:  # in front, so that a block can leave out what comes after them
            h = torch.cat([self.registers.expand(len(h), -1, -1).to(h.dtype), h], 1)
            if rotation is not None:  # they lie nowhere: turned by nothing
                still = torch.zeros_like(rotation[..., :1, :])
                still[0] = 1.0
                still = still.expand(*rotation.shape[:-2], self.config.registers, -1)
                rotation = torch.cat([still, rotation], -2)
        return h, rotation

    def _blocks(
        self, h: Float[Tensor, "B N D"], rotation: Complex[Tensor, "_ _ 1 N P"] | None, n: int | None = None
    ) -> Float[Tensor, "B _ _"]:
        """All blocks; the last gives the first n tokens alone."""
        for block in self.blocks[:-1]:
            h = block(h, rotation=rotation)
        return self.blocks[-1](h, n, rotation)


def pool(latents: Float[Tensor, "B N D"]) -> Float[Tensor, "B D"]:
    """Mean over patches: the global embedding (I-JEPA evaluates and searches with this one)."""
    return latents.mean(1)


def layer_norm(latents: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
    """Each latent to mean 0 and variance 1 over its channels, without parameters, in float32."""
    return F.layer_norm(latents.float(), latents.shape[-1:])
