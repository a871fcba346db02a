"""The lines under "How to retrieve" are run as they stand on the page."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
import sys

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from selectolax.lexbor import LexborHTMLParser
from tests.agents.conftest import png
from tests.app.conftest import TOWNS

from foretell.search import Knowledge

RUNNERS = {
    "sh": ("bash", "-c"),
    "python": (sys.executable, "-c"),
    "js": ("node", "--input-type=module", "-e"),
}


def lines(client, path):
    """Name -> language and lines, as a visitor would copy them."""
    tree = LexborHTMLParser(client.get(path).text)
    return {
        node.css_first("h3").text(): (node.css_first("code").attributes["data-snippet"], node.css_first("code").text())
        for node in tree.css(".snippet")
    }


def run(language, code, folder, key=""):
    """What the lines print."""
    program, *options = RUNNERS[language]
    if not shutil.which(program) or ("curl" in code and not shutil.which("curl")):
        pytest.skip(f"{program} or curl is not installed here")
    environment = {**os.environ, "KEY": key, "NO_PROXY": "*"}
    ended = subprocess.run([program, *options, code], cwd=folder, env=environment, capture_output=True, timeout=240)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


@pytest.mark.parametrize("name", ["curl", "Python", "JavaScript", "MCP"])
@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_lines_for_texts(site, visit, tmp_path, name, private):
    path = f"/knowledge/{site.diary if private else site.towns}"
    language, code = lines(visit("reader" if private else None), path)[name]
    assert ("KEY" in code) == private
    found = run(language, code, tmp_path, site.keys["reader"] if private else "")
    assert ("I ate soup." if private else TOWNS[0]) in found


def test_lines_for_the_settings_of_a_client(site, visit):
    for path, key in ((site.towns, None), (site.diary, "reader")):
        code = lines(visit(key), f"/knowledge/{path}")["MCP, in a client's settings"][1]
        server = json.loads(code.replace("${KEY}", site.keys[key] if key else ""))["mcpServers"]["foretell"]

        async def ask(server=server, path=path):
            async with (
                httpx2.AsyncClient(headers=server.get("headers"), timeout=300) as http,
                Client(streamable_http_client(server["url"], http_client=http)) as client,
            ):
                return await client.call_tool("describe_knowledge", {"knowledge": path})

        assert asyncio.run(ask()).structured_content["contract_id"] == path


@pytest.mark.parametrize("name", ["curl", "Python", "JavaScript", "MCP"])
def test_lines_for_photographs(site, visit, tmp_path, name):
    (tmp_path / "photograph.jpg").write_bytes(base64.b64decode(png(noise=40)))
    shown = {about.name: about.contract_id for about in Knowledge.list(site.store)}
    if "pictures" not in shown:
        with Knowledge.create(site.store, "pictures", owner="me", model="iwm-mini", public=True) as pictures:
            pictures.add(tmp_path / "photograph.jpg")
            shown["pictures"] = pictures.about.contract_id
    language, code = lines(visit(), f"/knowledge/{shown['pictures']}")[name]
    assert "0" in run(language, code, tmp_path)


@pytest.mark.parametrize("name", ["curl", "Python", "JavaScript"])
def test_lines_for_vectors(site, visit, tmp_path, name):
    shown = {about.name: about.contract_id for about in Knowledge.list(site.store)}
    if "vectors" not in shown:
        shown["vectors"] = site.make("vectors", [([1.0, 0.5], {"n": 1})], public=True)
    language, code = lines(visit(), f"/knowledge/{shown['vectors']}")[name]
    assert "1" in run(language, code, tmp_path)


def test_lines_ask_what_the_visitor_asked(site, visit, tmp_path):
    """Quotes, dollars and other letters of a query reach the service unchanged."""
    query = """it's "so" `$HOME` \\ $(id) 東京 🗼"""
    client = visit()
    for name in ("curl", "Python", "JavaScript"):
        language, code = lines(client, f"/knowledge/{site.towns}?q={httpx2.QueryParams({'q': query})['q']}")[name]
        assert TOWNS[0] in run(language, code, tmp_path), code
