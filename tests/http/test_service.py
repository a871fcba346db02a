"""Every error is answered in one sentence."""

import socket
import threading
import time

import pytest
import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from foretell.errors import ForetellError
from foretell.http import service
from foretell.http.service import Service, run


@pytest.mark.parametrize(
    ("method", "path", "status", "sentence"),
    [
        ("GET", "/nothing", 404, "there is nothing at this path"),
        ("GET", "/length", 405, "GET is not for this path"),
        ("GET", "/number", 400, "n: field required"),
        ("GET", "/number?n=x", 400, "n: input should be a valid integer, unable to parse string as an integer"),
        ("GET", "/number?n=-1", 400, "n is -1, expected 0 or more"),
        ("GET", "/number?n=0", 500, "something is wrong with the service; see its log"),
    ],
)
def test_an_error_is_a_problem_with_one_sentence(client, method, path, status, sentence):
    answer = client().request(method, path)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"], answer.json()["detail"]) == (status, status, sentence)


def test_a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes(client):
    assert client().delete("/length").headers["allow"] == "POST, PUT"


def test_an_address_that_cannot_be_used_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ForetellError, match=f"cannot serve at 127.0.0.1:{port} .*choose another --host or --port"):
            run(Service(), "127.0.0.1", port, "nothing")
    with pytest.raises(ForetellError, match=r"cannot serve at 256\.0\.0\.1:0 \("):
        run(Service(), "256.0.0.1", 0, "nothing")


def test_a_client_that_says_nothing_is_left(monkeypatch):
    monkeypatch.setattr(service, "SILENCE", 0.3)
    app = Service()

    @app.get("/slow")
    def slow() -> str:
        time.sleep(1)
        return "done"

    config = uvicorn.Config(app, port=0, log_level="warning", http=service.impatient(AutoHTTPProtocol))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    address = server.servers[0].sockets[0].getsockname()
    try:
        for said in (b"", b"GET /slow HTT", b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nha"):
            with socket.create_connection(address, timeout=20) as client:
                client.sendall(said)
                while client.recv(1000):
                    pass
        with socket.create_connection(address, timeout=20) as client:  # it is the service that is slow here
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
    finally:
        server.should_exit = True
        thread.join()
