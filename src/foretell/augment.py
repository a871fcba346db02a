"""Batched image transforms with named parameters: image and state in, image out.

A *state* θ [B, P] lists how each picture was made, and an *action* a [B, P] is the way from one state to another (see
`foretell.actions`).

B batch · P parameters · H rows · W columns
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from foretell.actions import ImageBatch, Parameter, PictureActions, States
from foretell.errors import NOT_NEGATIVE, SHARE, ForetellError, Range, within

ROUNDING = 0.01
"""How far pixels may lie beyond [0, 1], after resizing and blurring."""
_PIXELS = "expected numbers in [0, 1], not standardised: foretell.preprocess(images, model) makes them"

PerImage: TypeAlias = Float[Tensor, " B"]
"""A value for each picture."""


@dataclass(frozen=True)
class Photometric(PictureActions):
    """Colour jitter, then grayscale, blur and solarize: the actions of an image world model (IWM §3, table S1).

    Jitter is always applied in the order brightness, contrast, saturation, hue, so that a state says it all.
    """

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    jitter_probability: float = 0.8
    grayscale_probability: float = 0.2
    blur_probability: float = 0.2
    solarize_probability: float = 0.1
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    """Range of the blur's standard deviation, in pixels."""

    def __post_init__(self) -> None:
        within(self, "augment", **dict.fromkeys(("brightness", "contrast", "saturation"), NOT_NEGATIVE))
        within(self, "augment", hue=Range(0, 0.5), blur_sigma=Range(0, 1000))
        within(self, "augment", jitter_probability=SHARE, grayscale_probability=SHARE)
        within(self, "augment", blur_probability=SHARE, solarize_probability=SHARE)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The columns of a state, in order."""

        def factor(name: str, strength: float, text: str) -> Parameter:
            low = max(1 - strength, 0.0)
            return Parameter(name, "factor", low, 1 + strength, 1.0, False, text, self.jitter_probability)

        def switch(name: str, text: str, probability: float) -> Parameter:
            return Parameter(name, "off or on", 0.0, 1.0, 0.0, True, text, probability)

        turn, wide = "turn the colour circle; 0 leaves it", "blur by this standard deviation"
        return (
            factor("brightness", self.brightness, "multiply the pixels; 1 leaves them"),
            factor("contrast", self.contrast, "move the pixels away from their mean grey; 1 leaves them"),
            factor("saturation", self.saturation, "move the pixels away from their own grey; 1 leaves them"),
            Parameter("hue", "turns", -self.hue, self.hue, 0.0, False, turn, self.jitter_probability),
            switch("grayscale", "take the colours away", self.grayscale_probability),
            Parameter("blur", "pixels", 0.0, self.blur_sigma[1], 0.0, True, wide, self.blur_probability),
            switch("solarize", "invert the bright half of the values", self.solarize_probability),
        )

    def draw(self, generator: torch.Generator, batch: int, probability: float | None = None) -> States:
        """Draw states with colour jitter only: the targets' distribution.

        Args:
            generator: source of chance; its device is the result's.
            batch: B.
            probability: chance that a picture is jittered at all; None for the configured one.
        """
        probability = self.jitter_probability if probability is None else probability
        device = generator.device
        theta = self.identity(batch, device)
        chosen = torch.rand(batch, generator=generator, device=device) < probability
        for column, p in enumerate(self.parameters):
            if not p.destructive:
                value = p.low + (p.high - p.low) * torch.rand(batch, generator=generator, device=device)
                theta[:, column] = torch.where(chosen, value, p.identity)
        return theta

    def destroy(self, generator: torch.Generator, states: States, certain: bool = False) -> States:
        """Add grayscale, blur and solarize by their probabilities, or certainly: the sources' distribution."""
        destructive = [(column, p) for column, p in enumerate(self.parameters) if p.destructive]
        numbers, device = len(destructive) + 1, generator.device
        *chances, sigma = torch.rand(numbers, len(states), generator=generator, device=device)
        low, high = self.blur_sigma
        strength = {"blur": low + (high - low) * sigma}  # the others are on or off
        theta = states.clone()
        for (column, p), chance in zip(destructive, chances, strict=True):
            done = chance < (1.0 if certain else p.probability)
            theta[:, column] = torch.where(done, strength.get(p.name, 1.0), 0.0)
        return theta

    def action(self, source: States, target: States) -> States:
        """a_{x→y}: what must be done to the source's state to get the target's (IWM §3).

        The jitter's differences are divided by the largest there can be; a destructive operation counts as
        there or not there. All lie in [−1, 1], and equal states give zeros, the null action.
        """
        columns = []
        for column, p in enumerate(self.parameters):
            x, y = source[:, column], target[:, column]
            if p.destructive:
                columns.append((y != p.identity).float() - (x != p.identity).float())
            else:
                columns.append((y - x) / (p.high - p.low) if p.high > p.low else torch.zeros_like(x))
        return torch.stack(columns, 1)

    def apply(self, images: ImageBatch, states: States) -> ImageBatch:
        """Make pictures in the given states. Where these lie on the CPU, it does not wait for a GPU."""
        changed = states.cpu() != self.identity(1)  # for all at once
        for name, value, some in zip(self.names, states.unbind(1), changed.unbind(1), strict=True):
            operation = OPERATIONS[name]
            if some.all():
                images = operation(images, value)
            elif some.any():  # most pictures skip most operations, which then cost nothing
                images, few = images.clone(), some.nonzero()[:, 0]
                there = few.to(images.device)
                images[there] = operation(images[there], value[few.to(value.device)])
        return images


