"""What differs between environments: simple measures of pictures and files, and how large a difference is.

An effect is a chance that a reader can picture: take one picture of each of two environments; how often is the second
one brighter? 50 % is no difference. It is the area under the ROC curve, and the Mann-Whitney statistic.

n pictures · S side in pixels
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from foretell.data import Images
from foretell.data.images.grouped import GroupedImages
from foretell.evaluate.intervals import wilson

PART = 512
"""Pictures that are measured at a time."""
RIM = 8
"""The background is a border, an eighth of the side wide."""
RARE = 0.02
"""A camera or a format that fewer pictures have is not told of."""


@dataclass(frozen=True)
class PictureMeasure:
    """A number that each picture has."""

    name: str
    more: str
    """What a picture is that has more of it: "brighter"."""
    less: str


MEASURES = (
    PictureMeasure("brightness", "brighter", "darker"),
    PictureMeasure("redness", "redder", "less red"),
    PictureMeasure("greenness", "greener", "less green"),
    PictureMeasure("blueness", "bluer", "less blue"),
    PictureMeasure("contrast", "richer in contrast", "flatter"),
    PictureMeasure("sharpness", "sharper or richer in detail", "blurred or smoother"),
    PictureMeasure("brightness of the background", "brighter in the background", "darker in the background"),
    PictureMeasure("redness of the background", "redder in the background", "less red in the background"),
    PictureMeasure("greenness of the background", "greener in the background", "less green in the background"),
    PictureMeasure("blueness of the background", "bluer in the background", "less blue in the background"),
    PictureMeasure("detail of the background", "richer in detail in the background", "smoother in the background"),
)
"""Of pixels, in the order of `measured`."""
FILES = (
    PictureMeasure("width in pixels", "wider", "narrower"),
    PictureMeasure("height in pixels", "taller", "lower"),
    PictureMeasure("size of the file", "larger as a file", "smaller as a file"),
)


@dataclass(frozen=True)
class Effect:
    """How two environments of a class differ in one thing."""

    what: str
    sentence: str
    """What is seen in the second environment."""
    value: float
    """A chance: 0.5 is no difference. Of cameras and formats 0.5 + half the difference of their shares."""
    low: float
    high: float

    @property
    def size(self) -> float:
        """0 for no difference, 1 for two environments that have nothing in common."""
        return abs(2 * self.value - 1)

    @property
    def of_pixels(self) -> bool:
        """Whether it is seen in the picture, and not in its file alone."""
        return self.what in {measure.name for measure in MEASURES}

    @property
    def clear(self) -> bool:
        """Whether the interval leaves no difference out."""
        return self.low > 0.5 or self.high < 0.5


def measured(pictures: Images) -> Float[Tensor, "n 11"]:
    """The numbers of `MEASURES` of each picture, on pixels in [0, 1]."""
    parts = [_measured(pictures.take(part).float() / 255) for part in torch.arange(len(pictures)).split(PART)]
    return torch.cat(parts)


def _measured(x: Float[Tensor, "n 3 S S"]) -> Float[Tensor, "n 11"]:
    S = x.shape[-1]
    rim = max(S // RIM, 1)
    border = torch.ones(S, S, dtype=torch.bool)
    border[rim : S - rim, rim : S - rim] = False
    grey = x.mean(1)
    edges = torch.zeros_like(grey)  # how far a pixel is from the mean of its four neighbours
    neighbours = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    edges[:, 1:-1, 1:-1] = (grey[:, 1:-1, 1:-1] - neighbours / 4).abs()
    whole, around = x.flatten(2).mean(2), x[:, :, border].mean(2)
    return torch.stack(
        [
            whole.mean(1),
            *_colours(whole),
            grey.flatten(1).std(1),
            edges.flatten(1).mean(1),
            around.mean(1),
            *_colours(around),
            edges[:, border].mean(1),
        ],
        1,
    )


def _colours(mean: Float[Tensor, "n 3"]) -> tuple[Tensor, Tensor, Tensor]:
    """How far each channel is above the mean of all: grey has 0 of each."""
    red, green, blue = (mean - mean.mean(1, keepdim=True)).unbind(1)
    return red, green, blue


def effects(
    values: Float[Tensor, "n _"], pictures: Images, first: Bool[Tensor, " n"], second: Bool[Tensor, " n"]
) -> list[Effect]:
    """How the pictures of one mask differ from those of another, the largest difference first.

    The intervals hold together: all of them contain the truth in 95 % of such comparisons (Bonferroni).
    """
    table = [(measure, values[:, k]) for k, measure in enumerate(MEASURES)]
    named: list[tuple[str, list[str]]] = []
    if isinstance(pictures, GroupedImages):
        facts = pictures.facts()
        table += [
            (measure, torch.from_numpy(np.ascontiguousarray(each)))
            for measure, each in zip(FILES, (facts.widths, facts.heights, facts.sizes), strict=True)
        ]
        named = [("camera", facts.cameras), ("format of the file", facts.formats)]
    table = [(measure, each) for measure, each in table if bool((each != each[0]).any())]
    shares = [(what, value, _mask(texts, value)) for what, texts in named for value in _common(texts)]
    level = 1 - 0.05 / max(len(table) + len(shares), 1)
    found = [_numeric(measure, each[first], each[second], level) for measure, each in table]
    named_effects = [_share(what, value, mask[first], mask[second], level) for what, value, mask in shares]
    found += [effect for effect in named_effects if effect.value > 0.5]  # what takes a place, not what leaves it
    return sorted(found, key=lambda effect: -effect.size)


def _numeric(measure: PictureMeasure, first: Tensor, second: Tensor, level: float) -> Effect:
    value = chance(first, second)
    low, high = interval(value, len(first), len(second), level)
    return Effect(measure.name, measure.more if value >= 0.5 else measure.less, value, low, high)


def _share(what: str, value: str, first: Tensor, second: Tensor, level: float) -> Effect:
    """The difference of two shares, with the interval of Newcombe 1998 (method 10)."""
    (k, m), (j, n) = ((int(mask.sum()), len(mask)) for mask in (first, second))
    a, b = k / m, j / n
    (a_low, a_high), (b_low, b_high) = wilson(k, m, level), wilson(j, n, level)
    low = b - a - sqrt((b - b_low) ** 2 + (a_high - a) ** 2)
    high = b - a + sqrt((b_high - b) ** 2 + (a - a_low) ** 2)
    said = f"{what} “{value or 'not told'}”: {b:.0%} of them, {a:.0%} of the others"
    return Effect(what, said, *(0.5 + each / 2 for each in (b - a, low, high)))


def chance(first: Tensor, second: Tensor) -> float:
    """How often a number of the second is larger than one of the first; a tie counts half."""
    order = first.sort().values.contiguous()
    second = second.contiguous()
    below = torch.searchsorted(order, second) + torch.searchsorted(order, second, right=True)
    return float(below.double().mean()) / 2 / len(first)


def interval(value: float, m: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """An interval of such a chance between m and n numbers (Newcombe 2006, method 5): where none is larger, too."""
    z, more = NormalDist().inv_cdf(0.5 + level / 2), (m + n) / 2 - 1

    def spread(theta: float) -> float:
        return z * sqrt(theta * (1 - theta) * (1 + more * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (m * n))

    def end(inside: float, outside: float) -> float:
        for _ in range(60):
            middle = (inside + outside) / 2
            if abs(value - middle) <= spread(middle):
                inside = middle
            else:
                outside = middle
        return inside

    return end(value, 0.0), end(value, 1.0)


def _common(texts: list[str]) -> list[str]:
    """Values that some and not all pictures have."""
    values, counts = np.unique(np.array(texts), return_counts=True)
    share = counts / len(texts)
    return [str(value) for value, s in zip(values, share, strict=True) if RARE <= s < 1]


def _mask(texts: list[str], value: str) -> Bool[Tensor, " n"]:
    return torch.from_numpy(np.array(texts) == value)
