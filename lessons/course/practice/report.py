"""What a check has found, on the terminal and in the progress."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from rich.columns import Columns
from rich.panel import Panel
from rich.syntax import Syntax
from rich.text import Text

from lessons.course.practice.desk import Line, file_of, read_progress, update
from lessons.course.practice.shelf import Entry, find_exercises, short_title
from lessons.course.screen import console
from lessons.course.words import say

COLOURS = {"passed": "green", "again": "green", "open": "yellow", "wrong": "red", "stopped": "red"}


def settle(entry: Entry, verdict: dict[str, Any]) -> str:
    """Write a verdict into the progress; returns the status that it leads to.

    That is the verdict's own, but for a Predict whose question was answered wrong before: ``again``.
    """
    status = verdict["status"]
    line = read_progress().get(entry.key)
    tries = (line.tries if line else 0) + (status != "open")
    if status == "passed" and line and verdict["question"] and verdict["question"] == line.missed:
        status = "again"
    if status == "passed":
        update(entry, tries=tries, passed=(line and line.passed) or f"{date.today()}")
    elif status == "wrong" and verdict["question"]:
        update(entry, tries=tries, missed=verdict["question"])
    else:
        update(entry, tries=tries)
    return status


def show(entry: Entry, verdict: dict[str, Any], status: str) -> None:
    """Print a verdict: what the code does, what it means, what was seen, what to do next."""
    head = Text(f"{short_title(entry)}   ")
    head.append(say(f"practice {status}"), f"bold {COLOURS[status]}")
    head.append(f"   {verdict['seconds']:.2f} {say('seconds')}", "dim")
    console.print(head)
    for part, style in (("picture", ""), ("says", "bold"), ("seen", ""), ("printed", "dim")):
        if words := verdict.get(part):
            console.print()
            if part == "printed":
                console.print(say("practice your output"), style=style)
            console.print(words.rstrip(), style=style)
    console.print()


def show_next_step(entry: Entry, verdict: dict[str, Any], status: str, watching: bool) -> None:
    """After a check: the next exercise, or where a hint is: behind a key for one who watches."""
    if status == "passed":
        if following := next_open(after=entry):
            way = say("practice key", "n") if watching else f"lessons practice watch {following.label}"
            console.print(say("practice next exercise", short_title(following), way))
        else:
            console.print(say("practice all done"))
    elif status == "again":
        console.print(say("practice once more") + "\n\n" + verdict["question_block"].rstrip())
    elif hints := len(verdict["hints"]):
        way = say("practice key", "h") if watching else f"lessons practice hint {entry.label}"
        console.print(say("practice hints left", way, read_progress()[entry.key].hints, hints))


def show_hints(entry: Entry, hints: Sequence[str], watching: bool = False) -> None:
    """Show one more hint, after those so far; for one who watches, these are on the screen already."""
    if not hints:
        return  # the check was ended before it had come to them
    line = update(entry, hints=min(read_progress().get(entry.key, Line()).hints + 1, len(hints)))
    for number, words in enumerate(hints[: line.hints], start=1):
        if number == line.hints or not watching:
            console.print(say("practice hint", number, len(hints), words))
    if line.hints == len(hints):
        console.print(say("practice last hint"))


def show_solution(entry: Entry, solution: str) -> None:
    """A solution beside the learner's code; alone where the terminal is too narrow for both."""
    panels = [(say("practice a solution"), solution.strip())]
    if file_of(entry).is_file():
        yours = without_task(file_of(entry).read_text("utf-8", "replace")).strip()
        widest = max(len(line) for line in [*yours.splitlines(), *solution.splitlines()])
        if 2 * (widest + 6) <= console.width:
            panels.insert(0, (say("practice your code"), yours))
    shown = [
        Panel(Syntax(code, "python", background_color="default", word_wrap=True), title=title)
        for title, code in panels
    ]
    console.print(Columns(shown, equal=True) if len(shown) > 1 else shown[0])


def without_task(code: str) -> str:
    """A file without the comments at its top."""
    lines = code.splitlines()
    while lines and (lines[0].startswith("#") or not lines[0].strip()):
        lines.pop(0)
    return "\n".join(lines) + "\n"


def next_open(after: Entry | None = None) -> Entry | None:
    """The first exercise that is not passed; behind a given one, where there is such."""
    progress = read_progress()
    entries = [
        entry for entry in find_exercises() if not (line := progress.get(entry.key)) or not line.passed
    ]
    later = [
        entry for entry in entries if after and (entry.lesson, entry.number) > (after.lesson, after.number)
    ]
    return next(iter(later or entries), None)
