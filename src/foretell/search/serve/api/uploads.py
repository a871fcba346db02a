"""Uploaded files: each lies in a folder of its own until it is added."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import Request

from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.search import ingest
from foretell.search.add import Added
from foretell.search.knowledge import Knowledge

NAME = 255
"""The longest name of a file, in bytes: a limit of file systems."""
FORGOTTEN = 86_400
"""Seconds after which an upload of a killed service is removed."""


class Upload(NamedTuple):
    """An uploaded file."""

    path: Path
    name: str
    """The name that its sender gave it."""

    def remove(self) -> None:
        """Remove it, with its folder."""
        shutil.rmtree(self.path.parent, ignore_errors=True)

    def outcome(self, added: Added) -> dict[str, Any]:
        """The outcome of adding it. Reasons name the file as its sender does."""
        return asdict(added) | {"skipped": [(self.name, reason) for _, reason in added.skipped]}


def check_name(knowledge: Knowledge, file: str) -> None:
    """Refuse a file by its name, before its content arrives.

    Raises:
        Refused: 400, the knowledge takes no such files, or it is not the plain name of a file.
    """
    model = knowledge.model
    endings = ingest.ENDINGS if model.kind == "text" else model.endings
    if Path(file).suffix.lower() not in endings:
        expected = f"expected a name that ends in {', '.join(sorted(endings))}"
        raise Refused(400, f"the file is called {file!r:.80}, {expected}")
    if file != Path(file).name or file.startswith(".") or "\\" in file or not file.isprintable():
        raise Refused(400, f"the file is called {file!r:.80}, expected a plain name")
    if (length := len(os.fsencode(file))) > NAME:
        raise Refused(400, f"the file's name takes {length} bytes, expected at most {NAME}")


async def receive(request: Request, incoming: Path, file: str) -> Upload:
    """Write the body of a request to a new folder in `incoming`.

    Raises:
        ForetellError: the disk does not take it. Nothing of it is left then, or when the client leaves.
    """
    incoming.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=incoming))
    try:
        with (folder / file).open("wb") as to:
            async for chunk in request.stream():
                to.write(chunk)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ForetellError(f"{folder / file}: {error.strerror}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Upload(folder / file, file)


def sweep(incoming: Path) -> None:
    """Remove the uploads that a killed service left behind."""
    with suppress(FileNotFoundError):
        for folder in incoming.iterdir():
            if folder.stat().st_mtime < time.time() - FORGOTTEN:
                shutil.rmtree(folder, ignore_errors=True)
