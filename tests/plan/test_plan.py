import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from foretell import hub
from foretell.cli import main
from foretell.errors import ForetellError
from foretell.methods import IJEPA, VJEPAAC, IJEPAConfig, VJEPAACConfig
from foretell.nn.causal import CausalConfig
from foretell.nn.predictor import PredictorConfig
from foretell.nn.vit import ViTConfig
from foretell.plan import CEM, benchmark, copied, landscape, plan, table
from foretell.plan.planner import Plan

ENCODER = ViTConfig(image_size=16, patch_size=8, width=12, depth=1, heads=3)
FEW = CEM(samples=12, elites=3, iterations=2, horizon=2, bound="box")


def model(**options):
    torch.manual_seed(0)
    return VJEPAAC(VJEPAACConfig(ENCODER, CausalConfig(12, 1, 3), frames=4, **options)).eval()


def pictures(n=2):
    return torch.randint(256, (2, n, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


class Steered(VJEPAAC):
    """Foresees that each action is added to every latent: the goal is reached by the latents' difference."""

    def rollout(self, latents, state, actions):
        return latents.unsqueeze(1) + actions.cumsum(1).sum(-1)[..., None, None]


@torch.no_grad()
def test_the_energy_is_the_mean_absolute_difference_at_the_end():
    m, (now, goal) = model(), pictures()
    state = torch.randn(2, 2)
    found = plan(m, now, goal, state, FEW)
    z, z_goal = (m.target((x.float() / 255).unsqueeze(2))[:, 0] for x in (now, goal))
    end = m.rollout(z, state, found.actions)[:, -1]
    torch.testing.assert_close(found.energy, (end - z_goal).abs().mean((1, 2)))
    torch.testing.assert_close(found.now, (z - z_goal).abs().mean((1, 2)))
    assert found.actions.shape == (2, 2, 2)
    assert found.trace.shape == (2, 2)


@torch.no_grad()
def test_every_step_on_the_way_can_count():
    m, (now, goal), state = model(), pictures(), torch.randn(2, 2)
    found = plan(m, now, goal, state, replace(FEW, along=True))
    z, z_goal = (m.target((x.float() / 255).unsqueeze(2))[:, 0] for x in (now, goal))
    steps = m.rollout(z, state, found.actions)
    torch.testing.assert_close(found.energy, (steps - z_goal.unsqueeze(1)).abs().mean((1, 2, 3)))


def test_actions_are_found_that_lead_to_the_goal():
    """Latents of the goal are those of now plus 0.3, and actions add to latents."""
    m = Steered(VJEPAACConfig(ENCODER, CausalConfig(12, 1, 3), frames=4))
    latents = torch.randn(1, 1, 4, 12)
    now, goal = torch.zeros(3, 16, 16), torch.ones(3, 16, 16)
    m.target = lambda x: latents + 0.3 * x.mean()
    found = plan(m, now, goal, torch.zeros(2), CEM(samples=100, iterations=8, horizon=2, bound="box"))
    assert found.actions.sum().item() == pytest.approx(0.3, abs=0.02)
    assert found.energy.item() < 0.02
    assert found.now.item() == pytest.approx(0.3, abs=1e-5)


def test_a_plan_is_a_function_of_its_seed():
    m, (now, goal), state = model(), pictures(), torch.zeros(2, 2)
    first, again, other = (plan(m, now, goal, state, FEW, seed=seed).actions for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.abs().max() <= 1.0


def test_a_model_may_do_without_a_state():
    now, goal = pictures(1)
    assert plan(model(states=0), now[0], goal[0], None, FEW).actions.shape == (1, 2, 2)


def test_copying_expects_the_same_of_every_action():
    now, goal = pictures()
    found = plan(model(), now, goal, torch.zeros(2, 2), FEW, rollout=copied)
    torch.testing.assert_close(found.energy, found.now)
    torch.testing.assert_close(found.trace[:, 0], found.now)


@torch.no_grad()
def test_a_landscape_is_the_energy_of_single_actions():
    m, (now, goal), state = model(actions=3, states=0), pictures(1), None
    m.action_limit.copy_(torch.tensor([0.1, 0.2, 0.4]))
    found = landscape(m, now[0], goal[0], state, axes=(2, 0), points=5)
    assert found.x.tolist() == pytest.approx([-0.4, -0.2, 0, 0.2, 0.4])
    assert found.y.tolist() == pytest.approx([-0.1, -0.05, 0, 0.05, 0.1])
    z, z_goal = (m.target((x.float() / 255).unsqueeze(2))[:, 0] for x in (now, goal))
    end = m.rollout(z, torch.empty(1, 0), torch.tensor([[[0.05, 0.0, -0.2]]]))[:, 0]
    assert found.energy[3, 1].item() == pytest.approx((end - z_goal).abs().mean().item(), rel=1e-4)
    row, column = (found.energy == found.energy.min()).nonzero()[0].tolist()
    assert found.lowest == (found.x[column].item(), found.y[row].item())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"state": None}, "needs the state of the actor, 2 numbers, and none is given"),
        ({"state": torch.zeros(3)}, "2 numbers a state"),
        ({"state": torch.tensor([0.0, float("nan")])}, "expected finite numbers"),
        ({"image": torch.zeros(3, 8, 8)}, r"the image is \(3, 8, 8\), but this model looks at \(3, 16, 16\)"),
        ({"search": CEM(horizon=4)}, "horizon is 4, but this model learned 3 steps"),
    ],
)
def test_what_does_not_fit_is_said(options, message):
    now, goal = pictures(1)
    given = {"image": now[0], "goal": goal[0], "state": torch.zeros(2), "search": FEW} | options
    with pytest.raises(ForetellError, match=message):
        plan(model(), **given)
    with pytest.raises(ForetellError, match="expected two different ones of 0 to 1"):
        landscape(model(), now[0], goal[0], torch.zeros(2), axes=(0, 2))


