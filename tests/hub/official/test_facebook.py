"""Fabricated training checkpoints of Meta: the loaded model agrees with an independent forward pass."""

from pathlib import Path

import pytest
import torch

import foretell
from foretell.errors import ForetellError
from foretell.hub.official.encoder import config_of


@pytest.fixture
def saved(layouts, tmp_path):
    def save(content, **kwargs):
        torch.save(content, tmp_path / "checkpoint.pth.tar", **kwargs)
        return tmp_path / "checkpoint.pth.tar"

    return save


def plain(part):
    return {name.removeprefix("module."): t for name, t in part.items()}


def close(a, b):
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "sizes", [{}, {"patch": 14, "rows": 3, "depth": 1}, {"width": 384, "depth": 1}, {"width": 192, "ratio": 48 / 11}]
)
@torch.no_grad()
def test_all_three_networks_compute_what_the_official_ones_do(layouts, saved, sizes):
    content = layouts.checkpoint(**sizes)
    model = foretell.load(saved(content))
    heads = sizes.get("width", 192) // 64
    side = model.config.encoder.image_size
    assert side == sizes.get("patch", 8) * sizes.get("rows", 4)
    assert model.untrained is None
    assert not model.training

    images = torch.rand(2, 3, side, side)
    N = (side // model.config.encoder.patch_size) ** 2
    seen = torch.stack([torch.randperm(N)[:4] for _ in range(2)])
    asked = torch.stack([torch.randperm(N)[:3] for _ in range(2)])
    s_x = layouts.encode(images, plain(content["encoder"]), heads, seen)
    close(model.encode(images, seen), s_x)
    s_y = layouts.encode(images, plain(content["target_encoder"]), heads)
    close(model.target_encoder(images), s_y)
    prediction = layouts.predict(s_x, seen, asked, plain(content["predictor"]), heads)
    close(model.predict(s_x, seen, asked.unsqueeze(1))[:, 0], prediction)


def test_the_configuration_is_read_off_the_tensors(layouts, saved):
    c = foretell.load(saved(layouts.checkpoint(depth=3))).config
    assert (c.encoder.width, c.encoder.depth, c.encoder.heads) == (192, 3, 3)
    assert (c.predictor.width, c.predictor.depth, c.predictor.heads) == (96, 3, 3)
    assert c.encoder.positions == c.predictor.positions == "resized"


@pytest.mark.parametrize("width", [768, 1024, 1280, 1408])
def test_heads_follow_from_the_width(layouts, width):
    tensors = layouts.encoder(torch.Generator(), width=width, depth=1, patch=2, rows=2)
    assert config_of(tensors, Path("file")).heads == {768: 12, 1024: 16, 1280: 16, 1408: 16}[width]


def test_tables_that_are_not_the_fixed_ones_are_loaded(layouts, saved):
    content = layouts.checkpoint()
    for part, name in (("encoder", "pos_embed"), ("target_encoder", "pos_embed"), ("predictor", "predictor_pos_embed")):
        content[part][f"module.{name}"] += torch.randn_like(content[part][f"module.{name}"])
    model = foretell.load(saved(content))
    images, every = torch.rand(1, 3, 32, 32), torch.arange(16).unsqueeze(0)
    s_x = layouts.encode(images, plain(content["encoder"]), 3)
    close(model.encode(images), s_x)
    close(model.target_encoder(images), layouts.encode(images, plain(content["target_encoder"]), 3))
    close(model.predict(s_x)[:, 0], layouts.predict(s_x, every, every, plain(content["predictor"]), 3))
    assert model.config.encoder.positions == model.config.predictor.positions == "learned"


def test_what_was_loaded_is_saved_and_loaded_again(layouts, saved, tmp_path):
    model = foretell.load(saved(layouts.checkpoint()))
    again = foretell.load(foretell.save(model, tmp_path / "ours"))
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(again.predict(again.encode(images)), model.predict(model.encode(images)))
    assert again.config == model.config


def test_old_and_unprefixed_files_load_too(layouts, saved):
    content = layouts.checkpoint()
    parts = {part: plain(content[part]) for part in ("encoder", "predictor", "target_encoder")}
    images = torch.rand(1, 3, 32, 32)
    expected = foretell.load(saved(content)).encode(images)
    assert torch.equal(foretell.load(saved(parts)).encode(images), expected)
    for wrapped in ("_orig_mod.", "module.module.", "module._orig_mod."):
        named = {part: {f"{wrapped}{name}": t for name, t in tensors.items()} for part, tensors in parts.items()}
        assert torch.equal(foretell.load(saved(named)).encode(images), expected)
    assert torch.equal(foretell.load(saved(content, _use_new_zipfile_serialization=False)).encode(images), expected)


def test_one_encoder_serves_as_both(layouts, saved, encoder_only):
    content = layouts.checkpoint()
    with encoder_only():
        model = foretell.load(saved({"target_encoder": content["target_encoder"], "epoch": 1}))
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(model.encode(images), model.target_encoder(images))
    close(model.encode(images), layouts.encode(images, plain(content["target_encoder"]), 3))
    assert model.untrained == "predictor"


def drop(part, name):
    return lambda c: c[part].pop(f"module.{name}")


def put(part, name, *shape):
    return lambda c: c[part].update({f"module.{name}": torch.zeros(shape)})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (drop("encoder", "blocks.1.attn.proj.bias"), r"1 missing: encoder\.blocks\.1\.attn\.proj\.bias\)"),
        (drop("predictor", "predictor_proj.bias"), r"1 missing: predictor\.predictor_proj\.bias\)"),
        (put("target_encoder", "cls_token", 1, 1, 192), r"1 unexpected: target_encoder\.cls_token\)"),
        (put("predictor", "predictor_norm.bias", 95), r"predictor_norm\.bias is \(95,\), expected \(96,\)"),
        (put("predictor", "predictor_pos_embed", 1, 9, 96), r"pos_embed is \(1, 9, 96\), expected \(1, 16, 96\)"),
        (drop("encoder", "pos_embed"), "lacks pos_embed"),
        (drop("predictor", "predictor_embed.weight"), "lacks predictor_embed.weight"),
        (put("encoder", "pos_embed", 1, 17, 192), "patches of a square image"),
        (put("encoder", "patch_embed.proj.weight", 192, 3, 2, 8, 8), r"expected \(width, 3, side, side\)"),
        (put("encoder", "pos_embed", 1, 25, 192), "differ in size"),
        (put("encoder", "blocks.0.mlp.fc1.weight"), r"fc1\.weight is \(\), which tells nothing of the encoder's size"),
        (lambda c: c["encoder"].update({7: torch.zeros(1)}), r"1 unexpected: encoder\.7\)"),
        (lambda c: c.update(predictor=7), "predictor has the type int, expected a dictionary of tensors"),
    ],
)
def test_what_does_not_fit_is_accounted_for(layouts, saved, spoil, said):
    content = layouts.checkpoint()
    spoil(content)
    with pytest.raises(ForetellError, match=said):
        foretell.load(saved(content))


def test_weights_that_are_no_numbers_are_refused_by_name(layouts, saved):
    content = layouts.checkpoint()
    content["target_encoder"]["module.blocks.0.attn.proj.weight"][0, 0] = float("nan")
    with pytest.raises(ForetellError, match=r"NaN or infinity in target_encoder.blocks.0.attn.proj.weight"):
        foretell.load(saved(content))


def test_a_whole_missing_block_is_one_short_account(layouts, saved):
    content = layouts.checkpoint(depth=4)
    for name in [n for n in content["encoder"] if ".blocks.2." in n or ".blocks.1." in n]:
        if "norm1" in name:
            del content["encoder"][name]
    with pytest.raises(
        ForetellError, match=r"4 missing: encoder\.blocks\.1–2\.norm1\.bias, encoder\.blocks\.1–2\.norm1\.w"
    ):
        foretell.load(saved(content))


def test_a_width_whose_heads_nobody_knows_is_refused(layouts, saved):
    with pytest.raises(ForetellError, match="width 64"):
        foretell.load(saved(layouts.checkpoint(width=64)))
