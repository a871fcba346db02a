"""The service's own API, its keys and its limits, from the outside."""

import base64
import gzip
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from PIL import Image

from foretell import ForetellError
from foretell.cli import main
from foretell.search import Knowledge, Store
from foretell.search.add import Step
from foretell.search.models.load import load_reranker
from foretell.search.serve import keys
from foretell.search.serve.gate import Rate
from foretell.search.serve.work import _Pool
from foretell.search.storage.sqlite.database import FILE

ROWS = [([1.0, 0.0], {"lang": "en"}), ([0.0, 1.0], {"lang": "de"}), ([-1.0, 0.0], {"lang": "en"})]
V1 = "/api/v1/knowledge"


def test_a_knowledge_is_made_changed_and_removed(served):
    status, made = served.call("POST", V1, {"name": "one", "model": "vectors", "title": "One"})
    assert status == 201
    assert (made["owner"], made["public"], made["count"]) == ("me", False, 0)
    assert served.call("POST", V1, {"name": "one"})[0] == 409
    assert served.call("GET", f"{V1}/one")[1] == made
    assert served.call("GET", f"{V1}/{made['contract_id']}")[1] == made
    served.make("taken")
    assert served.call("PATCH", f"{V1}/one", {"name": "taken"})[0] == 409
    status, changed = served.call("PATCH", f"{V1}/one", {"description": "text", "public": True})
    assert (changed["description"], changed["public"], changed["title"]) == ("text", True, "One")
    assert made["contract_id"] in [each["contract_id"] for each in served.call("GET", V1, key=None)[1]["knowledge"]]
    assert served.call("DELETE", f"{V1}/one") == (204, None)
    assert served.call("GET", f"{V1}/one")[0] == 404


def test_entries_are_added_found_changed_and_deleted(served):
    served.make("entries")
    new = [{"text": f"entry {i}", "vector": v, "metadata": m} for i, (v, m) in enumerate(ROWS)]
    assert served.call("POST", f"{V1}/entries/entries", {"entries": new}) == (201, {"ids": [0, 1, 2]})
    status, found = served.call("POST", f"{V1}/entries/query", {"vector": [1, 0.1], "filter": {"lang": "en"}})
    assert status == 200
    assert [hit["id"] for hit in found["results"]] == [0, 2]
    assert list(found["results"][0]) == ["id", "key", "score", "text", "page", "time", "metadata", "scores"]
    page = served.call("GET", f"{V1}/entries/entries?limit=2")[1]
    assert ([each["id"] for each in page["entries"]], page["next"]) == ([0, 1], 2)
    last = served.call("GET", f"{V1}/entries/entries?start=2&vectors=true")[1]
    assert (last["next"], last["entries"][0]["vector"]) == (None, [-1.0, 0.0])
    status, changed = served.call("PATCH", f"{V1}/entries/entries/1", {"vector": [1.0, 1.0], "metadata": {}})
    assert (changed["vector"], changed["metadata"], changed["text"]) == ([1.0, 1.0], {}, "entry 1")
    assert served.call("DELETE", f"{V1}/entries/entries/1")[0] == 204
    assert served.call("DELETE", f"{V1}/entries/entries/1")[0] == 404
    assert served.call("GET", f"{V1}/entries/entries/1")[0] == 404
    assert served.call("GET", f"{V1}/entries")[1]["count"] == 2


def test_a_file_is_added_and_replaced_by_the_next_of_its_name(served):
    served.call("POST", V1, {"name": "files"})
    put = f"{V1}/files/files/towns.csv"
    status, added = served.call("PUT", put, b"text\nThe tower stands in Paris.\nBread is baked.\n")
    assert (status, added["files"], added["entries"]) == (200, 1, 2)
    assert served.call("PUT", put, b"text\nThe tower stands in Paris.\nBread is baked.\n")[1]["unchanged"] == 1
    added = served.call("PUT", put, b"text\nThe tower stands in Paris.\nCats sleep.\n")[1]
    assert (added["entries"], added["removed"]) == (1, 1)
    hit = served.call("POST", f"{V1}/files/search", {"query": "a landmark in France", "top": 1})[1]["results"][0]
    assert (hit["text"], hit["metadata"]) == ("The tower stands in Paris.", {"source": "towns.csv", "row": 0})
    assert not list((served.store.folder / "incoming").iterdir())


