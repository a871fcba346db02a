"""Committed writes stay, refused writes leave no trace, and no caller waits without need."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import numpy as np
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


def test_a_file_that_lost_its_content_is_named_and_not_filled_again(store, made, cloud):
    made.insert_vectors(cloud(10))
    made.close()
    (store / "knowledge.db").write_bytes(b"")
    for mark in store.glob("knowledge.db-*"):
        mark.unlink()
    with pytest.raises(ForetellError, match=r"knowledge\.db is empty: restore it from a backup"):
        Knowledge.open(store, "made")
    (store / "index").mkdir(exist_ok=True)
    with pytest.raises(ForetellError, match="is empty"):
        Knowledge.create(store, "new")


def look(knowledge, query):
    """Read an entry, and search."""
    knowledge.fetch([3])
    with np.errstate(all="ignore"):
        knowledge.query(query)


def test_damage_inside_the_file_is_one_sentence(store, made, cloud):
    made.insert_vectors(cloud(10))
    number = made.collection.number
    for change in (
        f"UPDATE entry_{number} SET vector = x'00112233' WHERE id = 3",
        f"UPDATE entry_{number} SET metadata = 'no json', vector = zeroblob(64) WHERE id = 3",
        f"UPDATE entry_{number} SET metadata = '{{}}', text = CAST(x'ff80' AS TEXT) WHERE id = 3",
        f"DROP TABLE entry_{number}",
    ):
        with made.store.write() as c:
            c.execute(change)
        with pytest.raises(ForetellError, match=r"knowledge\.db: .*damaged"):
            look(made, cloud(1)[0])


def test_a_contract_id_is_not_another_owners_name(store, made):
    contract = made.about.contract_id
    with Knowledge.create(store, contract, owner="other"):
        pass
    with Knowledge.open(store, contract) as found:
        assert found.about.name == "made"


def test_changes_of_two_writers_do_not_undo_each_other(store, made, cloud, monkeypatch):
    made.insert_vectors(cloud(1), [{"a": 1}], texts=["old"])
    from foretell.search.storage.sqlite.collection import FolderCollection

    update = FolderCollection.update

    def late(self, id, **changes):
        monkeypatch.setattr(FolderCollection, "update", update)
        made.update(0, metadata={"a": 2})  # another writer, after the entry was read
        return update(self, id, **changes)

    monkeypatch.setattr(FolderCollection, "update", late)
    made.update(0, text="new", vector=cloud(1)[0])
    (entry,) = made.fetch([0])
    assert (entry.text, entry.metadata) == ("new", {"a": 2})
    with pytest.raises(ForetellError, match="there is no entry 7"):
        made.update(7, metadata={})
