"""Llip: its losses by hand, the chain of ablations, what leaks, and that it learns."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from foretell import hub
from foretell.data import Batch
from foretell.data.columns import several_texts, tensor
from foretell.data.dataset import Records
from foretell.errors import ForetellError
from foretell.methods.llip import CaptionedPairs, Llip, LlipConfig, sigmoid_loss, softmax_loss
from foretell.nn.mixture import MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig
from foretell.train.optimizer import adamw

VIT = ViTConfig(16, 8, 24, 1, 3, registers=3, init_std=None)
SMALL = LlipConfig(
    VIT, TextConfig(24, 1, 3, vocabulary=300, length=24), MixtureConfig(out=24, heads=3), crop=(1.0, 1.0)
)
COLOURS = {"red": (220, 30, 30), "green": (40, 160, 60), "blue": (40, 80, 220), "white": (240, 240, 240)}


def pictures(n=64, seed=0):
    """Pictures whose left and right halves have a colour each, and four captions that name one or both."""
    chance, names = np.random.default_rng(seed), list(COLOURS)
    pixels, captions = np.zeros((n, 3, 16, 16), np.uint8), []
    for picture in pixels:
        left, right = (names[i] for i in chance.integers(4, size=2))
        picture[:, :, :8] = np.array(COLOURS[left])[:, None, None]
        picture[:, :, 8:] = np.array(COLOURS[right])[:, None, None]
        captions.append([f"{left} on the left", f"{right} on the right", f"{left} and {right}", f"left {left}"])
    return pixels, captions


def batch_of(pixels, captions):
    return Batch(pixels=torch.from_numpy(pixels), captions=tensor(several_texts(captions)))


def build(**changes):
    torch.manual_seed(0)
    model = Llip(replace(SMALL, **changes))
    model.text.learn(text for texts in pictures()[1] for text in texts)
    return model


def problem(model, n=6, seed=0):
    return model.views(batch_of(*pictures(n)), torch.Generator().manual_seed(seed))


def test_the_sigmoid_loss_by_hand():
    logits = torch.tensor([[2.0, -1.0], [0.5, 1.0]])
    positive = torch.eye(2, dtype=torch.bool)
    sigmoid = logits.sigmoid()
    expected = -(sigmoid[0, 0].log() + (1 - sigmoid[0, 1]).log() + (1 - sigmoid[1, 0]).log() + sigmoid[1, 1].log())
    torch.testing.assert_close(sigmoid_loss(logits, positive), expected)


def test_the_softmax_loss_is_clips_and_leaves_other_true_pairs_out():
    logits = torch.randn(4, 4)
    own = torch.arange(4)
    expected = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    torch.testing.assert_close(softmax_loss(logits, torch.eye(4, dtype=torch.bool)), expected)
    positive = torch.eye(4, dtype=torch.bool)
    positive[0, 1] = True  # caption 1 is true of image 0, too
    more = logits.clone()
    more[0, 1] += 5
    rest = positive.clone()
    for i, j in ((0, 0), (1, 1)):
        row = logits[i][~positive[i]]
        assert row.numel() == 4 - positive[i].sum()
        term = torch.logaddexp(logits[i, j], row.logsumexp(0)) - logits[i, j]
        assert term > 0
    away = logits.masked_fill(positive, -torch.inf)
    by_hand = [
        (torch.logaddexp(logits[i, j], away[i].logsumexp(0)) + torch.logaddexp(logits[i, j], away[:, j].logsumexp(0)))
        / 2
        - logits[i, j]
        for i, j in rest.nonzero().tolist()
    ]
    torch.testing.assert_close(softmax_loss(logits, positive), torch.stack(by_hand).mean())


def test_the_loss_is_of_every_image_mixed_by_every_caption():
    model = build(scale=7.0, bias=-2.0)
    views = problem(model)
    h, g = model.encoder.encode_registers(views.images), model.text(views.tokens)
    total = 0.0
    for i in range(6):
        for j in range(6):
            z = model.mixture(h[i : i + 1], g[j : j + 1])[0, 0]
            s = 7 * (z @ model.mixture.embed_text(g[j : j + 1])[0]) - 2
            total -= F.logsigmoid(s if i == j else -s)
    torch.testing.assert_close(model(views), total / 6, rtol=1e-5, atol=1e-5)


def test_a_bias_that_counts_begins_at_the_odds_of_one_image():
    model = build()
    logit = model.logit(torch.zeros(1, 1), 64)
    p = 1 / 64
    torch.testing.assert_close(logit, torch.tensor(p / (1 - p)).log().view(1, 1))
    assert build(bias=-10.0).logit(torch.zeros(1, 1), 64).item() == -10


def test_one_register_is_siglip_whoever_mixes():
    one = replace(VIT, registers=1)
    losses = []
    for by in ("text", "learned", "uniform", "first"):
        model = build(encoder=one, mixture=replace(SMALL.mixture, by=by))
        siglip = build(encoder=one, mixture=replace(SMALL.mixture, by="first"))
        shared = {k: v for k, v in siglip.state_dict().items() if k in model.state_dict()}
        model.load_state_dict(model.state_dict() | shared)
        losses.append(model(problem(model)))
    torch.testing.assert_close(torch.stack(losses), losses[-1].expand(4))


def test_captions_of_a_step_are_drawn_from_the_first_ones_by_the_generator_alone():
    pixels, captions = pictures(5)
    drawn = []
    model = build(captions_a_step=2, captions=3)
    tokens = model.text.tokens
    model.text.tokens = lambda texts: drawn.append(texts) or tokens(texts)
    for seed in (0, 0, 1):
        model.views(batch_of(pixels, captions), torch.Generator().manual_seed(seed))
    assert drawn[0] == drawn[1] != drawn[2]
    for row in range(5):
        two = drawn[0][2 * row : 2 * row + 2]
        assert set(two) <= set(captions[row][:3])
        assert len(set(two)) == 2
    always = build(captions=1)
    always.text.tokens = model.text.tokens
    always.views(batch_of(pixels, captions), torch.Generator().manual_seed(7))
    assert drawn[-1] == [texts[0] for texts in captions]


def test_an_image_with_too_few_captions_gives_one_twice():
    model = build(captions_a_step=3)
    views = model.views(batch_of(pictures(2)[0], [["red"], ["blue", "green"]]), torch.Generator().manual_seed(0))
    assert len(views.tokens) == 6
    assert views.positive.tolist() == [[True] * 3 + [False] * 3, [False] * 3 + [True] * 3]


def test_captions_that_are_true_of_other_images_count_as_theirs():
    pixels, _ = pictures(3)
    captions = [["red on the left"], ["red on the left", "blue"], ["green"]]
    model = build(positives="true", captions=0)
    positive = model.views(batch_of(pixels, captions), torch.Generator().manual_seed(3)).positive
    assert positive[0, 0]
    assert positive[1, 0]  # drawn for image 0, and listed for image 1
    assert positive[2].tolist() == [False, False, True]


def test_images_some_at_a_time_give_the_same_loss_and_gradients():
    whole, parts = build(), build(rows=2)
    parts.load_state_dict(whole.state_dict())
    losses = [model(problem(model)) for model in (whole, parts)]
    torch.testing.assert_close(*losses, rtol=1e-6, atol=1e-6)
    for loss in losses:
        loss.backward()
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        if p.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-4, atol=1e-5)


class Leaking(Llip):
    """The wrong negative: each image is mixed by its own caption."""

    def cosines(self, h, g):
        own = torch.stack([self.mixture(h[i : i + 1], g[i : i + 1])[0, 0] for i in range(len(h))])
        return own @ self.mixture.embed_text(g).T


HUES = {"red": 0xE02020, "green": 0x20A040, "blue": 0x3050E0, "white": 0xF0F0F0, "black": 0x101010, "yellow": 0xF0D020}


SHARP = replace(SMALL, mixture=replace(SMALL.mixture, heads=6, temperature=0.5))
CHANCE = -sum(np.log([1 / 6, *[5 / 6] * 5]))
"""The loss of who knows only how many images there are."""


def learned(kind, steps):
    """The loss after a short training to name colours, and R@1; `Leaking` learns from pictures that are noise."""
    colours = torch.tensor([[hue >> 16, hue >> 8 & 255, hue & 255] for hue in HUES.values()]) / 255
    torch.manual_seed(0)
    model = kind(SHARP)
    tokens, n = model.text.tokens([*HUES]), len(HUES)
    chance = torch.Generator().manual_seed(1)

    def views():
        noise = torch.rand(n, 3, 16, 16, generator=chance)
        images = noise * 0.3 if kind is Leaking else colours.view(n, 3, 1, 1) * 0.9 + noise * 0.1
        return CaptionedPairs(images, tokens, torch.eye(n, dtype=torch.bool))

    optimizer = adamw([(module, 1.0) for module in model.trained().values()], 5e-3, 0.0)
    for _ in range(steps):
        model(views()).backward()
        optimizer.step()
        optimizer.zero_grad()
    asked = views()
    similarity = Llip.cosines(model, model.outputs(asked.images), model.text(tokens))
    return model(asked).item(), (similarity.argmax(0) == torch.arange(n)).float().mean().item()


def test_it_learns_to_find_pictures_by_captions():
    loss, right = learned(Llip, 60)
    assert loss < CHANCE / 2
    assert right > 0.9


def test_an_image_mixed_by_its_own_caption_leaks():
    loss, right = learned(Leaking, 150)
    assert loss < 0.8 * CHANCE  # the loss says that it learned
    assert right < 0.5  # but there was nothing to learn, and it finds nothing


def test_texts_lie_in_the_space_of_features():
    model = build(mixture=replace(SMALL.mixture, by="uniform")).eval()
    x, texts = torch.rand(3, 3, 16, 16), ["red", "blue on the left"]
    fast = model.features(x) @ model.encode_text(texts).T
    torch.testing.assert_close(fast, model.similarity(model.outputs(x), model.caption_vectors(texts)))


def test_a_saved_model_has_its_words(tmp_path):
    model = build().eval()
    hub.save(model, tmp_path / "m")
    again = hub.load(tmp_path / "m")
    texts = ["red on the left", "ein blaues Bild"]
    torch.testing.assert_close(again.encode_text(texts), model.encode_text(texts), rtol=0, atol=0)


def test_data_without_captions_is_refused():
    plain = Records({"pixels": np.zeros((2, 3, 16, 16), np.uint8)})
    with pytest.raises(ForetellError, match="has none: found pixels"):
        build().prepare(plain)
    with pytest.raises(ForetellError, match="image 2 of a batch of 2 has no caption"):
        build().views(batch_of(pictures(2)[0], [["red"], []]), torch.Generator())


def test_one_image_alone_has_nothing_to_be_told_from():
    model = build()
    with pytest.raises(ForetellError, match="larger --batch"):
        model(problem(model, n=1))


@pytest.mark.parametrize(
    "wrong", [{"captions_a_step": 0}, {"captions": -1}, {"scale": 0.0}, {"encoder": replace(VIT, registers=0)}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(ForetellError):
        replace(SMALL, **wrong)


def test_two_processes_are_one(tmp_path):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    script = Path(__file__).with_name("llip_shared.py")
    done = subprocess.run([*launch, script], env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr


def test_pairs_are_plain():
    assert {f for f in CaptionedPairs.__dataclass_fields__} == {"images", "tokens", "positive"}
