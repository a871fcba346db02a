"""Whole folders through the child process: passages, reports, and bombs."""

import os
import subprocess
import sys
import threading
import zlib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from foretell.errors import ForetellError
from foretell.extras import missing
from foretell.search.ingest import Limits, read
from foretell.search.models.media import images

spec = spec_from_file_location("ingest_conftest", Path(__file__).with_name("conftest.py"))
made = module_from_spec(spec)
spec.loader.exec_module(made)

PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
    "/Resources << /Font << /F 5 0 R >> {more} >> >>"
)
FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman >>"


def pdf_of(stream, more="", *objects, coded=""):
    head = (
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        PAGE.replace("{more}", more),
    )
    return made.raw_pdf(*head, (f"<< {coded} >>", stream), FONT, *objects)


GOOD = pdf_of(b"BT /F 12 Tf 60 700 Td (Here is a page that can be read.) Tj ET")


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "papers"
    (root / "deep").mkdir(parents=True)
    (root / "a.pdf").write_bytes(GOOD)
    (root / "deep" / "b.txt").write_text("Some text.")
    (root / "c.csv").write_text("text,n\nOne,1\nTwo,2\n")
    (root / "d.pdf").write_bytes(GOOD[:200])
    (root / "e.md").write_text("")
    (root / "f.docx").write_bytes(b"PK")
    (root / "g.png").write_bytes(b"")
    (root / "h.md").write_text("<!-- nothing -->")
    (root / ".hidden.txt").write_text("no")
    return root


def test_a_folder(folder):
    reading = read(folder)
    assert [file.name for file in reading.files] == sorted(file.name for file in reading.files)
    found = list(reading)
    assert [(p.text, p.page, p.metadata) for p in found] == [
        ("Here is a page that can be read.", 1, {"source": "a.pdf"}),
        ("One", None, {"source": "c.csv", "row": 0, "n": 1}),
        ("Two", None, {"source": "c.csv", "row": 1, "n": 2}),
        ("Some text.", None, {"source": "deep/b.txt"}),
    ]
    skipped = dict(reading.skipped)
    assert skipped.keys() == {"papers", "d.pdf", "e.md", "h.md"}
    assert skipped["papers"].startswith("not read: 2 of another kind (.docx, .png), expected .pdf, .txt")
    assert skipped["d.pdf"] == "damaged, or not a PDF file"
    assert skipped["e.md"] == "empty file"
    assert skipped["h.md"] == "no text in it"
    assert list(reading) == found  # again
    assert len(reading.skipped) == 4


def test_named_files(folder):
    reading = read([folder / "deep" / "b.txt", str(folder / "f.docx")])
    assert [p.metadata["source"] for p in reading] == ["b.txt"]
    assert reading.skipped[0].reason.startswith("not of a kind that can be read (.docx), expected")
    with pytest.raises(ForetellError, match=r"nowhere: not found, expected a file or a folder"):
        read(folder / "nowhere")


def test_file_by_file(folder):
    found = {file.name: [p.text for p in passages] for file, passages in read(folder).by_file()}
    assert list(found) == ["a.pdf", "c.csv", "d.pdf", "deep/b.txt", "e.md", "h.md"]
    assert found["c.csv"] == ["One", "Two"]
    assert found["d.pdf"] == []
    names = [file.name for file, _ in read(folder).by_file()]  # none of the passages is taken
    assert names == list(found)
    firsts = [next(passages, None) for _, passages in read(folder).by_file()]  # nor all of them
    assert [p and p.text for p in firsts][1:4] == ["One", None, "Some text."]


def test_options_reach_the_reader(folder):
    reading = read(folder / "c.csv", text="n")
    assert [p.text for p in reading] == ["1", "2"]
    reading = read(folder / "c.csv", text="m")
    assert not list(reading)
    assert reading.skipped == [("c.csv", "no column 'm'; found text, n")]


