"""Every error is answered in one sentence."""

import socket

import pytest

from foretell.errors import ForetellError
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
