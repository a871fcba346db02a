"""Metrics of procedures by hand, the baselines' laws, and one whole report."""

import itertools

import numpy as np
import pytest
import torch

from foretell.data import StepLatents, train_test
from foretell.errors import ForetellError
from foretell.evaluate import procedures
from foretell.evaluate.procedures.counts import Bigram, Nearest, Recogniser, SeenProcedures
from foretell.evaluate.procedures.forecaster import after, joined, likeliest, recent
from foretell.evaluate.procedures.metrics import clustered
from foretell.methods import VEDIT, VEDITConfig
from foretell.nn.dit import DiTConfig
from foretell.problems import NONE, PaddedClips
from foretell.train.loop import TrainConfig

TRUTH = torch.tensor([[0, 1, 2], [3, 4, 5]])


def test_plans_by_hand():
    plans = torch.tensor([[0, 1, 2], [3, 5, 4]])
    assert procedures.success(plans, TRUTH).tolist() == [1, 0]
    assert procedures.position_accuracy(plans, TRUTH).tolist() == pytest.approx([1, 1 / 3])
    assert procedures.overlap(plans, TRUTH).tolist() == [1, 1]  # sets: order does not count
    wrong = torch.tensor([[0, 1, 9], [3, 4, 5]])
    assert procedures.overlap(wrong, TRUTH).tolist() == [0.5, 1]


def test_success_is_never_above_accuracy():
    g = torch.Generator().manual_seed(0)
    plans, truth = torch.randint(3, (2, 200, 4), generator=g)
    assert (procedures.success(plans, truth) <= procedures.position_accuracy(plans, truth)).all()


def test_the_batch_variant_hangs_on_the_batch():
    plans = torch.tensor([[3, 4, 5], [0, 1, 2]])  # each is the other's truth
    assert procedures.batch_overlap(plans, TRUTH, 1) == 0
    assert procedures.batch_overlap(plans, TRUTH, 2) == 1
    assert procedures.overlap(plans, TRUTH).mean() == 0  # whatever the batch


def test_edit_distances_by_hand():
    found = np.array([[1, 2, 3, 4], [1, 2, 3, 4], [2, 3, 4, 9], [7, 7, 7, 7]])
    truth = np.array([[1, 2, 3, 4], [1, 3, 2, 4], [1, 2, 3, 4], [1, 2, NONE, NONE]])
    distances = procedures.edit_distances(found, truth, np.array([4, 4, 4, 2]))
    assert distances.tolist() == [0, 2, 2, 2]  # Levenshtein: a swap of neighbours costs two


def test_ed_is_zero_for_equal_sequences_and_never_rises_with_more_futures():
    g = torch.Generator().manual_seed(0)
    truth = torch.randint(4, (50, 6), generator=g)
    futures = torch.randint(4, (50, 5, 6), generator=g)
    assert not procedures.edit_distance_at(truth.unsqueeze(1), truth).any()
    means = [procedures.edit_distance_at(futures[:, :k], truth) for k in range(1, 6)]
    assert all((more <= less).all() for less, more in itertools.pairwise(means))
    short = torch.tensor([[1, 2, NONE]])
    assert procedures.edit_distance_at(torch.tensor([[[1, 3, 9]]]), short).tolist() == [0.5]
    with pytest.raises(ForetellError, match="no steps"):
        procedures.edit_distance_at(futures[:1], torch.full((1, 6), NONE))


def test_intervals_draw_videos():
    values, groups = torch.tensor([1.0, 1, 1, 0]), torch.tensor([5, 5, 5, 9])
    found = clustered(values, groups, torch.Generator().manual_seed(0))
    assert found["value"] == 0.75
    assert (found["low"], found["high"]) == (0, 1)


def clips(rows, C=4):
    """Clips whose latents are one-hot steps."""
    S = max(map(len, rows))
    step = torch.tensor([row + [NONE] * (S - len(row)) for row in rows])
    there = step != NONE
    latents = torch.nn.functional.one_hot(step.clamp_min(0), C).float().unsqueeze(2) * there[..., None, None]
    places = torch.arange(S).expand(step.shape).float()
    return PaddedClips(latents, places, there, {kind: step for kind in ("step", "verb", "noun")})


@pytest.fixture(scope="module")
def known():
    rows = [[0, 1, 2], [0, 1, 2], [0, 1, 3], [2, 3, 0]] * 8
    return SeenProcedures.of(clips(rows), torch.tensor([0, 0, 1, 1] * 8), 4, 2)


