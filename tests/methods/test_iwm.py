import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.augment import Photometric, random_resized_crop, to_float
from foretell.data import Batch
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

SEEDS = st.integers(0, 2**31)
GENTLE = {"grayscale_probability": 0.0, "blur_probability": 0.0, "solarize_probability": 0.0}
BRIGHTNESS = Photometric(contrast=0.0, saturation=0.0, hue=0.0, jitter_probability=1.0, **GENTLE)
UNTOUCHED = Photometric(jitter_probability=0.0, **GENTLE)


def views(augment=None, batch=8, seed=0, chained=False, images=None):
    config = IWMConfig(ViTConfig(width=12, depth=1, heads=3), augment=augment or Photometric(), chained=chained)
    if images is None:
        images = photographs(batch)
    return IWM(config).views(Batch(pixels=images), torch.Generator().manual_seed(seed))


def photographs(batch=8):
    return torch.randint(256, (batch, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def crops(batch=8, seed=0):
    """The crop that `views` takes first, with the same random numbers."""
    return random_resized_crop(to_float(photographs(batch)), 64, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("chained", [False, True])
def test_an_untouched_pair_has_the_null_action(chained):
    v = views(UNTOUCHED, chained=chained)
    assert torch.equal(v.context, v.target)
    assert torch.equal(v.action, torch.zeros(8, 7))


def test_targets_are_never_destroyed():
    always = Photometric(
        jitter_probability=0.0, grayscale_probability=1.0, blur_probability=1.0, solarize_probability=1.0
    )
    v = views(always)
    torch.testing.assert_close(v.target, crops())
    assert torch.equal(v.context[:, 0], v.context[:, 1])  # grey
    assert not torch.allclose(v.context, v.target, atol=0.1)
    assert torch.equal(v.action, torch.tensor([[0.0, 0, 0, 0, -1, -1, -1]]).expand(8, -1))  # to be undone


def test_x_and_y_share_the_crop():
    x, y = views(BRIGHTNESS).context, views(BRIGHTNESS).target
    unclipped = (x.amax((1, 2, 3)) < 1) & (y.amax((1, 2, 3)) < 1)
    assert unclipped.any()
    ratio = (y / x)[unclipped]
    torch.testing.assert_close(ratio, ratio[:, :1, :1, :1].expand_as(ratio), atol=1e-3, rtol=1e-3)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_the_action_is_the_way_from_the_source_to_the_target_read_off_the_pixels(seed):
    grey = torch.full((16, 3, 64, 64), 102, dtype=torch.uint8)  # 0.4: no brightness in 0.6 … 1.4 clips it
    apart = views(BRIGHTNESS, seed=seed, images=grey)
    x, y = apart.context[:, 0, 0, 0] / 0.4, apart.target[:, 0, 0, 0] / 0.4
    torch.testing.assert_close(apart.action[:, 0], (y - x) / 0.8, atol=1e-4, rtol=0)
    assert not apart.action[:, 1:].any()
    assert apart.action[:, 0].std() > 0.1

    chained = views(BRIGHTNESS, seed=seed, images=grey, chained=True)
    change = chained.context[:, 0, 0, 0] / chained.target[:, 0, 0, 0]  # x was made from y
    torch.testing.assert_close(chained.action[:, 0], (1 - change) / 0.8, atol=1e-4, rtol=0)


@pytest.mark.parametrize("chained", [False, True])
def test_the_drawn_parameters_reproduce_the_views(chained):
    augment = Photometric()
    g = torch.Generator().manual_seed(5)
    crop = random_resized_crop(to_float(photographs()), 64, g)
    theta_y = augment.draw(g, 8)
    theta_x = augment.destroy(g, augment.draw(g, 8))
    v = views(augment, seed=5, chained=chained)
    y = augment.apply(crop, theta_y)
    assert torch.equal(v.target, y)
    assert torch.equal(v.context, augment.apply(y if chained else crop, theta_x))
    start = augment.identity(8) if chained else theta_y
    assert torch.equal(v.action, augment.action(source=theta_x, target=start))


@settings(max_examples=20)
@given(seed=SEEDS, batch=st.integers(1, 4))
def test_every_patch_is_either_seen_or_predicted(seed, batch):
    v = views(UNTOUCHED, batch, seed)
    assert v.target_index.shape[1] == 1
    together = torch.cat([v.context_index, v.target_index[:, 0]], 1).sort(1).values
    assert torch.equal(together, torch.arange(64).expand(batch, -1))


def test_actions_lie_in_a_box():
    assert views(batch=256).action.abs().max() <= 1


def test_one_problem_can_be_learned():
    model = IWM(IWMConfig(ViTConfig(width=24, depth=1, heads=3), PredictorConfig(width=24, depth=1)))
    problem = model.views(Batch(pixels=photographs(4)), torch.Generator().manual_seed(0))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=5e-3, fused=True)
    start = model(problem).item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = model(problem)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.7 * start
