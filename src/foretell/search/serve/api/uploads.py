"""Uploaded files: each lies in a folder of its own until it is added."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import Request
from filelock import FileLock, Timeout

from foretell.errors import ForetellError
from foretell.http.refusal import Refused
from foretell.search import ingest
from foretell.search.add import Added
from foretell.search.knowledge import Knowledge

NAME = 255
"""The longest name of a file, in bytes: a limit of file systems."""
LOCK = ".lock"


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


@contextmanager
def incoming(folder: Path) -> Iterator[Path]:
    """A new folder in `folder` for the uploads of this process. What killed processes left behind is removed.

    A process holds a lock in its folder, which ends with it. So no other process removes the folder meanwhile.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        try:
            with FileLock(other / LOCK, timeout=0):
                pass
        except Timeout:  # another process serves the same store
            continue
        except OSError:  # a file
            other.unlink(missing_ok=True)
        shutil.rmtree(other, ignore_errors=True)
    own = Path(tempfile.mkdtemp(dir=folder))
    with FileLock(own / LOCK):
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)
