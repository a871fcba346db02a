import json
import string

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing

from foretell.search import Knowledge

SPECIAL = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
ASKED = "mount everest tall".split()
ANSWER = "its peak metres high ice".split()
OTHER = "rice boiled water soup cat fire".split()
VOCABULARY = {
    word: i for i, word in enumerate([*SPECIAL, *string.punctuation, "how", "is", "in", "the", *ASKED, *ANSWER, *OTHER])
}


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def made(store):
    """An empty knowledge for vectors."""
    with Knowledge.create(store, "made") as knowledge:
        yield knowledge


@pytest.fixture
def cloud():
    """Makes vectors that lie in clusters."""

    def make(n, seed=0, dimension=16):
        rng = np.random.default_rng(seed)
        centres = np.random.default_rng(99).standard_normal((20, dimension))
        return (centres[rng.integers(0, 20, n)] + 0.5 * rng.standard_normal((n, dimension))).astype(np.float32)

    return make


@pytest.fixture
def nearest():
    """The ids of the k nearest by plain arithmetic."""

    def find(vectors, ids, query, k):
        x = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(ids)[np.argsort(-(x @ (query / np.linalg.norm(query))), kind="stable")[:k]].tolist()

    return find


@pytest.fixture(scope="session")
def colbert(tmp_path_factory):
    """Makes the folder of a small ColBERT. A token's latent is its embedding plus half the mean of the attended tokens.
    Embeddings separate the topic of the questions and answers here from other topics. `sign` −1 reverses this.
    """

    def make(name="colbert", graph="model.onnx", sign=1.0, width=4, mask="[MASK]", **said):
        folder = tmp_path_factory.mktemp("models") / name
        (folder / graph).parent.mkdir(parents=True)
        vocabulary = {mask if word == "[MASK]" else word: i for word, i in VOCABULARY.items()}
        tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
        tokenizer.normalizer = BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = BertPreTokenizer()
        tokenizer.post_processor = BertProcessing(("[SEP]", 5), ("[CLS]", 4))
        tokenizer.save(str(folder / "tokenizer.json"))
        embeddings = np.random.default_rng(0).normal(0, 0.3, (len(VOCABULARY), width)).astype(np.float32)
        for word, i in VOCABULARY.items():
            embeddings[i, 0] += (word in ASKED) + sign * (word in ANSWER) - sign * (word in OTHER)
        (folder / graph).write_bytes(encoder(embeddings).SerializeToString())
        if said:
            (folder / said.pop("file", "artifact.metadata")).write_text(json.dumps(said))
        return folder, embeddings

    return make


def encoder(embeddings):
    """E[ids] + ½ Σ mask·E[ids] / Σ mask."""
    nodes = [
        helper.make_node("Gather", ["E", "input_ids"], ["x"]),
        helper.make_node("Cast", ["attention_mask"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["m", "last"], ["mask"]),
        helper.make_node("Mul", ["x", "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "tokens"], ["sum"], keepdims=1),
        helper.make_node("ReduceSum", ["mask", "tokens"], ["count"], keepdims=1),
        helper.make_node("Div", ["sum", "count"], ["mean"]),
        helper.make_node("Mul", ["mean", "half"], ["context"]),
        helper.make_node("Add", ["x", "context"], ["latents"]),
    ]
    constants = {
        "E": embeddings,
        "last": np.array([2]),
        "tokens": np.array([1]),
        "half": np.array(0.5, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "encoder",
        [helper.make_tensor_value_info(n, TensorProto.INT64, ["B", "T"]) for n in ("input_ids", "attention_mask")],
        [helper.make_tensor_value_info("latents", TensorProto.FLOAT, ["B", "T", embeddings.shape[1]])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model
