"""Caches of the former layout (`pixels.npy`, `labels.npy`) are still used, and never mistaken for others.

`before/pics` was made of twelve PNG files, `before/pusher` of eight episodes of three steps.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from foretell.data import Clips, EpisodeClips, Images, cache, load
from foretell.data.items import Item
from foretell.data.made import pusher
from foretell.data.source import Contents, Source, files_below, identity
from foretell.data.video.episodes import episodes
from foretell.errors import ForetellError

BEFORE = Path(__file__).parent / "before"
CLASSES = ("blue", "red")


@pytest.fixture
def pictures(tmp_path):
    """Files of the names that the cache was made of, but empty: decoding them would find no image."""
    for number in range(12):
        path = tmp_path / "pics" / CLASSES[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "pics"


def put(kind, key, named, cache_dir):
    """Place a cache of the layout before where it would have been found."""
    mark = hashlib.sha256(f"2 {key} {named}".encode()).hexdigest()[:32]
    name = "pusher-train" if kind == "pusher" else kind
    return Path(shutil.copytree(BEFORE / kind, cache_dir / f"{name}-8-{mark}"))


def put_pictures(root, cache_dir):
    return put("pics", 8, identity("folder", root, "all", *CLASSES, files_below(root)), cache_dir)


def put_episodes(cache_dir):
    source = pusher.find("pusher:8", EpisodeClips(8, frames=4), 0)["train"]
    return put("pusher", "episodes video 1 (8, 4, None, 1, 1)", source.identity, cache_dir)


def test_images_are_not_decoded_again(pictures, cache_dir):
    home = put_pictures(pictures, cache_dir)
    images = load(pictures, 8, cache_dir=cache_dir, progress=False)
    assert isinstance(images, Images)
    assert (len(images), images.classes, images.skipped) == (12, CLASSES, ())
    assert images.labels.tolist() == [0] * 6 + [1] * 6
    assert images.fingerprint == "a97c418ea82da09ffd81966eac3eee0c"
    assert np.array_equal(images.take(range(12)).numpy(), np.load(home / "pixels.npy"))
    assert [path.name for path in cache_dir.iterdir() if path.is_dir()] == [home.name]


def test_steps_of_episodes_are_taken_out_of_the_labels(cache_dir):
    home = put_episodes(cache_dir)
    found = load("pusher:8", EpisodeClips(8, frames=4), cache_dir=cache_dir, progress=False)
    assert [path.name for path in cache_dir.iterdir() if path.is_dir()] == [home.name]
    assert (found.state_names, found.action_names) == (("state_x", "state_y"), ("action_x", "action_y"))
    assert (found.labels, found.classes) == (None, ())
    track = np.load(home / "labels.npy")
    batch = found.batch(range(8))
    assert np.array_equal(batch["states"].numpy(), track[..., :2])
    assert np.array_equal(batch["actions"].numpy(), track[..., 2:])
    assert np.array_equal(batch.pixels.transpose(1, 2).numpy(), np.load(home / "pixels.npy"))


def test_made_anew_they_have_the_same_fingerprints(cache_dir, pictures, tmp_path):
    """So a run on a former cache continues on a present one."""
    home = put_episodes(cache_dir)
    former = load("pusher:8", EpisodeClips(8, frames=4), cache_dir=cache_dir, progress=False)
    pixels, track = np.load(home / "pixels.npy"), np.load(home / "labels.npy")
    items = [Item("", lambda n=n: (pixels[n], (track[n, :, :2], track[n, :, 2:]))) for n in range(8)]
    source = Source("again", "again", lambda: Contents(8, (), items, pusher.NAMES))
    again = cache.cached(source, episodes(EpisodeClips(8, frames=4)), tmp_path / "new", progress=False)
    assert again.fingerprint == former.fingerprint == "bcfd7a822ed7ee44d78dd82dd80d5fac"

    put_pictures(pictures, cache_dir)
    images = load(pictures, 8, cache_dir=cache_dir, progress=False)
    assert Images.of(images.take(range(12)), images.labels, classes=images.classes).fingerprint == images.fingerprint


def test_another_size_or_kind_does_not_find_them(pictures, cache_dir):
    put_episodes(cache_dir)
    home = put_pictures(pictures, cache_dir)
    with pytest.raises(ForetellError, match="no usable image among 12"):
        load(pictures, 4, cache_dir=cache_dir, progress=False)
    clips = load("pusher:8", Clips(8, frames=4), cache_dir=cache_dir, progress=False)
    assert list(clips.columns) == ["pixels"]
    assert home.is_dir()


@pytest.mark.parametrize("name", ["pixels.npy", "labels.npy", "about.json"])
def test_a_damaged_one_is_not_used(cache_dir, name):
    home = put_episodes(cache_dir)
    content = (home / name).read_bytes()
    (home / name).write_bytes(content[: len(content) // 2])
    assert len(load("pusher:8", EpisodeClips(8, frames=4), cache_dir=cache_dir, progress=False)) == 8
    assert len([path for path in cache_dir.iterdir() if path.is_dir()]) == 2


def test_one_of_the_layout_of_now_is_not_taken_for_one_of_before(pictures, cache_dir):
    """Where about.json says columns, `labels` is no longer a yes or no."""
    home = put_pictures(pictures, cache_dir)
    about = json.loads((home / "about.json").read_text())
    del about["labels"]
    (home / "about.json").write_text(json.dumps(about | {"columns": {}}))
    with pytest.raises(ForetellError, match="no usable image"):
        load(pictures, 8, cache_dir=cache_dir, progress=False)
