"""Text, Markdown, HTML, CSV, JSON, JSON Lines and Parquet, each as people have them."""

import datetime
import json
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from foretell.search.ingest import delimited, html, markdown, parquet, records, text
from foretell.search.ingest.block import Options, Unreadable

LONG = "This sentence has about fifty characters, or so. " * 30


# Text ---------------------------------------------------------------------------------------------------------


FRENCH, ITALIAN, GERMAN, CZECH, POLISH, TURKISH, RUSSIAN = (
    "Les élèves fâchés à Noël, où il a plu. ",
    "Perché non c’è più caffè? «Così è la vita». ",
    "„Schöne Grüße“ – aus der Straße. ",
    "Příliš žluťoučký kůň pěl. ",
    "Zażółć gęślą jaźń, proszę państwa. ",
    "Güneş doğdu, ışık geldi, kuşlar uçtu. ",
    "Съешь же этих булок. ",
)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(FRENCH, e) for e in ("utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252")]
    + [(ITALIAN, "cp1252"), (GERMAN, "cp1252"), (CZECH, "cp1250"), (POLISH, "cp1250"), (TURKISH, "cp1254")]
    + [(RUSSIAN, "cp1251")],
)
def test_text_in_its_encoding(read, content, encoding):
    content *= 8
    (passage,), _ = read(text, content.encode(encoding))
    assert passage.text == content.strip()
    assert passage.page is None


def test_a_short_text_in_its_encoding(read):
    (passage,), _ = read(text, "Perché non c'è più caffè? Così è la vita".encode("cp1252"))
    assert passage.text == "Perché non c'è più caffè? Così è la vita"


def test_paragraphs_of_text(read):
    wrapped = "A line\nof a poem\n\n" + "x" * 130 + "\n" + "y" * 130
    assert [b.text for b in text.blocks(wrapped)] == ["A line\nof a poem", "x" * 130, "y" * 130]
    found, _ = read(text, f"{LONG}\r\n\r\n{LONG}")
    assert "\r" not in "".join(p.text for p in found)
    assert " ".join(p.text for p in found).split() == (LONG + LONG).split()


def test_what_is_no_text(read):
    with pytest.raises(Unreadable, match="zero bytes"):
        read(text, b"PK\x03\x04\x00\x00")
    with pytest.raises(Unreadable, match="not text in any known encoding"):
        read(text, bytes(range(128, 256)) * 40 + b"\x81\x8d\x8f\x90\x9d" * 40)


# Markdown and HTML --------------------------------------------------------------------------------------------


def test_markdown(read):
    source = (
        '---\ntitle: "A note"\ntags: [a]\n---\n# One\n\nSome *words* and [a link](http://x).\n\n- item\n- `code`\n\n'
    )
    source += "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nif x:\n    y()\n```\n"
    (passage,), _ = read(markdown, source)
    assert passage.text == "One\nSome words and a link.\nitem\ncode\na | b\n1 | 2\nif x:\n    y()"
    assert passage.metadata == {"title": "A note", "tags": "[a]"}


def test_front_matter_of_markdown(read):
    (passage,), _ = read(markdown, "---\n\nText after a rule.\n\n---\n\nMore text.")
    assert (passage.text, passage.metadata) == ("Text after a rule.\nMore text.", {})
    (passage,), _ = read(markdown, "---\nyear: 2020\nscore: 0.5\ndone: True\ncode: \"007\"\nn: '1'\n---\nText.")
    assert passage.metadata == {"year": 2020, "score": 0.5, "done": True, "code": "007", "n": "1"}
    assert passage.metadata["done"] is True