def test_bigram_says_what_came_most_often(known):
    bigram = Bigram(known, Recogniser(known, 0, 100))
    assert bigram.next(clips([[0], [0, 1], [2]])).argmax(-1).tolist() == [1, 2, 3]
    assert bigram.plan(clips([[0, 2]]), 3).tolist() == [[0, 1, 2]]
    assert bigram.plan(clips([[0, 0]]), 4)[0, :2].tolist() == [0, 1]
    futures = bigram.futures(clips([[0]]), 2, 3, torch.Generator().manual_seed(0))
    assert futures["step"].shape == (1, 3, 2)
    assert futures["step"][0, 0].tolist() == [1, 2]


def test_viterbi_finds_the_likeliest_chain(known):
    bigram = Bigram(known, Recogniser(known, 0, 100))
    start, goal = 0, 3
    best = max(
        ((a, b) for a in range(4) for b in range(4)),
        key=lambda ab: bigram.logs[start, ab[0]] + bigram.logs[ab] + bigram.logs[ab[1], goal],
    )
    assert bigram.plan(clips([[start, goal]]), 4).tolist() == [[start, *best, goal]]


def test_nearest_repeats_what_it_knows(known):
    nearest = Nearest(known)
    assert nearest.next(clips([[2], [0, 1]])).argmax(-1).tolist()[0] == 3
    assert nearest.plan(clips([[2, 0]]), 3).tolist() == [[2, 3, 0]]
    assert nearest.futures(clips([[2]]), 3, 2, torch.Generator())["step"].tolist() == [[[3, 0, NONE]] * 2]


def test_likeliest_is_what_most_samples_agree_on():
    sure, other = torch.tensor([[9.0, 0], [9.0, 0]]), torch.tensor([[0, 99.0], [0, 99.0]])
    logs = torch.stack([sure, other, sure]).log_softmax(-1).unsqueeze(0)
    assert likeliest(logs).tolist() == [[0, 0]]


def test_what_was_forecast_is_seen_next():
    seen = clips([[0, 1, 2], [3]])
    asked = after(seen, 2)
    assert asked.places.tolist() == [[3, 4], [1, 2]]
    told = joined(seen, asked, torch.ones(2, 2, 1, 4))
    assert told.there.tolist() == [[True] * 5, [True, True, True, False, False]]
    assert told.latents[1, 1:3].eq(1).all()
    assert recent(told, 2).places.tolist() == [[3, 4], [1, 2]]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    return train_test("graphs:40#width=8,step=0.6", StepLatents(), cache_dir=folder, progress=False)


@pytest.fixture(scope="module")
def model(pair):
    torch.manual_seed(0)
    made = VEDIT(VEDITConfig(DiTConfig(width=16, depth=1, heads=2), history=3, horizon=2, euler=2)).suited(pair[0])
    made.prepare(pair[0])
    return made.eval()


def test_a_whole_report(model, pair):
    budget = TrainConfig(steps=2, batch=8)
    report = procedures.evaluate(model, *pair, budget=budget, most=12, progress=False)
    every = {"vedit": report, **report["baselines"]}
    assert set(report["baselines"]) == set(procedures.BASELINES)
    for name, found in every.items():
        assert 0 <= found["forecast"]["low"] <= found["forecast"]["value"] <= found["forecast"]["high"] <= 1
        assert (found["task"] is None) == (name == "copy")
        for steps in ("3", "4"):
            plan = found["planning"][steps]
            assert plan["sr"] <= plan["macc"] <= 1
            assert {"sr", "macc", "miou", "miou_batch", "batch", "intervals"} == set(plan)
        assert found["anticipation"]["ed@20"] == found["anticipation"]["step"]["ed@20"]["value"]
        assert {"verb", "noun"} < set(found["anticipation"])
    assert "task graphs" in report["data"]["note"]
    assert report["data"]["unknown"] == 0
    from rich.console import Console

    console = Console(width=200, record=True)
    console.print(procedures.table(report))
    text = console.export_text()
    assert "bigram" in text
    assert "task graphs" in text
    again = procedures.evaluate(model, *pair, baselines=(), budget=budget, most=12, progress=False)
    assert set(again["baselines"]) == {"bigram"}
    assert again["forecast"] == report["forecast"]


def test_what_cannot_be_asked(model, pair, tmp_path):
    with pytest.raises(ForetellError, match="'guess' is not a baseline"):
        procedures.evaluate(model, *pair, baselines=("guess",))
    wide = train_test("graphs:8#width=12", StepLatents(), cache_dir=tmp_path, progress=False)
    with pytest.raises(ForetellError, match="width 12 a clip, and the model expects 1 of width 8"):
        procedures.evaluate(model, *wide)
