import numpy as np
import pytest

from foretell.search import Knowledge


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def made(store):
    """An empty knowledge for vectors."""
    with Knowledge.create(store, "made") as knowledge:
        yield knowledge


@pytest.fixture
def cloud():
    """Makes vectors that lie in clusters."""

    def make(n, seed=0, dimension=16):
        rng = np.random.default_rng(seed)
        centres = np.random.default_rng(99).standard_normal((20, dimension))
        return (centres[rng.integers(0, 20, n)] + 0.5 * rng.standard_normal((n, dimension))).astype(np.float32)

    return make


@pytest.fixture
def nearest():
    """The ids of the k nearest by plain arithmetic."""

    def find(vectors, ids, query, k):
        x = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(ids)[np.argsort(-(x @ (query / np.linalg.norm(query))), kind="stable")[:k]].tolist()

    return find
