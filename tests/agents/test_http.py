"""The door over HTTP, with a real service and a key."""

import asyncio
import json

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.search.serve.conftest import Served, build

from foretell.agents.http import open_door
from foretell.agents.models import ServedModels
from foretell.cli import serve as command
from foretell.extras import missing
from foretell.http.settings import ServiceSettings
from foretell.search import Knowledge

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


class Door(Served):
    """A service with /mcp."""

    def build(self, settings, **choices):
        app = build(self.store, settings, **choices)
        open_door(app, ServedModels(), settings, ["search.example.org"])
        return app

    def ask(self, key, question, mode="auto"):
        """The result of a question to a client with a key: `await question(client)`."""

        async def run():
            headers = {"x-api-key": self.keys.get(key, key)} if key else {}
            async with httpx2.AsyncClient(headers=headers, timeout=300) as http:
                transport = streamable_http_client(f"http://127.0.0.1:{self.port}/mcp", http_client=http)
                async with Client(transport, mode=mode) as client:
                    return await question(client)

        return asyncio.run(run())

    def call(self, key, name, /, **arguments):
        return self.ask(key, lambda client: client.call_tool(name, arguments))

    def post(self, body=INITIALIZE, **headers):
        """Status and text of an answer to plain bytes."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, content = self.raw("POST", "/mcp", sent, HEADERS | headers)
        return status, content.decode()


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    running = Door(
        tmp_path_factory.mktemp("door") / "store", ServiceSettings(rate=0, body=1 << 20, cors=("https://my.page",))
    )
    with Knowledge.create(running.store, "towns", owner="me") as towns:
        towns.insert(["The tower of Pisa leans.", "Venice stands on piles."])
    yield running
    running.close()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_a_key_opens_its_owners_knowledges(door, mode):
    async def question(client):
        assert len((await client.list_tools()).tools) == 16
        return await client.call_tool("search_knowledges", {"knowledges": ["towns"], "query": "leaning tower"})

    assert door.ask("reader", question, mode).structured_content["results"][0]["text"] == "The tower of Pisa leans."
    stranger = door.call("stranger", "search_knowledges", knowledges=["towns"], query="x")
    assert (stranger.is_error, stranger.content[0].text) == (True, "there is no knowledge 'towns'")
    nobody = door.call(None, "create_knowledge", name="mine")
    assert nobody.content[0].text == "this needs an API key, in the header x-api-key"


def test_progress_arrives_while_a_file_is_added(door):
    shares = []

    async def note(share, total, _):
        shares.append(share)

    async def question(client):
        file = {"name": "a.md", "text": "Owls hunt at night."}
        return await client.call_tool("add_file", {"knowledge": "towns", "file": file}, progress_callback=note)

    assert door.ask("writer", question).structured_content["entries_added"] == 1
    assert shares[0] == 0.0


def test_hosts_and_origins_are_checked(door):
    assert door.post()[0] == 200
    for host in (
        "localhost:9",
        "127.0.0.1",
        "[::1]:80",
        "192.168.1.5:8000",
        "search.example.org",
        "Search.Example.org:8000",
    ):
        assert door.post(Host=host)[0] == 200, host
    for host in (
        "evil.example",
        "localhost.evil.example",
        "",
        "user@evil.example",
        "[::1",
        "127.0.0.1.evil.example:80",
    ):
        status, told = door.post(Host=host)
        assert status == 421, host
        assert "start foretell serve with --agent-host NAME" in told
    for origin in ("http://localhost:3000", "http://127.0.0.1", "https://my.page", "http://search.example.org"):
        assert door.post(Origin=origin)[0] == 200, origin
    for origin in ("http://evil.example", "null", "https://my.page.evil.example", "file://"):
        status, told = door.post(Origin=origin)
        assert status == 403, origin
        assert "may not call: start foretell serve with --cors ORIGIN" in told


def test_the_limits_of_the_service_hold(door, tmp_path):
    for method in ("GET", "DELETE", "PUT"):
        status, headers, _ = door.raw(method, "/mcp", b"", HEADERS)
        assert (status, headers["allow"]) == (405, "POST")
    assert door.post(b"x" * ((1 << 20) + 1))[0] == 413
    assert door.post(b"{")[0] == 400
    assert door.post(**{"x-api-key": "fk-none"})[0] == 401
    assert door.post({"jsonrpc": "2.0", "id": 1, "method": "nothing"})[0] < 500
    metrics = door.raw("GET", "/metrics")[2].decode()
    assert 'route="/mcp"' in metrics
    slow = Door(tmp_path / "slow", ServiceSettings(rate=1))
    try:
        assert {slow.post()[0] for _ in range(6)} == {200, 429}
    finally:
        slow.close()


def test_without_the_package_the_path_says_how_to_get_it(tmp_path, monkeypatch):
    class Closed(Door):
        def build(self, settings, **choices):
            app = build(self.store, settings, **choices)
            command.open_to_agents(app, settings, (), ServedModels())
            return app

    def lacking(module, purpose):
        raise missing(module, purpose)

    monkeypatch.setattr("foretell.extras.needed", lacking)
    closed = Closed(tmp_path / "store", ServiceSettings(rate=0))
    try:
        status, told = closed.post()
    finally:
        closed.close()
    assert status == 501
    assert (
        "the door for agents needs mcp, which is not installed: in foretell's checkout, type pip install '.[agents]'"
        in told
    )