def test_html_says_what_a_reader_sees(read):
    source = """<!doctype html><html><head><title> A  page </title><style>p {}</style></head><body>
    <nav>Home</nav><header><h1>Head&amp;ing</h1></header><p>First <b>bold</b>
    words.<script>no()</script><p>Second<br>line.<div hidden>no</div><div aria-hidden="true">no</div>
    <table><tr><th>a<th>b<tr><td>1<td>2</table><ul><li>item<li>other</ul>
    <pre>  x\n    y</pre><form>no<input></form><!-- no --><footer>no</footer></body></html>"""
    (passage,), _ = read(html, source)
    assert passage.metadata == {"title": "A page"}
    assert passage.text == "Head&ing\nFirst bold words.\nSecond\nline.\na | b\n1 | 2\nitem\nother\nx\n    y"
    assert [b.text for b in html.blocks(source) if b.heading] == ["Head&ing"]


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display:none">No.</p>',
        '<p class="off">No.</p>',
        '<p style="color: red; visibility:hidden">No.</p>',
        '<div style="DISPLAY: none !important;"><p>No.</p></div>',
        "<p hidden>No.</p>",
        '<ul id="menu"><li>No.</li></ul>',
    ],
)
def test_what_a_style_hides_is_not_read(read, hidden):
    sheet = "<style>/* .on{display:none} */ @media print{.on{display:none}} .off,#menu{color:red;display:none}</style>"
    (passage,), reports = read(
        html, f"<head>{sheet}</head><p class=on>Yes.</p>{hidden}<p style='display:block'>Too.</p>"
    )
    assert passage.text == "Yes.\nToo."
    assert not reports


def test_the_last_word_of_a_style_counts(read):
    shown = "<p style='display:none;display:block'>A.</p><p class=off style='display:block'>B.</p>"
    hidden = (
        "<p style='display:none !important;display:block'>No.</p><p style='visibility:hidden;display:block'>No.</p>"
    )
    (passage,), _ = read(html, f"<style>.off{{display:none}}</style>{shown}{hidden}")
    assert passage.text == "A.\nB."


def test_the_last_rule_of_a_style_sheet_counts(read):
    (passage,), _ = read(html, "<style>.a{display:none}.a{display:block}html{display:none}</style><p class=a>Yes.</p>")
    assert passage.text == "Yes."


def test_a_main_part_that_says_little_is_not_the_page(read):
    (passage,), _ = read(html, f"<main><p>Sign in.</p></main><div>{LONG[:200]}</div>")
    assert LONG[:190] in passage.text


def test_a_page_that_is_read_in_part_is_reported(read):
    found, reports = read(html, f"<main>{LONG[:100]}</main><div>{LONG[:200]}</div>")
    assert found[0].text == LONG[:100].strip()
    assert reports == ["33% of its text is in its main part, which alone was read"]


def test_html_nested_without_end(read, monkeypatch):
    with pytest.raises(Unreadable, match="nested more than 10,000 deep"):
        read(html, "<div>" * 500_000 + "Hello")
    monkeypatch.setattr(html, "DEEPEST", 100)
    found, _ = read(html, "<p>Many paragraphs without an end.<br><li>" * 200)
    assert found[0].text.startswith("Many paragraphs")


@pytest.mark.parametrize("tag", ["div", "article", "form", "ul"])
def test_the_time_of_a_page_does_not_grow_with_the_square_of_its_depth(read, tag):
    began = time.process_time()
    found, _ = read(html, f"<{tag}><p>A word" * 3_000)
    assert time.process_time() - began < 8  # each element's text was counted anew: minutes
    assert found


def test_html_is_read_at_its_main(read):
    (passage,), _ = read(html, "<div>Menu</div><main><p>Said.</p></main><div>Adverts</div>")
    assert passage.text == "Said."
    (passage,), _ = read(html, "<div>Menu</div><article><p>Said.</p></article>")
    assert passage.text == "Said."


def test_html_of_any_depth_and_encoding(read):
    (passage,), _ = read(html, "<div>" * 3_000 + "deep")
    assert passage.text == "deep"
    (passage,), _ = read(html, '<meta charset="shift_jis"><p>日本語</p>'.encode("shift_jis"))
    assert passage.text == "日本語"
    (passage,), _ = read(html, '<meta charset="ascii"><p>日本語</p>'.encode())  # it is wrong about itself
    assert passage.text == "日本語"
    (passage,), _ = read(html, '<meta charset="utf-16"><p>In ASCII.</p>')
    assert passage.text == "In ASCII."
    assert read(html, "")[0] == []


