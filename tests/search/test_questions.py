"""Questions to a knowledge: by meaning, by words, with filters, by pictures."""

import re

import numpy as np
import pytest
from PIL import Image
from tests.search.conftest import TEXTS

import foretell
from foretell import ForetellError
from foretell.data import photographs
from foretell.imagine import actions_of, read_image
from foretell.search import Knowledge
from foretell.search.query import blended
from foretell.search.storage.filters import parse


def test_the_nearest_in_meaning_come_first(texts):
    for query, best in (("a pet resting", 0), ("spaceflight", 1), ("making a loaf", 2), ("monetary policy", 3)):
        hits = texts.search(query, 2)
        assert hits[0].id == best
        assert len(hits) == 2
        assert hits[0].score == hits[0].scores["vector"] > hits[1].score
        assert hits[0].text == TEXTS[best]
        assert hits[0].metadata["n"] == best
        assert re.fullmatch("[0-9a-f]{32}", hits[0].key)


def test_a_reranker_sorts_by_its_score_and_that_of_the_search(texts):
    hits = texts.search("what fuel does a rocket use?", 4, rerank=True)
    assert hits[0].id == 1
    assert [list(hit.scores) for hit in hits] == [["vector", "rerank", "blended"]] * 4
    assert [hit.score for hit in hits] == sorted((hit.scores["blended"] for hit in hits), reverse=True)
    vector, rerank = (np.array([hit.scores[name] for hit in hits]) for name in ("vector", "rerank"))
    assert blended(vector, rerank) == pytest.approx([hit.score for hit in hits])
    assert hits[0].score > 0.5 > hits[1].score


def test_scores_are_blended_on_the_rerankers_scale():
    search = np.array([0.9, 0.5, 0.1])  # mean 0.5, spread 0.4 √(2/3)
    logits = np.array([-1.0, 3.0, -2.0])  # mean 0, spread √(14/3)
    stretched = (search - 0.5) / (0.4 * (2 / 3) ** 0.5) * (14 / 3) ** 0.5
    expected = 1 / (1 + np.exp(-(logits + stretched) / 2))
    assert blended(search, 1 / (1 + np.exp(-logits))) == pytest.approx(expected)
    assert blended(search, np.array([-1.0, 3.0, -2.0])) == pytest.approx((logits + stretched) / 2)
    assert blended(np.array([0.5]), np.array([0.25])) == pytest.approx([0.25])
    equal = blended(np.array([0.7, 0.7]), np.array([1.0, 0.0]))
    assert equal[0] > 0.99 > 0.01 > equal[1]
    assert len(blended(np.array([]), np.array([]))) == 0


def test_hybrid_fuses_ranks(texts):
    hits = texts.search("dough orbit orbit", 4, hybrid=True)
    ranked = {
        kind: sorted((h for h in hits if kind in h.scores), key=lambda h: -h.scores[kind])
        for kind in ("vector", "words")
    }
    assert {h.id for h in ranked["words"]} == {1, 2}
    for hit in hits:
        rank = [1 / (60 + 1 + ranked[kind].index(hit)) for kind in hit.scores if kind != "fused"]
        assert hit.score == hit.scores["fused"] == pytest.approx(sum(rank))
    assert texts.search('"?* AND ( NEAR', 4, hybrid=True)  # no syntax of the word index
    assert len(texts.search("!?", 4, hybrid=True)) == 4


def test_filters_hold(texts):
    def found(filter):
        return {hit.id for hit in texts.search("anything", filter=filter)}

    assert found({"topic": "food"}) == {2}
    assert found({"topic": ["food", "pets", "none"]}) == {0, 2}
    assert found({"n": {">=": 1, "<": 3}}) == {1, 2}
    assert found({"n": {"!=": 1}, "topic": {">": "n"}}) == {0}
    assert found({"n": {"!=": [1, 2]}}) == found({"n": {"!=": [1, 2, "0"]}}) == {0, 3}
    assert found({"n": [*range(2, 10_001), "x"]}) == {2, 3}
    assert found(parse(["n!=01", "n!=2"])) == {0, 3}
    assert found({f"f{i}": 1 for i in range(100)}) == set()
    assert found({"n": "1"}) == found({"none": 1}) == found({"topic": {">": 0}}) == set()
    assert {hit.id for hit in texts.search("rocket cat", hybrid=True, filter={"n": 0})} == {0}


NOT_A_NUMBER = float("nan")


@pytest.mark.parametrize(
    "filter",
    [
        {},
        *({"n": x} for x in ({"!=": []}, "\udcff", [1] * 10_001)),
        *({"\udcff": 1}, {f"f{i}": 1 for i in range(101)}),
        *({"n": x} for x in ({}, [], {"~": 1}, None, NOT_A_NUMBER, {"=": [1]}, "x" * 201, 2**70, [None], {"=": None})),
    ],
)
def test_what_is_not_a_filter_is_refused(texts, filter):
    with pytest.raises(ForetellError, match="filter"):
        texts.query(np.ones(384), filter=filter)


def test_filters_as_words():
    words = ["lang=en", "lang=de", "year>=2020", "year<2024.5", "draft=false", "x!=a=b", "zip=01234"]
    said = {"year": {">=": 2020, "<": 2024.5}, "x": {"!=": ["a=b"]}, "lang": ["en", "de"]}
    assert parse(words) == said | {"draft": [False, "false"], "zip": [1234, "01234"]}
    assert parse(["a=x<y", "b<=c=1"]) == {"a": ["x<y"], "b": {"<=": "c=1"}}
    assert parse(["a=nan", "a=-inf", "a=1e999", "b=12345678901234567890"]) == {
        "a": ["nan", "-inf", "1e999"],
        "b": [12345678901234567890.0, "12345678901234567890"],
    }
    for wrong in (["lang"], ["=x"], ["a=1", "a>0"]):
        with pytest.raises(ForetellError, match="filter"):
            parse(wrong)


