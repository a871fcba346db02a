from dataclasses import replace

import jaxtyping
import pytest
import torch

from foretell.errors import ForetellError
from foretell.nn.positions import sincos
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import Block, ViT, ViTConfig, layer_norm, patchify, pool
from foretell.views import take

TINY = ViTConfig(image_size=16, patch_size=4, width=12, depth=2, heads=3)


def test_patches_of_a_small_picture_by_hand():
    picture = torch.arange(2 * 4 * 4).view(1, 2, 4, 4)  # two channels: 0 … 15 and 16 … 31
    assert patchify(picture, (2, 2)).tolist() == [
        [
            [0, 1, 4, 5, 16, 17, 20, 21],
            [2, 3, 6, 7, 18, 19, 22, 23],
            [8, 9, 12, 13, 24, 25, 28, 29],
            [10, 11, 14, 15, 26, 27, 30, 31],
        ]
    ]


def test_patches_of_a_clip_run_through_time_rows_and_columns():
    clip = torch.arange(4 * 2 * 6).view(1, 1, 4, 2, 6)
    patches = patchify(clip, (2, 1, 3))
    expected = [
        clip[0, 0, t : t + 2, r : r + 1, c : c + 3].flatten().tolist() for t in (0, 2) for r in (0, 1) for c in (0, 3)
    ]
    assert patches.tolist() == [expected]


def test_dropping_tokens_before_the_embedding_is_dropping_them_after():
    vit = ViT(TINY)
    x, index = torch.rand(2, 3, 16, 16), torch.tensor([[3, 0, 15], [7, 8, 9]])
    mean, std = torch.tensor(TINY.mean).view(3, 1, 1), torch.tensor(TINY.std).view(3, 1, 1)
    h = vit.patch_embed(patchify((x - mean) / std, (4, 4))) + sincos(12, (4, 4))
    h = take(h, index)
    for block in vit.blocks:
        h = block(h)
    torch.testing.assert_close(vit(x, index), vit.norm(h))


def test_every_patch_in_raster_order_is_no_index_at_all():
    vit, x = ViT(TINY), torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(vit(x, torch.arange(16).expand(2, -1)), vit(x))


def test_the_order_of_the_index_is_the_order_of_the_latents():
    vit, x, order = ViT(TINY), torch.rand(1, 3, 16, 16), torch.randperm(16)
    torch.testing.assert_close(vit(x, order.unsqueeze(0)), vit(x)[:, order])