def test_names_of_any_bytes(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    with open(path, "w") as file:
        file.write("Said.")
    assert [p.text for p in read(tmp_path)] == ["Said."]


def forms(depth, width):
    """Forms that each draw the next many times: few bytes, endless text."""
    found = []
    for level in range(depth):
        last = level == depth - 1
        resources = "/Font << /F 5 0 R >>" if last else f"/XObject << /X {7 + level} 0 R >>"
        stream = b"BT /F 12 Tf (boom) Tj ET" if last else b"/X Do " * width
        found.append((f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << {resources} >> >>", stream))
    return found


def test_a_bomb_of_time_ends_as_one_line_of_the_report(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf_of(b"/X Do", "/XObject << /X 6 0 R >>", *forms(9, 40)))
    (tmp_path / "b.pdf").write_bytes(GOOD)
    reading = read([tmp_path / "a.pdf", tmp_path / "b.pdf"], limits=Limits(seconds=0.5, seconds_per_megabyte=0))
    assert [p.text for p in reading] == ["Here is a page that can be read."]
    assert reading.skipped == [("a.pdf", "parsing it takes more than 0.5 s, too much for its size")]


def test_a_bomb_of_memory_ends_as_one_line_of_the_report(tmp_path):
    spaces = zlib.compress(b" " * 300_000_000, 1)
    (tmp_path / "a.pdf").write_bytes(pdf_of(spaces, coded="/Filter /FlateDecode"))
    column = pa.array(["x" * 20_000_000]).dictionary_encode().take(pa.array([0] * 50))
    pq.write_table(pa.table({"text": column}), tmp_path / "b.parquet")
    (tmp_path / "c.txt").write_text("Said.")
    reading = read(sorted(tmp_path.iterdir()), limits=Limits(memory=512 << 20))
    assert [p.text for p in reading] == ["Said."]
    crash, swollen = reading.skipped
    assert crash == ("a.pdf", "parsing it crashed (SIGABRT), as it does where 0.5 GiB of memory are not enough")
    assert swollen == ("b.parquet", "parsing it takes more than 0.5 GiB of memory")


def test_reading_works_in_a_thread_and_in_a_script_without_a_guard(folder, tmp_path):
    found = []
    file = folder / "c.csv"
    thread = threading.Thread(target=lambda: found.extend(read(file)))
    thread.start()
    thread.join()
    assert len(found) == 2
    script = tmp_path / "script.py"
    (tmp_path / "json.py").write_text("raise SystemExit('a module of the current folder was imported')")
    script.write_text(f"from foretell.search.ingest import read\nprint(len(list(read({str(file)!r}))))")
    command = [sys.executable, "-P", str(script)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "2\n"


def test_what_is_not_installed_is_named(folder, tmp_path, monkeypatch):
    (tmp_path / "pypdfium2.py").write_text("raise ModuleNotFoundError('no', name='pypdfium2')")
    monkeypatch.syspath_prepend(tmp_path)
    reading = read(folder / "a.pdf")
    assert not list(reading)
    assert reading.skipped == [
        (
            "a.pdf",
            str(missing("pypdfium2", "reading it")),
        )
    ]


def test_the_child_is_light():
    code = "import sys, foretell.search.ingest.child as c; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "PIL", "pyarrow", "pypdfium2", "pydantic"} & set(run.stdout.split())


def test_no_process_is_left(folder):
    def children():
        return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())

    if not Path("/proc/self/task").is_dir():
        pytest.skip("no /proc")
    before = children()
    stream = iter(read(folder))
    next(stream)
    assert children() > before
    stream.close()
    assert children() == before


def test_images(folder):
    Image.new("RGB", (8, 6), (10, 20, 30)).save(folder / "deep" / "p.jpg")
    found = list(images(folder))
    assert [entry.name for entry in found] == ["deep/p.jpg", "g.png"]
    pixels = found[0].pixels(4)
    assert pixels.shape == (3, 4, 4)
    assert abs(int(pixels[2, 0, 0]) - 30) < 4
    with pytest.raises(Exception, match="empty file"):
        found[1].pixels(4)


def test_the_time_for_a_file_has_an_end():
    limits = Limits()
    assert limits.of(0) == 20
    assert limits.of(1_000_000) == 40
    assert limits.of(10**12) == 600


def test_documents_of_other_kinds_are_refused_with_the_way_to_those_that_are_read(tmp_path):
    for name in ("a.docx", "b.xlsx", "c.epub"):
        (tmp_path / name).write_bytes(b"PK")
    (tmp_path / "d.txt").write_text("Read.")
    reading = read(tmp_path)
    assert [p.text for p in reading] == ["Read."]
    (skipped,) = reading.skipped
    for said in ("3 of another kind", "documents to PDF", "spreadsheets to CSV", "books to HTML"):
        assert said in skipped.reason
