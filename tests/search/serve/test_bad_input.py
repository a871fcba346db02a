"""For every request the answer is correct, nothing is lost, and the service continues."""

import base64
import json

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROWS = [([1.0, 0.0], {"text": "east"}), ([0.0, 1.0], {"text": "north"})]
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def kept(served):
    """A knowledge that must not change."""
    return served.make("kept", ROWS)


def proper(served, status, content):
    """A sentence and a status that blames the caller, if anyone."""
    assert 200 <= status < 500, (status, content)
    if status >= 400:
        said = content["error"]["message"] if "error" in content else content.get("detail", content.get("data"))
        assert len(said) < 600
        assert "Traceback" not in said
        assert str(served.store.folder) not in said


def still_there(served, kept):
    status, found = served.call("POST", "/hnsw/entry_count", {"contract_id": kept})
    assert (status, found["data"]) == (200, {"entry_count": 2})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
fields = st.sampled_from(
    "query vector contract_id top_n level rerank field model id data name embedding top filter entries text".split()
)


@QUICK
@given(
    path=st.sampled_from(
        [
            "/hnsw/search",
            "/hnsw/query",
            "/hnsw/fetch",
            "/hnsw/entry_count",
            "/hnswt/insert_text",
            "/hnswt/insert_vector",
            "/v1/knowledge/index/update",
            "/api/v1/knowledge/kept/query",
            "/api/v1/knowledge/kept/search",
        ]
    ),
    body=st.dictionaries(fields, json_values, max_size=6) | json_values,
    aimed=st.booleans(),
)
def test_any_json(served, kept, path, body, aimed):
    if isinstance(body, dict) and aimed:
        body = body | {"contract_id": kept}
        body.pop("name", None)
    proper(served, *served.call("POST", path, json.dumps(body).encode(errors="surrogatepass"), "reader"))
    still_there(served, kept)


@QUICK
@given(data=st.binary(max_size=200), kind=st.sampled_from(["text", "vector"]))
def test_any_bytes_for_protobuf(served, kept, data, kind):
    contract = served.call("POST", "/v1/knowledge/index/create", {"name": data.hex() + kind, "embedding": "v"})[1]
    contract = contract["data"]["contract_id"] if isinstance(contract["data"], dict) else kept
    body = {"data": base64.b64encode(b"\x0a" + bytes([len(data) % 128]) + data).decode(), "contract_id": contract}
    proper(served, *served.call("POST", f"/hnswt/insert_{kind}", body))


@QUICK
@given(body=st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode(errors="replace")))
def test_any_bytes_for_json(served, kept, body):
    for path in ("/hnsw/query", "/api/v1/knowledge/kept/query"):
        proper(served, *served.call("POST", path, body))
    still_there(served, kept)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("query", '{"vector": [NaN, 1]}', "not json"),
        ("query", '{"vector": [1e39, 1]}', "not finite"),
        ("query", '{"vector": [0, 0]}', "no direction"),
        ("query", '{"vector": [1, 0, 0]}', "has 3 numbers"),
        ("query", '{"vector": []}', "vector"),
        ("query", '{"vector": [1, 0], "top": 1000000000}', "top"),
        ("query", '{"vector": [1, 0], "top": "5"}', "top"),
        ("query", '{"vector": [1, 0], "filter": {}}', "filter is empty"),
        ("query", '{"vector": [1, 0], "filter": {"a": {"~": 1}}}', "filter: a"),
        ("query", '{"vector": [1, 0], "filter": {"a": [[1]]}}', "filter: a"),
        ("query", json.dumps({"vector": [1, 0], "filter": {f"f{i}": 1 for i in range(600)}}), "at most 100"),
        ("query", json.dumps({"vector": [1, 0], "filter": {"a": list(range(300_000))}}), "and 10,000"),
        ("query", '{"vector": [1, 0], "filters": {}}', "extra inputs"),
        ("query", "[" * 100_000, "body"),
        ("query", '{"vector": [' + "9" * 5000 + "]}", "body"),
        ("search", '{"query": "\\ud800"}', "not json"),
        ("search", '{"query": "x", "rerank": "/etc/passwd"}', "rerank"),
        ("entries", '{"entries": []}', "entries"),
        ("entries", '{"entries": [{"text": "x", "vector": [1, 2]}, {"text": "y"}]}', "some have none"),
        ("entries", '{"entries": [{"vector": [1, 2], "metadata": {"a": 10000000000000000000}}]}', "64 bits"),
        ("entries", '{"entries": [{"vector": [1, 2], "metadata": {"a": {"b": 1}}}]}', "metadata"),
        ("entries", '{"entries": [{"vector": [1, 2, 3]}]}', "has 3 numbers"),
    ],
)
def test_what_does_not_fit_is_refused(served, kept, path, body, said):
    status, found = served.call("POST", f"/api/v1/knowledge/{kept}/{path}", body.encode())
    assert status == 400
    proper(served, status, found)
    assert said in found["detail"].lower()
    still_there(served, kept)


