"""Against timm, with random weights, to 1e-5."""

import warnings

import pytest
import torch

import foretell
from foretell.errors import ForetellError, ForetellWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of timm's own imports
    timm = pytest.importorskip("timm")
    from timm.models import save_for_hf

SIZES = [
    ("vit_huge_patch14_gap_224", {"img_size": 42, "embed_dim": 32, "depth": 2, "num_heads": 2}),
    ("vit_giant_patch16_gap_224", {"img_size": 32, "embed_dim": 88, "depth": 1, "num_heads": 4}),
    ("vit_huge_patch16_gap_448", {"img_size": 48, "embed_dim": 192, "depth": 1, "num_heads": 3, "qkv_bias": False}),
]


def theirs(name, **sizes):
    model = timm.create_model(f"{name}.{'in22k' if 'giant' in name else 'in1k'}_ijepa", **sizes).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def same(loaded, model):
    cfg, side = model.pretrained_cfg, model.patch_embed.img_size[0]
    images = torch.rand(2, 3, side, side)
    mean, std = torch.tensor(cfg["mean"]).view(3, 1, 1), torch.tensor(cfg["std"]).view(3, 1, 1)
    with torch.no_grad():
        expected = model.forward_features((images - mean) / std)
        for encoder in (loaded.context_encoder, loaded.target_encoder):
            torch.testing.assert_close(encoder(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "pickle"])
@pytest.mark.parametrize(("name", "sizes"), SIZES)
def test_a_folder_of_timms_computes_the_same_here(name, sizes, safe, tmp_path, encoder_only):
    model = theirs(name, **sizes)
    save_for_hf(model, tmp_path, safe_serialization=safe)
    with encoder_only():
        loaded = foretell.load(tmp_path)
    same(loaded, model)
    assert loaded.config.encoder.heads == sizes["num_heads"]


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t}, lambda t: {"model": t, "epoch": 3}])
def test_a_bare_file_of_tensors_loads_where_the_width_tells_the_heads(wrap, tmp_path, encoder_only):
    model = theirs(*SIZES[2][:1], **SIZES[2][1])
    torch.save(wrap(model.state_dict()), tmp_path / "weights.bin")
    with encoder_only():
        same(foretell.load(tmp_path / "weights.bin"), model)


def test_the_configurations_normalisation_is_used(tmp_path, encoder_only):
    model = theirs(*SIZES[0][:1], **SIZES[0][1])
    model.pretrained_cfg |= {"mean": (0.5, 0.4, 0.3), "std": (0.1, 0.2, 0.3)}
    save_for_hf(model, tmp_path, safe_serialization=True)
    with encoder_only():
        loaded = foretell.load(tmp_path)
    same(loaded, model)
    assert loaded.config.encoder.std == (0.1, 0.2, 0.3)


def test_a_classification_head_is_left_out_and_said(tmp_path, encoder_only):
    model = theirs(*SIZES[0][:1], **SIZES[0][1], num_classes=5)
    save_for_hf(model, tmp_path, safe_serialization=True)
    with pytest.warns(ForetellWarning, match="head on top"), encoder_only():
        same(foretell.load(tmp_path), model)


@pytest.mark.parametrize(
    ("name", "sizes", "said"),
    [
        ("vit_huge_patch14_gap_224", {"init_values": 0.1}, r"4 unexpected: blocks\.0–1\.ls1\.gamma, blocks\.0–1\.ls2"),
        ("vit_huge_patch14_gap_224", {"act_layer": "relu"}, "config.json sets act_layer"),
        ("vit_huge_patch14_gap_224", {"fc_norm": True}, "2 missing: norm.bias, norm.weight; 2 unexpected: fc_norm"),
    ],
)
def test_other_vits_of_timm_are_refused_with_an_account(name, sizes, said, tmp_path):
    size = {"img_size": 2 * (16 if "16" in name else 14), "embed_dim": 48, "depth": 2, "num_heads": 3, "num_classes": 0}
    save_for_hf(timm.create_model(name, **size, **sizes), tmp_path, safe_serialization=True)
    with pytest.raises(ForetellError, match=said):
        foretell.load(tmp_path)
