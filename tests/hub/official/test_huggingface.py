"""Against transformers, with random weights: both ways, to 1e-5."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import foretell
from foretell.errors import ForetellError, ForetellWarning
from foretell.hub.official import huggingface
from foretell.methods import IJEPA, IWM, IJEPAConfig, IWMConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig

transformers = pytest.importorskip("transformers")

SIZES = [
    {},
    {"layer_norm_eps": 1e-12, "qkv_bias": False},
    {"hidden_size": 48, "num_attention_heads": 4, "intermediate_size": 209, "num_hidden_layers": 3},
    {"image_size": 42, "patch_size": 14},
]


def theirs(folder=None, kind="IJepaModel", fixed=True, **changes):
    settings = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    settings |= {"image_size": 32, "patch_size": 8, "layer_norm_eps": 1e-6} | changes
    model = getattr(transformers, kind)(transformers.IJepaConfig(**settings)).eval()
    for parameter in model.parameters():  # larger than at the start, so that everything matters
        torch.nn.init.normal_(parameter, std=0.2)
    if fixed:
        from foretell.nn.positions import sincos

        side = settings["image_size"] // settings["patch_size"]
        base = model if kind == "IJepaModel" else model.ijepa
        base.embeddings.position_embeddings.data = sincos(settings["hidden_size"], (side, side)).clone().unsqueeze(0)
    if folder is not None:
        model.save_pretrained(folder)
    return model


def normalised(images):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images - mean.view(3, 1, 1)) / std.view(3, 1, 1)


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("fixed", [True, False], ids=["fixed", "learned"])
@pytest.mark.parametrize("sizes", SIZES)
@torch.no_grad()
def test_an_encoder_of_theirs_computes_the_same_here(sizes, fixed, tmp_path, encoder_only):
    model = theirs(tmp_path, fixed=fixed, **sizes)
    with encoder_only():
        loaded = foretell.load(tmp_path)
    side = model.config.image_size
    images = torch.rand(2, 3, side, side)
    expected = model(normalised(images)).last_hidden_state
    close(loaded.encode(images), expected)
    close(loaded.target_encoder(images), expected)
    assert loaded.config.encoder.positions == ("resized" if fixed else "learned")

    larger = torch.rand(1, 3, side * 2, side + model.config.patch_size)
    close(loaded.encode(larger), model(normalised(larger), interpolate_pos_encoding=True).last_hidden_state)


@pytest.mark.parametrize(
    "config",
    [
        ViTConfig(32, 8, 32, 2, 2),
        ViTConfig(24, 4, 48, 1, 3, mlp_ratio=48 / 11, eps=1e-5, qkv_bias=False, positions="learned"),
        ViTConfig(28, 14, 64, 2, 4, (0.5, 0.4, 0.3), (0.3, 0.2, 0.1)),
    ],
    ids=["plain", "options", "normalisation"],
)
@pytest.mark.parametrize("encoder", ["target", "context"])
@torch.no_grad()
def test_an_encoder_of_ours_computes_the_same_there(config, encoder, tmp_path, encoder_only):
    model = IWM(IWMConfig(config, PredictorConfig(16, 1, 2)))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    huggingface.save(model, tmp_path / "folder", encoder)
    loaded, account = transformers.IJepaModel.from_pretrained(tmp_path / "folder", output_loading_info=True)
    assert not any(account[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))

    images = torch.randint(0, 256, (2, 3, config.image_size, config.image_size), dtype=torch.uint8)
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path / "folder")
    pixels = processor(images=list(images), return_tensors="pt")["pixel_values"]
    own = model.target_encoder if encoder == "target" else model.context_encoder
    close(loaded(pixels).last_hidden_state, own(images / 255))

    with encoder_only():
        again = foretell.load(tmp_path / "folder")
    close(again.encode(images / 255), own(images / 255))
    assert again.config.encoder.mean == config.mean


def test_half_precision_is_stored_and_said(tmp_path, encoder_only):
    model = IJEPA(IJEPAConfig(ViTConfig(32, 8, 32, 2, 2), PredictorConfig(16, 1, 2)))
    huggingface.save(model, tmp_path, dtype=torch.float16)
    assert {t.dtype for t in load_file(tmp_path / "model.safetensors").values()} == {torch.float16}
    assert transformers.IJepaModel.from_pretrained(tmp_path, dtype="auto").dtype == torch.float16
    with encoder_only():
        loaded = foretell.load(tmp_path)
    assert loaded.config.encoder.positions == "resized"
    torch.testing.assert_close(
        loaded.encode(torch.zeros(1, 3, 32, 32)), model.encode(torch.zeros(1, 3, 32, 32)), atol=0.01, rtol=0
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"do_normalize": False},
        {"rescale_factor": 1 / 127.5, "image_mean": [1.0, 0.9, 1.1], "image_std": [1.0, 2.0, 0.5]},
        {"do_rescale": False, "image_mean": [127.0] * 3, "image_std": [58.0, 59.0, 60.0]},
        {"do_rescale": False, "do_normalize": False},
    ],
    ids=str,
)
def test_the_folders_own_normalisation_is_used(options, tmp_path, encoder_only):
    model = theirs(tmp_path)
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32}, do_resize=False, **options)
    processor.save_pretrained(tmp_path)
    with encoder_only():
        loaded = foretell.load(tmp_path)
    images = torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8)
    close(
        loaded.encode(images / 255),
        model(
            processor(images, return_tensors="pt", input_data_format="channels_first").pixel_values.float()
        ).last_hidden_state,
    )


def test_names_in_memory_and_several_files_load_too(tmp_path, encoder_only):
    model = theirs(tmp_path)
    images = torch.rand(1, 3, 32, 32)
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, tmp_path / "model.safetensors")
    with encoder_only():
        close(foretell.load(tmp_path).encode(images), model(normalised(images)).last_hidden_state)

    (tmp_path / "model.safetensors").unlink()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert not (tmp_path / "model.safetensors").exists()
    with encoder_only():
        close(foretell.load(tmp_path).encode(images), model(normalised(images)).last_hidden_state)


def test_the_head_of_a_classifier_is_left_out_and_said(tmp_path, encoder_only):
    model = theirs(tmp_path, "IJepaForImageClassification", num_labels=5)
    with pytest.warns(ForetellWarning, match="head on top of its encoder, which is left out"), encoder_only():
        loaded = foretell.load(tmp_path)
    images = torch.rand(1, 3, 32, 32)
    close(loaded.encode(images), model.ijepa(normalised(images)).last_hidden_state)


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def rewrite(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


NORM = "encoder.layer.0.layernorm_before.bias"
TABLE = "embeddings.position_embeddings"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda f: edit(f, hidden_act="relu"), "hidden_act is 'relu'"),
        (lambda f: edit(f, hidden_size="wide"), "hidden_size is 'wide'"),
        (lambda f: edit(f, image_size=[32, 64]), "expected squares"),
        (lambda f: edit(f, num_channels=1), "num_channels is 1"),
        (lambda f: edit(f, num_attention_heads=5), "heads 5"),
        (lambda f: edit(f, num_attention_heads=0), ": config.json num_attention_heads is 0, expected 1 to"),
        (lambda f: edit(f, hidden_size=0), ": config.json hidden_size is 0, expected 1 to"),
        (lambda f: edit(f, patch_size=0), ": encoder patch_size is 0, expected 1 to"),
        (lambda f: edit(f, num_hidden_layers=4), r"32 missing: encoder\.layer\.2–3\.attention"),
        (lambda f: edit(f, num_hidden_layers=1), r"16 unexpected: encoder\.layer\.1\.attention"),
        (lambda f: edit(f, image_size=64), r"position_embeddings is \(1, 16, 32\), expected \(1, 64, 32\)"),
        (lambda f: edit(f, model_type="vit"), "model_type 'vit'"),
        (lambda f: rewrite(f, lambda t: t.pop(NORM)), r"1 missing: encoder\.layer\.0\.layernorm_before\.bias\)"),
        (lambda f: rewrite(f, lambda t: t.update(cls_token=torch.zeros(1))), r"1 unexpected: cls_token\)"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda f: (f / "preprocessor_config.json").write_text('{"image_mean": [1]}'), "image_mean"),
        (lambda f: (f / "preprocessor_config.json").write_text('{"rescale_factor": 0}'), "rescale_factor is 0"),
        (
            lambda f: rewrite(f, lambda t: t.update({NORM: t[NORM].int()})),
            "1 of another type: .* is torch.int32",
        ),
        (lambda f: rewrite(f, lambda t: t.update({TABLE: t[TABLE].long()})), "1 of another type: .*position"),
    ],
)
def test_what_does_not_fit_is_accounted_for(spoil, said, tmp_path):
    theirs(tmp_path)
    spoil(tmp_path)
    with pytest.raises(ForetellError, match=said):
        foretell.load(tmp_path)
