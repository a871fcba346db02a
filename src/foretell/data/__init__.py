"""Data sets of photographs, clips, episodes and vectors, decoded once into a cache on disk.

    images = load("path/to/photos", 64)              # or Photographs(64)
    train, test = train_test("photographs", 32)
    images.take([0, 1, 2])                           # uint8 [3, 3, 64, 64]

    videos = load("path/to/videos", Clips(64, frames=16, fps=8))
    videos.take([0, 1, 2])                           # uint8 [3, 3, 16, 64, 64]

    episodes = load("path/to/robot", EpisodeClips(64, frames=16, fps=4))
    batch = episodes.batch([0, 1, 2])                # batch.pixels, batch["states"], batch["actions"]

    captioned = load("captions:20000", Captions(64)) # pictures with several captions each
    asked = load("questions:20000", Questions(64))   # questions about pictures, with answers and outlines
    captioned.texts([0, 1, 2])                       # a list of strings for each

    Images.of(array, labels)                         # what is in memory already, or a torch data set

Read on in this order: reads (what can be asked for), batch, dataset, columns, loading; then source and items, and a
kind of source (folder, images.parquet, images.torchvision_sets, photographs, images.arrays, video.lists,
video.episodes, table, captions, procedures and annotations, made.captioned, made.scenes, made.pusher); then clipping,
images.decode and video.decode, images.form and video.form, and cache.
"""

from typing import TYPE_CHECKING

from foretell.lazy import names

if TYPE_CHECKING:
    from .batch import Batch, Ragged
    from .columns import ColumnType
    from .dataset import Captioned, Columns, Dataset, Episodes, Images, Pictures, Records, Skipped, Videos
    from .loading import Specs, load, places, train_test
    from .procedures import Procedures
    from .reads import (
        Captions,
        ClipEncoder,
        Clips,
        EpisodeClips,
        GroupedPhotographs,
        Photographs,
        Questions,
        Reads,
        StepLatents,
        Vectors,
    )

__all__ = [
    "Batch",
    "Captioned",
    "Captions",
    "ClipEncoder",
    "Clips",
    "ColumnType",
    "Columns",
    "Dataset",
    "EpisodeClips",
    "Episodes",
    "GroupedPhotographs",
    "Images",
    "Photographs",
    "Pictures",
    "Procedures",
    "Questions",
    "Ragged",
    "Reads",
    "Records",
    "Skipped",
    "Specs",
    "StepLatents",
    "Vectors",
    "Videos",
    "load",
    "places",
    "train_test",
]

_HOMES = {
    "Batch": "batch",
    "Captioned": "dataset",
    "Captions": "reads",
    "ClipEncoder": "reads",
    "Clips": "reads",
    "ColumnType": "columns",
    "Columns": "dataset",
    "Dataset": "dataset",
    "EpisodeClips": "reads",
    "Episodes": "dataset",
    "GroupedPhotographs": "reads",
    "Images": "dataset",
    "Photographs": "reads",
    "Pictures": "dataset",
    "Procedures": "procedures",
    "Questions": "reads",
    "Ragged": "batch",
    "Reads": "reads",
    "Records": "dataset",
    "Skipped": "dataset",
    "Specs": "loading",
    "StepLatents": "reads",
    "Vectors": "reads",
    "Videos": "dataset",
    "load": "loading",
    "places": "loading",
    "train_test": "loading",
}

__getattr__ = names(__name__, _HOMES)  # a process that decodes pictures needs none of this, and no torch


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
