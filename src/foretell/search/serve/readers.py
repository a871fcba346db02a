"""The child processes of a service: they parse files, decode pictures and rerank, each within limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.search.add import Guard
from foretell.search.ingest.guard import Limits
from foretell.search.models import reranking
from foretell.search.models.pictures import FILE_SECONDS, QUERY_SECONDS, STILL, Through, guarded
from foretell.search.models.text import TextModel
from foretell.search.query import READ_LEAST, H, depth, reranked
from foretell.workers.worker import Job, Workers

if TYPE_CHECKING:
    import numpy as np

    from foretell.search.models.media import ImageModel

PARSING = Limits(most_seconds=120.0)
"""What parsing an uploaded file may cost."""
PICTURES = Job("decoding it", memory=1 << 30, nice=5, threads=1)
KEYED, KEYLESS = 20.0, 5.0
"""The most seconds of computing of a reranker for a request: with a key, and without one."""


class Readers:
    """Warm child processes for everything that may take long or go wrong.

    Args:
        reranker: the reranker of the service, by name or folder.
        reranked: the most passages that it reads for a request with a key.
    """

    def __init__(self, reranker: str, reranked: int) -> None:
        self._name, self._most = reranker, reranked
        self._rerankers, self._decoders = Workers(reranking.JOB), Workers(PICTURES)

    def most(self, keyed: bool) -> int:
        """How many passages are read for a request at most."""
        return self._most if keyed else min(self._most, READ_LEAST)

    def depth(self, top: int, keyed: bool) -> int:
        """How many results to find for a request that asks for `top`, reranked."""
        return depth(top, self.most(keyed))

    def rerank(self, query: str, hits: Sequence[H], top: int, keyed: bool) -> Sequence[H]:
        """The best results, of which a reranker has read some. As `foretell.search.query.reranked`."""
        with self._rerankers.one() as worker:
            scores = partial(reranking.scores_in, worker, self._name, KEYED if keyed else KEYLESS)
            return reranked(query, hits, top, self.most(keyed), scores)

    def pixels(self, model: ImageModel | TextModel, file: Path | bytes) -> np.ndarray:
        """What a model sees of a picture or a video that somebody asks with. Raises ForetellError as its `read`."""
        assert model.kind != "text"
        with self._decoders.one() as worker:
            return model.read(file, guarded(worker, QUERY_SECONDS))

    def still(self, file: bytes, size: int) -> np.ndarray:
        """A photograph that somebody sends, for a model of this image size: uint8 [3, S, S]. Raises ForetellError."""
        with self._decoders.one() as worker:
            (pixels,) = guarded(worker, QUERY_SECONDS)(STILL, file=file, size=size)
        return pixels

    def guard(self) -> Guard:
        """The limits on a file that is uploaded."""
        return Guard(PARSING, self._decoding, PICTURES.nice)

    @contextmanager
    def _decoding(self) -> Iterator[Through]:
        with self._decoders.one() as worker:
            yield guarded(worker, FILE_SECONDS)

    def close(self) -> None:
        """End the processes."""
        self._rerankers.close()
        self._decoders.close()
