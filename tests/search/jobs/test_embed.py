"""Embedding a data set in parallel: stored rows are not embedded again, and bad rows do not stop the job."""

import io
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from foretell import ForetellError
from foretell.extras import missing
from foretell.search import Knowledge
from foretell.search.jobs import embed as job
from foretell.search.jobs.embed import Embedder

TEXTS = [f"The {animal} number {n} sleeps on the sill." for n in range(10) for animal in ("cat", "dog", "owl")]


@pytest.fixture
def table():
    texts = [*TEXTS, "", None, TEXTS[0]]
    return pa.table({"n": [*range(30), 30, 31, 0], "text": texts, "lang": ["en"] * 33})


def test_an_actor_adds_what_is_new_and_reports_what_cannot_be_used(store, table):
    with Knowledge.create(store, "k") as knowledge:
        actor = Embedder(str(store), knowledge.about.contract_id, "text")
        said = {name: values[0] for name, values in actor(table).items()}
        assert (said["rows"], said["entries"], said["unchanged"], said["unusable"]) == (33, 30, 1, 2)
        assert json.loads(said["skipped"])[0] == ["row {'n': 30, 'lang': 'en'}", "no text"]
        assert knowledge.about.count == 30
        hit = knowledge.search("a bird", 1)[0]
        assert "owl" in hit.text
        assert hit.metadata == {"n": TEXTS.index(hit.text), "lang": "en"}
        again = {name: values[0] for name, values in actor(table).items()}
        assert (again["entries"], again["unchanged"]) == (0, 31)
        long = pa.table({"text": ["A sentence of a long text is here, and another one follows. " * 40]})
        assert actor(long)["entries"][0] > 2
        assert max(len(entry.text) for entry in knowledge.entries(0, 100)) <= 900


def test_an_actor_reads_images(store):
    def png(shade):
        to = io.BytesIO()
        Image.new("RGB", (8, 8), (shade, 0, 90)).save(to, "PNG")
        return to.getvalue()

    images = [{"bytes": png(shade), "path": f"{shade}.png"} for shade in (0, 90, 180)]
    rows = pa.table({"image": [*images, {"bytes": b"no image", "path": "x"}, None], "label": range(5)})
    with Knowledge.create(store, "k", model="iwm-mini") as knowledge:
        said = Embedder(str(store), knowledge.about.contract_id, "image")(rows)
        assert (said["entries"], said["unusable"]) == ([3], [2])
        assert [reason for _, reason in json.loads(said["skipped"][0])] == [
            "not an image, or damaged at its beginning",
            "no bytes of an image",
        ]
        assert knowledge.search(png(90), 1)[0].metadata == {"source": "90.png", "label": 1}


def test_what_the_store_refuses_of_one_row_stops_no_other(store, table, monkeypatch):
    from foretell.search.storage.sqlite.collection import FolderCollection

    real = FolderCollection.put

    def put(self, drafts, fingerprint):
        if any("dog number 3" in draft.text for draft in drafts):
            raise ForetellError("this one is too much")
        return real(self, drafts, fingerprint)

    monkeypatch.setattr(FolderCollection, "put", put)
    with Knowledge.create(store, "k") as knowledge:
        said = Embedder(str(store), knowledge.about.contract_id, "text")(table)
        assert (said["entries"], said["unusable"]) == ([29], [3])
        assert knowledge.about.count == 29

    def full(self, drafts, fingerprint):
        raise ForetellError("the disk is full") from OSError()

    monkeypatch.setattr(FolderCollection, "put", full)
    with Knowledge.open(store, "k") as knowledge, pytest.raises(ForetellError, match="full"):
        Embedder(str(store), knowledge.about.contract_id, "text")(table)


def test_columns_are_found_by_their_names_or_asked_for():
    assert job._column_of(job.NAMES, ["id", "Text", "title"], None) == "Text"
    assert job._column_of(job.NAMES, ["id", "said"], "said") == "said"
    assert job._column_of(job.IMAGES, ["label", "img"], None) == "img"
    for names, asked in ((["id", "said"], None), (["id", "said"], "text")):
        with pytest.raises(ForetellError, match="found id, said: choose one with --column"):
            job._column_of(job.NAMES, names, asked)


TWICE = """
import sys
from foretell.cli import main
for data in sys.argv[2:]:
    main(["knowledge", "embed", "k", "--store", sys.argv[1], "--data", data, "--workers", "1"])
"""


def test_a_job_over_parquet_and_lance(store, table, tmp_path):
    for module in ("ray", "lance"):
        if not find_spec(module):
            pytest.skip(str(missing(module)))
    import lance

    pq.write_table(table, tmp_path / "rows.parquet")
    more = pa.concat_tables([table, pa.table({"n": [99], "text": ["A newcomer."], "lang": ["en"]})])
    lance.write_dataset(more, tmp_path / "rows.lance")
    with Knowledge.create(store, "k") as knowledge:
        for data, said in (("none.parquet", "none.parquet does not exist"), ("rows.parquet", "no knowledge 'none'")):
            with pytest.raises(ForetellError, match=said):
                job.embed(store, "none", tmp_path / data)
        done = subprocess.run(
            [sys.executable, "-c", TWICE, store, tmp_path / "rows.parquet", tmp_path / "rows.lance"],
            capture_output=True,
            text=True,
            env={**os.environ, "RAY_worker_niceness": "0"},  # else it waits for all else that this machine does
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            "30 entries of 33 rows added; 1 were there, 2 rows unusable",
            "1 entries of 34 rows added; 31 were there, 2 rows unusable",
        ]
        assert done.stderr.count("foretell: skipped row {'n': 30, 'lang': 'en'}: no text") == 2
        assert knowledge.about.count == 31
