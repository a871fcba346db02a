"""What a search costs over HTTP, and how well each kind of search finds.

python -m benchmarks.search http [ENTRIES]                           # against the bare web framework
python -m benchmarks.search quality [PASSAGES [QUERIES [RERANKER]]]  # on documentation that Python packages bring

A known item is searched for: the first sentence of a function's documentation is the query, and the rest of it the one
passage that is right, among all others of its kind.
"""

import http.client
import importlib
import inspect
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np

from benchmarks.measure import table, told
from benchmarks.stores import asked, chunks, vectors
from foretell.progress import watched
from foretell.search import Knowledge, Store
from foretell.search.models.cross_encoder import DEFAULT
from foretell.search.models.load import load_reranker
from foretell.search.storage.sqlite.search import matching

TOP = 10
BARE = """
import sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from foretell.http.json import Json
class Vector(BaseModel):
    vector: list[float]
    top: int = 10
app = FastAPI()
hits = [{"id": i, "score": 0.5, "text": "x" * 400, "metadata": {"source": "a.pdf"}} for i in range(10)]
@app.post("/query")
async def query(body: Vector):
    return Json({"results": hits})
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False)
"""


# --- over HTTP


def http_(entries: int, rounds: int = 5) -> None:
    """Queries by a vector: served, and the bare framework, by turns, each service on one and the same core."""
    x = vectors(entries)
    with tempfile.TemporaryDirectory() as folder:
        with Knowledge.create(folder, "k", model="vectors", public=True) as knowledge:
            for start, texts, metadata in chunks(entries):
                knowledge.insert_vectors(x[start : start + len(texts)], metadata, texts)
            knowledge.build()
            contract = knowledge.about.contract_id
        bodies = [json.dumps({"vector": row.tolist(), "top": TOP}).encode() for row in asked(x)]
        serve = [sys.executable, "-m", "foretell", "serve", "--data", folder, "--rate", "0", "--port"]
        with running(serve) as ours, running([sys.executable, "-c", BARE]) as bare:
            services = {
                "served": (*ours, f"/api/v1/knowledge/{contract}/query"),
                "bare framework": (*bare, "/query"),
            }
            rows = []
            for clients in (1, 8):
                rates: dict[str, list[float]] = {name: [] for name in services}
                times: dict[str, list[float]] = {name: [] for name in services}
                for _ in watched(range(rounds), f"{clients} clients"):
                    for name, (pid, port, path) in services.items():
                        load(port, path, bodies, clients, 20)  # warm
                        cpu = cpu_of(pid)
                        times[name] += load(port, path, bodies, clients, 400 // clients)
                        rates[name].append(400 / (cpu_of(pid) - cpu))
                for name in services:
                    share = np.median(rates[name]) / np.median(rates["bare framework"])
                    p50, p99 = np.percentile(times[name], [50, 99]) * 1000
                    rate = f"{np.median(rates[name]):.0f}"
                    rows.append([name, str(clients), rate, f"{share:.2f}", f"{p50:.1f}", f"{p99:.1f}"])
        head = ["", "clients", "queries a CPU-second", "of the framework's", "p50 ms", "p99 ms"]
        table(head, rows)


def load(port: int, path: str, bodies: list[bytes], clients: int, each: int) -> list[float]:
    """Seconds of every request, of clients that ask at the same time, each over one connection."""
    times: list[float] = []

    def run(client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for turn in range(each):
            start = time.perf_counter()
            connection.request(
                "POST", path, bodies[(client + turn) % len(bodies)], {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            content = response.read()
            assert response.status == 200, content
            times.append(time.perf_counter() - start)
        connection.close()

    threads = [threading.Thread(target=run, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


@contextmanager
def running(command: list[str]) -> Iterator[tuple[int, int]]:
    """A service, its process and its port."""
    with socket_() as port:
        pass
    core = {
        max(os.sched_getaffinity(0))
    }  # a thread that changes cores pays for cold caches, the more the busier they are
    process = subprocess.Popen(
        [*command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, core),
    )
    try:
        for _ in range(600):
            try:
                http.client.HTTPConnection("127.0.0.1", port).connect()
                break
            except OSError:
                time.sleep(0.1)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def socket_() -> Iterator[int]:
    """A port that is free."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]


def cpu_of(pid: int) -> float:
    """Processor seconds of a process (Linux)."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- how well


def quality(passages: int, queries: int = 100, reranker: str = DEFAULT, deep: int = 20) -> None:
    """Known items, found by vectors, words, both, and a reranker over more and fewer of what these find."""
    pairs = documented()[:passages]
    with tempfile.TemporaryDirectory() as folder, closing(Store(folder)) as store:
        knowledge = Knowledge.create(store, "k")
        number = store.collection(knowledge.about.contract_id).number
        ids = knowledge.insert([rest for _, rest in pairs], progress=True)
        rng = np.random.default_rng(0)
        asked = [(pairs[i][0], ids[i]) for i in rng.permutation(len(pairs))[:queries].tolist()]
        reader = load_reranker(reranker)

        def words(query: str) -> list[int]:
            with store.read() as c:
                return [id for id, _ in matching(c, number, query, TOP, None)]

        kinds: dict[str, Callable[[str], list[int]]] = {
            "words (BM25)": words,
            "vectors": lambda q: [hit.id for hit in knowledge.search(q, TOP)],
            "both": lambda q: [hit.id for hit in knowledge.search(q, TOP, hybrid=True)],
        }
        print(f"{len(pairs)} passages, {len(asked)} queries\n")
        rows = []
        for name, find in kinds.items():
            cpu = time.process_time()
            found = [find(query) for query, _ in asked]
            cpu = (time.process_time() - cpu) / len(asked)
            rows.append([name, *_judged(found, [id for _, id in asked]), f"{1000 * cpu:.0f} ms"])
        known: list[dict[int, float]] = [{} for _ in asked]  # each pair is read once; who sorts it is then a choice
        spent = 0.0
        for hybrid in (False, True):
            found = []
            for (query, _), scores in zip(watched(asked, "reranking"), known, strict=True):
                hits = knowledge.search(query, deep, hybrid=hybrid)
                new = [hit for hit in hits if hit.id not in scores]
                cpu = time.process_time()
                scores |= zip((h.id for h in new), reader.score(query, [h.text for h in new]).tolist(), strict=True)
                spent += time.process_time() - cpu
                found.append([hit.id for hit in hits])
            pair = spent / sum(map(len, known))
            for depth in (TOP // 2, TOP, deep):
                sort = [sorted(f[:depth], key=lambda id: -s[id]) + f[depth:] for f, s in zip(found, known, strict=True)]
                name = f"{'both' if hybrid else 'vectors'}, the best {depth} reranked"
                rows.append([name, *_judged(sort, [id for _, id in asked]), f"{1000 * pair * depth:.0f} ms"])
        table(["", "nDCG@10", "recall@1", "recall@10", "MRR@10", "a query"], rows)


def _judged(found: list[list[int]], right: list[int]) -> list[str]:
    """nDCG@10 with its 95 % interval by bootstrap over queries, recall@1, recall@10 and MRR@10."""
    ranks = np.array([f.index(id) + 1 if id in f[:TOP] else math.inf for f, id in zip(found, right, strict=True)])
    gain = 1 / np.log2(1 + ranks)  # one passage is right: the ideal is 1
    drawn = np.random.default_rng(0).integers(0, len(ranks), (10_000, len(ranks)))
    low, high = np.percentile(gain[drawn].mean(1), [2.5, 97.5])
    numbers = (ranks == 1).mean(), (ranks <= TOP).mean(), (1 / ranks).mean()
    return [f"{gain.mean():.3f} ({low:.3f}–{high:.3f})", *(f"{number:.3f}" for number in numbers)]


def documented() -> list[tuple[str, str]]:
    """First sentence and rest of the documentation of functions, in an order that mixes packages."""
    pairs: dict[str, str] = {}
    for name in ("torch", "torch.nn", "torch.nn.functional", "numpy", "numpy.linalg", "scipy.stats", "scipy.signal"):
        for _, thing in sorted(vars(importlib.import_module(name)).items()):
            text = " ".join((inspect.getdoc(thing) or "").split()) if callable(thing) else ""
            first, _, rest = text.partition(". ")
            if 30 <= len(first) <= 200 and len(rest) >= 200 and "(" not in first:
                pairs.setdefault(first, rest[:800])
    rng = np.random.default_rng(1)
    found = list(pairs.items())
    return [found[i] for i in rng.permutation(len(found)).tolist()]


if __name__ == "__main__":
    what, *size = told(__doc__) or ["http"]
    commands: dict[str, Callable[..., None]] = {
        "http": lambda n=10_000: http_(int(n)),
        "quality": lambda n=800, m=100, *reranker: quality(int(n), int(m), *reranker),
    }
    if what not in commands:
        sys.exit(f"{what!r} is no measurement, expected one of {', '.join(commands)}")
    commands[what](*size)
