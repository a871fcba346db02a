"""A knowledge as its users know it: made, filled, searched, changed, moved."""

import re
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import foretell
from foretell import ForetellError
from foretell.data import photographs
from foretell.imagine import actions_of, read_image
from foretell.search import Added, Draft, Knowledge
from foretell.search.storage.filters import parse
from foretell.search.storage.protocol import new_contract_id

TEXTS = [
    "The cat slept on the warm windowsill all afternoon.",
    "Rockets burn hydrogen and oxygen to reach orbit.",
    "Bread dough needs time to rise before it is baked.",
    "The central bank raised its interest rate again.",
]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    with Knowledge.create(tmp_path_factory.mktemp("texts") / "store", "texts", title="Four texts") as knowledge:
        knowledge.insert(TEXTS, [{"n": i, "topic": t} for i, t in enumerate(("pets", "space", "food", "money"))])
        yield knowledge


def test_it_says_what_it_is(store):
    with Knowledge.create(store, "papers", category="Science", owner="me", description="Some.") as knowledge:
        about = knowledge.about
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", about.contract_id)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", about.created)
        assert (about.name, about.title, about.category, about.owner) == ("papers", "papers", "Science", "me")
        assert (about.count, about.file_type, about.index_type, about.model) == (0, "", "hnsw", "bge-small-en-v1.5")
        assert knowledge.describe(title="Papers", public=True).title == "Papers"
        assert Knowledge.list(store) == [knowledge.about]
        with Knowledge.open(store, about.contract_id) as same:
            assert same.about == knowledge.about


def test_a_contract_id_is_no_option():
    assert all(new_contract_id()[0].isalnum() for _ in range(1000))


def test_names_are_their_owners(store):
    Knowledge.create(store, "a", owner="one").close()
    Knowledge.create(store, "a", owner="two").close()
    Knowledge.create(store, "b").close()
    with pytest.raises(ForetellError, match="there is a knowledge 'a' already"):
        Knowledge.create(store, "a", owner="one")
    with pytest.raises(ForetellError, match="2 knowledges are called 'a'"):
        Knowledge.open(store, "a")
    with Knowledge.open(store, "a", owner="two") as found:
        assert found.about.owner == "two"
        with pytest.raises(ForetellError, match="already"):
            found.describe(name="a") if found.describe(name="c").name == "a" else Knowledge.create(store, "b")
    with pytest.raises(ForetellError, match="no knowledge 'x'; there are 'a', 'c', 'b'"):
        Knowledge.open(store, "x")


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "half \ud800"])
def test_what_is_not_a_name_is_refused(store, name):
    with pytest.raises(ForetellError, match="name"):
        Knowledge.create(store, name)


def test_what_was_removed_is_gone(store, cloud):
    one, two = (Knowledge.create(store, name) for name in ("one", "two"))
    for knowledge in (one, two):
        knowledge.insert_vectors(cloud(5))
    Knowledge.remove(store, "one")
    assert [about.name for about in Knowledge.list(store)] == ["two"]
    for use in (lambda: one.about, lambda: one.query(cloud(1)[0]), lambda: one.insert_vectors(cloud(1))):
        with pytest.raises(ForetellError, match="was removed"):
            use()
    assert len(two.query(cloud(1)[0])) == 5
    with two.store.read() as c:
        tables = {name for (name,) in c.execute("SELECT name FROM sqlite_master")}
    assert not [name for name in tables if name.endswith("_1") and not name.startswith("sqlite")]
    one.close()
    two.close()


def test_the_nearest_in_meaning_come_first(texts):
    for query, best in (("a pet resting", 0), ("spaceflight", 1), ("making a loaf", 2), ("monetary policy", 3)):
        hits = texts.search(query, 2)
        assert hits[0].id == best
        assert len(hits) == 2
        assert hits[0].score == hits[0].scores["vector"] > hits[1].score
        assert hits[0].text == TEXTS[best]
        assert hits[0].metadata["n"] == best
        assert re.fullmatch("[0-9a-f]{32}", hits[0].key)