def test_html_that_is_all_a_form(read):
    source = "<div>Skip</div><form><h1>News</h1><p>All of it.</p></form><form>Search</form>"
    (passage,), _ = read(html, f"<body>{source}")
    assert passage.text == "Skip\nNews\nAll of it."


# Rows ---------------------------------------------------------------------------------------------------------


def test_csv(read):
    source = 'id,code,score,ok,text\n1,007,0.5,true,"Hello, ""you"""\n2,042,2,FALSE,World\n\n3,1,,true,\n'
    found, reports = read(delimited, source)
    assert [p.text for p in found] == ['Hello, "you"', "World"]
    assert found[0].metadata == {"row": 0, "id": 1, "code": "007", "score": 0.5, "ok": True}
    assert found[1].metadata == {"row": 1, "id": 2, "code": "042", "score": 2.0, "ok": False}
    assert reports == ["1 of 3 rows have no text in the column 'text'"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters(read, delimiter):
    found, _ = read(delimited, delimiter.join("ab") + "\n" + delimiter.join(["one, two", "3"]))
    assert found[0].text == "one, two"
    assert found[0].metadata == {"row": 0, "b": 3}


def test_numbers_keep_their_digits(read):
    whole, beyond = 1234567890123456789, "12345678901234567890"
    found, _ = read(delimited, f"text,whole,beyond,mixed,huge\nx,{whole},{beyond},{whole},1e999\ny,-1,2,0.5,1e9\n")
    assert found[0].metadata == {"row": 0, "whole": whole, "beyond": beyond, "mixed": str(whole), "huge": "1e999"}
    assert found[1].metadata == {"row": 1, "whole": -1, "beyond": "2", "mixed": "0.5", "huge": "1e9"}


def test_csv_of_one_column(read):
    found, reports = read(delimited, 'text\nHello, world\n"Apples; pears", plums\n')
    assert [p.text for p in found] == ["Hello, world", "Apples; pears, plums"]
    assert not reports


def test_csv_whose_rows_are_all_longer_than_its_header(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2,3\n")
    reports = []
    with pytest.raises(Unreadable, match="no rows"):
        list(delimited.passages(tmp_path / "a.csv", Options(), reports.append))
    assert reports == ["1 rows have more values than the header has names; the first is on line 2"]


def test_the_delimiter_is_the_one_outside_of_names(read):
    for source, ending in (
        ("sep=;\r\ntext;b,c,d\r\nx;2\r\n", ".csv"),
        ('"text";"b,c,d"\nx;2\n', ".csv"),
        ("text\tb,c,d\nx\t2\n", ".tsv"),
    ):
        (passage,), _ = read(delimited, source, ending)
        assert (passage.text, passage.metadata) == ("x", {"row": 0, "b,c,d": 2})


def test_a_header_of_several_lines(read):
    (passage,), _ = read(delimited, '"te\nxt";"b,c\nd"\nx;2\n')
    assert (passage.text, passage.metadata) == ("x", {"row": 0, "b,c\nd": 2})


def test_names_that_repeat_are_numbered(read, tmp_path):
    (passage,), _ = read(delimited, "text,a,a,a\nx,1,2,3\n")
    assert passage.metadata == {"row": 0, "a": 1, "a 2": 2, "a 3": 3}
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table([["x"], [1], [2]], names=["text", "a", "a"]), path)
    (passage,), _ = read(parquet, path.read_bytes())
    assert passage.metadata == {"row": 0, "a": 1, "a 2": 2}


def test_csv_that_changes_its_mind(read):
    source = "text,n\n" + "x,1\n" * 1500 + "y,many\nz,1,2\n"
    found, reports = read(delimited, source)
    assert len(found) == 1501
    assert {type(p.metadata["n"]) for p in found[:1500]} == {int}
    assert found[-1].metadata["n"] == "many"
    assert reports == ["1 rows have more values than the header has names; the first is on line 1,503"]


def test_the_column_to_search(read):
    source = "name,note\nAnn,a long note about her\nBob,another\n"
    assert [p.text for p in read(delimited, source)[0]] == ["a long note about her", "another"]
    assert [p.text for p in read(delimited, source, text="name")[0]] == ["Ann", "Bob"]
    with pytest.raises(Unreadable, match="no column 'title'; found name, note"):
        read(delimited, source, text="title")
    with pytest.raises(Unreadable, match="no column of text; found a"):
        read(delimited, "a\n1\n")
    with pytest.raises(Unreadable, match="no rows"):
        read(delimited, "a,b\n")


def test_a_long_row_becomes_several_passages(read):
    found, _ = read(delimited, f'text,id\n"{LONG}",5\n')
    assert len(found) > 1
    assert all(p.metadata == {"row": 0, "id": 5} for p in found)
    assert " ".join(p.text for p in found) == LONG.strip()


def test_json(read):
    record = {"text": "Hi.", "a": {"b": 1, "c": [1, "x"]}, "none": None, "big": 2**70, "ok": True, "nan": float("nan")}
    flat = {"row": 0, "a.b": 1, "a.c": '[1, "x"]', "big": str(2**70), "ok": True}
    for value in ([record], {"data": [record], "count": 1}, record):
        (passage,), _ = read(records, json.dumps(value), ".json")
        assert (passage.text, passage.metadata) == ("Hi.", flat)
    found, _ = read(records, '["One.", "Two."]', ".json")
    assert [p.text for p in found] == ["One.", "Two."]


def test_json_of_one_record_with_a_list(read):
    paper = {"title": "On rivers", "abstract": "Valleys.", "authors": [{"name": "Ada"}], "cited": [{"abstract": "No."}]}
    (passage,), _ = read(records, json.dumps(paper), ".json")
    assert passage.text == "Valleys."
    assert passage.metadata["title"] == "On rivers"
    (passage,), _ = read(records, '{"title": "On rivers", "authors": [{"name": "Ada"}]}', ".json")
    assert passage.text == "On rivers"
    (passage,), _ = read(records, '{"title": "Reviews", "description": "All.", "data": [{"text": "Good."}]}', ".json")
    assert passage.text == "Good."


def test_json_lines(read):
    source = '{"text": "One."}\n\nnot json\n{"text": "Two."}\n{"text'
    for ending in (".jsonl", ".ndjson"):
        found, reports = read(records, source, ending)
        assert [(p.text, p.metadata) for p in found] == [("One.", {"row": 0}), ("Two.", {"row": 1})]
        assert reports == ["2 lines are not JSON; the first is line 3"]
    found, _ = read(records, '{"text": "One."}\n{"text": "Two."}\n', ".json")  # a wrong ending
    assert [p.text for p in found] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("source", "said"),
    [("{", "not JSON"), ("[" * 200_000, "nested too deeply"), ("[]", "no rows"), ("[1, 2]", "no column of text")],
)
def test_json_that_cannot_be_used(read, source, said):
    with pytest.raises(Unreadable, match=said):
        read(records, source, ".json")


def test_parquet(read, tmp_path):
    table = pa.table(
        {
            "body": ["One.", None],
            "when": [datetime.datetime(2024, 1, 2), None],
            "blob": [b"x", b"y"],
            "nested": [{"n": 1}, {"n": 2}],
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    data = path.read_bytes()
    (passage,), reports = read(parquet, data)
    assert passage.text == "One."
    assert passage.metadata == {"row": 0, "when": "2024-01-02T00:00:00", "nested.n": 1}
    assert reports == ["1 of 2 rows have no text in the column 'body'"]
    table = pa.table({"text": ["One.", "Two."], "when": pa.array([0, 2**62], pa.timestamp("us"))})
    pq.write_table(table, path)
    found, reports = read(parquet, path.read_bytes())
    assert [p.metadata for p in found] == [{"row": 0, "when": "1970-01-01T00:00:00"}, {"row": 1}]
    assert reports == ["1 values are out of range, as dates are after the year 9999; the first is in 'when'"]
    for broken in (data[: len(data) // 2], b"PAR1", data[:4] + bytes(200) + data[204:]):
        with pytest.raises(Unreadable, match="not a whole Parquet file"):
            read(parquet, broken)
