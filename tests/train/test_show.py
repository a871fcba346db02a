"""The messages of a run to the person who started it."""

from foretell.train.loop import TrainConfig, Trainer, read
from foretell.train.show import Show, unlearned
from foretell.train.world import World


def test_an_error_above_what_needs_no_learning_is_said_in_a_sentence():
    said = unlearned({"loss": 0.5, "constant": 0.4, "copy": 0.6, "spread": 0.3})
    assert said is not None
    assert "learned nothing yet" in said
    assert "0.500 is above that of predicting the same of every image (0.400)." in said
    assert "repeating" not in said
    both = unlearned({"loss": 0.5, "constant": 0.4, "copy": 0.45})
    assert both is not None
    assert "(0.400) and of repeating the nearest visible or last latent (0.450)" in both


def test_nothing_is_said_of_a_run_that_learned_or_has_nothing_to_be_held_against():
    assert unlearned({"loss": 0.3, "constant": 0.4, "copy": 0.45}) is None
    assert unlearned({"loss": 5.0, "spread": 1.0}) is None
    # the loss of V-JEPA 2-AC is a sum, and only its first part is comparable
    assert unlearned({"loss": 0.9, "teacher": 0.4, "copy": 0.5}) is None
    assert "0.600 is above" in (unlearned({"loss": 0.9, "teacher": 0.6, "copy": 0.5}) or "")


def test_a_run_that_learned_nothing_says_so_at_its_end_and_only_there(tmp_path, tiny, images, capsys):
    config = TrainConfig(steps=4, batch=8, monitor_every=2, lr=1e-9, lr_start=1e-9, device="cpu")
    with Show(config.steps) as show:
        Trainer(tiny, images, config, tmp_path, World(images.take([0]).device), show).run()
    assert len([line for line in read(tmp_path / "metrics.jsonl") if "monitor" in line]) == 2
    shown = capsys.readouterr().err
    assert shown.count("The model has learned nothing yet") == 1
    assert shown.index("measured at 4") < shown.index("The model has learned nothing yet")
