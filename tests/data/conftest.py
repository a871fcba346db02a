"""Small images of one grey, written in every layout that a data set may have."""

import io
from dataclasses import fields

import av
import numpy as np
import pytest
from PIL import Image

from foretell.data import Photographs, load, train_test


def film(path, count=9, grey=25):
    """Write a video of grey frames; each is `grey` brighter than the one before. Returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
        for number in range(count):
            pixels = np.full((16, 16, 3), grey * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return path


def reader(verb, kind, cache_dir, **usual):
    """`load` or `train_test`, quietly, with a cache of the test's own. The fields of `reads` are arguments."""

    def read(spec, **given):
        given = usual | {"cache_dir": cache_dir, "progress": False} | given
        reads = {field.name: given.pop(field.name) for field in fields(kind) if field.name in given}
        return verb(spec, kind(**reads), **given)

    return read


@pytest.fixture
def encoded():
    """The bytes of a PNG of one grey."""

    def encode(grey=0, size=(6, 5)):
        file = io.BytesIO()
        Image.new("L", size, grey).save(file, "PNG")
        return file.getvalue()

    return encode


@pytest.fixture
def root(tmp_path):
    (tmp_path / "pictures").mkdir()
    return tmp_path / "pictures"


@pytest.fixture
def write(root, encoded):
    """Write images below `root`: each name gets the grey of its place in the list."""

    def write_images(*names):
        for grey, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix.lower() == ".png":
                path.write_bytes(encoded(grey))
            else:
                Image.new("RGB", (6, 5), (grey,) * 3).save(path)
        return root

    return write_images


@pytest.fixture
def cache_dir(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def read(cache_dir):
    """`load`, quietly, with a cache of the test's own."""
    return reader(load, Photographs, cache_dir, size=4)


@pytest.fixture
def divide(cache_dir):
    """`train_test`, the same way."""
    return reader(train_test, Photographs, cache_dir, size=4)
