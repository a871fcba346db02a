"""Find dead relative links and anchors in this repository's Markdown files; asks nothing of the network."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
FILES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def anchors(text: str) -> set[str]:
    """Headings as GitHub turns them into anchors, and ids written out."""
    headings = re.findall(r"^#+ +(.*)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'\bid="([^"]+)"', text))


def dead(path: Path) -> Iterator[str]:
    """One line a link of `path` that leads nowhere."""
    inline = (child for token in MarkdownIt().parse(path.read_text("utf-8")) for child in token.children or ())
    for link in inline:
        url = urlsplit(str(link.attrGet("href") or link.attrGet("src") or ""))
        target = path.parent / unquote(url.path) if url.path else path
        if url.scheme or url.netloc:
            continue
        if not target.exists():
            yield f"{path.relative_to(ROOT)}: {url.geturl()} leads to no file"
        elif url.fragment and target.suffix == ".md":
            text = target.read_text(
                "utf-8"
            )  # pages with `:::` get anchors from docstrings: the site's build checks those
            if ":::" not in text and unquote(url.fragment) not in anchors(text):
                yield f"{path.relative_to(ROOT)}: {url.geturl()} leads to no heading"


if __name__ == "__main__":
    found = [line for path in FILES for line in dead(path)]
    print(*found, f"{len(FILES)} Markdown files, {len(found)} dead links", sep="\n")
    sys.exit(bool(found))