def test_a_files_entries_go_with_it_and_come_again(served):
    served.call("POST", V1, {"name": "parted"})
    for name in ("a", "b"):
        served.call("PUT", f"{V1}/parted/files/{name}.csv", f"text,n\nwords of {name},1\nmore of {name},2\n".encode())
    both = {"files": [{"name": f"{name}.csv", "kind": "CSV", "entries": 2} for name in "ab"]}
    assert served.call("GET", f"{V1}/parted/files") == (200, both)
    assert served.call("DELETE", f"{V1}/parted/files/c.csv")[0] == 404
    assert served.call("DELETE", f"{V1}/parted/files/a.csv", key="stranger")[0] == 404
    assert served.call("DELETE", f"{V1}/parted/files/a.csv", key="reader")[0] == 403
    assert served.call("DELETE", f"{V1}/parted/files/a.csv") == (204, None)
    left = served.call("GET", f"{V1}/parted/entries")[1]["entries"]
    assert [entry["text"] for entry in left] == ["words of b", "more of b"]
    again = served.call("PUT", f"{V1}/parted/files/a.csv", b"text,n\nwords of a,1\nmore of a,2\n")[1]
    assert (again["files"], again["entries"]) == (1, 2)


def test_files_of_the_same_content_are_each_there(served):
    served.call("POST", V1, {"name": "twins"})
    for name in ("a", "b"):
        assert served.call("PUT", f"{V1}/twins/files/{name}.txt", b"The same.")[0] == 200
    assert served.call("PUT", f"{V1}/twins/files/a.txt", b"Another.")[1]["entries"] == 1
    entries = served.call("GET", f"{V1}/twins/entries")[1]["entries"]
    assert {(e["text"], e["metadata"]["source"]) for e in entries} == {("The same.", "b.txt"), ("Another.", "a.txt")}
    assert served.call("DELETE", f"{V1}/twins/files/b.txt")[0] == 204


def test_an_upload_that_is_not_taken_is_removed(serve, monkeypatch):
    from foretell.search.serve import work

    monkeypatch.setattr(work, "FILES", -1)  # nor is there a thread
    served = serve()
    served.call("POST", V1, {"name": "full"})
    for accept in ("application/json", "application/x-ndjson"):
        headers = {"x-api-key": served.keys["writer"], "Accept": accept}
        assert b"too many requests are waiting" in served.raw("PUT", f"{V1}/full/files/a.txt", b"A text.", headers)[2]
    assert not list((served.store.folder / "incoming").iterdir())


def test_adding_tells_how_far_it_is(served):
    served.call("POST", V1, {"name": "steps"})
    headers = {"x-api-key": served.keys["writer"], "Accept": "application/x-ndjson"}
    rows = "\n".join(["text", *(f"row {i}" for i in range(20))]).encode()
    status, told, content = served.raw("PUT", f"{V1}/steps/files/a.csv", rows, headers)
    assert (status, told["content-type"]) == (200, "application/x-ndjson")
    *steps, last = map(json.loads, content.splitlines())
    assert [step["fraction"] for step in steps] == [0, 0, 0.8]
    assert last["added"]["entries"] == 20
    content = served.raw("PUT", f"{V1}/steps/files/b.pdf", b"not one", headers)[2]
    assert json.loads(content.splitlines()[-1])["added"]["skipped"] == [["b.pdf", "damaged, or not a PDF file"]]
    status, refused = served.call("PUT", f"{V1}/steps/files/b.pdf", b"not one")
    assert (status, refused["detail"]) == (400, "damaged, or not a PDF file")


def test_who_leaves_while_a_file_is_added_interrupts_it(served, monkeypatch):
    from foretell.search.models.text import TextModel

    served.call("POST", V1, {"name": "left"})
    go_on, real = threading.Event(), TextModel.passages

    def passages(self, texts):
        if "row 0" in texts:
            go_on.wait(10)
        return real(self, texts)

    monkeypatch.setattr(TextModel, "passages", passages)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    headers = {"x-api-key": served.keys["writer"], "Accept": "application/x-ndjson"}
    rows = "\n".join(["text", *(f"row {i}" for i in range(20))]).encode()
    connection.request("PUT", f"{V1}/left/files/a.csv", rows, headers)
    response = connection.getresponse()
    assert response.readline() == b'{"fraction":0.0}\n'
    response.close()
    connection.close()
    time.sleep(0.2)
    go_on.set()
    end = time.monotonic() + 10
    while list((served.store.folder / "incoming").iterdir()) and time.monotonic() < end:
        time.sleep(0.02)
    assert not list((served.store.folder / "incoming").iterdir())
    assert served.call("GET", f"{V1}/left")[1]["count"] == 0
    assert served.call("PUT", f"{V1}/left/files/a.csv", rows)[1]["entries"] == 20


