"""A lesson's ``main`` as a command line: its parameters are the options, and its errors are exit codes.

Name and default of an option stand in the signature of ``main``; what it means, and the limits of a number,
stand here, once for all lessons. The ``lessons`` command imports this, so it must stay cheap: no torch.
"""

import functools
import inspect
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import typer

from lessons.course import CourseError, newest_files
from lessons.course.disk import refused, said_once
from lessons.course.interrupt import INTERRUPTED
from lessons.course.memory import keep_freed_memory
from lessons.course.screen import as_one_line, coloured, nobody_reads, take_any_character

# What typer raises for a wrong word on the command line. It has no public name in typer; it had one in click.
UsageError: Any = typer.BadParameter.__base__


class Setting(NamedTuple):
    """What an option means and, for a number, where its limits lie."""

    meaning: str
    min: float = -math.inf
    above: float = -math.inf  # instead of min, for what may come as near to it as it likes
    max: float = math.inf

    @property
    def limits(self) -> str:
        """The limits in words; empty where there are none."""
        if self.above > -math.inf:
            return f"above {self.above} and " + (f"at most {self.max}" if self.max < math.inf else "finite")
        if self.min > -math.inf:
            return f"from {self.min} to {self.max}" if self.max < math.inf else f"at least {self.min}"
        return ""

    @property
    def help(self) -> str:
        return f"{self.meaning} ({self.limits})" if self.limits else self.meaning

    def allows(self, value: float) -> bool:
        """Whether a number is finite and within the limits. ``nan`` is not: no comparison with it is true."""
        return self.min <= value <= self.max and self.above < value < math.inf


# By parameter name. The largest numbers: NumPy takes no larger seed, a batch of so many pictures fills 3 GB,
# in lesson 14 up to 7 GB, 64 processes fill 20 GB, and PyTorch counts a timeout's nanoseconds in 64 bits.
SETTINGS = {
    "dataset": Setting("sketch10, cifar10, or a folder with train/<class>/* and test/<class>/*"),
    "seed": Setting(
        "fixes all random numbers: the same seed, the same result on this machine", min=0, max=2**32 - 1
    ),
    "epochs": Setting("how often the network sees every training picture", min=1),
    "steps": Setting("how many batches it works through", min=1),
    "batch_size": Setting("pictures in a batch", min=1, max=4096),
    "learning_rate": Setting("how far the optimizer moves the weights at each step", above=0),
    "num_workers": Setting("processes that prepare batches; 0 does it in this one", min=0, max=64),
    "pictures_per_class": Setting("training pictures of each class", min=1),
    "recipe": Setting("fast, or notes: plain SGD as in lesson 5"),
    "without": Setting("leave an ingredient of the recipe out, such as mirror; give it again for more"),
    "patience": Setting("stop early after so many epochs without a better validation accuracy", min=1),
    "resume": Setting(
        "go on with the newest run; in lessons 9 and 14 the newest interrupted one, as it was set"
    ),
    "processes": Setting("how many processes train together; under torchrun, it decides", min=1, max=64),
    "max_restarts": Setting("how often all processes are started anew after one has failed", min=0),
    "timeout": Setting("seconds to wait for another process before giving up", above=0, max=10**9),
    "compile": Setting("also measure torch.compile; by default on an accelerator alone"),
    "checkpoint": Setting(
        "a .pth file of lesson 8 or a bare state_dict; by default lesson 8's newest best.pth"
    ),
    "unsafe_pickle": Setting(
        "open a whole pickled model, which may run any code: for files of your own alone"
    ),
    "device": Setting("cpu, cuda, mps, ...; chosen by itself when not given"),
    "width": Setting("small, medium or full: train the top rung alone, with so many channels"),
    "image": Setting("a picture of your own; give it again for more"),
}


def command_line(main: Callable[..., Any]) -> None:
    """Run a lesson's ``main`` as a command; its parameters are the options. Ends the process.

    In a notebook, where there is no command line, it says what to do instead.
    """
    if "__file__" not in main.__globals__:
        print("A notebook has no command line. Import the lesson and call it, with options as arguments:")
        print("    from lessons.p05_loss_optim import main")
        print("    main(epochs=3)")
        return

    def run() -> None:
        options = parse_options(main)
        if options is not None:
            keep_freed_memory()
            try:
                main(**options)
            except KeyboardInterrupt as stop:
                raise KeyboardInterrupt(str(stop) or after_ctrl_c(main)) from stop

    sys.exit(exit_code(run))


