"""Embeddings, as OpenAI's clients ask for them."""

import base64

import numpy as np
import pytest

from foretell.search.models.load import load_model
from foretell.search.models.text import DEFAULT

TEXTS = ["A tower stands in Paris.", "Bread needs yeast."]


def test_the_vectors_are_those_of_the_model(served):
    status, told = served.call("POST", "/v1/embeddings", {"input": TEXTS, "model": DEFAULT}, "reader")
    assert (status, told["object"], told["model"]) == (200, "list", DEFAULT)
    assert [(each["object"], each["index"]) for each in told["data"]] == [("embedding", 0), ("embedding", 1)]
    vectors = np.array([each["embedding"] for each in told["data"]], np.float32)
    model = load_model(DEFAULT)
    np.testing.assert_array_equal(vectors, model.passages(TEXTS))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    tokens = sum(model.tokens(text) for text in TEXTS)
    assert told["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert tokens == len("[CLS] a tower stands in paris . [SEP] [CLS] bread needs yeast . [SEP]".split())


def test_one_text_base64_and_queries(served):
    asked = {"input": TEXTS[0], "model": f"BAAI/{DEFAULT}", "encoding_format": "base64", "dimensions": 384, "user": "u"}
    told = served.call("POST", "/v1/embeddings", asked)[1]
    (found,) = told["data"]
    model = load_model(DEFAULT)
    np.testing.assert_array_equal(
        np.frombuffer(base64.b64decode(found["embedding"]), "<f4"), model.passages(TEXTS[:1])[0]
    )
    query = served.call("POST", "/v1/embeddings", {"input": TEXTS[0], "input_type": "query"})[1]["data"][0]["embedding"]
    np.testing.assert_array_equal(np.array(query, np.float32), model.query(TEXTS[0]))


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        (
            {"input": TEXTS, "model": "text-embedding-3-small"},
            404,
            "model is 'text-embedding-3-small', expected one of bge",
        ),
        ({"input": TEXTS, "model": "/etc"}, 404, "model is '/etc', expected one of"),
        ({"input": [], "model": DEFAULT}, 400, "input"),
        ({"input": [1, 2, 3]}, 400, "input"),
        ({"input": "  "}, 400, "text 0 is '  ', expected some text"),
        ({"input": TEXTS, "dimensions": 256}, 400, "dimensions is 256, expected 384, the width of bge-small-en-v1.5"),
        ({"input": TEXTS, "truncate": True}, 400, "truncate: extra inputs are not permitted"),
        ({"input": ["a"] * 257}, 400, "input"),
    ],
)
def test_a_wrong_request_is_refused_in_openais_form(served, body, status, sentence):
    found, told = served.call("POST", "/v1/embeddings", body)
    assert found == status
    assert sentence in told["error"]["message"]
    assert told["error"].keys() == {"message", "type", "param", "code"}
    assert told["error"]["type"] == "invalid_request_error"


def test_models_are_listed_and_a_key_is_needed(served, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    status, told = served.call("GET", "/v1/models")
    assert status == 200
    assert DEFAULT in [each["id"] for each in told["data"]]
    for call in (("POST", "/v1/embeddings", {"input": "a"}), ("GET", "/v1/models", None)):
        status, told = served.call(*call, key=None)
        assert (status, told["error"]["code"]) == (401, "unauthorized")
