"""A small app behind the gate, that knows nothing of search."""

from typing import NamedTuple

import pytest
from fastapi import Request, Response
from starlette.testclient import TestClient

from foretell.errors import ForetellError
from foretell.http.gate import Gate
from foretell.http.json import Json
from foretell.http.metrics import Metrics
from foretell.http.refusal import Refused, problem
from foretell.http.service import Service, add_error_handlers
from foretell.http.settings import ServiceSettings
from foretell.http.work import Work


class Holder(NamedTuple):
    name: str


def respond(request, error):
    return problem(error if isinstance(error, Refused) else Refused(400, str(error)))


@pytest.fixture
def client():
    """A client of the app. `client.keys` are the holders by key, `client.asked` the keys that were looked up."""
    running = []

    def start(**settings):
        service, work, metrics = Service(), Work(4), Metrics()
        keys, asked = {"secret": Holder("mine")}, []

        def find(secret):
            asked.append(secret)
            return keys.get(secret)

        @service.get("/caller")
        async def caller(request: Request) -> Response:
            return Json({"caller": request.state.caller and request.state.caller.name})

        @service.post("/length")
        @service.put("/length")
        async def length(request: Request) -> Response:
            return Json({"length": len(await request.body())})

        @service.get("/number")
        async def number(n: int) -> Response:
            if n == 0:
                raise ZeroDivisionError("a secret of this machine")
            if n < 0:
                raise ForetellError(f"n is {n}, expected 0 or more")
            return Json({"n": n})

        @service.get("/metrics")
        async def numbers() -> Response:
            return Response(metrics.text())

        add_error_handlers(service, respond)
        settings = ServiceSettings(**{"rate": 0, **settings})
        service.add_middleware(Gate, find=find, respond=respond, settings=settings, work=work, metrics=metrics)
        client = TestClient(service, raise_server_exceptions=False)
        client.keys, client.asked = keys, asked
        running.append(work)
        return client

    yield start
    for work in running:
        work.close()
