"""Whether a wider last block gives better features (Expand or Narrow, arXiv:2304.05369), at a small scale.

The paper takes D from a quarter to sixteen times a ResNet-50's width. The arms do the same with a smaller network.
"""

from dataclasses import replace
from math import ceil

from foretell.claims.claim import Arm, Claim, Data, Expect, Values
from foretell.claims.measures import labelled
from foretell.data import Images
from foretell.errors import ForetellError
from foretell.evaluate import binarised, linear_probe, mlp_probe, rankme, sparsity
from foretell.method import Method
from foretell.methods import SimCLRConfig, VICRegConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.recipes import Recipe
from foretell.train.loop import TrainConfig

SOURCE = "Bordes et al. 2023, arXiv:2304.05369"
ENCODER = ResNetConfig(name="resnet18", image_size=24, base=8)
TRAIN = TrainConfig(
    steps=250, batch=128, weight_decay=1e-4, weight_decay_end=1e-4, monitor_every=0, checkpoint_every=50
)
LEARN = 5_000
"""Labelled images that a probe learns from. At the largest width, more would take longer than the training."""
WIDTHS = (16, 64, 256, 1024)
"""D; the second is the network's own width."""
TRANSFER_CLASSES = 20
"""Classes of the other data set, evenly chosen: enough to compare features, few enough for a quick probe."""
SCALE = (
    "24 pixels; ResNet-18 an eighth as wide, whose last stage gives 64 channels by itself; "
    f"{TRAIN.steps} steps of {TRAIN.batch} photographs; probes learn from {LEARN:,} images"
)


def widened(model: Method, data: Data[Images], seed: int) -> Values:
    """Measures that change with the width.

    - `linear`, `mlp`, `gap`: accuracy of a linear and of a two-layer probe, and the second less the first.
    - `binarised`: accuracy of a linear probe on features reduced to zero and not zero.
    - `transfer`: accuracy of a linear probe on the other data set.
    - `zeros`, `half`: share of activations that are exactly 0, and of images with at least half of them at 0.
    """
    if data.other is None:
        raise ForetellError("this claim measures transfer to another data set: name one by --other")
    known, y, asked, y_asked = labelled(model, data, seed, LEARN)
    linear, mlp, on_or_off = (
        probe.float().mean().item()
        for probe in (
            linear_probe(known, y, asked, y_asked, seed=seed),
            mlp_probe(known, y, asked, y_asked, seed=seed),
            linear_probe(binarised(known, 0.0), y, binarised(asked, 0.0), y_asked, seed=seed),
        )
    )
    few = Data(_few_classes(data.other.train), _few_classes(data.other.test))
    other = labelled(model, few, seed, LEARN)
    found = sparsity(asked, 0.0)
    return {
        "linear": linear,
        "transfer": linear_probe(*other, seed=seed).float().mean().item(),
        "half": found["half"],
        "gap": mlp - linear,
        "mlp": mlp,
        "binarised": on_or_off,
        "zeros": found["zeros"],
        "rankme": rankme(known),
    }


def _few_classes(images: Images) -> Images:
    """Every n-th class, so that at most `TRANSFER_CLASSES` are left, counted anew."""
    every = max(ceil(len(images.classes) / TRANSFER_CLASSES), 1)
    if images.labels is None:
        return images
    left = images.subset(images.labels % every == 0)
    assert left.labels is not None
    return replace(left, labels=left.labels // every, classes=images.classes[::every])


def _claim(name: str, method: str, paper: str, model: SimCLRConfig | VICRegConfig) -> Claim:
    def arm(width: int) -> Arm:
        return Arm(Recipe(replace(model, encoder=replace(ENCODER, last_width=width)), TRAIN), widened)

    wide, own = f"D {WIDTHS[-1]}", f"D {WIDTHS[1]}"
    return Claim(
        name=name,
        finding=f"A wider last block makes {method}'s features better, on the same data and on other data. They are "
        "sparser, and a nonlinear probe gains less over a linear one.",
        source=SOURCE,
        paper=paper,
        scale=SCALE,
        arms={f"D {width}": arm(width) for width in WIDTHS},
        expects=(
            Expect("linear", wide, own),
            Expect("transfer", wide, own),
            Expect("half", wide, own),
            Expect("gap", own, wide),
        ),
        remark="Transfer is to 20 classes of the other data set. Activations are averaged over 9 places, and "
        "are 0 only if all of them are.",
        panels=("linear", "transfer", "half", "gap"),
    )


SIMCLR = _claim(
    "expand-simclr",
    "SimCLR",
    "ImageNet, ResNet-50, D = 32768 and a linear projector to 32 dimensions: linear 67.4; accuracy rises with D "
    "on every data set that was tried",
    SimCLRConfig(projector=ProjectorConfig(width=256, out=128), temperature=0.5),
)
VICREG = _claim(
    "expand-vicreg",
    "VICReg",
    "ImageNet, ResNet-50: at D = 512 features are dense. At D = 32768 four of five images have at least half of "
    "their activations at exactly 0. Setting all others to 1 costs almost nothing",
    VICRegConfig(projector=ProjectorConfig(width=512, out=512, layers=3)),
)

CLAIMS = (SIMCLR, VICREG)
