import pytest
import torch

from foretell.evaluate import bootstrap, wilson


def test_wilson_by_hand():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_wilson_holds_the_share_whatever_rounding_does():
    for n in range(1, 60):
        for correct in (0, n // 2, n):
            low, high = wilson(correct, n)
            assert 0 <= low <= correct / n <= high <= 1


@pytest.mark.parametrize("share", [0.03, 0.3, 0.9])
def test_wilson_covers_the_truth_nineteen_times_in_twenty(share):
    generator = torch.Generator().manual_seed(0)
    right = (torch.rand(4000, 80, generator=generator) < share).sum(1).tolist()
    inside = [low <= share <= high for low, high in (wilson(k, 80) for k in right)]
    assert sum(inside) / len(inside) == pytest.approx(0.95, abs=0.025)


def test_bootstrap_covers_the_truth_nineteen_times_in_twenty():
    generator = torch.Generator().manual_seed(0)
    inside = 0
    for _ in range(300):
        low, high = bootstrap(torch.randn(60, 1, generator=generator) + 2, generator, resamples=300)
        inside += bool(low <= 2 <= high)
    assert inside / 300 == pytest.approx(0.95, abs=0.035)


def test_bootstrap_is_each_measures_own():
    constant = torch.tensor([[0.25, 1.0]]).repeat(10, 1)
    low, high = bootstrap(constant, torch.Generator().manual_seed(0))
    torch.testing.assert_close(low, constant[0])
    torch.testing.assert_close(high, constant[0])
