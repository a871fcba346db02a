"""VistaLLM: its loss by hand, what its answers see, bad questions, and that it learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from foretell import hub
from foretell.capabilities import Answers, require
from foretell.data import Batch
from foretell.data.columns import lists, tensor, texts
from foretell.data.dataset import Records
from foretell.errors import ForetellError
from foretell.language.coarser import Outlining
from foretell.language.places import FINE, Places, Spot
from foretell.methods import VistaConfig, begin
from foretell.methods.llip import Llip, LlipConfig
from foretell.methods.vista import Vista
from foretell.nn.decoder import DecoderConfig
from foretell.nn.guided import GuidedConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import VideoViTConfig, ViTConfig
from foretell.train.loop import TrainConfig
from foretell.train.run import run

SMALL = VistaConfig(
    ViTConfig(16, 4, 24, 1, 3, stem="convolution", init_std=None),
    tokenizer=GuidedConfig(tokens=4, width=24, depth=1, heads=3, length=24),
    decoder=DecoderConfig(width=24, depth=1, heads=3),
    words=300,
    bins=16,
    outlines=Outlining(6, "spread"),
    pictures=2,
    longest=24,
)
COLOURS = {"red": (220, 30, 30), "green": (40, 160, 60)}


def questions(n=96, seed=0):
    """A red and a green square in each picture, apart; where is one, and which colour is above?"""
    chance = np.random.default_rng(seed)
    pictures, asked, told = [], [], []
    for number in range(n):
        x, ys = chance.integers(0, 3, 2) * 5, chance.permutation([0, 8])
        pixels = np.full((3, 16, 16), 128, np.uint8)
        boxes = {}
        for (name, colour), left, top in zip(COLOURS.items(), x, ys, strict=True):
            pixels[:, top : top + 6, left : left + 5] = np.array(colour)[:, None, None]
            boxes[name] = np.array([[left, top], [left + 5, top + 6]]) / 16
        name = list(COLOURS)[chance.integers(2)]
        where = number % 2 == 0
        above = min(boxes, key=lambda colour: boxes[colour][0, 1])
        pictures.append(pixels[None])
        asked.append(f"where is {name}?" if where else "which is above?")
        told.append(FINE.say([Spot("box", (boxes[name],))]) if where else above)
    return pictures, asked, told


def records(pictures, asked, told):
    columns = {"pixels": lists(pictures), "question": texts(asked), "answer": texts(told)}
    return Records(columns, fingerprint="squares")


def build(**changes):
    torch.manual_seed(0)
    model = Vista(replace(SMALL, **changes))
    model.prepare(records(*questions(16)))
    return model


def batch(pictures, asked, told):
    return Batch(pixels=tensor(lists(pictures)), question=tensor(texts(asked)), answer=tensor(texts(told)))


def problem(model, *data):
    return model.views(batch(*data), torch.Generator())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("vista") / "run"
    train = TrainConfig(steps=160, batch=16, optimizer="muon", lr=1e-2, lr_start=1e-3, monitor_every=80, log_every=80)
    run(replace(SMALL, smooth=0.0), train, "squares", out, images=records(*questions()))
    return out


def test_the_loss_is_the_cross_entropy_of_answers_alone():
    model = build(smooth=0.0, balance=0.0).eval()
    data = questions(2)
    views = problem(model, *data)
    total, count = 0.0, 0
    for pixels, question, answer in zip(*data, strict=True):
        _, asked, told = model._tokens(question, answer)
        prompt = model._prompt(asked, 1)
        seen = model.see(problem(model, [pixels], [question], [answer]))
        h = model.decoder.embed(torch.tensor(prompt + told))
        h[1 : 1 + model.tokens] = seen[0]
        logits = model.decoder.head(model.decoder(h[None], torch.ones(1, len(h), dtype=torch.bool))[0])
        total += F.cross_entropy(logits[len(prompt) - 1 : -1], torch.tensor(told), reduction="sum")
        count += len(told)
    torch.testing.assert_close(model(views), total / count, rtol=1e-4, atol=1e-5)


def test_long_answers_weigh_less_where_answers_are_balanced():
    data = questions(2)
    each = [problem(build(), *([part] for part in row)) for row in zip(*data, strict=True)]
    both = {}
    for balance in (0.0, 1.0):
        model = build(balance=balance).eval()
        box, word = (model(views) for views in each)
        n = [int(views.groups[0].answered.sum()) for views in each]
        weight = n[0] ** (1 - balance), n[1] ** (1 - balance)
        both[balance] = model(problem(model, *data))
        torch.testing.assert_close(both[balance], (box * weight[0] + word * weight[1]) / sum(weight))
    assert both[0.0] != both[1.0]


def test_the_order_of_a_batch_and_its_company_change_no_answer():
    model = build().eval()
    pictures, asked, _ = questions(5)
    pictures = [torch.from_numpy(each) for each in pictures]
    pictures[1] = torch.cat([pictures[1], pictures[2]])  # two pictures, and so a longer text
    found = model.answer(pictures, asked)
    turned = model.answer(pictures[::-1], asked[::-1])
    assert found == turned[::-1]
    assert [model.answer([p], [q])[0] for p, q in zip(pictures, asked, strict=True)] == found


def test_all_pictures_are_seen():
    model = build().eval()
    (one, other), (asked, _), (told, _) = questions(2)
    views = problem(model, [np.concatenate([one, other])], [asked], [told])
    alone = [model.see(problem(model, [each], [asked], [told]))[0] for each in (one, other)]
    seen = model.see(views)
    torch.testing.assert_close(seen, torch.stack(alone))
    h = model.embedded(views.groups[0], seen)[0]
    Q = model.tokens
    torch.testing.assert_close(h[1 : 1 + Q], seen[0])
    torch.testing.assert_close(h[2 + Q : 2 + 2 * Q], seen[1])


def test_bad_questions_are_told():
    model = build()
    good = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    for pictures, asked, said in [
        ([], [], "there are no questions, expected one or more"),
        ([good], ["  "], "question 1 is empty, expected words"),
        ([good[..., :8, :8]], ["what?"], r"question 1 are \[1, 3, 8, 8\], expected \[n, 3, 16, 16\]"),
        ([good.expand(3, -1, -1, -1)], ["what?"], "question 1 is about 3 pictures, expected 1 to 2"),
        ([good, good[:0]], ["what?", "where?"], "question 2 is about 0 pictures, expected 1 to 2"),
        ([good], ["what " * 30], "question 1 has .* tokens, expected 24 or fewer: ask in fewer words"),
        ([good], ["what?", "where?"], "1 lists of pictures and 2 questions, expected a list for each"),
    ]:
        with pytest.raises(ForetellError, match=said):
            model.answer(pictures, asked)


def test_data_without_questions_and_a_video_encoder_are_refused():
    with pytest.raises(ForetellError, match="VistaLLM learns from questions with answers, found pixels"):
        build().prepare(Records({"pixels": np.zeros((4, 3, 16, 16), np.uint8)}))

    class Clips(Vista):
        pass

    clips = Clips(SMALL)
    clips.encoder = type(clips.encoder)(VideoViTConfig(16, 8, 24, 1, 3))
    with pytest.raises(ForetellError, match="looks at pictures, and Clips at clips: give --encoder llip-mini"):
        begin(SMALL, clips)


def test_it_begins_with_another_models_encoder_and_may_leave_it_alone():
    other = build()
    other.encoder.patch_embed(torch.rand(4, 3, 16, 16))  # running means of its own
    model = begin(replace(SMALL, frozen=True, encoder=ViTConfig()), other)
    assert model.config.encoder == SMALL.encoder
    before = {name: value.clone() for name, value in model.encoder.state_dict().items()}
    for name, value in other.encoder.state_dict().items():
        assert torch.equal(before[name], value)
    model.train()
    model.prepare(records(*questions(16)))
    model(problem(model, *questions(4))).backward()
    assert "encoder" not in model.trained()
    assert all(torch.equal(before[name], value) for name, value in model.encoder.state_dict().items())


def test_it_learns_to_see_and_says_so_after_it_was_saved(trained):
    model = require(hub.load(trained), Answers, "a test")
    pictures, asked, told = questions(40, seed=1)
    replies = model.answer([torch.from_numpy(each) for each in pictures], asked)
    words = [reply == answer for reply, answer in zip(replies[1::2], told[1::2], strict=True)]
    assert np.mean(words) > 0.8
    found = [Places(16).read(reply).spots for reply in replies[::2]]
    expected = [FINE.read(answer).spots[0].box for answer in told[::2]]
    off = [
        np.abs(np.subtract(spots[0].box, box)).max() if len(spots) == 1 else 1.0
        for spots, box in zip(found, expected, strict=True)
    ]
    assert np.mean(np.array(off) < 0.1) > 0.6
    assert model.features(torch.rand(2, 3, 16, 16)).shape == (2, 24)


def test_training_watches_whether_pictures_matter(trained):
    lines = [line for line in (trained / "metrics.jsonl").read_text().splitlines() if "blind" in line]
    assert len(lines) == 2
    last = json.loads(lines[-1])["monitor"]
    assert last["loss"] < last["blind"] - 0.3
    assert last["right"] > 0.7


def llip():
    torch.manual_seed(1)
    made = Llip(
        LlipConfig(
            replace(SMALL.encoder, registers=3),
            TextConfig(24, 1, 3, vocabulary=300, length=16, causal=False),
            MixtureConfig(out=24, heads=3),
        )
    )
    made.text.learn(questions(16)[1])
    return made.eval()


def test_the_heads_of_a_llip_say_where_the_words_of_a_question_look():
    other = llip()
    model = begin(replace(SMALL, fine=8), other)
    assert isinstance(model, Vista)
    model.prepare(records(*questions(16)))
    model.eval()
    views = problem(model, *questions(3))
    seen = model.see(views)
    assert seen.shape == (3, 4 + 3, 24)
    told = {}

    def keep(module, inputs):
        told["looks"] = inputs[3]

    model.tokenizer.register_forward_pre_hook(keep)
    model.see(views)
    g = other.caption_vectors(questions(3)[1])
    looked = torch.stack([other.looked(views.images[n : n + 1], g[n : n + 1])[0, 0].flatten() for n in range(3)])
    torch.testing.assert_close(told["looks"].shares.mean(1), looked)
    # the same picture, asked otherwise
    pictures, asked, told_ = questions(1)
    both = problem(model, [np.concatenate([pictures[0]])] * 2, [asked[0], "which is above?"], [told_[0], "red"])
    first, second = model.see(both)
    assert (first - second).abs().max() > 1e-3


def test_without_guiding_words_have_no_say():
    model = begin(replace(SMALL, tokenizer=replace(SMALL.tokenizer, guided=False)), llip())
    assert isinstance(model, Vista)
    assert model.text is None
    model.prepare(records(*questions(16)))
    model.eval()
    pictures, asked, told = questions(1)
    views = problem(model, pictures * 2, [asked[0], "which is above?"], told * 2)
    first, second = model.see(views)
    torch.testing.assert_close(first, second)


def test_a_second_stage_keeps_the_words_of_the_first():
    model = build()
    before = model.speech.vocabulary.pairs.clone()
    pictures, _, told = questions(16)
    model.prepare(records(pictures, ["entirely other words"] * 16, told))
    assert torch.equal(model.speech.vocabulary.pairs, before)


def test_a_model_with_a_llip_is_saved_whole(tmp_path):
    model = begin(replace(SMALL, frozen=True, fine=8), llip())
    assert isinstance(model, Vista)
    model.prepare(records(*questions(16)))
    hub.save(model, tmp_path / "model")
    again = hub.load(tmp_path / "model")
    pictures, asked, _ = questions(4)
    seen = [torch.from_numpy(each) for each in pictures]
    assert again.answer(seen, asked) == model.answer(seen, asked)
