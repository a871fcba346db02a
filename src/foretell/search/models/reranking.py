"""Read passages for a query: in this process, or in a worker with a limit on the time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from foretell import stop
from foretell.search.models import cross_encoder
from foretell.search.models.load import load_reranker
from foretell.workers.worker import Job, Worker

JOB = Job("reranking", memory=8 << 30, nice=10, threads=1, short=True)
"""Rerankers are loaded from files of this machine's owner: their memory is limited only so that nothing runs away."""
PATIENCE = 60.0
"""Seconds of computing for one passage, and for loading the reranker before the first."""


def scores(query: str, passages: Sequence[str], name: str = cross_encoder.DEFAULT) -> Iterator[float]:
    """The score of each passage, by a reranker in this process."""
    reranker = load_reranker(name)
    yield from reranker.score(query, passages).tolist()


def scores_in(worker: Worker, name: str, seconds: float, query: str, passages: Sequence[str]) -> Iterator[float]:
    """The scores of the first passages, by a reranker in a worker.

    It ends after the passage that takes it past `seconds` of computing.

    Args:
        worker: made for `JOB`.
        name: of the reranker.
        seconds: of computing, without those for loading the reranker.
        query: a text.
        passages: texts.
    """
    spent = 0.0
    for passage in passages:
        if spent > seconds:
            return
        stop.check()
        ((score, taken),) = worker.call(f"{__name__}:score", PATIENCE, name=name, query=query, passage=passage)
        yield score
        spent += taken


def score(name: str, query: str, passage: str) -> Iterator[tuple[float, float]]:
    """The score of a passage, and the seconds of computing that it took."""
    reranker = load_reranker(name)
    start = time.process_time()
    yield float(reranker.score(query, [passage])[0]), time.process_time() - start
