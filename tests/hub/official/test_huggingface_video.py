"""V-JEPA 2 against transformers, with random weights: both ways, to 1e-5."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

import foretell
from foretell.errors import ForetellError, ForetellWarning
from foretell.hub import formats
from foretell.hub.official.huggingface_video import save
from foretell.masking import TubeMasks
from foretell.methods import VJEPA, IJEPAConfig, VideoPixels, VideoPixelsConfig, VJEPAConfig
from foretell.methods.ijepa import IJEPA
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig

transformers = pytest.importorskip("transformers")

SMALL = {
    "hidden_size": 44,
    "num_attention_heads": 2,  # heads 22 wide: 6 channels an axis, 4 left over
    "num_hidden_layers": 2,
    "mlp_ratio": 48 / 11,
    "patch_size": 8,
    "crop_size": 32,
    "frames_per_clip": 8,
    "pred_hidden_size": 24,
    "pred_num_attention_heads": 2,
    "pred_num_hidden_layers": 3,
    "pred_num_mask_tokens": 4,
}
SIZES = [
    {},
    {"qkv_bias": False, "layer_norm_eps": 1e-3},
    {"num_attention_heads": 1, "pred_mlp_ratio": 2, "tubelet_size": 4},
]


def theirs(folder=None, kind="VJEPA2Model", tokens=(1,), **changes):
    model = getattr(transformers, kind)(transformers.VJEPA2Config(**SMALL | changes)).eval()
    for parameter in model.parameters():  # larger than at the start, so that everything matters
        torch.nn.init.normal_(parameter, std=0.2)
    base = model if kind == "VJEPA2Model" else model.vjepa2
    for n, token in enumerate(base.predictor.embeddings.mask_tokens.data):
        token.mul_(n in tokens)  # the others were never learned
    if folder is not None:
        model.save_pretrained(folder)
    return model


def normalised(clips):
    """As transformers takes them: [B, T, C, H, W]."""
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((clips - mean.view(3, 1, 1, 1)) / std.view(3, 1, 1, 1)).transpose(1, 2)


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def same(ours, model, clips):
    """Encoder and predictor, with context and targets anywhere."""
    base = getattr(model, "vjepa2", model)
    latents = base(normalised(clips), skip_predictor=True).last_hidden_state
    close(ours.target_encoder(clips), latents)
    close(ours.encode(clips), latents)
    N, g = latents.shape[1], torch.Generator().manual_seed(0)
    seen, asked = (torch.stack([torch.randperm(N, generator=g)[:n] for _ in clips]) for n in (N // 3, N // 2))
    expected = base(normalised(clips), context_mask=[seen], target_mask=[asked]).predictor_output
    s_x = torch.stack([one[index] for one, index in zip(latents, seen, strict=True)])
    grid = ours.target_encoder.grid(clips)
    close(ours.predict(s_x, seen, asked.unsqueeze(1), grid=grid)[:, 0], expected.last_hidden_state)


@pytest.mark.parametrize("changes", SIZES)
def test_a_folder_computes_the_same_here_encoder_and_predictor(changes, tmp_path):
    model = theirs(tmp_path, **changes)
    ours = foretell.load(tmp_path)
    assert ours.untrained is None
    assert ours.config.encoder.positions == ours.config.predictor.positions == "rotary-vjepa2"
    same(ours, model, torch.rand(2, 3, 8, 32, 32))


def test_it_computes_the_same_on_clips_of_other_sizes(tmp_path):
    theirs(tmp_path)
    ours = foretell.load(tmp_path)
    # transformers counts places on the grid of its configuration, so that one must say what the clips are
    model = transformers.VJEPA2Model.from_pretrained(tmp_path, crop_size=48, frames_per_clip=12).eval()
    same(ours, model, torch.rand(2, 3, 12, 48, 48))


def test_the_context_encoder_encodes_what_it_is_shown_alone(tmp_path):
    """transformers hides nothing from its encoder; a clip of the first frames is the same as seeing only them."""
    model = theirs(tmp_path)
    ours, clips = foretell.load(tmp_path), torch.rand(2, 3, 8, 32, 32)
    with torch.no_grad():
        expected = model(normalised(clips[:, :, :4]), skip_predictor=True).last_hidden_state
        close(ours.encode(clips, torch.arange(32).expand(2, -1)), expected)


@pytest.mark.parametrize(("learned", "chosen"), [((), 1), ((1,), 1), ((0,), 0), ((2,), 2)])
def test_the_mask_token_that_was_learned_asks(learned, chosen, tmp_path):
    model = theirs(tmp_path, tokens=learned)
    ours = foretell.load(tmp_path)
    assert torch.equal(ours.predictor.queries.token, model.predictor.embeddings.mask_tokens[chosen].flatten())


def test_several_learned_mask_tokens_are_said(tmp_path):
    model = theirs(tmp_path, tokens=(0, 1))
    with pytest.warns(ForetellWarning, match="2 mask tokens that were learned; number 1 is taken"):
        ours = foretell.load(tmp_path)
    same(ours, model, torch.rand(1, 3, 8, 32, 32))


def test_the_backbone_of_a_classifier_loads_without_its_head(tmp_path):
    model = theirs(tmp_path, kind="VJEPA2ForVideoClassification", num_labels=3)
    with pytest.warns(ForetellWarning, match="head on top"):
        same(foretell.load(tmp_path), model, torch.rand(1, 3, 8, 32, 32))


def test_the_processors_normalisation_is_used(tmp_path):
    theirs(tmp_path)
    processor = transformers.VJEPA2VideoProcessor(crop_size=32, image_mean=[0.5, 0.4, 0.3], image_std=[0.1, 0.2, 0.3])
    processor.save_pretrained(tmp_path)
    c = foretell.load(tmp_path).config.encoder
    assert (c.mean, c.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))


def test_an_encoder_alone_gets_a_fresh_predictor(tmp_path):
    model = theirs(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: t for name, t in tensors.items() if name.startswith("encoder.")}
    save_file(kept, tmp_path / "model.safetensors")
    with pytest.warns(ForetellWarning, match="encoder only"):
        ours = foretell.load(tmp_path)
    assert ours.untrained == "predictor"
    clips = torch.rand(1, 3, 8, 32, 32)
    with torch.no_grad():
        close(ours.encode(clips), model(normalised(clips), skip_predictor=True).last_hidden_state)


def test_what_does_not_fit_is_accounted_for_by_transformers_names(tmp_path):
    theirs(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    for name in ("encoder.layer.0.attention.key.bias", "predictor.layer.1.mlp.fc2.bias"):
        del tensors[name]
    save_file(tensors | {"encoder.gate": torch.zeros(1)}, tmp_path / "model.safetensors")
    said = r"2 missing: encoder\.layer\.0\.attention\.key\.bias, predictor\.layer\.1\.mlp\.fc2\.bias; 1 unexpected: enc"
    with pytest.raises(ForetellError, match=said):
        foretell.load(tmp_path)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("hidden_act", "silu", "config.json.hidden_act is 'silu'"),
        ("hidden_size", "wide", "config.json.hidden_size is 'wide'"),
        ("patch_size", [8, 16], "expected squares"),
        ("patch_size", 0, ": encoder patch_size is 0, expected 1 to"),
        ("tubelet_size", 0, ": encoder tubelet is 0, expected 1 to"),
        ("hidden_size", 0, ": config.json hidden_size is 0, expected 1 to"),
        ("mlp_ratio", float("nan"), ": config.json mlp_ratio is nan, expected above 0"),
        ("pred_num_attention_heads", 0, ": predictor heads is 0, expected 1 to"),
        ("frames_per_clip", 7, "frames 7 is not a multiple of tubelet 2"),
        ("num_attention_heads", 11, "a head is 4 wide, expected an even width of 6 or more"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(field, value, said, tmp_path):
    theirs(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {field: value}))
    with pytest.raises(ForetellError, match=said):
        foretell.load(tmp_path)


ENCODER = VideoViTConfig(
    image_size=32, patch_size=8, width=44, depth=2, heads=2, mlp_ratio=48 / 11, positions="rotary-vjepa2", frames=8
)
OURS = VJEPAConfig(ENCODER, PredictorConfig(24, 2, 2, "rotary-vjepa2"), TubeMasks(visible=0.25))


def trained(config=OURS):
    model = VJEPA(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    model.context_encoder.load_state_dict(model.target_encoder.state_dict())
    return model


@pytest.mark.parametrize("config", [OURS, replace(OURS, token_per_mask=True)], ids=["a token", "a token a mask"])
def test_ours_computes_the_same_there_and_comes_back(config, tmp_path):
    ours = trained(config)
    formats.export(ours, tmp_path / "theirs")
    model, account = transformers.VJEPA2Model.from_pretrained(tmp_path / "theirs", output_loading_info=True)
    assert not any(account.values())
    same(ours, model.eval(), torch.rand(2, 3, 8, 32, 32))
    if not config.token_per_mask:
        again = foretell.load(tmp_path / "theirs")
        assert all(torch.equal(t, ours.state_dict()[name]) for name, t in again.state_dict().items())
        assert again.config.encoder == config.encoder
        assert again.config.predictor == config.predictor


def test_the_processor_there_prepares_clips_for_it(tmp_path):
    save(trained(), tmp_path)
    processor = transformers.AutoVideoProcessor.from_pretrained(tmp_path)
    pixels = processor(torch.full((8, 3, 64, 64), 128, dtype=torch.uint8), return_tensors="pt").pixel_values_videos
    assert pixels.shape == (1, 8, 3, 32, 32)
    torch.testing.assert_close(pixels, normalised(torch.full((1, 3, 8, 32, 32), 128 / 255)), atol=0.02, rtol=0)


def test_the_context_encoder_and_half_precision_can_be_chosen(tmp_path):
    ours = VJEPA(OURS)
    torch.nn.init.normal_(ours.context_encoder.norm.weight)
    formats.export(ours, tmp_path, encoder="context", dtype="float16")
    stored = load_file(tmp_path / "model.safetensors")["encoder.layernorm.weight"]
    assert torch.equal(stored, ours.context_encoder.norm.weight.half())


@pytest.mark.parametrize("hidden", [100, 191, 192, 6143, 6144])
def test_transformers_cuts_the_mlp_to_the_width_that_it_has(hidden):
    from foretell.hub.official.huggingface_video import _ratio

    assert all(int(width * _ratio(hidden, width)) == hidden for width in range(8, 1500, 7))


PREDICTOR = OURS.predictor
CASES = {
    "encoder.positions are sincos": VJEPA(replace(OURS, encoder=replace(ENCODER, positions="sincos"))),
    "predictor.positions are rotary, expected rotary-vjepa2, which is chosen before training": VJEPA(
        replace(OURS, predictor=replace(PREDICTOR, positions="rotary"))
    ),
    "encoder.last_width is 48": VJEPA(replace(OURS, encoder=replace(ENCODER, last_width=48))),
    "eps is 1e-06 in the encoder and 0.001 in the pred": VJEPA(replace(OURS, predictor=replace(PREDICTOR, eps=1e-3))),
    "it is a VideoPixels, expected a VJEPA": VideoPixels(VideoPixelsConfig(ENCODER, PREDICTOR)),
}


@pytest.mark.parametrize("said", CASES)
def test_what_transformers_has_no_place_for_is_refused(said, tmp_path):
    with pytest.raises(ForetellError, match=said):
        formats.export(CASES[said], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_image_encoder_with_rotary_positions_has_no_form_there(tmp_path):
    images = ViTConfig(image_size=16, patch_size=8, width=12, depth=1, heads=1, positions="rotary")
    with pytest.raises(ForetellError, match="transformers' I-JEPA adds a table"):
        formats.export(IJEPA(IJEPAConfig(images, PredictorConfig(12, 1, 1))), tmp_path)
