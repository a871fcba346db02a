"""Take the pictures of the documentation's page "Pages", in the system's Chromium.

It serves this checkout's documentation as a knowledge, and a discovery, and writes docs/assets/pages-*.png:

    python -m tools.page_pictures [MODEL]     # one that answers questions, for the picture of the page Ask
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import uvicorn
from playwright.sync_api import sync_playwright

from foretell.agents.models import ServedModels
from foretell.app.service import build
from foretell.app.session import COOKIE
from foretell.cli import main as command
from foretell.cli.serve import open_to_agents
from foretell.http.settings import ServiceSettings
from foretell.search import Knowledge, Store
from foretell.search.serve import keys

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "assets"
READ = ("concepts.md", "leverage.md", "surprise.md", "training.md")
"""Pages of the documentation that are searched."""
DISCOVERY = "backgrounds:800:correlation=0.9 --features iwm-mini --raw --steps 300"
SIZE = {"width": 900, "height": 900}


def main() -> None:
    """Serve, visit, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        answers = sys.argv[1:2]
        store, models, settings = Store(Path(folder) / "store"), ServedModels(answers), ServiceSettings()
        runs = Path(folder) / "runs"
        command(f"discover {DISCOVERY} --draws 2 --seeds 3 --out {runs}/grounds".split())
        told = f"--groups {runs}/grounds/environments.parquet --draws 0 --out {runs}/kinder"
        command(f"robust {DISCOVERY} {told}".split())
        with Knowledge.create(
            store,
            "guide",
            owner="foretell",
            title="The guide of foretell",
            category="World models",
            description="Pages of foretell's documentation, cut into passages.",
            public=True,
        ) as guide:
            guide.add(*(ROOT / "docs" / name for name in READ))
            page = f"/knowledge/{guide.about.contract_id}"
        app = build(store, settings, models=models, folder=runs)
        open_to_agents(app, settings, (), models)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        try:
            pages = {
                "knowledge": f"{page}?q=What+does+the+predictor+learn%3F",
                "imagine": "/imagine?brightness=0.5",
                "see": "/see",
                "discover": "/discover/grounds",
            }
            if answers:
                pages["ask"] = "/ask?scene=4&q=outline+the+animal."
            take(address, pages, keys.create(store, "reader", "foretell", "read"))
        finally:
            server.should_exit = True
            thread.join()
            store.close()


def take(address: str, pages: dict[str, str], key: str) -> None:
    """Take a picture of each page: name -> path. The visitor has a key."""
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport=SIZE)
        tab.context.add_cookies([{"name": COOKIE, "value": key, "url": address}])
        tab.set_default_timeout(300_000)
        for name, path in pages.items():
            tab.goto(address + path)
            tab.screenshot(path=OUT / f"pages-{name}.png")
            print(f"wrote {OUT / f'pages-{name}.png'}")
        browser.close()


if __name__ == "__main__":
    main()
