"""CLIP, SigLIP and SigLIP 2 as Hugging Face publishes them, computed by transformers: pictures and words in one space.

They know words: `foretell label`, `foretell evaluate` and retrieval take them. They are not trained further here.

B images · n texts · E width of embeddings
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from foretell.errors import ForetellError
from foretell.extras import needed
from foretell.hub.files import read_json
from foretell.hub.official.encoder import Channels
from foretell.hub.official.siglip import vision_encoder
from foretell.method import Method
from foretell.nn.pixels import standardised
from foretell.nn.vit import ViT, patchify

if TYPE_CHECKING:
    from foretell.data import Batch, Captions

KINDS = ("clip", "siglip", "siglip2")
"""What config.json calls them."""
WORDS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")
"""One of them has the words."""
PURPOSE = "a CLIP or SigLIP of Hugging Face"


@dataclass(frozen=True)
class Eye:
    """What others ask of an encoder's configuration."""

    image_size: int
    mean: Channels = (0.5, 0.5, 0.5)
    std: Channels = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class TowersConfig:
    """Where the towers lie, and the size of their pictures."""

    folder: Path
    kind: str
    encoder: Eye

    @property
    def reads(self) -> Captions:
        """Images, with captions where there are any."""
        from foretell.data import Captions

        return Captions(self.encoder.image_size)


