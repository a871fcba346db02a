"""From photographs on disk to an augmented batch: the crop, jitter, gray, blur and solarize of an image world model."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import tyro
from torch import Tensor

from benchmarks.measure import available, interleaved, one_thread, table
from benchmarks.peers import LR, MOMENTUM, WEIGHT_DECAY
from foretell import data
from foretell.augment import Photometric, random_resized_crop, to_float
from foretell.methods import IWM
from foretell.recipes import RECIPES
from foretell.train.optimizer import adamw

AUGMENT = Photometric()
KERNEL = 17  # pixels: 4σ on both sides at the largest blur, as ours
Load = Callable[[], Tensor]


def foretell(images: data.Images, index: Tensor, size: int) -> Load:
    """A memory map of decoded pixels; every operation on the batch, with parameters that are known afterwards."""
    generator = torch.Generator().manual_seed(0)

    def load() -> Tensor:
        crop = random_resized_crop(to_float(images.take(index)), size, generator)
        return AUGMENT.apply(crop, AUGMENT.destroy(generator, AUGMENT.draw(generator, len(index))))

    return load


def torchvision(images: data.Images, index: Tensor, size: int, jpeg: bool = False) -> Load:
    """torchvision.transforms.v2, image by image, as a DataLoader's worker runs it."""
    from torchvision.io import decode_jpeg, encode_jpeg
    from torchvision.transforms import v2

    a = AUGMENT
    jitter = v2.ColorJitter(a.brightness, a.contrast, a.saturation, a.hue)
    transform = v2.Compose(
        [
            v2.RandomResizedCrop(size, (0.3, 1.0), antialias=False),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([jitter], a.jitter_probability),
            v2.RandomGrayscale(a.grayscale_probability),
            v2.RandomApply([v2.GaussianBlur(KERNEL, a.blur_sigma)], a.blur_probability),
            v2.RandomSolarize(128, a.solarize_probability),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    files = [encode_jpeg(image) for image in images.take(index)] if jpeg else []

    def load() -> Tensor:
        pixels = map(decode_jpeg, files) if jpeg else images.take(index)
        return torch.stack([transform(image) for image in pixels])

    return load


def kornia(images: data.Images, index: Tensor, size: int) -> Load:
    """kornia.augmentation on the batch, with a draw an image."""
    from kornia import augmentation as K

    a = AUGMENT
    transform = K.AugmentationSequential(
        K.RandomResizedCrop((size, size), (0.3, 1.0), cropping_mode="slice"),
        K.RandomHorizontalFlip(),
        K.ColorJitter(a.brightness, a.contrast, a.saturation, a.hue, p=a.jitter_probability),
        K.RandomGrayscale(p=a.grayscale_probability),
        K.RandomGaussianBlur((KERNEL, KERNEL), a.blur_sigma, p=a.blur_probability),
        K.RandomSolarize(0.0, 0.0, p=a.solarize_probability),
    )
    return lambda: transform(images.take(index).float().div_(255))


def share(images: data.Images, batch: int, rounds: int) -> tuple[float, float]:
    """Seconds of reading images and making views of them, and of a whole step of the `iwm` recipe."""
    model = IWM(RECIPES["iwm"]().model)
    optimizer = adamw([(module, 1.0) for module in model.trained().values()], LR, WEIGHT_DECAY)
    generator = torch.Generator().manual_seed(0)
    index = torch.arange(batch) % len(images)

    def make() -> object:
        return model.views(images.batch(index), generator)

    def step() -> None:
        model(model.views(images.batch(index), generator)).backward()
        optimizer.step()
        optimizer.zero_grad()
        model.update_target(MOMENTUM)

    spent = interleaved({"views": make, "step": step}, rounds)
    return spent["views"], spent["step"]


def main(size: int = 64, batch: int = 128, rounds: int = 15, share_rounds: int = 5) -> None:
    """Measure loading with augmentation, and the share of a training step that goes into it.

    Args:
        size: pixels a side.
        batch: photographs.
        rounds: turns that each contender has.
        share_rounds: turns of a whole step of the `iwm` recipe (which crops to 64 pixels); 0 skips it.
    """
    one_thread()
    with tempfile.TemporaryDirectory() as folder:
        images = data.load("photographs", size, cache_dir=Path(folder), progress=False)
        index = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:batch]
        problem = images, index, size
        loads = available(
            {
                "foretell": partial(foretell, *problem),
                "kornia, from our memory map": partial(kornia, *problem),
                "torchvision v2, from our memory map": partial(torchvision, *problem),
                "torchvision v2, from JPEG": partial(torchvision, *problem, jpeg=True),
            }
        )
        print(f"{size} pixels, batch {len(index)}, medians of {rounds} rounds\n")
        seconds = interleaved({**loads, "reading": lambda: images.take(index)}, rounds)
        reading = seconds.pop("reading")
        rows = [[name, f"{len(index) / s:.0f}", f"{seconds['foretell'] / s:.2f}"] for name, s in seconds.items()]
        table(["library", "images/s", "of foretell's"], rows)
        print(f"reading from the memory map alone: {len(index) / reading:.0f} images/s\n")
        if share_rounds:
            views, step = share(images, batch, share_rounds)
            print(f"a step of the iwm recipe at batch {batch}: {step:.2f} s; loading and views are {views / step:.1%}")


if __name__ == "__main__":
    tyro.cli(main)
