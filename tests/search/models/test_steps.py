"""Clips of steps as entries, and what could follow one as a query."""

import json

import numpy as np
import pytest
import torch

import foretell
from foretell import ForetellError
from foretell.cli import main
from foretell.data.made.procedures.show import write
from foretell.methods import VEDIT
from foretell.methods.vedit import VEDITConfig
from foretell.nn.dit import DiTConfig
from foretell.nn.vit import VideoViTConfig
from foretell.search import Knowledge
from foretell.search.models.media import FUTURES, StepModel
from foretell.search.models.media import load as load_media

DENOISER = DiTConfig(width=16, depth=1, heads=2)
ENCODER = VideoViTConfig(image_size=16, patch_size=8, width=24, depth=1, heads=2, frames=8, tubelet=2)


def made(**more):
    config = VEDITConfig(DENOISER, encoder=ENCODER, latents=2, channels=24, horizon=3, steps=("a", "b"))
    torch.manual_seed(0)
    model = VEDIT(config if not more else VEDITConfig(DENOISER, channels=24, steps=("a", "b")))
    torch.nn.init.normal_(model.denoiser.out.weight)  # untrained, it would say the mean of all clips: no direction
    return model


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed") / "out"
    write(folder, 1, seed=1, size=16, frames=8)
    return sorted((folder / "clips").iterdir())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    foretell.save(made(), folder)
    return folder


@pytest.fixture
def knowledge(run, films, tmp_path):
    with Knowledge.create(tmp_path / "store", "clips", model=str(run)) as opened:
        opened.add(films[0].parent)
        yield opened


def test_a_file_is_an_entry_and_finds_itself(knowledge, films):
    assert knowledge.about.count == len(films)
    for film in films:
        hit = knowledge.search(film, 1)[0]
        assert hit.metadata["source"] == film.name
        assert hit.score == pytest.approx(1, abs=1e-4)


def test_what_follows_is_what_the_model_samples(knowledge, films, monkeypatch):
    model = knowledge.model
    assert isinstance(model, StepModel)
    asked = []

    def sample(seen, ahead, samples, generator, euler=None):
        asked.append((seen.places.tolist(), ahead.places.tolist(), samples))
        second, last = (torch.from_numpy(model.read(films[place])[None]) for place in (1, -1))
        latents = torch.stack([model._world.encode(second)[0], model._world.encode(last)[0]])
        every = latents[torch.arange(samples) % 2]
        return every[None, :, None].expand(-1, -1, ahead.places.shape[1], -1, -1)

    monkeypatch.setattr(model._model, "sample", sample)
    hits = knowledge.search(films[0], 3, imagine={"next": 2})
    assert {hit.metadata["source"] for hit in hits[:2]} == {films[1].name, films[-1].name}
    assert [hit.score for hit in hits[:2]] == pytest.approx([1, 1], abs=1e-3)
    assert len({hit.id for hit in hits}) == 3  # an entry that two futures find is there once
    assert asked == [([[0.0]], [[1.0, 2.0]], FUTURES)]


def test_futures_are_the_same_every_time(run, films):
    model = load_media(str(run))
    vectors = [model.queries(films[0], {"next": 1}) for _ in range(2)]
    assert vectors[0].shape == (FUTURES, model.dimension) == (16, 48)
    assert np.array_equal(*vectors)
    assert np.linalg.norm(vectors[0], axis=1) == pytest.approx(np.ones(FUTURES), abs=1e-5)


@pytest.mark.parametrize(
    ("imagine", "said"),
    [
        ({"next": 4}, "next 4: this model imagines what comes next, expected next, 1 to 3 steps ahead"),
        ({"next": 1.5}, "next 1.5: this model"),
        ({"brightness": 0.5}, "brightness 0.5: this model imagines what comes next"),
    ],
)
def test_other_changes_are_refused(knowledge, films, imagine, said):
    with pytest.raises(ForetellError, match=said):
        knowledge.search(films[0], imagine=imagine)


def test_a_model_without_an_encoder_is_refused(tmp_path):
    foretell.save(made(bare=True), tmp_path / "bare")
    with pytest.raises(ForetellError, match="no encoder of clips; train it on clips"):
        Knowledge.create(tmp_path / "store", "clips", model=str(tmp_path / "bare")).add(tmp_path)


def test_the_command_searches_what_follows(run, films, tmp_path, capsys):
    store = str(tmp_path / "store")
    main(["knowledge", "create", "clips", "--store", store, "--model", str(run)])
    main(["knowledge", "add", "clips", str(films[0].parent), "--store", store])
    capsys.readouterr()
    main(
        ["knowledge", "search", "clips", str(films[0]), "--store", store, "--imagine", "next=1", "--json", "--top", "2"]
    )
    assert len(json.loads(capsys.readouterr().out)["results"]) == 2


def test_imagine_draws_what_comes_next(run, films, tmp_path, capsys):
    main(["imagine", str(run), str(films[0]), "--steps", "2", "--samples", "2", "--out", str(tmp_path / "next.png")])
    assert "step 2:" in capsys.readouterr().out
    assert (tmp_path / "next.png").stat().st_size > 5000
