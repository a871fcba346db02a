"""Read web pages, without navigation, forms and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.search.passage import Passage

from . import text
from .block import Metadata, Options, Report, TextBlock
from .split import passages as split

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
BLOCKS = HEADINGS | frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "header hr legend li main ol p pre section summary table tbody tfoot thead tr ul".split()
)
LEFT_OUT = frozenset(
    "aside audio button canvas datalist footer form head iframe math nav noscript object script select style svg "
    "template textarea title video".split()
)
# a page that names UTF-16 in ASCII is not UTF-16
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*(?!utf.?(?:16|32))([\w.:-]{2,40})""", re.IGNORECASE)

_SPACES, _TRAILING = re.compile(r"(?<=\S) {2,}"), re.compile(r"[ \t]+\n")


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """The passages of a web page, with its title. Raises Unreadable where the file is not text."""
    source = _decoded(path, report)
    title = _title(source)
    metadata: Metadata = {"title": title} if title else {}
    yield from split(blocks(source), metadata)


def blocks(source: str) -> Iterator[TextBlock]:
    """The paragraphs and headings of HTML.

    Of a page with `main`, or with one `article`, only that part is read. Navigation, footers, asides, forms, scripts
    and hidden parts are left out. A form that contains most of the text is read, as on pages of ASP.NET. Bars divide
    the cells of a table's row.
    """
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(source)
    articles = tree.css("article")
    root = tree.css_first("main") or (articles[0] if len(articles) == 1 else None) or tree.body
    if root is None:
        return
    form = max(root.css("form"), key=_length, default=None)
    if form is not None and _length(form) > _length(root):
        form.unwrap()
    found: list[str] = []
    for node, entering in _walk(root):
        tag = node.tag or ""
        if tag == "-text":
            words = node.text_content or ""
            found.append(words if _inside(node, "pre") else re.sub(r"\s+", " ", words))
        elif tag == "br" and entering:
            found.append("\n")
        elif tag in ("td", "th"):
            if entering and _said(found):
                found.append(" | ")
        elif tag in BLOCKS:
            if said := _said(found):
                yield TextBlock(said, heading=tag in HEADINGS and not entering)
            found = []
    if said := _said(found):
        yield TextBlock(said)


def _walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every visible node, at its begin and its end; without recursion, so that pages may have any depth."""
    stack = [(root, True)]
    while stack:
        node, entering = stack.pop()
        if entering and node is not root and _hidden(node):
            continue
        yield node, entering
        if entering and node.tag != "-text":
            stack.append((node, False))
            stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))


def _length(root: LexborNode) -> int:
    """The number of visible characters."""
    return sum(len((node.text_content or "").strip()) for node, _ in _walk(root) if node.tag == "-text")


def _hidden(node: LexborNode) -> bool:
    if node.tag in LEFT_OUT or ((node.tag or "").startswith("-") and node.tag != "-text"):
        return True
    if node.tag == "-text":
        return False
    attributes = node.attributes
    return "hidden" in attributes or attributes.get("aria-hidden") == "true"


def _inside(node: LexborNode, tag: str) -> bool:
    parent = node.parent
    return parent is not None and (parent.tag == tag or (parent.parent is not None and parent.parent.tag == tag))


def _said(found: list[str]) -> str:
    return _TRAILING.sub("\n", _SPACES.sub(" ", "".join(found))).strip()


def _title(source: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    node = LexborHTMLParser(source[:200_000]).css_first("head title")
    return " ".join(node.text().split())[:300] if node else ""


def _decoded(path: Path, report: Report) -> str:
    """The page as text, in the encoding that it names if that is right."""
    data = path.read_bytes()
    said = _CHARSET.search(data[:4096])
    if said and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode(said[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass
    return text.read(path, report)