def test_photographs_are_asked_with_photographs_and_never_with_paths(served, tmp_path):
    served.call("POST", V1, {"name": "photos", "model": "iwm-mini"})
    for i, colour in enumerate(((200, 30, 30), (30, 30, 200))):
        Image.new("RGB", (40, 40), colour).save(file := io.BytesIO(), "PNG")
        assert served.call("PUT", f"{V1}/photos/files/{i}.png", file.getvalue())[0] == 200
    image = base64.b64encode(file.getvalue()).decode()
    hits = served.call("POST", f"{V1}/photos/search", {"image": image})[1]["results"]
    assert hits[0]["metadata"] == {"source": "1.png"}
    assert served.call("POST", f"{V1}/photos/search", {"image": image, "imagine": {"brightness": 0.5}})[0] == 200
    (tmp_path / "secret.png").write_bytes(file.getvalue())
    for body in ({"query": str(tmp_path / "secret.png")}, {"image": "?"}, {"image": "AAAA"}, {}):
        status, refused = served.call("POST", f"{V1}/photos/search", body)
        assert status == 400
        assert str(tmp_path) not in refused["detail"]
    contract = served.call("GET", f"{V1}/photos")[1]["contract_id"]
    asked = {"query": str(tmp_path / "secret.png"), "contract_id": contract}
    assert served.call("POST", "/hnsw/search", asked)[0] == 400


# --- keys


@pytest.mark.parametrize(
    ("key", "private", "public", "write"),
    [
        (None, 401, 200, 401),
        ("fk-unknown", 401, 401, 401),
        ("stranger", 404, 200, 404),
        ("reader", 200, 200, 403),
        ("writer", 200, 200, 200),
        ("admin", 200, 200, 200),
    ],
)
def test_who_may_do_what(served, key, private, public, write):
    hidden, shown = served.make(f"hidden to {key}", ROWS), served.make(f"shown to {key}", ROWS, public=True)
    for contract, status in ((hidden, private), (shown, public)):
        vector = {"vector": [1.0, 0.0]}
        assert served.call("POST", f"{V1}/{contract}/query", vector, key)[0] == status
        assert served.call("GET", f"{V1}/{contract}", key=key)[0] == status
        assert served.call("GET", f"{V1}/{contract}/entries", key=key)[0] == status
        assert served.call("POST", "/hnsw/query", vector | {"contract_id": contract}, key)[0] == status
        assert served.call("POST", "/hnsw/fetch", {"id": [0], "contract_id": contract}, key)[0] == status
        assert served.call("GET", f"/v1/knowledge/index/get_model?contract_id={contract}", key=key)[0] == status
    if key != "fk-unknown":
        listed = [each["contract_id"] for each in served.call("GET", V1, key=key)[1]["knowledge"]]
        assert (hidden in listed, shown in listed) == (private == 200, True)
    assert served.call("PATCH", f"{V1}/{hidden}", {"title": "T"}, key)[0] == write
    # what can be read but not written says so
    assert served.call("PATCH", f"{V1}/{shown}", {"title": "T"}, key)[0] == {404: 403}.get(write, write)
    if write != 200:
        assert served.call("DELETE", f"{V1}/{hidden}", key=key)[0] == write
        assert served.call("POST", "/v1/knowledge/remove", {"contract_id": hidden}, key)[0] == write
        assert served.call("GET", f"{V1}/{hidden}")[1]["count"] == 3


def test_a_stranger_has_names_of_his_own(served):
    mine = served.make("same")
    status, his = served.call("POST", V1, {"name": "same", "model": "vectors"}, "stranger")
    assert (status, his["owner"]) == (201, "other")
    assert served.call("GET", f"{V1}/same", key="stranger")[1]["contract_id"] == his["contract_id"] != mine


