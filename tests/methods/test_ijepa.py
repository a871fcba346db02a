import torch

from foretell.data import Batch
from foretell.methods import IJEPA, IJEPAConfig
from foretell.nn.vit import ViTConfig

MODEL = IJEPA(IJEPAConfig(ViTConfig(width=12, depth=1, heads=3)))


def views(images, seed=0):
    return MODEL.views(Batch(pixels=images), torch.Generator().manual_seed(seed))


def test_x_and_y_are_one_crop_and_there_is_no_action():
    v = views(torch.randint(256, (4, 3, 80, 96), dtype=torch.uint8))
    assert v.context.shape == (4, 3, 64, 64)
    assert torch.equal(v.context, v.target)
    assert v.action is None


def test_context_and_target_blocks_share_no_patch():
    v = views(torch.zeros(64, 3, 64, 64, dtype=torch.uint8))
    B, M, L = v.target_index.shape
    assert (B, M) == (64, 4)
    assert v.context_index.shape == (64, 64 - 4 * L)
    assert not (v.context_index.unsqueeze(2) == v.target_index.flatten(1).unsqueeze(1)).any()


def test_crops_are_never_mirrored_nor_recoloured():
    ramp = torch.arange(64, dtype=torch.uint8).mul(4).expand(32, 3, 64, 64)  # brighter to the right
    y = views(ramp.contiguous()).target
    assert (y.diff(dim=-1) > -1e-6).all()
    assert (y[..., -1] > y[..., 0]).all()
    assert torch.equal(y[:, 0], y[:, 1])


def test_same_seed_same_problem():
    images = torch.randint(256, (4, 3, 64, 64), dtype=torch.uint8)
    one, two, other = views(images), views(images), views(images, seed=1)
    assert torch.equal(one.context, two.context)
    assert torch.equal(one.target_index, two.target_index)
    assert not torch.equal(one.context, other.context)
