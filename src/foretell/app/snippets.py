"""How programs retrieve from a knowledge: lines to paste into a shell, Python, JavaScript, and a client of MCP."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from foretell.app.found import Holdings
from foretell.search.storage.protocol import About

HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]{1,255}")
TOP = 10
FIELDS = {"text": "query", "image": "image", "video": "video", "vectors": "vector"}
FILES = {"image": "photograph.jpg", "video": "clip.mp4"}
"""What the lines call a file to ask with."""


@dataclass(frozen=True)
class Snippet:
    """Lines to paste."""

    name: str
    language: str
    code: str


def snippets(
    request: Request, about: About, holds: Holdings, query: str, vector: Sequence[float] | None
) -> Sequence[Snippet]:
    """Lines that search a knowledge, each ready to paste. A private one is opened by the key in $KEY.

    Args:
        request: tells the address of the service.
        about: the knowledge.
        holds: what it contains.
        query: what to ask; empty for a question about its title.
        vector: to ask with, where it contains vectors of a model that is not here; None for an empty one.
    """
    base, private = _base(request), not about.public
    question = query or f"What is {about.title or about.name} about?"
    body: dict[str, Any] = {"top": TOP}
    kind = "text" if holds.words else holds.kind
    if kind == "vectors" and vector is None:
        return []
    if kind in ("text", "vectors"):
        body = {FIELDS[kind]: question if kind == "text" else list(vector or ())} | body
    file = FILES.get(kind)
    asked = "query" if kind == "vectors" else "search"
    url = f"{base}/api/v1/knowledge/{about.contract_id}/{asked}"
    made = [
        Snippet("curl", "sh", _curl(url, body, private, file)),
        Snippet("Python", "python", _python(url, body, private, file)),
        Snippet("JavaScript", "js", _javascript(url, body, private, file)),
    ]
    if kind != "vectors" and any(getattr(route, "path", "") == "/mcp" for route in request.app.routes):
        made.append(Snippet("MCP", "python", _mcp(base, about.contract_id, question, private, file)))
        made.append(Snippet("MCP, in a client's settings", "json", _settings(base, private)))
    return made


def _base(request: Request) -> str:
    """The address of the service, as the visitor reached it."""
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host if HOST.fullmatch(host) else 'localhost:8000'}"


def _curl(url: str, body: Mapping[str, Any], private: bool, file: str | None) -> str:
    lines = [f"curl -X POST {shlex.quote(url)}"]
    if private:
        lines.append('-H "x-api-key: $KEY"')
    lines.append('-H "Content-Type: application/json"')
    if file is None:
        lines.append(f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}")
        return " \\\n  ".join(lines)
    field = FIELDS["video" if file == FILES["video"] else "image"]
    before = f'printf \'{{"top": {TOP}, "{field}": "%s"}}\' "$(base64 {file} | tr -d \'\\n\')"'
    return f"{before} |\n  " + " \\\n  ".join([*lines, "-d @-"])


def _python(url: str, body: Mapping[str, Any], private: bool, file: str | None) -> str:
    head = ["import json", *(["import os"] if private else []), "from urllib.request import Request, urlopen"]
    content = _literal(body)
    if file is not None:
        head = ["import base64", *head]
        head.append("from pathlib import Path")
        field = FIELDS["video" if file == FILES["video"] else "image"]
        content = f'{{"{field}": base64.b64encode(Path("{file}").read_bytes()).decode(), "top": {TOP}}}'
    key = ', "x-api-key": os.environ["KEY"]' if private else ""
    return "\n".join(
        [
            *head,
            "",
            f"body = {content}",
            f'headers = {{"Content-Type": "application/json"{key}}}',
            f'request = Request("{url}", json.dumps(body).encode(), headers)',
            'for hit in json.load(urlopen(request))["results"]:',
            '    print(round(hit["score"], 3), hit["id"], hit["page"], hit["text"][:80])',
        ]
    )


def _javascript(url: str, body: Mapping[str, Any], private: bool, file: str | None) -> str:
    content, head = _literal(body), []
    if file is not None:
        head = ['import { readFile } from "node:fs/promises";', ""]
        field = FIELDS["video" if file == FILES["video"] else "image"]
        content = f'{{ {field}: await readFile("{file}", "base64"), top: {TOP} }}'
    key = ', "x-api-key": process.env.KEY' if private else ""
    return "\n".join(
        [
            *head,
            f'const response = await fetch("{url}", {{',
            '  method: "POST",',
            f'  headers: {{ "Content-Type": "application/json"{key} }},',
            f"  body: JSON.stringify({content}),",
            "});",
            "const { results } = await response.json();",
            "for (const hit of results) console.log(hit.score.toFixed(3), hit.id, hit.page, hit.text.slice(0, 80));",
        ]
    )


def _mcp(base: str, contract_id: str, question: str, private: bool, file: str | None) -> str:
    head = ["import asyncio", *(["import base64"] if file else []), *(["import os"] if private else [])]
    asked = '"query": ' + _literal(question)
    if file:
        head.append("from pathlib import Path")
        asked = f'"file": {{"name": "{file}", "base64": base64.b64encode(Path("{file}").read_bytes()).decode()}}'
    key = 'headers={"x-api-key": os.environ["KEY"]}, ' if private else ""
    return "\n".join(
        [
            *head,
            "",
            "import httpx2",
            "from mcp import Client",
            "from mcp.client.streamable_http import streamable_http_client",
            "",
            "",
            "async def ask():",
            f"    async with httpx2.AsyncClient({key}timeout=300) as http:",
            f'        async with Client(streamable_http_client("{base}/mcp", http_client=http)) as client:',
            f'            question = {{"knowledges": ["{contract_id}"], {asked}, "limit": {TOP}}}',
            '            return await client.call_tool("search_knowledges", question)',
            "",
            "",
            'for hit in asyncio.run(ask()).structured_content["results"]:',
            '    print(hit["score"], hit["id"], hit["text"][:80])',
        ]
    )


def _settings(base: str, private: bool) -> str:
    server = {"type": "http", "url": f"{base}/mcp"} | ({"headers": {"x-api-key": "${KEY}"}} if private else {})
    return json.dumps({"mcpServers": {"foretell": server}}, indent=2)


def _literal(value: Any) -> str:
    """A value as Python and JavaScript write it alike: texts, numbers, and lists and mappings of them."""
    return json.dumps(value, ensure_ascii=False)
