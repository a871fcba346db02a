"""Uploaded files: each lies in a folder of its own until it is added."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import Request
from filelock import FileLock, Timeout
from starlette.datastructures import UploadFile

from foretell.errors import ForetellError
from foretell.http.gate import FORM
from foretell.http.refusal import Refused
from foretell.search import ingest
from foretell.search.add import Added
from foretell.search.knowledge import Knowledge

NAME = 255
"""The longest name of a file, in bytes: a limit of file systems."""
LOCK = ".lock"
CHUNK = 1 << 20


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
    """Write a file to a new folder in `incoming`. It is the body of the request, or the one file of a form in it.

    Raises:
        Refused: 400, it is a form without a file, or with several.
        ForetellError: the disk does not take it. Nothing of it is left then, or when the client leaves.
    """
    folder = Path(tempfile.mkdtemp(dir=incoming))
    try:
        with (folder / file).open("wb") as to:
            async for chunk in _chunks(request):
                to.write(chunk)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise ForetellError(f"{folder / file}: {error.strerror}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Upload(folder / file, file)


async def form_file(request: Request) -> UploadFile:
    """The one file of a form, as `curl -F` sends it. Raises Refused (400) where there is none, or several."""
    form = await request.form(max_files=1, max_fields=10)
    found = [each for each in form.values() if isinstance(each, UploadFile)]
    if len(found) != 1:
        raise Refused(400, "the form holds no file, expected one, as curl -F file=@paper.pdf sends it")
    return found[0]


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    if not request.headers.get("content-type", "").startswith(FORM):
        async for chunk in request.stream():
            yield chunk
        return
    sent = await form_file(request)
    while chunk := await sent.read(CHUNK):
        yield chunk


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
