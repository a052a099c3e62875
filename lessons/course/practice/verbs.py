"""``lessons practice`` and what can be typed behind it, a few lines each."""

import importlib.util
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from lessons.course import CourseError
from lessons.course.catalogue import find_lessons
from lessons.course.practice.desk import (
    Line,
    file_of,
    forget,
    put_aside,
    read_progress,
    update,
    whole_progress,
)
from lessons.course.practice.shelf import Entry, code_of, find_exercise, find_exercises, short_title, text
from lessons.course.screen import NUMBER, Column, console, show_table
from lessons.course.words import say

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
Which = Annotated[
    str, typer.Argument(help="2.1, a name such as output_size, or a lesson's number; else the next")
]


@app.callback(invoke_without_command=True)
def where_you_are(ctx: typer.Context) -> None:
    """Exercises for lessons 1 to 10. Without a command: what is done, and what comes next."""
    progress = whole_progress()
    if ctx.invoked_subcommand is not None:
        return
    from lessons.course.practice.report import next_open

    lessons = find_lessons()
    rows: dict[int, list[str]] = {}
    done: dict[int, int] = {}
    for entry in find_exercises():
        line = progress.get(entry.key, Line())
        seen = f" ({say('practice gave up')})" if line.gave_up else ""
        rows.setdefault(entry.lesson, []).append(("✓ " if line.passed else "· ") + entry.name + seen)
        done[entry.lesson] = done.get(entry.lesson, 0) + bool(line.passed)
    show_table(
        [
            NUMBER,
            Column(say("lesson"), 14),
            Column(say("practice exercises")),
            Column(say("practice done"), 5),
        ],
        [
            (str(n), lessons[n].short_name, "  ".join(names), f"{done[n]}/{len(names)}")
            for n, names in rows.items()
        ],
    )
    typer.echo()
    following = next_open()
    if following is None:
        typer.echo(say("practice all done"))
        return
    typer.echo(say("practice next", short_title(following)))
    typer.echo(say("practice file", ready(following)))
    typer.echo(say("practice then", following.label))


@app.command()
def watch(which: Which = "") -> None:
    """Check an exercise each time its file is saved."""
    from lessons.course.practice.watch import watch_file

    watch_file(chosen(which))


@app.command()
def check(
    which: Which = "",
    new: bool = typer.Option(False, "--new", help="a predict: ask with new numbers"),
) -> int:
    """Check an exercise once."""
    entry = chosen(which)
    if new:
        return ask_anew(entry)
    return int(checked(entry)["status"] != "passed")


@app.command()
def hint(which: Which = "") -> None:
    """One more hint at each call."""
    entry = chosen(which)
    require_extra()
    from lessons.course.practice.report import show_hints

    show_hints(entry, [text(words) for words in entry.load().hints])


@app.command()
def solution(
    which: Which = "",
    give_up: bool = typer.Option(False, "--give-up", help="show it before passing; kept in the progress"),
) -> None:
    """A solution beside your code, after passing."""
    entry = chosen(which)
    require_extra()
    line = read_progress().get(entry.key, Line())
    if not (line.passed or line.gave_up or give_up):
        raise CourseError(say("practice not passed"))
    if not (line.passed or line.gave_up):
        update(entry, gave_up=f"{date.today()}")
    from lessons.course.practice import report
    from lessons.course.practice.questions import filled_texts

    exercise = entry.load()
    if entry.kind == "Predict":  # an example, with new numbers
        console.print("\n\n".join(filled_texts(exercise)))  # type: ignore[arg-type]
    else:
        report.show_solution(entry, code_of(exercise, exercise.solution))  # type: ignore[arg-type, attr-defined]


@app.command()
def reset(
    which: Annotated[str, typer.Argument(help="2.1, a name, or all")],
    yes: bool = typer.Option(False, "--yes", help="do not ask"),
) -> None:
    """Begin anew; the old file stays beside the new one."""
    entries = find_exercises() if which == "all" else [chosen(which)]
    for entry in entries:
        begun = file_of(entry).exists() or entry.key in read_progress()
        if begun and (yes or typer.confirm(say("practice reset?", short_title(entry)))):
            begin_anew(entry)


@app.command()
def lint(which: Annotated[str, typer.Argument(help="2.1, a name, or all")] = "all") -> int:
    """Hold exercises to their form (for those who write them)."""
    require_extra()
    from lessons.course.practice.lint import lint_exercises

    return lint_exercises(find_exercises() if which == "all" else [chosen(which)])


# --- What the commands and the watch share


def require_extra() -> None:
    """Raises:
    CourseError: where the extra ``practice`` is not installed; says how to get it.
    """
    if importlib.util.find_spec("hypothesis") is None:
        raise CourseError('practice wants the package hypothesis: pip install -e ".[practice]" brings it')


def chosen(which: str) -> Entry:
    """The exercise that a word names; without one, the next that is open.

    Raises:
        CourseError: for a word that names none.
    """
    from lessons.course.practice.report import next_open

    entries = find_exercises()
    if not which:
        return next_open() or entries[-1]
    if which.isdecimal():
        of_lesson = [entry for entry in entries if entry.lesson == int(which)]
        progress = read_progress()
        still_open = [entry for entry in of_lesson if not progress.get(entry.key, Line()).passed]
        found = next(iter(still_open or of_lesson), None)
    else:
        found = find_exercise(which, entries)
    if found is None:
        known = ", ".join(f"{entry.label} {entry.name}" for entry in entries)
        raise CourseError(f"there is no exercise {which!r}; there are {known}")
    return found


def ready(entry: Entry) -> Path:
    """The learner's file, which is there afterwards."""
    from lessons.course.practice.sheet import ensure_file

    if not file_of(entry).exists():
        require_extra()
    ensure_file(entry, file_of(entry))
    return file_of(entry)


def checked(entry: Entry, watching: bool = False) -> dict[str, Any]:
    """Check the learner's file, write the progress, show what was found; returns the verdict."""
    require_extra()
    from lessons.course.practice import checker, report, sheet

    if watching:
        console.clear()
        console.print(say("practice checking", short_title(entry)), style="dim")
    verdict = checker.check(entry, file_of(entry))
    if watching:
        console.clear()
    status = report.settle(entry, verdict)
    if status == "passed" and "solution" in verdict:  # above, so that what was learned stays in sight
        report.show_solution(entry, verdict["solution"])
    report.show(entry, verdict, status)
    if status == "again":
        sheet.append_question(entry, verdict["question_block"])
    report.show_next_step(entry, verdict, status, watching)
    return verdict | {"status": status}


def ask_anew(entry: Entry) -> int:
    """Append a question with new numbers.

    Raises:
        CourseError: for an exercise that has no numbers.
    """
    if entry.kind != "Predict":
        raise CourseError(f"{entry.label} has no numbers to draw: lessons practice reset {entry.label}")
    require_extra()
    from lessons.course.practice.sheet import append_question, question_block

    ready(entry)
    append_question(entry, question_block(entry.load()))  # type: ignore[arg-type]
    typer.echo(say("practice new", file_of(entry)))
    return 0


def begin_anew(entry: Entry) -> None:
    """A new file, with the old one beside it; the progress of this exercise is forgotten."""
    old = put_aside(entry)
    forget(entry)
    ready(entry)
    typer.echo(say("practice new file", file_of(entry)) + (say("practice old file", old.name) if old else ""))
