"""Monitoring in chunks takes no more memory than training, and gives the same values as all at once."""

import pytest
import torch
from torch import nn

from foretell.augment import to_float
from foretell.method import Method
from foretell.train.monitors import Monitors
from foretell.views import Pair

HERE = torch.device("cpu")


class Contrast(nn.Module):
    """The similarity of each image to each other one: [B, B]. Its first axis is as long as that of the images."""

    def forward(self, z, other):
        return z @ other.T


class Contrastive(Method):
    """A network in front of a network that compares images: the first may be given images in chunks, the second not."""

    def __init__(self) -> None:
        super().__init__(None)
        self.encoder = nn.Linear(3 * 16 * 16, 8)
        self.contrast = Contrast()
        self.taken: list[int] = []

    def views(self, batch, generator):
        x = to_float(batch.pixels)
        return Pair(x, (x + 0.1 * torch.rand(x.shape, generator=generator)).clamp(0, 1))

    def augmented(self, batch, generator):
        return self.views(batch, generator).target

    def forward(self, views):
        similarity = self.contrast(self.features(views.source), self.features(views.target))
        return nn.functional.cross_entropy(similarity, torch.arange(len(similarity)))

    def trained(self):
        return {"encoder": self.encoder}

    def features(self, x):
        return self.in_chunks(self._embed, x)

    def _embed(self, x):
        self.taken.append(len(x))
        return self.encoder(x.flatten(1))


def test_what_compares_images_sees_all_of_them(noise):
    model, monitors = Contrastive(), Monitors(noise.subset(range(8)), seed=0)
    at_once = monitors.measure(model, HERE, part=8)
    assert set(model.taken) == {8}
    model.taken.clear()
    in_chunks = monitors.measure(model, HERE, part=4)
    assert set(model.taken) == {4}
    assert in_chunks == pytest.approx(at_once, rel=1e-4)


def test_embeddings_of_chunks_are_compared_as_a_whole():
    """A similarity of 8 × 8 once came back as 8 × 4: it was cut wherever a first axis had the right length."""
    model = Contrastive()
    x = torch.rand(8, 3, 16, 16)
    with torch.no_grad(), model.chunked(4):
        z = model.features(x)
        assert model.contrast(z, z).shape == (8, 8)
        torch.testing.assert_close(model.contrast(z, z), model.encoder(x.flatten(1)) @ model.encoder(x.flatten(1)).T)
    assert model.taken == [4, 4]


def test_chunks_are_cut_from_the_arguments_that_are_named():
    class Network(nn.Module):
        def forward(self, x, index, weight):
            seen.append(len(x))
            assert weight.shape == (5, 3)  # as long as the samples, but not of them
            return (x * index.unsqueeze(1)) @ weight.T

    model, network, seen = Contrastive(), Network(), []
    x, index, weight = torch.rand(5, 3), torch.arange(5), torch.rand(5, 3)

    def compute(x, index, absent):
        assert absent is None
        return network(x, index, weight)

    whole = model.in_chunks(compute, x, index, None)
    with model.chunked(2):
        torch.testing.assert_close(model.in_chunks(compute, x, index, None), whole)
    assert seen == [5, 2, 2, 1]
    assert model.chunk is None
