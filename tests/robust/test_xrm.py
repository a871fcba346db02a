import functools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import ForetellError
from foretell.robust import xrm
from foretell.robust.twins import Optimizer, Settings, TwinConfig, Twins

FAST = TwinConfig(steps=300)
RATE = Settings(lr=0.05, batch=128, weight_decay=0.0)


def shortcut(n=2000, seed=0, conflict=0.1, noise=1.5):
    """Rows with a faint cause and a loud shortcut, which points the other way in a share of them."""
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (n,), generator=g)
    against = torch.rand(n, generator=g) < conflict
    sign = 2.0 * y - 1
    cause = sign + noise * torch.randn(n, generator=g)
    loud = torch.where(against, -sign, sign) * 3 + 0.5 * torch.randn(n, generator=g)
    return torch.stack([cause, loud], 1), y, against


def test_chance_of_a_flip_is_nothing_at_chance_and_one_at_certainty():
    logits = torch.tensor([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0]])
    assert xrm.flip_chance(logits).tolist() == pytest.approx([0.0, 1.0], abs=1e-6)
    half = torch.tensor([math.log(2 / 3), math.log(1 / 6), math.log(1 / 6)])  # p = 2/3: (2/3 − 1/3) · 3/2
    assert xrm.flip_chance(half).item() == pytest.approx(0.5, abs=1e-6)


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=6))
def test_chance_of_a_flip_is_a_chance(logits):
    assert 0 <= xrm.flip_chance(torch.tensor(logits)).item() <= 1


def test_classes_weigh_alike_whatever_their_rows():
    logits = torch.tensor([[[2.0, 0.0], [2.0, 0.0], [2.0, 0.0], [0.0, 1.0]]])
    labels = torch.tensor([[0, 0, 1, 1]])
    ce = -logits.log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)[0]
    everything = torch.ones(1, 4, dtype=torch.bool)
    assert xrm.balanced(logits, labels, everything).item() == pytest.approx(
        ce[:2].mean().item() + ce[2:].mean().item(), rel=1e-6
    )
    three = torch.tensor([[True, True, True, False]])  # a run with a smaller batch does not see the last row
    assert xrm.balanced(logits, labels, three).item() == pytest.approx(ce[:2].mean().item() + ce[2].item(), rel=1e-6)
    one_class = torch.tensor([[True, True, False, False]])  # an absent class drops out of the sum
    assert xrm.balanced(logits, labels, one_class).item() == pytest.approx(ce[:2].mean().item(), rel=1e-6)


def test_nothing_flips_while_both_twins_are_silent():
    x, y, _ = shortcut(200)
    run = xrm.train(torch.zeros_like(x), y, [RATE], [0], TwinConfig(steps=1))[0]
    # one step in which the held-out twin's last layer is zero: confidence ½, chance of a flip 0
    twins = Twins(1, 2, 2, FAST, torch.Generator().manual_seed(0))
    assert (xrm.flip_chance(twins(x)) == 0).all()
    assert run.flip_rate == 0


def test_an_environment_is_where_either_twin_errs():
    wrong = torch.tensor([[False, False], [True, False], [False, True], [True, True]])
    assert xrm.Run(RATE, 0, 0.1, wrong).environment.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("network", ["linear", "mlp"])
def test_the_shortcut_is_found(network):
    x, y, against = shortcut(2500)
    held = torch.arange(2500) % 5 == 0
    config = TwinConfig(network, width=16, steps=300)
    found = xrm.discover(x, y, held, draws=[RATE], seeds=3, config=config, progress=False)
    assert found.flip_rate > 0.02
    for run in found.runs:
        for part in (held, ~held):
            assert (run.environment.bool() == against)[part].float().mean() > 0.95


def test_runs_side_by_side_are_the_runs_alone():
    x, y, _ = shortcut(400)
    settings = [RATE, Settings(lr=0.01, batch=128), Settings(lr=0.2, batch=128)]
    config = TwinConfig(steps=40)
    together = xrm.train(x, y, settings, [3, 3, 3], config)
    for one, run in zip(settings, together, strict=True):
        alone = xrm.train(x, y, [one], [3], config)[0]
        assert alone.flip_rate == pytest.approx(run.flip_rate, abs=0.01)  # sums in another order
        assert (alone.wrong == run.wrong).float().mean() > 0.99


def test_degenerate_twins_have_no_flip_rate():
    x, y, _ = shortcut(400, conflict=0.0)
    easy = x * torch.tensor([0.0, 10.0])  # every row is told by the shortcut: nothing is ever wrong
    run = xrm.train(easy, y, [RATE], [0], FAST)[0]
    assert run.environment.sum() == 0
    assert run.flip_rate == 0


def test_rows_for_validation_teach_nothing():
    x, y, _ = shortcut(400)
    held = torch.arange(400) % 4 == 0
    other = torch.where(held.unsqueeze(1), -x, x)  # other validation rows: the same twins, so the same mistakes
    runs = [xrm.train(rows, y, [RATE], [0], TwinConfig(steps=30), validation=held)[0] for rows in (x, other)]
    assert torch.equal(runs[0].wrong[~held], runs[1].wrong[~held])
    assert not torch.equal(runs[0].wrong[held], runs[1].wrong[held])


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_each_run_learns_as_by_an_optimiser_of_its_own(optimizer):
    settings = [Settings(lr=0.1, weight_decay=0.01), Settings(lr=0.01, weight_decay=0.0)]
    config = TwinConfig("mlp", width=4, optimizer=optimizer)
    twins = Twins(2, 3, 2, config, torch.Generator().manual_seed(0))
    ours = Optimizer(twins, settings, config)
    copies = [[p.detach()[2 * r : 2 * r + 2].clone().requires_grad_() for p in twins.parameters] for r in range(2)]
    kind = {"sgd": functools.partial(torch.optim.SGD, momentum=0.9), "adam": torch.optim.Adam}[optimizer]
    theirs = [kind(c, lr=s.lr, weight_decay=s.weight_decay) for c, s in zip(copies, settings, strict=True)]
    g = torch.Generator().manual_seed(1)
    for _ in range(4):
        gradients = [torch.randn(p.shape, generator=g) for p in twins.parameters]
        for p, gradient in zip(twins.parameters, gradients, strict=True):
            p.grad = gradient.clone()
        ours.step()
        for r, (copy, one) in enumerate(zip(copies, theirs, strict=True)):
            for p, gradient in zip(copy, gradients, strict=True):
                p.grad = gradient[2 * r : 2 * r + 2].clone()
            one.step()
    for r, copy in enumerate(copies):
        for p, q in zip(twins.parameters, copy, strict=True):
            assert torch.allclose(p[2 * r : 2 * r + 2], q, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x, y: (x, torch.zeros_like(y)), "1 classes"),
        (lambda x, y: (x.index_fill(0, torch.tensor([3]), math.nan), y), "NaN"),
        (lambda x, y: (x[:-1], y), "a label for each row"),
        (lambda x, y: (x, torch.where(torch.arange(len(y)) == 0, 2, y)), "class 2 has fewer than two rows"),
    ],
)
def test_bad_tables_are_refused(change, said):
    x, y, _ = shortcut(50)
    x, y = change(x, y)
    with pytest.raises(ForetellError, match=said):
        xrm.train(x, y, [RATE], [0], FAST)
