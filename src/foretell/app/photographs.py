"""The photographs that visitors ask about: those that come with foretell, and those that they send.

A sent photograph stays in the memory of the service, as the small square that a model looks at, under a name that
nobody can guess. The oldest go when there are too many, and all when the service ends.
"""

from __future__ import annotations

import io
import secrets
import threading
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from foretell.errors import ForetellError
from foretell.http.refusal import Refused

KEPT = 256
"""The most photographs of visitors that are kept."""
THUMBNAIL = 160
"""The side of a thumbnail, in pixels."""
FOLDER = Path(__file__).parents[1] / "data" / "pictures"


@lru_cache
def samples() -> dict[str, Path]:
    """The photographs that come with foretell, by name. All are in the public domain."""
    return {path.stem: path for path in sorted(FOLDER.iterdir()) if path.suffix != ".md"}


class SentPhotographs:
    """Photographs by name, as models of different image sizes see them."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, dict[int, np.ndarray]] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, sizes: dict[int, np.ndarray]) -> str:
        """Keep a photograph: S -> uint8 [3, S, S]. Returns its name."""
        name = secrets.token_urlsafe(16)
        with self._lock:
            self._sent[name] = sizes
            while len(self._sent) > KEPT:
                self._sent.popitem(last=False)
        return name

    def pixels(self, name: str, size: int) -> np.ndarray:
        """A photograph for a model of this image size: uint8 [3, S, S].

        Raises:
            Refused: 404, there is none of this name.
        """
        if name in samples():
            return _sample(name, size)
        sizes = self._sent.get(name, {})
        if size not in sizes:
            raise Refused(404, f"the photograph {name!r:.40} is not kept any more: send it again, or choose another")
        return sizes[size]


@lru_cache(maxsize=64)
def _sample(name: str, size: int) -> np.ndarray:
    from foretell.data.images.decode import Unusable, decode

    try:
        return decode(samples()[name], size)
    except Unusable as reason:
        raise ForetellError(f"{name}: {reason}") from None


@lru_cache
def thumbnail(name: str) -> bytes:
    """The centre of a photograph that comes with foretell, as a small WebP file."""
    with Image.open(samples()[name]) as image:
        small = ImageOps.fit(image.convert("RGB"), (THUMBNAIL, THUMBNAIL))
    small.save(file := io.BytesIO(), "WEBP", quality=75)
    return file.getvalue()
