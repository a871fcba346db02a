"""Several knowledges that are searched at once, and scores that can be compared."""

import json
from contextlib import closing

import pytest
from tests.search.conftest import TEXTS

from foretell.cli import main
from foretell.errors import ForetellError
from foretell.search import Knowledge, Store, search_several
from foretell.search.several import K


@pytest.fixture
def two(tmp_path, cloud):
    """A store, and knowledges of vectors: 30 entries, 20 entries, and both together."""
    vectors = cloud(50)
    with closing(Store(tmp_path / "store")) as store:
        made = {}
        for name, part in {"a": slice(0, 30), "b": slice(30, 50), "all": slice(0, 50)}.items():
            made[name] = Knowledge.create(store, name)
            rows = range(50)[part]
            made[name].insert_vectors(
                vectors[part], [{"n": n, "even": n % 2 == 0} for n in rows], [f"row {n}" for n in rows]
            )
        yield made, vectors


class Embedder:
    """A text model whose vector of a text is a row of a table."""

    kind, words, of, name = "text", False, "texts", "table"

    def __init__(self, vectors):
        self.vectors, self.asked = vectors, 0

    def query(self, text):
        self.asked += 1
        return self.vectors[int(text)]


@pytest.fixture
def asked(two, monkeypatch):
    """The knowledges with a model that knows their vectors."""
    made, vectors = two
    model = Embedder(vectors)
    monkeypatch.setattr(Knowledge, "_model", lambda *_: model)
    return made, model


def test_cosines_of_one_model_give_the_result_of_one_knowledge(asked):
    made, model = asked
    for query in ("3", "40"):
        found = search_several([made["a"], made["b"]], query, 12)
        whole = made["all"].query(model.vectors[int(query)], 12)
        assert found.way == "cosine"
        assert [hit.metadata["n"] for hit in found.hits] == [hit.metadata["n"] for hit in whole]
        assert [hit.score for hit in found.hits] == pytest.approx([hit.score for hit in whole])
        assert {hit.knowledge for hit in found.hits} == {"a", "b"}
    assert model.asked == 2  # once for all knowledges
    best = found.hits[0]
    assert (best.knowledge, best.contract_id, best.text) == ("b", made["b"].about.contract_id, "row 40")
    filtered = search_several([made["a"], made["b"]], "3", 5, filter={"even": True}).hits
    assert all(hit.metadata["even"] for hit in filtered)
    assert "cosines of one model" in found.scores


def test_one_knowledge_keeps_its_scores(asked):
    made, model = asked
    found = search_several([made["a"], made["a"]], "3", 4)
    assert found.way == "own"
    assert [(hit.id, hit.score) for hit in found.hits] == [
        (hit.id, hit.score) for hit in made["a"].query(model.vectors[3], 4)
    ]


def test_other_models_are_fused_by_rank(asked, monkeypatch):
    made, _ = asked
    record = made["b"].collection.record()
    monkeypatch.setattr(
        type(made["b"].collection),
        "record",
        lambda self: record._replace(contract_id=self.contract_id, name=self.contract_id[:3], model=self.contract_id),
    )
    found = search_several([made["a"], made["b"]], "3", 5)
    assert found.way == "rank"
    assert [hit.score for hit in found.hits] == pytest.approx([1 / 61, 1 / 61, 1 / 62, 1 / 62, 1 / 63])
    assert [hit.contract_id == made["a"].collection.contract_id for hit in found.hits] == [
        True,
        False,
        True,
        False,
        True,
    ]
    assert found.hits[0].scores["rank"] == 1 / (K + 1)
    assert found.hits[0].scores["vector"] == pytest.approx(1.0)


def test_words_are_fused_by_rank_and_ties_by_cosine(asked):
    made, _ = asked
    found = search_several([made["a"], made["b"]], "40", 4, hybrid=True)
    assert found.way == "rank"
    assert found.hits[0].metadata["n"] == 40  # the nearer of the two firsts, though its knowledge comes second
    assert [round(hit.score, 6) for hit in found.hits] == [round(1 / 61, 6)] * 2 + [round(1 / 62, 6)] * 2


def test_a_reranker_reads_all_together(asked, monkeypatch):
    made, _ = asked
    found = search_several([made["a"], made["b"]], "3", 20)
    read = []

    def score(query, texts, **_):
        read.extend(texts)
        return [1000 * float(text.split()[1]) for text in texts]

    monkeypatch.setattr("foretell.search.models.reranking.scores", score)
    ranked = search_several([made["a"], made["b"]], "3", 3, rerank=True)
    assert read == [f"row {hit.metadata['n']}" for hit in found.hits]
    assert {hit.knowledge for hit in ranked.hits} <= {"a", "b"}
    assert [hit.score for hit in ranked.hits] == sorted((hit.scores["blended"] for hit in ranked.hits), reverse=True)
    assert ranked.way == "rerank"


def test_what_cannot_be_searched_is_named(asked, monkeypatch):
    made, model = asked
    with pytest.raises(ForetellError, match="there are 0 knowledges, expected 1 to 32"):
        search_several([], "3")
    with pytest.raises(ForetellError, match="top is 0, expected 1 to 10,000"):
        search_several([made["a"]], "3", 0)
    with pytest.raises(ForetellError, match=r"a: this knowledge contains texts \(table\): ask with a text"):
        search_several([made["a"]], b"picture")
    with pytest.raises(ForetellError, match="filter is empty"):
        search_several([made["a"], made["b"]], "3", filter={})
    monkeypatch.setattr(model, "kind", "image", raising=False)
    monkeypatch.setattr(model, "of", "photographs", raising=False)
    with pytest.raises(ForetellError, match="a: this knowledge contains photographs, and its model knows no words"):
        search_several([made["a"], made["b"]], "3")
    with pytest.raises(ForetellError, match="a contains photographs, without words to rerank: leave rerank out"):
        search_several([made["a"], made["b"]], "3", rerank=True)


def test_the_command_searches_several(tmp_path, capsys):
    store = tmp_path / "store"
    for name, texts in {"one": TEXTS[:2], "two": TEXTS[2:]}.items():
        with Knowledge.create(store, name) as made:
            made.insert(texts)
    main(
        [
            "knowledge",
            "search",
            "one",
            "rockets and bread",
            "--also",
            "two",
            "--store",
            str(store),
            "--top",
            "3",
            "--json",
        ]
    )
    told = json.loads(capsys.readouterr().out)
    assert told["way"] == "cosine"
    assert {hit["knowledge"] for hit in told["results"]} == {"one", "two"}
    scores = [hit["score"] for hit in told["results"]]
    assert scores == sorted(scores, reverse=True)
    main(["knowledge", "search", "one", "bread", "--also", "two", "--store", str(store), "--top", "1"])
    out, err = capsys.readouterr()
    assert "  two  0" in out
    assert err == "scores: cosines of one model, −1 to 1: comparable over all knowledges\n"
    with pytest.raises(SystemExit):
        main(["knowledge", "search", "one", "bread", "--also", "three", "--store", str(store)])
    assert "holds no knowledge 'three'" in capsys.readouterr().err
