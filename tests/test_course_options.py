"""A lesson's ``main`` as a command line: its options, their limits, and what a wrong one comes to."""

import functools
import importlib
import inspect
import json
import math
import shutil
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import REPO

from lessons.course import CourseError
from lessons.course.catalogue import LESSONS_DIR, find_lessons
from lessons.course.options import SETTINGS, Setting, command_line, exit_code, parse_options
from lessons.p04_sequential import walk
from lessons.tudui import Tudui

every_lesson = pytest.mark.parametrize("number", find_lessons())


def main_of(number):
    return importlib.import_module(f"lessons.{find_lessons()[number].name}").main


def numbers_of(main):
    """``{"seed": int, ...}``: the parameters that are numbers, ``float | None`` among them."""
    parameters = inspect.signature(main).parameters.values()
    kinds = {one.name: {one.annotation, *get_args(one.annotation)} & {int, float} for one in parameters}
    return {name: kind.pop() for name, kind in kinds.items() if kind}


def too_far(setting, kind):
    """Numbers just outside the limits (infinite where there is none), and words that are no such number."""
    yield from {setting.min - 1, setting.above, setting.above - 1, setting.max + 1, math.inf}
    yield math.nan
    if kind is int:
        yield from (0.5, -(2**70))


# --- The table, and the lessons


@every_lesson
def test_every_option_is_explained_and_every_number_limited(number):
    main = main_of(number)
    parameters = inspect.signature(main).parameters
    assert parameters.keys() <= SETTINGS.keys()
    for name in numbers_of(main):
        default = parameters[name].default
        assert SETTINGS[name].limits, name
        assert default is None or SETTINGS[name].allows(default), name


def test_the_table_holds_no_option_that_no_lesson_has():
    parameters = [inspect.signature(main_of(number)).parameters for number in find_lessons()]
    assert SETTINGS.keys() == set().union(*parameters)


@pytest.mark.parametrize(
    ("limits", "words", "allowed", "refused"),
    [
        ({}, "", [-1e300, 0, 10**400], [math.inf, math.nan]),
        ({"min": 1}, "at least 1", [1, 10**400], [0, -1, math.inf, math.nan]),
        ({"min": 0, "max": 9}, "from 0 to 9", [0, 9], [-1, 10, 2**70, math.nan]),
        ({"above": 0}, "above 0 and finite", [1e-300, 1e300], [0.0, -1.0, math.inf, math.nan]),
        ({"above": 0, "max": 9}, "above 0 and at most 9", [0.1, 9.0], [0, 9.1, math.inf, math.nan]),
    ],
)
def test_limits(limits, words, allowed, refused):
    setting = Setting("how much", **limits)
    assert setting.limits == words
    assert setting.help == ("how much" if not words else f"how much ({words})")
    assert all(map(setting.allows, allowed))
    assert not any(map(setting.allows, refused))


