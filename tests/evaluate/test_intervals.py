import pytest
import torch

from foretell.evaluate import bootstrap, paired, wilson
from foretell.evaluate.intervals import bootstrap_of


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


def test_a_paired_difference_by_hand():
    # of 10 images 6 are right for the first alone, 1 for the second alone; half an image more in each of four outcomes
    first = torch.tensor([1, 1, 1, 1, 1, 1, 0, 1, 1, 0]).bool()
    second = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 0]).bool()
    centre, error = 5 / 12, ((6.5 + 1.5) - 5**2 / 12) ** 0.5 / 12
    found = paired(first, second)
    assert found["value"] == pytest.approx(0.5)
    assert found["low"] == pytest.approx(centre - 1.959964 * error)
    assert found["high"] == pytest.approx(centre + 1.959964 * error)
    assert paired(first, second, level=0.99)["low"] < found["low"]
    assert paired(second, first)["value"] == -0.5
    same = paired(first, first)
    assert (same["low"], same["value"], same["high"]) == (pytest.approx(-0.1633, abs=1e-4), 0, -same["low"])


def test_a_paired_interval_covers_the_truth_nineteen_times_in_twenty():
    generator = torch.Generator().manual_seed(0)
    hard = torch.rand(2000, 60, generator=generator)  # both are right on what is easy
    noise = 0.3 * torch.rand(2, 2000, 60, generator=generator)
    first, second = hard + noise[0] < 0.8, hard + noise[1] < 0.7
    truth = (first.double() - second.double()).mean().item()
    found = [paired(a, b) for a, b in zip(first, second, strict=True)]
    inside = sum(each["low"] <= truth <= each["high"] for each in found) / len(found)
    assert 0.94 < inside < 0.985


def test_scores_between_right_and_wrong_are_compared_too():
    generator = torch.Generator().manual_seed(0)
    first = torch.rand(500, generator=generator)
    found = paired(first, first - 0.1)
    assert found["value"] == pytest.approx(0.1)
    assert found["low"] < 0.1 < found["high"]


def test_a_figure_of_means_has_the_interval_of_the_mean():
    each = torch.rand(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    low, high = bootstrap(each, torch.Generator().manual_seed(1))
    found = bootstrap_of(each, lambda means: means[:, 0], torch.Generator().manual_seed(1))
    assert found == pytest.approx((each[:, 0].mean().item(), low[0].item(), high[0].item()))
    value, low, high = bootstrap_of(each, lambda means: means[:, 0] / means[:, 1], torch.Generator().manual_seed(1))
    assert value == pytest.approx(each[:, 0].sum().item() / each[:, 1].sum().item())  # of sums, not of shares
    assert low < value < high
