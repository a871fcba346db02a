"""Muon's steps: even singular values, the size of AdamW's, whole matrices, and the same after resuming."""

from math import sqrt

import pytest
import torch
from torch import nn

from foretell.errors import ForetellError
from foretell.methods import IJEPA, IJEPAConfig
from foretell.train.muon import orthogonal
from foretell.train.optimizer import muon, set_rates

from .conftest import TINY


def drawn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 24, 8), (1, 8, 24), (3, 16, 16)])
def test_directions_keep_their_vectors_and_even_their_sizes(shape, dtype):
    x = drawn(*shape)
    U, S, V = torch.linalg.svd(x, full_matrices=False)
    turned = orthogonal(x.to(dtype)).float()
    sizes = U.mT @ turned @ V.mT  # diagonal where the vectors are x's own
    close = 1e-3 if dtype == torch.float32 else 0.05
    assert (sizes - torch.diag_embed(sizes.diagonal(dim1=1, dim2=2))).abs().max() < close
    there = S / x.norm(dim=(1, 2))[:, None] > 0.02
    assert there.sum() > 0.8 * there.numel()
    assert 0.6 < sizes.diagonal(dim1=1, dim2=2)[there].min() < sizes.diagonal(dim1=1, dim2=2)[there].max() < 1.25


def test_a_matrix_without_gradient_stays_without_a_direction():
    assert torch.equal(orthogonal(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


class Net(nn.Module):
    """The names of a transformer, and little else."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(4, 8)
        self.blocks = nn.ModuleList([nn.ModuleDict({"qkv": nn.Linear(8, 24), "proj": nn.Linear(8, 8)})])

    def descend(self, optimizer, seed=1):
        for number, p in enumerate(self.parameters()):
            p.grad = drawn(*p.shape, seed=seed + number)
        optimizer.step()
        optimizer.zero_grad()


def test_queries_keys_and_values_are_turned_apart_and_all_else_goes_by_adamw():
    net = Net()
    optimizer = muon([(net, 1.0)], lr=1e-2, weight_decay=0.0)
    before = {name: p.clone() for name, p in net.named_parameters()}
    net.descend(optimizer)
    moved = {name: (p - before[name]).detach() for name, p in net.named_parameters()}
    for matrix in (*moved["blocks.0.qkv.weight"].split(8), moved["blocks.0.proj.weight"]):
        sizes = torch.linalg.svdvals(matrix) / (0.2 * 1e-2 * sqrt(8))
        assert 0.6 < sizes[:-1].min() < sizes.max() < 1.25
    # the first step of AdamW is as large everywhere
    for name in ("embed.weight", "embed.bias", "blocks.0.qkv.bias", "blocks.0.proj.bias"):
        torch.testing.assert_close(moved[name].abs(), torch.full_like(moved[name], 1e-2), rtol=1e-3, atol=0)


def test_the_first_step_goes_against_the_gradient_and_later_ones_follow_the_momentum():
    net = Net()
    optimizer = muon([(net, 1.0)], lr=1e-3, weight_decay=0.0)
    weight = net.blocks[0]["proj"].weight
    gradients = [drawn(8, 8, seed=seed) for seed in (5, 6)]
    momentum = torch.zeros(8, 8)
    for gradient in gradients:
        before = weight.detach().clone()
        momentum = 0.95 * momentum + 0.05 * gradient
        weight.grad = gradient.clone()
        optimizer.step()
        expected = -0.2 * 1e-3 * sqrt(8) * orthogonal((0.05 * gradient + 0.95 * momentum)[None])[0]
        torch.testing.assert_close(weight.detach() - before, expected, rtol=1e-4, atol=1e-7)


def test_rates_and_decay_reach_the_matrices():
    net = Net()
    optimizer = muon([(net, 0.5)], lr=1e-2, weight_decay=0.0)
    set_rates(optimizer, 0.1, 2.0)
    before = net.blocks[0]["proj"].weight.detach().clone()
    net.blocks[0]["proj"].weight.grad = torch.zeros(8, 8)
    optimizer.step()
    torch.testing.assert_close(net.blocks[0]["proj"].weight.detach(), (1 - 0.5 * 0.1 * 2.0) * before)


def test_frozen_and_unused_weights_stay():
    net = Net()
    net.blocks[0]["qkv"].requires_grad_(False)
    optimizer = muon([(net, 1.0)], lr=1e-2, weight_decay=0.1)
    before = {name: p.clone() for name, p in net.named_parameters()}
    net.embed.weight.grad = drawn(8, 4)
    optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"embed.weight"}


def test_of_a_method_the_matrices_of_all_blocks_are_turned_and_no_others():
    model = IJEPA(IJEPAConfig(TINY.encoder, TINY.predictor))
    optimizer = muon([(module, 1.0) for module in model.trained().values()], lr=1e-3, weight_decay=0.0)
    turned = {id(p): group["matrices"] for group in optimizer.param_groups for p in group["params"]}
    for name, p in model.named_parameters():
        if id(p) in turned:
            inside = "blocks." in name and name.endswith("weight") and "norm" not in name
            assert turned[id(p)] == (inside and (3 if "qkv" in name else 1)), name
    assert set(turned.values()) == {0, 1, 3}


def test_a_model_without_blocks_is_refused():
    with pytest.raises(ForetellError, match="leave it at adamw"):
        muon([(nn.Linear(4, 8), 1.0)], lr=1e-3, weight_decay=0.0)
