"""The gate alone, in front of a small app."""

from types import SimpleNamespace

import pytest

from foretell.http import gate
from foretell.http.gate import Rate


@pytest.fixture
def now(monkeypatch):
    """The time of the gate's clock: it stands still, however slow the machine is."""
    clock = [0.0]
    monkeypatch.setattr(gate, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    return clock


def test_a_bucket_refills(now):
    rate = Rate(1000.0)
    assert sum(rate.wait("a") == 0 for _ in range(4000)) == 2000
    assert rate.wait("b") == 0
    now[0] = 0.01
    assert sum(rate.wait("a") == 0 for _ in range(100)) == 10
    assert Rate(0).wait("a") == 0
    assert Rate(0.1).wait("a") == 0


@pytest.mark.parametrize(
    ("headers", "caller"),
    [({}, None), ({"x-api-key": "secret"}, "mine"), ({"authorization": "Bearer secret"}, "mine")],
)
def test_a_key_comes_in_either_header(client, headers, caller):
    assert client().get("/caller", headers=headers).json() == {"caller": caller}


def test_an_unknown_key_is_refused_everywhere(client):
    answer = client().get("/caller", headers={"x-api-key": "other"})
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["detail"] == "this API key is not known here, or was revoked"


def test_a_key_is_remembered_until_it_is_no_longer_fresh(client, now):
    to = client()
    for _ in range(3):
        assert to.get("/caller", headers={"x-api-key": "secret"}).status_code == 200
    assert to.asked == ["secret"]
    del to.keys["secret"]
    assert to.get("/caller", headers={"x-api-key": "secret"}).status_code == 200
    now[0] = gate.FRESH + 0.1
    assert to.get("/caller", headers={"x-api-key": "secret"}).status_code == 401


def test_bodies_may_be_as_large_as_the_limit(client):
    to = client(body=10, upload=20)
    for method, limit in (("POST", 10), ("PUT", 20)):
        assert to.request(method, "/length", content=b"x" * limit).json() == {"length": limit}
        for too_long in (b"x" * (limit + 1), iter([b"x" * limit, b"x"])):  # with its length said, and in chunks
            answer = to.request(method, "/length", content=too_long)
            assert (answer.status_code, f"larger than {limit} bytes" in answer.json()["detail"]) == (413, True)


@pytest.mark.usefixtures("now")
def test_one_caller_does_not_use_up_the_rate_of_another(client):
    to = client(rate=1.0)
    statuses = [to.get("/caller").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert to.get("/caller", headers={"x-api-key": "secret"}).status_code == 200


@pytest.mark.usefixtures("now")
def test_unknown_keys_are_looked_up_no_faster_than_the_rate(client):
    to = client(rate=1.0)
    statuses = [to.get("/caller", headers={"x-api-key": f"random {i}"}).status_code for i in range(60)]
    assert statuses[:2] == [401] * 2
    assert statuses.count(429) == 58
    assert len(to.asked) == statuses.count(401)
    assert to.get("/caller").status_code == 200  # a request without a key from the same address


def test_who_watches_the_service_is_not_refused(client):
    to = client(rate=1.0)
    assert {to.get("/metrics").status_code for _ in range(10)} == {200}
    assert to.get("/metrics", headers={"x-api-key": "unknown"}).status_code == 200
    assert not to.asked


def test_every_request_is_counted_by_its_route(client):
    to = client()
    for path in ("/caller", "/caller", "/nothing", "/nothing/else"):
        to.get(path)
    to.get("/caller", headers={"x-api-key": "other"})
    text = to.get("/metrics").text
    assert 'foretell_requests_total{method="GET",route="/caller",status="200"} 2.0' in text
    assert 'foretell_requests_total{method="any",route="none",status="404"} 2.0' in text
    assert 'foretell_requests_total{method="any",route="none",status="401"} 1.0' in text
    assert "foretell_requests_working 1.0" in text
