"""The same knowledges on a real Milvus server, also when the network breaks."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from importlib.util import find_spec

import numpy as np
import pytest
from tests.search.test_thumbnails import kept_through_everything

from foretell import ForetellError
from foretell.cli import main
from foretell.extras import missing
from foretell.search import Draft, Knowledge, open_backend
from foretell.search.serve import keys
from foretell.search.storage.protocol import Removed, Taken

START = """
import signal, sys, time
from milvus import MilvusServer
server = MilvusServer(wait_for_started=True)
server.set_base_dir(sys.argv[1])
server.start()
print(server.listen_port, flush=True)
time.sleep(10**6)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server, of its own or of `FORETELL_MILVUS` (`milvus://HOST:PORT`)."""
    if not find_spec("pymilvus"):
        pytest.skip(str(missing("pymilvus")))
    if own := os.environ.get("FORETELL_MILVUS"):
        yield own
        return
    if not find_spec("milvus"):
        pytest.skip("the PyPI package milvus, a real server, is not installed (there are wheels for x86-64 alone)")
    folder = tmp_path_factory.mktemp("milvus")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", START, folder / "data"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
    try:
        port = process.stdout.readline().strip()
        assert port, f"the server did not start: {(folder / 'log').read_text()}"
        yield f"milvus://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def where(server):
    """A store in a database of its own."""
    where = f"{server}/test_{uuid.uuid4().hex[:8]}"
    open_backend(where, create=True).close()
    return where


@pytest.fixture(scope="module")
def backend(where):
    store = open_backend(where)
    yield store
    store.close()


WORDS = ["en", "d'\"e\\", "ü\n", "and 1 == 1", "", "zz"]


def drafts(n=300, dimension=16):
    """Entries of all kinds."""
    x = np.random.default_rng(0).standard_normal((n, dimension)).astype(np.float32)
    for i in range(n):
        metadata = {"n": i - 100, "lang": WORDS[i % 6], "even": i % 2 == 0, "half": i / 2, 'a"b/~': i % 5}
        time = (i / 2, i / 2 + 1) if i % 3 == 0 else None
        yield Draft(f"text {i} ✓", x[i], i % 7 or None, time, metadata if i % 4 else {}, f"{i:032x}")


@pytest.fixture(scope="module")
def both(tmp_path_factory, backend):
    """The same entries in a folder and on the server."""
    made = []
    for store in (tmp_path_factory.mktemp("folder") / "store", backend):
        made.append(Knowledge.create(store, "both", model="vectors"))
        made[-1].write(list(drafts()))
    yield made
    for each in made:
        each.close()


def test_a_server_keeps_thumbnails_through_everything(backend):
    kept_through_everything(backend)
    Knowledge.remove(backend, "small")


def test_both_backends_find_the_same(both):
    folder, server = both
    queries = np.random.default_rng(1).standard_normal((5, 16))
    everything = {"n": {">": -1000}}
    filters = [None, everything, {"lang": "en"}, {"lang": WORDS[1]}, {"lang": WORDS[:3]}, {"lang": {"!=": "en"}}]
    filters += [{"even": True}, {"even": {"!=": 1}}, {"half": {">=": 10.5, "<": 90}}, {"n": [1, 2, 3.0, "4"]}]
    filters += [{"n": "1"}, {'a"b/~': 3}, {"page": 4}, {"page": {"<": 3}, "even": False}, {"none": {"!=": 1}}]
    filters += [{"n": {"!=": [1, 2.5, "4"]}}, {"lang": {"!=": WORDS[:2]}}, {"half": [*range(9999), 0.5]}]
    for filter in filters:
        for query in queries:
            ours, theirs = (k.query(query, 20, level=4, filter=filter) for k in both)
            assert [hit.key for hit in theirs] == [hit.key for hit in ours], filter
            np.testing.assert_allclose([h.score for h in theirs], [h.score for h in ours], atol=1e-5)
            assert [(h.text, h.page, h.time, h.metadata) for h in theirs] == [
                (h.text, h.page, h.time, h.metadata) for h in ours
            ]
    assert len(server.query(queries[0], 300, level=0)) == len(folder.query(queries[0], 300)) == 300


def test_the_same_keys_again_add_nothing(both):
    server = both[1]
    ids = server.write(list(drafts(20)))
    assert server.about.count == 300
    assert all(0 <= id < 2**53 for id in ids)
    assert [entry.key for entry in server.fetch(ids)] == [draft.key for draft in drafts(20)]
    pages = [entry.id for entry in server.entries(0, 200)]
    pages += [entry.id for entry in server.entries(pages[-1] + 1, 200)]
    assert len(set(pages)) == 300
    assert pages == sorted(pages)


def test_it_moves_between_a_server_and_a_folder(both, tmp_path, backend):
    server = both[1]
    back = tmp_path / "back"
    with Knowledge.import_(back, server.export(tmp_path / "a.parquet")) as folder:
        assert folder.about == server.about
        assert {e.key: e.id for e in folder.entries(0, 300)} == {e.key: e.id for e in server.entries(0, 300)}
    with pytest.raises(Taken):
        Knowledge.import_(backend, tmp_path / "a.parquet")
    with Knowledge.import_(backend, both[0].export(tmp_path / "b.parquet"), "again") as again:
        assert [e.id for e in again.entries(0, 10)] == list(range(10))  # as they were
        (new,) = again.write([Draft("new", np.ones(16, np.float32), key="new")])
        assert new not in range(300)
        assert again.write([next(drafts(1))]) == [0]
    Knowledge.remove(backend, "again")


def test_entries_are_changed_and_deleted_and_knowledges_removed(backend):
    with Knowledge.create(backend, "short", owner="me", model="vectors") as k:
        assert (k.entries(), k.query([1.0, 0.0]), k.about.count, k.delete([1])) == ([], [], 0, 0)
        one, two = k.insert_vectors([[1.0, 0.0], [0.0, 1.0]], [{"a": 1}, {"a": 2}])
        k.update(one, vector=[0.0, 2.0], metadata={"b": True})
        assert [h.score for h in k.query([0.0, 1.0])] == [1.0, 1.0]
        assert [h.id for h in k.query([0.0, 1.0], filter={"b": True})] == [one]
        assert k.delete([one, one + 1]) == 1
        assert [h.id for h in k.query([0.0, 1.0])] == [two]
        for use, said in (
            (lambda: k.fetch([one]), "no entry"),
            (lambda: k.query([1.0, 2.0, 3.0]), "has 3 numbers, but this knowledge has 2"),
            (lambda: k.insert_vectors([[1.0, 2.0, 3.0]]), "vector 0 has 3 numbers, expected 2"),
            (lambda: k.insert_vectors([[1.0, 2.0]], texts=["x" * 70_000]), "takes 65,535: split it"),
            (lambda: k.insert_vectors([[1.0, 2.0]], [{"x": "y" * 70_000}]), "metadata of an entry takes more"),
            (lambda: k.collection.search(np.ones(2, np.float32), 1, 1, None, "words"), "hybrid search needs"),
            (lambda: backend.backup("x"), "milvus-backup"),
            (lambda: k.query([1.0, 2.0], filter={}), "filter is empty"),
        ):
            with pytest.raises(ForetellError, match=said):
                use()
        assert k.describe(title="T", public=True).title == "T"
        with pytest.raises(Taken):
            Knowledge.create(backend, "short", owner="me", model="vectors")
        Knowledge.create(backend, "other", owner="me", model="vectors").close()
        with pytest.raises(Taken):
            k.describe(name="other")
        Knowledge.remove(backend, "other")
        Knowledge.remove(backend, k.about.contract_id)
        for use in (lambda: k.about, lambda: k.query([1.0, 0.0]), lambda: k.insert_vectors([[1.0, 0.0]])):
            with pytest.raises(Removed):
                use()


def test_keys(backend):
    secret = keys.create(backend, "a", "me", "write")
    assert keys.find(backend, secret).owner == "me"
    assert keys.find(backend, "no") is None
    with pytest.raises(ForetellError, match="there is, or was, a key 'a'"):
        keys.create(backend, "a")
    keys.revoke(backend, "a")
    assert keys.find(backend, secret) is None
    assert [key.revoked is None for key in keys.list_keys(backend)] == [False]
    with pytest.raises(ForetellError, match="has no key 'b'"):
        keys.revoke(backend, "b")


def test_commands(where, tmp_path, capsys):
    def run(*words):
        main(["knowledge", *map(str, words), "--store", where])
        return capsys.readouterr().out

    file = tmp_path / "a.csv"
    file.write_text("text,n\nThe cat slept on the sill.,1\nRockets burn hydrogen.,2\n")
    run("create", "notes", "--title", "Notes")
    assert run("add", "notes", file) == "2 entries of 1 files added; 0 files unchanged\n"
    assert run("add", "notes", file) == "0 entries of 0 files added; 1 files unchanged\n"
    file.write_text("text,n\nThe cat slept on the sill.,1\nBread needs time.,2\n")
    assert run("add", "notes", file) == "1 entries of 1 files added, 1 removed; 0 files unchanged\n"
    assert json.loads(run("show", "notes", "--json"))["file_type"] == "CSV"
    assert "2 entries" in run("list")
    found = json.loads(run("search", "notes", "a pet resting", "--filter", "n<5", "--rerank", "--json"))["results"]
    assert found[0]["text"] == "The cat slept on the sill."
    with pytest.raises(SystemExit):
        run("search", "notes", "cat", "--hybrid")
    assert "hybrid search needs a store in a folder" in capsys.readouterr().err
    assert run("files", "notes").split() == ["2", "entries", "CSV", "a.csv"]
    assert run("remove", "notes", "--file", "a.csv") == "2 entries removed\n"
    assert (run("files", "notes"), json.loads(run("show", "notes", "--json"))["count"]) == ("", 0)
    assert run("add", "notes", file) == "2 entries of 1 files added; 0 files unchanged\n"
    run("remove", "notes")


def test_files_that_change_names_lose_nothing(backend, tmp_path):
    def now():
        return sorted((entry.text, entry.metadata["source"]) for entry in k.entries())

    one, two, three = (tmp_path / f"{name}.txt" for name in ("one", "two", "three"))
    with Knowledge.create(backend, "renamed") as k:
        one.write_text("First.")
        k.add(one)
        one.rename(two)
        one.write_text("Second.")
        k.add(tmp_path)
        assert now() == [("First.", "two.txt"), ("Second.", "one.txt")]
        one.rename(three)
        two.rename(one)
        three.rename(two)
        k.add(tmp_path)
        assert now() == [("First.", "one.txt"), ("Second.", "two.txt")]
        three.write_text("First.")
        assert k.add(tmp_path).unchanged == 3
        assert [(file.name, file.entries) for file in k.files()] == [(f"{n}.txt", 1) for n in ("one", "three", "two")]
        assert k.remove_file("one.txt") == 1
        assert now() == [("First.", "three.txt"), ("Second.", "two.txt")]
        three.write_text("")
        assert k.add(three).removed == 1
        assert now() == [("Second.", "two.txt")]
    Knowledge.remove(backend, "renamed")


def test_a_service_on_a_server(backend):
    from starlette.testclient import TestClient

    from foretell.search.serve.app import build

    key = keys.create(backend, "service", "me", "write")
    with TestClient(build(backend), headers={"x-api-key": key}) as client:
        made = client.post("/api/v1/knowledge", json={"name": "web", "model": "bge-small-en-v1.5"})
        assert made.status_code == 201, made.text
        added = client.put("/api/v1/knowledge/web/files/a.txt", content=b"The cat slept on the warm sill.")
        assert added.json()["entries"] == 1
        found = client.post("/api/v1/knowledge/web/search", json={"query": "a pet"}).json()["results"]
        assert found[0]["text"] == "The cat slept on the warm sill."
        assert client.get(f"/api/v1/knowledge/web/entries/{found[0]['id']}").json()["key"] == found[0]["key"]
        assert client.get("/health").json()["status"] == "ok"
        assert client.delete("/api/v1/knowledge/web").status_code == 204


class Wire:
    """A network that can be cut: until then all bytes are passed on."""

    def __init__(self, port):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port, self._to, self._open = self._listening.getsockname()[1], port, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                here = self._listening.accept()[0]
            except OSError:
                return
            there = socket.create_connection(("127.0.0.1", self._to))
            self._open += [here, there]
            for a, b in ((here, there), (there, here)):
                threading.Thread(target=self._pass, args=(a, b), daemon=True).start()

    def _pass(self, a, b):
        try:
            while part := a.recv(65536):
                b.sendall(part)
        except OSError:
            pass

    def tear(self):
        for each in (self._listening, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def test_a_torn_network_and_a_server_that_is_down_end_in_a_sentence(where, both, monkeypatch):
    from foretell.search.storage.milvus import client

    monkeypatch.setattr(client, "WAIT", 2.0)
    monkeypatch.setattr(client, "FIRST", 2.0)
    address, database = where.removeprefix("milvus://").split("/")
    wire = Wire(int(address.split(":")[1]))
    with Knowledge.open(f"milvus://127.0.0.1:{wire.port}/{database}", "both") as k:
        assert len(k.query(np.ones(16), 3)) == 3
        wire.tear()
        for use in (lambda: k.query(np.ones(16)), lambda: k.insert_vectors(np.ones((1, 16))), lambda: k.entries()):
            with pytest.raises(ForetellError, match="no Milvus server answers there"):
                use()
    with pytest.raises(ForetellError, match="no Milvus server answers there"):
        open_backend(f"milvus://127.0.0.1:{wire.port}/{database}")
    assert both[1].about.count == 300


@pytest.mark.parametrize(
    "where", ["http://x", "milvus://", "milvus://h:p", "milvus://u:secret@h/a/b", "milvus://h:99999999"]
)
def test_what_is_no_address_is_refused(where):
    with pytest.raises(ForetellError, match="expected a folder or milvus://HOST:PORT/DATABASE") as refused:
        open_backend(where)
    assert "secret" not in str(refused.value)
