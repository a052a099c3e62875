"""Lessons run one after another: with which options, what goes on after a failure, the table at the end."""

import re
import sys

import pytest

from lessons.course import runner


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
    assert re.search(r"p01_fake +[\d.]+ +wrong input", said.out)
    assert re.search(r"p02_fake +[\d.]+ +failed", said.out)


@pytest.mark.parametrize("options", [[], ["--seed", "3"]])
def test_goes_on_after_a_lesson_that_cannot_be_imported(fake, lessons_command, capsys, options):
    calls = fake({1: "pass", 2: "this is no Python", 3: "raise SystemExit(0)", 4: "pass"})
    assert lessons_command("run", "all", *options) == 1
    said = capsys.readouterr()
    assert "SyntaxError" in said.err
    assert len(calls(1)) == len(calls(4)) == 1
    assert re.search(r"p02_fake +[\d.]+ +failed", said.out)
    assert re.search(r"p03_fake +[\d.]+ +failed", said.out)


@pytest.mark.parametrize(("body", "code"), [("raise CourseError('x')", 2), ("1 / 0", 1), ("pass", 0)])
def test_exit_code_of_one_lesson(fake, lessons_command, body, code):
    fake({1: body})
    assert lessons_command("run", "1") == code


def test_ctrl_c_stops_and_still_shows_what_ran(fake, lessons_command, capsys):
    fake({1: "pass", 2: "raise KeyboardInterrupt", 3: "pass"})
    assert lessons_command("run") == 130
    assert "lessons.p03_fake" not in sys.modules
    assert re.search(r"p02_fake +[\d.]+ +interrupted", capsys.readouterr().out)


def test_end_table_says_where_and_what(lessons_command, monkeypatch, capsys, home):
    monkeypatch.setattr(runner.console, "width", 160)
    assert lessons_command("run", "4") == 0
    said = capsys.readouterr().out
    row = re.search(r"p04_sequential +[\d.]+ +(\S+) +GRAPHS the network", said)
    assert (home / row[1] / "run.json").is_file()
