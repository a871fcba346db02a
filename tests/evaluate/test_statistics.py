"""Ranks and Student's t, held against tables, definitions and counting."""

from math import isnan, nan

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.evaluate.statistics import auroc, ranks, spearman, student_t

NUMBERS = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20)


def test_equal_values_share_their_ranks():
    assert ranks(torch.tensor([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_spearman_by_hand():
    assert spearman(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([0.0, 5.0, 6.0])) == pytest.approx(1)
    assert spearman(torch.tensor([1.0, 2.0, 9.0]), torch.tensor([7.0, 5.0, 1.0])) == pytest.approx(-1)
    # without ties: 1 − 6 Σd² / (n (n² − 1))
    x, y = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), torch.tensor([2.0, 1.0, 4.0, 3.0, 5.0])
    assert spearman(x, y) == pytest.approx(1 - 6 * 4 / (5 * 24))


@pytest.mark.parametrize("x", [[1.0, 1.0], [1.0, nan]])
def test_spearman_of_what_cannot_be_ranked_is_nan(x):
    assert isnan(spearman(torch.tensor(x), torch.tensor([1.0, 2.0])))


@given(NUMBERS, NUMBERS)
def test_auroc_is_the_share_of_pairs_in_order(negative, positive):
    won = sum((p > n) + (p == n) / 2 for p in positive for n in negative)
    expected = won / (len(positive) * len(negative))
    assert auroc(torch.tensor(negative), torch.tensor(positive)) == pytest.approx(expected)


def test_auroc_of_nan_is_nan():
    assert isnan(auroc(torch.tensor([nan, 1.0]), torch.tensor([2.0])))


@pytest.mark.parametrize(
    ("degrees", "t"),
    [(1, 12.706205), (2, 4.302653), (3, 3.182446), (4, 2.776445), (9, 2.262157), (30, 2.042272), (1000, 1.962339)],
)
def test_students_t_is_that_of_the_tables(degrees, t):
    assert student_t(0.95, degrees) == pytest.approx(t, abs=1e-6)
