"""What a vector query costs as entries grow, beside other embedded stores, and what an entry costs.

python -m benchmarks.stores peers [ENTRIES ...]    # the same work: ten nearest, with their texts and metadata
python -m benchmarks.stores growth [ENTRIES ...]   # foretell alone: adding, memory, disk, recall at every level

n entries · D width
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure import available, one_thread, table, told
from foretell.search import Knowledge

D, TOP, LEVEL = 384, 10, 2
QUERIES = 200
CHUNK = 1000
VOCABULARY = [
    f"{a}{b}{c}" for a in "bdklmnprst" for b in "aeiou" for c in ("n", "r", "s", "to", "la", "mi", "ke", "ru")
]


def vectors(n: int) -> np.ndarray:
    """Unit vectors [n, D] about 1,000 centres, as far from these as the centres are from zero."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((1000, D), np.float32)
    x = centres[rng.integers(0, 1000, n)] + rng.standard_normal((n, D), np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def asked(x: np.ndarray) -> np.ndarray:
    """Queries [QUERIES, D]: entries moved half as far as they lie from their centre."""
    rng = np.random.default_rng(1)
    q = x[rng.integers(0, len(x), QUERIES)] + 0.35 * rng.standard_normal((QUERIES, D), np.float32) / np.sqrt(D)
    return q / np.linalg.norm(q, axis=1, keepdims=True)


def exact(x: np.ndarray, queries: np.ndarray) -> list[set[int]]:
    """The ids of the true nearest."""
    return [set(np.argpartition(x @ q, len(x) - TOP)[-TOP:].tolist()) for q in queries]


def chunks(n: int) -> Iterator[tuple[int, list[str], list[dict[str, str | int]]]]:
    """Starts, texts of some 400 characters and metadata."""
    for start in range(0, n, CHUNK):
        rng = np.random.default_rng(start)
        words = rng.integers(0, len(VOCABULARY), (min(CHUNK, n - start), 80))
        texts = [" ".join(VOCABULARY[word] for word in row) for row in words.tolist()]
        yield start, texts, [{"source": f"{start}.pdf", "row": start + i} for i in range(len(texts))]


Find = Callable[[np.ndarray], list[int]]
"""Ids of the nearest; texts and metadata have been fetched."""


def foretell(folder: Path, x: np.ndarray) -> Find:
    """This library."""
    knowledge = Knowledge.create(folder, "k", model="vectors")
    for start, texts, metadata in chunks(len(x)):
        knowledge.insert_vectors(x[start : start + CHUNK], metadata, texts)
    knowledge.build()

    def find(query: np.ndarray) -> list[int]:
        hits = knowledge.query(query, TOP, level=LEVEL)
        assert all(hit.text and hit.metadata for hit in hits)
        return [hit.id for hit in hits]

    return find


def chroma(folder: Path, x: np.ndarray) -> Find:
    """Chroma, persistent, with its own index (HNSW, M 16, ef 100)."""
    import chromadb

    client = chromadb.PersistentClient(str(folder), chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection(
        "entries", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
    )
    for start, texts, metadata in chunks(len(x)):
        ids = [str(start + i) for i in range(len(texts))]
        collection.add(ids, x[start : start + CHUNK], metadata, texts)

    def find(query: np.ndarray) -> list[int]:
        found = collection.query(query[None], n_results=TOP, include=["documents", "metadatas", "distances"])
        assert all(found["documents"][0])
        return [int(id) for id in found["ids"][0]]

    return find


def lance(folder: Path, x: np.ndarray) -> Find:
    """LanceDB: exact up to 25,000, beyond with IVF_HNSW_SQ in one partition."""
    import lancedb
    import pyarrow as pa

    opened = None
    for start, texts, metadata in chunks(len(x)):
        part = x[start : start + CHUNK]
        columns = {
            "id": list(range(start, start + len(part))),
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), D),
            "text": texts,
            "source": [str(m["source"]) for m in metadata],
            "row": [m["row"] for m in metadata],
        }
        if opened is None:
            opened = lancedb.connect(folder).create_table("k", pa.table(columns))
        else:
            opened.add(pa.table(columns))
    opened.optimize()
    if len(x) > 25_000:
        opened.create_index("cosine", num_partitions=1, index_type="IVF_HNSW_SQ", m=16, ef_construction=128)

    def find(query: np.ndarray) -> list[int]:
        rows = opened.search(query).distance_type("cosine").limit(TOP).to_list()
        assert all(row["text"] for row in rows)
        return [row["id"] for row in rows]

    return find


def qdrant(folder: Path, x: np.ndarray) -> Find:
    """Qdrant's client without a server."""
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=str(folder))
    client.create_collection("k", models.VectorParams(size=D, distance=models.Distance.COSINE))
    for start, texts, metadata in chunks(len(x)):
        part = x[start : start + CHUNK].tolist()
        points = [
            models.PointStruct(id=start + i, vector=v, payload={"text": t, **m})
            for i, (v, t, m) in enumerate(zip(part, texts, metadata, strict=True))
        ]
        client.upsert("k", points)

    def find(query: np.ndarray) -> list[int]:
        points = client.query_points("k", query, limit=TOP, with_payload=True).points
        assert all(point.payload["text"] for point in points)
        return [point.id for point in points]

    return find


