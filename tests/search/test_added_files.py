"""Files in a knowledge: added once, changed, renamed, interrupted, removed."""

from pathlib import Path
from random import Random

import pytest
from tests.search.conftest import TEXTS

from foretell import ForetellError
from foretell.search import Added, Knowledge


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
