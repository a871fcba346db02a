"""`train_test` of several places: each is divided by itself, and both sides are joined."""

import numpy as np
import pytest
from PIL import Image

from foretell.data import train_test


@pytest.fixture
def place(tmp_path):
    def make(name, *files):
        for number, file in enumerate(files):
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            chance = np.random.default_rng([len(name), number])
            Image.fromarray(chance.integers(0, 256, (8, 8, 3), np.uint8)).save(path)
        return tmp_path / name

    return make


def read(tmp_path, *spec):
    return train_test(list(spec), 8, cache_dir=tmp_path / ".cache", progress=False)


def test_places_with_splits_and_without(place, tmp_path):
    a = place("a", *(f"train/{kind}/{n}.png" for kind in ("cat", "dog") for n in range(3)), "test/cat/9.png")
    b = place("bb", *(f"{kind}/{n}.png" for kind in ("cat", "dog") for n in range(5)))
    train, test = read(tmp_path, a, b)
    one, other = (read(tmp_path, each) for each in (a, b))
    assert (len(train), len(test)) == (6 + 8, 1 + 2)
    for joined, parts in ((train, (one[0], other[0])), (test, (one[1], other[1]))):
        expected = np.concatenate([part.take(range(len(part))).numpy() for part in parts])
        np.testing.assert_array_equal(joined.take(range(len(joined))).numpy(), expected)
        assert joined.labels.tolist() == [label for part in parts for label in part.labels.tolist()]
    assert train.classes == ("cat", "dog")
    assert train.fingerprint != one[0].fingerprint
