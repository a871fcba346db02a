"""A service with pages, and people who visit it."""

import io
import json
import re

import httpx
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet
from tests.answering import Saying, SayingConfig
from tests.search.serve.conftest import Served

from foretell import hub
from foretell.agents.models import ServedModels
from foretell.app.service import build
from foretell.cli.serve import open_to_agents
from foretell.http.settings import ServiceSettings
from foretell.robust.files import digest
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


def make_run(folder, *, seed=0, loss=1.0, finished=True, monitors=True):
    """The folder of a run, as a training leaves it."""
    folder.mkdir(parents=True)
    config = {"method": "iwm", "data": {"spec": EVIL}, "train": {"steps": 40, "batch": 8, "seed": seed}}
    (folder / "config.json").write_text(json.dumps(config))
    lines = [{"step": step, "loss": loss / step} for step in range(1, 41)]
    measures = {"loss": 0.2 * loss, "constant": 0.5, "copy": 0.4, "rankme": 12.0, "knn": 0.7}
    lines += [{"step": step, "monitor": measures} for step in (20, 40) if monitors]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if finished:
        (folder / "model.safetensors").write_bytes(b"")
    return folder


class Site(Served):
    """A service with pages, and a door for agents."""

    def build(self, settings, **choices):
        self.models = ServedModels([str(self.answers)])
        app = build(self.store, settings, models=self.models, folder=self.runs, **choices)
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
    Site.runs = tmp_path_factory.mktemp("runs")
    make_run(Site.runs / "first")
    make_run(Site.runs / "deep" / "second & <b>", seed=1, loss=4.0, finished=False)
    make_run(Site.runs / "third", monitors=False)
    reply = "two dogs <b_st><bin_0><bin_0><bin_500><bin_500><b_sep><bin_9><b_ed><m_st><bin_100><bin_100><bin_900>"
    reply += "<bin_100><bin_900><bin_900><m_ed>"
    saying = Saying(SayingConfig(image_size=32, pictures=2, reply=reply))
    Site.answers = hub.save(saying, tmp_path_factory.mktemp("models") / "answers")
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


def _picture(color):
    Image.new("RGB", (8, 8), color).save(file := io.BytesIO(), "PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def discovery(site):
    """A discovery among the runs of the service, and a classifier that was trained on it."""
    folder = site.runs / "found" / "grounds & <b>"
    folder.mkdir(parents=True)
    report = {
        "data": EVIL,
        "flip_rate": 0.0004,
        "environments": {"bird": [90, 10], EVIL: [45, 5]},
        "stability": {"value": 0.99, "low": 0.98, "high": 1.0, "chance": 0.8},
        "purity": {"value": 0.97, "low": 0.95, "high": 0.98, "without": 0.9},
    }
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "report.html").write_text("<h1>all of it</h1>")
    parquet.write_table(pyarrow.table({"environment": [0, 1]}), folder / "environments.parquet")
    names, environments = ["bird"] * 9, [0] * 8 + [1]
    images = [_picture("red")] * 8 + [_picture("blue")]
    table = {"class": names, "environment": environments, "title": names, "image": images}
    parquet.write_table(pyarrow.table(table), folder / "examples.parquet")
    share = {"value": 0.5, "low": 0.4, "high": 0.6, "rows": 100}
    for name, told in (("own", digest(folder / "environments.parquet")), ("other", "0" * 64)):
        result = {"worst_group": {"name": "bird/1", **share}, "average": share, "groups": {"bird/1": share}}
        result |= {"told": {"groups": "x", "file": told}, "settings": {"algorithm": "groupdro"}}
        (site.runs / name).mkdir()
        (site.runs / name / "report.json").write_text(json.dumps(result))
    return "found/grounds & <b>"


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
