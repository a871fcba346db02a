import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.transforms import functional as tv

from foretell import augment
from foretell.augment import Photometric, random_resized_crop, to_float
from foretell.errors import ForetellError

SEEDS = st.integers(0, 2**31)
STRONG = Photometric(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.5)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def pictures(seed, batch=6, rows=20, columns=24):
    """Noise, and, harder for colour transforms, flat grey, black, white and pure colours."""
    images = torch.rand(batch, 3, rows, columns, generator=generator(seed))
    images[0, :, :4] = 0.5
    images[1, :, :4] = 0.0
    images[2, :, :4] = 1.0
    images[3, :, :4] = torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1)
    return images


def states(seed, batch=32, photometric=STRONG):
    g = generator(seed)
    return photometric.destroy(g, photometric.draw(g, batch))


def gaussian_blur(image, sigma):
    size = 2 * torch.tensor(4 * sigma).ceil().int().item() + 1
    return tv.gaussian_blur(image, [size, size], [sigma, sigma])


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (augment.brightness, tv.adjust_brightness, 0.0, 2.0),
        (augment.contrast, tv.adjust_contrast, 0.0, 2.0),
        (augment.saturation, tv.adjust_saturation, 0.0, 2.0),
        (augment.hue, tv.adjust_hue, -0.5, 0.5),
        (augment.blur, gaussian_blur, 0.1, 2.0),
        (augment.grayscale, lambda image, on: tv.rgb_to_grayscale(image, 3), 1.0, 1.0),
        (augment.solarize, lambda image, on: tv.solarize(image, 0.5), 1.0, 1.0),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@settings(max_examples=20)
