"""A bar where there is a terminal, and nothing at all where there is none."""

import io
import sys

import pytest

from lessons.course.progress import track


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_no_terminal_no_bar_and_no_empty_line(capfd):
    for epoch in (1, 2):
        assert list(track(iter([1, 2, 3]), f"epoch {epoch}", total=3)) == [1, 2, 3]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("variables", [{"FORCE_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_bar_for_a_file_that_wants_colours_nor_for_a_terminal_without_cursor(variables, monkeypatch):
    """``rich`` takes FORCE_COLOR for a terminal, and leaves empty lines where no cursor can be moved."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "stderr", Terminal() if "TERM" in variables else io.StringIO())
    assert list(track([1, 2, 3], "epoch 1")) == [1, 2, 3]
    assert sys.stderr.getvalue() == ""


def open_terminal(monkeypatch) -> Terminal:
    """Called by the test itself: between a fixture and its test, pytest puts its own stderr back."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def test_a_bar_in_a_terminal_which_disappears(monkeypatch):
    terminal = open_terminal(monkeypatch)
    assert list(track([1, 2, 3], "epoch 1")) == [1, 2, 3]
    drawn = terminal.getvalue()
    assert "epoch 1" in drawn
    assert drawn.endswith("\x1b[1A\x1b[2K"), "up one line, which is cleared"


def test_what_is_printed_into_a_file_meanwhile_gets_there(monkeypatch):
    terminal, file = open_terminal(monkeypatch), io.StringIO()
    monkeypatch.setattr(sys, "stdout", file)
    for number in track([1, 2, 3], "epoch 1"):
        print(f"step {number}")
    assert file.getvalue().splitlines() == ["step 1", "step 2", "step 3"]
    assert "step" not in terminal.getvalue()
