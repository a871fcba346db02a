"""The protocol of Dria's clients, as bytes: their requests and the answers."""

import base64
import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from foretell import ForetellError
from foretell.search import Draft, Knowledge
from foretell.search.serve.choices import DriaChoices
from foretell.search.serve.dria.batches import decode

ROWS = [([1.0, 0.0], {"text": "east", "n": 1}), ([0.0, 1.0], {"text": "north"}), ([-1.0, 0.0], {"text": "west"})]


# --- protobuf by hand: a field is number << 3 | kind, then a length or a value


def field(number, payload):
    return bytes([number << 3 | 2, len(payload)]) + payload


def value(v):
    if isinstance(v, str):
        return field(3, v.encode())
    if isinstance(v, bool):
        return bytes([4 << 3, v])
    if isinstance(v, int):
        return bytes([2 << 3, v])
    return bytes([1 << 3 | 5]) + struct.pack("<f", v)


def mapped(metadata):
    return b"".join(field(2, field(1, name.encode()) + field(2, value(v))) for name, v in metadata.items())


def vectors(*items):
    batch = (field(1, struct.pack(f"<{len(v)}f", *v)) + mapped(m) for v, m in items)
    return base64.b64encode(b"".join(field(1, one) for one in batch)).decode()


def texts(*items):
    batch = (field(1, text.encode()) + mapped(m) for text, m in items)
    return base64.b64encode(b"".join(field(1, one) for one in batch)).decode()


def test_batches_are_read():
    everything = {"s": "é", "f": 0.5, "i": 7, "b": True}
    assert decode(vectors(([1.0, -2.0], everything), ([3.0], {})), "BatchVec") == (
        [[1.0, -2.0], [3.0]],
        [everything, {}],
    )
    assert decode(texts(("a text", {"page": "9"})), "BatchStr") == (["a text"], [{"page": "9"}])
    unpacked = field(1, b"\x0d" + struct.pack("<f", 1.0) + b"\x0d" + struct.pack("<f", 2.0))  # repeated one by one
    assert decode(base64.b64encode(unpacked).decode(), "BatchVec") == ([[1.0, 2.0]], [{}])
    for damaged in ("no base64!", base64.b64encode(b"\x0a\xff").decode(), texts(("x", {}))[:-4]):
        with pytest.raises(ForetellError, match="data is not"):
            decode(damaged, "BatchStr")


# --- bytes as the clients send them


def send(served, path, body, key="writer"):
    """A request with exactly the Python client's headers and bytes; the answer's status and envelope."""
    headers = {
        "x-api-key": served.keys.get(key, key),
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip, deflate, br",
        "Connection": "keep-alive",
        "Accept": "*/*",
    }
    status, answered, content = served.raw("POST" if body else "GET", path, (body or "").encode(), headers)
    assert answered["content-type"] == "application/json"
    envelope = json.loads(content)
    assert list(envelope) == ["success", "data", "code"]
    assert envelope["code"] == status
    assert envelope["success"] is (status == 200)
    return status, envelope["data"]


