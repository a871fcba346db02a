"""Registers and the convolutional stem of a ViT."""

from dataclasses import replace

import pytest
import torch

from foretell.errors import ForetellError
from foretell.nn.stem import Stem
from foretell.nn.vit import VideoViTConfig, ViT, ViTConfig

TINY = ViTConfig(image_size=16, patch_size=4, width=12, depth=2, heads=3)


def test_without_registers_nothing_changes():
    torch.manual_seed(0)
    first = ViT(TINY)
    torch.manual_seed(0)
    second = ViT(replace(TINY, registers=2, init_std=0.02))
    shared = {k: v for k, v in second.state_dict().items() if k != "registers"}
    assert shared.keys() == first.state_dict().keys()
    assert all(torch.equal(first.state_dict()[k], v) for k, v in shared.items())


@pytest.mark.parametrize("positions", ["sincos", "learned", "rotary"])
def test_registers_attend_with_the_patches_and_lie_nowhere(positions):
    vit = ViT(replace(TINY, width=24, registers=3, positions=positions))
    x = torch.rand(2, 3, 16, 16)
    found = vit.encode_registers(x)
    assert found.shape == (2, 3, 24)
    assert vit(x).shape == (2, 16, 24)
    # what comes of all tokens, registers first, is what comes of them apart
    every = vit.norm(vit._blocks(*vit._tokens(x, None)))
    torch.testing.assert_close(every[:, :3], found)
    torch.testing.assert_close(every[:, 3:], vit(x))
    # exchanging two exchanges what becomes of them
    with torch.no_grad():
        vit.registers.copy_(vit.registers[[1, 0, 2]].clone())
    torch.testing.assert_close(vit.encode_registers(x), found[:, [1, 0, 2]])


def test_registers_see_only_the_patches_that_are_kept():
    vit = ViT(replace(TINY, registers=2))
    x = torch.rand(1, 3, 16, 16)
    other = x.clone()
    other[..., 8:, :] = 0
    kept = torch.arange(8).unsqueeze(0)
    torch.testing.assert_close(vit(x, kept), vit(other, kept))


def test_an_encoder_without_registers_says_so():
    with pytest.raises(ForetellError, match="no registers"):
        ViT(TINY).encode_registers(torch.rand(1, 3, 16, 16))
    with pytest.raises(ForetellError, match="registers"):
        replace(TINY, registers=-1)


def test_a_stem_gives_a_token_a_patch_and_sees_its_neighbours():
    vit = ViT(replace(TINY, stem="convolution")).eval()
    x = torch.rand(2, 3, 16, 16)
    assert vit(x).shape == (2, 16, 12)
    stem = Stem(4, 12).eval()
    nudged = x.clone()
    nudged[..., 3, 3] += 1  # the corner of the first patch, where four meet
    changed = (stem(x) - stem(nudged)).abs().sum((0, 2)) > 0
    assert changed.nonzero().flatten().tolist() == [0, 1, 4, 5]


def test_a_stem_that_sees_over_edges_hides_no_patch():
    vit = ViT(replace(TINY, stem="convolution"))
    with pytest.raises(ForetellError, match="'linear'"):
        vit(torch.rand(1, 3, 16, 16), torch.tensor([[0, 1]]))


@pytest.mark.parametrize(("patch", "width"), [(1, 8), (12, 8), (16, 4)])
def test_a_stem_halves_a_patch_to_one(patch, width):
    with pytest.raises(ForetellError, match="convolution"):
        Stem(patch, width)


def test_a_stem_takes_images_only():
    with pytest.raises(ForetellError, match="takes images"):
        VideoViTConfig(16, 4, 12, 1, 3, frames=4, stem="convolution")
