"""Llip: Lavoie et al., "Modeling Caption Diversity in Contrastive Vision-Language Pretraining", ICML 2024,
arXiv:2405.00740.

    wᵐₖ(i,j) = softmaxₖ( W_Qᵐ gⱼ · W_Kᵐ hᵢₖ / τ )      zᵢⱼ = W_O concatₘ Σₖ wᵐₖ(i,j) W_Vᵐ hᵢₖ              §3.2
    sᵢⱼ = a ⟨zᵢⱼ/‖zᵢⱼ‖, tⱼ/‖tⱼ‖⟩ + b      L = −(1/n) Σᵢ Σⱼ log σ(lᵢⱼ sᵢⱼ),  lᵢⱼ = 1 if j is a caption of i, else −1

One picture has many true captions, and each tells a part of it. So an image tower gives K outputs h of an image, and
the vector g of a caption chooses among them. The negative (i, j) is image i mixed by caption j. Were each image mixed
by its own caption, the caption alone would tell which pair is true, and nothing would be learned of images.

The paper's ablations (§4.1) are switches of this file: `loss` softmax is CLIP; `registers` 1 is SigLIP
(arXiv:2303.15343) whatever mixes; `mixture.by` first, uniform, learned and text are the steps from there to Llip.

Differs from the paper:
- SigLIP's class token is the first of the registers: the ViT here has no other.
- The loss is divided by the captions of the batch, not by its images. It is the same with one caption an image.
- Several captions of an image can be drawn for a step, and captions that are true of other images of the batch count as
  theirs (`positives`). Both are off in the recipe `llip`.
- Without a `bias`, b counts from log p/(1 − p), where p is one image of the batch: −10 of batches of 22,027, as SigLIP
  begins with, and −4.1 of 64. Among few images, −10 would say that nothing is true.
- Learned positions are of texts only; `encoder.positions` says those of images.

B images · n captions · K outputs an image · D width · G width of the text tower · E of embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from foretell.augment import random_resized_crop, to_float
from foretell.errors import COUNT, FINITE, POSITIVE, SOME, ForetellError, Range, within
from foretell.method import Method
from foretell.nn.mixture import Mixture, MixtureConfig
from foretell.nn.text import TextConfig, TextTower
from foretell.nn.vit import ViT, ViTConfig, layer_norm
from foretell.registry import register

if TYPE_CHECKING:
    from foretell.data import Batch, Captions, Dataset

NONE_OR_MORE = Range(0, whole=True)


@dataclass(frozen=True)
class LlipConfig:
    """What a Llip is built from."""

    encoder: ViTConfig = field(default_factory=lambda: ViTConfig(registers=8))
    """Its `registers` are K."""
    text: TextConfig = field(default_factory=TextConfig)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    loss: Literal["sigmoid", "softmax"] = "sigmoid"
    """SigLIP's, or CLIP's."""
    scale: float = 10.0
    """a at first; it is learned."""
    bias: float | None = None
    """b at first; it is learned. None counts it from log p/(1 − p). SigLIP's is −10, for batches of 32,768."""
    captions: int = 0
    """Of each image only so many captions are ever used, the first ones: 1 is always the same. 0 for all."""
    captions_a_step: int = 1
    """Captions of an image that a step learns from, drawn among those."""
    positives: Literal["own", "true"] = "own"
    """Which captions of a batch count as an image's: those drawn for it, or all that the data lists among its captions,
    for whichever image they were drawn."""
    crop: tuple[float, float] = (0.9, 1.0)
    """Area of the random crop, as a share of the image. Nothing is mirrored: captions know left from right."""
    rows: int | None = None
    """Images whose pairs the loss computes at a time, twice each, to save memory. None for all, once."""

    def __post_init__(self) -> None:
        within(self, scale=POSITIVE, bias=FINITE, captions=NONE_OR_MORE, captions_a_step=COUNT, crop=SOME, rows=COUNT)
        if not self.encoder.registers:
            raise ForetellError("encoder registers is 0, expected 1 or more: Llip mixes what becomes of them")

    @property
    def reads(self) -> Captions:
        """What the method reads: images with captions."""
        from foretell.data import Captions

        return Captions(self.encoder.image_size)


@dataclass(frozen=True)
class CaptionedPairs:
    """A training problem: images, and captions that are true of some of them."""

    images: Float[Tensor, "B 3 H W"]
    """In [0, 1]."""
    tokens: Int[Tensor, "n L"]
    """Of the captions, those of an image one behind the other."""
    positive: Bool[Tensor, "B all"]
    """Whether a caption is true of an image; of the captions of all processes."""


