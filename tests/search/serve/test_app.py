"""The whole service, from the outside: limits, numbers, pages, and requests that do not fit."""

import gzip
import http.client
import json
import threading
from types import SimpleNamespace

from foretell.http import gate
from foretell.search import Knowledge

ROWS = [([1.0, 0.0], {"lang": "en"}), ([0.0, 1.0], {"lang": "de"}), ([-1.0, 0.0], {"lang": "en"})]
V1 = "/api/v1/knowledge"


def test_too_many_and_too_large_requests_are_refused(serve, monkeypatch):
    monkeypatch.setattr(gate, "time", SimpleNamespace(monotonic=lambda: 0.0))  # a slow machine refills no bucket
    served = serve(rate=1.0, body=1000, upload=2000)
    served.make("k", ROWS, public=True)
    statuses = [served.call("GET", f"{V1}/k")[0] for _ in range(4)]
    assert statuses[:2] == [200, 200]
    assert statuses[-1] == 429
    assert served.call("GET", f"{V1}", key=None)[0] == 200  # another caller
    status, headers, body = served.raw("GET", V1, headers={"x-api-key": served.keys["writer"]})
    assert (status, headers["retry-after"]) == (429, "1")
    assert "try again in 1 s" in str(body)
    large = b'{"name": "' + b"x" * 2000 + b'"}'
    assert served.call("POST", V1, large, "admin")[0] == 413
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    chunks = (b"x" * 500 for _ in range(10))  # without saying how many
    said = {"x-api-key": served.keys["admin"], "Content-Type": "application/json"}
    connection.request("POST", V1, chunks, said, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()
    status, refused = served.call("PUT", f"{V1}/k/files/a.txt", b"x" * 2001, "stranger")
    assert (status, refused["status"]) == (413, 413)


def test_browsers_of_other_origins_are_let_in_only_where_it_is_said(serve):
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in serve().raw("OPTIONS", V1, headers=asked)[1]
    _, headers, _ = serve(cors=("https://a.example",)).raw("OPTIONS", V1, headers=asked)
    assert headers["access-control-allow-origin"] == "https://a.example"


def test_a_long_search_does_not_keep_others_waiting(serve, monkeypatch):
    served = serve()
    served.make("k", ROWS, public=True)
    gone, slow = threading.Event(), Knowledge.query

    def query(self, *args, **kwargs):
        gone.wait(10)
        return slow(self, *args, **kwargs)

    monkeypatch.setattr(Knowledge, "query", query)
    thread = threading.Thread(target=served.call, args=("POST", f"{V1}/k/query", {"vector": [1.0, 0.0]}))
    thread.start()
    assert served.call("GET", "/health", key=None)[0] == 200
    gone.set()
    thread.join()


def test_a_head_is_answered_as_a_get_without_its_body(served):
    served.call("POST", V1, {"name": "headed"})
    key = {"x-api-key": served.keys["writer"]}
    for path in (V1, f"{V1}/headed", f"{V1}/headed/files", "/metrics"):
        status, headers, body = served.raw("HEAD", path, headers=key)
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 2
    assert served.raw("HEAD", f"{V1}/nothing", headers=key)[0] == 404


def test_json_may_begin_with_a_byte_order_mark(served):
    contract = served.make("marked", ROWS)
    body = b"\xef\xbb\xbf" + json.dumps({"vector": [1.0, 0.0], "contract_id": contract, "top_n": 1}).encode()
    assert [hit["id"] for hit in served.call("POST", "/hnsw/query", body)[1]["data"]] == [0]


def test_it_tells_its_numbers_and_its_pages(served):
    assert served.raw("HEAD", "/health")[0] == 200
    served.call("GET", f"{V1}/nothing")
    text = served.raw("GET", "/metrics")[2].decode()
    assert f'foretell_requests_total{{method="GET",route="{V1}/{{name}}",status="404"}}' in text
    assert served.call("GET", "/health", key=None)[1]["status"] == "ok"
    paths = served.call("GET", "/api/v1/openapi.json", key=None)[1]["paths"]
    assert {"/hnsw/search", "/hnswt/insert_text", "/v1/knowledge/list", f"{V1}/{{name}}/search"} <= paths.keys()


def test_bodies_of_other_types_are_refused_with_the_way_out(served):
    served.make("typed", ROWS)
    key = {"x-api-key": served.keys["writer"]}
    body = json.dumps({"vector": [1, 0]}).encode()
    for kind in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}):
        status, _, said = served.raw("POST", f"{V1}/typed/query", body, key | kind)
        assert status == 415, kind
        assert b"Content-Type: application/json" in said
    assert served.raw("POST", f"{V1}/typed/query", b"", key)[0] == 400
    packed = key | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    status, _, said = served.raw("POST", f"{V1}/typed/query", gzip.compress(body), packed)
    assert (status, b"compressed (gzip)" in said) == (415, True)


def test_a_method_that_is_not_for_a_path_is_told_which_are(served):
    for method, path, allowed in (
        ("PUT", V1, "GET, HEAD, POST"),
        ("POST", f"{V1}/x", "GET, HEAD, PATCH, DELETE"),
        ("GET", f"{V1}/x/files/a.txt", "PUT, DELETE"),
        ("POST", "/health", "GET, HEAD"),
    ):
        status, headers, _ = served.raw(method, path, headers={"x-api-key": served.keys["writer"]})
        assert (status, headers["allow"]) == (405, allowed)


ROUTES = {
    "/api/v1/search": "POST",
    "/v1/embeddings": "POST",
    "/v1/models": "GET",
    "/api/v1/knowledge": "GET POST",
    "/api/v1/knowledge/{name}": "DELETE GET PATCH",
    "/api/v1/knowledge/{name}/entries": "GET POST",
    "/api/v1/knowledge/{name}/entries/{id}": "DELETE GET PATCH",
    "/api/v1/knowledge/{name}/entries/{id}/thumbnail": "GET",
    "/api/v1/knowledge/{name}/files": "GET POST",
    "/api/v1/knowledge/{name}/files/{file}": "DELETE PUT",
    "/api/v1/knowledge/{name}/query": "POST",
    "/api/v1/knowledge/{name}/search": "POST",
    "/health": "GET",
    "/hnsw/entry_count": "POST",
    "/hnsw/fetch": "POST",
    "/hnsw/query": "POST",
    "/hnsw/search": "POST",
    "/hnswt/insert_text": "POST",
    "/hnswt/insert_vector": "POST",
    "/metrics": "GET",
    "/v1/knowledge/get_knowledge_base": "GET",
    "/v1/knowledge/index/create": "POST",
    "/v1/knowledge/index/get_model": "GET",
    "/v1/knowledge/index/update": "POST",
    "/v1/knowledge/list": "GET",
    "/v1/knowledge/remove": "POST",
}


def test_the_paths_that_clients_know_are_there_and_no_others(served):
    paths = served.call("GET", "/api/v1/openapi.json", key=None)[1]["paths"]
    assert {path: " ".join(sorted(methods)).upper() for path, methods in paths.items()} == ROUTES


def test_the_openapi_page_says_how_a_key_is_sent(served):
    page = served.call("GET", "/api/v1/openapi.json")[1]
    assert page["components"]["securitySchemes"]["key"]["name"] == "x-api-key"
    assert {} in page["security"]
