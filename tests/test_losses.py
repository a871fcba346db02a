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
