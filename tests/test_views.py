from dataclasses import replace

import torch

from foretell.views import Views, take


def test_take_gathers_for_each_sample_its_own_selection():
    x = torch.arange(2 * 3 * 2).view(2, 3, 2)
    index = torch.tensor([[[2, 0]], [[1, 1]]])
    assert take(x, index).tolist() == [[[[4, 5], [0, 1]]], [[[8, 9], [8, 9]]]]


def test_take_accepts_any_arrangement_of_indices():
    x = torch.rand(2, 7, 3)
    flat = torch.randint(7, (2, 6))
    assert torch.equal(take(x, flat).view(2, 3, 2, 3), take(x, flat.view(2, 3, 2)))


def test_take_passes_gradients_to_what_was_taken_only():
    x = torch.zeros(1, 4, 2, requires_grad=True)
    take(x, torch.tensor([[3, 1, 3]])).sum().backward()
    assert x.grad[0, :, 0].tolist() == [0, 1, 0, 2]


def test_views_move_to_another_device_with_and_without_an_action():
    index = torch.zeros(1, 1, dtype=torch.int64)
    views = Views(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), index, index.unsqueeze(1))
    moved = views.to("meta")
    assert moved.context.device.type == moved.target_index.device.type == "meta"
    assert moved.action is None
    assert replace(views, action=torch.zeros(1, 7)).to("meta").action.is_meta