def exit_code(work: Callable[[], int | None]) -> int:
    """Do the work and return the exit code; what a learner can cause becomes one line, not a traceback."""
    take_any_character()
    how_to_go_on: tuple[object, ...] = ()
    try:
        with said_once():
            code = work() or 0
            sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort) as stop:
        code, how_to_go_on = INTERRUPTED, stop.args
    except Exception as error:
        if isinstance(error, BrokenPipeError) and nobody_reads():
            return 1
        if not complain(error):
            raise
        return 2
    if code == INTERRUPTED:
        typer.echo(": ".join(["Stopped", *map(str, how_to_go_on)]) + ".", err=True)
    return code


def after_ctrl_c(main: Callable[..., Any]) -> str:
    """What the learner can do after Ctrl-C in a lesson; where it can go on, it has saved a ``last.pth``."""
    lesson = Path(inspect.getfile(main)).stem
    run = next((path.parent.name for path in newest_files(f"logs/{lesson}/*/run.json")), "")
    if "resume" in inspect.signature(main).parameters and newest_files(
        f"models_saved/{lesson}/{run}/last.pth"
    ):
        return "the same command with --resume goes on from the last checkpoint"
    return "the same command begins anew"


def complain(error: BaseException) -> bool:
    """One red line on stderr for what a learner can cause; False, and nothing, for any other error."""
    if isinstance(error, UsageError):
        message = error.format_message()
    elif isinstance(error, Warning):  # of a package that the course uses: Python was asked to raise it
        warning = " ".join(f"{type(error).__name__}: {error}".split())
        message = f"a warning that -W error or PYTHONWARNINGS makes an error: leave that out ({warning})"
    else:
        message = str(error) if isinstance(error, CourseError) else refused(error)
    if message is not None:
        lines = map(as_one_line, message.split("\n"))  # it may name a file, which may have any name
        typer.echo(coloured("Error: " + "\n".join(lines), "red"), err=True)
    return message is not None


def parse_options(
    main: Callable[..., Any], args: list[str] | None = None, prog_name: str | None = None
) -> dict[str, Any] | None:
    """The arguments for ``main`` from a command line, by default this process's; None after ``--help``.

    Parsed apart from the call, so that nothing runs when a later word is wrong, and so that what ``main``
    raises is not taken for the parser's.

    Raises:
        CourseError: for a number outside its limits. Typer has limits too, but its sentence leaves the number
            out, and it lets ``inf`` pass.
        UsageError: for a word that the parser does not know, or that is no number where one is wanted.
    """

    @functools.wraps(main)
    def options(**given: Any) -> dict[str, Any]:
        return given

    signature = inspect.signature(main)
    options.__signature__ = signature.replace(  # type: ignore[attr-defined]  # functions have it unasked
        parameters=[
            parameter.replace(default=typer.Option(parameter.default, help=SETTINGS[name].help))
            if name in SETTINGS
            else parameter
            for name, parameter in signature.parameters.items()
        ]
    )
    doc = inspect.getdoc(inspect.getmodule(main)) or ""
    command = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    # "\b" alone on a line keeps typer from joining the lines of an indented paragraph, such as an example.
    command.command(help=re.sub(r"\n\n(?=\s)", "\n\n\b\n", doc))(options)
    given = command(args, prog_name=prog_name, standalone_mode=False)
    if not isinstance(given, dict):
        return None
    for name, value in given.items():
        setting = SETTINGS.get(name)
        if setting and isinstance(value, int | float) and not setting.allows(value):
            raise CourseError(f"--{name.replace('_', '-')} is {value}: it must be {setting.limits}")
    return given


def refuse_other_settings(main: Callable[..., Any], given: dict[str, Any], kept: dict[str, Any]) -> None:
    """Refuse an option that would change a run that goes on; what is at its default counts as not given.

    Raises:
        CourseError: which option to leave out.
    """
    for name, parameter in inspect.signature(main).parameters.items():
        if name in given and given[name] not in (parameter.default, kept[name]):
            raise CourseError(
                f"a run that goes on keeps its settings: leave out --{name.replace('_', '-')}, "
                "or start a new run without --resume"
            )
