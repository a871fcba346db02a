"""The cache is complete or absent, made once, and noticed to be stale. Also: the uses of its images."""

import errno
import multiprocessing
import os
import shutil
import subprocess
import sys
import threading
import warnings
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch

from foretell.data import Images, cache, load
from foretell.data.images import form
from foretell.errors import ForetellError


@pytest.fixture
def decoded(monkeypatch):
    """The names of the images that were decoded, in order."""
    names, decode_all = [], form.decode_all

    def counting(items, size):
        items = list(items)
        names.extend(item.name for item in items)
        return decode_all(items, size)

    monkeypatch.setattr(form, "decode_all", counting)
    return names


def parts(folder):
    return [path.name for path in folder.glob("*") if not path.name.endswith(".lock")]


def test_decoded_once(write, read, cache_dir, decoded):
    root = write("cat/a.png", "dog/b.png")
    (root / "dog" / "c.png").write_bytes(b"")
    first, second = read(root), read(root)
    assert len(decoded) == 3
    assert second.fingerprint == first.fingerprint
    assert second.classes == first.classes
    assert second.skipped == first.skipped
    assert torch.equal(second.labels, first.labels)
    assert torch.equal(second.take([0, 1]), first.take([0, 1]))
    assert isinstance(second.pixels, np.memmap)
    assert not second.pixels.flags.writeable
    assert len(parts(cache_dir)) == 1


def test_whatever_may_have_changed_the_images_makes_another_cache(write, read, decoded, encoded, cache_dir):
    root = write("a.png", "b.png")
    fingerprints = [read(root).fingerprint, read(root, size=5).fingerprint]
    os.utime(root / "a.png", (1, 1))
    assert read(root).fingerprint == fingerprints[0]  # it had not
    (root / "a.png").rename(root / "c.png")
    fingerprints.append(read(root).fingerprint)
    (root / "d.png").write_bytes(encoded())
    fingerprints.append(read(root).fingerprint)
    assert len(set(fingerprints)) == 4
    assert len(parts(cache_dir)) == 5
    (root / "notes.txt").write_text("no image")
    assert read(root).fingerprint == fingerprints[-1]
    assert len(parts(cache_dir)) == 5


def test_data_that_was_moved_is_the_same_and_other_labels_are_not(write, read, tmp_path):
    root = write("cat/a.png", "dog/b.png")
    first = read(root).fingerprint
    shutil.copytree(root, tmp_path / "elsewhere")
    assert read(tmp_path / "elsewhere").fingerprint == first
    (tmp_path / "elsewhere" / "dog").rename(tmp_path / "elsewhere" / "cow")
    assert read(tmp_path / "elsewhere").fingerprint != first


def test_where_it_is_kept(write, monkeypatch, tmp_path):
    root = write("a.png")
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "chosen"))
    load(root, 4, progress=False)
    assert parts(tmp_path / "chosen")
    monkeypatch.delenv("FORETELL_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load(root, 4, progress=False)
    assert parts(tmp_path / "home" / ".cache" / "foretell")


def test_a_damaged_cache_is_made_anew(write, read, cache_dir, decoded):
    root = write("a.png", "b.png")
    read(root)
    (home,) = [path for path in cache_dir.iterdir() if path.is_dir()]
    os.truncate(home / "pixels.npy", 130)
    assert len(read(root)) == 2
    (home / "about.json").write_text("{")
    assert len(read(root)) == 2
    (home / "pixels.npy").unlink()
    assert len(read(root)) == 2
    assert len(decoded) == 8


def test_no_room(write, read, cache_dir, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 70 * 10**6))
    with pytest.raises(ForetellError, match=r"needs 0.1 GB, 0.1 GB are free. Set FORETELL_CACHE"):
        read(write("a.png"), size=6000)
    assert parts(cache_dir) == []
    assert len(read(write("a.png"))) == 1


def test_the_disk_fills_up(write, read, cache_dir, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ForetellError, match=r"the disk filled up while caching pictures. Set FORETELL_CACHE"):
        read(write("a.png"))
    assert parts(cache_dir) == []


def test_a_folder_that_cannot_be_made(write, read, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ForetellError, match=r"cannot cache images here .*Set FORETELL_CACHE"):
        read(write("a.png"), cache_dir=tmp_path / "file" / "cache")


