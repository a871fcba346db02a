"""The commands that others script against."""

import json

import pytest

from foretell.cli import main


def run(capsys, *args):
    main(["knowledge", *map(str, args)])
    return capsys.readouterr().out


def fails(capsys, *args):
    with pytest.raises(SystemExit) as stop:
        main(["knowledge", *map(str, args)])
    assert stop.value.code not in (0, None)
    out, said = capsys.readouterr()
    assert out == ""
    assert said.startswith("foretell: ")
    assert "Traceback" not in said
    return said


def test_create_add_search_show_export_import_and_remove(store, tmp_path, capsys):
    at = ("--store", store)
    assert len(run(capsys, "create", "notes", *at, "--title", "Mine", "--category", "Science").strip()) == 43
    (tmp_path / "a.md").write_text("The cat slept on the windowsill.")
    (tmp_path / "b.txt").write_text("Rockets burn hydrogen.")
    assert "2 entries of 2 files added" in run(capsys, "add", "notes", tmp_path / "a.md", tmp_path / "b.txt", *at)
    again = json.loads(run(capsys, "add", "notes", tmp_path / "a.md", *at, "--json"))
    assert (again["files"], again["unchanged"]) == (0, 1)

    (best,) = json.loads(run(capsys, "search", "notes", "space flight", *at, "--top", 1, "--json"))["results"]
    assert {"id", "score", "text", "page", "metadata"} <= best.keys()
    assert best["metadata"] == {"source": "b.txt"}
    assert "Rockets" in run(capsys, "search", "notes", "space flight", *at, "--rerank", "--hybrid")
    assert "Rockets" in run(capsys, "search", "notes", "space flight", *at, "--level", "exact", "--top", 1)
    filtered = run(capsys, "search", "notes", "space flight", *at, "--filter", "source=a.md", "--json")
    assert [hit["metadata"]["source"] for hit in json.loads(filtered)["results"]] == ["a.md"]

    about = json.loads(run(capsys, "show", "notes", *at, "--json"))
    assert (about["title"], about["count"]) == ("Mine", 2)
    assert (about["file_type"], about["index_type"]) == ("Markdown, TXT", "hnsw")
    assert about["contract_id"] in (shown := run(capsys, "show", "notes", *at))
    assert "no graph: every entry is scanned" in shown
    assert [(f["name"], f["kind"], f["entries"]) for f in json.loads(run(capsys, "files", "notes", *at, "--json"))] == [
        ("a.md", "Markdown", 1),
        ("b.txt", "TXT", 1),
    ]
    assert run(capsys, "export", "notes", *at, "--out", tmp_path / "notes.parquet") == f"{tmp_path / 'notes.parquet'}\n"
    run(capsys, "import", tmp_path / "notes.parquet", *at, "--name", "copy")
    assert [each["name"] for each in json.loads(run(capsys, "list", *at, "--json"))] == ["notes", "copy"]
    assert run(capsys, "backup", *at, "--out", tmp_path / "backup") == f"{tmp_path / 'backup'}\n"
    assert run(capsys, "remove", "notes", "--file", tmp_path / "a.md", *at) == "1 entries removed\n"
    assert run(capsys, "files", "notes", *at).split() == ["1", "entries", "TXT", "b.txt"]
    assert json.loads(run(capsys, "show", "notes", *at, "--json"))["count"] == 1
    run(capsys, "remove", "notes", *at)
    assert "notes" not in run(capsys, "list", *at).split()
    assert "notes" in run(capsys, "list", "--store", tmp_path / "backup").split()


def test_wrong_words_end_in_one_sentence(store, tmp_path, capsys):
    (tmp_path / "x.bin").write_bytes(b"\0")
    run(capsys, "create", "notes", "--store", store)
    for args, said in (
        ((), "needs a COMMAND"),
        (("make",), "'make' is not one"),
        (("create", "x"), "--store"),
        (("create", "notes", "--store", store), "already"),
        (("create", "x", "--store", store, "--model", "bge-smal"), "no model 'bge-smal'"),
        (("add", "notes", "--store", store), "FILE"),
        (("add", "notes", tmp_path / "none", "--store", store), "does not exist"),
        (("add", "notes", tmp_path / "x.bin", "--store", store), "not of a kind that can be read"),
        (("search", "none", "x", "--store", store), "no knowledge 'none'"),
        (("search", "notes", "x", "--store", tmp_path / "none"), "holds no knowledge"),
        (("search", "notes", "x", "--store", store, "--filter", "x"), "filter 'x'"),
        (("search", "notes", "x", "--store", store, "--imagine", "hue"), "imagine is 'hue'"),
        (("search", "notes", "x", "--store", store, "--top", 0), "top is 0"),
        (("search", "notes", "x", "--store", store, "--level", "most"), "level is 'most', expected 0 to 4, or 'exact'"),
        (("search", "notes", "x", "--store", store, "--rerank", "--read", 0), "read is 0, expected a whole number"),
        (("import", tmp_path / "none", "--store", store), "does not exist"),
        (("remove", "notes", "--file", "a.md", "--store", store), "no file 'a.md'"),
    ):
        assert said in fails(capsys, *args)


def test_a_port_that_cannot_be_is_refused(store, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--data", str(store), "--port", "99999"])
    assert "--port is 99999, expected 0 to 65535" in capsys.readouterr().err
