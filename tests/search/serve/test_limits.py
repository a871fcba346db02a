"""Work that nobody waits for stops, and no caller can take more than a share."""

import base64
import http.client
import io
import json
import socket
import threading
import time
import zlib

import pytest
from PIL import Image

from foretell.search import Knowledge, knowledge
from foretell.search.serve import readers as module

V1 = "/api/v1/knowledge"
TEXTS = [
    "The cat slept on the warm windowsill.",
    "Rockets burn hydrogen and oxygen.",
    "Bread dough needs time to rise.",
]


@pytest.fixture
def counted(monkeypatch):
    """The passages that were read, each slowly, without a model."""
    read = []

    def scores(worker, name, seconds, query, passages):
        from foretell.stop import check

        for passage in passages:
            check()
            read.append(passage)
            time.sleep(0.02)
            yield len(passage) / 1000

    monkeypatch.setattr(module.reranking, "scores_in", scores)
    return read


def texts(served, name, many, public=False):
    """A knowledge of many short texts with vectors of their own, whose model embeds queries."""
    with Knowledge.create(served.store, name, owner="me", public=public) as made:
        rows = [[1.0] + [0.0] * 382 + [i / many] for i in range(many)]
        made.insert_vectors(rows, texts=[f"text {'x' * (i % 7)} {i}" for i in range(many)])


def test_no_more_than_a_share_of_the_results_is_read(serve, counted):
    served = serve(reranked=30)
    texts(served, "many", 120, public=True)
    contract = served.call("GET", f"{V1}/many")[1]["contract_id"]
    asked = {"query": "text", "top": 100, "rerank": True}
    for key, most in (("reader", 30), (None, 20)):  # a request without a key gets less
        counted.clear()
        status, answer = served.call("POST", f"{V1}/{contract}/search", asked, key)
        assert (status, len(answer["results"]), len(counted), answer["unread"]) == (200, 100, most, 100 - most)
        read = [hit for hit in answer["results"] if "rerank" in hit["scores"]]
        assert read == answer["results"][:most]
        assert [hit["score"] for hit in read] == sorted((hit["score"] for hit in read), reverse=True)


