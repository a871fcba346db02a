"""Tables and records as programs export them: broken quotes, titles above the table, every form of JSON."""

import json

import pytest

from foretell.search.ingest import delimited, records, text
from foretell.search.ingest.block import Unreadable

QUOTE = '"'
ROWS = [{"text": f"The lighthouse of island {n} was built of granite.", "year": 1800 + n} for n in range(30)]


def table(rows, names=("id", "text", "year"), delimiter=","):
    return "".join(delimiter.join(map(str, row)) + "\n" for row in [names, *rows])


# Delimiters and headers ---------------------------------------------------------------------------------------


def test_rows_decide_the_delimiter(read):
    head = "Surname, first name;Note, free;Weight, kg\n"
    rows = "".join(f"Person {n}, Alma;She asked for a quiet room number {n};{n},5\n" for n in range(1, 21))
    found, reports = read(delimited, head + rows)
    assert len(found) == 20
    assert found[0].text == "She asked for a quiet room number 1"
    assert found[0].metadata == {"row": 0, "Surname, first name": "Person 1, Alma", "Weight, kg": "1,5"}
    assert not reports


@pytest.mark.parametrize("name", ["text", "Sentence", "remark"])
def test_commas_of_sentences_divide_nothing(read, name):
    found, reports = read(delimited, f"{name}\n" + "".join(f"Fog came, and island {n} vanished\n" for n in range(20)))
    assert [p.text for p in found][:2] == ["Fog came, and island 0 vanished", "Fog came, and island 1 vanished"]
    assert not reports


def test_decimal_commas_do_not_hide_semicolons_of_short_rows(read):
    rows = [(f"Island {n} has a tower", "1,5", "x" if n % 2 else None) for n in range(20)]
    source = "text;weight;mark;colour\n" + "".join(";".join(c for c in row if c) + "\n" for row in rows)
    found, _ = read(delimited, source)
    assert found[1].text == "Island 1 has a tower"
    assert found[1].metadata == {"row": 1, "weight": "1,5", "mark": "x"}


@pytest.mark.parametrize(
    ("before", "report"),
    [
        ("Statement of account\nOwner: Orchard cooperative\n\n", "2 lines before the header were left out"),
        ("# exported on Monday\n# by the clerk\n", "2 lines before the header were left out"),
        ("# exported on Monday, by the clerk, at noon\n", "1 lines before the header were left out"),
    ],
)
def test_titles_and_comments_above_a_table(read, before, report):
    rows = "".join(f"2024-03-{day:02},Payment for crate {day} of oranges,{day}.50\n" for day in range(1, 21))
    found, reports = read(delimited, before + "Date,Purpose,Amount\n" + rows)
    assert found[-1].text == "Payment for crate 20 of oranges"
    assert found[-1].metadata["Date"] == "2024-03-20"
    assert len(found) == 20
    assert found[-1].metadata["Amount"] == 20.5
    assert [sentence.startswith(report) for sentence in reports] == [True]


def test_names_in_a_comment(read):
    found, reports = read(delimited, "# year,text\n1,Granite\n2,Fog\n# the end\n")
    assert found[1].metadata == {"row": 1, "year": 2}
    assert reports == ["1 rows are comments, and were left out; the first is on line 4"]


def test_a_name_may_begin_with_a_hash(read):
    found, reports = read(delimited, "#id,text\n1,Granite and limestone\n2,Fog\n")
    assert found[0].metadata == {"row": 0, "#id": 1}
    assert not reports


def test_an_empty_value_beyond_the_header_is_nothing(read):
    found, reports = read(delimited, "id,text\n1,Granite,\n2,Fog,\n")
    assert [p.text for p in found] == ["Granite", "Fog"]
    assert not reports


# Quotes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("at", [1, 40, 100])
def test_an_unclosed_quote_swallows_no_row(read, delimiter, at):
    rows = [(n, QUOTE * (n == at) + f"The lighthouse of island {n}.", 1800 + n) for n in range(1, 101)]
    found, reports = read(delimited, table(rows, delimiter=delimiter), ".tsv" if delimiter == "\t" else ".csv")
    assert len(found) == 100
    assert found[-1].metadata == {"row": 99, "id": 100, "year": 1900}
    assert reports == [f"1 rows have a quote that is never closed, read as a letter; the first is on line {at + 1}"]


