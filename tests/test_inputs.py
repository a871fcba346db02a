"""The door of a model: everything that a person may hold in hand becomes what the model takes, or a sentence."""

import numpy as np
import pytest
import torch
from PIL import Image

import foretell
from foretell.augment import to_float
from foretell.data import Batch
from foretell.errors import ForetellError
from foretell.finetune.classifier import WorldModelClassifier
from foretell.methods import IJEPA, IWM, VJEPA, IJEPAConfig, IWMConfig, VICReg, VICRegConfig, VJEPAConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig

SMALL = ViTConfig(16, 8, 8, 1, 2)
PREDICTOR = PredictorConfig(8, 1, 2)


@pytest.fixture(scope="module")
def model():
    return IWM(IWMConfig(SMALL, PREDICTOR)).eval()


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def test_every_guise_of_a_picture_is_one(model, pixels, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    expected = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
    guises = [
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        Image.fromarray(pixels),
        pixels,
        pixels.transpose(2, 0, 1),
        torch.from_numpy(pixels),
        pixels.astype(np.float32) / 255,
        pixels.astype(np.float64) / 255,
        expected,
        expected[None],
    ]
    for guise in guises:
        made = foretell.preprocess(guise, model)
        assert made.shape == (1, 3, 16, 16)
        assert made.dtype == torch.float32
        assert torch.allclose(made[0], expected, atol=1e-6)
    assert torch.equal(foretell.preprocess(guises, 16), foretell.preprocess(expected[None].expand(10, -1, -1, -1), 16))


def test_other_sizes_are_cut_and_resized_as_files_are(model, tmp_path):
    wide = np.zeros((32, 96, 3), np.uint8)
    wide[:, 32:64] = 200  # the centre square
    for guise in (wide, wide.astype(np.float32) / 255, Image.fromarray(wide)):
        assert torch.allclose(foretell.preprocess(guise, model), torch.tensor(200 / 255))
    grey = np.full((20, 20), 51, np.uint8)
    assert torch.allclose(foretell.preprocess(grey, model), torch.tensor(0.2))


def test_clips(pixels):
    video = VJEPA(VJEPAConfig(VideoViTConfig(16, 8, 8, 1, 2, frames=4), PREDICTOR))
    clip = np.stack([pixels] * 4)
    made = foretell.preprocess(clip, video)
    assert made.shape == (1, 3, 4, 16, 16)
    assert torch.equal(made, foretell.preprocess(torch.from_numpy(clip).permute(3, 0, 1, 2), video))
    assert foretell.preprocess([clip, clip], video).shape == (2, 3, 4, 16, 16)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ([], "empty list"),
        (np.empty((0, 16, 16, 3), np.uint8), "the batch is empty"),
        ("nowhere.png", r"nowhere\.png: the file does not exist"),
        (3.5, "an image is a float, expected the path"),
        (np.zeros((16, 16, 3), np.int64), r"pixels are torch\.int64, expected numbers in \[0, 1\]"),
        (np.full((16, 16, 3), 200.0), r"pixels are 200 to 200, expected numbers in \[0, 1\]"),
        (np.full((16, 16, 3), np.nan), "pixels are nan to nan"),
        (np.zeros((16, 16, 5), np.uint8), r"an array is \[16, 16, 5\], expected \[H, W\]"),
    ],
    ids=["none", "no rows", "no file", "number", "int64", "0-255 floats", "nan", "shape"],
)
def test_what_is_no_picture_ends_in_a_sentence(model, what, said):
    with pytest.raises(ForetellError, match=said):
        foretell.preprocess(what, model)


STANDARDISED = torch.full((1, 3, 16, 16), -2.0)
WRONG = {
    "0-255 floats": (torch.full((1, 3, 16, 16), 255.0), "pixels are 255 to 255"),
    "standardised": (STANDARDISED, "not standardised: foretell.preprocess"),
    "nan": (torch.full((1, 3, 16, 16), float("nan")), "pixels are nan to nan"),
    "empty": (torch.empty(0, 3, 16, 16), "the batch is empty"),
    "one image": (torch.zeros(3, 3, 16), "a batch, also of one"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_every_entrance_looks_at_what_comes_in(model, kind):
    x, said = WRONG[kind]
    resnet = VICReg(VICRegConfig(ResNetConfig("resnet18", 16))).eval()
    entrances = [model.features, model.target, model.encode, model.imagine]
    if x.ndim == 4:  # else the checks of types refuse it before
        entrances.append(resnet.features)
    for entrance in entrances:
        with pytest.raises(ForetellError, match=said):
            untyped(entrance)(x)


def test_pictures_that_are_no_tensors_are_told_what_to_call(model, pixels):
    for x in (Image.fromarray(pixels), pixels, "a.png"):
        with pytest.raises(ForetellError, match=r"foretell\.preprocess\(x, model\) makes it"):
            untyped(model.patch_encoder.grid)(x)


def test_bytes_and_floats_give_the_same_views(pixels):
    """Floats were divided by 255 once more: the model learned from black pictures."""
    model = IJEPA(IJEPAConfig(ViTConfig(16, 4, 8, 1, 2), PREDICTOR))
    some = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    seen = [model.views(Batch(pixels=x), torch.Generator().manual_seed(0)).target for x in (some, some / 255)]
    assert torch.allclose(*seen, atol=1e-6)
    before = (some / 255).clone()
    assert torch.equal(to_float(before), some / 255)
    with pytest.raises(ForetellError, match="pixels are"):
        model.views(Batch(pixels=some.float()), torch.Generator())


@pytest.mark.parametrize("width", [0, 6, 8])
def test_actions_of_another_width_are_refused(model, width):
    x = torch.zeros(2, 3, 16, 16)
    with pytest.raises(ForetellError, match=rf"action is \[2, {width}\], expected \[B, 7\]"):
        model.imagine(x, torch.zeros(2, width))
    with pytest.raises(ForetellError, match=r"action is missing, expected \[B, 7\]"):
        model.imagine(x)


def test_a_classifier_takes_what_a_person_has(model, pixels, tmp_path):
    Image.fromarray(pixels).resize((40, 30)).save(tmp_path / "a.png")
    classifier = WorldModelClassifier(model, ("cat", "dog")).eval()
    found = classifier.classify([tmp_path / "a.png", pixels, Image.fromarray(pixels)])
    assert {name for name, _ in found} <= {"cat", "dog"}
    assert found[1] == found[2]
    with pytest.raises(ForetellError, match="empty list"):
        classifier.classify([])


def untyped(function):
    """A function without the checks of types that tests add: users have none."""
    inner = getattr(function, "__func__", function)
    while hasattr(inner, "__wrapped__"):
        inner = inner.__wrapped__
    owner = getattr(function, "__self__", None)
    return inner.__get__(owner) if owner is not None else inner
