"""Lessons run one after another in one process, and a line for each at the end says where to look."""

import functools
import importlib
import inspect
import os
import time
import traceback
from collections.abc import Callable
from typing import Any

import typer
from rich.text import Text

from lessons.course import CourseError
from lessons.course.catalogue import Lesson, filled_tabs, last_run, words_for
from lessons.course.interrupt import at_once
from lessons.course.memory import keep_freed_memory
from lessons.course.options import UsageError, after_ctrl_c, complain, parse_options
from lessons.course.screen import NUMBER, Column, as_one_line, as_typed, console, show_table
from lessons.course.script import show_explanation
from lessons.course.words import say


def run_lessons(chosen: list[Lesson], options: list[str]) -> int:
    """Run the lessons with these words as options; one that fails does not keep the others from running.

    Returns the exit code: 0, 1 when a lesson failed, 2 for wrong input to a lesson alone.

    Raises:
        CourseError, UsageError: for a wrong option, before anything runs.
        Abort: after Ctrl-C, with a sentence on how to go on; from typer, which takes KeyboardInterrupt away.
    """
    for lesson in chosen if options else []:
        try:
            if prepare(lesson, options, len(chosen)) is None:  # --help
                return 0
        except (CourseError, UsageError):
            raise
        except Exception:  # a lesson that cannot be imported fails when its turn comes
            continue

    keep_freed_memory()
    rows = []
    start = time.perf_counter()
    try:
        for lesson in chosen:
            console.rule(f"{lesson.number}. {lesson.title}")
            before, status = time.perf_counter(), "interrupted"
            try:
                status = run_one(lesson, options, len(chosen))
            finally:
                rows.append((lesson, status, time.perf_counter() - before))
    except KeyboardInterrupt as stop:
        raise typer.Abort(str(stop) or after_ctrl_c_in(chosen, rows, options)) from stop
    finally:
        show_runs(rows, time.perf_counter() - start)
    failures = [status for _, status, _ in rows if status != "ok"]
    if failures == ["wrong input"] and len(chosen) == 1:
        return 2
    return 1 if failures else 0


def after_ctrl_c_in(chosen: list[Lesson], rows: list[tuple[Lesson, str, float]], options: list[str]) -> str:
    """What the learner can do after Ctrl-C: of several lessons, run those that are left."""
    if len(chosen) == 1:
        return after_ctrl_c(importlib.import_module(f"lessons.{chosen[0].name}").main)
    left = chosen[sum(status != "interrupted" for _, status, _ in rows) :]
    command = as_typed(["lessons", "run", words_for(left) or "all", *options])
    return f"{command} goes on with lesson {left[0].number}"


def run_one(lesson: Lesson, options: list[str], lessons_chosen: int) -> str:
    """Run a lesson and say how it ended: ``ok``, ``wrong input`` or ``failed``."""
    try:
        if work := prepare(lesson, options, lessons_chosen):
            work()
    except BrokenPipeError:  # nobody reads any more: no lesson is at fault
        raise
    except (Exception, SystemExit) as error:
        if complain(error):
            return "wrong input"
        again = f"lessons why --traceback {os.path.relpath(lesson.path)}"  # the learner's own change
        if not (isinstance(error, Exception) and show_explanation(error, again)):
            traceback.print_exc()
        return "failed"
    return "ok"


def prepare(lesson: Lesson, options: list[str], lessons_chosen: int) -> Callable[[], Any] | None:
    """A lesson's ``main`` with its arguments, ready to be called; None after ``--help``."""
    with at_once():
        main = importlib.import_module(f"lessons.{lesson.name}").main
    if lessons_chosen > 1:
        options = shared_options(main, options)
    arguments = parse_options(main, options, lesson.name)
    return None if arguments is None else functools.partial(main, **arguments)


def shared_options(main: Callable[..., Any], options: list[str]) -> list[str]:
    """What one of several lessons takes of the options that all share: ``--dataset`` and ``--seed``.

    Raises:
        CourseError: for another option.
    """
    known = inspect.signature(main).parameters
    passed = []
    words = iter(options)
    for word in words:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            raise CourseError(
                f"{word!r} comes too late: lessons first, then options, as in lessons run 5 --seed 3"
            )
        if name not in ("--dataset", "--seed"):
            raise CourseError(
                f"{word!r} is an option of single lessons: name one, as in lessons run 5 {word}"
            )
        given = value if equals else next(words, None)
        if given is None:
            raise CourseError(f"{name} wants a value")
        if name[2:] in known:
            passed += [name, given]
    return passed


def show_runs(rows: list[tuple[Lesson, str, float]], seconds: float) -> None:
    """The table at the end of a run: what each lesson took, how it ended, and which tabs to look at."""
    ran = [lesson for lesson, status, _ in rows if status == "ok"]
    if not ran:
        return
    lines = []
    for lesson, status, took in rows:
        card = last_run(lesson)[1] if status == "ok" else {"status": status}
        tabs = ", ".join(filled_tabs(lesson, card))
        lines.append((str(lesson.number), lesson.short_name, f"{took:.1f}", how_it_ended(card), tabs))
    typer.echo()
    show_table(
        [
            NUMBER,
            Column(say("lesson"), 14),
            Column(say("seconds"), 7, "right"),
            Column(say("result")),
            Column(say("tabs"), 30),
        ],
        lines,
    )
    typer.echo(say("in all", seconds, f"lessons board {words_for([lesson for lesson, *_ in rows])}".rstrip()))
    if len(rows) > 1:
        typer.echo(say("one alone", ran[-1].number))


def how_it_ended(card: dict[str, Any]) -> Text:
    """The result of a run, or a word where it has none."""
    status = card.get("status", "ok")
    if status == "ok" and card.get("result"):
        return Text(as_one_line(str(card["result"])))
    return Text(say(status), {"ok": "green", "running": "yellow"}.get(status, "red"))
