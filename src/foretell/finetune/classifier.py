"""Finetune the predictor, not the encoder: IWM's way to put a world model to work (Garrido et al. 2024, §5,
arXiv:2403.00504).

    logits = head(p_φ(f^EMA(x), a = 0, every position))        p_φ and head are trained, f^EMA is frozen

The target encoder sees the whole, undamaged image. The predictor predicts every position with the null action. Its
answers ("null latents") go through an attentive head. The paper's three controls are the other modes: a predictor that
was never trained, the encoder without a predictor, and both together.

Differs from the paper:
- Crops and mirroring instead of its stronger augmentations, and minutes instead of 100 ImageNet epochs.
- The encoder, where it is trained, learns at a tenth of the rate like the predictor; the paper does not
  print its.

B batch · N patches · D encoder width · A action parameters
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from math import gcd
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.actions import PictureActions
from foretell.augment import random_resized_crop, to_float
from foretell.capabilities import EncodesPatches, Predicts, require
from foretell.data import Images
from foretell.errors import COUNT, NOT_NEGATIVE, POSITIVE, SEED, SHARE, SOME, ForetellError, within
from foretell.finetune.supervise import accuracy, fitted, labels_of, likeliest
from foretell.hub.files import from_config, to_config
from foretell.method import Method, seeded, unrelated
from foretell.nn.pooler import AttentiveClassifier
from foretell.nn.predictor import Predictor
from foretell.nn.vit import ViT
from foretell.train.fit import fit
from foretell.train.loop import precision

Mode = Literal["predictor", "predictor-random", "encoder", "end-to-end"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True)
class FinetuneConfig:
    """The settings of finetuning. They are the same for every mode, so that modes can be compared."""

    mode: Mode = "predictor"
    """The parts that learn besides the head. `predictor`: the predictor, on a frozen encoder. `predictor-random`: a
    fresh predictor, on a frozen encoder. `encoder`: the encoder, without a predictor. `end-to-end`: encoder and
    predictor."""
    steps: int = 500
    """Optimiser steps; with several tasks, for each."""
    batch: int = 64
    """Images a step."""
    lr: float = 1e-3
    """Peak learning rate of the parts that start at random: the head, a fresh predictor, task tokens."""
    pretrained: float = 0.1
    """Share of that rate for pretrained parts (IWM §5: a tenth)."""
    weight_decay: float = 0.05
    smoothing: float = 0.1
    """Label smoothing."""
    crop: tuple[float, float] = (0.3, 1.0)
    """Area of the random crop, as a share of the photograph."""
    flip: float = 0.5
    """Chance of mirroring left and right."""
    seed: int = 0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of training; accuracy is measured in float32."""

    def __post_init__(self) -> None:
        within(self, steps=COUNT, batch=COUNT, lr=POSITIVE, pretrained=NOT_NEGATIVE, weight_decay=NOT_NEGATIVE)
        within(self, smoothing=SHARE, crop=SOME, flip=SHARE, seed=SEED)


