"""The capabilities of models: by the names of their class, and by the single model."""

from dataclasses import replace

import pytest
import torch

from foretell import capabilities, hub
from foretell.capabilities import (
    NEEDED,
    Classifies,
    EncodesPatches,
    EncodesText,
    Foresees,
    Imagines,
    Predicts,
    Rolls,
    able,
    lacking,
    require,
)
from foretell.errors import ForetellError
from foretell.finetune import WorldModelClassifier
from foretell.masking import TubeMasks
from foretell.methods import (
    BYOL,
    IJEPA,
    IWM,
    VJEPA,
    VJEPAAC,
    BYOLConfig,
    IJEPAConfig,
    IWMConfig,
    Llip,
    LlipConfig,
    Pixels,
    PixelsConfig,
    SimCLR,
    SimCLRConfig,
    VICReg,
    VICRegConfig,
    VideoPixels,
    VideoPixelsConfig,
    VJEPAACConfig,
    VJEPAConfig,
)
from foretell.nn.causal import CausalConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.projector import ProjectorConfig
from foretell.nn.resnet import ResNetConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig

VIT, CLIPS = ViTConfig(16, 4, 24, 1, 2), VideoViTConfig(16, 8, 24, 1, 2, frames=4)
PREDICTOR, PROJECTOR, RESNET = PredictorConfig(12, 1, 2), ProjectorConfig(16, 8), ResNetConfig(image_size=16, base=4)
VIDEO = VJEPAConfig(CLIPS, PREDICTOR, TubeMasks(visible=0.5))
MODELS = {
    "ijepa": lambda: IJEPA(IJEPAConfig(VIT, PREDICTOR)),
    "iwm": lambda: IWM(IWMConfig(VIT, PREDICTOR)),
    "iwm, not told": lambda: IWM(IWMConfig(VIT, PREDICTOR, conditioning="none")),
    "pixels": lambda: Pixels(PixelsConfig(VIT, PREDICTOR)),
    "vjepa": lambda: VJEPA(VIDEO),
    "video-pixels": lambda: VideoPixels(VideoPixelsConfig(CLIPS, PREDICTOR, TubeMasks(visible=0.5))),
    "vjepa-ac": lambda: VJEPAAC(VJEPAACConfig(VIT, CausalConfig(12, 1, 2), frames=4)),
    "simclr": lambda: SimCLR(SimCLRConfig(RESNET, PROJECTOR)),
    "simclr, vit": lambda: SimCLR(SimCLRConfig(VIT, PROJECTOR)),
    "vicreg, vit": lambda: VICReg(VICRegConfig(VIT, PROJECTOR)),
    "byol, vit": lambda: BYOL(BYOLConfig(VIT, PROJECTOR)),
    "llip": lambda: Llip(LlipConfig(replace(VIT, registers=2), TextConfig(24, 1, 2), MixtureConfig(out=24, heads=2))),
    "classifier": lambda: WorldModelClassifier(IJEPA(IJEPAConfig(VIT, PREDICTOR)), ("a", "b")),
}
CAN = {
    "ijepa": {EncodesPatches, Predicts},
    "iwm": {EncodesPatches, Predicts, Imagines},
    "iwm, not told": {EncodesPatches, Predicts},
    "pixels": {EncodesPatches, Predicts},
    "vjepa": {EncodesPatches, Predicts, Foresees},
    "video-pixels": {EncodesPatches, Predicts, Foresees},
    "vjepa-ac": {Rolls},
    "simclr": set(),
    "simclr, vit": {EncodesPatches},
    "vicreg, vit": {EncodesPatches},
    "byol, vit": {EncodesPatches},
    "llip": {EncodesText},
    "classifier": {Classifies},
}


@pytest.mark.parametrize("name", MODELS)
def test_each_method_can_do_what_it_is_built_for_and_no_more(name):
    model = MODELS[name]()
    assert {each for each in NEEDED if able(model, each) is not None} == CAN[name]


@pytest.mark.parametrize("name", MODELS)
def test_what_is_required_is_the_model_itself_or_a_sentence_with_a_way_out(name):
    model = MODELS[name]()
    for capability, (does, instead) in NEEDED.items():
        if capability in CAN[name]:
            assert require(model, capability, "this") is model
            continue
        with pytest.raises(ForetellError) as error:
            require(model, capability, "this")
        assert str(error.value).startswith(f"this needs a model that {does}; ")
        assert str(error.value).endswith(f": {instead}")


