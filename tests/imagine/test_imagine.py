from dataclasses import replace

import pytest
import torch
from PIL import Image

from foretell.augment import Photometric, to_float
from foretell.errors import ForetellError
from foretell.imagine import draw, imagine, read_image, sweep
from foretell.methods import IJEPA, IWM, IJEPAConfig

STRONG = Photometric(brightness=0.8, contrast=0.8, saturation=0.8, hue=0.2)
JITTER = ["brightness", "contrast", "saturation", "hue"]


@pytest.fixture
def picture():
    return torch.randint(0, 256, (3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture
def oracle(tiny, picture, monkeypatch):
    """A model that knows the photograph, and so the right answer to every ask about it."""
    torch.manual_seed(0)
    model = IWM(replace(tiny, augment=STRONG)).eval()
    parameters = STRONG.parameters

    def answer(x, action):
        span = torch.tensor([0.0 if p.destructive else p.high - p.low for p in parameters])
        state = torch.tensor([p.identity for p in parameters]) + action * span
        return model.target(STRONG.apply(to_float(picture).unsqueeze(0), state))

    monkeypatch.setattr(model, "imagine", answer)
    return model


@pytest.fixture
def copier(tiny, monkeypatch):
    """A model that imagines nothing: it repeats what it sees."""
    torch.manual_seed(0)
    model = IWM(replace(tiny, augment=STRONG)).eval()
    monkeypatch.setattr(model, "imagine", lambda x, action: model.target(x))
    return model


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"hue": 0.1},
        {"brightness": 1.5, "saturation": 0.3},
        {"blur": 1.5},
        {"grayscale": 1},
        {"solarize": 1, "hue": -0.15},
    ],
)
def test_an_oracle_finds_what_was_asked_for(oracle, picture, values):
    found = imagine(oracle, picture, values, bank=32)
    assert found.rank == 1
    assert torch.equal(found.nearest, found.asked)
    assert found.bank.shape == (32, 3, 16, 16)
    assert found.distances[found.place] < 1e-3
    assert found.distances[found.order].diff().min() >= 0


def test_colours_are_asked_for_and_destruction_is_done_to_the_source(oracle, picture):
    clean = to_float(picture).unsqueeze(0)
    found = imagine(oracle, picture, {"blur": 1.5, "brightness": 0.7}, bank=8)
    assert torch.equal(found.source, STRONG.apply(clean, STRONG.parse({"blur": 1.5}))[0])
    assert torch.equal(found.asked, STRONG.apply(clean, STRONG.parse({"brightness": 0.7}))[0])
    kept = [any(torch.equal(one, version) for version in found.bank) for one in (found.source, clean[0])]
    assert all(kept)


def test_the_model_is_told_the_way_from_source_to_target(oracle, picture, monkeypatch):
    told = []
    answer = oracle.imagine
    monkeypatch.setattr(oracle, "imagine", lambda x, action: told.append(action) or answer(x, action))
    imagine(oracle, picture, {"blur": 0.5, "hue": 0.2}, bank=8)
    torch.testing.assert_close(told[0], torch.tensor([[0, 0, 0, 0.5, 0, -1, 0]]))


def test_who_only_copies_is_found_out(copier, picture):
    found = imagine(copier, picture, {"grayscale": 1}, bank=16)
    assert found.rank > 1
    assert torch.equal(found.nearest, found.source)


def test_a_collapsed_model_ranks_in_the_middle(copier, picture, monkeypatch):
    monkeypatch.setattr(copier, "target", lambda y: torch.zeros(len(y), 16, 32))
    monkeypatch.setattr(copier, "imagine", lambda x, action: torch.zeros(1, 16, 32))
    assert imagine(copier, picture, {"hue": 0.1}, bank=64).rank == 33


def test_floats_are_as_good_as_bytes(oracle, picture):
    a = imagine(oracle, picture, {"hue": 0.1}, bank=8)
    b = imagine(oracle, to_float(picture), {"hue": 0.1}, bank=8)
    assert torch.equal(a.distances, b.distances)


def test_the_seed_draws_the_bank(oracle, picture):
    banks = [imagine(oracle, picture, {"hue": 0.1}, bank=8, seed=seed).bank for seed in (0, 0, 1)]
    assert torch.equal(banks[0], banks[1])
    assert not torch.equal(banks[0], banks[2])


def test_a_sweep_goes_over_the_range(oracle, picture):
    rows = sweep(oracle, picture, steps=5, bank=40)
    assert list(rows) == JITTER
    for p in STRONG.parameters[:4]:
        values = [one.values[p.name] for one in rows[p.name]]
        assert values == pytest.approx([p.low, (3 * p.low + p.high) / 4, p.identity, (p.low + 3 * p.high) / 4, p.high])
        assert [one.rank for one in rows[p.name]] == [1] * 5


def test_what_destroys_is_swept_too(oracle, picture):
    rows = sweep(oracle, picture, "grayscale", "blur", steps=3, bank=16)
    assert [one.values for one in rows["grayscale"]] == [{"grayscale": 0.0}, {"grayscale": 1.0}]
    assert [one.values["blur"] for one in rows["blur"]] == [0.0, 1.0, 2.0]
    assert all(one.rank == 1 for row in rows.values() for one in row)


def test_wrong_asks_are_named(oracle, picture, tiny):
    with pytest.raises(ForetellError, match="'tint' is not a parameter"):
        imagine(oracle, picture, {"tint": 1})
    with pytest.raises(ForetellError, match="'tint' is not a parameter"):
        sweep(oracle, picture, "tint")
    with pytest.raises(ForetellError, match=r"hue is 0\.4"):
        imagine(oracle, picture, {"hue": 0.4})
    with pytest.raises(ForetellError, match=r"looks at \(3, 16, 16\)"):
        imagine(oracle, torch.zeros(3, 24, 24), {})
    with pytest.raises(ForetellError, match="bank is 2"):
        imagine(oracle, picture, {"blur": 1, "hue": 0.1}, bank=2)
    with pytest.raises(ForetellError, match="steps is 1"):
        sweep(oracle, picture, steps=1)
    with pytest.raises(ForetellError, match="IJEPA has no actions"):
        imagine(IJEPA(IJEPAConfig(encoder=tiny.encoder, predictor=tiny.predictor)), picture, {})


def test_the_drawing_holds_what_was_found(oracle, picture):
    one, rows = (
        imagine(oracle, picture, {"hue": 0.1}, bank=32),
        sweep(oracle, picture, "hue", "blur", bank=32),
    )
    whole, asked, swept = draw(one, rows), draw(one), draw(sweeps=rows)
    assert whole.mode == "RGB"
    assert whole.width == asked.width == swept.width > 7 * 96
    assert asked.height < swept.height < whole.height < asked.height + swept.height
    assert any(colour == (0, 150, 110) for _, colour in asked.getcolors(2**24))
    assert draw(sweeps=sweep(oracle, picture, "hue", steps=9, bank=32)).width > whole.width
    with pytest.raises(ForetellError, match="nothing to draw"):
        draw()


def test_any_picture_is_read(tmp_path):
    Image.new("RGBA", (40, 20), (255, 0, 0, 255)).save(tmp_path / "red.png")
    read = read_image(tmp_path / "red.png", 16)
    assert read.shape == (3, 16, 16)
    assert read[:, 8, 8].tolist() == [255, 0, 0]
    with pytest.raises(ForetellError, match=r"none\.png: the file does not exist"):
        read_image(tmp_path / "none.png", 16)