@given(seed=SEEDS, shares=st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_operations_agree_with_torchvision(ours, theirs, low, high, seed, shares):
    images = pictures(seed)
    values = low + (high - low) * torch.tensor(shares)
    expected = torch.stack([theirs(image, value) for image, value in zip(images, values.tolist(), strict=True)])
    torch.testing.assert_close(ours(images, values), expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("operation", [augment.grayscale, augment.solarize])
def test_switches_that_are_off_change_nothing(operation):
    assert torch.equal(operation(pictures(0), torch.zeros(6)), pictures(0))


@settings(max_examples=30)
@given(seed=SEEDS)
def test_a_state_says_all_there_is_to_say_about_a_picture(seed):
    images, theta = pictures(seed), states(seed, 6)
    batch = STRONG.apply(images, theta)
    assert torch.equal(batch, STRONG.apply(images, theta))
    one_by_one = torch.cat([STRONG.apply(images[i : i + 1], theta[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(batch, one_by_one, atol=1e-6, rtol=0)
    assert batch.min() > -1e-6
    assert batch.max() < 1 + 1e-6


@settings(max_examples=30)
@given(seed=SEEDS, rows=st.integers(1, 90), columns=st.integers(1, 300), size=st.integers(1, 60))
def test_borders_are_padded_where_the_device_cannot_do_it(seed, rows, columns, size):
    images = torch.rand(2, 3, rows, columns, generator=generator(seed))
    where = torch.rand(2, size, size, 2, generator=generator(seed)) * 2.4 - 1.2
    where[0, 0], where[1, 0] = -1, 1
    expected = F.grid_sample(images, where, padding_mode="border", align_corners=False)
    torch.testing.assert_close(augment._without_border(images, where), expected, atol=1e-4, rtol=0)


def test_the_order_is_brightness_contrast_saturation_hue_blur_solarize():
    image = pictures(0, 4)[3:]
    jitter = {"brightness": 1.3, "contrast": 0.6, "saturation": 1.5, "hue": 0.2}
    theta = STRONG.parse(jitter | {"blur": 1.0, "solarize": 1})
    expected = tv.adjust_brightness(image, 1.3)
    expected = tv.adjust_contrast(expected, 0.6)
    expected = tv.adjust_saturation(expected, 1.5)
    expected = tv.adjust_hue(expected, 0.2)
    blurred = gaussian_blur(expected, 1.0)
    made = STRONG.apply(image, theta)
    clear = (blurred - 0.5).abs() > 1e-3  # next to the threshold rounding decides
    torch.testing.assert_close(made[clear], tv.solarize(blurred, 0.5)[clear], atol=1e-4, rtol=0)


def test_the_identity_changes_nothing_and_the_input_is_never_written_to():
    images = pictures(0)
    before = images.clone()
    assert torch.equal(STRONG.apply(images, STRONG.identity(6)), before)
    STRONG.apply(images, states(1, 6))
    assert torch.equal(images, before)


@settings(max_examples=30)
@given(x=SEEDS, y=SEEDS)
def test_actions_lie_in_a_box_are_antisymmetric_and_null_between_equal_states(x, y):
    source, target = states(x), states(y)
    action = STRONG.action(source, target)
    assert action.abs().max() <= 1
    assert torch.equal(action, -STRONG.action(target, source))
    assert torch.equal(STRONG.action(source, source), torch.zeros_like(source))


def test_actions_are_differences_over_the_largest_there_can_be_and_presence_of_what_destroys():
    p = Photometric()
    source = p.parse({"brightness": 0.8, "hue": 0.1, "blur": 1.3, "grayscale": 1})
    target = p.parse({"brightness": 1.2, "hue": -0.1, "solarize": 1})
    expected = [[0.4 / 0.8, 0, 0, -1, -1, -1, 1]]
    torch.testing.assert_close(p.action(source, target), torch.tensor(expected))


def test_the_action_between_the_ends_of_a_range_is_one():
    ends = {"brightness": (0.6, 1.4), "contrast": (0.6, 1.4), "saturation": (0.8, 1.2), "hue": (-0.1, 0.1)}
    p = Photometric()
    low, high = (p.parse({name: end[i] for name, end in ends.items()}) for i in (0, 1))
    torch.testing.assert_close(p.action(low, high), torch.tensor([[1.0, 1, 1, 1, 0, 0, 0]]))


def test_a_parameter_that_cannot_change_has_a_null_action():
    p = Photometric(hue=0.0)
    assert torch.equal(p.action(states(0, photometric=p), states(1, photometric=p))[:, 3], torch.zeros(32))


def test_a_state_of_unknown_name_or_value_is_refused():
    with pytest.raises(ForetellError, match="'shade' is not a parameter of this model; it has brightness, contr"):
        Photometric().parse({"shade": 1.0})
    with pytest.raises(ForetellError, match=r"brightness is 3, but this model learned 0.6 to 1.4 \(factor\)"):
        Photometric().parse({"brightness": 3.0})


def test_names_are_the_columns():
    p = Photometric()
    assert p.names == ("brightness", "contrast", "saturation", "hue", "grayscale", "blur", "solarize")
    assert p.identity(2).tolist() == [[1, 1, 1, 0, 0, 0, 0]] * 2
    assert [q.switch for q in p.parameters] == [False, False, False, False, True, False, True]


def test_jitter_fills_its_ranges_and_leaves_the_rest_alone():
    p, n = Photometric(), 20_000
    theta = p.draw(generator(), n)
    untouched = (theta == p.identity(n)).all(1)
    assert untouched.float().mean().item() == pytest.approx(0.2, abs=0.015)
    for column, q in enumerate(p.parameters):
        values = theta[~untouched, column]
        if q.destructive:
            assert (values == q.identity).all()
        else:
            width = q.high - q.low
            assert q.low <= values.min() < q.low + 0.01 * width
            assert q.high - 0.01 * width < values.max() <= q.high
            assert values.mean().item() == pytest.approx(q.identity, abs=0.01)
            assert values.var().item() == pytest.approx(width**2 / 12, rel=0.05)
    assert (p.draw(generator(), 50, probability=0.0) == p.identity(50)).all()
    assert (p.draw(generator(), 50, probability=1.0)[:, :4] != p.identity(50)[:, :4]).all()


def test_destroying_adds_what_destroys_by_its_probabilities():
    p, n = Photometric(), 20_000
    jitter = p.draw(generator(), n)
    before = jitter.clone()
    theta = p.destroy(generator(1), jitter)
    assert torch.equal(jitter, before)
    assert torch.equal(theta[:, :4], jitter[:, :4])
    for column, share in ((4, 0.2), (5, 0.2), (6, 0.1)):
        assert (theta[:, column] != 0).float().mean().item() == pytest.approx(share, abs=0.015)
    sigma = theta[:, 5][theta[:, 5] != 0]
    assert 0.1 <= sigma.min() < 0.12
    assert 1.98 < sigma.max() <= 2.0


def test_a_whole_crop_is_the_picture_and_a_certain_flip_its_mirror_image():
    images = pictures(0, rows=16, columns=16)
    for flip, expected in ((0.0, images), (1.0, images.flip(-1))):
        crops = random_resized_crop(images, 16, generator(), scale=(1.0, 1.0), aspect=(1.0, 1.0), flip=flip)
        torch.testing.assert_close(crops, expected, atol=1e-5, rtol=0)


def coordinates(batch, rows, columns):
    """Pictures where red is the column and green the row, as shares of the sides."""
    x = ((torch.arange(columns) + 0.5) / columns).expand(rows, -1)
    y = ((torch.arange(rows) + 0.5) / rows).unsqueeze(1).expand(-1, columns)
    return torch.stack([x, y, torch.ones_like(x)]).expand(batch, -1, -1, -1).contiguous()


def test_crops_have_the_areas_and_aspects_asked_for_and_lie_anywhere_inside():
    n, size = 2000, 16
    crops = random_resized_crop(coordinates(n, 96, 128), size, generator(), flip=0.5)
    centre = slice(4, 12)  # away from the border, where bilinear reading is clipped
    step = crops[..., centre, centre].diff(dim=-1)[:, 0, 4].mean(-1)
    width = step.abs() * size
    height = crops[..., centre, centre].diff(dim=-2)[:, 1, :, 4].mean(-1) * size
    assert (step < 0).float().mean().item() == pytest.approx(0.5, abs=0.06)
    area = width * height
    assert 0.298 < area.min() < 0.32
    assert 0.95 < area.max() <= 1.001
    free = (width < 0.999) & (height < 0.999)
    aspect = (width * 128 / (height * 96))[free]
    assert 0.749 < aspect.min() < 0.77
    assert 1.3 < aspect.max() < 1.335
    middle = crops[:, :2, 7:9, 7:9].mean((2, 3))
    assert ((middle - torch.stack([width, height], 1) / 2).min() > -1e-3).all()
    torch.testing.assert_close(middle.mean(0), torch.tensor([0.5, 0.5]), atol=0.02, rtol=0)


def test_a_crop_shows_nothing_that_is_not_in_the_picture():
    crops = random_resized_crop(torch.full((64, 3, 9, 13), 0.7), 20, generator(), scale=(0.05, 1.0))
    torch.testing.assert_close(crops, torch.full((64, 3, 20, 20), 0.7))


def test_same_seed_same_crop():
    images = pictures(0)
    one, two, other = (random_resized_crop(images, 8, generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_pixels_become_shares_of_255():
    assert to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0.0, 0.2, 1.0])


def test_a_distorted_view_is_a_crop_then_jitter_then_destruction():
    images, strong = pictures(0), Photometric(blur_probability=0.5)
    view = augment.distort(images, 16, generator(3), strong, (0.08, 1.0))
    g = generator(3)
    crop = random_resized_crop(images, 16, g, (0.08, 1.0))
    assert torch.equal(view, strong.apply(crop, strong.destroy(g, strong.draw(g, len(images)))))
    assert view.shape == (6, 3, 16, 16)