def peers(sizes: list[int]) -> None:
    """All stores hold the same, and are asked the same by turns; time is that of all threads of the process."""
    import warnings

    warnings.filterwarnings("ignore", category=UserWarning)  # Qdrant's client, of more than 20,000 points
    one_thread()
    builders = {"foretell": foretell, "chromadb": chroma, "lancedb": lance, "qdrant-client, local": qdrant}
    for n in sizes:
        x = vectors(n)
        queries = asked(x)
        true = exact(x, queries)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            root = Path(folder)
            finds = available({name: partial(build, root / name, x) for name, build in builders.items()})
            spent: dict[str, list[float]] = {name: [] for name in finds}
            recall = {}
            for name, find in finds.items():  # warms it up
                recall[name] = np.mean([len(t & set(find(q))) / TOP for t, q in zip(true[:50], queries, strict=False)])
            for turn in range(7):
                for name in list(finds)[turn % len(finds) :] + list(finds)[: turn % len(finds)]:
                    began = time.process_time()
                    for q in queries[:50]:
                        finds[name](q)
                    spent[name].append((time.process_time() - began) / 50)
            ours = median(spent["foretell"])
            rows = [
                [
                    name,
                    f"{1 / median(t):.0f}",
                    f"{1e3 * median(t):.2f}",
                    f"{median(t) / ours:.2f}",
                    f"{recall[name]:.3f}",
                ]
                for name, t in spent.items()
            ]
            print(f"{n:,} entries\n")
            table(["store", "queries a CPU-second", "ms a query", "× foretell's time", "recall@10"], rows)


def growth(sizes: list[int]) -> None:
    """What an entry costs, and how queries do: each size in a process of its own."""
    costs, recalls = [], []
    for n in sizes:
        found = subprocess.run(
            [sys.executable, "-m", "benchmarks.stores", "one", str(n)], stdout=subprocess.PIPE, check=True
        )
        one = json.loads(found.stdout)
        print(one, file=sys.stderr, flush=True)
        costs.append([f"{n:,}", *(one[key] for key in ("add", "graph", "disk", "memory", "query", "p50", "p99"))])
        recalls.append([f"{n:,}", *one["levels"]])
    head = ["entries", "added a CPU-second", "CPU-s of graph", "bytes on disk an entry", "bytes in memory an entry"]
    table([*head, "queries a CPU-second", "p50 ms", "p99 ms"], costs)
    table(["entries", *(f"level {level}" for level in range(5))], recalls)


def one(n: int) -> None:
    """One size, as JSON."""
    x = vectors(n)
    queries = asked(x)
    true = exact(x, queries)
    with tempfile.TemporaryDirectory() as folder:
        with Knowledge.create(folder, "k", model="vectors") as knowledge:
            own, whole = time.thread_time(), time.process_time()
            for start, texts, metadata in chunks(n):
                knowledge.insert_vectors(x[start : start + CHUNK], metadata, texts)
            own = time.thread_time() - own
            knowledge.build()
            graph = time.process_time() - whole - own
        disk = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        del x
        asking = [sys.executable, "-m", "benchmarks.stores", "memory", folder]
        memory = int(subprocess.run(asking, stdout=subprocess.PIPE, check=True).stdout)
        with Knowledge.open(folder, "k") as knowledge:
            for q in queries[:50]:
                knowledge.query(q, TOP)
            wall, cpu = [], time.process_time()
            for q in queries:
                began = time.perf_counter()
                knowledge.query(q, TOP, level=LEVEL)
                wall.append(1e3 * (time.perf_counter() - began))
            cpu = (time.process_time() - cpu) / QUERIES
            levels = [
                np.mean(
                    [
                        len(t & {h.id for h in knowledge.query(q, TOP, level=level)}) / TOP
                        for t, q in zip(true, queries, strict=True)
                    ]
                )
                for level in range(5)
            ]
    p50, p99 = np.percentile(wall, [50, 99])
    print(
        json.dumps(
            {
                "add": f"{n / own:.0f}",
                "graph": f"{graph:.0f}",
                "disk": f"{disk / n:.0f}",
                "memory": f"{memory / n:.0f}",
                "query": f"{1 / cpu:.0f}",
                "p50": f"{p50:.1f}",
                "p99": f"{p99:.1f}",
                "levels": [f"{r:.3f}" for r in levels],
            }
        )
    )


def memory(folder: str) -> None:
    """Bytes that a process needs to search a store, in all: its own, and the graph, which is a mapped file."""
    queries = np.random.default_rng(0).standard_normal((QUERIES, D), np.float32)
    with tempfile.TemporaryDirectory() as other, Knowledge.create(other, "k", model="vectors") as small:
        small.insert_vectors(queries)
        small.query(queries[0])  # what a store of any size needs
        before = anonymous()
        with Knowledge.open(folder, "k") as knowledge:
            for q in queries:
                knowledge.query(q, TOP)
            print(anonymous() - before + sum(f.stat().st_size for f in Path(folder).glob("index/*.usearch")))


def anonymous() -> int:
    """Bytes of memory that are this process's own (Linux); the graph and the store are mapped files beside it."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("RssAnon"))


if __name__ == "__main__":
    what, *rest = told(__doc__) or ["peers"]
    several = {"peers": peers, "growth": growth}
    if what == "memory":
        memory(*rest)
    elif what == "one":
        one(int(*rest))
    elif what in several:
        several[what]([int(size.replace("_", "")) for size in rest] or [1000, 10_000, 100_000])
    else:
        sys.exit(f"{what!r} is no measurement, expected one of {', '.join(several)}")
