"""Read Markdown: it is rendered, then read as a web page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from foretell.search.passage import Passage

from . import html, text
from .block import Metadata, Options, Report
from .scalars import kind, value
from .split import passages as split

_FRONT = re.compile(r"\A---[ \t]*\n(?=\w[\w -]*:\s)(.*?\n)(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_FACT = re.compile(r"""^(\w[\w -]*):[ \t]+(["']?)(\S.*?)\2[ \t]*$""", re.MULTILINE)


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """The passages of a Markdown file (CommonMark with tables), without its marks.

    The plain `name: value` lines of a front matter become metadata, if it begins with one. Values without quotes may be
    numbers or truths. Raises Unreadable where the file is not text.
    """
    from markdown_it import MarkdownIt

    source = text.read(path, report)
    metadata: Metadata = {}
    if front := _FRONT.match(source):
        source = source[front.end() :]
        metadata = {
            fact[1]: fact[3] if fact[2] else value(fact[3], kind([fact[3]])) for fact in _FACT.finditer(front[1])
        }
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(source)
    yield from split(html.blocks(page), metadata)