def random_resized_crop(
    images: Float[Tensor, "B C H W"],
    size: int,
    generator: torch.Generator,
    scale: tuple[float, float] = (0.3, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
    flip: float = 0.5,
    redrawn: bool = False,
) -> Float[Tensor, "B C {size} {size}"]:
    """Crop a random part of each picture, resize it, mirror it or not.

    Args:
        images: the pictures; of a clip, the frames as channels.
        size: pixels a side of the result.
        generator: source of chance, on any device.
        scale: area of the part, as a share of the picture.
        aspect: width over height of the part, drawn evenly on a logarithmic scale.
        flip: chance of mirroring left and right.
        redrawn: draw a part again where it does not fit into the picture, and put it on whole pixels, as torchvision's
            RandomResizedCrop does. Otherwise it is cut to the picture, so that its area is smaller.

    Returns:
        Pixels in [0, 1], bilinear.
    """
    B, _, H, W = images.shape
    if redrawn:
        return _cropped(images, size, *_redrawn(images, generator, scale, aspect), generator, flip)
    area, ratio, x, y, mirrored = torch.rand(5, B, generator=generator, device=generator.device).to(images.device)
    area = (scale[0] + (scale[1] - scale[0]) * area) * H * W
    low, high = torch.tensor(aspect).log().tolist()
    ratio = (low + (high - low) * ratio).exp()
    width = ((area * ratio).sqrt() / W).clamp(max=1)  # shares of the picture's sides
    height = ((area / ratio).sqrt() / H).clamp(max=1)
    sign = torch.where(mirrored < flip, -1.0, 1.0)
    return _sampled(images, size, width, height, (2 * x - 1) * (1 - width), (2 * y - 1) * (1 - height), sign)


def _redrawn(
    images: Float[Tensor, "B C H W"],
    generator: torch.Generator,
    scale: tuple[float, float],
    aspect: tuple[float, float],
) -> tuple[PerImage, PerImage, PerImage, PerImage]:
    """Width, height, left and top of a part of each picture, in pixels: the first of ten that fits, or the largest
    part in the middle whose aspect is allowed.
    """
    B, _, H, W = images.shape
    area, ratio, x, y = torch.rand(4, 10, B, generator=generator, device=generator.device).to(images.device)
    area = (scale[0] + (scale[1] - scale[0]) * area) * H * W
    low, high = torch.tensor(aspect).log().tolist()
    ratio = (low + (high - low) * ratio).exp()
    width, height = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (width >= 1) & (width <= W) & (height >= 1) & (height <= H)
    first, any_fits = fits.to(torch.uint8).argmax(0, keepdim=True), fits.any(0)
    width, height, x, y = (each.gather(0, first)[0] for each in (width, height, x, y))
    left, top = (x * (W - width + 1)).floor(), (y * (H - height + 1)).floor()
    whole = float(min(W, round(H * aspect[1]))), float(min(H, round(W / aspect[0])))
    middle = float((W - int(whole[0])) // 2), float((H - int(whole[1])) // 2)
    parts = zip((width, height, left, top), (*whole, *middle), strict=True)
    width, height, left, top = (torch.where(any_fits, part, other) for part, other in parts)
    return width, height, left, top


def _cropped(
    images: Float[Tensor, "B C H W"],
    size: int,
    width: PerImage,
    height: PerImage,
    left: PerImage,
    top: PerImage,
    generator: torch.Generator,
    flip: float,
) -> Float[Tensor, "B C {size} {size}"]:
    """Parts of pictures by their pixels, resized, mirrored or not."""
    B, _, H, W = images.shape
    mirrored = torch.rand(B, generator=generator, device=generator.device).to(images.device)
    sign = torch.where(mirrored < flip, -1.0, 1.0)
    x, y = (2 * left + width) / W - 1, (2 * top + height) / H - 1
    return _sampled(images, size, width / W, height / H, x, y, sign)


def _sampled(
    images: Float[Tensor, "B C H W"],
    size: int,
    width: PerImage,
    height: PerImage,
    x: PerImage,
    y: PerImage,
    sign: PerImage,
) -> Float[Tensor, "B C {size} {size}"]:
    """Parts of pictures: their sides as shares of the picture's, their centres in [−1, 1]; sign −1 mirrors one."""
    zero = torch.zeros_like(width)
    # the affine map from the result's coordinates in [−1, 1] to the picture's
    matrix = torch.stack([sign * width, zero, x, zero, height, y], 1).view(len(images), 2, 3)
    where = F.affine_grid(matrix, [len(images), 3, size, size], align_corners=False)
    if images.device.type == "mps":  # has no padding by the border in torch 2.9 and 2.10
        return _without_border(images, where)
    return F.grid_sample(images, where, padding_mode="border", align_corners=False)


def _without_border(images: Float[Tensor, "B C H W"], where: Float[Tensor, "B h w 2"]) -> Float[Tensor, "B C h w"]:
    """`grid_sample` padded by the border, to 1e-4: no place lies beyond the centres of the outermost pixels."""
    H, W = images.shape[2:]
    inside = 1 - 1 / torch.tensor([float(W), float(H)], device=images.device)
    return F.grid_sample(images, where.clamp(-inside, inside), padding_mode="zeros", align_corners=False)


def distort(
    images: ImageBatch, size: int, generator: torch.Generator, augment: Photometric, crop: tuple[float, float]
) -> Float[Tensor, "B 3 {size} {size}"]:
    """A random view as joint-embedding methods make it: crop and mirror, jitter the colours, destroy (SimCLR, §3).

    Args:
        images: the pictures.
        size: pixels a side of the result.
        generator: source of chance, on any device.
        augment: the colours' strengths, and the chances of grayscale, blur and solarize.
        crop: area of the crop, as a share of the picture.

    Returns:
        Pixels in [0, 1].
    """
    view = random_resized_crop(images, size, generator, crop)
    return augment.apply(view, augment.destroy(generator, augment.draw(generator, len(view))))


def to_float(images: UInt8[Tensor, "*shape"] | Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """uint8 pixels to floats in [0, 1]. Floats that are in [0, 1] already stay as they are.

    Raises:
        ForetellError: another type, or floats beyond [0, 1].
    """
    if images.dtype == torch.uint8:
        return images.float().div_(255)
    check_pixels(images)
    return images


def check_pixels(x: Tensor) -> None:
    """Refuse pixels that are no numbers in [0, 1]: a network would take them for a picture of another brightness.

    Raises:
        ForetellError: names what was found.
    """
    if not x.is_floating_point():
        raise ForetellError(f"pixels are {x.dtype}, {_PIXELS}")
    if torch.compiler.is_compiling() or x.is_meta or not x.numel():  # no values yet
        return
    low, high = torch.stack(x.detach().aminmax()).tolist()
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # false of NaN too
        raise ForetellError(f"pixels are {low:.4g} to {high:.4g}, {_PIXELS}")


def _each(value: Tensor, images: Tensor) -> Tensor:
    return value.to(images.device).view(-1, 1, 1, 1)


def _gray(images: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    return (0.2989 * red + 0.587 * green + 0.114 * blue).unsqueeze(1)  # ITU-R 601, with torchvision's digits


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    return torch.lerp(other, images, _each(factor, images)).clamp_(0, 1)


def brightness(images: ImageBatch, factor: PerImage) -> ImageBatch:
    """Multiply. As torchvision's adjust_brightness."""
    return (images * _each(factor, images)).clamp_(0, 1)


def contrast(images: ImageBatch, factor: PerImage) -> ImageBatch:
    """Away from the picture's mean grey. As torchvision's adjust_contrast."""
    return _blend(images, _gray(images).mean((2, 3), keepdim=True), factor)


def saturation(images: ImageBatch, factor: PerImage) -> ImageBatch:
    """Away from each pixel's grey. As torchvision's adjust_saturation."""
    return _blend(images, _gray(images), factor)


def hue(images: ImageBatch, turns: PerImage) -> ImageBatch:
    """Turn the hue by a share of the circle, in [−0.5, 0.5]. As torchvision's adjust_hue."""
    high, low = images.amax(1), images.amin(1)
    chroma = high - low
    red, green, blue = images.unbind(1)
    divisor = torch.where(chroma == 0, 1.0, chroma)
    sector = torch.where(
        high == red,
        (green - blue) / divisor,
        torch.where(high == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sector = (sector + 6 * turns.to(images.device).view(-1, 1, 1)).unsqueeze(1)
    # each channel falls off from the brightest value by its distance on the colour circle
    offset = torch.tensor([5.0, 3.0, 1.0], device=images.device).view(1, 3, 1, 1)
    distance = (offset + sector).remainder(6)
    return high.unsqueeze(1) - chroma.unsqueeze(1) * torch.minimum(distance, 4 - distance).clamp(0, 1)


def grayscale(images: ImageBatch, on: PerImage) -> ImageBatch:
    """Take the colours away where `on` is not 0."""
    return torch.where(_each(on, images) != 0, _gray(images), images)


def blur(images: ImageBatch, sigma: PerImage) -> ImageBatch:
    """Gaussian blur, sigma in pixels, edges mirrored. As torchvision's gaussian_blur with a wide kernel.

    Along each axis a blur is a matrix, so a batch of different blurs is two small products.
    """
    rows, columns = (_blur_matrix(n, sigma, images.device) for n in images.shape[2:])
    return rows @ images @ columns.transpose(-2, -1)


def _blur_matrix(n: int, sigma: Tensor, device: torch.device) -> Tensor:
    """[B, 1, n, n]: row i holds the weights with which the n pixels of a line make pixel i."""
    radius, sigma = min(int(torch.ceil(4 * sigma.max())), n - 1), sigma.to(device)
    offset = torch.arange(-radius, radius + 1, device=sigma.device, dtype=sigma.dtype)
    kernel = torch.exp(-0.5 * (offset / sigma.view(-1, 1)) ** 2)
    kernel = kernel * (offset.abs() <= (4 * sigma).ceil().view(-1, 1))  # independent of the rest of the batch
    kernel = kernel / kernel.sum(1, keepdim=True)
    place = torch.arange(n, device=sigma.device).view(-1, 1) + offset.long()
    place = (n - 1) - ((n - 1) - place.abs()).abs()  # mirrored at both ends, the edge pixel not repeated
    matrix = kernel.new_zeros(len(sigma), n, n)
    return matrix.scatter_add_(2, place.expand(len(sigma), -1, -1), kernel.unsqueeze(1).expand(-1, n, -1)).unsqueeze(1)


def solarize(images: ImageBatch, on: PerImage) -> ImageBatch:
    """Invert pixel values of at least 0.5 where `on` is not 0. As torchvision's solarize."""
    return torch.where((_each(on, images) != 0) & (images >= 0.5), 1 - images, images)


OPERATIONS: dict[str, Callable[[ImageBatch, PerImage], ImageBatch]] = {
    "brightness": brightness,
    "contrast": contrast,
    "saturation": saturation,
    "hue": hue,
    "grayscale": grayscale,
    "blur": blur,
    "solarize": solarize,
}
"""A parameter's name -> the function that changes pictures by a value of it."""
