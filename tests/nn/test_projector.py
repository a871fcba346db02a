import pytest
import torch

from foretell.errors import ForetellError
from foretell.nn.projector import Projector, ProjectorConfig


def test_one_layer_is_a_linear_map():
    projector = Projector(ProjectorConfig(out=5, layers=1), 7)
    x = torch.randn(3, 7)
    [linear] = projector
    torch.testing.assert_close(projector(x), x @ linear.weight.T + linear.bias)


def test_hidden_layers_are_normed_over_the_batch_and_rectified():
    projector = Projector(ProjectorConfig(width=6, out=5, layers=2), 7)
    x = torch.randn(8, 7)
    h = x @ projector[0].weight.T
    h = ((h - h.mean(0)) / (h.var(0, correction=0) + 1e-5).sqrt()).clamp_min(0)
    torch.testing.assert_close(projector(x), h @ projector[3].weight.T + projector[3].bias)
    assert sum(isinstance(m, torch.nn.Linear) for m in Projector(ProjectorConfig(layers=3), 7)) == 3


def test_what_cannot_be_is_refused():
    with pytest.raises(ForetellError, match="layers is 0"):
        ProjectorConfig(layers=0)
