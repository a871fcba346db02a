"""Progress: a bar on a terminal, at most a line elsewhere; nothing on standard output."""

import pytest

from foretell import progress


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def test_items_pass_through_unchanged(capsys):
    assert list(progress.watched(range(3), "counting")) == [0, 1, 2]
    assert list(progress.watched(iter("ab"), None)) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_shows_a_bar_and_markup_is_text(terminal, capsys):
    with progress.bar("reading [red]a[/red].png", 4, line="reading") as reading:
        reading.advance(3)
        reading.reach(4, "reading [b].png")
    out, err = capsys.readouterr()
    assert not out
    assert "reading [b].png" in err
    assert "100%" in err


def test_elsewhere_there_is_one_line(capsys):
    with progress.bar("reading", 2, line="Reading two files.") as reading:
        reading.advance()
        reading.reach(2, "more")
    assert capsys.readouterr() == ("", "Reading two files.\n")


def test_nothing_is_said_where_nothing_was_asked_for(terminal, capsys):
    with progress.bar(None, 2, line="Reading two files.") as reading:
        reading.advance()
    assert capsys.readouterr() == ("", "")