def test_a_reranker_sorts_by_its_own_score(texts):
    hits = texts.search("what fuel does a rocket use?", 3, rerank=True)
    assert hits[0].id == 1
    assert [hit.score for hit in hits] == [hit.scores["rerank"] for hit in hits]
    assert hits[0].score > 0.5 > hits[1].score


def test_hybrid_fuses_ranks(texts):
    hits = texts.search("dough orbit orbit", 4, hybrid=True)
    ranked = {
        kind: sorted((h for h in hits if kind in h.scores), key=lambda h: -h.scores[kind])
        for kind in ("vector", "words")
    }
    assert {h.id for h in ranked["words"]} == {1, 2}
    for hit in hits:
        rank = [1 / (60 + 1 + ranked[kind].index(hit)) for kind in hit.scores if kind != "fused"]
        assert hit.score == hit.scores["fused"] == pytest.approx(sum(rank))
    assert texts.search('"?* AND ( NEAR', 4, hybrid=True)  # no syntax of the word index
    assert len(texts.search("!?", 4, hybrid=True)) == 4


def test_filters_hold(texts):
    def found(filter):
        return {hit.id for hit in texts.search("anything", filter=filter)}

    assert found({"topic": "food"}) == {2}
    assert found({"topic": ["food", "pets", "none"]}) == {0, 2}
    assert found({"n": {">=": 1, "<": 3}}) == {1, 2}
    assert found({"n": {"!=": 1}, "topic": {">": "n"}}) == {0}
    assert found({"n": {"!=": [1, 2]}}) == found({"n": {"!=": [1, 2, "0"]}}) == {0, 3}
    assert found({"n": [*range(2, 10_001), "x"]}) == {2, 3}
    assert found(parse(["n!=01", "n!=2"])) == {0, 3}
    assert found({f"f{i}": 1 for i in range(100)}) == set()
    assert found({"n": "1"}) == found({"none": 1}) == found({"topic": {">": 0}}) == set()
    assert {hit.id for hit in texts.search("rocket cat", hybrid=True, filter={"n": 0})} == {0}


NOT_A_NUMBER = float("nan")


@pytest.mark.parametrize(
    "filter",
    [
        {},
        *({"n": x} for x in ({"!=": []}, "\udcff", [1] * 10_001)),
        *({"\udcff": 1}, {f"f{i}": 1 for i in range(101)}),
        *({"n": x} for x in ({}, [], {"~": 1}, None, NOT_A_NUMBER, {"=": [1]}, "x" * 201, 2**70, [None], {"=": None})),
    ],
)
def test_what_is_not_a_filter_is_refused(texts, filter):
    with pytest.raises(ForetellError, match="filter"):
        texts.query(np.ones(384), filter=filter)


def test_filters_as_words():
    words = ["lang=en", "lang=de", "year>=2020", "year<2024.5", "draft=false", "x!=a=b", "zip=01234"]
    said = {"year": {">=": 2020, "<": 2024.5}, "x": {"!=": ["a=b"]}, "lang": ["en", "de"]}
    assert parse(words) == said | {"draft": [False, "false"], "zip": [1234, "01234"]}
    assert parse(["a=x<y", "b<=c=1"]) == {"a": ["x<y"], "b": {"<=": "c=1"}}
    assert parse(["a=nan", "a=-inf", "a=1e999", "b=12345678901234567890"]) == {
        "a": ["nan", "-inf", "1e999"],
        "b": [12345678901234567890.0, "12345678901234567890"],
    }
    for wrong in (["lang"], ["=x"], ["a=1", "a>0"]):
        with pytest.raises(ForetellError, match="filter"):
            parse(wrong)


