"""Photographs and videos as vectors, by a world model: as they are, or as the model imagines them.

A model of procedures imagines what comes next: "clips that could follow this one".

A photograph y is stored as latents(y), pooled; for a world model these are target(y). A query is the same of another
photograph, or predict(encode(x), a) pooled: "this one, but darker", without making the darker picture. A model of
videos stores a video as its clips, and a model of images stores it as one frame a second.

n images or clips · D width · T frames of a clip · K futures · P latents a clip · C their width
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from foretell import hub
from foretell.actions import Parameter
from foretell.augment import to_float
from foretell.capabilities import EncodesPatches, Forecasts, Imagines, able, require
from foretell.data import Clips, folder, video
from foretell.data.images.decode import decode
from foretell.errors import ForetellError
from foretell.method import Method
from foretell.nn.vit import pool
from foretell.problems import KINDS, NONE
from foretell.problems import PaddedClips as Seen
from foretell.search.ingest.files import find
from foretell.search.models import pictures
from foretell.search.models.pictures import Through, here
from foretell.search.passage import Passage

FileEntries: TypeAlias = tuple[Sequence[Passage], Iterator[tuple[int, np.ndarray, bytes]], str | None]
"""Passages; each one's place in them, pixels and thumbnail; and the damage of their file."""
FUTURES = 16
"""What comes next is searched for by so many sampled futures."""


@dataclass(frozen=True)
class ImageFile:
    """A photograph that is not decoded yet."""

    path: Path
    name: str
    """Its path below the folder it was found in, with forward slashes."""

    def pixels(self, size: int) -> UInt8[np.ndarray, "3 S S"]:
        """The photograph, 0 to 255: its shorter side is resized to `size`, and its centre is kept.

        Raises:
            foretell.data.decode.Unusable: it is not a whole image; the message is the reason.
        """
        return decode(self.path, size)


def images(path: Path | str) -> Iterator[ImageFile]:
    """The photographs at and below a path, by name. Raises ForetellError where nothing is at the path."""
    for file in find([Path(path)], folder.ENDINGS)[0]:
        yield ImageFile(file.path, file.name)


def names() -> Sequence[str]:
    """The names of the shipped world models."""
    return hub.models()


def load(name: str) -> ImageModel:
    """A world model as an encoder of photographs or videos.

    Args:
        name: a name that `foretell.load` takes.

    Raises:
        ForetellError: there is no such model, or it encodes no patches.
    """
    return of(name, hub.load(name))


def of(name: str, model: Any) -> ImageModel:
    """A world model, loaded by a name, as `load` gives it."""
    known = absolute(name)
    if able(model, Forecasts) is not None:
        if model.config.encoder is None:
            raise ForetellError(f"{name}: this model has no encoder of clips; train it on clips, with --encoder MODEL")
        return StepModel(known, model)
    encoder = require(model, EncodesPatches, "search by photographs and videos").patch_encoder
    return VideoModel(known, model) if len(encoder.patch) == 3 else ImageModel(known, model)


def absolute(name: str) -> str:
    """The name to keep of a model: a folder's whole path, any other name as it is."""
    return name if name in hub.models() or not Path(name).exists() else str(Path(name).resolve())