def test_a_predictor_that_was_never_trained_predicts_nothing_but_its_encoder_encodes():
    model = MODELS["iwm"]()
    model.untrained = "predictor"
    for capability in (Predicts, Imagines):
        with pytest.raises(ForetellError, match="predictor was never trained"):
            require(model, capability, "this")
    assert require(model, EncodesPatches, "this") is model
    clips = MODELS["vjepa"]()
    clips.untrained = "predictor"
    assert "never trained" in (lacking(clips, Foresees) or "")


def test_the_reason_is_the_very_models():
    assert "conditioning none" in (lacking(MODELS["iwm, not told"](), Imagines) or "")
    assert "is a ResNet" in (lacking(MODELS["simclr"](), EncodesPatches) or "")
    assert "has no actions" in (lacking(MODELS["ijepa"](), Imagines) or "")
    assert "is an image model" in (lacking(MODELS["ijepa"](), Foresees) or "")


@pytest.mark.parametrize("name", [name for name, can in CAN.items() if EncodesPatches in can])
def test_the_encoder_of_patches_gives_the_features(name):
    model = MODELS[name]().eval()
    encoder = require(model, EncodesPatches, "this").patch_encoder
    x = torch.rand(2, 3, 4, 16, 16) if len(encoder.patch) == 3 else torch.rand(2, 3, 16, 16)
    latents = encoder(x)
    assert isinstance(encoder, ViT)
    assert latents.shape == (2, torch.Size(encoder.grid(x)).numel(), encoder.width)
    assert encoder.width % encoder.config.heads == 0
    assert torch.equal(latents.mean(1), model.features(x))


def test_a_clips_rest_is_foreseen_from_its_beginning_alone():
    model = MODELS["vjepa"]().eval()
    x = torch.rand(2, 3, 4, 16, 16)
    other = torch.cat([x[:, :, :2], torch.rand(2, 3, 2, 16, 16)], 2)
    past, future = model.divide(x, 1)
    assert past.tolist() == [[0, 1, 2, 3]] * 2
    assert future.tolist() == [[4, 5, 6, 7]] * 2
    assert torch.equal(model.foresee(x, 1), model.foresee(other, 1))
    assert model.foresee(x, 1).shape == (2, 4, 24)


@pytest.mark.parametrize(
    ("shipped", "capabilities_of"),
    [
        (capabilities.IMAGES, {EncodesPatches, Predicts, Imagines}),
        (capabilities.VIDEOS, {EncodesPatches, Predicts, Foresees}),
    ],
)
def test_the_models_that_a_refusal_names_ship_and_can_do_it(shipped, capabilities_of):
    model = hub.load(shipped)
    assert {each for each in NEEDED if able(model, each) is not None} == capabilities_of
    for capability in capabilities_of:
        assert shipped in NEEDED[capability][1]


def test_names_alone_are_not_enough_and_names_are_needed():
    class Says:
        def encode_text(self, texts):
            return torch.zeros(len(texts), 2)

        scale = outputs = caption_vectors = similarity = mixed = apart = encode_text

    without = Says()
    assert able(without, EncodesText) is None
    without.config = None
    assert able(without, EncodesText) is without


def test_a_classifier_gives_logits_of_its_classes():
    model = MODELS["classifier"]().eval()
    named = require(model, Classifies, "this")
    images = torch.rand(3, 3, 16, 16)
    assert named(images).shape == (3, len(named.classes))
    assert {name for name, _ in named.classify(images)} <= set(named.classes)


def test_a_joint_embedding_vit_is_finetuned_by_its_encoder(noise):
    from foretell.finetune import FinetuneConfig, finetune

    model = MODELS["simclr, vit"]()
    config = FinetuneConfig(mode="encoder", steps=40, batch=16, lr=3e-3, crop=(0.9, 1.0))
    classifier, report = finetune(model, noise, noise, config, progress=False)
    assert report["accuracy"]["value"] > 0.9  # red and blue
    for mode in ("predictor", "predictor-random", "end-to-end"):
        with pytest.raises(ForetellError, match="predicts patch latents; SimCLR does not"):
            finetune(model, noise, noise, replace(config, mode=mode), progress=False)
    assert able(classifier, Classifies) is classifier