@pytest.mark.parametrize(
    "model", ["/etc", "../models", "~/x", "C:\\x", "a/../../etc", "file:///etc", "", "x\0", "tests", "a" * 300]
)
def test_models_are_no_paths(served, model, monkeypatch, tmp_path):
    (tmp_path / "tests").mkdir()
    monkeypatch.chdir(tmp_path)
    for path, body in (
        ("/api/v1/knowledge", {"name": "m", "model": model}),
        ("/v1/knowledge/index/create", {"name": "m", "embedding": model}),
    ):
        status, found = served.call("POST", path, body)
        assert status == 400
        proper(served, status, found)


@pytest.mark.parametrize(
    "file",
    [
        "..%2F..%2Fx.txt",
        "%2Fetc%2Fx.txt",
        "..",
        "..%5Cx.txt",
        ".x.txt",
        "x%00.txt",
        "x%0A.txt",
        "x",
        "x.exe",
        "%C3%BC" * 150 + ".txt",
    ],
)
def test_files_stay_where_they_belong(served, file):
    served.call("POST", "/api/v1/knowledge", {"name": "uploads"})
    before = sorted(served.store.folder.parent.rglob("*"))
    status, found = served.call("PUT", f"/api/v1/knowledge/uploads/files/{file}", b"text")
    assert status in (400, 404, 405)
    proper(served, status, found)
    after = [path for path in sorted(served.store.folder.parent.rglob("*")) if path.name != "incoming"]
    assert after == [path for path in before if path.name != "incoming"]


def test_names_may_be_anything_but_reach_nothing_else(served, kept):
    for name in ("../kept", "a/b", "/etc/passwd", "a\\b", ".."):
        status, said = served.call("POST", "/api/v1/knowledge", {"name": name})
        assert status == 400
        assert "without / and" in str(said)
        status, said = served.call("PATCH", f"/api/v1/knowledge/{kept}", {"name": name})
        assert status == 400
    for name in ("%", "'; DROP TABLE collection; --", "é" * 200, "\u202e"):
        status, made = served.call("POST", "/api/v1/knowledge", {"name": name, "model": "v"})
        assert (status, made["name"]) == (201, name)
        assert served.call("DELETE", f"/api/v1/knowledge/{made['contract_id']}")[0] == 204
    still_there(served, kept)


def test_against_its_own_description(served):
    """schemathesis reads the OpenAPI page and tries allowed and forbidden requests."""
    served.make("schema", ROWS)
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{served.port}/api/v1/openapi.json")
    headers = {"x-api-key": served.keys["writer"]}
    checks = [
        schemathesis.checks.not_a_server_error,
        schemathesis.specs.openapi.checks.status_code_conformance,
        schemathesis.specs.openapi.checks.content_type_conformance,
        schemathesis.specs.openapi.checks.response_schema_conformance,
    ]
    tried = 0
    for operation in schema.get_all_operations():
        operation = operation.ok()

        @settings(max_examples=4, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def attempt(case):
            case.call_and_validate(headers=headers, checks=checks)

        attempt()
        tried += 1
    assert tried > 20
    assert served.call("GET", "/api/v1/knowledge/schema")[1]["count"] == 2
