"""Files over HTTP: they are added, replaced and removed, and nothing of an upload stays behind."""

import http.client
import json
import socket
import threading
import time

import pytest

from foretell.http.refusal import Refused
from foretell.search import Knowledge
from foretell.search.add import AddProgress

V1 = "/api/v1/knowledge"


def uploads(served):
    """The uploads that lie in the folder of a service."""
    return served.store.folder.glob("incoming/*/*/*")


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
    assert not list(uploads(served))


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


def form(name, content, field="file"):
    """The body of a form with a file, and its type."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--XX--\r\n", "multipart/form-data; boundary=XX"


def test_the_file_of_a_form_is_stored_without_its_envelope(served):
    served.call("POST", V1, {"name": "forms"})
    key = served.keys["writer"]
    body, kind = form("b.txt", b"Rockets burn hydrogen.")
    for method, path in (("PUT", f"{V1}/forms/files/a.txt"), ("POST", f"{V1}/forms/files")):
        status, _, answer = served.raw(method, path, body, {"x-api-key": key, "Content-Type": kind})
        assert status == 200, answer
    names = [file["name"] for file in served.call("GET", f"{V1}/forms/files")[1]["files"]]
    assert names == ["a.txt", "b.txt"]
    assert [e["text"] for e in served.call("GET", f"{V1}/forms/entries")[1]["entries"]] == ["Rockets burn hydrogen."]
    empty = form("", b"")[0].replace(b'; filename=""', b"")
    for content, type_, said in (
        (empty, kind, b"the form holds no file"),
        (form("../x.txt", b"x")[0], kind, b"expected a plain name"),
        (b"nothing", kind, b""),
        (b"text", "text/plain", b"expected a form with a file"),
    ):
        headers = {"x-api-key": key, "Content-Type": type_}
        status, _, answer = served.raw("POST", f"{V1}/forms/files", content, headers)
        assert status in (400, 415)
        assert said in answer


def test_files_of_one_name_are_told_apart_and_each_is_removed(served, tmp_path):
    served.call("POST", V1, {"name": "named"})
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "readme.md").write_text(f"Mill {folder} grinds barley.")
    with Knowledge.open(served.store, "named", owner="me") as same:
        same.add(tmp_path)
        assert [file.name for file in same.files()] == ["a/readme.md", "b/readme.md"]
    served.call("PUT", f"{V1}/named/files/readme.md", b"An upload of that name.")
    put = f"{V1}/named/files"
    assert [f["name"] for f in served.call("GET", put)[1]["files"]] == ["a/readme.md", "b/readme.md", "readme.md"]
    assert served.call("DELETE", f"{put}/readme.md")[0] == 204
    status, refused = served.call("DELETE", f"{put}/readme.md")
    assert (status, refused["detail"]) == (
        400,
        "2 files called 'readme.md' were added here: give one of 'a/readme.md', 'b/readme.md'",
    )
    assert served.call("DELETE", f"{put}/a%2Freadme.md")[0] == 204
    assert [f["name"] for f in served.call("GET", put)[1]["files"]] == ["readme.md"]
    assert served.call("DELETE", f"{put}/readme.md")[0] == 204


def test_files_of_the_same_content_are_each_there(served):
    served.call("POST", V1, {"name": "twins"})
    for name in ("a", "b"):
        assert served.call("PUT", f"{V1}/twins/files/{name}.txt", b"The same.")[0] == 200
    assert served.call("PUT", f"{V1}/twins/files/a.txt", b"Another.")[1]["entries"] == 1
    entries = served.call("GET", f"{V1}/twins/entries")[1]["entries"]
    assert {(e["text"], e["metadata"]["source"]) for e in entries} == {("The same.", "b.txt"), ("Another.", "a.txt")}
    assert served.call("DELETE", f"{V1}/twins/files/b.txt")[0] == 204


def test_an_upload_that_is_not_taken_is_removed(serve, monkeypatch):
    async def refuse(caller):
        raise Refused(503, "too many requests are waiting; try again")

    served = serve()
    monkeypatch.setattr(served.app.state.work.files, "_turn", refuse)
    served.call("POST", V1, {"name": "full"})
    for accept in ("application/json", "application/x-ndjson"):
        headers = {"x-api-key": served.keys["writer"], "Accept": accept}
        assert b"too many requests are waiting" in served.raw("PUT", f"{V1}/full/files/a.txt", b"A text.", headers)[2]
    assert not list(uploads(served))


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
    while list(uploads(served)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not list(uploads(served))
    assert served.call("GET", f"{V1}/left")[1]["count"] == 0
    assert served.call("PUT", f"{V1}/left/files/a.csv", rows)[1]["entries"] == 20


def test_who_hangs_up_in_the_middle_of_an_upload_leaves_nothing(served, caplog):
    served.call("POST", V1, {"name": "cut"})
    key = served.keys["writer"]
    with socket.create_connection(("127.0.0.1", served.port)) as client:
        head = f"PUT {V1}/cut/files/a.txt HTTP/1.1\r\nHost: x\r\nx-api-key: {key}\r\nContent-Length: 1000\r\n\r\nhalf"
        client.sendall(head.encode())
        _wait(lambda: any(uploads(served)))
    _wait(lambda: not any(uploads(served)))
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
    _wait(lambda: any(uploads(served)))
    served.stop()
    sending.join()
    (answer,) = answers
    if accept == "application/json":
        assert answer[0] == 503
        assert b"send it again" in answer[2]
    else:
        assert isinstance(answer, http.client.IncompleteRead)
    assert not list(uploads(served))
    assert not [record for record in caplog.records if record.exc_info]
