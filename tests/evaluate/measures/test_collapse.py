from math import exp, log

import pytest
import torch

from foretell.evaluate import lidar, rankme, spread
from foretell.nn.vit import layer_norm


def test_rankme_of_orthogonal_features_is_their_number():
    assert rankme(3 * torch.eye(5, 8)) == pytest.approx(5, rel=1e-4)


def test_rankme_of_features_on_one_line_is_one():
    assert rankme(torch.randn(50, 1) @ torch.randn(1, 8)) == pytest.approx(1, abs=1e-4)
    assert rankme(torch.zeros(50, 8)) == pytest.approx(1, abs=1e-4)


def test_rankme_of_unequal_directions():
    # singular values 3 and 1: shares 3/4 and 1/4
    expected = exp(-(0.75 * log(0.75) + 0.25 * log(0.25)))
    assert rankme(torch.tensor([[3.0, 0.0], [0.0, 1.0]])) == pytest.approx(expected, rel=1e-5)


def test_rankme_takes_half_precision_and_does_not_centre():
    features = torch.ones(20, 4) + 1e-3 * torch.randn(20, 4)
    assert rankme(features.bfloat16()) < 1.1


def test_lidar_of_objects_whose_views_agree():
    # n orthonormal means, centred, lie evenly in n − 1 dimensions
    features = torch.eye(6, 10).unsqueeze(1).repeat(1, 3, 1)
    assert lidar(features) == pytest.approx(5, rel=1e-4)


def test_lidar_by_hand():
    # four objects on the corners of a rectangle; the views of each differ by ±3 along the first axis alone
    corners = torch.tensor([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])
    shift = torch.tensor([[3.0, 0.0], [-3.0, 0.0]])
    delta = 0.5
    first, second = 4 / (9 + delta), 1 / delta
    shares = [first / (first + second), second / (first + second)]
    expected = exp(-sum(p * log(p) for p in shares))
    assert lidar(corners.unsqueeze(1) + shift, delta) == pytest.approx(expected, rel=1e-5)


def test_lidar_does_not_count_what_the_views_of_an_object_differ_in():
    torch.manual_seed(0)
    objects, noise = torch.randn(200, 1, 8), torch.randn(200, 10, 8)
    noise[..., :4] *= 1000
    noise[..., 4:] *= 0.01
    assert rankme((objects + noise).flatten(0, 1)) < 5
    assert 3.5 < lidar(objects + noise) < 4.5


def test_lidar_where_nothing_tells_objects_apart():
    assert lidar(torch.ones(5, 3, 4)) == pytest.approx(1, abs=1e-4)


def test_spread_by_hand():
    latents = torch.zeros(4, 2, 3)
    latents[:, 0, 0] = torch.tensor([1.0, -1.0, 1.0, -1.0])  # deviation 1 in one of six places
    assert spread(latents) == pytest.approx(1 / 6)


def test_spread_of_a_collapsed_model_is_zero_whatever_the_position():
    pattern = layer_norm(torch.randn(16, 12))
    assert spread(pattern.expand(32, -1, -1)) == pytest.approx(0, abs=1e-6)
    assert spread(layer_norm(torch.randn(512, 4, 64))) == pytest.approx(1, abs=0.02)
