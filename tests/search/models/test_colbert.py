"""Late interaction: the tokens that are read, those that are compared, and the score."""

import json
import shutil
import string

import numpy as np
import pytest

from foretell import ForetellError
from foretell.cli import main
from foretell.search import Knowledge
from foretell.search.models.colbert import SPECS, LateInteraction, known
from foretell.search.models.load import load_reranker

CLS, SEP, MASK, Q, D = 4, 5, 6, 1, 2
HOW, IS, PEAK, HIGH, CAT = 39, 40, 47, 49, 55
DOT, COMMA = (7 + string.punctuation.index(c) for c in ".,")


@pytest.fixture(scope="module")
def model(colbert):
    """Told nothing, and used as its name says: 300 tokens of a passage, 32 of a query that see no [MASK]."""
    folder, embeddings = colbert(dim=4, query_maxlen=8, doc_maxlen=10)
    return LateInteraction(str(folder)), embeddings


@pytest.fixture
def read(model, monkeypatch):
    """The input of the graph."""
    seen, run = [], model[0]._run.latents
    monkeypatch.setattr(model[0]._run, "latents", lambda ids, mask: seen.append((ids, mask)) or run(ids, mask))
    return seen


def unit(embeddings, ids, mask):
    x = embeddings[ids]
    x = x + 0.5 * sum(row for row, on in zip(x, mask, strict=True) if on) / sum(mask)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_a_query_is_marked_and_filled_up_with_masks_that_words_do_not_see(model, read):
    colbert, embeddings = model
    vectors = colbert.query("How high?")
    ids, mask = [CLS, Q, HOW, HIGH, 7 + string.punctuation.index("?"), SEP, MASK, MASK], [1] * 6 + [0] * 2
    assert read == [(ids, mask)]
    assert vectors == pytest.approx(unit(embeddings, ids, mask), abs=1e-6)  # its punctuation stays
    assert len(vectors) == 8


def test_longer_texts_are_cut_and_keep_their_end(model, read):
    colbert, _ = model
    assert len(colbert.query("high " * 99)) == 8
    assert len(colbert.passage("peak " * 99)) == 10
    assert read == [
        ([CLS, Q, *[HIGH] * 5, SEP], [1] * 8),
        ([CLS, D, *[PEAK] * 7, SEP], [1] * 10),
    ]


def test_punctuation_of_a_passage_is_read_but_not_compared_with(model, read):
    colbert, embeddings = model
    vectors = colbert.passage("Peak, is high.")
    ids = [CLS, D, PEAK, COMMA, IS, HIGH, DOT, SEP]
    assert read == [(ids, [1] * 8)]
    assert vectors == pytest.approx(unit(embeddings, ids, [1] * 8)[[0, 1, 2, 4, 5, 7]], abs=1e-6)
    assert len(colbert.passage("...")) == 3
    assert len(colbert.passage("")) == 3


def test_the_score_is_the_mean_of_each_query_tokens_best_match(model):
    colbert, embeddings = model
    q = unit(embeddings, [CLS, Q, HOW, HIGH, SEP, MASK, MASK, MASK], [1] * 5 + [0] * 3)
    expected = []
    for words in ([PEAK, IS, HIGH], [CAT, IS]):
        d = unit(embeddings, [CLS, D, *words, SEP], [1] * (len(words) + 3))
        expected.append(sum(max(float(a @ b) for b in d) for a in q) / 8)
    scores = colbert.score("how high", ["peak is high", "cat is"])
    assert scores == pytest.approx(expected, abs=1e-6)
    assert scores.dtype == np.float32
    assert 1 >= scores[0] > scores[1] >= -1
    assert colbert.score("how high", []).shape == (0,)
    with pytest.raises(ForetellError, match="query 0 is ' '"):
        colbert.score(" ", ["peak"])


def test_a_passage_is_read_once(colbert, monkeypatch):
    reader = LateInteraction(str(colbert(query_maxlen=8)[0]))
    first = reader.score("how high", ["its peak", "soup"])
    seen, run = [], reader._run.latents
    monkeypatch.setattr(reader._run, "latents", lambda ids, mask: seen.append(ids) or run(ids, mask))
    assert np.array_equal(reader.score("how high", ["soup", "its peak"]), first[::-1])
    assert [ids[1] for ids in seen] == [Q]