def test_an_unclosed_quote_that_a_later_row_closes(read):
    rows = [(n, QUOTE * (n == 3) + f"Island {n}" + QUOTE * (n == 30), n) for n in range(1, 41)]
    found, reports = read(delimited, table(rows))
    assert len(found) == 40
    assert len(reports) == 1


@pytest.mark.parametrize("at", [1, 2, 20, 40])
def test_an_unclosed_quote_among_rows_in_quotes_swallows_none(read, at):
    rows = [(n, f'"Island {n}, a rock"' if n != at else f'"Island {n}', n) for n in range(1, 41)]
    found, reports = read(delimited, table(rows))
    assert [p.metadata["year"] for p in found] == [*range(1, 41)]
    assert reports == [f"1 rows have a quote that is never closed, read as a letter; the first is on line {at + 1}"]


def test_quoted_values_with_line_breaks_quotes_and_delimiters(read):
    rows = [(1, '"Fog, and\nthen ""rain""\r\n\nuntil dawn"', 5), (2, '"He said \\"no\\", twice"', 6), (3, '5" pipe', 7)]
    found, reports = read(delimited, table(rows))
    assert [p.text for p in found] == ['Fog, and\nthen "rain"\r\n\nuntil dawn', 'He said "no", twice', '5" pipe']
    assert [p.metadata["year"] for p in found] == [5, 6, 7]
    assert not reports


# Encodings ----------------------------------------------------------------------------------------------------


def test_the_whole_file_decides_its_encoding(read):
    plain = "".join(f"{n},The lighthouse of island number {n} was built of granite.\n" for n in range(20_000))
    last = "99999,Das Café Größenwahn öffnet für Gäste.\n"
    found, reports = read(delimited, ("id,text\n" + plain).encode() + last.encode("cp1252"))
    assert found[-1].text == "Das Café Größenwahn öffnet für Gäste."
    assert not reports


@pytest.mark.parametrize(("module", "ending"), [(delimited, ".csv"), (text, ".txt"), (records, ".jsonl")])
def test_letters_that_cannot_be_read_are_reported_with_their_line(read, module, ending):
    line = '{"text": "Größe"}\n' if module is records else "Größe\n"
    source = ("text\n" if module is delimited else "") + line * 5
    _, reports = read(module, source.encode() + line.encode("cp1252"), ending)
    number = 7 if module is delimited else 6
    assert reports == [f"1 lines have letters that cannot be read (\ufffd); the first is line {number}"]


# Records ------------------------------------------------------------------------------------------------------

FORMS = {
    "records": ROWS,
    "columns": {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ("text", "year")},
    "index": {str(n): row for n, row in enumerate(ROWS)},
    "split": {"columns": ["text", "year"], "index": [*range(30)], "data": [[*row.values()] for row in ROWS]},
    "table": {"schema": {"fields": [{"name": "text", "type": "string"}]}, "data": ROWS},
    "rows below names": [["text", "year"], *([*row.values()] for row in ROWS)],
    "mapping": {f"doc-{n}": row for n, row in enumerate(ROWS)},
    "named columns": {name: {f"doc-{n}": row[name] for n, row in enumerate(ROWS)} for name in ("year", "text")},
    "nested": {"license": "CC0", "version": {"major": 1}, "documents": ROWS},
    "lists": {name: [row[name] for row in ROWS] for name in ("text", "year")},
    "deep": {"took": {"ms": 3}, "results": {"items": ROWS}},
    "splits": {"train": ROWS[:20], "test": ROWS[20:]},
    "chapters": [{"book": "Lights", "chapters": ROWS[:10]}, {"book": "More", "chapters": ROWS[10:]}],
}


@pytest.mark.parametrize("form", FORMS)
def test_json_in_every_form(read, form):
    found, reports = read(records, json.dumps(FORMS[form]), ".json")
    assert [p.text for p in found] == [row["text"] for row in ROWS]
    assert [p.metadata["year"] for p in found] == [row["year"] for row in ROWS]
    assert not reports
    if form in ("index", "mapping"):
        assert [p.metadata["key"] for p in found] == [*FORMS[form]]
    if form == "splits":
        assert (found[0].metadata["key"], found[-1].metadata["key"]) == ("train", "test")
    if form == "chapters":
        assert found[-1].metadata["book"] == "More"


