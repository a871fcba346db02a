"""Data sets of photographs, clips, episodes and vectors, decoded once into a cache on disk.

    images = load("path/to/photos", 64)              # or Photographs(64)
    train, test = train_test("photographs", 32)
    images.take([0, 1, 2])                           # uint8 [3, 3, 64, 64]

    videos = load("path/to/videos", Clips(64, frames=16, fps=8))
    videos.take([0, 1, 2])                           # uint8 [3, 3, 16, 64, 64]

    episodes = load("path/to/robot", EpisodeClips(64, frames=16, fps=4))
    batch = episodes.batch([0, 1, 2])                # batch.pixels, batch["states"], batch["actions"]

    Images.of(array, labels)                         # what is in memory already, or a torch data set

Read on in this order: reads (what can be asked for), batch, dataset, columns, load; then source and items, and a kind
of source (folder, images.parquet, images.torchvision_sets, photographs, images.arrays, video.lists, video.episodes,
table, made.scenes, made.pusher, procedures and annotations); then images.decode and video.decode, and cache.
"""

from .batch import Batch, Ragged
from .columns import ColumnType
from .dataset import Columns, Dataset, Episodes, Images, Pictures, Records, Skipped, Videos
from .load import Specs, load, places, train_test
from .procedures import Procedures
from .reads import ClipEncoder, Clips, EpisodeClips, Photographs, Reads, StepLatents, Vectors

__all__ = [
    "Batch",
    "ClipEncoder",
    "Clips",
    "ColumnType",
    "Columns",
    "Dataset",
    "EpisodeClips",
    "Episodes",
    "Images",
    "Photographs",
    "Pictures",
    "Procedures",
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