class Towers(Method):
    """An image tower and a text tower, one vector each.

    Args:
        config: from `load`; weights are drawn anew.

    Raises:
        MissingExtra: transformers is not installed.
        ForetellError: the folder has no tokenizer.
    """

    config: TowersConfig

    def __init__(self, config: TowersConfig) -> None:
        super().__init__(config)
        transformers = needed("transformers", PURPOSE)
        self.towers = transformers.AutoModel.from_config(transformers.AutoConfig.from_pretrained(config.folder))
        self.register_buffer("mean", torch.tensor(config.encoder.mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.encoder.std).view(-1, 1, 1), persistent=False)
        if not any((config.folder / name).is_file() for name in WORDS):  # transformers would make one without words
            raise ForetellError(f"{config.folder} has no tokenizer: expected {' or '.join(WORDS)}")
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(config.folder, local_files_only=True)
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ForetellError(f"{config.folder} has no tokenizer that transformers can load ({reason})") from None

    @property
    def encoder(self) -> ViT:
        """A copy of the image tower, for a method that stands on it, patch by patch.

        Raises:
            ForetellError: it is no SigLIP's: those of others are built in another way.
        """
        if self.config.kind != "siglip":
            raise ForetellError(
                f"{self.config.folder} is a {self.config.kind}, and its image tower is no plain transformer of "
                "patches: to stand on, give a SigLIP"
            )
        eye = self.config.encoder
        return vision_encoder(self.towers.vision_model, (eye.mean, eye.std))

    @property
    def scale(self) -> float:
        """What cosines are multiplied by."""
        return self.towers.logit_scale.exp().item()

    def outputs(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 E"]:
        """The vector of images in [0, 1], before it gets length one."""
        return self.in_chunks(self._image, x).unsqueeze(1)

    def _image(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        x = standardised(x, self.mean, self.std, self.training)
        if self.config.kind != "siglip2":
            return _pooled(self.towers.get_image_features(x))
        side = self.towers.config.vision_config.patch_size
        rows, columns = x.shape[2] // side, x.shape[3] // side
        patches = patchify(x, (side, side)).unflatten(2, (3, -1)).transpose(2, 3).flatten(2)  # channels fastest
        shapes = torch.tensor([[rows, columns]], device=x.device).expand(len(x), -1)
        mask = torch.ones(patches.shape[:2], dtype=torch.int64, device=x.device)
        return _pooled(self.towers.get_image_features(patches, mask, shapes))

    def caption_vectors(self, texts: Sequence[str]) -> Float[Tensor, "n E"]:
        """The vector of texts, before it gets length one. Texts that are too long are cut.

        Raises:
            ForetellError: there is no text, or an empty one.
        """
        if not texts or not all(text.strip() for text in texts):
            raise ForetellError(
                "a text to encode is empty, expected words" if texts else "there are no texts to encode"
            )
        length = self.towers.config.text_config.max_position_embeddings
        padding = True if self.config.kind == "clip" else "max_length"  # as each was trained
        told = self._tokenizer([*texts], padding=padding, truncation=True, max_length=length, return_tensors="pt")
        device = self.mean.device
        mask = told["attention_mask"].to(device) if self.config.kind == "clip" else None
        return _pooled(self.towers.get_text_features(told["input_ids"].to(device), mask))

    def mixed(self, h: Float[Tensor, "B 1 E"], g: Float[Tensor, "n E"]) -> Float[Tensor, "B 1 E"]:
        """The unit vector of each image; texts have no say."""
        return F.normalize(h.float(), dim=-1)

    def apart(self, h: Float[Tensor, "B 1 E"]) -> Float[Tensor, "B 1 E"]:
        """The unit vector of each image: there is one output."""
        return F.normalize(h.float(), dim=-1)

    def similarity(self, h: Float[Tensor, "B 1 E"], g: Float[Tensor, "n E"]) -> Float[Tensor, "B n"]:
        """The cosine of each image and each text."""
        return F.normalize(h[:, 0].float(), dim=-1) @ F.normalize(g.float(), dim=-1).T

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "n E"]:
        """The unit vector of each text."""
        return F.normalize(self.caption_vectors(texts).float(), dim=-1)

    def features(self, x: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B E"]:
        """The unit vector of images in [0, 1]."""
        return F.normalize(self.outputs(x)[:, 0].float(), dim=-1)

    def trained(self) -> Mapping[str, nn.Module]:
        """Both towers."""
        return {"encoder": self.towers.vision_model, "text": self.towers.text_model}

    def views(self, batch: Batch, generator: torch.Generator) -> Any:
        """They are not trained here. Raises ForetellError."""
        raise ForetellError(f"{self.config.folder} is used as it is: train a Llip with `foretell train llip`")

    def forward(self, views: Any) -> Float[Tensor, ""]:
        """They are not trained here. Raises ForetellError."""
        return self.views(views, torch.Generator())

    def augmented(self, batch: Batch, generator: torch.Generator) -> Float[Tensor, "B 3 H W"]:
        """The images as they are: no augmentation of their training is known."""
        from foretell.augment import to_float

        return to_float(batch.pixels)


def recognised(path: Path) -> bool:
    """Whether a folder holds such a model."""
    return (path / "config.json").is_file() and read_json(path / "config.json").get("model_type") in KINDS


def load(path: Path) -> Towers:
    """The towers of a folder, with its weights.

    Raises:
        MissingExtra: transformers is not installed.
        ForetellError: a file is missing or damaged.
    """
    transformers = needed("transformers", PURPOSE)
    said = read_json(path / "config.json")
    try:
        towers = transformers.AutoModel.from_pretrained(path, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise ForetellError(f"{path}: transformers cannot load it ({str(error).splitlines()[0]})") from None
    processor = path / "preprocessor_config.json"
    prepared = read_json(processor) if processor.is_file() else {}
    vision = towers.config.vision_config
    size = getattr(vision, "image_size", None) or round(vision.num_patches**0.5) * vision.patch_size
    known = {name: tuple(prepared[f"image_{name}"]) for name in ("mean", "std") if f"image_{name}" in prepared}
    model = Towers(TowersConfig(path, said["model_type"], Eye(size, **known)))
    model.towers.load_state_dict(towers.state_dict())
    return model


def _pooled(found: Any) -> Tensor:
    """What transformers 5 wraps and 4 does not."""
    return found if isinstance(found, Tensor) else found.pooler_output
