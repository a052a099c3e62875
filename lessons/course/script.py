"""A script of the learner's own, run as it is; a shape that stops it is explained.

Like the command itself, this imports no torch: the script runs as it would under ``python``.
"""

import runpy
import sys
from pathlib import Path
from types import TracebackType

import typer

from lessons.course import CourseError
from lessons.course.words import say


def run_script(script: Path, arguments: list[str], show_traceback: bool) -> int:
    """Run a script as ``python script.py arguments`` does, and return its exit code.

    Raises:
        CourseError: when there is no such script.
        SystemExit: when the script ends itself.
    """
    if not script.is_file():
        raise CourseError(f"there is no script {script}: name a file, as in lessons why my_script.py")
    sys.argv = [str(script), *arguments]
    sys.path[0] = str(script.resolve().parent)
    try:
        runpy.run_path(str(script.resolve()), run_name="__main__")
    except Exception as error:
        again = f"lessons why --traceback {' '.join(sys.argv)}"
        explained = show_explanation(error, "" if show_traceback else again)
        if show_traceback or not explained:
            error.__traceback__ = _of_the_script(error.__traceback__)
            sys.excepthook(type(error), error, error.__traceback__)
        return 1
    return 0


def show_explanation(error: Exception, again: str) -> bool:
    """Print the explanation of a shape error on stderr; whether there is one.

    Args:
        again: how to see the whole traceback, for the last line; empty when it follows anyway.
    """
    if "torch" not in sys.modules:
        return False
    from lessons.course.shapes import explain_error

    report = explain_error(error)
    if report is None:
        return False
    typer.echo(f"\n{report}\n", err=True)
    if again:
        typer.echo(say("whole traceback", again), err=True)
    return True


def _of_the_script(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of what runs the script."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
        traceback = traceback.tb_next
    return traceback