class ImageModel:
    """A world model of images: an encoder of photographs, and of one frame a second of videos. `load` makes one."""

    kind: Literal["image", "video"] = "image"
    of = "photographs"
    batch = 64
    stills = folder.ENDINGS
    """Endings of the files that it reads as photographs."""
    films = video.ENDINGS - folder.ENDINGS
    """Endings of the files that it reads as videos."""
    words = False
    """Whether it can be asked with words."""
    damaged = video.DAMAGED
    """The report of a video that gives fewer clips than it should."""

    def __init__(self, name: str, model: Method) -> None:
        self.name = name
        self._model = model
        digest = hashlib.sha256()
        for key, tensor in sorted(model.state_dict().items()):
            digest.update(key.encode())
            digest.update(tensor.detach().reshape(-1).view(torch.uint8).numpy().data)
        self.fingerprint = digest.hexdigest()
        self.size = model.config.encoder.image_size
        self.dimension = self._width()

    def _width(self) -> int:
        return require(self._model, EncodesPatches, "search by photographs and videos").patch_encoder.width

    @property
    def cut(self) -> Clips:
        """The cutting of a video into entries."""
        return Clips(self.size, frames=1, fps=1.0)

    @property
    def endings(self) -> frozenset[str]:
        """Endings of the files that can be added."""
        return self.stills | self.films

    @property
    def changes(self) -> Sequence[Parameter]:
        """The changes of a query that it can be asked to imagine."""
        world = able(self._model, Imagines)
        return [] if world is None else [p for p in world.actions.parameters if not p.destructive]

    def entries(self, path: Path, source: str, through: Through = here) -> FileEntries:
        """The entries of a file.

        Args:
            path: of the file.
            source: its name, for the metadata.
            through: decodes it, see `foretell.search.models.pictures`.

        Returns:
            The passages; an iterator over each one's place in them, its pixels and its thumbnail; and a sentence about
            the file's damage, or None. The iterator reads the file.

        Raises:
            ForetellError: the file gives no entry; the message is the reason.
        """
        metadata: dict[str, Any] = {"source": source}
        if path.suffix.lower() not in self.films:
            return [Passage("", metadata=metadata)], iter([(0, *self.photograph(path, through))]), None
        film = _named(path, through(pictures.FILM, path=str(path), cut=asdict(self.cut)))
        spans, damage = next(film)
        passages = [Passage("", time=(start, stop), metadata=metadata) for start, stop in spans]
        return passages, ((place, self._shaped(clip), small) for place, clip, small in film), damage

    def photograph(self, file: Path | bytes, through: Through = here) -> tuple[UInt8[np.ndarray, "..."], bytes]:
        """The pixels that the model sees of a photograph, and a thumbnail. Raises ForetellError where it is none."""
        given = str(file) if isinstance(file, Path) else file
        ((pixels, small),) = _named(file, through(pictures.PHOTOGRAPH, file=given, size=self.size))
        return self._still(pixels), small

    def read(self, file: Path | bytes, through: Through = here) -> UInt8[np.ndarray, "..."]:
        """The pixels that the model sees of a photograph (a file or its bytes), or of the middle of a video's file.

        Raises:
            ForetellError: it is no photograph and no video.
        """
        if isinstance(file, Path) and file.suffix.lower() in self.films:
            return self._shaped(self._film(file, through))
        given = str(file) if isinstance(file, Path) else file
        (pixels,) = _named(file, through(pictures.STILL, file=given, size=self.size))
        return self._still(pixels)

    @torch.no_grad()
    def passages(self, images: Sequence[np.ndarray]) -> Float32[np.ndarray, "n D"]:
        """Unit vectors of images or clips that will be searched, each as `read` gives it."""
        turns = range(0, len(images), self.batch)
        return np.concatenate([self._vectors(np.stack(images[i : i + self.batch])) for i in turns])

    @torch.no_grad()
    def queries(
        self, image: Path | bytes | np.ndarray, imagine: Mapping[str, float] | None = None
    ) -> Float32[np.ndarray, "K D"]:
        """Unit vectors of a photograph or a video to search with: one, or one for each future that is imagined.

        Args:
            image: a photograph (a file or its bytes), a video's file, or what `read` gives of one.
            imagine: the change, as for `foretell.imagine.imagine`; None for no change.

        Raises:
            ForetellError: it is no photograph and no video, or the model knows no such change.
        """
        pixels = image if isinstance(image, np.ndarray) else self.read(image)
        if not imagine:
            return self._vectors(np.stack([pixels]))
        world = require(self._model, Imagines, "a search with an imagined change")
        actions = world.actions
        source, target = actions.split(imagine)
        x = actions.apply(to_float(torch.tensor(pixels))[None], source)
        return _unit(pool(world.imagine(x, actions.action(source, target))))

    def _film(self, file: Path, through: Through) -> UInt8[np.ndarray, "T 3 S S"]:
        """The clip that stands for a video where it is a query."""
        (clip,) = _named(file, through(pictures.MIDDLE, path=str(file), cut=asdict(self.cut)))
        return clip

    def _still(self, pixels: UInt8[np.ndarray, "3 S S"]) -> UInt8[np.ndarray, "..."]:
        """A photograph in the shape that the model expects."""
        return pixels

    def _shaped(self, clip: UInt8[np.ndarray, "T 3 S S"]) -> UInt8[np.ndarray, "..."]:
        """A clip in the shape that the model expects."""
        return clip[0]

    def _vectors(self, pixels: UInt8[np.ndarray, "n ..."]) -> Float32[np.ndarray, "n D"]:
        return _unit(pool(self._model.latents(to_float(torch.from_numpy(pixels)))))