def test_keys_are_made_listed_and_revoked_by_command(tmp_path, capsys, serve):
    served = serve()
    folder = str(served.store.folder)
    main(["keys", "create", "laptop", "--store", folder, "--scope", "write", "--owner", "me"])
    secret = capsys.readouterr().out.strip()
    contract = served.make("k", ROWS)
    assert served.call("GET", f"{V1}/{contract}", key=secret)[0] == 200
    bearer = {"Authorization": f"Bearer {secret}"}
    assert served.raw("GET", f"{V1}/{contract}", headers=bearer)[0] == 200
    main(["keys", "list", "--store", folder, "--json"])
    listed = {key["name"]: key for key in json.loads(capsys.readouterr().out)}
    assert (listed["laptop"]["scope"], listed["laptop"]["revoked"]) == ("write", None)
    main(["keys", "revoke", "laptop", "--store", folder])
    time.sleep(1.05)
    assert served.call("GET", f"{V1}/{contract}", key=secret)[0] == 401
    with pytest.raises(SystemExit):
        main(["keys", "create", "laptop", "--store", folder])
    with pytest.raises(SystemExit):
        main(["keys", "revoke", "none", "--store", folder])
    with served.store.read() as c:
        c.execute("PRAGMA wal_checkpoint")
    stored = b"".join(path.read_bytes() for path in served.store.folder.glob(f"{FILE}*"))
    assert secret.encode() not in stored
    assert b"laptop" in stored


def test_a_key_has_one_of_the_scopes(tmp_path):
    store = Store(tmp_path / "s")
    with pytest.raises(ForetellError, match="scope is 'all'"):
        keys.create(store, "x", scope="all")
    assert keys.find(store, "fk-\ud800") is None
    store.close()


