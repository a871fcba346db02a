"""What is promised of filmed procedures: graphs that are kept to, a dial of chance, clips that follow each other."""

import numpy as np
import pytest
import torch

from foretell.data import StepLatents, load
from foretell.data.clips import read as read_clip
from foretell.data.made.procedures import FIRST_TEST, STEPS, TASKS, film, procedure
from foretell.data.made.procedures.bench import LOOKS, Bench
from foretell.data.made.procedures.tasks import NOUNS, VERBS, draw, held_out, usual
from foretell.data.reads import ClipEncoder
from foretell.errors import ForetellError

MEAN = ClipEncoder(lambda x: x.float().mean((2, 3, 4))[:, None] / 255, "mean", size=16, frames=8, fps=4.0)
NAMES = [task.name for task in TASKS]


def drawn(task, branching, count=60):
    return [draw(task, np.random.default_rng(seed), branching) for seed in range(count)]


def test_there_are_as_many_tasks_and_steps_as_promised():
    assert 12 <= len(TASKS) <= 18
    assert 30 <= len(STEPS) <= 60
    assert set(STEPS) <= {f"{verb} {noun}" for verb in VERBS for noun in NOUNS}
    assert len(set(NAMES)) == len(TASKS)


@pytest.mark.parametrize("task", TASKS, ids=NAMES)
@pytest.mark.parametrize("branching", [0.0, 0.5, 1.0])
def test_every_order_keeps_to_its_graph(task, branching):
    nodes = {node.step: node for node in task.nodes}
    for steps in drawn(task, branching):
        assert 3 <= len(steps) <= 10
        for place, step in enumerate(steps):
            assert not set(nodes[step].after) & set(steps[place:]), f"{step} came before what it needs: {steps}"
            assert not nodes[step].only_with or nodes[step].only_with in steps
        for step, node in nodes.items():
            least = 0 if node.one_of or node.only_with else node.least
            assert least <= steps.count(step) <= node.most
        for group in {node.one_of for node in task.nodes} - {""}:
            assert len({step for step in steps if nodes[step].one_of == group}) == 1


def test_without_branching_the_steps_so_far_tell_the_next_one():
    following = {}
    for task in TASKS:
        assert all(steps == usual(task) for steps in drawn(task, 0.0, 5))
        steps = (*usual(task), "end")
        for place in range(1, len(steps)):
            following.setdefault(steps[:place], set()).add(steps[place])
    assert all(len(after) == 1 for after in following.values())


def test_branching_opens_more_ways():
    ways = [sum(len({tuple(s) for s in drawn(task, b)}) for task in TASKS) for b in (0.0, 0.3, 1.0)]
    assert ways[0] == len(TASKS)
    assert ways[0] < ways[1] < ways[2]


def test_some_orders_are_kept_for_testing():
    tasks = {task.name: task for task in TASKS}
    learned, tested = ([procedure(1, first + i) for i in range(400)] for first in (0, FIRST_TEST))
    assert not any(held_out(tasks[each.task], each.steps) for each in learned)
    share = np.mean([held_out(tasks[each.task], each.steps) for each in tested])
    assert 0.1 < share < 0.4
    assert not any(held_out(task, usual(task)) for task in TASKS)


def test_the_same_number_gives_the_same_film_and_another_one_another():
    first = procedure(0, 3)
    assert first == procedure(0, 3)
    assert np.array_equal(film(first, 16, 8), film(first, 16, 8))
    looks = {film(procedure(seed, index), 16, 8)[0].tobytes() for seed in range(2) for index in range(3)}
    assert len(looks) == 6


def test_a_clip_begins_as_the_one_before_ended():
    for index in range(6):
        clips = film(procedure(2, index), 32, 16).astype(int)
        jumps = np.abs(clips[1:, 0] - clips[:-1, -1]).mean((1, 2, 3))
        moved = np.abs(np.diff(clips, axis=1)).max((1, 2, 3, 4))
        assert jumps.max() < 8  # tools have left; what moves has hardly begun to
        assert (moved > 40).all()  # every step shows something