def test_an_interrupt_leaves_nothing(write, read, cache_dir, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    root = write(*(f"{n}.png" for n in range(100)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(root)
    assert parts(cache_dir) == []
    assert len(read(root)) == 100


def test_threads_at_once_decode_once(write, read, decoded):
    root = write(*(f"{n}.png" for n in range(100)))
    found = []
    threads = [threading.Thread(target=lambda: found.append(read(root))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(images) for images in found] == [100] * 4
    assert len(decoded) == 100


def test_without_locks_the_faster_wins(write, read, cache_dir, decoded, monkeypatch):
    """As on a file system without locks: two processes build, and the second finds a complete cache."""
    root = write("a.png", "b.png")

    def acquire(*_, **__):
        raise NotImplementedError

    rename, raced = Path.rename, []

    def slower(part, home):
        if not raced:
            raced.append(None)
            raced[0] = read(root)
        return rename(part, home)

    monkeypatch.setattr(cache.filelock.FileLock, "acquire", acquire)
    monkeypatch.setattr(Path, "rename", slower)
    assert len(read(root)) == len(raced[0]) == 2
    assert len(decoded) == 4
    assert len(parts(cache_dir)) == 1


BUILD = """
import sys, time
from pathlib import Path
from foretell.data import load
from foretell.data.images import form

heavy = {"torchvision", "av", "pyarrow", "rich"} & set(sys.modules)
assert not heavy, f"imported without need: {heavy}"

def stuck(items, size):
    yield next(decode_all(items, size))
    print("decoding", flush=True)
    time.sleep(600)

decode_all, form.decode_all = form.decode_all, stuck
load(sys.argv[1], 4, cache_dir=Path(sys.argv[2]), progress=False)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts processes by fork")
def test_killed_while_two_processes_wait(write, cache_dir):
    root = write(*(f"{n:03}.png" for n in range(150)))
    arguments = [sys.executable, "-W", "error", "-c", BUILD, str(root), str(cache_dir)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout.readline() == "decoding\n"
        assert list(cache_dir.glob(".*.part/pixels.npy"))
        context, counted = multiprocessing.get_context("fork"), multiprocessing.get_context("fork").Queue()

        def wait_and_load():
            decode_all = form.decode_all
            form.decode_all = lambda *args: counted.put("decoded") or decode_all(*args)
            images = load(root, 4, cache_dir=cache_dir, progress=False)
            counted.put(images.take(range(150))[:, 0, 0, 0].tolist() == list(range(150)))

        others = [context.Process(target=wait_and_load) for _ in range(2)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons about forks beside threads
            for other in others:
                other.start()
        victim.kill()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0]
    assert sorted(str(counted.get(timeout=10)) for _ in range(3)) == ["True", "True", "decoded"]
    assert len([path for path in cache_dir.iterdir() if path.is_dir()]) == 1


def test_a_split_of_four_to_one(write, divide):
    root = write(*(f"cat/{n}.png" for n in range(50)), *(f"dog/{n}.png" for n in range(20)))
    train, held_out = divide(root)
    assert torch.bincount(train.labels).tolist() == [40, 16]
    assert torch.bincount(held_out.labels).tolist() == [10, 4]
    greys = [sorted(part.take(range(len(part)))[:, 0, 0, 0].tolist()) for part in (train, held_out)]
    assert sorted(greys[0] + greys[1]) == list(range(70))
    assert held_out.pixels is train.pixels
    assert train.fingerprint != held_out.fingerprint
    again, other = divide(root)[1], divide(root, seed=1)[1]
    assert again.fingerprint == held_out.fingerprint
    assert other.fingerprint != held_out.fingerprint


@pytest.mark.parametrize("count", [2, 3, 4, 5, 7, 11])
def test_a_split_of_few_images(write, divide, count):
    train, held_out = divide(write(*(f"{n}.png" for n in range(count))))
    assert len(train) + len(held_out) == count
    assert len(train) >= len(held_out) >= 1


def test_one_image_cannot_be_split(write, divide):
    with pytest.raises(ForetellError, match="found one usable image, expected two or more"):
        divide(write("a.png"))


@pytest.fixture
def images():
    pixels = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 2, 2), np.uint8)
    return Images(pixels, torch.arange(10) % 3, ("a", "b", "c"), (), "x")


@pytest.mark.parametrize(
    "index", [[3, 1, 1], (3, 1, 1), torch.tensor([3, 1, 1]), np.array([3, 1, -9]), torch.tensor([3, 1, 1]).int()]
)
def test_take(images, index):
    batch = images.take(index)
    assert batch.dtype == torch.uint8
    assert batch.shape == (3, 3, 2, 2)
    assert batch[:, 0, 0, 0].tolist() == [3, 1, 1]
    batch += 1  # a copy
    assert images.take([3])[0, 0, 0, 0] == 3


def test_take_none_or_out_of_range(images):
    assert images.take([]).shape == (0, 3, 2, 2)
    for index in ([10], [-11], torch.ones(9, dtype=torch.bool), np.array([0.5])):
        with pytest.raises(IndexError):
            images.take(index)


def test_subset(images):
    some = images.subset(torch.arange(10) >= 5).subset([4, 0, -1])
    assert len(some) == 3
    assert some.take([0, 1, 2])[:, 0, 0, 0].tolist() == [9, 5, 9]
    assert some.labels.tolist() == [0, 2, 0]
    assert some.pixels is images.pixels
    assert some.fingerprint == images.subset(torch.arange(10) >= 5).subset(np.array([4, 0, 4])).fingerprint
    assert len(images.subset([])) == 0