def test_a_folder_says_how_it_is_used(colbert):
    folder, embeddings = colbert(
        attend_to_mask_tokens=True, mask_punctuation=False, query_maxlen=6, doc_token_id="[PAD]"
    )
    stanford = LateInteraction(str(folder))
    ids = [CLS, Q, HIGH, SEP, MASK, MASK]
    assert stanford.query("high") == pytest.approx(unit(embeddings, ids, [1] * 6), abs=1e-6)
    ids = [CLS, 0, HIGH, DOT, SEP]
    assert stanford.passage("high.") == pytest.approx(unit(embeddings, ids, [1] * 5), abs=1e-6)

    pylate = {"file": "config_sentence_transformers.json", "query_prefix": "[unused1]", "document_prefix": ""}
    folder, embeddings = colbert(**pylate, do_query_expansion=False, document_length=5, skiplist_words=["is", "none"])
    (folder / "sentence_bert_config.json").write_text('{"do_lower_case": true}')
    reader = load_reranker(str(folder))
    assert reader.spec.lower
    assert reader.query("high") == pytest.approx(unit(embeddings, [CLS, D, HIGH, SEP], [1] * 4), abs=1e-6)
    ids = [CLS, HIGH, IS, PEAK, SEP]
    assert reader.passage("HIGH is peak high") == pytest.approx(unit(embeddings, ids, [1] * 5)[[0, 1, 3, 4]], abs=1e-6)


def test_what_is_wrong_with_a_folder_is_named(colbert):
    for said, reason in (
        ({"dim": 5}, r"gives \(32, 4\) for 32 tokens, expected 5 numbers .* projection"),
        ({"sign": -1.0}, "prefers what does not answer"),
        ({"mask": "[M]"}, r"no token \[MASK\] or <mask>"),
        ({"query_token_id": "[Q]"}, r"no token \[Q\]"),
        ({"query_maxlen": 2}, "cannot be read .*query_maxlen.* greater than or equal to 4"),
        ({"file": "config_sentence_transformers.json", "query_prefix": 1}, "cannot be read .*query_prefix"),
    ):
        with pytest.raises(ForetellError, match=reason):
            load_reranker(str(colbert(**{"nbits": 1, **said})[0]))
    folder, _ = colbert(nbits=1)
    (folder / "artifact.metadata").write_text("{")
    with pytest.raises(ForetellError, match="cannot be read"):
        load_reranker(str(folder))
    (folder / "model.onnx").write_bytes(b"nothing")
    (folder / "artifact.metadata").write_text("{}")
    with pytest.raises(ForetellError, match="cannot be loaded"):
        load_reranker(str(folder))


def test_names_lead_to_the_graph_that_projects(colbert, monkeypatch):
    uses = {name: (s.repository, s.graph, s.width, s.query, s.passage, s.attend) for name, s in SPECS.items()}
    assert uses == {
        "colbertv2.0": ("colbert-ir/colbertv2.0", "model.onnx", 128, 32, 300, False),
        "answerai-colbert-small-v1": (
            "answerdotai/answerai-colbert-small-v1", "vespa_colbert.onnx", 96, 32, 300, False,
        ),
    }  # fmt: skip
    assert known("answerdotai/answerai_colbert-small-v1") is SPECS["answerai-colbert-small-v1"]
    folder, _ = colbert("answerai-colbert-small-v1", "vespa_colbert.onnx", width=96)
    plain, _ = colbert(width=384)
    (folder / "onnx").mkdir()
    shutil.copy(plain / "model.onnx", folder / "onnx")
    import huggingface_hub

    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **how: asked.append((name, how)) or str(folder)
    )
    assert LateInteraction("answerdotai/answerai-colbert-small-v1").query("high").shape == (32, 96)
    ((repository, how),) = asked
    assert repository == "answerdotai/answerai-colbert-small-v1"
    assert how["local_files_only"]
    assert {"tokenizer.json", "vespa_colbert.onnx"} <= set(how["allow_patterns"])
    assert not [pattern for pattern in how["allow_patterns"] if pattern.startswith("onnx/")]
    assert LateInteraction(str(folder)).query("high").shape == (32, 96)  # by the folder's name
    with pytest.raises(ForetellError, match=r"no reranker 'none'.*ms-marco-MiniLM-L-12-v2.*colbertv2\.0"):
        load_reranker("none")
    with pytest.raises(ForetellError, match="no ColBERT 'none'"):
        LateInteraction("none")


def test_a_search_is_sorted_by_it(colbert, store, capsys):
    folder = str(colbert(dim=4)[0])
    with Knowledge.create(store, "notes") as notes:
        notes.insert(["The soup is boiled in water.", "Its peak is ice.", "The cat is in the fire."])
        hits = notes.search("how high is mount everest", 2, rerank=folder)
    scores = load_reranker(folder).score("how high is mount everest", [hit.text for hit in hits]).tolist()
    assert [hit.scores["rerank"] for hit in hits] == pytest.approx(scores, rel=1e-5)
    assert [hit.score for hit in hits] == [hit.scores["blended"] for hit in hits]
    assert hits[0].text == "Its peak is ice."
    at = ["knowledge", "search", "notes", "how high is mount everest", "--store", str(store), "--json"]
    main([*at, "--reranker", folder, "--top", "2"])
    told = [hit["scores"]["rerank"] for hit in json.loads(capsys.readouterr().out)["results"]]
    assert told == pytest.approx(scores, rel=1e-5)
    with pytest.raises(SystemExit):
        main([*at, "--reranker", "none"])
    assert "no reranker 'none'" in capsys.readouterr().err
