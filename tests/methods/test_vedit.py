"""VEDIT: what is asked in training, the sampler, the loss, and what its data must be."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from foretell import hub
from foretell.data import Images, StepLatents, load
from foretell.errors import ForetellError
from foretell.methods import VEDIT, VEDITConfig
from foretell.nn.dit import DiTConfig
from foretell.nn.flow import shifted, times
from foretell.nn.pooler import Classifier
from foretell.problems import NONE, PaddedClips, between, draw, entropy, forecast, recombined, whole

CONFIG = VEDITConfig(DiTConfig(width=16, depth=2, heads=2), history=3, horizon=2, euler=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return load("graphs:24#width=8,step=0.5", StepLatents(), cache_dir=tmp_path_factory.mktemp("cache"), progress=False)


@pytest.fixture
def model(data):
    torch.manual_seed(0)
    made = VEDIT(CONFIG).suited(data)
    made.prepare(data)
    return made


def views(model, data, seed=0):
    return model.views(data.batch(range(len(data))), torch.Generator().manual_seed(seed))


def test_it_takes_names_and_sizes_from_the_data(model, data):
    c = model.config
    assert (c.steps, c.tasks, c.verbs) == (data.steps, data.classes, data.names["verb"])
    assert (c.latents, c.channels) == data.shape == (1, 8)
    assert model.encoder is None
    z = model.scaled(data.batch(range(len(data))).ragged("latents").values.float())
    torch.testing.assert_close(z.mean((0, 1)), torch.zeros(8), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.flatten(0, 1).std(0), torch.ones(8), atol=1e-5, rtol=0)


@pytest.fixture
def of_velocity(model):
    """The same model, whose denoiser says the velocity."""
    made = VEDIT(replace(model.config, predicts="velocity"))
    made.load_state_dict(model.state_dict())
    return made


def test_zero_initialised_output_returns_the_noise_or_the_mean(model, of_velocity, data):
    problem = views(model, data)
    noise = torch.randn(problem.asked.latents.shape)
    torch.testing.assert_close(of_velocity.denoise(noise, problem.seen, problem.asked), noise)
    found = model.denoise(noise, problem.seen, problem.asked)
    torch.testing.assert_close(found, torch.zeros_like(noise), atol=1e-6, rtol=0)


def test_both_predictions_are_one_velocity(model, of_velocity, data):
    torch.nn.init.normal_(model.denoiser.out.weight, std=0.1)
    of_velocity.load_state_dict(model.state_dict())
    problem, s = views(model, data), torch.tensor([0.4])
    x = torch.randn(problem.asked.latents.shape)
    latents = of_velocity.velocity(x, problem.seen, problem.asked, s)  # what the network says
    torch.testing.assert_close(x - 0.4 * model.velocity(x, problem.seen, problem.asked, s), latents)


def test_euler_steps_by_hand(model, data):
    model.velocity = lambda x, seen, asked, s: x * s.view(-1, 1, 1, 1)
    x = torch.ones(1, 1, 1, 8)
    by_hand, steps = 1.0, times(3, 3.0)
    for s, after in pairwise(steps):
        by_hand += (after - s) * s * by_hand
    problem = views(model, data)
    torch.testing.assert_close(model.denoise(x, problem.seen, problem.asked), torch.full_like(x, by_hand))


def test_times_run_from_one_to_zero():
    assert times(4, 1.0) == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert times(2, 3.0) == [1.0, 0.75, 0.0]
    assert float(shifted(torch.tensor(0.5), 3.0)) == 0.75


@pytest.mark.parametrize("objective", ["velocity", "sampler", "direct"])
def test_every_objective_learns(data, objective):
    torch.manual_seed(0)
    model = VEDIT(replace(CONFIG, objective=objective)).suited(data)
    model.prepare(data)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for step in range(40):
        loss = model(views(model, data, step % 3))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert set(model.measures(views(model, data))) == {"loss", "velocity", "naming", "next"}


def test_velocity_loss_of_an_untrained_model_is_its_targets_square(of_velocity, data):
    model = of_velocity
    problem = views(model, data)
    chance = torch.Generator().manual_seed(5)
    found = model.losses(replace(problem, chance=chance))
    chance = torch.Generator().manual_seed(5)
    x0 = model.scaled(problem.asked.latents)
    noise = torch.randn(x0.shape, generator=chance)
    there = problem.asked.there
    torch.testing.assert_close(found["velocity"], (noise - x0)[there].square().mean())


def test_seeds_give_several_futures_and_direct_gives_one(model, data):
    torch.nn.init.normal_(model.denoiser.out.weight, std=0.1)
    problem = views(model, data)

    def sampled(seed):
        return model.sample(problem.seen, problem.asked, 3, torch.Generator().manual_seed(seed))

    first = sampled(0)
    assert first.shape == (len(data), 3, *problem.asked.latents.shape[1:])
    assert torch.equal(first, sampled(0))
    assert not torch.allclose(first[:, 0], first[:, 1])
    direct = VEDIT(replace(model.config, objective="direct"))
    direct.load_state_dict(model.state_dict())
    one = direct.sample(problem.seen, problem.asked, 2, torch.Generator().manual_seed(0))
    assert torch.equal(one[:, 0], one[:, 1])


def test_k_futures_in_one_batch_are_k_futures_one_by_one(model, data):
    torch.nn.init.normal_(model.denoiser.out.weight, std=0.1)
    problem = views(model, data)
    noise = torch.randn(len(data), 3, *problem.asked.latents.shape[1:], generator=torch.Generator().manual_seed(1))
    together = model.sample(problem.seen, problem.asked, 3, torch.Generator().manual_seed(1))
    alone = model.denoise(noise[:, 1], problem.seen, problem.asked) * model.std + model.mean
    torch.testing.assert_close(together[:, 1], alone, rtol=1e-4, atol=1e-5)


def test_entropy_leaves_out_what_has_no_label():
    logits = torch.tensor([[2.0, 0.0], [0.0, 5.0]])
    expected = torch.nn.functional.cross_entropy(logits[:1], torch.tensor([0]))
    torch.testing.assert_close(entropy(logits, torch.tensor([0, NONE])), expected)
    assert entropy(logits, torch.tensor([NONE, NONE])) == 0


def test_the_classifier_knows_which_latent_is_which():
    torch.manual_seed(0)
    made = Classifier((2, 3), 16, 2, {"step": 4})
    torch.nn.init.normal_(made.heads["step"].weight)
    clips = torch.randn(5, 1, 2, 3)
    assert not torch.allclose(made(clips)["step"], made(clips.flip(2))["step"])
    told, there = torch.cat([clips, torch.randn(5, 1, 2, 3)], 1), torch.tensor([[True, False]]).expand(5, 2)
    torch.testing.assert_close(made(told, there)["step"], made(clips)["step"])


def test_its_card_says_how_to_forecast(model, data, tmp_path):
    assert "[n, 1, 8]: of features of your own" in hub.save(model, tmp_path / "m").joinpath("README.md").read_text()
    seen = data.batch([0]).ragged("latents")[0][:2].float()
    told = {"model": model, "seen": seen}
    exec(model.example, told)  # what a card shows, runs
    assert "forecast" in told


def line(lengths, C=2):
    """Clips whose latents are their places."""
    B, S = len(lengths), max(lengths)
    there = torch.arange(S) < torch.tensor(lengths).unsqueeze(1)
    places = torch.arange(S).expand(B, S).float()
    labels = {kind: torch.arange(S).expand(B, S).masked_fill(~there, NONE) for kind in ("step", "verb", "noun")}
    return PaddedClips(places[..., None, None].expand(B, S, 1, C).clone(), places, there, labels)


def test_a_forecast_sees_the_last_clips_and_asks_for_the_next():
    past, future = forecast(line([5, 3]), torch.tensor([4, 2]), history=2, horizon=2)
    assert past.places.tolist() == [[2, 3], [0, 1]]
    assert past.there.all()
    assert future.labels["step"].tolist() == [[4, NONE], [2, NONE]]


def test_a_plan_sees_the_ends_and_asks_for_what_is_between():
    ends, inner = between(line([5, 3]), torch.tensor([1, 0]), torch.tensor([4, 3]))
    assert ends.labels["step"].tolist() == [[1, 4], [0, 2]]
    assert inner.labels["step"].tolist() == [[2, 3], [1, NONE]]


def test_problems_ask_for_nothing_that_was_seen():
    clips, task = line([1, 2, 3, 4, 9]), torch.zeros(5, dtype=torch.int64)
    kinds = set()
    for seed in range(30):
        problem = draw(clips, task, torch.Generator().manual_seed(seed), 3, 2, (3, 4))
        for row in range(5):
            seen = problem.seen.labels["step"][row][problem.seen.there[row]].tolist()
            asked = problem.asked.labels["step"][row][problem.asked.there[row]].tolist()
            assert seen
            assert not {*seen} & {*asked}
            assert bool(asked) == (row > 0)
            if asked:
                kinds.add(min(seen) < min(asked) < max(seen))
    assert kinds == {True, False}


def test_padding_is_by_the_longest():
    columns = {"latents": torch.ones(3, 1, 2), "step": torch.tensor([4, 5, 6])}
    columns |= {"verb": torch.tensor([0, NONE, 1]), "noun": torch.tensor([NONE] * 3)}
    from foretell.data import Ragged

    clips = whole({name: Ragged(each, torch.tensor([0, 1, 3])) for name, each in columns.items()})
    assert clips.there.tolist() == [[True, False], [True, True]]
    assert clips.labels["step"].tolist() == [[4, NONE], [5, 6]]
    assert clips.labels["verb"].tolist() == [[0, NONE], [NONE, 1]]


def test_data_that_it_cannot_learn_from(data, model, tmp_path):
    with pytest.raises(ForetellError, match="learns from procedures"):
        VEDIT(CONFIG).suited(Images.of(torch.zeros(2, 3, 8, 8, dtype=torch.uint8)))
    wider = load("graphs:8#width=12", StepLatents(), cache_dir=tmp_path, progress=False)
    with pytest.raises(ForetellError, match="width 12 a clip, and the model expects 1 of width 8"):
        model.prepare(wider)
    with pytest.raises(ForetellError, match="no encoder of clips"):
        model.encode(torch.zeros(1, 3, 16, 8, 8))


def test_configurations_that_cannot_be():
    with pytest.raises(ForetellError, match="euler is 0"):
        VEDITConfig(euler=0)
    with pytest.raises(ForetellError, match="planned is 2"):
        VEDITConfig(planned=(2,))


def test_a_recombined_clip_has_its_step_and_the_rest_of_another():
    labels = torch.tensor([[0, 1, NONE], [1, NONE, NONE]])
    there = torch.tensor([[True, True, True], [True, False, False]])
    prototypes = torch.tensor([[[10.0]], [[20.0]]])
    latents = torch.tensor([[10.1, 20.2, 7.0], [20.4, 0.0, 0.0]]).view(2, 3, 1, 1)
    clips = PaddedClips(latents, torch.arange(3.0).expand(2, 3), there, {"step": labels})
    rests = set()
    for seed in range(20):
        found = recombined(clips, prototypes, 1.0, torch.Generator().manual_seed(seed)).latents[..., 0, 0]
        assert found[0, 2] == 7.0  # it has no step
        assert found[1, 1] == 0.0  # it is not there
        apart = torch.stack([found[0, 0] - 10, found[0, 1] - 20, found[1, 0] - 20])
        rests |= {round(float(each), 1) for each in apart}
        assert torch.equal(recombined(clips, prototypes, 0.0, torch.Generator().manual_seed(seed)).latents, latents)
    assert rests == {0.1, 0.2, 0.4}


def test_clips_are_recombined_in_training_alone(model, data):
    batch = data.batch(range(len(data)))
    own = model.whole(batch).latents[:, 0]

    def first_seen():
        """The first clips of problems that see the first clip."""
        views = model.views(batch, torch.Generator().manual_seed(0))
        begins = views.seen.places[:, 0] == 0
        return views.seen.latents[begins, 0], own[begins]

    assert not torch.equal(*first_seen())
    model.eval()
    assert torch.equal(*first_seen())


def test_the_denoiser_is_told_the_names_of_seen_clips(model, data):
    clips = model.whole(data.batch(range(len(data))))
    told = model.told(model.scaled(clips.latents))
    names = told[..., 0, 8:]
    torch.testing.assert_close(names.sum(-1), torch.ones(names.shape[:-1]))
    right = (names.argmax(-1) == clips.labels["step"])[clips.there].float().mean()
    assert right > 5 / len(data.steps)  # in closed form, from 24 procedures
    untold = VEDIT(replace(CONFIG, named=False)).suited(data)
    untold.prepare(data)
    assert torch.equal(untold.told(clips.latents), clips.latents)


def test_naming_begins_with_the_discriminant(model, data):
    clips = model.whole(data.batch(range(len(data))))
    latents = clips.latents[clips.there]
    found = model.classify(latents)["step"]
    expected = model.classifier.discriminants["step"](model.scaled(latents).flatten(1)).log_softmax(-1)
    torch.testing.assert_close(found, expected)
    assert not [name for name, _ in model.named_parameters() if "discriminant" in name]
