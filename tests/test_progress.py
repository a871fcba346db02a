"""Progress: a bar on a terminal, at most a line elsewhere; nothing on standard output."""

from itertools import count

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


def test_elsewhere_a_line_now_and_then_says_how_much_is_done(monkeypatch, capsys):
    clock = count(0, 6)  # six seconds from one look to the next; ten must have passed for a line
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    assert list(progress.watched(range(6), "encoding")) == list(range(6))
    assert capsys.readouterr().err.splitlines() == [f"encoding: {done} of 6" for done in (2, 4, 6)]


def test_lines_stand_above_the_bar_as_they_are(terminal, capsys):
    with progress.bar("training", 2) as training:
        assert training.drawn
        training.say("photos [1] are at runs/[red]a :x:")
    assert "photos [1] are at runs/[red]a :x:\n" in capsys.readouterr().err


def test_without_a_terminal_lines_are_plain(capsys):
    with progress.bar("training", 2) as training, progress.bar(None, 2) as silent:
        assert not training.drawn
        training.say("a line")
        silent.say("no line")
    assert capsys.readouterr() == ("", "a line\n")


def test_nothing_is_said_where_nothing_was_asked_for(terminal, capsys):
    with progress.bar(None, 2, line="Reading two files.") as reading:
        reading.advance()
    assert capsys.readouterr() == ("", "")
