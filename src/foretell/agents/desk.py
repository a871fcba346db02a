"""What a tool works with: its caller, the knowledges, the models, the threads, and the files that an agent sends."""

from __future__ import annotations

import binascii
import mimetypes
import os
import tempfile
from base64 import b64decode
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from PIL import Image
from pydantic import Field

from foretell.agents.models import ServedModels
from foretell.errors import ForetellError
from foretell.http.refusal import Refused, keyless
from foretell.http.work import Work
from foretell.search.add import AddProgress
from foretell.search.knowledge import Knowledge
from foretell.search.query import H
from foretell.search.serve.api.bodies import RequestBody
from foretell.search.serve.library import Library, counted_as
from foretell.search.serve.readers import Readers
from foretell.search.storage.protocol import Key

T = TypeVar("T")
PIXELS = 25_000_000
"""The most pixels of a picture."""


class SentFile(RequestBody):
    """A file: its content in base64, or as text; or, if this server runs on your machine, its path."""

    name: Annotated[
        str | None,
        Field(min_length=1, max_length=200, description="its name with the ending, such as notes.md or cat.png"),
    ] = None
    base64: Annotated[str | None, Field(description="its content, in base64; needs name")] = None
    text: Annotated[str | None, Field(description="its content, of a file of plain text; needs name")] = None
    path: Annotated[
        str | None,
        Field(max_length=4000, description="its path, if this server runs on your machine and may read there"),
    ] = None


@dataclass(frozen=True)
class GivenFile:
    """A file that a tool may read."""

    path: Path
    base: Path | None
    """The folder that an uploaded file lies in; None of a file that lies where its owner keeps it."""

    @property
    def name(self) -> str:
        """Its name, as its sender knows it."""
        return self.path.name


async def silent(_: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Desk:
    """What the tools of one caller work with."""

    caller: Key | None
    library: Library
    work: Work
    readers: Readers
    models: ServedModels
    folders: Sequence[Path] = ()
    """Folders whose files may be named by their path."""
    progress: Callable[[float], Awaitable[None]] = silent
    """Tells the agent the share of a long call that is done."""

    def find(self, name: str, *, write: bool = False) -> Knowledge:
        """A knowledge for this caller. Raises Refused as `Library.find`."""
        return self.library.find(self.caller, name, write=write)

    async def search(self, call: Callable[[], T]) -> T:
        """Run a call that reads. Raises Refused where too many wait."""
        return await self.work.search(call)

    async def write(self, call: Callable[[], T]) -> T:
        """Run a call that writes. Raises Refused where too many wait."""
        return await self.work.write(call, self.who)

    async def steps(self, make: Callable[[], Generator[AddProgress, None, None]]) -> None:
        """Run a long call in the thread for files, and tell the agent how far it is. Raises Refused where many wait."""
        async for step in self.work.steps(make, lambda: None, self.who):
            await self.progress(step.fraction)

    @property
    def who(self) -> str:
        """The name under which long work is counted."""
        return counted_as(self.caller)

    def most_read(self) -> int:
        """How many passages a reranker reads for this caller at most."""
        return self.readers.most(self.caller is not None)

    async def rerank(self, query: str, hits: Sequence[H], top: int) -> Sequence[H]:
        """The best results, of which a reranker has read some. Raises Refused where too many wait."""
        keyed = self.caller is not None
        return await self.work.readers.run(lambda: self.readers.rerank(query, hits, top, keyed), self.who)

    async def look(self, call: Callable[[], T]) -> T:
        """Run a model, after all earlier calls of models. Raises Refused where too many wait."""
        return await self.models.work.write(call, self.who)

    def check_key(self) -> None:
        """Refuse a caller without a key. Raises Refused."""
        if self.caller is None:
            raise keyless()

    @contextmanager
    def file(self, sent: SentFile, endings: Sequence[str] | frozenset[str], what: str) -> Iterator[GivenFile]:
        """A file that an agent sent or named. Errors name it as the agent does, and not its place.

        Args:
            sent: the file.
            endings: the endings that its name may have.
            what: the parameter, for errors.

        Raises:
            ForetellError: the file is missing or of another kind, or it must not be read.
        """
        given = [field for field in ("base64", "text", "path") if getattr(sent, field) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ForetellError(f"{what} has {found}, expected one of base64, text and path")
        if sent.path is not None:
            path = self._own(sent.path, what)
            _check_ending(path.name, endings, what)
            _check_pixels(path, what)
            with _named(path, path.name):
                yield GivenFile(path, None)
            return
        if sent.name is None:
            raise ForetellError(f"{what} has no name, expected one such as notes.md: its ending tells what it is")
        _check_name(sent.name, endings, what)
        content = sent.text.encode() if sent.text is not None else _decoded(sent.base64 or "", what)
        with tempfile.TemporaryDirectory(prefix="foretell-") as folder:
            path = Path(folder) / sent.name
            path.write_bytes(content)
            _check_pixels(path, what)
            with _named(path, sent.name):
                yield GivenFile(path, Path(folder))

    def _own(self, named: str, what: str) -> Path:
        """A file of this machine that may be read. Links are followed first, so that none leads out of its folder."""
        if not self.folders:
            found = f"{what}.path is given, and this server reads no files of its machine"
            raise ForetellError(f"{found}: send base64, or start foretell mcp with --files FOLDER")
        path = Path(os.path.realpath(Path(named).expanduser()))
        if not any(path.is_relative_to(os.path.realpath(folder)) for folder in self.folders):
            places = ", ".join(map(str, self.folders))
            raise ForetellError(f"{what}.path is {named!r:.200}, expected a file in {places}")
        if not path.is_file():
            raise ForetellError(f"{what}.path is {named!r:.200}: there is no such file")
        return path


def _check_name(name: str, endings: Sequence[str] | frozenset[str], what: str) -> None:
    plain = name == Path(name).name and "\\" not in name and not name.startswith(".") and name.isprintable()
    if not plain or len(os.fsencode(name)) > 255:
        raise ForetellError(f"{what}.name is {name!r:.80}, expected the plain name of a file")
    _check_ending(name, endings, what)


def _check_ending(name: str, endings: Sequence[str] | frozenset[str], what: str) -> None:
    if Path(name).suffix.lower() not in endings:
        raise ForetellError(f"{what} is called {name!r:.80}, expected a name that ends in {', '.join(sorted(endings))}")


def _check_pixels(path: Path, what: str) -> None:
    """Refuse a picture that is too large, by its head. A small file can hold a picture that fills the memory."""
    if not (mimetypes.guess_type(path.name)[0] or "").startswith("image/"):
        return
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ForetellError(f"{what} has too many pixels, expected at most {PIXELS // 10**6} megapixels") from None
    except Exception:  # Pillow's plugins raise errors of any type on bad files; the reader tells the reason
        return
    if width * height > PIXELS:
        most = f"expected at most {PIXELS / 10**6:g} megapixels"
        raise ForetellError(f"{what} has {width} × {height} pixels, {most}: make it smaller")


def _decoded(text: str, what: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ForetellError(f"{what}.base64 is not base64") from None


@contextmanager
def _named(path: Path, name: str) -> Iterator[None]:
    """Errors that say the name of a file instead of its place. Errors of the disk stay as they are, for the log."""
    try:
        yield
    except Refused:
        raise
    except ForetellError as error:
        if error.__cause__ is not None or str(path) not in str(error):
            raise
        raise ForetellError(str(error).replace(str(path), name)) from None
