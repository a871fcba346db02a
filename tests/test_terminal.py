"""No control character of a file's name or text reaches a terminal."""

import json
import os

import pytest

from foretell.cli import main
from foretell.cli.terminal import dumps, line, plain

CLIPBOARD = "\x1b]52;c;ZXZpbA==\x07"


def test_control_characters_become_their_codes():
    assert plain(f"a{CLIPBOARD}\nb\tc\x9b31m\u202e") == r"a\x1b]52;c;ZXZpbA==\x07" + "\nb\tc" + r"\x9b31m\u202e"
    assert line("new\nline") == r"new\x0aline"
    assert plain("naïve 文件 👍🏽") == "naïve 文件 👍🏽"
    value = {"text": f"{CLIPBOARD}\x9b\u202e é"}
    assert json.loads(dumps(value)) == value
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(dumps(value))


def test_names_and_passages_are_printed_without_them(tmp_path, capsys):
    for name in (b"\x1b[31mred.txt", b"new\nline.txt", b"caf\xe9.txt"):
        path = os.path.join(os.fsencode(tmp_path), b"in", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"The lighthouse \x1b]52;c;ZXZpbA==\x07 was built of granite.")
    store = str(tmp_path / "store")
    for args in (
        ("create", "k"),
        ("add", "k", str(tmp_path / "in")),
        ("files", "k"),
        ("search", "k", "lighthouse"),
        ("search", "k", "lighthouse", "--json"),
    ):
        main(["knowledge", *args, "--store", store])
    with pytest.raises(SystemExit):
        main(["knowledge", "search", "\x1b[31m", "x", "--store", store])
    out, said = capsys.readouterr()
    assert "red.txt" in out
    assert "granite" in out
    assert not {letter for letter in out + said if ord(letter) < 32 or 127 <= ord(letter) < 160} - {"\n"}


def test_debug_shows_what_is_behind_a_sentence(tmp_path, capsys):
    for words, traced in ((["knowledge", "list"], False), (["--debug", "knowledge", "list"], True)):
        with pytest.raises(SystemExit, match="1"):
            main([*words, "--store", str(tmp_path / "none")])
        said = capsys.readouterr().err
        assert ("Traceback" in said) is traced
        assert said.splitlines()[-1].startswith("foretell: ")
