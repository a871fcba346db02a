"""What the papers' recipes take from the released code, and what small recipes keep."""

import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from foretell import losses
from foretell.augment import _redrawn, random_resized_crop
from foretell.methods import VJEPAAC, VJEPAACConfig
from foretell.methods.vjepa_ac import Trajectory
from foretell.nn.causal import CausalConfig
from foretell.nn.vit import ViT, ViTConfig
from foretell.recipes import RECIPES
from foretell.train.loop import TrainConfig, schedule
from foretell.train.schedules import cosine, warmup_cosine


@pytest.mark.parametrize("name", ["ijepa-vitb16", "ijepa-vitl16", "ijepa-vith14", "flexpredict-vitb16"])
def test_recipes_of_papers_begin_as_the_released_code(name):
    recipe = RECIPES[name]()
    assert (recipe.model.encoder.depth_scaled, recipe.model.predictor.depth_scaled) == (False, False)
    assert recipe.model.crops_redrawn
    assert recipe.train.rates_ahead == 1


def test_small_recipes_stay_as_they_were():
    recipe = RECIPES["ijepa"]()
    assert recipe.model.encoder.depth_scaled
    assert not recipe.model.crops_redrawn
    assert recipe.train.rates_ahead == 0


def test_without_scaling_every_block_begins_as_large():
    def deviations(scaled):
        torch.manual_seed(0)
        vit = ViT(ViTConfig(16, 8, 96, 8, 2, depth_scaled=scaled))
        return [block.mlp.fc2.weight.std().item() for block in vit.blocks]

    assert deviations(False) == pytest.approx([0.02] * 8, rel=0.05)
    assert deviations(True) == pytest.approx([0.02 / (2 * n) ** 0.5 for n in range(1, 9)], rel=0.05)


def test_rates_ahead_are_those_of_the_next_step_and_the_momentum_is_not():
    config = TrainConfig(steps=100, warmup=0.1, rates_ahead=1)
    for step in (0, 5, 50, 99):
        rates = schedule(config, step)
        assert rates["lr"] == warmup_cosine(step + 1, 100, 10, config.lr_start, config.lr, config.lr_end)
        assert rates["weight_decay"] == cosine(step + 1, 100, 0.04, 0.4)
        assert rates["momentum"] == schedule(TrainConfig(steps=100, warmup=0.1), step)["momentum"]


def test_crops_that_are_drawn_again_are_torchvisions():
    """Those that are cut have a mean area of 0.643 of scale (0.3, 1); torchvision's 0.592."""
    n = 6000
    width, height, left, top = _redrawn(
        torch.zeros(n, 1, 64, 64), torch.Generator().manual_seed(0), (0.3, 1.0), (3 / 4, 4 / 3)
    )
    torch.manual_seed(0)
    theirs = torch.tensor(
        [RandomResizedCrop.get_params(torch.zeros(1, 64, 64), (0.3, 1.0), (3 / 4, 4 / 3)) for _ in range(n)]
    )
    for ours, column in ((top, 0), (left, 1), (height, 2), (width, 3)):
        theirs_there = theirs[:, column].double()
        assert abs(ours.double().mean() - theirs_there.mean()) < 5 * (2 / n) ** 0.5 * theirs_there.std()
    area = (width * height / 64**2).mean()
    assert area == pytest.approx(0.592, abs=0.01)
    assert (left + width <= 64).all()
    assert (top + height <= 64).all()


def test_a_crop_is_that_part_of_the_picture_resized():
    x = torch.rand(3, 3, 12, 12, generator=torch.Generator().manual_seed(1))
    parts = _redrawn(x, torch.Generator().manual_seed(5), (0.1, 0.5), (0.75, 1.35))
    found = random_resized_crop(
        x, 6, torch.Generator().manual_seed(5), (0.1, 0.5), (0.75, 1.35), flip=0.0, redrawn=True
    )
    for n, (width, height, left, top) in enumerate(torch.stack(parts, 1).int().tolist()):
        part = x[n : n + 1, :, top : top + height, left : left + width]
        expected = torch.nn.functional.interpolate(part, (6, 6), mode="bilinear", align_corners=False)
        # at the edge of the part the picture goes on, where a part of its own would end
        torch.testing.assert_close(found[n, :, 1:-1, 1:-1], expected[0, :, 1:-1, 1:-1], atol=0.12, rtol=0)


def test_where_no_crop_fits_the_largest_in_the_middle_is_taken():
    width, height, left, top = _redrawn(torch.zeros(4, 1, 10, 80), torch.Generator(), (1.0, 1.0), (3 / 4, 4 / 3))
    assert (width.tolist(), height.tolist()) == ([13.0] * 4, [10.0] * 4)
    assert (left.tolist(), top.tolist()) == ([33.0] * 4, [0.0] * 4)


@pytest.mark.parametrize("mean", [False, True])
def test_the_loss_of_a_rollout_is_that_of_its_end_or_the_mean_over_its_steps(mean):
    torch.manual_seed(0)
    config = VJEPAACConfig(ViTConfig(16, 8, 8, 1, 2), CausalConfig(12, 1, 2), frames=4, rollout=3, rollout_mean=mean)
    model = VJEPAAC(config).eval()
    views = Trajectory(torch.rand(2, 3, 4, 16, 16), torch.rand(2, 3, 2), torch.rand(2, 3, 2))
    z = model.target(views.target)
    teacher = losses.l1(model.predict(z[:, :-1], views.states, views.actions), z[:, 1:])
    ahead = model.rollout(z[:, 0], views.states[:, 0], views.actions)
    steps = [(ahead[:, k] - z[:, k + 1]).abs().mean() for k in range(3)]
    expected = teacher + (sum(steps) / 3 if mean else steps[-1])
    torch.testing.assert_close(model(views), expected)
    assert model.measures(views)["loss"] == pytest.approx(expected.item(), abs=1e-5)