def test_wrong_questions_are_refused(texts):
    for use, said in (
        (lambda: texts.search(" "), "expected some text"),
        (lambda: texts.search("x", 0), "top is 0"),
        (lambda: texts.search("x", 10**6), "top is 1000000"),
        (lambda: texts.search("x", level=5), "level is 5, expected 0 to 4"),
        (lambda: texts.search("x", imagine={"hue": 0.1}), "only a world model imagines"),
        (lambda: texts.search("x", model="iwm-mini"), "another model"),
        (lambda: texts.search("x", model="none"), "no model 'none'"),
        (lambda: texts.query([1.0, 2.0]), "has 2 numbers, but this knowledge has 384"),
        (lambda: texts.query([float("nan")] * 384), "not finite"),
        (lambda: texts.query([0.0] * 384), "no direction"),
        (lambda: texts.query(["a"] * 384), "not numbers"),
        (lambda: texts.fetch([0, 99]), "no entry 99"),
        (lambda: texts.insert([""]), "text 0 is ''"),
        (lambda: texts.insert(["a"], [{"x": float("inf")}]), "x is inf"),
        (lambda: texts.insert(["a"], [{"x": 10**400}]), "x is a number of 1329 bits"),
        (lambda: texts.entries(2**70), "start is 1180591620717411303424"),
        (lambda: Knowledge.create(texts.store, "x", model=" "), "model is ' '"),
        (lambda: texts.insert(["a"], []), "1 entries and 0 metadata"),
        (lambda: texts.insert(["\ud800"]), "lone surrogate"),
        (lambda: texts.insert_vectors([[1.0, 2.0], [1.0]]), "not all of one length"),
        (lambda: texts.insert_vectors(np.ones((1, 3))), "vector 0 has 3 numbers, expected 384"),
    ):
        with pytest.raises(ForetellError, match=said):
            use()
    assert texts.about.count == 4
    assert texts.search("cat", model="BAAI/bge_small_en_v1.5")[0].id == 0


def test_a_closed_store_says_so(store):
    with Knowledge.create(store, "k", model="vectors") as knowledge:
        knowledge.insert_vectors(np.eye(3))
    with pytest.raises(ForetellError, match="was closed"):
        knowledge.insert_vectors(np.eye(3))


def test_entries_are_changed_and_fetched(store):
    with Knowledge.create(store, "k") as knowledge:
        knowledge.insert(TEXTS[:2], [{"a": 1}, {"a": 2}])
        before = knowledge.fetch([1, 0])
        assert [entry.text for entry in before] == [TEXTS[1], TEXTS[0]]
        knowledge.update(0, text=TEXTS[2], metadata={"b": True})
        (after,) = knowledge.fetch([0])
        assert (after.text, after.metadata, after.key) == (TEXTS[2], {"b": True}, before[1].key)
        assert knowledge.search("baking bread", 1)[0].id == 0
        assert not knowledge.search("cat", filter={"a": 1})
        assert [h.id for h in knowledge.search("cat windowsill", hybrid=True) if "words" in h.scores] == []
        assert knowledge.about.count == 2
        assert [e.id for e in knowledge.entries(1)] == [1]


def test_a_foreign_model_can_be_stored_but_not_asked(store, cloud):
    with Knowledge.create(store, "k", model="text-embedding-3-small") as knowledge:
        knowledge.insert_vectors(cloud(3), [{"text": "a"}, {}, {}])
        assert [hit.text for hit in knowledge.query(cloud(3)[0], 1)] == ["a"]
        with pytest.raises(ForetellError, match="no model 'text-embedding-3-small'"):
            knowledge.search("x")


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    with Knowledge.create(tmp_path_factory.mktemp("bag") / "store", "bag") as knowledge:
        yield knowledge


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), finite, words, words.map(lambda s: 40 * s))


@settings(max_examples=25)
@given(metadata=st.dictionaries(words, values, max_size=4))
def test_metadata_comes_back_as_it_was(bag, metadata):
    (id,) = bag.insert_vectors([[1.0, 0.0]], [metadata])
    bag.update(id, vector=[0.0, 1.0])
    assert bag.fetch([id])[0].metadata == metadata
    for key, value in metadata.items():
        if not isinstance(value, str) or len(value) <= 200:
            assert [hit.id for hit in bag.query([1.0, 1.0], filter={key: value})] == [id]
    assert bag.delete([id]) == 1
    with bag.store.read() as c:
        assert c.execute(f"SELECT count(*) FROM field_{bag.collection.number}").fetchone() == (0,)


@pytest.fixture
def read(monkeypatch):
    """Which texts were embedded."""
    from foretell.search.models.text import TextModel

    embedded = []
    real = TextModel.passages

    def passages(self, texts):
        embedded.extend(texts)
        return real(self, texts)

    monkeypatch.setattr(TextModel, "passages", passages)
    return embedded


