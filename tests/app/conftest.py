"""A service with pages, and people who visit it."""

import re

import httpx
import pytest
from tests.search.serve.conftest import Served

from foretell.agents.models import ServedModels
from foretell.app.service import build
from foretell.cli.serve import open_to_agents
from foretell.http.settings import ServiceSettings
from foretell.search import Knowledge
from foretell.search.entries import Draft

TOWNS = [
    "The tower of Pisa leans because its ground is soft.",
    "The Eiffel tower in Paris was built of iron in 1889.",
    "Venice stands on wooden piles in a lagoon.",
    "The part AX-7741 holds the bridge of Bergen.",
    "Rome was not built in a day.",
]
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"


class Site(Served):
    """A service with pages, and a door for agents."""

    def build(self, settings, **choices):
        self.models = ServedModels()
        app = build(self.store, settings, models=self.models, **choices)
        open_to_agents(app, settings, (), self.models)
        return app

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def visitor(self, key=None, **headers):
        """A browser without scripts. With a key it is logged in."""
        client = httpx.Client(
            base_url=self.url, headers={"Accept": "text/html", **headers}, timeout=240, follow_redirects=True
        )
        if key:
            client.cookies.set("foretell_key", self.keys[key])
        return client


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A service with a public knowledge of texts, a private one, and one full of markup."""
    running = Site(tmp_path_factory.mktemp("site") / "store", ServiceSettings(rate=0))
    about = {"category": "Geography", "description": "What stands where.\n\nAnd why."}
    with Knowledge.create(running.store, "towns", owner="me", title="Towns of Europe", public=True, **about) as towns:
        vectors = towns.model.passages(TOWNS)
        towns.write(
            [
                Draft(text, vector, page=n + 9, metadata={"source": "guide.pdf", "rank": n})
                for n, (text, vector) in enumerate(zip(TOWNS, vectors, strict=True))
            ],
            towns.model.fingerprint,
        )
        running.towns = towns.about.contract_id
    with Knowledge.create(running.store, "diary", owner="me", title='It\'s a "diary" & more') as diary:
        diary.insert(["I saw the sea.", "I ate soup."])
        running.diary = diary.about.contract_id
    texts = dict.fromkeys(("title", "category", "description"), EVIL)
    with Knowledge.create(running.store, "evil <b>", owner="me", public=True, **texts) as evil:
        evil.insert([EVIL], [{EVIL: EVIL, "source": EVIL}])
        running.evil = evil.about.contract_id
    yield running
    running.close()


@pytest.fixture
def visit(site):
    """Makes visitors."""
    made = []

    def make(*given, **headers):
        made.append(site.visitor(*given, **headers))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def writer(visit):
    """A visitor who may write, and the token of the forms."""
    client = visit("writer")
    client.token = token(client.get("/knowledge/new").text)
    return client


def token(page):
    """The token in the forms of a page."""
    return re.search(r'name="token" value="([0-9a-f]{64})"', page)[1]