def test_a_knowledge_from_its_creation_to_its_end(served):
    status, made = send(
        served,
        "/v1/knowledge/index/create",
        '{"name": "Directions", "embedding": "text-embedding-ada-002", "category": "Science", "description": "d"}',
    )
    assert status == 200
    contract = made["contract_id"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", contract)
    assert send(served, f"/v1/knowledge/index/get_model?contract_id={contract}", None) == (
        200,
        {"model": "text-embedding-ada-002"},
    )

    inserted = send(
        served,
        "/hnswt/insert_vector",
        f'{{"data": "{vectors(*ROWS)}", "contract_id": "{contract}", "batch_size": 3, "write_blockchain": false}}',
    )
    assert inserted == (200, "Values are successfully added to index.")
    assert send(served, "/hnsw/entry_count", f'{{"contract_id": "{contract}"}}') == (200, {"entry_count": 3})

    status, hits = send(
        served, "/hnsw/query", f'{{"vector": [0.9, 0.1], "contract_id": "{contract}", "top_n": 2, "level": 2}}'
    )
    assert status == 200
    assert [list(hit) for hit in hits] == [["id", "metadata", "score"]] * 2
    assert [hit["id"] for hit in hits] == [0, 1]
    assert hits[0]["score"] == pytest.approx(0.9 / 0.82**0.5, abs=1e-6)
    assert json.loads(hits[0]["metadata"]) == {"text": "east", "n": 1}
    # the JavaScript client leaves `level` out
    assert send(served, "/hnsw/query", f'{{"vector":[0.9,0.1],"contract_id":"{contract}","top_n":2}}') == (200, hits)
    assert len(send(served, "/hnsw/query", f'{{"vector":[0.9,0.1],"contract_id":"{contract}"}}')[1]) == 3

    status, fetched = send(served, "/hnsw/fetch", f'{{"id": [2, 0], "contract_id": "{contract}"}}')
    assert [json.loads(m)["text"] for m in fetched["metadata"]] == ["west", "east"]
    assert fetched["vectors"] == [[-1.0, 0.0], [1.0, 0.0]]

    assert (
        send(served, "/v1/knowledge/index/update", f'{{"contract_id": "{contract}", "name": "Compass/Rose"}}')[0] == 200
    )
    status, listed = send(served, "/v1/knowledge/list", None)
    shown = {"contract_id": contract, "name": "Compass-Rose", "description": "d", "category": "Science"}
    assert shown in listed["contracts"]
    assert send(served, f"/v1/knowledge/get_knowledge_base?contract_id={contract}", None)[1]["count"] == 3
    assert send(served, "/v1/knowledge/remove", f'{{"contract_id": "{contract}"}}') == (200, {"message": True})
    assert send(served, "/hnsw/entry_count", f'{{"contract_id": "{contract}"}}')[0] == 404


def test_texts_are_found_by_what_they_mean(served):
    status, made = send(
        served, "/v1/knowledge/index/create", '{"name":"Towns","embedding":"bge_small_en_v1.5","category":"Art"}'
    )
    contract = made["contract_id"]
    model = send(served, f"/v1/knowledge/index/get_model?contract_id={contract}", None)[1]["model"]
    batch = texts(
        ("The Eiffel tower stands in Paris.", {"page": "1"}), ("Bread is made of flour.", {}), ("Cats sleep.", {})
    )
    body = {"data": batch, "batch_size": 3, "model": model, "contract_id": contract}
    assert send(served, "/hnswt/insert_text", json.dumps(body)) == (200, "Values are successfully added to index.")

    asked = {
        "query": "Where is the famous landmark of France?",
        "contract_id": contract,
        "top_n": 2,
        "field": None,
        "model": model,
    }
    status, hits = send(served, "/hnsw/search", json.dumps(asked | {"rerank": True, "level": 2}))
    assert status == 200
    assert hits[0]["metadata"] == "The Eiffel tower stands in Paris."
    assert send(served, "/hnsw/search", json.dumps(asked | {"rerank": None, "level": 0}))[1][0] == hits[0]
    # what the knowledge's page says to send
    page = f'{{"rerank": true, "top_n": 10, "contract_id": "{contract}", "query": "Where is the landmark?"}}'
    assert len(send(served, "/hnsw/search", page)[1]) == 3

    status, hits = send(served, "/hnsw/search", json.dumps(asked | {"rerank": False, "level": 4}))
    assert json.loads(hits[0]["metadata"]) == {"text": "The Eiffel tower stands in Paris.", "page": "1"}
    assert hits[0]["score"] > hits[1]["score"]
    other = json.dumps(asked | {"model": "jina-embeddings-v2-base-en"})
    assert send(served, "/hnsw/search", other) == (
        400,
        "this knowledge is embedded by 'BAAI/bge-small-en-v1.5', not by 'jina-embeddings-v2-base-en'",
    )


def test_the_python_client_finds_a_model_that_it_knows(serve):
    """Its list of models lacks the shipped one, and it refuses to search where `get_model` gives another."""
    served = serve(dria=DriaChoices("bge_base_en_v1.5", hybrid=True))
    name = "BAAI/bge-base-en-v1.5"
    made = {"name": "Towns", "embedding": name, "category": "Art", "description": "d"}
    contract = send(served, "/v1/knowledge/index/create", json.dumps(made))[1]["contract_id"]
    assert send(served, f"/v1/knowledge/index/get_model?contract_id={contract}", None)[1] == {"model": name}
    changed = send(served, "/v1/knowledge/index/update", json.dumps({"contract_id": contract, "category": "History"}))[
        1
    ]
    described = send(served, f"/v1/knowledge/get_knowledge_base?contract_id={contract}", None)[1]
    for told in (changed, described):
        assert (told["model"], told["embedded_by"], told["category"]) == (name, "bge-small-en-v1.5", "History")
    body = {"data": texts(("Part AX-4417 fits the pump.", {}), ("Cats sleep.", {})), "contract_id": contract}
    assert send(served, "/hnswt/insert_text", json.dumps(body | {"model": name, "batch_size": 2}))[0] == 200
    asked = {"query": "4417", "contract_id": contract, "top_n": 1, "model": name, "rerank": False, "level": 2}
    (hit,) = send(served, "/hnsw/search", json.dumps(asked))[1]
    assert json.loads(hit["metadata"])["text"] == "Part AX-4417 fits the pump."
    assert hit["score"] == pytest.approx(2 / 61, abs=1e-4)  # first by both rankings
    with pytest.raises(ForetellError, match="--dria-model is 'mine', expected a model that Dria's clients know"):
        DriaChoices("mine")


def test_a_level_is_a_number(served):
    contract = served.make("level", ROWS)
    for level in ('"2"', "true", "1.5", "[1]"):
        status, said = send(
            served, "/hnsw/query", f'{{"vector": [1, 0], "contract_id": "{contract}", "level": {level}}}'
        )
        assert (status, said.startswith("level: input should be a valid integer")) == (400, True)


def test_a_page_of_a_document_is_as_text_with_its_id(served):
    contract = served.make("paper")
    with Knowledge.open(served.store, contract) as knowledge:
        knowledge.write([Draft("On page nine.", np.array([1.0, 0.0], np.float32), page=9)])
        (key,) = (entry.key for entry in knowledge.entries())
    _, (hit,) = send(served, "/hnsw/query", f'{{"vector": [1, 0], "contract_id": "{contract}"}}')
    assert json.loads(hit["metadata"]) == {"id": key, "page": "9", "text": "On page nine."}


def test_what_cannot_be_done_is_said_in_the_envelope(served):
    contract = served.make("small", ROWS)
    for path, body, status, said in (
        ("/hnsw/query", {"vector": [1.0]}, 400, "the vector has 1 numbers, but this knowledge has 2"),
        ("/hnsw/query", {"vector": [1.0, 0.0], "top_n": 21}, 400, "Top N cannot be more than 20."),
        ("/hnsw/query", {"vector": [1.0, 0.0], "top_n": 0}, 400, "Top N cannot be less than 1."),
        ("/hnsw/query", {"vector": [1.0, 0.0], "level": 5}, 400, "Level should be 0, 1, 2, 3, or 4."),
        ("/hnsw/query", {"vector": "x"}, 400, "vector: input should be a valid list"),
        ("/hnsw/query", {}, 400, "vector: field required"),
        ("/hnsw/search", {"query": "q" * 501}, 400, "Query cannot be more than 500 chars."),
        ("/hnsw/search", {"query": "q", "field": "title"}, 400, "field is 'title'"),
        ("/hnsw/search", {"query": "q"}, 400, "there is no model 'vectors'"),
        ("/hnsw/fetch", {"id": []}, 400, "No IDs provided."),
        ("/hnsw/fetch", {"id": [99]}, 404, "there is no entry 99"),
        ("/hnsw/fetch", {"id": [-(2**60)]}, 404, "there is no entry"),
        ("/hnswt/insert_vector", {"data": "?"}, 400, "data is not base64"),
        ("/hnswt/insert_vector", {"data": ""}, 400, "data holds no values"),
        ("/hnswt/insert_vector", {"data": vectors(([1.0], {}))}, 400, "vector 0 has 1 numbers, expected 2"),
        ("/hnswt/insert_vector", {"data": vectors(([float("nan"), 1.0], {}))}, 400, "not finite"),
        ("/hnswt/insert_vector", {"data": vectors(*[([1.0, 0.0], {})] * 1001)}, 400, "1,001 values"),
        ("/hnsw/nothing", {}, 404, "there is nothing at this path"),
    ):
        found = send(served, path, json.dumps({"contract_id": contract} | body))
        assert found[0] == status, (path, body, found)
        assert said in found[1]
    assert send(served, "/hnsw/query", '{"vector": [NaN, 1], "contract_id": "x"}')[0] == 400
    assert send(served, "/hnsw/query", "{")[1].startswith("the body is not JSON (")
    assert send(served, "/hnsw/entry_count", '{"contract_id": "nobody"}')[0] == 404
    assert send(served, "/hnsw/query", "{}", key="fk-unknown")[0] == 401
    assert send(served, "/hnsw/entry_count", f'{{"contract_id": "{contract}"}}') == (200, {"entry_count": 3})


def test_the_javascript_client_works_but_for_the_host(served, tmp_path):
    """npm's dria 0.0.4 itself; $FORETELL_DRIA_JS is a folder in which `npm install dria@0.0.4` was run."""
    home = os.environ.get("FORETELL_DRIA_JS")
    node = shutil.which("node")
    if not home or not node:
        pytest.skip("needs node, and FORETELL_DRIA_JS: a folder in which `npm install dria@0.0.4` was run")
    build = Path(home) / "node_modules" / "dria" / "build" / "index.js"
    code = build.read_text()
    hosts = re.findall(r"https://(?:search|api)\.dria\.co", code)
    assert len(hosts) == 3
    client = build.with_name(f"index.{os.getpid()}.js")
    client.write_text(re.sub(r"https://(?:search|api)\.dria\.co", f"http://127.0.0.1:{served.port}", code))
    script = tmp_path / "use.mjs"
    script.write_text(f"""
        const {{ Dria }} = await import("{client.as_uri()}");
        const dria = new Dria({{ apiKey: "{served.keys["writer"]}" }});
        const told = {{}};
        dria.contractId = await dria.create("From JavaScript", "bge-small-en-v1.5", "Science", "made by its client");
        told.inserted = await dria.insertTexts([
            {{ text: "The Eiffel tower stands in Paris.", metadata: {{ id: "a", page: 1, old: true, high: 330.5 }} }},
            {{ text: "Bread is made of flour.", metadata: {{ id: "b", page: 2 }} }},
        ]);
        told.ranked = await dria.search("Where is the landmark of France?");
        told.found = await dria.search("Where is the landmark of France?", {{ rerank: false, topK: 1, level: 4 }});
        told.fetched = await dria.fetch([1]);
        told.near = await dria.query(told.fetched[0].vector, {{ topK: 1 }});
        told.vectors = await dria.insertVectors([{{ vector: told.fetched[0].vector, metadata: {{ id: "c" }} }}]);
        try {{ await dria.query([1, 2]); }} catch (error) {{ told.error = String(error); }}
        told.removed = await dria.delete(dria.contractId);
        process.stderr.write(JSON.stringify(told));
    """)
    try:
        run = subprocess.run([node, script], capture_output=True, text=True, check=True, timeout=120)
    finally:
        client.unlink()
    told = json.loads(run.stderr)
    assert told["inserted"] == told["vectors"] == "Values are successfully added to index."
    assert told["ranked"][0]["metadata"] == "The Eiffel tower stands in Paris."
    whole = {"text": "The Eiffel tower stands in Paris.", "id": "a", "page": 1, "old": True, "high": 330.5}
    assert json.loads(told["found"][0]["metadata"]) == whole
    assert told["fetched"][0]["metadata"] == {"text": "Bread is made of flour.", "id": "b", "page": 2}
    assert told["near"][0]["id"] == 1
    assert told["near"][0]["score"] == pytest.approx(1, abs=1e-5)
    assert "failed with Bad Request (400)" in told["error"]
    assert told["removed"] is True