def table(path, *rows):
    """A file with a passage a row."""
    path.write_text("\n".join(["text", *rows]))


def test_a_file_is_added_once_and_replaced_when_it_changes(store, tmp_path, read):
    file = tmp_path / "a.csv"
    table(file, "one", "two", "three", "two")
    with Knowledge.create(store, "k") as knowledge:
        added = knowledge.add(file)
        assert (added.files, added.entries, added.unchanged) == (1, 4, 0)
        first = {f"{entry.text}{entry.metadata['row']}": entry for entry in knowledge.entries()}
        assert first["one0"].metadata == {"source": "a.csv", "row": 0}
        read.clear()
        table(tmp_path / "same.csv", "one", "two", "three", "two")
        again = knowledge.add(file, tmp_path)
        assert (again.files, again.entries, again.unchanged) == (0, 0, 3)
        assert read == []
        table(file, "one", "two", "four")
        changed = knowledge.add(file)
        assert (changed.files, changed.entries, changed.removed) == (1, 1, 2)
        assert read == ["four"]
        kept = {
            f"{entry.text}{entry.metadata['row']}": entry
            for entry in knowledge.entries()
            if entry.metadata["source"] == "a.csv"
        }
        assert kept.keys() == {"one0", "two1", "four2"}
        assert all((kept[k].id, kept[k].key) == (first[k].id, first[k].key) for k in ("one0", "two1"))
        assert knowledge.about.count == 3 + 4  # of what is still in same.csv
        assert knowledge.about.file_type == "CSV"


def now(knowledge):
    return sorted((entry.text, entry.metadata["source"]) for entry in knowledge.entries())


@pytest.mark.parametrize("at_once", [1, 256])
def test_files_that_change_names_lose_nothing(store, tmp_path, monkeypatch, at_once):
    from foretell.search import add

    monkeypatch.setattr(add, "BATCH", at_once)
    folder = tmp_path / "r"
    folder.mkdir()
    log, log1, log2 = (folder / f"log{n}.txt" for n in ("", 1, 2))
    with Knowledge.create(store, "k") as knowledge:
        log.write_text("First.")
        knowledge.add(folder)
        log.rename(log1)
        log.write_text("Second.")
        added = knowledge.add(folder)
        assert (added.files + added.unchanged, now(knowledge)) == (2, [("First.", "log1.txt"), ("Second.", "log.txt")])
        log1.rename(log2)
        log.rename(log1)
        log.write_text("Third.")
        knowledge.add(folder)
        said = [("First.", "log2.txt"), ("Second.", "log1.txt"), ("Third.", "log.txt")]
        assert now(knowledge) == said
        log.rename(folder / "x")
        log2.rename(log)
        (folder / "x").rename(log2)
        knowledge.add(folder)
        assert [text for text, _ in now(knowledge)] == ["First.", "Second.", "Third."]
        assert (again := knowledge.add(folder)).unchanged == 3
        assert (again.files, again.removed) == (0, 0)
        assert [(file.name, file.entries) for file in knowledge.files()] == [
            (name, 1) for name in ("log.txt", "log1.txt", "log2.txt")
        ]


def test_files_of_the_same_content_share_its_entries(store, tmp_path):
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    for file in (one, two):
        file.write_text("The same.")
    with Knowledge.create(store, "k") as knowledge:
        knowledge.add(one, two)
        assert [(file.name, file.entries) for file in knowledge.files()] == [("one.txt", 1), ("two.txt", 1)]
        assert now(knowledge) == [("The same.", "one.txt")]
        assert knowledge.remove_file("one.txt") == 1
        assert now(knowledge) == [("The same.", "two.txt")]
        two.write_text(" \n")
        emptied = knowledge.add(two)
        assert (emptied.files, emptied.removed, now(knowledge), knowledge.files()) == (1, 1, [], [])
        assert "no text in it" in emptied.skipped[0][1]
        (pdf := tmp_path / "a.csv").write_text("text\nA row.\n")
        knowledge.add(pdf)
        pdf.write_bytes(b"text\n\xff\0")
        (reason,) = [reason for _, reason in knowledge.add(pdf).skipped]
        assert reason.endswith("; its former entries are kept")
        assert now(knowledge) == [("A row.", "a.csv")]


