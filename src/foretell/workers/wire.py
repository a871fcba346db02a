"""Values as lines of JSON. Bytes and arrays become base64. A line from a child cannot run code, as a pickle could."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from typing import Any


def dumps(value: Any) -> bytes:
    """A value as a line: numbers, texts, lists, mappings, bytes and arrays of numpy."""
    return json.dumps(value, default=_encoded).encode("ascii") + b"\n"


def loads(line: bytes) -> Any:
    """The value of a line. Tuples come back as lists. Raises ValueError where the line is not whole."""
    return json.loads(line, object_hook=_decoded)


def _encoded(value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        return {"bytes of": b64encode(value).decode()}
    if hasattr(value, "__array_interface__"):
        return {"array of": value.dtype.str, "shape": value.shape, "data": b64encode(value.tobytes()).decode()}
    raise TypeError(f"{type(value).__name__} cannot be sent to another process")


def _decoded(found: dict[str, Any]) -> Any:
    if found.keys() == {"bytes of"}:
        return b64decode(found["bytes of"])
    if found.keys() == {"array of", "shape", "data"}:
        import numpy as np  # many children need none

        return np.frombuffer(b64decode(found["data"]), found["array of"]).reshape(found["shape"])
    return found
