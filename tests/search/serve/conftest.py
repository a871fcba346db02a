"""A service at a port, and a caller that sends bytes to it."""

import http.client
import json
import threading
import time

import pytest
import uvicorn

from foretell.http.settings import ServiceSettings
from foretell.search import Knowledge, Store
from foretell.search.models.cross_encoder import DEFAULT
from foretell.search.serve import keys
from foretell.search.serve.app import build


class Served:
    """A running service."""

    def __init__(self, folder, settings, **choices):
        self.store = Store(folder)
        self.keys = {
            name: keys.create(self.store, name, owner, scope)
            for name, owner, scope in (
                ("reader", "me", "read"),
                ("writer", "me", "write"),
                ("stranger", "other", "write"),
                ("admin", "", "admin"),
            )
        }
        self.app = self.build(settings, **choices)
        config = uvicorn.Config(self.app, port=0, log_level="warning", access_log=False)
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        while not self.server.started:
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def build(self, settings, **choices):
        """The application that runs."""
        return build(self.store, settings, **choices)

    def raw(self, method, path, body=b"", headers=None):
        """Status, headers and bytes of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)  # a busy machine is not a failure
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def call(self, method, path, body=None, key="writer"):
        """Status and content of an answer in JSON."""
        headers = {"x-api-key": self.keys.get(key, key)} if key else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
        sent = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, content = self.raw(method, path, sent, headers)
        return status, json.loads(content) if content else None

    def make(self, name, rows=(), **about):
        """A knowledge of vectors [2]; its contract id."""
        with Knowledge.create(self.store, name, owner="me", model="vectors", **about) as made:
            if rows:
                made.insert_vectors([row[0] for row in rows], [row[1] for row in rows])
            return made.about.contract_id

    def stop(self):
        """Tell it to end, and wait until it has."""
        self.server.should_exit = True
        self._thread.join()

    def close(self):
        self.stop()
        self.store.close()


@pytest.fixture
def serve(tmp_path):
    """Start a service with other settings, another reranker, or other choices for Dria's clients."""
    running = []

    def start(reranker=DEFAULT, dria=None, **settings):
        folder, settings = tmp_path / f"store{len(running)}", ServiceSettings(**{"rate": 0, **settings})
        running.append(Served(folder, settings, reranker=reranker, dria=dria))
        return running[-1]

    yield start
    for each in running:
        each.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A service that a file of tests shares."""
    running = Served(tmp_path_factory.mktemp("served") / "store", ServiceSettings(rate=0))
    yield running
    running.close()
