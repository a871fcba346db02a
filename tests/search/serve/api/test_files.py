"""Files over HTTP: they are added, replaced and removed, and nothing of an upload stays behind."""

import http.client
import json
import socket
import threading
import time

import pytest

from foretell.search.add import AddProgress

V1 = "/api/v1/knowledge"


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
    from foretell.http import work

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
            yield AddProgress("a.txt", 0, 1, 0, 1)

    monkeypatch.setattr("foretell.search.serve.api.files.steps", endless)
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
