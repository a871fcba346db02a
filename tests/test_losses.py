import math

import pytest
import torch

from foretell import losses


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (losses.l1, (0.5 + 3 + 0 + 1) / 4),
        (losses.l2, (0.25 + 9 + 0 + 1) / 4),
        (losses.smooth_l1, (0.5 * 0.25 + (3 - 0.5) + 0 + 0.5) / 4),  # d²/2 below 1, |d| − 1/2 above
    ],
)
def test_losses_are_the_mean_over_every_element(loss, expected):
    prediction = torch.tensor([[1.5, 4.0], [2.0, -1.0]])
    target = torch.tensor([[1.0, 1.0], [2.0, 0.0]])
    assert loss(prediction, target).item() == pytest.approx(expected)
    assert loss(target, prediction).item() == pytest.approx(expected)


def test_predicting_zero_of_a_layer_normed_target_costs_one():
    target = torch.nn.functional.layer_norm(torch.randn(4, 5, 64), (64,))
    assert losses.l2(torch.zeros_like(target), target).item() == pytest.approx(1, abs=1e-3)


def embeddings(n=4, K=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, K, generator=g), torch.randn(n, K, generator=g)


def test_nt_xent_is_equation_1_one_pair_at_a_time():
    z, other = embeddings()
    views, τ, total = [*z, *other], 0.3, 0.0
    for i in range(8):

        def sim(k, i=i):
            return math.exp(float(views[i] @ views[k] / views[i].norm() / views[k].norm()) / τ)

        total -= math.log(sim((i + 4) % 8) / sum(sim(k) for k in range(8) if k != i))
    assert losses.nt_xent(z, other, τ).item() == pytest.approx(total / 8, rel=1e-5)


def test_nt_xent_of_equal_embeddings_is_chance():
    same = torch.ones(4, 3)
    assert losses.nt_xent(same, same, 0.1).item() == pytest.approx(math.log(7))


def test_the_terms_of_vicreg_by_hand():
    z = torch.tensor([[0.0, 1.0], [2.0, 1.0], [4.0, 4.0]])
    # variances over 3 − 1: of 0, 2, 4 it is 4; of 1, 1, 4 it is 3; covariance: (−2·−1 + 0·−1 + 2·2) / 2 = 3
    assert losses.variance(z).item() == 0  # both deviations are above 1
    assert losses.variance(z, least=3.0).item() == pytest.approx((3 - 4.0001**0.5 + 3 - 3.0001**0.5) / 2)
    assert losses.variance(torch.ones(3, 2)).item() == pytest.approx(1 - 0.01)
    assert losses.covariance(z).item() == pytest.approx(2 * 3**2 / 2)
    assert losses.covariance(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])).item() == 0


def test_normalised_l2_is_the_distance_on_the_sphere():
    z, other = embeddings()
    expected = sum(float((a / a.norm() - b / b.norm()).square().sum()) for a, b in zip(z, other, strict=True)) / 4
    assert losses.normalised_l2(z, other).item() == pytest.approx(expected, rel=1e-5)
    assert losses.normalised_l2(z, 5 * z).item() == pytest.approx(0, abs=1e-6)
    assert losses.normalised_l2(z, -z).item() == pytest.approx(4)


def test_no_constant_is_nearer_than_the_centre():
    s = torch.tensor([[0.0], [0.0], [0.0], [5.0], [10.0]])
    for distance in (losses.l1, losses.l2):
        found = distance(losses.centre(distance, s).expand_as(s), s)
        assert found == min(distance(torch.full_like(s, c / 10), s) for c in range(101))