def test_a_knowledge_of_texts_is_made_without_torch(tmp_path):
    made = """
import sys
from foretell.search.storage.protocol import Key
from foretell.search.serve.library import Library
from foretell.search.storage.sqlite.store import Store

library = Library(Store(sys.argv[1]), "")
library.create(Key("k", "o", "write", "", None), "texts", model="bge-small-en-v1.5")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", made, str(tmp_path)], check=True, timeout=60)


# --- limits


def test_a_bucket_refills():
    rate = Rate(1000.0)
    assert sum(rate.wait("a") == 0 for _ in range(4000)) < 4000
    assert rate.wait("b") == 0
    time.sleep(0.01)
    assert rate.wait("a") == 0
    assert Rate(0).wait("a") == 0
    assert Rate(0.1).wait("a") == 0


def test_too_many_and_too_large_requests_are_refused(serve):
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


def test_it_tells_its_numbers_and_its_pages(served):
    assert served.raw("HEAD", "/health")[0] == 200
    served.call("GET", f"{V1}/nothing")
    text = served.raw("GET", "/metrics")[2].decode()
    assert f'foretell_requests_total{{method="GET",route="{V1}/{{name}}",status="404"}}' in text
    assert served.call("GET", "/health", key=None)[1]["status"] == "ok"
    paths = served.call("GET", "/api/v1/openapi.json", key=None)[1]["paths"]
    assert {"/hnsw/search", "/hnswt/insert_text", "/v1/knowledge/list", f"{V1}/{{name}}/search"} <= paths.keys()


# --- the command


def test_the_service_chooses_what_reranks(serve, colbert, tmp_path, capsys):
    folder = str(colbert(dim=4)[0])
    served = serve(reranker=folder)
    with Knowledge.create(served.store, "peaks", owner="me") as made:
        made.insert(["The soup is boiled in water.", "Its peak is ice."])
        contract = made.about.contract_id
    asked = {"query": "how high is mount everest", "rerank": True}
    hits = served.call("POST", f"{V1}/peaks/search", asked)[1]["results"]
    scores = load_reranker(folder).score(asked["query"], [hit["text"] for hit in hits]).tolist()
    assert [hit["scores"]["rerank"] for hit in hits] == scores
    assert hits[0]["text"] == "Its peak is ice."
    assert (
        "rerank" not in served.call("POST", f"{V1}/peaks/search", asked | {"rerank": False})[1]["results"][0]["scores"]
    )
    found = served.call("POST", "/hnsw/search", {"query": asked["query"], "contract_id": contract})[1]["data"]
    assert [hit["score"] for hit in found] == scores
    with pytest.raises(SystemExit):
        main(["serve", "--data", str(tmp_path / "d"), "--reranker", "none"])
    assert "no reranker 'none'" in capsys.readouterr().err


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
        ("PUT", V1, "GET, POST"),
        ("POST", f"{V1}/x", "GET, PATCH, DELETE"),
        ("GET", f"{V1}/x/files/a.txt", "PUT, DELETE"),
        ("POST", "/health", "GET, HEAD"),
    ):
        status, headers, _ = served.raw(method, path, headers={"x-api-key": served.keys["writer"]})
        assert (status, headers["allow"]) == (405, allowed)


def test_the_openapi_page_says_how_a_key_is_sent(served):
    page = served.call("GET", "/api/v1/openapi.json")[1]
    assert page["components"]["securitySchemes"]["key"]["name"] == "x-api-key"
    assert {} in page["security"]


@pytest.mark.parametrize("name", [".", "..", "two\nlines", "nul\0"])
def test_a_name_that_would_be_lost_is_refused(served, name):
    assert served.call("POST", V1, {"name": name})[0] == 400


def test_the_command_serves_and_stops_when_told(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "foretell", "serve", "--data", str(tmp_path / "d"), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/health")
        assert connection.getresponse().read().startswith(b'{"status":"ok"')
        connection.close()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "there is no key yet" in said
    assert "Traceback" not in said


def test_an_address_that_is_taken_is_said(served, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--data", str(tmp_path / "d"), "--port", str(served.port)])
    assert f"cannot serve at 127.0.0.1:{served.port} (Address already in use); choose" in capsys.readouterr().err


def test_a_small_knowledge_that_is_known_is_searched_without_a_thread(serve, monkeypatch):
    threads = []
    run = _Pool.run

    async def counted(pool, call):
        threads.append(call)
        return await run(pool, call)

    monkeypatch.setattr(_Pool, "run", counted)
    served = serve()
    contract = served.make("small", ROWS, public=True)

    def ask(path=f"{V1}/{contract}/query", key=None, **more):
        threads.clear()
        status, answer = served.call("POST", path, {"vector": [1.0, 0.1], **more}, key)
        assert status == 200
        return [hit["id"] for hit in answer.get("results", answer.get("data"))], len(threads)

    assert ask() == ([0, 1, 2], 1)  # it has to be read
    assert ask() == ([0, 1, 2], 0)
    assert ask(filter={"lang": "en"}) == ([0, 2], 1)  # who knows how long this takes
    assert ask("/hnsw/query", contract_id=contract) == ([0, 1, 2], 0)
    with Knowledge.open(served.store, contract) as same:
        same.delete([0])
    assert ask() == ([1, 2], 1)
    assert ask() == ([1, 2], 0)
    served.store.remove(contract)
    threads.clear()
    assert served.call("POST", f"{V1}/{contract}/query", {"vector": [1.0, 0.1]}, None)[0] == 401


def test_who_hangs_up_in_the_middle_of_an_upload_leaves_nothing(served, caplog):
    served.call("POST", V1, {"name": "cut"})
    key = served.keys["writer"]
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        head = f"PUT {V1}/cut/files/a.txt HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Length: 1000\r\n\r\nhalf"
        client.sendall(head.encode())
        incoming = served.store.folder / "incoming"
        _wait(lambda: incoming.is_dir() and any(incoming.iterdir()))
    _wait(lambda: not any(incoming.iterdir()))
    assert served.call("GET", f"{V1}/cut/files")[1]["files"] == []
    assert not [record for record in caplog.records if record.exc_info]


def _wait(until):
    for _ in range(1000):
        if until():
            return
        time.sleep(0.01)
    pytest.fail("it never came")


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_a_file_that_is_being_added_is_given_up_when_the_service_stops(serve, monkeypatch, caplog, accept):
    def endless(*_, **__):
        while True:
            time.sleep(0.01)
            yield Step("a.txt", 0, 1, 0, 1)

    monkeypatch.setattr("foretell.search.serve.api.steps", endless)
    served = serve()
    served.server.config.timeout_graceful_shutdown = 1
    served.call("POST", V1, {"name": "cut"})
    answers = []

    def send():
        try:
            headers = {"x-api-key": served.keys["writer"], "Accept": accept}
            answers.append(served.raw("PUT", f"{V1}/cut/files/a.txt", b"text", headers))
        except http.client.IncompleteRead as cut:
            answers.append(cut)

    sending = threading.Thread(target=send)
    sending.start()
    incoming = served.store.folder / "incoming"
    _wait(lambda: incoming.is_dir() and any(incoming.iterdir()))
    served.stop()
    sending.join()
    (answer,) = answers
    if accept == "application/json":
        assert answer[0] == 503
        assert b"send it again" in answer[2]
    else:
        assert isinstance(answer, http.client.IncompleteRead)
    assert not any(incoming.iterdir())
    assert not [record for record in caplog.records if record.exc_info]
