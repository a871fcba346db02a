"""Committed writes stay, refused writes leave no trace, and no caller waits without need."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from foretell import ForetellError
from foretell.search import Busy, Knowledge, Store


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path):
    with pytest.raises(ForetellError, match=r"holds no knowledge: expected a folder with knowledge\.db"):
        Knowledge.list(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_foreign_and_damaged_files_are_named(tmp_path):
    other = sqlite3.connect(tmp_path / "knowledge.db")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    with pytest.raises(ForetellError, match="another program"):
        Store(tmp_path)
    (tmp_path / "knowledge.db").write_bytes(b"not a database" * 100)
    with pytest.raises(ForetellError, match="not a store of foretell"):
        Store(tmp_path)


@pytest.mark.parametrize(("layout", "writer"), [(99, "a newer foretell"), (1, "an unreleased foretell")])
def test_another_layout_is_refused(made, layout, writer):
    with made.store.write() as c:
        c.execute(f"PRAGMA user_version = {layout}")
    with pytest.raises(ForetellError, match=f"written by {writer}"):
        Store(made.store.folder)


def _deleted(c, knowledge):
    return c.execute(f"DELETE FROM entry_{knowledge.collection.number}").rowcount == 3


def test_what_raises_leaves_no_trace(made, cloud):
    made.insert_vectors(cloud(3))
    with pytest.raises(ZeroDivisionError), made.store.write() as c:
        c.execute(f"DELETE FROM entry_{made.collection.number} WHERE id < ?", (1 // 0 if _deleted(c, made) else 3,))
    assert made.about.count == len(made.entries()) == 3


def test_a_full_disk_refuses_the_write_and_keeps_the_rest(made, cloud):
    made.insert_vectors(cloud(50))
    with made.store.read() as c:
        (pages,) = c.execute("PRAGMA page_count").fetchone()
    made.store._writer.execute(f"PRAGMA max_page_count = {pages + 2}")  # as if the disk ended here
    with pytest.raises(ForetellError, match="the disk is full"):
        made.insert_vectors(cloud(5000, dimension=16))
    assert made.about.count == 50
    assert len(made.query(cloud(1)[0], 50)) == 50
    made.store._writer.execute("PRAGMA max_page_count = 1000000")
    made.insert_vectors(cloud(10))
    assert made.about.count == 60


def test_a_second_writer_waits_or_says_so(store, made, cloud):
    impatient = Knowledge.open(Store(store, wait=0.05), "made")
    patient = Knowledge.open(Store(store, wait=30), "made")
    done = threading.Event()

    def later():
        patient.insert_vectors(cloud(1))
        done.set()

    with made.store.write():
        with pytest.raises(Busy, match="another writer"):
            impatient.insert_vectors(cloud(1))
        thread = threading.Thread(target=later)
        thread.start()
        assert not done.wait(0.1)
    thread.join(10)
    assert done.is_set()
    assert made.about.count == 1
    impatient.store.close()
    patient.store.close()


def test_searches_do_not_wait_for_a_writer(made, cloud):
    x = cloud(100)
    made.insert_vectors(x)
    with made.store.write() as c:
        c.execute(f"UPDATE entry_{made.collection.number} SET text = 'half done'")
        start = time.monotonic()
        hits = made.query(x[0], 5)
        assert time.monotonic() - start < 5  # waiting would take 60 s
    assert hits[0].id == 0
    assert hits[0].text == ""


def test_writers_in_two_processes_lose_nothing(store, made):
    code = f"""
import sys, numpy as np
from foretell.search import Knowledge
with Knowledge.open({str(store)!r}, "made") as k:
    for i in range(25):
        k.insert_vectors(np.eye(4, dtype="f4")[:2], [{{"by": sys.argv[1], "i": 2 * i + j}} for j in range(2)])
"""
    both = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "ab"]
    assert [process.wait(60) for process in both] == [0, 0]
    entries = made.entries(limit=1000)
    assert [e.id for e in entries] == list(range(100))
    said = [(e.metadata["by"], e.metadata["i"]) for e in entries]
    assert sorted(said) == [(name, i) for name in "ab" for i in range(50)]
    assert [i for name, i in said if name == "a"] == list(range(50))
    assert made.about.count == 100


def test_a_backup_is_a_store(made, cloud, tmp_path):
    made.insert_vectors(cloud(20))
    made.store.backup(tmp_path / "copy")
    made.delete(range(20))
    with Knowledge.open(tmp_path / "copy", "made") as copy:
        assert copy.about.count == len(copy.query(cloud(1)[0], 20)) == 20
    with pytest.raises(ForetellError, match="exists already"):
        made.store.backup(tmp_path / "copy")


INGEST = """
import sys, numpy as np
from foretell.search import Knowledge
from foretell.search.storage.sqlite import graph as index
index.EXACT = 60  # graphs are built while it is killed
with Knowledge.open(sys.argv[1], "made") as k:
    rng = np.random.default_rng(int(sys.argv[2]))
    while True:
        x = rng.standard_normal((5, 8)).astype("f4")
        ids = k.insert_vectors(x, [{"sum": float(v.sum())} for v in x])
        gone = ids[0] - 2
        if gone % 5 == 3:
            k.delete([gone])
        print(*ids, gone if gone % 5 == 3 else -1, flush=True)
"""


def test_kill_9_loses_nothing_that_was_acknowledged(store, made, monkeypatch):
    from foretell.search.storage.sqlite import graph as index

    monkeypatch.setattr(index, "EXACT", 60)
    kept, gone = set(), set()
    for turn in range(4):
        process = subprocess.Popen([sys.executable, "-c", INGEST, store, str(turn)], stdout=subprocess.PIPE, text=True)
        lines = [process.stdout.readline() for _ in range(6 + 8 * turn)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.read().splitlines(keepends=True)
        process.wait()
        process.stdout.close()
        for line in lines:
            if line.endswith("\n"):  # else the acknowledgement was cut
                *ids, dropped = map(int, line.split())
                kept |= set(ids)
                gone |= {dropped} - {-1}
        with Knowledge.open(store, "made") as again:
            entries = again.entries(limit=10**6)
            there = {e.id for e in entries}
            assert kept - gone <= there
            assert not gone & there
            assert len(there - kept) <= 5  # one batch may have been written and not acknowledged
            assert again.about.count == len(there)
            kept |= there
            for e in entries[:: max(1, len(entries) // 20)]:
                assert e.metadata["sum"] == pytest.approx(float(e.vector.sum()))
                assert again.query(e.vector, 1)[0].id == e.id
    with made.store.read() as c:
        assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(kept) >= 5 * sum(6 + 8 * turn for turn in range(4))


def test_the_version_changes_with_what_anybody_writes_and_not_with_reading(store):
    here, there = Store(store), Store(store)
    version = here.version()
    with here.read() as c:
        c.execute("SELECT count(*) FROM collection").fetchone()
    assert here.version() == version
    for writer in (here, there):
        Knowledge.create(writer, f"k{version}")
        assert here.version() != version
        version = here.version()
    here.close()
    there.close()
