"""Metrics of answers by hand, the blind baseline, and reports on models that know all, nothing, or no language."""

import json
from math import exp, log

import numpy as np
import pytest
import torch
from tests.answering import Saying, SayingConfig

from foretell import hub
from foretell.cli import main
from foretell.data import Questions, load
from foretell.data.made.questions import TASKS
from foretell.errors import ForetellError
from foretell.evaluate import questions
from foretell.evaluate.questions import AnsweredTask, BlindBaseline, scores
from foretell.evaluate.questions.metrics import covered, readable
from foretell.evaluate.questions.sentences import words_of
from foretell.language.places import Places, Reply, Spot

READ = Places(100).read


def said(*texts):
    return [READ(text) for text in texts]


def box(left, top, right, bottom):
    return f"<b_st><bin_{left}><bin_{top}><bin_{right}><bin_{bottom}><b_ed>"


def outline(left, top, right, bottom, image=0):
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)]) / 100
    return Spot("mask", (corners,), image)


def outlined(*spots):
    return Places(100).say(spots)


def score(task, expected, replies, pictures=1):
    return scores(AnsweredTask(task, said(*expected), said(*replies), [pictures] * len(replies), side=100))


def values(found):
    return {name: each and each["value"] for name, each in found.items()}


def test_boxes_by_hand():
    assert questions.box_overlap((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert questions.box_overlap((0, 0, 1, 1), (2, 0, 3, 1)) == 0
    assert questions.box_overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    true = box(0, 0, 10, 10)
    found = score("box", [true] * 4, [true, box(0, 0, 10, 20), "a dog", "<b_st><bin_4><b_ed>"])
    # an IoU of exactly one half is not above it; what cannot be read scores zero, and stays in the count
    assert values(found) == pytest.approx({"p@.5": 0.25, "miou": 1.5 / 4, "unreadable": 0.5})
    assert found["p@.5"]["low"] < 0.25 < found["p@.5"]["high"]


def test_a_box_is_no_outline():
    found = values(score("outline", [outlined(outline(0, 0, 10, 10))], [box(0, 0, 10, 10)]))
    assert found["giou"] == 0
    assert found["unreadable"] == 1


def test_outlines_by_hand():
    true, half, wide = outline(0, 0, 10, 10), outline(0, 0, 5, 10), outline(0, 0, 10, 30)
    expected = [outlined(each) for each in (true, true, true)]
    found = values(score("outline", expected, [outlined(true), outlined(half), outlined(wide)]))
    assert found["giou"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert found["ciou"] == pytest.approx((100 + 50 + 100) / (100 + 100 + 300))
    assert (found["p@.5"], found["p@.7"], found["p@.9"]) == pytest.approx((1 / 3, 1 / 3, 1 / 3))


def test_a_hole_is_outside():
    ring = outline(10, 10, 90, 90).rings[0]
    hole = outline(30, 30, 70, 70).rings[0][::-1]
    assert covered([Spot("mask", (ring, hole))], 0, 100).sum() == 80**2 - 40**2


def test_generalised_outlines_by_hand():
    one, other = outline(0, 0, 10, 10), outline(20, 0, 30, 10)
    both = outlined(one, other)
    expected = [both, both, "none", "none", "none", both]
    replies = [both, outlined(one), "none", outlined(one), "<m_st><bin_1><m_ed>", "none"]
    found = values(score("outlines", expected, replies))
    # a right none has 1, a wrong one 0, and a torn outline is no none
    assert found["giou"] == pytest.approx((1 + 0.5 + 1 + 0 + 0 + 0) / 6)
    assert found["ciou"] == pytest.approx((200 + 100) / (200 + 200 + 100 + 200))
    assert found["n_acc"] == pytest.approx(1 / 3)
    assert found["t_acc"] == pytest.approx(2 / 3)
    assert found["p@.5"] == pytest.approx(1 / 3)  # of three with targets; one half is not above one half
    assert found["unreadable"] == pytest.approx(1 / 6)
    assert values(score("outlines", [both], [both]))["n_acc"] is None


def test_several_pictures_by_hand():
    first, second = outline(0, 0, 10, 10), outline(0, 0, 10, 10, image=1)
    expected = [outlined(first, second)]
    found = values(score("common", expected, [outlined(first)], pictures=2))
    assert found["giou"] == pytest.approx(0.5)  # the mean over pictures
    assert found["precision"] == pytest.approx(1 - 100 / 20_000)
    assert found["ciou"] == pytest.approx(0.5)
    assert values(score("attribute", expected, expected, pictures=2))["giou"] == 1
    # in a picture where nothing is asked for, nothing is right
    assert values(score("attribute", [outlined(first)], [outlined(first)], pictures=2))["giou"] == 1
    assert values(score("attribute", [outlined(first)], expected, pictures=2))["giou"] == pytest.approx(0.5)
    assert values(score("attribute", expected, ["what?"], pictures=2)) == {"giou": 0, "ciou": 0, "unreadable": 1}


def test_words_by_hand():
    found = score("vqa", ["two", "yes", "red"], ["Two.", "no", ""])
    assert values(found) == pytest.approx({"accuracy": 1 / 3, "unreadable": 1 / 3})
    found = score("pair", ["true", "false", "true"], ["it is true", "true", "true or false"])
    assert values(found) == pytest.approx({"accuracy": 1 / 3, "unreadable": 1 / 3})
    assert values(score("region", ["a red dog"], ["the red dog"]))["accuracy"] == 1
    assert words_of("An ice-cream, don't!") == ["an", "ice-cream", "don't"]


def test_cider_by_hand():
    # two pictures, of which each has words that the other has not: every n-gram weighs log 2
    found = questions.cider(["a b c d", "w x"], [["a b c d"], ["w x y z"]])
    assert found[0] == pytest.approx(10)
    # 1-grams: 2 of 4 are there, so that the cosine is 2 / √(2·4); 2-grams: 1 / √(1·3); no longer ones
    assert found[1] == pytest.approx(10 / 4 * (2 / 8**0.5 + 1 / 3**0.5) * exp(-(2**2) / 72))
    assert questions.cider(["a", "a"], [["a"], ["a"]]) == [0, 0]  # what all say tells nothing


def test_cider_punishes_repeated_words():
    once, often = questions.cider(["red dog", "x"], [["red dog"], ["y"]])[0], None
    often = questions.cider(["red red red dog", "x"], [["red dog"], ["y"]])[0]
    assert often < once


def test_bleu_by_hand():
    counts = questions.bleu_counts("the the the cat sat", ["the cat sat on the mat"])
    assert counts == [4, 2, 1, 0, 5, 4, 3, 2, 5, 6]  # "the" counts twice, as often as the reference has it
    assert questions.bleu(torch.tensor([counts]))[0] == pytest.approx(0, abs=1e-3)
    whole = torch.tensor([questions.bleu_counts("a b c d e", ["a b c d e f"])])
    assert questions.bleu(whole)[0].item() == pytest.approx(exp(1 - 6 / 5))
    partly = torch.tensor([[4.0, 3, 2, 1, 5, 4, 3, 2, 5, 5]])
    assert questions.bleu(partly)[0].item() == pytest.approx(exp(sum(map(log, (4 / 5, 3 / 4, 2 / 3, 1 / 2))) / 4))


def test_blind_words_depend_on_how_a_question_begins():
    asked = ["how many dogs are there?"] * 12 + ["what colour is the dog?"] * 11
    answers = said(*["two"] * 12, *["red"] * 11)
    blind = BlindBaseline("vqa", asked, answers)
    assert blind.answer("how many cats are there?", 1).words == "two"
    assert blind.answer("what colour is the cat?", 1).words == "red"
    assert blind.answer("is there a cat?", 1).words == "two"
    assert BlindBaseline("vqa", [], []).answer("what?", 1).words == ""


def test_blind_places_are_the_mean_box():
    blind = BlindBaseline("box", ["where?"] * 2, said(box(0, 0, 20, 20), box(40, 20, 60, 40)))
    assert blind.answer("where?", 1).spots[0].box == pytest.approx((0.2, 0.1, 0.4, 0.3))
    many = BlindBaseline("attribute", ["outline"], said(outlined(outline(10, 10, 30, 30))))
    spots = many.answer("outline", 3).spots
    assert [(spot.kind, spot.image) for spot in spots] == [("mask", 0), ("mask", 1), ("mask", 2)]
    scattered = said(outlined(outline(0, 0, 5, 5)), outlined(outline(90, 90, 99, 99)), "none", "none")
    assert readable("outlines", blind_none := BlindBaseline("outlines", ["o"] * 4, scattered).answer("o", 1))
    assert blind_none == Reply("none", ())
    assert BlindBaseline("outlines", ["o"], scattered[:1]).answer("o", 1).spots


@pytest.fixture(scope="module")
def asked():
    return load("questions:36", Questions(48), progress=False)


def test_a_model_that_knows_all_scores_all(asked):
    model = Saying(SayingConfig()).learn(asked)
    report = questions.evaluate(model, asked, asked, side=200, progress=False)
    found = report["tasks"]
    assert list(found) == list(TASKS)
    assert report["data"]["asked"] == dict.fromkeys(TASKS, 4)
    for task, metrics in found.items():
        for name, numbers in metrics.items():
            if numbers is None:
                continue
            assert numbers["low"] <= numbers["value"] <= numbers["high"]
            assert set(numbers["blind"]) == {"value", "low", "high"}
            best = {"cider": numbers["value"], "bleu4": numbers["value"], "unreadable": 0}.get(name, 1)
            assert numbers["value"] == pytest.approx(best, abs=0.03), (task, name)  # bins of the model are coarser
    assert found["caption"]["cider"]["value"] > 5
    assert found["box"]["miou"]["blind"]["value"] < 0.6


def test_a_model_that_does_not_look_scores_as_the_blind(asked):
    blind = questions.evaluate(Saying(SayingConfig(reply="true")), asked, asked, side=50, progress=False)["tasks"]
    pair = blind["pair"]["accuracy"]
    assert pair["value"] <= pair["blind"]["value"]
    assert blind["box"]["unreadable"]["value"] == 1
    assert blind["outlines"]["giou"]["value"] == 0


@pytest.mark.parametrize(
    "reply", ["", "<m_st><bin_3>", "<bin_1><b_ed><image_9>", "<image_9>" + box(1, 1, 9, 9), "\x00"]
)
def test_malformed_replies_are_counted_and_score_zero(asked, reply):
    report = questions.evaluate(Saying(SayingConfig(reply=reply)), asked, asked, side=20, progress=False)
    for task in ("outline", "outlines", "common", "attribute", "pair"):
        assert report["tasks"][task]["unreadable"]["value"] == 1
        assert report["tasks"][task]["giou" if task != "pair" else "accuracy"]["value"] == 0
    assert questions.table(report).row_count > 20


def test_at_most_so_many_questions_of_a_task(asked):
    model = Saying(SayingConfig())
    report = questions.evaluate(model, asked, asked, most=2, side=20, progress=False)
    assert report["data"]["asked"] == dict.fromkeys(TASKS, 2)
    assert len(model.asked) == 18


def test_what_cannot_be_asked(asked, world_model):
    with pytest.raises(ForetellError, match="asking needs a model that answers questions"):
        questions.evaluate(world_model(), asked, asked)
    with pytest.raises(ForetellError, match="no question of a task that is known, expected some of caption"):
        questions.evaluate(Saying(SayingConfig()), asked, asked.subset([]))
    with pytest.raises(ForetellError, match="questions is 0, expected at least 1"):
        questions.evaluate(Saying(SayingConfig()), asked, asked, most=0)


def test_the_command(tmp_path, capsys, monkeypatch, asked):
    monkeypatch.setattr("foretell.data.train_test", lambda *_, **__: (asked, asked))
    model = hub.save(Saying(SayingConfig()), tmp_path / "model")
    main(["evaluate", str(model), "--data", "questions:36", "--questions", "1", "--json"])
    tasks = json.loads(capsys.readouterr().out)["tasks"]
    assert tasks["outlines"]["unreadable"]["value"] == 0
    assert set(tasks["box"]["p@.5"]) == {"value", "low", "high", "blind"}
    main(["evaluate", str(model), "--data", "questions:36", "--questions", "1"])
    assert "blind: the commonest answer" in " ".join(capsys.readouterr().out.split())
