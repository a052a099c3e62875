"""Lessons run one after another: with which options, what goes on after a failure, the table at the end."""

import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from lessons.course import catalogue, runner
from lessons.course.catalogue import TABS, Lesson, find_lessons, named_tabs
from lessons.course.notes import LANGUAGES


def test_one_lesson_takes_its_own_options(fake, lessons_command):
    calls = fake({1: "pass"})
    words = "run 1 --dataset d --seed 3 --word w --image a.png --image b.png"
    assert lessons_command(*words.split()) == 0
    assert calls(1) == [("d", 3, "w", ["a.png", "b.png"])]


def test_several_lessons_share_dataset_and_seed(fake, lessons_command):
    calls = fake({1: "pass", 2: "pass"})
    assert lessons_command("run", "1-2", "--dataset=d", "--seed", "4") == 0
    assert calls(1) == calls(2) == [("d", 4, "none", [])]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["1", "--wrod", "w"], "--wrod"),
        (["1", "--seed", "many"], "'--seed'"),
        (["1", "--seed", "-1"], "--seed is -1"),
        (["1-2", "--seed=-1"], "--seed is -1"),
        (["1-2", "--word", "w"], "option of single lessons"),
        (["1-2", "--seed"], "--seed wants a value"),
        (["--seed", "3", "1"], "'1' comes too late"),
    ],
)
def test_wrong_options_stop_before_anything_runs(fake, lessons_command, capsys, words, said):
    calls = fake({1: "pass", 2: "pass"})
    assert lessons_command("run", *words) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error
    assert calls(1) == []


def test_goes_on_after_a_lesson_that_fails(fake, lessons_command, monkeypatch, capsys):
    calls = fake({1: "raise CourseError('no pictures; put some there')", 2: "1 / 0", 3: "pass"})
    monkeypatch.setattr(runner.console, "width", 100)
    assert lessons_command("run") == 1
    said = capsys.readouterr()
    assert "Error: no pictures; put some there" in said.err
    assert "ZeroDivisionError" in said.err
    assert len(calls(3)) == 1
    assert re.search(r"1  fake +[\d.]+ +wrong input", said.out)
    assert re.search(r"2  fake +[\d.]+ +failed", said.out)


@pytest.mark.parametrize("options", [[], ["--seed", "3"]])
def test_goes_on_after_a_lesson_that_cannot_be_imported(fake, lessons_command, capsys, options):
    calls = fake({1: "pass", 2: "this is no Python", 3: "raise SystemExit(0)", 4: "pass"})
    assert lessons_command("run", "all", *options) == 1
    said = capsys.readouterr()
    assert "SyntaxError" in said.err
    assert len(calls(1)) == len(calls(4)) == 1
    assert re.search(r"2  fake +[\d.]+ +failed", said.out)
    assert re.search(r"3  fake +[\d.]+ +failed", said.out)


@pytest.mark.parametrize(("body", "code"), [("raise CourseError('x')", 2), ("1 / 0", 1), ("pass", 0)])
def test_exit_code_of_one_lesson(fake, lessons_command, body, code):
    fake({1: body})
    assert lessons_command("run", "1") == code


def test_ctrl_c_stops_and_still_shows_what_ran(fake, lessons_command, capsys):
    calls = fake({1: "pass", 2: "raise KeyboardInterrupt", 3: "pass"})
    assert lessons_command("run", "all", "--seed", "4") == 130
    assert calls(3) == []
    said = capsys.readouterr()
    assert re.search(r"2  fake +[\d.]+ +interrupted", said.out)
    assert said.err == "Stopped: lessons run 2-3 --seed 4 goes on with lesson 2.\n"


def test_ctrl_c_in_a_lesson_alone(fake, lessons_command, home, capsys):
    fake({1: "raise KeyboardInterrupt", 2: "raise KeyboardInterrupt('it is saved')"})
    for number, said in ((1, "the same command begins anew"), (2, "it is saved")):
        assert lessons_command("run", str(number)) == 130
        assert capsys.readouterr().err == f"Stopped: {said}.\n"


@pytest.mark.parametrize("words", [["0"], ["0-1"], ["p00"]])
def test_lesson_0(fake, lessons_command, capsys, words):
    calls = fake({0: "pass", 1: "pass", 2: "pass"})
    assert lessons_command("run", *words) == 0
    assert len(calls(0)) == 1
    assert f"lessons board {words[0].removeprefix('p0')}\n" in capsys.readouterr().out


def test_end_table_says_how_it_went_and_where_to_look(lessons_command, monkeypatch, capsys):
    monkeypatch.setattr(runner.console, "width", 80)
    assert lessons_command("run", "4") == 0
    said = capsys.readouterr().out
    assert re.search(r"^ *4  sequential +[\d.]+  145,578 parameters +GRAPHS *$", said, re.MULTILINE)
    assert "(lessons board 4) shows run p04_sequential/" in said
    assert said.rstrip().endswith("lessons board 4")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "result", ["test accuracy 86.6%, validation 88.2%", "准确率很高" * 20, ""], ids=["long", "wide", "none"]
)
def test_the_end_of_a_long_run_fits_a_screen(lang, result, monkeypatch, capsys):
    """24 lines of 80 columns for fifteen lessons, with the prompt. A Chinese character takes two columns."""
    monkeypatch.setenv("LESSONS_LANG", lang)
    monkeypatch.setattr(runner.console, "width", 80)
    look_at = [f"{tab:<11} something" for tab in TABS.values()]
    monkeypatch.setattr(runner, "last_run", lambda lesson: (None, {"result": result, "look_at": look_at}))
    made = {n: Lesson(n, Path(f"p{n:02}_distributed.py"), "Title", "bars in IMAGES") for n in range(15)}
    monkeypatch.setattr(catalogue, "find_lessons", lambda: made)
    rows = [(lesson, "failed" if lesson.number == 3 else "ok", 1234.56) for lesson in made.values()]
    runner.show_runs(rows, 18518)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 23
    assert max(map(cell_len, lines)) <= 80
    rows = lines[2:17]
    assert [row.split()[:3] for row in rows] == [[str(n), "distributed", "1234.6"] for n in range(15)]
    assert all("IMAGES, SCALARS, GRAPHS" in row for row in rows if row.split()[0] != "3")
    assert "lessons board 14" in lines[-1]


def test_the_real_names_and_tabs_are_not_cut(monkeypatch, capsys):
    monkeypatch.setattr(runner.console, "width", 80)
    found = find_lessons().values()
    monkeypatch.setattr(
        runner, "last_run", lambda lesson: (None, {"look_at": [f"{tab}  x" for tab in named_tabs(lesson)]})
    )
    runner.show_runs([(lesson, "ok", 99.9) for lesson in found], 300)
    said = capsys.readouterr().out
    for lesson in found:
        assert re.search(rf" {lesson.short_name} +99.9 .* {', '.join(named_tabs(lesson))} *\n", said)
    assert "lessons board\n" in said