def test_hidden_pixels_are_not_seen():
    vit, x = ViT(TINY), torch.rand(1, 3, 16, 16)
    other = x.clone()
    other[:, :, 4:] = 0  # all but the first row of patches
    index = torch.arange(4).unsqueeze(0)
    assert torch.equal(vit(x, index), vit(other, index))
    assert not torch.allclose(vit(x), vit(other))


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (32, 32)])
def test_images_of_other_sizes_have_other_grids(size):
    vit = ViT(TINY)
    x = torch.rand(1, 3, *size)
    assert vit.grid(x) == (size[0] // 4, size[1] // 4)
    assert vit(x).shape == (1, size[0] * size[1] // 16, 12)


def test_an_image_that_patches_do_not_fill_is_refused():
    with pytest.raises(ForetellError, match=r"\(16, 18\) pixels cannot be cut into patches of \(4, 4\)"):
        ViT(TINY)(torch.rand(1, 3, 16, 18))


def test_a_configuration_that_does_not_fit_is_refused():
    with pytest.raises(ForetellError, match="image_size 30 is not a multiple of patch_size 8"):
        ViTConfig(image_size=30)
    with pytest.raises(ForetellError, match="width 100 is not a multiple of heads 3"):
        ViTConfig(width=100)
    with pytest.raises(ForetellError, match="encoder init_std is 0, expected above 0"):
        ViTConfig(init_std=0.0)
    with pytest.raises(ForetellError, match="predictor init_std is -1, expected above 0"):
        PredictorConfig(init_std=-1.0)


def test_a_block_returning_its_first_tokens_is_the_full_block_cut():
    block, x = Block(12, 3), torch.randn(2, 9, 12)
    torch.testing.assert_close(block(x, 4), block(x)[:, :4])


@pytest.mark.parametrize("std", [0.02, 0.05, None])
def test_later_blocks_start_by_adding_less(std):
    vit = ViT(ViTConfig(image_size=16, patch_size=4, width=96, depth=8, heads=3, init_std=std))
    for depth, block in enumerate(vit.blocks, start=1):
        for layer in (block.attn.proj, block.mlp.fc2):
            expected = (std or layer.in_features**-0.5) / (2 * depth) ** 0.5
            assert layer.weight.std().item() == pytest.approx(expected, rel=0.05)
        assert block.mlp.fc1.weight.std().item() == pytest.approx(std or 96**-0.5, rel=0.05)
        assert block.mlp.fc1.bias.abs().max() == 0


def test_layer_norm_leaves_each_latent_with_mean_zero_and_variance_one():
    latents = layer_norm(3 + 5 * torch.randn(2, 7, 64, dtype=torch.bfloat16))
    assert latents.dtype == torch.float32
    torch.testing.assert_close(latents.mean(-1), torch.zeros(2, 7), atol=1e-5, rtol=0)
    torch.testing.assert_close(latents.var(-1, correction=0), torch.ones(2, 7), atol=1e-4, rtol=0)


def test_pooling_is_the_mean_over_patches():
    assert pool(torch.tensor([[[1.0, 2.0], [3.0, 6.0]]])).tolist() == [[2.0, 4.0]]


def test_the_patch_embedding_is_as_loud_as_the_positions():
    vit = ViT(ViTConfig())
    fan_in, fan_out = 3 * 8 * 8, 192
    assert vit.patch_embed.weight.std().item() == pytest.approx((2 / (fan_in + fan_out)) ** 0.5, rel=0.02)


def test_options_of_official_encoders_take_effect():
    config = replace(TINY, mlp_ratio=48 / 11, eps=1e-3, qkv_bias=False, positions="learned")
    vit = ViT(config)
    assert {module.eps for module in vit.modules() if isinstance(module, torch.nn.LayerNorm)} == {1e-3}
    assert vit.blocks[0].mlp.fc1.out_features == 52  # 12 · 48 / 11 = 52.4
    assert not [name for name in vit.state_dict() if "qkv.bias" in name]
    assert vit.state_dict()["positions.table"].shape == (16, 12)
    x = torch.rand(2, 3, 24, 16)
    assert vit(x).shape == (2, 24, 12)
    torch.testing.assert_close(vit.blocks[0](vit(x), 3), vit.blocks[0](vit(x))[:, :3])


def test_the_hidden_width_of_the_giant_is_exact():
    assert Block(1408 // 8, 1, 48 / 11).mlp.fc1.out_features == 768  # 6144 at full width


def test_a_last_width_changes_only_what_the_last_block_gives():
    plain, wide = ViT(TINY), ViT(replace(TINY, last_width=30))
    assert wide.width == 30
    x = torch.rand(2, 3, 16, 16)
    index = torch.tensor([[3, 0, 9], [1, 2, 15]])
    assert wide(x).shape == (2, 16, 30)
    assert wide(x, index).shape == (2, 3, 30)
    a, b = plain.state_dict(), wide.state_dict()
    changed = {name for name in b if name not in a or a[name].shape != b[name].shape}
    assert changed - b.keys() == a.keys() - b.keys() == set()
    assert changed == {
        *("blocks.1.attn.proj.weight", "blocks.1.attn.proj.bias", "blocks.1.shortcut.weight", "blocks.1.shortcut.bias"),
        *("blocks.1.norm2.weight", "blocks.1.norm2.bias", "blocks.1.mlp.fc1.weight"),
        *("blocks.1.mlp.fc2.weight", "blocks.1.mlp.fc2.bias", "norm.weight", "norm.bias"),
    }
    assert b["blocks.1.mlp.fc1.weight"].shape == (48, 30)  # the hidden layer stays as wide as it is


def test_a_widened_block_by_hand():
    block, x = Block(6, 2, out=10), torch.randn(2, 5, 6)
    h = block.shortcut(x) + block.attn(block.norm1(x))
    torch.testing.assert_close(block(x), h + block.mlp(block.norm2(h)))
    torch.testing.assert_close(block(x, 2), block(x)[:, :2])


def test_a_last_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ForetellError, match="last_width 31 is not a multiple of heads 3"):
        replace(TINY, last_width=31)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 3, 16, 16, dtype=torch.uint8), "pixels are torch.uint8, expected numbers in"),
        (torch.zeros(3, 16, 16), r"x is \[3, 16, 16\], expected \[B, 3, H, W\]"),
        (torch.zeros(2, 16, 16, 3), r"x is \[2, 16, 16, 3\], expected \[B, 3, H, W\]"),
    ],
)
def test_what_is_no_batch_of_images_is_said(x, message, monkeypatch):
    vit = ViT(TINY)
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as where shapes are not checked
    with pytest.raises(ForetellError, match=message):
        vit(x)


def test_patches_and_registers_at_once_are_those_one_by_one():
    torch.manual_seed(0)
    vit, x = ViT(replace(TINY, registers=2)).eval(), torch.rand(2, 3, 16, 16)
    patches, registers, shares = vit.encode_looking(x)
    torch.testing.assert_close(patches, vit(x))
    torch.testing.assert_close(registers, vit.encode_registers(x))
    torch.testing.assert_close(shares, vit.register_attention(x))
    torch.testing.assert_close(shares.sum(-1), torch.ones(2, 2))