def test_other_models_cannot_plan():
    with pytest.raises(ForetellError, match="IJEPA does not: train one with `foretell train vjepa-ac`"):
        plan(IJEPA(IJEPAConfig(ENCODER, PredictorConfig(12, 1, 3))), *pictures(1))


def test_a_benchmark_holds_the_model_against_its_baselines():
    report = benchmark(model(), "reach", episodes=3, steps=2, search=FEW)
    again = benchmark(model(), "reach", episodes=3, steps=2, search=FEW)
    json.dumps(report)
    for name in ("model", "copy", "random"):
        found = report[name]
        assert found["distance"]["low"] <= found["distance"]["value"] <= found["distance"]["high"]
        assert found["success"].keys() == {"value", "low", "high"}
        assert found["distance"] == again[name]["distance"]
    assert 0.25 <= report["start"] <= 0.5
    assert table(report).row_count == 3


class Simulator(VJEPAAC):
    """A perfect model of the pusher: its latents are the state, and pictures tell the place."""

    def target(self, frames):
        dark = (frames.sum(1) < 0.6).float()  # the pusher is the one black thing
        size = frames.shape[-1]
        places = (torch.arange(size) + 0.5) / size
        total = dark.sum((2, 3)).clamp_min(1)
        x, y = (dark.sum(2) * places).sum(2) / total, (dark.sum(3) * places.flip(0)).sum(2) / total
        return torch.stack([x, y], -1).unsqueeze(2)

    def rollout(self, latents, state, actions):
        return latents.unsqueeze(1) + actions.cumsum(1).unsqueeze(2)


def test_a_model_that_knows_the_world_reaches_every_goal():
    m = Simulator(VJEPAACConfig(ViTConfig(32, 8, 12, 1, 3), CausalConfig(12, 1, 3), frames=4))
    m.action_limit.fill_(0.15)
    report = benchmark(m, "reach", episodes=6, steps=5, search=CEM(samples=64, elites=6, iterations=4, bound="box"))
    assert report["model"]["success"]["value"] == 1.0
    assert report["model"]["distance"]["value"] < 0.03
    assert report["random"]["success"]["value"] < 0.5
    assert report["model"]["distance"]["value"] < report["copy"]["distance"]["value"]


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        ("juggle", {}, "task is 'juggle', expected one of reach, push"),
        ("reach", {"episodes": 0}, "episodes is 0, expected at least 1"),
    ],
)
def test_a_benchmark_that_cannot_be_is_said(task, options, message):
    with pytest.raises(ForetellError, match=message):
        benchmark(model(), task, **options)
    with pytest.raises(ForetellError, match="takes 2 actions and has 2 states, but this model has 3 and 3"):
        benchmark(model(actions=3, states=3))


@pytest.fixture
def saved(tmp_path):
    for name in ("now", "goal"):
        pixels = np.random.default_rng(len(name)).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    return hub.save(model(), tmp_path / "model"), tmp_path / "now.png", tmp_path / "goal.png"


FLAGS = "--samples 12 --elites 3 --iterations 2 --device cpu".split()


def test_the_command_plans_and_draws(saved, tmp_path, capsys):
    args = ["plan", *map(str, saved), "--state", "0.5", "0.5", *FLAGS, "--horizon", "2", "--limit", "0.1"]
    main([*args, "--json", "--plot", str(tmp_path / "energy.png")])
    report = json.loads(capsys.readouterr().out)
    assert np.shape(report["actions"]) == (2, 2)
    assert np.abs(report["actions"]).sum(1).max() <= 0.1 + 1e-6
    assert report.keys() == {"actions", "energy", "now", "worse_than_nothing"}
    assert (tmp_path / "energy.png").stat().st_size > 1000
    main(args)
    assert "action 2: " in capsys.readouterr().out


def test_the_command_acts(saved, capsys):
    args = ["plan", str(saved[0]), "--benchmark", "push", "--episodes", "2", "--steps", "1", *FLAGS, "--horizon", "1"]
    main([*args, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["task"] == "push"
    assert report["search"]["bound"] == "box"  # what is not said is the benchmark's own
    main(args)
    assert "copying" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "plan needs a MODEL and two pictures"),
        (["m", "now.png"], "plan needs a MODEL and two pictures"),
        (["m", "a.png", "b.png", "--benchmark", "reach"], "plan needs a MODEL and two pictures"),
        (["iwm-mini", "a.png", "b.png"], "IWM does not"),
        (["nothing", "a.png", "b.png"], "no model 'nothing'"),
        (["m", "--benchmark", "fly"], "--benchmark"),
    ],
)
def test_wrong_words_are_explained(args, message, capsys):
    with pytest.raises(SystemExit):
        main(["plan", *args])
    assert message in capsys.readouterr().err


def test_missing_pictures_are_said(saved, capsys):
    with pytest.raises(SystemExit):
        main(["plan", str(saved[0]), "gone.png", str(saved[2]), "--state", "0", "0"])
    assert "gone.png" in capsys.readouterr().err


def test_a_plan_that_ends_no_nearer_than_doing_nothing_says_so():
    found = Plan(torch.zeros(3, 1, 2), torch.tensor([1.0, 0.5, 2.0]), torch.ones(3), torch.zeros(3, 1))
    assert found.worse.tolist() == [True, False, True]
