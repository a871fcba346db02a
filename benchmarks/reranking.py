"""What a reranker adds to a search, on four collections, by how many passages it reads and how scores are fused.

python -m benchmarks.reranking DATA [QUERIES [RERANKER]]

DATA holds `coco-small` (captions), `coin` (procedures) and `emoji`, as their publishers lay them out; a collection that
is not there is left out. The fourth is the documentation of functions (`benchmarks.search`).

- functions: the first sentence of a documentation asks for the rest of it (1 of 800 is right).
- captions: a caption asks for the other four of its photograph (4 of 254).
- procedures: the name of a task asks for the steps of its procedures (some 60 of 2,000).
- emoji: a name asks for the words that people give the picture (1 of 1,900).
"""

import gzip
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.measure import table, told
from benchmarks.search import documented
from foretell.progress import watched
from foretell.search.models.cross_encoder import DEFAULT
from foretell.search.models.load import load_model, load_reranker

TOP = 10
DEEP = 50
K = 60  # of reciprocal rank fusion


class Collection(NamedTuple):
    """Passages, and queries with the passages that are right, and one that is left out (the query itself)."""

    passages: list[str]
    queries: list[tuple[str, set[int], int | None]]


class Read(NamedTuple):
    """The best passages of a query by their vectors, their scores, and which of them are right."""

    vector: np.ndarray
    reranked: np.ndarray
    """Logits."""
    right: np.ndarray
    many: int
    """Right passages in the whole collection."""


def functions() -> Collection:
    """Documentation of functions."""
    pairs = documented()[:800]
    return Collection([rest for _, rest in pairs], [(first, {i}, None) for i, (first, _) in enumerate(pairs)])


def captions(folder: Path) -> Collection:
    """Captions of photographs."""
    told = json.loads((folder / "annotations" / "captions.json").read_text())["annotations"]
    of = defaultdict[int, set[int]](set)
    for i, each in enumerate(told):
        of[each["image_id"]].add(i)
    passages = [" ".join(each["caption"].split()) for each in told]
    return Collection(passages, [(p, of[told[i]["image_id"]] - {i}, i) for i, p in enumerate(passages)])


def procedures(folder: Path) -> Collection:
    """Steps of procedures."""
    with gzip.open(folder / "COIN.json.gz", "rt") as file:
        every = list(json.load(file)["database"].values())
    some = [every[i] for i in np.random.default_rng(0).permutation(len(every)).tolist()]
    found: dict[str, str] = {}
    for each in some:
        found.setdefault(". ".join(step["label"] for step in each["annotation"]), each["class"])
    passages = list(found)[:2000]
    of = defaultdict[str, set[int]](set)
    for i, passage in enumerate(passages):
        of[found[passage]].add(i)
    return Collection(passages, [(re.sub("(?<=[a-z])(?=[A-Z])", " ", name).lower(), of[name], None) for name in of])


def emoji(folder: Path) -> Collection:
    """Words of emoji."""
    import pyarrow.parquet as pq

    rows = pq.read_table(next(folder.glob("*.parquet")), columns=["name", "words"]).to_pylist()
    rows = [row for row in rows if row["words"]]
    passages = [", ".join(word.strip() for word in row["words"]) for row in rows]
    return Collection(passages, [(row["name"], {i}, None) for i, row in enumerate(rows)])


