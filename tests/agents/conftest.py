"""An agent that calls tools, and a store that it may use."""

import asyncio
import base64
import io
import json

import numpy as np
import pytest
from mcp import Client
from PIL import Image

from foretell.agents.desk import Desk
from foretell.agents.models import ServedModels
from foretell.agents.server import TOOLS, server
from foretell.http.work import Work
from foretell.search import Knowledge, Store
from foretell.search.models.cross_encoder import DEFAULT
from foretell.search.serve.library import Library
from foretell.search.serve.readers import Readers
from foretell.search.storage.protocol import Key

TOWNS = [
    "The tower of Pisa leans because its ground is soft.",
    "The Eiffel tower in Paris was built of iron in 1889.",
    "Venice stands on wooden piles in a lagoon.",
    "The part AX-7741 holds the bridge of Bergen.",
]
FOOD = ["Bread dough needs time to rise.", "Soup is boiled in water with vegetables.", "Rice is grown in wet fields."]
GUIDE = "\n\n".join(
    f"# Chapter {n}\n\n" + f"Chapter {n} tells of {what}. " * 22
    for n, what in enumerate(("harbours", "bridges", "lighthouses", "markets", "gardens"), 1)
)


class Agent:
    """Calls tools with the client of the SDK, in this process."""

    def __init__(self, desk, tools=TOOLS):
        self.desk, self.tools = desk, tools
        self.server = server(lambda _: desk, tools)

    def ask(self, question):
        """The result of a question to a client: `await question(client)`."""

        async def run():
            async with Client(self.server) as client:
                return await question(client)

        return asyncio.run(run())

    def result(self, name, /, **arguments):
        return self.ask(lambda client: client.call_tool(name, arguments))

    def call(self, name, /, **arguments):
        """What a tool answers."""
        result = self.result(name, **arguments)
        assert not result.is_error, result.content[0].text
        assert json.loads(result.content[0].text) == result.structured_content
        return result.structured_content

    def refused(self, name, /, **arguments):
        """The sentence with which a tool refuses."""
        result = self.result(name, **arguments)
        assert result.is_error, result.structured_content
        assert result.structured_content is None
        (block,) = result.content
        return block.text


@pytest.fixture(scope="package")
def shelf(tmp_path_factory):
    """A store with two knowledges of mine and one of another owner, and what serves it."""
    store = Store(tmp_path_factory.mktemp("agents") / "store")
    with Knowledge.create(store, "towns", owner="me", title="Towns of Europe") as towns:
        towns.insert(TOWNS, [{"country": c, "n": n} for n, c in enumerate(("it", "fr", "it", "no"))])
    with Knowledge.create(store, "food", owner="me") as food:
        food.insert(FOOD)
    with Knowledge.create(store, "secret", owner="other") as secret:
        secret.insert(["Nobody else may read this."])
    library, work, readers, models = Library(store), Work(8), Readers(DEFAULT, 50), ServedModels()
    yield library, work, readers, models
    work.close()
    models.close()
    readers.close()
    library.close()
    store.close()


@pytest.fixture
def desk(shelf):
    """Makes a desk of a caller."""

    def make(owner="me", scope="write", **more):
        caller = Key("k", owner, scope, "", None) if owner is not None else None
        return Desk(caller, *shelf, **more)

    return make


@pytest.fixture
def agent(desk):
    """An agent with a key that may write."""
    return Agent(desk())


@pytest.fixture
def notes(agent):
    """The name of an empty knowledge, which is removed at the end."""
    agent.call("create_knowledge", name="notes")
    yield "notes"
    agent.desk.library.remove(agent.desk.caller, "notes")


def png(colour=(200, 30, 30), size=(40, 40), noise=0):
    """The file of a picture, in base64."""
    pixels = np.full((*size[::-1], 3), colour, np.int64)
    pixels += np.random.default_rng(0).integers(0, noise + 1, pixels.shape)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file := io.BytesIO(), "PNG")
    return base64.b64encode(file.getvalue()).decode()
