"""Shapes are checked in tests, see conftest.py."""

import jaxtyping
import pytest
import torch

from foretell import losses
from foretell.views import take


def test_a_loss_refuses_to_broadcast():
    with pytest.raises(jaxtyping.TypeCheckError):
        losses.l2(torch.zeros(2, 3), torch.zeros(2, 1))


def test_a_batch_of_another_size_is_refused():
    with pytest.raises(jaxtyping.TypeCheckError):
        take(torch.zeros(2, 5, 3), torch.zeros(1, 4, dtype=torch.int64))
