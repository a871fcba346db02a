"""Pages that need nothing but themselves: one style, pictures as data URIs, numbers in one form.

environment(Path(__file__).parent, "the report").get_template("report.html.jinja").render(…)
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

from PIL import Image

from foretell.extras import needed


def environment(folder: Path, purpose: str) -> Any:
    """A jinja2 environment: templates of a folder, `style.css` and `macros.html.jinja` of this one.

    Args:
        folder: has the templates.
        purpose: what needs jinja2, as the subject of an error's sentence.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    needed("jinja2", purpose)
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"measured": "{:.3f}".format, "count": "{:,}".format}
    return made


def uri(image: Image.Image) -> str:
    """A picture as a data URI."""
    return "data:image/png;base64," + base64.b64encode(small_png(image)).decode()


def small_png(image: Image.Image) -> bytes:
    """A picture as a PNG file that is as small as can be: for what is sent more often than it is made."""
    image.save(file := io.BytesIO(), "PNG", optimize=True)
    return file.getvalue()
