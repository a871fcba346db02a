"""Models in other libraries' forms: each computes there what it computes here."""

import json

import jaxtyping
import numpy as np
import onnxruntime
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file

from foretell.errors import ForetellError
from foretell.hub.formats import export
from foretell.methods import (
    BYOL,
    IJEPA,
    VJEPA,
    BYOLConfig,
    IJEPAConfig,
    SimCLR,
    SimCLRConfig,
    VICReg,
    VICRegConfig,
    VJEPAConfig,
)
from foretell.nn.predictor import PredictorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig

SMALL, PREDICTOR = ViTConfig(32, 8, 32, 2, 2), PredictorConfig(16, 1, 2)
RESNET = ResNetConfig("resnet18", 32)


@pytest.fixture
def untyped():
    """Tracing makes tensors of sizes, which the checks of types refuse; users have none."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def vit():
    return IJEPA(IJEPAConfig(SMALL, PREDICTOR)).eval()


def resnet(kind=SimCLR, config=SimCLRConfig, **changes):
    model = kind(config(ResNetConfig("resnet18", 32, **changes))).train()
    with torch.no_grad():
        model.encoder(torch.rand(4, 3, 32, 32))  # so that batch norm has seen something
    return model.eval()


def clips():
    return VJEPA(VJEPAConfig(VideoViTConfig(16, 8, 32, 1, 2, frames=4), PREDICTOR)).eval()


@pytest.mark.parametrize("make", [vit, resnet, clips])
@torch.no_grad()
def test_onnx_computes_what_torch_does_for_any_batch(make, tmp_path, untyped):
    model = make()
    export(model, tmp_path, "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    size = (4, 16, 16) if make is clips else (32, 32)
    for batch in (1, 5):
        x = torch.rand(batch, 3, *size)
        latents, features = session.run(None, {"pixels": x.numpy()})
        encoder = model.encoder if make is resnet else model.target_encoder
        np.testing.assert_allclose(latents, encoder(x), atol=1e-4)
        np.testing.assert_allclose(features, model.features(x), atol=1e-4)


def test_what_onnx_has_no_place_for_is_refused(tmp_path):
    rotary = IJEPA(IJEPAConfig(ViTConfig(32, 8, 32, 1, 2, positions="rotary"), PREDICTOR))
    with pytest.raises(ForetellError, match=r"encoder\.positions are rotary"):
        export(rotary, tmp_path, "onnx")
    with pytest.raises(ForetellError, match="dtype is float16, expected float32"):
        export(vit(), tmp_path, "onnx", dtype="float16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "config"), [(SimCLR, SimCLRConfig), (VICReg, VICRegConfig), (BYOL, BYOLConfig)])
@torch.no_grad()
def test_resnets_are_torchvisions_and_timms(kind, config, tmp_path):
    model = resnet(kind, config, small_images=False)
    export(model, tmp_path, "torchvision")
    tensors, x = load_file(tmp_path / "model.safetensors"), torch.rand(2, 3, 64, 64)
    pixels = (x - model.encoder.mean) / model.encoder.std
    vision = torchvision.models.resnet18()
    vision.fc = torch.nn.Identity()
    for other in (vision, timm.create_model("resnet18", num_classes=0)):
        other.load_state_dict(tensors)
        torch.testing.assert_close(other.eval()(pixels), model.features(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_resnet_of_small_images_and_a_vit_load_by_the_lines_of_the_card(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for model, name in ((resnet(), "a"), (vit(), "b")):
        export(model, tmp_path / name, "timm")
        x = torch.rand(2, 3, 32, 32)
        encoder = getattr(model, "encoder", None) or model.target_encoder
        code = (tmp_path / name / "README.md").read_text().split("```python\n")[1].split("```")[0]
        found = {"pixels": x, "mean": encoder.mean, "std": encoder.std}
        exec(code, found)
        torch.testing.assert_close(found["features"], model.features(x), atol=1e-5, rtol=1e-5)
    said = json.loads((tmp_path / "b" / "config.json").read_text())
    assert said["pretrained_cfg"]["input_size"] == [3, 32, 32]


def test_what_timm_has_no_place_for_is_refused(tmp_path):
    for model, said in (
        (resnet(last_width=1024), "last_width 1024"),
        (clips(), "VideoViTConfig, expected one of images"),
        (IJEPA(IJEPAConfig(ViTConfig(32, 8, 32, 1, 2, registers=2), PREDICTOR)), r"encoder\.registers is 2"),
        (IJEPA(IJEPAConfig(ViTConfig(32, 8, 32, 1, 2, gelu="tanh"), PREDICTOR)), r"encoder\.gelu is 'tanh'"),
    ):
        with pytest.raises(ForetellError, match=said):
            export(model, tmp_path, "timm")