@pytest.mark.parametrize("step", STEPS)
def test_every_step_changes_the_picture(step):
    task = next(task for task in TASKS if any(node.step == step for node in task.nodes))
    index = next(i for i in range(4000) if step in (found := procedure(7, i)).steps and found.task == task.name)
    found = procedure(7, index)
    clip = film(found, 32, 16)[found.steps.index(step)].astype(int)
    assert np.abs(clip - clip[:1]).max() > 40


def test_all_nouns_have_looks():
    assert set(NOUNS) <= {*LOOKS, *"water milk oil sauce pot pan bowl cup plate board".split()}
    assert Bench.holds


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"branching": 2.0}, "branching is 2, expected 0 to 1"),
        ({"seed": -1}, "seed is -1"),
        ({"index": -1}, "index is -1"),
    ],
)
def test_numbers_out_of_range_are_refused(given, said):
    with pytest.raises(ForetellError, match=said):
        procedure(**({"seed": 0, "index": 0} | given))


def test_films_too_small_are_refused():
    with pytest.raises(ForetellError, match="size is 8, expected a whole number, at least 16"):
        film(procedure(0, 0), 8)
    with pytest.raises(ForetellError, match="frames is 2, expected a whole number, at least 8"):
        film(procedure(0, 0), 16, 2)


def loaded(spec, tmp_path, **more):
    return load(spec, more.pop("reads", StepLatents(MEAN)), cache_dir=tmp_path, progress=False, **more)


def test_they_load_as_procedures_and_their_clips_can_be_had(tmp_path):
    learn, test = (loaded("procedures:16#branching=0.5", tmp_path, split=split) for split in ("train", "test"))
    assert (len(learn), len(test), learn.shape) == (16, 2, (1, 3))
    assert learn.steps == test.steps == STEPS
    assert learn.names["verb"] == VERBS
    assert learn.note == ""
    batch = learn.batch([5])
    found = procedure(0, 5, 0.5)
    assert [learn.steps[number] for number in batch.ragged("step")[0]] == list(found.steps)
    assert learn.classes[int(batch["labels"])] == found.task
    pixels = read_clip(learn.clip(5, 1), 16, 8)
    latents = MEAN.encode(torch.from_numpy(pixels)[None].transpose(1, 2))[0]
    assert torch.allclose(batch.ragged("latents")[0][1].float(), latents, atol=1e-3)


def test_what_was_encoded_before_an_interruption_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("foretell.data.source.PART", 8)
    calls = []

    def encode(x):
        calls.append(len(x))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return MEAN.encode(x)

    reads = StepLatents(ClipEncoder(encode, "counted", 16, 8))
    with pytest.raises(KeyboardInterrupt):
        loaded("procedures:24", tmp_path, reads=reads)
    whole = loaded("procedures:24", tmp_path, reads=reads)
    assert (len(calls), len(whole)) == (4, 24)  # the first part is not encoded again
    assert len(loaded("procedures:32", tmp_path, reads=reads)) == 32
    assert len(calls) == 5  # and more procedures cost only what is new
    assert np.array_equal(
        whole.batch([20]).ragged("step")[0],
        loaded("procedures:32", tmp_path, reads=reads).batch([20]).ragged("step")[0],
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("procedures:many", "expected procedures, or procedures:N with a whole number of procedures, 8 or more"),
        ("procedures:8#branching=2", "expected branching=B, 0 to 1"),
        ("procedures:8#branching=x", "expected branching=B, 0 to 1"),
        ("procedures:8#order=1", "'order=1' after # is no option here"),
    ],
)
def test_bad_places_are_refused(spec, said, tmp_path):
    with pytest.raises(ForetellError, match=said):
        loaded(spec, tmp_path)


def test_without_an_encoder_they_are_refused(tmp_path):
    with pytest.raises(ForetellError, match="nothing encodes them"):
        loaded("procedures:8", tmp_path, reads=StepLatents())
    small = StepLatents(ClipEncoder(MEAN.encode, "small", 8, 4))
    with pytest.raises(ForetellError, match="found an encoder of 4 frames at size 8"):
        loaded("procedures:8", tmp_path, reads=small)