def test_a_caller_who_hangs_up_stops_the_reranker(serve, counted):
    served = serve(reranked=200)
    texts(served, "many", 200)
    body = json.dumps({"query": "text", "top": 200, "rerank": True}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    headers = {"x-api-key": served.keys["reader"], "Content-Type": "application/json"}
    connection.request("POST", f"{V1}/many/search", body, headers)
    while len(counted) < 3:
        time.sleep(0.01)
    connection.close()
    time.sleep(0.3)
    read = len(counted)
    time.sleep(0.3)
    assert len(counted) == read < 100


def test_searches_do_not_wait_for_rerankers_and_the_service_ends_in_time(serve, counted):
    served = serve(reranked=200)
    served.server.config.timeout_graceful_shutdown = 1
    texts(served, "many", 200, public=True)
    contract = served.call("GET", f"{V1}/many")[1]["contract_id"]
    asked = {"query": "text", "top": 200, "rerank": True}
    callers = [threading.Thread(target=served.call, args=("POST", f"{V1}/many/search", asked)) for _ in range(8)]
    for caller in callers:
        caller.start()
    while not counted:
        time.sleep(0.01)
    start = time.monotonic()
    assert served.call("POST", f"{V1}/{contract}/search", {"query": "text"}, None)[0] == 200
    assert time.monotonic() - start < 3
    served.stop()
    assert time.monotonic() - start < 10
    for caller in callers:
        caller.join()


def test_a_long_post_of_one_owner_stops_no_write_of_another(serve, monkeypatch):
    served, gate, begun = serve(), threading.Event(), threading.Event()
    embedded = knowledge.change.of_texts

    def slowly(model, texts, *rest, **options):
        if len(texts) > 1:
            begun.set()
            assert gate.wait(60)
        return embedded(model, texts, *rest, **options)

    monkeypatch.setattr(knowledge.change, "of_texts", slowly)
    texts(served, "many", 3)
    long, short = {"entries": [{"text": text} for text in TEXTS]}, {"entries": [{"text": TEXTS[0]}]}
    sent = [threading.Thread(target=served.call, args=("POST", f"{V1}/many/entries", long)) for _ in range(4)]
    for each in sent:
        each.start()
    assert begun.wait(30)
    contract = served.call("GET", f"{V1}/many")[1]["contract_id"]
    try:
        assert served.call("POST", f"{V1}/{contract}/entries", short, "admin") == (201, {"ids": [3]})
    finally:
        gate.set()
        for each in sent:
            each.join()
    assert served.call("GET", f"{V1}/many")[1]["count"] == 3 + 1 + 4 * 3


def test_the_reranker_reads_in_a_process_of_its_own(served):
    served.call("POST", V1, {"name": "read"})
    served.call("POST", f"{V1}/read/entries", {"entries": [{"text": text} for text in TEXTS]})
    vector = served.call("GET", f"{V1}/read/entries?vectors=true")[1]["entries"][0]["vector"]
    served.call("POST", f"{V1}/read/entries", {"entries": [{"vector": vector}]})
    status, answer = served.call("POST", f"{V1}/read/search", {"query": "spaceflight fuel", "rerank": True})
    assert (status, answer["unread"]) == (200, 1)
    assert answer["results"][0]["text"] == TEXTS[1]
    assert (answer["results"][-1]["text"], answer["results"][-1]["scores"].keys()) == ("", {"vector"})


def bomb(side):
    """A PNG of one colour: a few kilobytes, and side² pixels."""
    head = b"\x89PNG\r\n\x1a\n"

    def chunk(name, data):
        return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")

    rows = zlib.compress(bytes(side * (side // 8 + 1)), 9)
    size = side.to_bytes(4, "big") * 2 + b"\x01\x00\x00\x00\x00"
    return head + chunk(b"IHDR", size) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_picture_of_many_pixels_is_refused_before_it_is_decoded(served):
    served.call("POST", V1, {"name": "photos", "model": "iwm-mini"})
    large = bomb(8000)
    status, refused = served.call("POST", f"{V1}/photos/search", {"image": base64.b64encode(large).decode()})
    assert (status, "more than 25 megapixels; send a smaller one" in refused["detail"]) == (400, True)
    status, refused = served.call("PUT", f"{V1}/photos/files/large.png", large)
    assert (status, "more than 25 megapixels" in refused["detail"]) == (400, True)
    Image.new("RGB", (40, 40), (200, 30, 30)).save(small := io.BytesIO(), "PNG")
    assert served.call("PUT", f"{V1}/photos/files/small.png", small.getvalue())[1]["entries"] == 1
    asked = {"image": base64.b64encode(small.getvalue()).decode()}
    assert served.call("POST", f"{V1}/photos/search", asked)[1]["results"][0]["score"] > 0.999
    play_list = b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"
    status, refused = served.call("POST", f"{V1}/photos/search", {"video": base64.b64encode(play_list).decode()})
    assert (status, "/etc" in refused["detail"]) == (400, False)


def test_a_file_that_is_parsed_stops_when_its_sender_leaves(served, tmp_path):
    served.call("POST", V1, {"name": "slow"})
    served.call("POST", V1, {"name": "quick"}, "stranger")
    page = b"<p>word " * 60_000 + b"<style>" + b"p p p p p p p {display:none} " * 400 + b"</style>"
    key = served.keys["writer"]
    head = f"PUT {V1}/slow/files/a.html HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Length: {len(page)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        client.sendall(head.encode() + page)
        time.sleep(0.3)
        assert served.call("PUT", f"{V1}/quick/files/b.txt", b"Another owner's file.", "stranger")[0] == 200
    end = time.monotonic() + 20
    folder = served.store.folder
    while list(folder.glob("incoming/*/*/*")) and time.monotonic() < end:
        time.sleep(0.05)
    assert not list(folder.glob("incoming/*/*/*"))


def test_what_killed_services_left_is_removed_and_nothing_of_others(serve, tmp_path):
    from foretell.search.serve.api.uploads import incoming

    folder = tmp_path / "incoming"
    (folder / "old" / "upload").mkdir(parents=True)
    (folder / "old" / "upload" / "a.txt").write_text("left")
    (folder / "stray").write_text("left")
    with incoming(folder) as first:
        assert [each.name for each in folder.iterdir()] == [first.name]
        (first / "upload").mkdir()
        with incoming(folder) as second:
            assert (first / "upload").is_dir()
            assert second != first
    assert not list(folder.iterdir())
