"""Command lines with something wrong in them."""

import contextlib
import importlib
import inspect
import io
import shutil
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from small_data import fill_folder
from torch.distributed.launcher import api as launcher_api
from torch.utils.tensorboard import SummaryWriter
from typer.main import get_command

from lessons.course import cli
from lessons.course.catalogue import find_lessons
from lessons.course.options import SETTINGS, command_line

from . import Outcome

SECONDS = 10
NO_NUMBERS = ("", "one", "nan", "inf", "-inf", "1e999", "0x1p", str(2**70), str(-(2**70)), "-1", "1.5.0", "½")
NO_FILES = (
    "no/such",
    "nul\0",
    "n" * 300,
    "/dev/null",
    "~nobody/pictures",
    "https://example.org/a",
    "-",
    "$HOME",
)
WRONG = {  # by the name of an option whose value only the lesson itself can judge
    "dataset": (*NO_FILES, "", "cifar100", "CIFAR-10"),
    "image": (*NO_FILES, "", "."),
    "checkpoint": (*NO_FILES, "."),
    "recipe": ("", "slow", "fast "),
    "without": ("", "salt", "mirror,shift"),
    "width": ("huge", "small "),
    "device": ("nope", "cuda:99", "cpu:x", "meta", "cuda:-1", "cpu\0"),
}
UNKNOWN = ("--epoch", "--no-such", "--Seed", "-x", "--seed3", "---", "--%00", "--é")


def command_lines(tries: int, seed: int, folder: Path) -> Outcome:
    """Command lines with something wrong in them, over all options of all lessons and commands.

    Each ends with exit code 2 and one sentence, and nothing has been written or begun.
    """
    pictures, home = fill_folder(folder / "pictures"), folder / "home"
    home.mkdir()
    tried: list[float] = []
    lost, slowest = [], (0.0, "")

    @seeded(seed)
    @settings(
        max_examples=tries,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data: st.DataObject) -> None:
        nonlocal slowest
        number = data.draw(st.sampled_from([*find_lessons(), None]))
        script = number is not None and data.draw(st.booleans())
        words = data.draw(wrong_command() if number is None else wrong_lesson(number, str(pictures)))
        shown = " ".join([*(["lessons"] if number is None else ["run", str(number)]), *map(repr, words)])
        start = time.process_time()
        wrong = what_is_wrong(home, *call(number, script, words))
        tried.append(time.process_time() - start)
        slowest = max(slowest, (tried[-1], shown))
        if wrong or tried[-1] > SECONDS:
            lost.append(f"{shown}: {wrong or f'{tried[-1]:.1f} s'}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESSONS_HOME", str(home))
        patch.setattr(SummaryWriter, "__init__", begun)
        patch.setattr(launcher_api, "launch_agent", begun)
        patch.chdir(folder)
        run()
    return Outcome(len(tried), len(tried) - len(lost), lost, slowest)


def begun(*arguments: Any, **options: Any) -> None:
    raise AssertionError("it has begun")


def call(number: int | None, script: bool, words: list[str]) -> tuple[Any, str, str]:
    """The exit code, stdout and stderr of a lesson, as a script or through the command, or of a command."""
    kept = sys.argv
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            if number is not None and script:
                sys.argv = [find_lessons()[number].name, *words]
                command_line(main_of(number))
            else:
                sys.argv = ["lessons", *(() if number is None else ("run", str(number))), *words]
                cli.main()
            code: Any = "no end"
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = traceback.format_exc()
        finally:
            sys.argv = kept
    for stream in (out, err):
        stream.seek(0)
    return code, out.read(), err.read()


def what_is_wrong(home: Path, code: Any, out: str, err: str) -> str:
    if code != 2:
        return f"it ended with {code}: {out[-300:]}{err[-300:]}"
    if written := [path.name for path in home.rglob("*")]:
        shutil.rmtree(home)
        home.mkdir()
        return f"it has written {written[:5]}"
    one_sentence = err.startswith("Error: ") and err.count("\n") == 1
    return "" if one_sentence else f"it said {err!r}"


