"""Read web pages, without navigation, forms and scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretell.search.passage import Passage

from . import text
from .block import Metadata, Options, Report, TextBlock, Unreadable
from .split import passages as split

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

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

DEEPEST = 10_000  # of nested elements; a parser's time grows with the square of the depth
UNNESTED = frozenset(  # elements without an end, or whose end may be missing
    "area base br col dd dt embed hr img input li link meta option p param source tbody td "
    "tfoot th thead tr wbr".split()
)
KEPT = frozenset({"html", "body", "head", "style"})  # a page that hides itself until a script shows it
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)")
_SELECTOR = re.compile(r"[\w.#*> +~\[\]=\"'-]+")  # no states and functions
_SPACES, _TRAILING = re.compile(r"(?<=\S) {2,}"), re.compile(r"[ \t]+\n")


def passages(path: Path, options: Options, report: Report) -> Iterator[Passage]:
    """The passages of a web page, with its title. Raises Unreadable: it is not text, or nested too deeply."""
    source = _decoded(path, report)
    if _depth(source) > DEEPEST:
        raise Unreadable(f"its elements are nested more than {DEEPEST:,} deep")
    title = _title(source)
    metadata: Metadata = {"title": title} if title else {}
    yield from split(blocks(source, report), metadata)


def blocks(source: str, report: Report = lambda _: None) -> Iterator[TextBlock]:
    """The paragraphs and headings of HTML.

    The longest `main` or `article` is read alone, if it has a quarter of the page's text. Navigation, footers, asides,
    forms and scripts are left out, and so are parts that a style hides. A form that contains most of the text is read,
    as on pages of ASP.NET. Bars divide the cells of a table's row. A page of which less than half is read is reported.
    """
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(source)
    if tree.body is None:
        return
    for node in _hidden_by_style(tree):
        node.decompose()
    says = _lengths(tree.body)
    root, length = tree.body, (whole := says[tree.body.mem_id])
    main = max(tree.css("main, [role=main], article"), key=lambda node: says.get(node.mem_id, 0), default=None)
    if main is not None and 4 * (said := says.get(main.mem_id, 0)) >= whole:
        root, length = main, said
    form = max(root.css("form"), key=lambda node: says[node.mem_id], default=None)
    if form is not None and says[form.mem_id] > length:
        form.unwrap()
    elif 2 * length < whole:
        report(f"{length / whole:.0%} of its text is in its main part, which alone was read")
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


def _walk(root: LexborNode, hidden: bool = False) -> Iterator[tuple[LexborNode, bool]]:
    """Every visible node, or every node, at its begin and its end; without recursion: pages may have any depth."""
    stack = [(root, True)]
    while stack:
        node, entering = stack.pop()
        if entering and not hidden and node is not root and _hidden(node):
            continue
        yield node, entering
        if entering and node.tag != "-text":
            stack.append((node, False))
            stack.extend((child, True) for child in reversed(list(node.iter(include_text=True))))


def _depth(source: str) -> int:
    """How deep elements may nest, at most: those that need an end, without regard to which end closes which."""
    depth = deepest = 0
    for end, name in _TAG.findall(source):
        if name.lower() not in UNNESTED:
            depth = max(0, depth - 1) if end else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _hidden_by_style(tree: LexborHTMLParser) -> list[LexborNode]:
    """The elements that a style of theirs, or a style sheet in the page, does not display.

    Of several rules for one selector the last one counts. Rules for states (:hover) and for some media are left out.
    """
    import tinycss2

    hides: dict[str, bool] = {}
    for sheet in tree.css("style"):
        for rule in tinycss2.parse_stylesheet(sheet.text(deep=True)):
            if rule.type == "qualified-rule" and (shown := _displayed(rule.content)) is not None:
                for selector in tinycss2.serialize(rule.prelude).split(","):
                    hides[selector.strip()] = not shown
    selectors = [selector for selector, hidden in hides.items() if hidden and _SELECTOR.fullmatch(selector)]
    found = tree.css(", ".join(selectors)) if selectors else []
    found = [node for node in found if not _displayed(node.attributes.get("style") or "")]  # it has the last word
    found += [node for node in tree.css("[style]") if _displayed(node.attributes.get("style") or "") is False]
    return [node for node in {node.mem_id: node for node in found}.values() if node.tag not in KEPT]


def _displayed(style: str | list[Any]) -> bool | None:
    """Whether a style displays an element; None where it does not say so. The last word counts, or an important one."""
    import tinycss2

    said: dict[str, tuple[bool, bool]] = {}  # whether it is important, and whether it displays
    for part in tinycss2.parse_blocks_contents(style):
        if part.type == "declaration" and part.lower_name in ("display", "visibility"):
            value = tinycss2.serialize(part.value).strip().lower()
            if part.important >= said.get(part.lower_name, (False, False))[0]:
                said[part.lower_name] = part.important, value not in ("none", "hidden", "collapse")
    return all(displays for _, displays in said.values()) if said else None


def _lengths(root: LexborNode) -> dict[int, int]:
    """For each element the characters that are visible within it, were it alone; in one walk, whatever the depth."""
    says: dict[int, int] = {}
    counts = [0]  # of the elements that are open here
    for node, entering in _walk(root, hidden=True):
        if node.tag == "-text":
            counts[-1] += len((node.text_content or "").strip())
        elif entering:
            counts.append(0)
        else:
            says[node.mem_id] = count = counts.pop()
            counts[-1] += 0 if _hidden(node) else count
    return says


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