@pytest.mark.parametrize("way", ["lessons run", "script"])
@every_lesson
def test_numbers_that_cannot_be(number, way, lessons_command, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    lesson = sys.modules[main_of(number).__module__]
    main = functools.wraps(lesson.main)(lambda **options: pytest.fail(f"the lesson ran with {options}"))
    monkeypatch.setattr(lesson, "main", main)
    for name, kind in numbers_of(main).items():
        for value in too_far(SETTINGS[name], kind):
            words = [f"--{name.replace('_', '-')}", str(value)]
            if way == "script":
                monkeypatch.setattr(sys, "argv", [f"{lesson.__name__}.py", *words])
                with pytest.raises(SystemExit) as end:
                    command_line(main)
                code = end.value.code
            else:
                code = lessons_command("run", str(number), *words)
            said = capsys.readouterr()
            assert (code, said.out) == (2, ""), words
            assert said.err.startswith("Error: ") and said.err.count("\n") == 1, said.err
            assert words[0] in said.err
            if kind is float or isinstance(value, int):  # else the parser cannot read it as a number
                assert said.err.endswith(f" is {kind(value)}: it must be {SETTINGS[name].limits}\n")
    assert not list(tmp_path.iterdir())


@every_lesson
def test_numbers_at_the_limits(number):
    main = main_of(number)
    for name, kind in numbers_of(main).items():
        setting = SETTINGS[name]
        at_the_limits = {setting.min, math.nextafter(setting.above, 1), setting.max}
        for value in filter(setting.allows, at_the_limits):
            given = parse_options(main, [f"--{name.replace('_', '-')}", str(value)])
            assert given[name] == value and type(given[name]) is kind


def test_options_that_need_not_be_given():
    def main(
        learning_rate: float | None = None,
        patience: int | None = None,
        compile: bool | None = None,
        without: list[str] | None = None,
    ):
        pass

    nothing = {"learning_rate": None, "patience": None, "compile": None, "without": None}
    assert {name: value or None for name, value in parse_options(main, []).items()} == nothing
    words = "--learning-rate 1e-3 --patience 2 --no-compile --without mirror --without shift"
    something = {"learning_rate": 0.001, "patience": 2, "compile": False, "without": ["mirror", "shift"]}
    assert parse_options(main, words.split()) == something
    for name, value in (("--learning-rate", "nan"), ("--patience", "0")):
        with pytest.raises(CourseError, match=f"^{name} is {value}: it must be "):
            parse_options(main, [name, value])


def test_the_largest_batch_fits_into_memory():
    """Tudui's outputs and their gradients: under 2 GB, as the README says."""
    numbers = sum(math.prod(shape) for _, shape, _ in walk(Tudui().model1, torch.ones(1, 3, 32, 32)))
    assert 2 * 4 * numbers * SETTINGS["batch_size"].max < 2e9


def test_the_largest_numbers_are_what_others_take():
    np.random.RandomState(SETTINGS["seed"].max)
    with pytest.raises(ValueError):
        np.random.RandomState(SETTINGS["seed"].max + 1)
    assert SETTINGS["timeout"].max * 1e9 < 2**63  # nanoseconds, as PyTorch counts them
    for name in ("num_workers", "processes"):
        assert 0.3 * SETTINGS[name].max < 20  # GB, with 0.3 for each


# --- Help


@every_lesson
def test_help_of_each_real_lesson(number, lessons_command, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_LANG", "en")
    assert lessons_command("run", str(number), "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert find_lessons()[number].title in said
    for name in inspect.signature(main_of(number)).parameters:
        assert f"--{name.replace('_', '-')} " in said
        assert SETTINGS[name].help in said


def test_help_of_a_lesson_says_what_it_teaches(fake, lessons_command, capsys):
    fake({1: "1 / 0"})
    assert lessons_command("run", "1", "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "About it." in said
    assert "--dataset <str> sketch10, cifar10, or a folder" in said or "--dataset TEXT" in said


# --- Each lesson as a command of its own


@pytest.mark.parametrize(
    ("lesson", "options"),
    [
        ("p00_tools", ["--seed", 1]),
        ("p01_dataloader", ["--steps", 1]),
        ("p02_conv2d", ["--steps", 1]),
        ("p03_maxpool", ["--steps", 1]),
        ("p04_sequential", ["--batch-size", 2]),
        ("p05_loss_optim", ["--epochs", 1]),
        ("p06_pretrained", ["--steps", 2]),
        ("p07_save_load", ["--steps", 2]),
        ("p08_train", ["--epochs", 1, "--without", "mirror"]),
        ("p09_resume", ["--epochs", 1]),
        ("p10_mistakes", []),
        ("p11_accelerator", ["--steps", 1, "--device", "cpu"]),
        ("p12_classify", []),
        ("p13_distributed", ["--epochs", 1]),
    ],
)
def test_each_lesson_is_a_command(lesson, options, run_script, small_pictures, tmp_path):
    """As a script and as a module in turn, from a folder that is not the checkout."""
    script = ["-m", f"lessons.{lesson}"] if int(lesson[1:3]) % 2 else [REPO / "lessons" / f"{lesson}.py"]
    dataset = [] if lesson in ("p00_tools", "p04_sequential") else ["--dataset", small_pictures]
    home = tmp_path / "home"
    done = run_script(*script, *dataset, *options, LESSONS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert f"run {lesson}/" in done.stdout
    (card,) = home.glob(f"logs/{lesson}/*/run.json")
    assert json.loads(card.read_text())["status"] == "ok"
    shutil.rmtree(home)  # lesson 7 leaves 1.1 GB


def test_what_a_learner_can_cause_has_no_traceback(run_script):
    done = run_script(REPO / "lessons" / "p01_dataloader.py", "--dataset", "no/such/folder")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "no/such/folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("lesson", ["p01_dataloader", "p02_conv2d", "p03_maxpool"])
def test_a_batch_larger_than_the_data_set(lesson, small_pictures, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    main = importlib.import_module(f"lessons.{lesson}").main
    monkeypatch.setattr(sys, "argv", [lesson, "--dataset", str(small_pictures), "--batch-size", "4000"])
    with pytest.raises(SystemExit) as end:
        command_line(main)
    error = capsys.readouterr().err
    if lesson == "p01_dataloader":  # its loader drops the last batch, when that is not whole
        assert end.value.code == 2
        assert error.startswith("Error: 200 training pictures make no whole batch of 4000: choose a smaller")
        assert error.count("\n") == 1 and not (tmp_path / "logs").exists()  # refused before a run begins
    else:
        assert (end.value.code, error) == (0, "")


def test_a_warning_that_is_an_error_is_said(capsys):
    def warn():
        raise DeprecationWarning("old\n\nvery old")

    assert exit_code(warn) == 2
    assert "leave that out (DeprecationWarning: old very old)\n" in capsys.readouterr().err


def test_a_lesson_pasted_into_a_notebook(capsys):
    """A notebook's cells have no file, and the command line is that of its kernel."""
    cells = {"__name__": "__main__", "command_line": command_line}
    exec("def main(epochs: int = 1): raise AssertionError\ncommand_line(main)", cells)
    heading, *lines = capsys.readouterr().out.splitlines()
    assert "notebook" in heading
    imported = importlib.import_module(lines[0].split()[1]).main
    assert lines[1].strip() == "main(epochs=3)" and "epochs" in inspect.signature(imported).parameters


@pytest.mark.parametrize(
    "words", [("-m", "lessons"), ("-m", "lessons", "run", "4"), (LESSONS_DIR / "p04_sequential.py",)]
)
def test_a_reader_that_has_enough(words, home):
    """As in ``lessons run 4 | head -1``: no traceback, neither from the lesson nor from Python's end."""
    process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert (process.wait(), said) == (1, "")
