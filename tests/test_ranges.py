"""Numbers that cannot be are refused in a sentence, by the configuration that has the field."""

from math import inf, nan

import pytest

from foretell.augment import Photometric
from foretell.errors import FINITE, SOME, ForetellError, Range, check_range, spans, within
from foretell.masking import BlockMasks, QuadrantMasks, RandomMasks, TubeMasks
from foretell.methods import METHODS, IJEPAConfig, SimCLRConfig, VICRegConfig, VJEPAACConfig, VJEPAConfig
from foretell.nn.causal import CausalConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.stochastic import PositionNoise
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.train.loop import TrainConfig

NUMBERS = {"width": (0, -3, 3_000_000_000), "heads": (0, -1), "depth": (0, -1, 10_000_000)}
BLOCKS = {"mlp_ratio": (0.0, -4.0, nan, inf, 1e-9), "eps": (-1e-6, nan), "init_std": (0.0, nan)}
PIXELS = {"std": ((0.2, 0.0, 0.2), (0.2, nan, 0.2)), "mean": ((nan, 0.5, 0.5), (0.5, 0.5, inf))}
SPANS = ((0.2, 0.1), (-1.0, 1.0), (0.0, 0.0), (nan, 1.0), (0.5, 1.5))
SHARES = (-0.1, 1.5, nan)
WRONG = {
    TrainConfig: {
        "seed": (-1, 2**63),
        **dict.fromkeys(("lr", "lr_start", "lr_end", "weight_decay", "weight_decay_end", "clip"), (-1.0, nan, inf)),
        **dict.fromkeys(("warmup", "momentum", "momentum_end"), SHARES),
        **dict.fromkeys(("steps", "batch", "accumulate", "checkpoint_every", "log_every"), (0, -1)),
        "steps": (0, 10**400),
        "monitor_every": (-1,),
        "rates_ahead": (-1,),
    },
    ViTConfig: NUMBERS | BLOCKS | PIXELS | {"patch_size": (0, -8), "image_size": (0, -64), "last_width": (0, -1)},
    VideoViTConfig: {"frames": (0, -2), "tubelet": (0, -2), "patch_size": (0,)},
    ResNetConfig: PIXELS | {"image_size": (0,), "last_width": (0, -1), "base": (0, 10**9)},
    PredictorConfig: NUMBERS | BLOCKS,
    CausalConfig: NUMBERS,
    ProjectorConfig: {"width": (0,), "out": (-1,), "layers": (0, 10_000_000)},
    PositionNoise: {"sigma": (nan, -0.1, inf)},
    BlockMasks: {"blocks": (0, -1), "scale": SPANS, "context_scale": SPANS, "aspect": ((-1.0, 1.0), (nan, 1.0))},
    RandomMasks: {"hidden": SHARES},
    QuadrantMasks: {"seen": (0, 4)},
    TubeMasks: {
        "blocks": ((), ((2, 2.0),), ((-1, 0.1),), ((8, nan),), ((8, -0.1),)),
        "aspect": ((0.0, 1.0), (1.5, 0.75)),
        "visible": (0.0, 1.5, nan),
        "past": SPANS,
    },
    Photometric: {
        **dict.fromkeys(("brightness", "contrast", "saturation"), (-0.1, nan, inf)),
        "hue": (-0.1, 0.6, nan),
        "blur_sigma": ((2.0, 0.1), (-1.0, 2.0), (0.1, nan)),
        **{f"{name}_probability": SHARES for name in ("jitter", "grayscale", "blur", "solarize")},
    },
    SimCLRConfig: {"temperature": (0.0, -1.0, nan)},
    VICRegConfig: dict.fromkeys(("invariance", "variance", "covariance"), (-1.0, nan)),
    VJEPAConfig: {"flip": (3.0, -1.0, nan), "fps": (0.0, nan), "stride": (0,)},
    VJEPAACConfig: {"frames": (1, 0), "actions": (0, 10**9), "fps": (-1.0, nan), "stride": (0,), "clips": (0,)},
}
CASES = [(kind, name, value) for kind, names in WRONG.items() for name, values in names.items() for value in values]
CASES += [(kind, "crop", span) for _, kind in METHODS.values() if hasattr(kind(), "crop") for span in SPANS]


@pytest.mark.parametrize(("kind", "name", "value"), CASES, ids=lambda case: getattr(case, "__name__", str(case)[:20]))
def test_a_number_that_cannot_be_is_refused_by_its_name(kind, name, value):
    with pytest.raises(ForetellError, match=rf"^[\w ]*\b{name} (is|has) .*, expected ") as error:
        kind(**{name: value})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [ViTConfig, PredictorConfig, CausalConfig])
def test_a_width_that_heads_do_not_divide_is_refused(kind):
    with pytest.raises(ForetellError, match="width 100 is not a multiple of heads 3"):
        kind(width=100, heads=3)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: ViTConfig(width=-3), "encoder width is -3, expected 1 to 100000"),
        (lambda: TrainConfig(steps=0), "steps is 0, expected at least 1"),
        (lambda: TrainConfig(lr=inf), "lr is inf, expected at least 0, and finite"),
        (lambda: TrainConfig(seed=-1), "seed is -1, expected 0 to 9223372036854775807"),
        (lambda: PredictorConfig(eps=0.0), "predictor eps is 0, expected above 0"),
        (lambda: ViTConfig(mean=(0.5, nan, 0.5)), "encoder mean is 0.5, nan, 0.5, expected a finite number"),
        (
            lambda: IJEPAConfig(crop=(1.0, 0.3)),
            "crop is 1 to 0.3, expected above 0 and at most 1, the smaller first",
        ),
        (lambda: TubeMasks(((2, 2.0),)), "masks area of blocks is 2, expected 0 to 1"),
    ],
)
def test_what_is_said_of_them(wrong, sentence):
    with pytest.raises(ForetellError) as error:
        wrong()
    assert str(error.value) == sentence


def test_ends_belong_to_a_range_unless_it_begins_above():
    assert [n in Range(0, 1) for n in (-0.1, 0, 1, 1.1, nan)] == [False, True, True, False, False]
    assert [n in SOME for n in (0, 1e-300, 1)] == [False, True, True]
    assert [n in FINITE for n in (-1e308, 1e308, inf, -inf, nan, 10**400)] == [True, True, False, False, False, False]


def test_none_is_not_a_number_and_passes():
    within(ViTConfig(last_width=None, init_std=None), last_width=Range(1), init_std=Range(1))


@pytest.mark.parametrize(
    ("value", "expected", "sentence"),
    [
        (0, Range(1), "count is 0, expected at least 1"),
        (2.0, Range(1, whole=True), "count is 2.0, expected a whole number, at least 1"),
        ("8", Range(1, whole=True), "count is '8', expected a whole number, at least 1"),
        ((3, 2), Range(1), "count is 3 to 2, expected at least 1, the smaller first"),
    ],
)
def test_one_number_is_refused_in_the_same_words(value, expected, sentence):
    with pytest.raises(ForetellError) as error:
        check_range("count", value, expected)
    assert str(error.value) == sentence
    assert check_range("count", None, expected) is None


def test_a_number_may_be_refused_with_another_error():
    class Wrong(ForetellError):
        pass

    with pytest.raises(Wrong):
        check_range("count", 0, Range(1), Wrong)


def test_numbers_in_a_row_are_told_by_their_ends():
    assert (spans([]), spans([4]), spans([3, 5, 6, 7, 9, 10], "|")) == ("", "4", "3|5–7|9–10")
