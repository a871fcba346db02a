"""Shared tables of positions serve training, wherever they were first built."""

import pytest
import torch

from foretell.nn.positions import Positions, sincos
from foretell.nn.rotary import rotations


@pytest.mark.parametrize("kind", ["sincos", "resized", "rotary"])
def test_a_table_first_built_for_inference_serves_training(kind):
    positions = Positions(kind, 24, (3, 3), heads=2)
    grid = (5, 7)
    with torch.inference_mode():
        table = rotations(12, grid) if kind == "rotary" else positions(grid, torch.device("cpu"))
    assert not table.is_inference()
    x = torch.ones(table.shape, dtype=table.dtype, requires_grad=True)
    (x * table).abs().sum().backward()
    assert x.grad is not None


def test_a_table_is_built_once():
    assert sincos(24, (2, 3)) is sincos(24, (2, 3))
