"""Both languages say the same: no words without their other half, the same places for values in both."""

import string

import pytest
from rich.cells import cell_len

from lessons.course.logbook import RunWriter
from lessons.course.notes import LANGUAGES
from lessons.course.shapes import words as shapes
from lessons.course.words import WORDS, say


@pytest.mark.parametrize(("words", "key"), [(words, key) for words in (WORDS, shapes.WORDS) for key in words])
def test_both_languages_take_the_same_values(words, key):
    english, chinese = words[key]
    assert english and chinese
    if key != "day":  # a date's parts come by name in one and by letter in the other

        def places(words):
            return [field for _, field, _, _ in string.Formatter().parse(words) if field is not None]

        assert sorted(places(english)) == sorted(places(chinese))


@pytest.mark.parametrize(("lang", "ended"), [("en", "ok"), ("zh", "完成")])
def test_in_the_readers_language(lang, ended, monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", lang)
    assert say("ok") == ended


@pytest.mark.parametrize(
    ("lesson", "board"),
    [("p00_tools.py", "board 0)"), ("p05_x.py", "board 5)"), ("own.py", "lessons board)")],
)
def test_the_line_after_a_run_names_the_board(lesson, board, capsys):
    with RunWriter(lesson):
        pass
    assert board in capsys.readouterr().out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_lines_after_a_run_fit_a_screen(lang, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_LANG", lang)
    with RunWriter("p11_accelerator.py") as writer:
        for number in range(20):
            writer.add_scalar(f"loss of number {number}", 1.0, 0)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert "loss of number 19" in " ".join(lines)