class VideoModel(ImageModel):
    """A world model of videos: an encoder of clips. It sees a photograph as a clip in which nothing moves."""

    kind = "video"
    of = "videos"
    batch = 4
    stills = folder.ENDINGS - video.ENDINGS
    films = video.ENDINGS

    @property
    def cut(self) -> Clips:
        """As in the model's training."""
        config = self._model.config
        return Clips(self.size, frames=config.encoder.frames, **config.reads.pace)

    @property
    def endings(self) -> frozenset[str]:
        """Endings of videos. Photographs can only be queries."""
        return self.films

    def _still(self, pixels: UInt8[np.ndarray, "3 S S"]) -> UInt8[np.ndarray, "3 T S S"]:
        return self._shaped(np.repeat(pixels[None], self.cut.frames, 0))

    def _shaped(self, clip: UInt8[np.ndarray, "T 3 S S"]) -> UInt8[np.ndarray, "3 T S S"]:
        return np.ascontiguousarray(clip.swapaxes(0, 1))

    def _vectors(self, pixels: UInt8[np.ndarray, "n 3 T S S"]) -> Float32[np.ndarray, "n D"]:
        return _unit(self._model.features(to_float(torch.from_numpy(pixels))))


class StepModel(VideoModel):
    """A model that forecasts procedures. Each file is one clip, that of a step; `next=1` imagines the step after it."""

    of = "clips of steps"

    @property
    def changes(self) -> Sequence[Parameter]:
        """What comes next."""
        most = self._model.config.horizon
        return [Parameter("next", "steps", 0, most, 0, False, "the step that comes so many steps later")]

    def entries(self, path: Path, source: str, through: Through = here) -> FileEntries:
        """As of `ImageModel.entries`: a file is one entry."""
        passages = [Passage("", metadata={"source": source})]
        if path.suffix.lower() not in self.films:
            return passages, iter([(0, *self.photograph(path, through))]), None
        frames = self._model.config.encoder.frames
        decoded = through(pictures.STEP, path=str(path), size=self.size, frames=frames)
        ((clip, small),) = _named(path, decoded)
        return passages, iter([(0, self._shaped(clip), small)]), None

    def _film(self, file: Path, through: Through) -> UInt8[np.ndarray, "T 3 S S"]:
        """All of a file, its frames spread over it."""
        frames = self._model.config.encoder.frames
        (clip,) = _named(file, through(pictures.WHOLE, path=str(file), size=self.size, frames=frames))
        return clip

    @torch.no_grad()
    def queries(
        self, image: Path | bytes | np.ndarray, imagine: Mapping[str, float] | None = None
    ) -> Float32[np.ndarray, "K D"]:
        """As of `ImageModel.queries`: for `next`, a vector for each of `FUTURES` sampled futures."""
        pixels = image if isinstance(image, np.ndarray) else self.read(image)
        if not imagine:
            return self._vectors(pixels[None])
        most = self._model.config.horizon
        if set(imagine) != {"next"} or imagine["next"] not in range(1, most + 1):
            asked = ", ".join(f"{name} {value:g}" for name, value in imagine.items())
            raise ForetellError(f"{asked}: this model imagines what comes next, expected next, 1 to {most} steps ahead")
        latents = self._world.encode(torch.from_numpy(pixels[None])).unsqueeze(0)
        asked = latents.new_zeros(1, int(imagine["next"]), *latents.shape[2:])
        chance = torch.Generator().manual_seed(0)
        futures = self._world.sample(_placed(latents, 0), _placed(asked, 1), FUTURES, chance)[0, :, -1]
        return _unit(self._world.scaled(futures).flatten(1))

    @property
    def _world(self) -> Forecasts:
        return require(self._model, Forecasts, "search by clips of steps")

    def _width(self) -> int:
        return self._model.config.latents * self._model.config.channels

    def _vectors(self, pixels: UInt8[np.ndarray, "n 3 T S S"]) -> Float32[np.ndarray, "n D"]:
        return _unit(self._world.scaled(self._world.encode(torch.from_numpy(pixels))).flatten(1))


def _placed(latents: Float[Tensor, "1 n P C"], first: int) -> Seen:
    """Clips one after the other, without names, from a place on."""
    n = latents.shape[1]
    places, there = torch.arange(first, first + n).float()[None], torch.ones(1, n, dtype=torch.bool)
    return Seen(latents, places, there, {kind: torch.full((1, n), NONE) for kind in KINDS})


def _named(file: Path | bytes, values: Iterator[Any]) -> Iterator[Any]:
    """The values of a decoder. Its errors begin with the name of the file."""
    try:
        yield from values
    except ForetellError as reason:
        raise ForetellError(f"{file if isinstance(file, Path) else 'the image'}: {reason}") from None


def _unit(pooled: Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(pooled, dim=1).numpy()
