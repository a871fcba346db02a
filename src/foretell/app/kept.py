"""Files that pages have made for a visitor: pictures and clips, in memory, under names that nobody can guess.

A page may load nothing but addresses of this service, so what is drawn for it needs one. The oldest files go first.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict

from fastapi import APIRouter, Request, Response
from PIL import Image

from foretell.http.refusal import Refused

MOST = 96 << 20
"""Bytes of all files that are kept."""
KINDS = {"image/png": "png", "image/webp": "webp", "video/mp4": "mp4"}
"""Media types that are kept -> the ending of their names."""

router = APIRouter()


class KeptFiles:
    """Files by name.

    Args:
        most: bytes of all of them; the oldest go first.
    """

    def __init__(self, most: int = MOST) -> None:
        self._files: OrderedDict[str, tuple[bytes, str]] = OrderedDict()
        self._size, self._most = 0, most
        self._lock = threading.Lock()

    def keep(self, content: bytes, kind: str) -> str:
        """Keep a file of a media type of `KINDS`. Returns its address."""
        name = f"{secrets.token_urlsafe(16)}.{KINDS[kind]}"
        with self._lock:
            self._files[name] = content, kind
            self._size += len(content)
            while self._size > self._most and len(self._files) > 1:
                self._size -= len(self._files.popitem(last=False)[1][0])
        return f"/kept/{name}"

    def find(self, name: str) -> tuple[bytes, str]:
        """A file and its media type. Raises Refused (404): it is not kept any more."""
        found = self._files.get(name)
        if found is None:
            raise Refused(404, "this picture is not kept any more: open its page again")
        return found


@router.get("/kept/{name}")
async def file(request: Request, name: str) -> Response:
    """A file that a page has made. Players ask for parts of a clip."""
    content, kind = request.app.state.kept.find(name)
    headers = {"Cache-Control": "private, max-age=86400, immutable", "Accept-Ranges": "bytes"}
    if (part := _part(request.headers.get("range", ""), len(content))) is None:
        return Response(content, headers=headers, media_type=kind)
    first, last = part
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Response(content[first : last + 1], 206, headers, kind)


def png(picture: Image.Image) -> bytes:
    """A picture as a PNG file."""
    picture.save(file := io.BytesIO(), "PNG")
    return file.getvalue()


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """The first and the last byte of a range that was asked for; None for all of the file."""
    unit, _, span = asked.partition("=")
    first, dash, last = span.partition("-")
    if unit.strip() != "bytes" or not dash or not first.isdigit() or not (last.isdigit() or not last):
        return None
    start, end = int(first), min(int(last or size - 1), size - 1)
    return (start, end) if start <= end else None
