"""Images that are in memory, or in a torch data set: as data from a place, or refused in one sentence."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import IterableDataset, TensorDataset

from foretell.data import Images, load
from foretell.errors import ForetellError
from foretell.evaluate import evaluate
from foretell.finetune import finetune
from foretell.finetune.classifier import FinetuneConfig
from foretell.hub import load as load_model
from foretell.methods import IWM, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.train.loop import TrainConfig
from foretell.train.run import run

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 3, 8, 8), dtype=np.uint8)
LABELS = [0, 1, 1, 0, 2, 1]


class Pairs(list):
    """A data set of pairs, as torchvision's are."""

    classes = ("a", "b", "c")


class Stream(IterableDataset):
    def __iter__(self):
        return iter(PIXELS)


def pictures(mode="RGB", size=(8, 8)):
    return [Image.fromarray(each.transpose(1, 2, 0)).convert(mode).resize(size) for each in PIXELS]


def same(images):
    return torch.equal(images.take(range(6)), torch.from_numpy(PIXELS))


@pytest.mark.parametrize(
    "data",
    [
        PIXELS,
        PIXELS.transpose(0, 2, 3, 1),
        torch.from_numpy(PIXELS),
        PIXELS.astype(np.float32) / 255,
        torch.from_numpy(PIXELS).double() / 255,
        torch.from_numpy(PIXELS).permute(0, 2, 3, 1).float() / 255,
        list(PIXELS),
        [torch.from_numpy(each).float() / 255 for each in PIXELS],
        pictures(),
        TensorDataset(torch.from_numpy(PIXELS)),
    ],
)
def test_every_kind_gives_the_same(data):
    images = Images.of(data)
    assert same(images)
    assert (images.labels, images.classes, images.skipped) == (None, (), ())
    assert images.fingerprint == Images.of(PIXELS).fingerprint


@pytest.mark.parametrize(
    ("data", "given", "classes"),
    [
        (PIXELS, {"labels": LABELS}, ("0", "1", "2")),
        (PIXELS, {"labels": torch.tensor(LABELS)}, ("0", "1", "2")),
        (PIXELS, {"labels": np.array(LABELS, np.uint8), "classes": ["x", "y", "z"]}, ("x", "y", "z")),
        (PIXELS, {"labels": [f"class {n}" for n in LABELS]}, ("class 0", "class 1", "class 2")),
        (Pairs(zip(PIXELS, LABELS, strict=True)), {}, ("a", "b", "c")),
        (Pairs(zip(pictures(), map(torch.tensor, LABELS), strict=True)), {}, ("a", "b", "c")),
        (TensorDataset(torch.from_numpy(PIXELS), torch.tensor(LABELS)), {}, ("0", "1", "2")),
    ],
)
def test_labels(data, given, classes):
    images = Images.of(data, **given)
    assert same(images)
    assert images.labels.tolist() == LABELS
    assert images.classes == classes


def test_what_is_no_label_is_left_alone():
    boxes = Images.of([(each, {"boxes": []}) for each in PIXELS])
    assert (boxes.labels, boxes.classes) == (None, ())


def test_sizes():
    assert Images.of(pictures(size=(12, 10)), size=4).take([0]).shape == (1, 3, 4, 4)
    assert Images.of(np.zeros((2, 3, 9, 12), np.uint8), size=6).take([0]).shape == (1, 3, 6, 6)
    assert Images.of(pictures("L"), size=8).take([0])[0].float().std(0).max() == 0  # grey


@pytest.mark.parametrize(
    ("data", "given", "said"),
    [
        (PIXELS.astype(np.int64), {}, r"found int64 \[6, 3, 8, 8\], expected images"),
        (PIXELS.astype(np.float32), {}, r"found floats from 0 to 255, expected .*floats in \[0, 1\]"),
        (np.full((1, 3, 4, 4), np.nan), {}, "found floats from nan to nan"),
        (PIXELS[0], {}, r"found uint8 \[3, 8, 8\], expected images \[N, 3, H, W\]"),
        (PIXELS[:, :2], {}, r"found uint8 \[6, 2, 8, 8\]"),
        (PIXELS[:0], {}, "found none"),
        ([], {}, "found none"),
        (PIXELS[..., :6], {}, "found 8 × 6 pixels, expected squares: give a size"),
        ([PIXELS[0], PIXELS[1][:, :4, :4]], {}, "image 1: found 8 × 8 and 4 × 4 pixels, expected one size"),
        (["a.png"], {}, "image 0: found str, expected an array"),
        (iter([]), {}, "found list_iterator, expected an array, or a data set with a length"),
        (Stream(), {}, "found Stream, expected"),
        (PIXELS, {"labels": [0, 1]}, "labels: found 2 for 6 images"),
        (PIXELS, {"labels": [0.5] * 6}, "label is 0.5, expected whole numbers from 0, or names"),
        (PIXELS, {"labels": [-1] * 6}, "label is -1"),
        (PIXELS, {"labels": LABELS, "classes": ["a"]}, "label is 2, expected less than 1"),
        (PIXELS, {"labels": ["a"] * 6, "classes": ["b"]}, "label is 'a', expected one of the classes b"),
    ],
)
def test_what_cannot_be_used_is_said(data, given, said):
    with pytest.raises(ForetellError, match=said):
        Images.of(data, **given)


def test_the_same_pixels_from_files_are_the_same_data(tmp_path):
    for number, picture in enumerate(pictures()):
        (tmp_path / "data" / "abc"[LABELS[number]]).mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "data" / "abc"[LABELS[number]] / f"{number}.png")
    files = load(tmp_path / "data", 8, cache_dir=tmp_path / "cache", progress=False)
    order = np.argsort(LABELS, kind="stable")
    given = Images.of(PIXELS[order], np.array(LABELS)[order], classes=["a", "b", "c"])
    assert given.fingerprint == files.fingerprint


def test_they_are_trained_on_evaluated_and_finetuned(tmp_path, noise):
    data = Images.of(torch.from_numpy(noise.pixels).float() / 255, noise.labels, classes=noise.classes)
    config = IWMConfig(ViTConfig(16, 4, 12, 1, 3), PredictorConfig(12, 1, 3))
    run(
        config, TrainConfig(steps=2, batch=8, monitor_every=2, precision="fp32"), "noise", tmp_path / "run", images=data
    )
    model = load_model(tmp_path / "run")
    assert isinstance(model, IWM)
    train, test = data.subset(range(30)), data.subset(range(30, 40))
    assert evaluate(model, train, test)
    _, report = finetune(model, train, test, FinetuneConfig(steps=2, batch=8))
    assert 0 <= report["accuracy"]["value"] <= 1
