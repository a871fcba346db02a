"""Knowledges as files."""

from dataclasses import asdict

import numpy as np
import pyarrow.parquet as pq
import pytest

from foretell import ForetellError
from foretell.search import Added, Draft, Knowledge


def test_an_export_comes_back_as_it_was(store, tmp_path, cloud):
    file = tmp_path / "x.parquet"
    with Knowledge.create(store, "k", title="T", owner="me", category="C") as knowledge:
        x = cloud(6)
        drafts = [Draft(f"text {i}", x[i], page=i, metadata={"i": i, "t": True}) for i in range(5)]
        knowledge.write([*drafts, Draft("clip", x[5], time=(1.5, 2.0))])
        knowledge.delete([2])
        knowledge.export(file)
        assert pq.read_table(file).num_rows == 5
        with pytest.raises(ForetellError, match="already"):
            Knowledge.import_(store, file)
        with Knowledge.import_(tmp_path / "other", file) as moved, Knowledge.import_(store, file, "two") as copy:
            assert moved.about == knowledge.about
            assert copy.about.contract_id != knowledge.about.contract_id
            for made in (moved, copy):
                for a, b in zip(made.entries(), knowledge.entries(), strict=True):
                    assert asdict(a) | {"vector": a.vector.tobytes()} == asdict(b) | {"vector": b.vector.tobytes()}
                assert made.insert_vectors(x[:1]) == [6]
            assert moved.query(x[3], 1)[0].id == 3
        for name in ("a/b", "a\\b", "/etc/passwd", ""):
            for make in (lambda: Knowledge.create(store, name), lambda: Knowledge.import_(store, file, name)):  # noqa: B023
                with pytest.raises(ForetellError, match=r"expected 1 to 200|without / and"):
                    make()


def test_an_export_knows_every_file_of_the_same_content(store, tmp_path):
    (files := tmp_path / "files").mkdir()
    for name in ("a.txt", "b.txt", "c.md"):
        (files / name).write_text("The same words in all of them.")
    (files / "d.txt").write_text("Other words.")
    with Knowledge.create(store, "k") as knowledge:
        knowledge.add(files)
        knowledge.write([Draft("of no file", np.ones(384, np.float32))])
        knowledge.export(tmp_path / "x.parquet")
        with Knowledge.import_(tmp_path / "other", tmp_path / "x.parquet") as moved:
            assert moved.files() == knowledge.files()
            assert moved.about.file_type == "Markdown, TXT"
            assert (moved.about.count, moved.add(files)) == (3, Added(unchanged=4))
            (files / "a.txt").write_text("New words.")
            assert (moved.add(files).entries, moved.about.count) == (1, 4)  # the others keep what they share


def test_what_is_not_an_export_is_refused(store, tmp_path):
    import pyarrow as pa

    for content, said in ((b"", "cannot be read as Parquet"), (b"PAR1 cut", "cannot be read as Parquet")):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(ForetellError, match=said):
            Knowledge.import_(store, tmp_path / "x")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x")
    with pytest.raises(ForetellError, match="not one that"):
        Knowledge.import_(store, tmp_path / "x")
    with pytest.raises(ForetellError, match="does not exist"):
        Knowledge.import_(store, tmp_path / "none")
    assert not store.exists()
