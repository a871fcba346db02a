import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from foretell.errors import ForetellError
from foretell.plan import CEM, minimise
from foretell.plan.cem import bounded

GOAL = torch.tensor([[[0.3, -0.2], [0.0, 0.5]], [[-0.4, 0.1], [0.2, 0.2]]])  # 2 problems, 2 steps, 2 actions


def bowl(actions):
    return (actions - GOAL.unsqueeze(1)).square().sum((2, 3))


def solve(energy=bowl, problems=2, limit=(1.0, 1.0), seed=0, **options):
    search = CEM(**{"samples": 200, "iterations": 12, "horizon": 2, "bound": "box"} | options)
    return minimise(energy, problems, torch.tensor(limit), search, torch.Generator().manual_seed(seed))


def test_the_lowest_point_of_a_bowl_is_found_for_every_problem():
    actions, trace = solve()
    torch.testing.assert_close(actions, GOAL, atol=0.02, rtol=0)
    assert trace.shape == (2, 12)
    assert (trace[:, -1] < 0.01 * trace[:, 0]).all()


def test_the_same_seed_finds_the_same():
    assert torch.equal(solve()[0], solve()[0])
    assert not torch.equal(solve()[0], solve(seed=1)[0])


def test_one_iteration_is_the_mean_of_the_elites():
    drawn = torch.randn(1, 6, 1, 1, generator=torch.Generator().manual_seed(3)).clamp(-1, 1)
    energies = (drawn - 0.2).abs()[..., 0, 0]
    best = drawn[0, energies[0].argsort()[:2], 0, 0].mean()
    options = {"samples": 6, "elites": 2, "iterations": 1, "horizon": 1}
    found, trace = solve(lambda a: (a - 0.2).abs()[..., 0, 0], 1, (1.0,), 3, momentum=0.25, **options)
    assert found.item() == pytest.approx(0.75 * best.item(), rel=1e-5)  # a quarter of the first mean, 0, is kept
    assert trace.item() == pytest.approx(energies.sort().values[0, :2].mean().item(), rel=1e-5)


def test_the_nearest_point_within_the_bounds_is_found():
    far = torch.tensor([[[2.0, 0.3]]])

    def energy(actions):
        return (actions - far.unsqueeze(1)).square().sum((2, 3))

    box, _ = solve(energy, 1, (0.5, 0.5), horizon=1)
    torch.testing.assert_close(box, torch.tensor([[[0.5, 0.3]]]), atol=0.02, rtol=0)
    ball, _ = solve(energy, 1, (0.5, 0.5), horizon=1, bound="ball", samples=800)
    torch.testing.assert_close(ball, torch.tensor([[[0.5, 0.0]]]), atol=0.03, rtol=0)


def test_an_action_without_room_is_not_used():
    found, _ = solve(lambda a: (a - 0.3).square().sum((2, 3)), 1, (0.5, 0.0), horizon=1, bound="ball")
    assert found[0, 0, 1] == 0
    assert found[0, 0, 0].item() == pytest.approx(0.3, abs=0.02)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3), st.sampled_from(["ball", "box"]))
def test_bounds_are_kept_and_what_is_within_stays(values, bound):
    a = torch.tensor(values, dtype=torch.float64)
    kept = bounded(bound, a)
    size = kept.abs().sum() if bound == "ball" else kept.abs().max()
    assert size <= 1 + 1e-9
    if (a.abs().sum() if bound == "ball" else a.abs().max()) <= 1:
        assert torch.equal(kept, a)
    assert (kept * a >= 0).all()


def test_limits_are_the_models_unless_they_are_set():
    seen = torch.tensor([0.1, 0.2])
    assert CEM().limits(seen).tolist() == seen.tolist()
    assert CEM(limit=(0.5,)).limits(seen).tolist() == [0.5, 0.5]
    assert CEM(limit=(0.5, 0.0)).limits(seen).tolist() == [0.5, 0.0]
    with pytest.raises(ForetellError, match="limit has 3 numbers, expected one, or one for each of 2"):
        CEM(limit=(1.0, 1.0, 1.0)).limits(seen)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples is 0"),
        ({"samples": 5}, "elites is 10, expected at most as many as samples, 5"),
        ({"momentum": 1.0}, "momentum is 1"),
        ({"limit": (-1.0,)}, "limit is -1, expected at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ForetellError, match=message):
        CEM(**options)


def test_defaults_are_the_papers():
    c = CEM()
    assert (c.samples, c.elites, c.iterations, c.horizon, c.bound) == (800, 10, 10, 1, "ball")
