import pytest
import torch

from foretell.evaluate import ProbeTraining, binarised, linear_probe, mlp_probe, sparsity
from foretell.evaluate.measures.sparsity import NEAR

RECTIFIED = torch.tensor([[0.0, 0.0, 1.0, 2.0], [0.0, 3.0, 1e-9, 4.0]])


def test_exact_zeros_of_rectified_features():
    assert sparsity(RECTIFIED) == {"zeros": pytest.approx(3 / 8), "half": 0.5, "dead": 0.25}
    assert sparsity(RECTIFIED, near=0.01)["zeros"] == 0.5  # 1e-9 too
    assert binarised(RECTIFIED).tolist() == [[0, 0, 1, 1], [0, 1, 1, 1]]


def test_small_activations_of_features_of_both_signs():
    rms = (0.1**2 + 10**2 + 0.2**2 + 1e-3**2) ** 0.5 / 2  # 5.0
    features = torch.tensor([[0.1, -10.0, -0.2, 1e-3]])
    assert [abs(v) <= NEAR * rms for v in (0.1, 10, 0.2, 1e-3)] == [False, False, False, True]
    assert sparsity(features)["zeros"] == 0.25
    assert sparsity(features, near=0.0)["zeros"] == 0
    torch.testing.assert_close(sparsity(100 * features), sparsity(features))  # scale says nothing
    normal = torch.randn(400, 500, generator=torch.Generator().manual_seed(0))
    assert sparsity(normal)["zeros"] == pytest.approx(0.008, abs=5e-4)


def quadrants(n, seed):
    """A class that no line can tell: whether the signs of two features agree."""
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return x, (x.prod(1) > 0).long()


def test_two_layers_see_what_a_line_does_not():
    data = (*quadrants(400, 0), *quadrants(200, 1))
    assert linear_probe(*data).float().mean() < 0.65
    assert mlp_probe(*data).float().mean() > 0.9


def test_the_mlp_probe_depends_on_its_seed_alone():
    data = (*quadrants(60, 0), *quadrants(200, 1))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    quick = ProbeTraining(fewest=20, most=20)
    first = mlp_probe(*data, training=quick, width=8)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, mlp_probe(*data, training=quick, width=8))
    assert not torch.equal(first, mlp_probe(*data, training=quick, width=8, seed=1))