def test_rows_without_names(read):
    found, _ = read(records, json.dumps([["Granite", 1], ["Fog", 2]]), ".json")
    assert [(p.text, p.metadata["column 2"]) for p in found] == [("Granite", 1), ("Fog", 2)]


def test_texts_by_key(read):
    found, _ = read(records, json.dumps({f"q{n}": f"What was light {n} made of?" for n in range(30)}), ".json")
    assert (found[-1].text, found[-1].metadata["key"]) == ("What was light 29 made of?", "q29")


@pytest.mark.parametrize("keys", [("chapter 1", "chapter 2"), ("train", "test")])
def test_lists_of_texts_by_key(read, keys):
    many = 2 if keys[0] == "chapter 1" else 40
    said = {key: [f"Light {n} of {key} burned oil." for n in range(many)] for key in keys}
    found, reports = read(records, json.dumps(said), ".json")
    assert [(p.metadata["key"], p.text) for p in found] == [(key, each) for key in keys for each in said[key]]
    assert not reports


def test_one_record_of_texts_is_not_many(read):
    (found,), _ = read(records, json.dumps({"name": "Alma", "remark": "Keeps the light of the island"}), ".json")
    assert found.metadata["name"] == "Alma"


def test_a_text_in_lines(read):
    found, _ = read(records, json.dumps([{"title": "A", "text": ["One.", "Two."], "tags": ["x"]}]), ".json")
    assert [(p.text, p.metadata["tags"]) for p in found] == [("One.\nTwo.", '["x"]')]


def test_paragraphs_of_json_lines(read):
    line = json.dumps({"title": "Lights", "paragraphs": [{"context": "Granite.", "qas": []}, {"context": "Fog."}]})
    found, _ = read(records, f"{line}\n{line}\n", ".jsonl")
    assert [p.text for p in found] == ["Granite.", "Fog."] * 2
    assert [p.metadata["row"] for p in found] == [0, 1, 2, 3]


def test_text_outside_of_the_records_is_reported(read):
    found, reports = read(records, json.dumps({"log": ["a long line of a log " * 20], "docs": ROWS[:2]}), ".json")
    assert len(found) == 2
    assert len(reports) == 1
    assert reports[0].endswith("% of its text is in records; the rest was left out")


def test_an_empty_table(read):
    with pytest.raises(Unreadable, match="no header"):
        read(delimited, "\n\n")


BEFORE = "".join(f"2024-03-{day:02},Payment for crate {day},{day}.50\n" for day in range(1, 6))


@pytest.mark.parametrize(
    "preamble",
    [
        "Report of sales,,\n\n",
        "Report of sales,,\n",
        "Bank of the Orchard, branch North\nAccount, 12345, EUR\n\n",
        "# exported on Monday\n",
    ],
)
def test_titles_with_delimiters_are_no_header(read, preamble):
    rows, (report,) = read(delimited, preamble + "Date,Purpose,Amount\n" + BEFORE)
    assert [row.metadata["Amount"] for row in rows] == [day + 0.5 for day in range(1, 6)]
    assert "before the header were left out" in report


def test_years_may_be_names_of_columns(read):
    rows, _ = read(delimited, "Place,2019,2020\nA village by the sea,4,5\nA town on a hill,6,7\n")
    assert rows[0].metadata["2019"] == 4


def test_of_equal_delimiters_one_that_spaces_follow_divides_nothing(read):
    source = "Name, first|Note\n" + "".join(f"Doe, Alma|She asked for room {n}\n" for n in range(5))
    rows, _ = read(delimited, source)
    assert rows[0].metadata["Name, first"] == "Doe, Alma"


def test_a_quote_that_opens_the_last_value_is_reported(read):
    source = "id,text\n" + "".join(f"{n},{chr(34) if n == 3 else ''}A lighthouse of granite.\n" for n in range(6))
    rows, (report,) = read(delimited, source)
    assert len(rows) == 6
    assert "the first is on line 5" in report