# --- Lines


def main_of(number: int) -> Any:
    return importlib.import_module(f"lessons.{find_lessons()[number].name}").main


@st.composite
def wrong_lesson(draw: st.DrawFn, number: int, pictures: str) -> list[str]:
    """Options of a lesson: some right, in any order, and one wrong at least."""
    parameters = inspect.signature(main_of(number)).parameters
    parts = [draw(wrong_option(parameters)) for _ in range(draw(st.integers(1, 2)))]
    wrong = {part[0].partition("=")[0] for part in parts}  # of an option given twice, the last one counts
    others = [name for name in parameters if flag(name) not in wrong]
    names = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
    parts += [right for name in names if (right := right_option(name, parameters[name]))]
    parts = draw(st.permutations(parts))
    if "dataset" in parameters and not any(part[0] == "--dataset" for part in parts):
        parts.insert(0, ["--dataset", pictures])  # no lesson shall draw Sketch10 before it says what is wrong
    words = [word for part in parts for word in part]
    if draw(st.integers(0, 9)) == 0:
        words.append(draw(st.sampled_from(["--seed", "word", "--help=5"])))  # no value, or no option
    return words


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def right_option(name: str, parameter: inspect.Parameter) -> list[str]:
    """A right value; none where it is not just a number or a switch."""
    kinds = {parameter.annotation, *get_args(parameter.annotation)}
    if bool in kinds:
        return [flag(name)] if name != "resume" else []
    return [flag(name), "1"] if kinds & {int, float} else []


@st.composite
def wrong_option(draw: st.DrawFn, parameters: dict[str, inspect.Parameter]) -> list[str]:
    names = [name for name in parameters if not {bool, bool | None} & {parameters[name].annotation}]
    name = draw(st.sampled_from([*names, ""])) if names else ""
    if not name:
        return [draw(st.sampled_from(UNKNOWN))]
    kinds = {parameters[name].annotation, *get_args(parameters[name].annotation)}
    if kinds & {int, float}:
        setting = SETTINGS[name]
        limits = [setting.min - 1, setting.above, setting.max + 1]
        values = [*NO_NUMBERS, *(str(limit) for limit in limits)]
        if int in kinds:
            values += ["0.5", "1e3"]
        if setting.max == float("inf"):
            values.remove(str(2**70))
        value = draw(st.sampled_from(values) | st.floats(max_value=setting.min - 0.5).map(str))
    else:
        value = draw(st.sampled_from(WRONG[name]))
    return [f"{flag(name)}={value}"] if draw(st.booleans()) else [flag(name), value]


def commands() -> Iterator[tuple[list[str], Any]]:
    """The words for each command, also within ``lessons practice``, and what typer makes of it."""
    waiting: list[tuple[list[str], Any]] = [([], get_command(cli.app))]
    while waiting:
        words, command = waiting.pop()
        yield words, command
        waiting += [([*words, name], inner) for name, inner in getattr(command, "commands", {}).items()]


@st.composite
def wrong_command(draw: st.DrawFn) -> list[str]:
    """A command with an argument that it does not know, or an option that it does not have."""
    words, command = draw(st.sampled_from(list(commands())))
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    unknown = ["", "99", "p99", "3-1", "5-99", "1,99", "9.9", "none", "../etc", "nul\0", "五", "-1", "a b"]
    if not arguments or draw(st.booleans()):
        values = {"port": ("-1", "65536", "nan", "http", str(2**70), ""), "lang": ("fr", "EN", "e n")}
        named = [one for one in options if one.name in values]
        if named and draw(st.booleans()):
            option = draw(st.sampled_from(named))
            return [*words, option.opts[0], draw(st.sampled_from(values[option.name]))]
        return [
            *words,
            draw(st.sampled_from([*UNKNOWN, *(f"{one.opts[0]}=x=y" for one in options if one.is_flag)])),
        ]
    if "" in unknown and not arguments[0].required:
        unknown.remove("")  # as good as none
    return [*words, draw(st.sampled_from(unknown))]