def test_wrong_questions_are_refused(texts):
    for use, said in (
        (lambda: texts.search(" "), "expected some text"),
        (lambda: texts.search("x", 0), "top is 0"),
        (lambda: texts.search("x", 10**6), "top is 1000000"),
        (lambda: texts.search("x", level=5), "level is 5, expected 0 to 4"),
        (lambda: texts.search("x", imagine={"hue": 0.1}), "only a world model imagines"),
        (lambda: texts.search("x", model="iwm-mini"), "another model"),
        (lambda: texts.search("x", model="none"), "no model 'none'"),
        (lambda: texts.query([1.0, 2.0]), "has 2 numbers, but this knowledge has 384"),
        (lambda: texts.query([float("nan")] * 384), "not finite"),
        (lambda: texts.query([0.0] * 384), "no direction"),
        (lambda: texts.query(["a"] * 384), "not numbers"),
        (lambda: texts.fetch([0, 99]), "no entry 99"),
        (lambda: texts.insert([""]), "text 0 is ''"),
        (lambda: texts.insert(["a"], [{"x": float("inf")}]), "x is inf"),
        (lambda: texts.insert(["a"], [{"x": 10**400}]), "x is a number of 1329 bits"),
        (lambda: texts.entries(2**70), "start is 1180591620717411303424"),
        (lambda: Knowledge.create(texts.store, "x", model=" "), "model is ' '"),
        (lambda: texts.insert(["a"], []), "1 entries and 0 metadata"),
        (lambda: texts.insert(["\ud800"]), "lone surrogate"),
        (lambda: texts.insert_vectors([[1.0, 2.0], [1.0]]), "not all of one length"),
        (lambda: texts.insert_vectors(np.ones((1, 3))), "vector 0 has 3 numbers, expected 384"),
    ):
        with pytest.raises(ForetellError, match=said):
            use()
    assert texts.about.count == 4
    assert texts.search("cat", model="BAAI/bge_small_en_v1.5")[0].id == 0


def test_photographs_are_found_as_they_are_and_as_imagined(store, tmp_path):
    model = foretell.load("iwm-mini")
    names, factors = tuple(photographs.PHOTOGRAPHS), (0.6, 1.4)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in names:
        Image.open(photographs.FOLDER / photographs.PHOTOGRAPHS[name]).save(folder / f"{name}.png")
        image = read_image(folder / f"{name}.png", 32)[None] / 255
        for factor in factors:
            made = actions_of(model).apply(image, actions_of(model).parse({"brightness": factor}))[0]
            pixels = (made.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}-{factor}.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    with Knowledge.create(store, "photos", model="iwm-mini") as photos:
        added = photos.add(folder)
        assert (added.entries, [reason for _, reason in added.skipped]) == (
            24,
            ["not an image, or damaged at its beginning"],
        )
        found = []
        for name in names:
            path = folder / f"{name}.png"
            assert photos.search(path, 1)[0].metadata["source"] == f"{name}.png"
            assert photos.search(path.read_bytes(), 1)[0].score == pytest.approx(1, abs=1e-4)
            for factor in factors:
                asked = photos.search(path, 1, imagine={"brightness": factor})
                found.append(asked[0].metadata["source"] == f"{name}-{factor}.png")
        assert sum(found) >= 0.75 * len(found)  # of 24 pictures, chance finds 1 in 24
        for use, said in (
            (lambda: photos.search(folder / "none.png"), "none.png"),
            (lambda: photos.search(path, imagine={"hue": 9}), "hue is 9"),
            (lambda: photos.search(path, hybrid=True), "photographs"),
            (lambda: photos.insert(["text"]), "contains photographs"),
            (lambda: photos.search(path, model="bge-small-en-v1.5"), "another model"),
        ):
            with pytest.raises(ForetellError, match=said):
                use()


def test_what_has_no_text_is_not_read_and_comes_last(store, monkeypatch):
    from foretell.search.models import cross_encoder

    read = []

    def score(self, query, passages):
        read.extend(passages)
        return np.array([len(passage) / 100 for passage in passages])

    monkeypatch.setattr(cross_encoder.Reranker, "score", score)
    with Knowledge.create(store, "mixed") as mixed:
        vectors = np.eye(384, dtype=np.float32)[0] + np.linspace(0, 1, 60)[:, None] * np.eye(384, dtype=np.float32)[1]
        mixed.insert_vectors(vectors, texts=["" if i % 2 else f"{'x' * (i % 10)} text" for i in range(60)])
        hits = mixed.search("word", 60, rerank=True, read=15)
        assert len(read) == 15
        assert all(text.strip() for text in read)
        assert [("rerank" in hit.scores) for hit in hits] == [True] * 15 + [False] * 45
        rest = [hit.score for hit in hits[15:]]
        assert rest == sorted(rest, reverse=True)
        read.clear()
        assert len(mixed.search("word", 3, rerank=True)) == 3
        assert len(read) == 10  # the twenty nearest, without those that have no text
        for wrong in (0, 201):
            with pytest.raises(ForetellError, match=f"read is {wrong}, expected a whole number, 1 to 200"):
                mixed.search("word", rerank=True, read=wrong)