def test_names_and_metadata_that_are_no_text_are_skipped(store, tmp_path):
    import os

    good = tmp_path / "good.txt"
    good.write_text("Fine.")
    (tmp_path / "a.json").write_text('[{"text": "A row.", "b": "\\ud800"}]')
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"\xff.txt")).write_text("Not UTF-8.")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    with Knowledge.create(store, "k") as knowledge:
        added = knowledge.add(tmp_path)
        assert now(knowledge) == [("Fine.", "good.txt")]
        assert [reason for _, reason in added.skipped if "lone surrogate" in reason or "not UTF-8" in reason]
        with pytest.raises(ForetellError, match="lone surrogate"):
            Knowledge.open(store, "n\udcff")


def test_the_column_that_is_searched_can_be_chosen_and_chosen_again(store, tmp_path, read):
    file = tmp_path / "a.csv"
    file.write_text("body,note\nlong words,n1\n")
    with Knowledge.create(store, "k") as knowledge:
        knowledge.add(file, text="note")
        assert [entry.text for entry in knowledge.entries()] == ["n1"]
        assert knowledge.add(file, text="note").unchanged == 1
        knowledge.add(file, text="body")
        assert [entry.text for entry in knowledge.entries()] == ["long words"]


def test_what_cannot_be_read_is_skipped_with_a_reason(store, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    for name in ("bad.pdf", "good.txt", ".hidden.txt", "other.xyz"):
        (files / name).write_text(f"What is fine is read, but is {name}?")
    with Knowledge.create(store, "k") as knowledge:
        added = knowledge.add(files)
        assert (added.files, added.entries) == (1, 1)
        other, bad = added.skipped
        assert other[0] == "files"
        assert "1 of another kind (.xyz)" in other[1]
        assert bad[0] == str(files / "bad.pdf")
        assert knowledge.add(files).unchanged == 1
        with pytest.raises(ForetellError, match="does not exist"):
            knowledge.add(tmp_path / "none")
        (tmp_path / "empty").mkdir()
        with pytest.raises(ForetellError, match="no file of a kind"):
            knowledge.add(tmp_path / "empty")
        with pytest.raises(ForetellError, match=r"not of a kind that can be read \(.xyz\)"):
            knowledge.add(files / "other.xyz")


def test_an_interrupted_add_keeps_whole_files_and_goes_on(store, tmp_path, read, monkeypatch):
    from foretell.search import add
    from foretell.search.models.text import TextModel

    monkeypatch.setattr(add, "BATCH", 2)
    for n in range(4):
        table(tmp_path / f"{n}.csv", f"first of {n}", f"second of {n}")
    real = TextModel.passages

    def until_the_third(self, texts):
        if "first of 2" in texts:
            raise KeyboardInterrupt
        return real(self, texts)

    with Knowledge.create(store, "k") as knowledge:
        with monkeypatch.context() as patch:
            patch.setattr(TextModel, "passages", until_the_third)
            with pytest.raises(KeyboardInterrupt):
                knowledge.add(tmp_path)
        assert knowledge.about.count == 4
        read.clear()
        added = knowledge.add(tmp_path)
        assert (added.files, added.unchanged, knowledge.about.count) == (2, 2, 8)
        assert len(read) == 4


def test_a_paper_is_added_with_its_pages(store, tmp_path):
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "paper.pdf"))
    for page in ("A tower stands in Paris, by the river.", "Bread is baked of flour, water and salt."):
        canvas.drawString(72, 700, page)
        canvas.showPage()
    canvas.save()
    with Knowledge.create(store, "k") as knowledge:
        added = knowledge.add(tmp_path / "paper.pdf")
        assert (added.files, added.skipped, knowledge.about.file_type) == (1, [], "PDF")
        (hit, *_) = knowledge.search("Where is the tower?", top=1)
        assert hit.page == 1
        assert hit.metadata["source"] == "paper.pdf"