def read(collection: Collection, queries: int, reranker: str) -> tuple[list[Read], float]:
    """What is found for each query, and the processor seconds of a passage that is reranked."""
    model, reader, spent, count = load_model("bge-small-en-v1.5"), load_reranker(reranker), 0.0, 0
    steps = watched(range(0, len(collection.passages), 16), "embedding")
    vectors = np.concatenate([model.passages(collection.passages[i : i + 16]) for i in steps])
    chosen = np.random.default_rng(0).permutation(len(collection.queries))[:queries].tolist()
    found = []
    for i in watched(chosen, "reranking"):
        query, right, own = collection.queries[i]
        scores = vectors @ model.query(query)
        if own is not None:
            scores[own] = -2
        best = np.argsort(-scores, kind="stable")[:DEEP].tolist()
        cpu = time.process_time()
        p = reader.score(query, [collection.passages[j] for j in best]).astype(np.float64)
        spent, count = spent + time.process_time() - cpu, count + DEEP
        logits = np.log(np.clip(p, 1e-9, 1 - 1e-9) / np.clip(1 - p, 1e-9, 1))
        found.append(Read(scores[best], logits, np.array([j in right for j in best]), len(right)))
    return found, spent / count


def orders(depth: int) -> Iterator[tuple[str, Callable[[Read], np.ndarray]]]:
    """Ways to sort what is found, of which the reranker has read the first `depth`."""

    def by(score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[[Read], np.ndarray]:
        def sort(r: Read) -> np.ndarray:
            head = np.argsort(-score(r.vector[:depth], r.reranked[:depth]), kind="stable")
            return np.concatenate([head, np.arange(depth, len(r.vector))])

        return sort

    yield f"{depth} read, by the reranker", by(lambda v, r: r)
    yield f"{depth} read, reciprocal ranks", by(lambda v, r: _reciprocal(v) + _reciprocal(r))
    for share in (0.25, 0.5, 0.75):
        yield f"{depth} read, {share:g} of the reranker", by(lambda v, r, s=share: (1 - s) * _even(v) + s * _even(r))


def _reciprocal(scores: np.ndarray) -> np.ndarray:
    ranks = np.empty(len(scores))
    ranks[np.argsort(-scores, kind="stable")] = np.arange(1, len(scores) + 1)
    return 1 / (K + ranks)


def _even(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.mean()) / max(float(scores.std()), 1e-9)


def ndcg(r: Read, order: np.ndarray) -> float:
    """nDCG@10 of what is found, in an order."""
    discount = 1 / np.log2(np.arange(2, TOP + 2))
    return float(r.right[order[:TOP]] @ discount[: len(order[:TOP])] / discount[: min(r.many, TOP)].sum())


def main(data: str, queries: int = 100, reranker: str = DEFAULT) -> None:
    """Measure all, and print tables."""
    folder = Path(data)
    collections: dict[str, Callable[[], Collection]] = {"functions": functions}
    for name, of in (("coco-small", captions), ("coin", procedures), ("emoji", emoji)):
        if (folder / name).is_dir():
            collections[of.__name__] = lambda of=of, name=name: of(folder / name)
    found = {name: read(make(), queries, reranker) for name, make in collections.items()}
    ways: list[tuple[str, Callable[[Read], np.ndarray]]] = [("vectors", lambda r: np.arange(len(r.vector)))]
    ways += [way for depth in (10, 20, 50) for way in orders(depth)]
    rows, drawn = [], np.random.default_rng(0)
    for name, sort in ways:
        cells = [name]
        for reads, _ in found.values():
            gains = np.array([ndcg(r, sort(r)) for r in reads])
            gains = gains - np.array([ndcg(r, ways[0][1](r)) for r in reads]) if name != "vectors" else gains
            low, high = np.percentile(gains[drawn.integers(0, len(gains), (5000, len(gains)))].mean(1), [2.5, 97.5])
            cells.append(
                f"{gains.mean():+.3f} ({low:+.3f} {high:+.3f})" if name != "vectors" else f"{gains.mean():.3f}"
            )
        rows.append(cells)
    table(["nDCG@10, then its change", *found], rows)
    for name, (reads, seconds) in found.items():
        print(f"{name}: {len(reads)} queries, {1000 * seconds:.0f} ms of a core for a passage")


if __name__ == "__main__":
    if not (words := told(__doc__)):
        sys.exit(__doc__)
    what, *rest = words
    main(what, *(int(each) if each.isdecimal() else each for each in rest))