class Logit(nn.Module):
    """a and b: from cosines to logits."""

    def __init__(self, scale: float, bias: float | None) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor([scale]).log())  # an axis of one: FSDP splits no scalar
        self.bias = nn.Parameter(torch.tensor([bias or 0.0]))
        self.counts = bias is None

    def forward(self, cosine: Float[Tensor, "B n"], images: int) -> Float[Tensor, "B n"]:
        """Logits of pairs, in a batch of so many images."""
        prior = -torch.tensor(max(images - 1.0, 1.0)).log().item() if self.counts else 0.0
        return self.log_scale.exp() * cosine + (self.bias + prior)


@register("llip", LlipConfig)
class Llip(Method):
    """Learn images from captions, each of which chooses what it is about."""

    config: LlipConfig
    entrances = (
        *Method.entrances,
        "outputs",
        "caption_vectors",
        "encode_text",
        "similarity",
        "mixed",
        "apart",
        "compared",
    )

    def __init__(self, config: LlipConfig) -> None:
        super().__init__(config)
        self.encoder = ViT(config.encoder)
        self.text = TextTower(config.text)
        self.mixture = Mixture(config.mixture, self.encoder.width, config.text.width)
        self.logit = Logit(config.scale, config.bias)

    def prepare(self, data: Dataset) -> None:
        """Learn the vocabulary from the captions of the data.

        Raises:
            ForetellError: the data has no captions.
        """
        if "captions" not in data.columns:
            raise ForetellError(
                f"Llip learns from captions, and this data has none: found {', '.join(data.columns)} (docs/words.md)"
            )
        first = self.config.captions or None
        chunks = torch.arange(len(data)).split(1024)
        self.text.learn(
            text for chunk in chunks for texts in data.batch(chunk).ragged("captions").texts() for text in texts[:first]
        )

    def views(self, batch: Batch, generator: torch.Generator) -> CaptionedPairs:
        """A crop of each image, and captions drawn for it.

        Raises:
            ForetellError: an image has no caption; one image alone, in training.
        """
        c, all_texts = self.config, batch.ragged("captions").texts()
        known = [texts[: c.captions or None] for texts in all_texts]
        if bare := [number for number, texts in enumerate(known) if not texts]:
            raise ForetellError(f"image {bare[0] + 1} of a batch of {len(batch)} has no caption, expected one or more")
        drawn = [texts[i] for texts, row in zip(known, self._draw(known, generator), strict=True) for i in row]
        rank, processes = (dist.get_rank(), dist.get_world_size()) if self._shared() else (0, 1)
        if c.positives == "true":
            everyone, lists = self._everyone(drawn), [set(texts) for texts in known]
            positive = torch.tensor([[text in texts for text in everyone] for texts in lists])
        else:
            owner = torch.arange(len(drawn) * processes) // c.captions_a_step
            positive = owner == torch.arange(len(batch)).unsqueeze(1) + rank * len(batch)
        if self.training and positive.all():
            raise ForetellError(
                "Llip compares images, and a part of a step has no caption that is not true of all: use a larger "
                "--batch or a smaller --accumulate"
            )
        device = batch.pixels.device
        return CaptionedPairs(self._cropped(batch, generator), self.text.tokens(drawn).to(device), positive.to(device))

    def _draw(self, known: Sequence[Sequence[str]], generator: torch.Generator) -> list[list[int]]:
        """For each image the numbers of its captions, none twice unless there are too few."""
        wanted, most = self.config.captions_a_step, max(map(len, known))
        chance = torch.rand(len(known), most, generator=generator, device=generator.device).cpu()
        orders = [chance[row, : len(texts)].argsort().tolist() for row, texts in enumerate(known)]
        return [[order[i % len(order)] for i in range(wanted)] for order in orders]

    def _cropped(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B 3 H W"]:
        x = to_float(batch.pixels)
        if self.config.crop == (1.0, 1.0):
            return x
        return random_resized_crop(x, self.config.encoder.image_size, generator, self.config.crop, flip=0.0)

    def _everyone(self, drawn: list[str]) -> list[str]:
        """The captions of all processes in training, in their order."""
        if not self._shared():
            return drawn
        of: list[list[str]] = [[] for _ in range(dist.get_world_size())]
        dist.all_gather_object(of, drawn)
        return [text for texts in of for text in texts]

    def _shared(self) -> bool:
        return self.training and dist.is_initialized() and dist.get_world_size() > 1

    def _gathered(self, part: Tensor) -> Tensor:
        """The parts of all processes, one behind the other; gradients flow back to each."""
        if not self._shared():
            return part
        from torch.distributed.nn.functional import all_gather

        return torch.cat(list(all_gather(part.contiguous())))

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B 3 H W"]:
        """A random crop of each image."""
        return self._cropped(batch, generator)

    def forward(self, views: CaptionedPairs) -> Float[Tensor, ""]:
        """The loss of all pairs of this process's images and all captions."""
        h, g = self.outputs(views.images), self._gathered(self.in_chunks(self.text, views.tokens))
        world = dist.get_world_size() if self._shared() else 1
        logits = self.logit(self.cosines(h, g), len(h) * world)
        if self.config.loss == "sigmoid":
            return sigmoid_loss(logits, views.positive) / len(views.tokens)
        return softmax_loss(self._gathered(logits), self._gathered(views.positive.float()) > 0)

    def cosines(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B n"]:
        """The similarity of each pair, some images at a time where `rows` says so."""
        rows = self.config.rows
        if rows is None or len(h) <= rows:
            return self.mixture.similarity(h, g)
        parts = (checkpoint(self.mixture.similarity, part, g, use_reentrant=False) for part in h.split(rows))
        return torch.cat([*parts])

    def compared(self, views: CaptionedPairs) -> Float[Tensor, "B n"]:
        """The similarity of each image and each caption of a problem, those of this process alone."""
        return self.cosines(self.outputs(views.images), self.in_chunks(self.text, views.tokens))

    def trained(self) -> dict[str, nn.Module]:
        """The image tower, the text tower, and what mixes and compares."""
        return {"encoder": self.encoder, "text": self.text, "mixture": nn.ModuleList([self.mixture, self.logit])}

    @property
    def scale(self) -> float:
        """a: what cosines are multiplied by."""
        return self.logit.log_scale.exp().item()

    @torch.no_grad()
    def looked(self, x: Float[Tensor, "B 3 H W"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B n rows columns"]:
        """Where the outputs that captions weight looked in the last block; sums of 1 over patches."""
        attention = self.encoder.register_attention(x)
        weights = self.mixture.weights(self.outputs(x), g).mean(2).expand(-1, len(g), -1)
        return (weights @ attention).unflatten(-1, self.encoder.grid(x))

    def outputs(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K D"]:
        """h: the K outputs of images in [0, 1]."""
        return self.in_chunks(self.encoder.encode_registers, x)

    def caption_vectors(self, texts: Sequence[str]) -> Float[Tensor, "n G"]:
        """g: what captions ask with."""
        tokens = self.text.tokens(texts).to(self.logit.bias.device)
        return self.in_chunks(self.text, tokens)

    def similarity(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B n"]:
        """The cosine of each image, mixed by each caption, and that caption; −1 to 1."""
        return self.mixture.similarity(h, g)

    def mixed(self, h: Float[Tensor, "B K D"], g: Float[Tensor, "n G"]) -> Float[Tensor, "B _ E"]:
        """ẑ: the unit vector of each image, mixed by each caption."""
        return self.mixture(h, g)

    def apart(self, h: Float[Tensor, "B K D"]) -> Float[Tensor, "B K E"]:
        """The unit vector of each output of images, as a caption gets it that chooses this one alone."""
        return self.mixture(h.flatten(0, 1).unsqueeze(1))[:, 0].unflatten(0, h.shape[:2])

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "n E"]:
        """t: the unit vector of each text, in the space of `features`."""
        return self.mixture.embed_text(self.caption_vectors(texts))

    def features(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        """The unit vector of images in [0, 1], all outputs weighted the same where no caption chooses."""
        return self.mixture(self.outputs(x))[:, 0]

    def latents(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K D"]:
        """The outputs, layer-normed."""
        return layer_norm(self.outputs(x))

    @torch.no_grad()
    def measures(self, views: CaptionedPairs) -> dict[str, float]:
        """The loss, and the share of captions whose image, or another of which they are true, is nearest."""
        nearest = self.compared(views).argmax(0)
        found = views.positive[nearest, torch.arange(len(nearest), device=nearest.device)]
        return {**super().measures(views), "r@1": found.float().mean().item()}


def sigmoid_loss(logits: Float[Tensor, "B n"], positive: Bool[Tensor, "B n"]) -> Float[Tensor, ""]:
    """Say of each pair whether it is true (SigLIP, eq. 1): −log σ(lᵢⱼ sᵢⱼ), summed over all pairs."""
    return -F.logsigmoid(torch.where(positive, logits, -logits)).sum()


def softmax_loss(logits: Float[Tensor, "B n"], positive: Bool[Tensor, "B n"]) -> Float[Tensor, ""]:
    """Name the caption of each image among all, and the image of each caption (CLIP, §2.3).

    Where a caption is true of several images, or an image has several captions, the others are left out of a choice.
    """
    false = logits.masked_fill(positive, -torch.inf)
    caption = torch.logaddexp(logits, false.logsumexp(1, keepdim=True)) - logits
    image = torch.logaddexp(logits, false.logsumexp(0, keepdim=True)) - logits
    return ((caption + image) / 2)[positive].mean()