def test_steps_tell_how_far_it_is(store, tmp_path):
    from foretell.search.add import steps

    for n in range(2):
        table(tmp_path / f"{n}.csv", *(f"row {i} of {n}" for i in range(20)))
    with Knowledge.create(store, "k") as knowledge:
        done = Added()
        fractions = [step.fraction for step in steps(knowledge.collection, knowledge.model, [tmp_path], done)]
        assert fractions == [0, 0, 0.4, 0.5, 0.5, 0.9]
        assert (done.files, done.entries) == (2, 40)


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


def test_photographs_are_found_as_they_are_and_as_imagined(store, tmp_path):
    model = foretell.load("iwm-mini")
    names, factors = tuple(photographs.PHOTOGRAPHS), (0.6, 1.4)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in names:
        Image.open(photographs.FOLDER / photographs.PHOTOGRAPHS[name]).save(folder / f"{name}.png")
        image = read_image(folder / f"{name}.png", 32)[None] / 255
        for factor in factors:
            made = actions_of(model).apply(image, actions_of(model).parse({"brightness": factor}))[0]
            pixels = (made.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}-{factor}.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    with Knowledge.create(store, "photos", model="iwm-mini") as photos:
        added = photos.add(folder)
        assert (added.entries, [reason for _, reason in added.skipped]) == (
            24,
            ["not an image, or damaged at its beginning"],
        )
        found = []
        for name in names:
            path = folder / f"{name}.png"
            assert photos.search(path, 1)[0].metadata["source"] == f"{name}.png"
            assert photos.search(path.read_bytes(), 1)[0].score == pytest.approx(1, abs=1e-4)
            for factor in factors:
                asked = photos.search(path, 1, imagine={"brightness": factor})
                found.append(asked[0].metadata["source"] == f"{name}-{factor}.png")
        assert sum(found) >= 0.75 * len(found)  # of 24 pictures, chance finds 1 in 24
        for use, said in (
            (lambda: photos.search(folder / "none.png"), "none.png"),
            (lambda: photos.search(path, imagine={"hue": 9}), "hue is 9"),
            (lambda: photos.search(path, hybrid=True), "photographs"),
            (lambda: photos.insert(["text"]), "contains photographs"),
            (lambda: photos.search(path, model="bge-small-en-v1.5"), "another model"),
        ):
            with pytest.raises(ForetellError, match=said):
                use()


def test_a_file_is_removed_by_its_path_where_several_share_a_name(texts, tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(f"A sentence about {folder}.")
        texts.add(tmp_path / folder / "a.txt")
    with pytest.raises(ForetellError, match=r"2 files called 'a\.txt'"):
        texts.remove_file("a.txt")
    before = texts.about.count
    assert texts.remove_file(tmp_path / "x" / "a.txt") == 1
    assert texts.remove_file("a.txt") == 1
    assert texts.about.count == before - 2
    assert texts.files() == []


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_files_each_content_is_there_once(store, tmp_path, seed):
    chance, added = Random(seed), {}  # place -> what was there when it was added last
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "stays.txt").write_text("Tides follow the moon.")
    with Knowledge.create(store, "k") as knowledge:
        for _ in range(15):
            for _ in range(chance.randint(1, 3)):
                here, there = (folder / f"{chance.choice('abcd')}.txt" for _ in "12")
                match chance.choice(("write", "write", "empty", "rename", "swap", "delete")):
                    case "write":
                        here.write_text(chance.choice(TEXTS))
                    case "empty":
                        here.write_text("")
                    case "rename" if here.exists():
                        here.rename(there)
                    case "swap" if here.exists() and there.exists() and here != there:
                        (first, second) = here.read_text(), there.read_text()
                        here.write_text(second)
                        there.write_text(first)
                    case "delete":
                        here.unlink(missing_ok=True)
            if added and chance.random() < 0.2:
                knowledge.remove_file(gone := chance.choice(sorted(added)))
                del added[gone]
            knowledge.add(folder)
            added |= {str(path.resolve()): path.read_text() for path in folder.iterdir()}
            added = {place: text for place, text in added.items() if text}
            assert sorted(entry.text for entry in knowledge.entries()) == sorted(set(added.values()))
            assert sorted(file.name for file in knowledge.files()) == sorted(Path(place).name for place in added)