class WorldModelClassifier(nn.Module):
    """A world model's encoder, its predictor with the null action, and an attentive head.

    Args:
        model: the world model; its target encoder and predictor are copied, it is left as it is.
        classes: names of the classes.
        mode: decides which parts exist and which learn (see `FinetuneConfig`).
    """

    def __init__(self, model: Method, classes: Iterable[str], mode: Mode = "predictor") -> None:
        super().__init__()
        self.world = to_config(model)
        """The configuration of such a world model, for `foretell.hub.files.from_config`."""
        self.mode: Mode = mode
        self.classes = tuple(classes)
        self.encoder, self.predictor = parts(model, mode)
        self.actions = told(model)
        self.head = head(self.encoder, self.predictor, len(self.classes))

    def latents(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N _"]:
        """Null latents of images in [0, 1]; in mode `encoder` the encoder's own."""
        s = self.encoder(images)  # not layer-normed: the predictor was trained on an encoder's plain output
        if self.predictor is None:
            return s
        return answer(self.predictor, s, self.encoder.grid(images), s.new_zeros(len(s), self.actions))

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B classes"]:
        """Logits of images in [0, 1]."""
        return self.head(self.latents(images))

    def classify(self, images: Any) -> list[tuple[str, float]]:
        """The likeliest class of each image, and its probability; of anything that `foretell.preprocess` takes."""
        return likeliest(self, images, self.classes, self)

    def rates(self, pretrained: float) -> list[tuple[nn.Module, float]]:
        """The parts to train, each with its share of the learning rate."""
        rates: list[tuple[nn.Module, float]] = [(self.head, 1.0)]
        if self.predictor is not None:
            rates.append((self.predictor, 1.0 if self.mode == "predictor-random" else pretrained))
        if self.mode in ("encoder", "end-to-end"):
            rates.append((self.encoder, pretrained))
        return rates


def parts(model: Method, mode: Mode) -> tuple[ViT, Predictor | None]:
    """Copies of a model's encoder of patches and its predictor, frozen or fresh as the mode wants.

    Raises:
        ForetellError: the model has no such part, or is a video model.
    """
    if mode in ("predictor", "end-to-end") and model.untrained == "predictor":
        raise ForetellError(
            f"mode {mode} finetunes a trained predictor, but this model's weights held an encoder only: "
            "use mode predictor-random or encoder"
        )
    predictor = None
    if mode != "encoder":
        fresh = {name: value for name, value in to_config(model).items() if name != "untrained"}
        origin = from_config(fresh) if mode == "predictor-random" else model
        predictor = deepcopy(require(origin, Predicts, "finetuning").patch_predictor)
    encoder = require(model, EncodesPatches, "finetuning").patch_encoder
    if len(encoder.patch) != 2:
        raise ForetellError(f"finetuning takes an image model, and this {type(model).__name__} is a video model")
    return deepcopy(encoder).requires_grad_(mode in ("encoder", "end-to-end")), predictor


def told(model: Method) -> int:
    """The number of parameters of an action of a model's predictor; 0 without actions."""
    actions: PictureActions | None = getattr(model, "actions", None)
    return 0 if actions is None else len(actions.names)


def head(encoder: ViT, predictor: Predictor | None, classes: int) -> AttentiveClassifier:
    """A fresh head on a predictor's answers (latents or pixels), or on latents, with as many heads as fit."""
    width = encoder.width if predictor is None else predictor.project.out_features
    return AttentiveClassifier(width, gcd(width, encoder.config.heads), classes)


def answer(
    predictor: Predictor, s: Float[Tensor, "B N D"], grid: tuple[int, ...], action: Float[Tensor, "B A"]
) -> Float[Tensor, "B N _"]:
    """A predictor's answers for every position, when it has seen every position."""
    every = torch.arange(s.shape[1], device=s.device).expand(len(s), -1)
    return predictor(s, every, every.unsqueeze(1), grid, action)[:, 0]


def finetune(
    model: Method,
    train: Images,
    test: Images,
    config: FinetuneConfig | None = None,
    *,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> tuple[WorldModelClassifier, dict[str, Any]]:
    """Make a classifier of a world model.

    Args:
        model: a world model, or in mode `encoder` any model that encodes patches; it is not changed.
        train: labelled images to learn from, of any size.
        test: labelled images to measure on, with no class that `train` has not.
        config: the settings; None for the defaults.
        device: the device to compute on; None for the model's.
        progress: whether to draw a progress bar.

    Returns:
        The classifier in evaluation mode, and a report of JSON types: `mode`, `loss` (over the last tenth
        of training), `trained_parameters`, `frozen_parameters`, `steps`, `seconds`, and `accuracy`: its
        `value` on the test set, the 95 % interval `low` to `high`, and `chance`, the score of always naming the most
        frequent class.

    Raises:
        ForetellError: the model lacks a part that the mode needs, a data set has no images or labels, or the test set
            has other classes.
    """
    config = config or FinetuneConfig()
    device = torch.device(device or next(model.parameters()).device)
    labels, asked = labels_of(train, "the training set"), labels_of(test, "the test set", train.classes)
    with seeded(unrelated(config.seed)):
        classifier = WorldModelClassifier(model, train.classes, config.mode).to(device)
    view = views(classifier.encoder, config, device)

    def loss(index: Int[Tensor, " B"]) -> Float[Tensor, ""]:
        x = view(train, index)
        with autocast(config, device):
            logits = classifier(x)
        return F.cross_entropy(logits.float(), labels[index].to(device), label_smoothing=config.smoothing)

    rates = classifier.rates(config.pretrained)
    report = learn(classifier, rates, loss, len(train), config.steps, config, progress)
    report["accuracy"] = accuracy(classifier, test, asked, classifier.encoder.config.image_size, device)
    return classifier, report


def views(encoder: ViT, config: FinetuneConfig, device: torch.device) -> Callable[[Images, Tensor], Tensor]:
    """Cuts random views of training images, mirrored or not: [B, 3, S, S] in [0, 1], S the encoder's size."""
    generator = torch.Generator().manual_seed(config.seed)

    def view(images: Images, index: Int[Tensor, " B"]) -> Float[Tensor, "B 3 S S"]:
        x = fitted(to_float(images.take(index).to(device)), encoder.config.image_size)  # crops alone would alias
        return random_resized_crop(x, encoder.config.image_size, generator, config.crop, flip=config.flip)

    return view


def autocast(config: FinetuneConfig, device: torch.device) -> torch.autocast:
    """The precision to train in."""
    dtype = precision(config.precision, device)
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def learn(
    classifier: nn.Module,
    rates: Iterable[tuple[nn.Module, float]],
    loss: Callable[[Tensor], Tensor],
    samples: int,
    steps: int,
    config: FinetuneConfig,
    progress: bool,
) -> dict[str, Any]:
    """Train parts of a classifier by `foretell.train.fit`, and report the cost."""
    began = time.monotonic()
    last = fit(
        loss,
        rates,
        samples,
        steps=steps,
        batch=config.batch,
        lr=config.lr,
        weight_decay=config.weight_decay,
        seed=config.seed,
        progress=f"finetuning: {config.mode}" if progress else None,
    )
    classifier.eval()
    trained = sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    return {
        "mode": config.mode,
        "loss": last,
        "trained_parameters": trained,
        "frozen_parameters": sum(p.numel() for p in classifier.parameters()) - trained,
        "steps": steps,
        "seconds": round(time.monotonic() - began, 1),
    }
