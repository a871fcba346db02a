"""Photographs that are searched by words."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from foretell import hub
from foretell.cli import main
from foretell.data.images.decode import decode
from foretell.errors import ForetellError
from foretell.methods import Llip, LlipConfig
from foretell.nn.mixture import MixtureConfig
from foretell.nn.text import TextConfig
from foretell.nn.vit import ViTConfig
from foretell.search import Knowledge
from foretell.search.models.words import WordModel, load


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    encoder = ViTConfig(16, 8, 24, 1, 3, registers=3, init_std=None)
    model = Llip(LlipConfig(encoder, TextConfig(24, 1, 3, vocabulary=300), MixtureConfig(out=24, heads=3)))
    return hub.save(model, tmp_path_factory.mktemp("model") / "words")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    path = tmp_path_factory.mktemp("photographs")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    for number, each in enumerate(pixels):
        Image.fromarray(each).save(path / f"{number}.png")
    return path


def test_an_entry_holds_all_that_a_caption_can_choose_from(folder):
    model = load(str(folder))
    assert isinstance(model, WordModel)
    pixels = [np.random.default_rng(i).integers(0, 256, (3, 16, 16), dtype=np.uint8) for i in range(4)]
    vectors = model.passages(pixels)
    assert vectors.shape == (4, model.dimension) == (4, 2 * 3 * 24)
    llip = hub.load(folder)
    x = torch.from_numpy(np.stack(pixels)).float() / 255
    with torch.no_grad():
        exact = llip.similarity(llip.outputs(x), llip.caption_vectors(["a dog"]))[:, 0]
        alone = [llip.similarity(llip.outputs(x)[:, [k]], llip.caption_vectors(["a dog"]))[:, 0] for k in range(3)]
    np.testing.assert_allclose(model.mixed("a dog", list(vectors)), exact, rtol=1e-4, atol=1e-5)
    asked = model.ask("a dog")
    cosine = vectors @ asked.T / np.linalg.norm(vectors, axis=1, keepdims=True) / np.linalg.norm(asked, axis=1)
    np.testing.assert_allclose(cosine * model.scale, torch.stack(alone, 1), rtol=1e-4, atol=1e-5)


def test_words_find_photographs_as_the_model_ranks_them(folder, photographs, tmp_path):
    with Knowledge.create(tmp_path / "store", "photos", model=str(folder)) as photos:
        assert photos.add(photographs).entries == 6
        hits = photos.search("a red ball", top=6)
        llip, files = hub.load(folder), sorted(photographs.iterdir())
        x = torch.stack([torch.tensor(decode(f, 16)).float() / 255 for f in files])
        with torch.no_grad():
            exact = llip.similarity(llip.outputs(x), llip.caption_vectors(["a red ball"]))[:, 0]
        assert [hit.metadata["source"] for hit in hits] == [files[i].name for i in exact.argsort(descending=True)]
        assert hits[0].score == pytest.approx(exact.max().item(), abs=1e-4)
        assert set(hits[0].scores) == {"vector", "mixed"}
        # a photograph finds itself
        assert photos.search(files[2], top=1)[0].metadata["source"] == "2.png"
        assert photos.search(files[2], top=1)[0].score == pytest.approx(1, abs=1e-3)
        assert photos.search("a ball", filter={"source": "1.png"})[0].metadata["source"] == "1.png"
        with pytest.raises(ForetellError, match="the query is empty"):
            photos.search(" ")
        with pytest.raises(ForetellError, match="imagine changes a photograph"):
            photos.search("a ball", imagine={"brightness": 0.5})


def test_the_command_tells_the_file(folder, photographs, tmp_path, capsys):
    store = ["--store", str(tmp_path / "store")]
    main(["knowledge", "create", "photos", *store, "--model", str(folder)])
    main(["knowledge", "add", "photos", str(photographs), *store])
    capsys.readouterr()
    main(["knowledge", "search", "photos", "a dog left of a tree", "--json", "--top", "2", *store])
    told = json.loads(capsys.readouterr().out)["results"]
    assert len(told) == 2
    assert all(one["file"].endswith(".png") for one in told)
    main(["knowledge", "search", "photos", str(photographs / "3.png"), "--json", "--top", "1", *store])
    assert json.loads(capsys.readouterr().out)["results"][0]["file"] == "3.png"


def test_a_model_without_words_names_one_that_has_them(photographs, tmp_path):
    with Knowledge.create(tmp_path / "store", "photos", model="iwm-mini") as photos:
        photos.add(photographs / "0.png")
        with pytest.raises(ForetellError, match="iwm-mini knows no words: the shipped llip-mini does"):
            photos.search("a dog")


def test_words_over_http_are_never_read_as_a_path(folder, photographs, tmp_path):
    from starlette.testclient import TestClient

    from foretell.search import Store
    from foretell.search.serve import keys
    from foretell.search.serve.app import build

    opened = Store(tmp_path / "store")
    with Knowledge.create(opened, "photos", owner="me", model=str(folder)) as photos:
        photos.add(photographs)
    key = keys.create(opened, "k", "me", "write")
    with TestClient(build(opened), headers={"x-api-key": key}) as client:

        def search(query):
            return client.post("/api/v1/knowledge/photos/search", json={"query": query, "top": 3})

        hits = search("a dog left of a tree").json()["results"]
        assert len(hits) == 3
        assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
        path = search(str(photographs / "3.png")).json()["results"]  # as words, which its letters are
        assert "mixed" in path[0]["scores"]
        assert search(" ").status_code == 400
    opened.close()
