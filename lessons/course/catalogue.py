"""Which lessons there are, what they say of themselves, and how their last run ended.

Lessons are found by their file names and described by their docstrings, which are read and not imported: the
table of lessons must answer at once, and torch alone takes seconds.
"""

import ast
import json
import re
import zlib
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from lessons.course import CourseError, newest_files
from lessons.course.disk import is_locked
from lessons.course.notes import language, title_and_see

LESSONS_DIR = Path(__file__).resolve().parents[1]  # the package that holds the lessons

LOCK = ".running"  # in a run folder; held by the process that writes there
# TensorBoard's tab for each kind of entry, by the plugin name in an event or the accumulator's own kind.
TABS = {
    "scalars": "SCALARS",
    "images": "IMAGES",
    "graph": "GRAPHS",
    "histograms": "HISTOGRAMS",
    "text": "TEXT",
    "pr_curves": "PR CURVES",
    "projector": "PROJECTOR",
    "hparams": "HPARAMS",
}


class Lesson(NamedTuple):
    """A lesson's file, and what its docstring says."""

    number: int
    path: Path
    title: str
    sees: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def short_name(self) -> str:
        return self.name.partition("_")[2]


def find_lessons() -> dict[int, Lesson]:
    """The lessons by number, in order. Reads their docstrings without importing them."""
    lessons = {}
    for path in sorted(LESSONS_DIR.glob("p[0-9][0-9]_*.py")):
        number = int(path.stem[1:3])
        try:
            doc = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        except (SyntaxError, ValueError) as error:  # a lesson that the learner is just changing
            doc = f"{path.stem}\n\nYou will see: this file is no Python at the moment ({error})"
        title = doc.partition("\n")[0]
        found = re.search(r"^You will see:\s*(.*?)(\n\s*\n|\Z)", doc, re.DOTALL | re.MULTILINE)
        sees = " ".join(found[1].split()) if found else ""
        if language() != "en":  # the page has them in the reader's language, the docstring in English
            title, sees = title_and_see(path.stem) or (title, sees)
        lessons[number] = Lesson(number, path, title.removeprefix(f"{number}. "), sees)
    return lessons


def last_run(lesson: Lesson) -> tuple[Path | None, dict[str, Any]]:
    """The newest run folder of a lesson and its card; (None, {}) before the first run.

    A run that says ``running`` and has no process any more was killed: it counts as interrupted.
    """
    for path in newest_files(f"logs/{lesson.name}/*/run.json"):
        try:
            card = read_card(path)
        except (OSError, ValueError):
            return path.parent, {
                "status": "damaged",
                "started": f"{datetime.fromtimestamp(path.stat().st_mtime)}",
            }
        if card.get("status") == "running" and not is_locked(path.with_name(LOCK)):
            card["status"] = "interrupted"
        return path.parent, card
    return None, {}


def read_card(path: Path) -> dict[str, Any]:
    """What a ``run.json`` holds; ValueError when it is not what was written."""
    card = json.loads(path.read_text("utf-8"))
    if not isinstance(card, dict):
        raise ValueError(f"{path} holds no card")
    written = card.pop("checksum", None)
    if written not in (None, checksum(card)):
        raise ValueError(f"{path} has changed since it was written")
    return card


def checksum(card: dict[str, Any]) -> int:
    """What a card says of itself, so that a flipped bit is noticed."""
    return zlib.crc32(json.dumps(card, sort_keys=True).encode())


def named_tabs(lesson: Lesson) -> list[str]:
    """TensorBoard's tabs that the lesson speaks of, such as ``["IMAGES", "PR CURVES"]``, as it has them."""
    return sorted((tab for tab in TABS.values() if tab in lesson.sees), key=lesson.sees.index)


def filled_tabs(lesson: Lesson, card: dict[str, Any]) -> list[str]:
    """The tabs that a run has filled, those that the lesson speaks of first; empty without a card.

    Each run fills TEXT, with its note and its card: where the lesson does not speak of it and something else
    is there, it is left out.
    """
    filled = [line.split("  ")[0] for line in card.get("look_at", [])]
    named = [tab for tab in named_tabs(lesson) if tab in filled]
    return named + [tab for tab in filled if tab not in (*named, "TEXT")] or filled


def words_for(chosen: list[Lesson]) -> str:
    """What ``select_lessons`` reads as these lessons: ``5``, ``3-5`` or ``1,5``; nothing where it is all."""
    numbers, known = [lesson.number for lesson in chosen], list(find_lessons())
    if numbers == known:
        return ""
    first, last = numbers[0], numbers[-1]
    if first < last and numbers == [number for number in known if first <= number <= last]:
        return f"{first}-{last}"
    return ",".join(map(str, numbers))


def select_lessons(words: list[str], lessons: dict[int, Lesson]) -> list[Lesson]:
    """The lessons that the words name, in the order of the course.

    A word is ``all``, a number (``5``, ``p05``), a range (``3-5``), a name (``p05_loss_optim``, also with
    folder and ``.py``), or several of these with commas between them.

    Raises:
        CourseError: for a word that names no lesson.
    """
    by_name = {lesson.name: number for number, lesson in lessons.items()}
    chosen: set[int] = set()
    for word in re.findall("[^,]+", ",".join(words)) or ["all"]:
        numbers = re.fullmatch(r"p?([0-9]+)(?:-p?([0-9]+))?", word)
        if word == "all":
            named = set(lessons)
        elif numbers:
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            both_exist = {first, last} <= lessons.keys()  # asked first: 1-999999999 is a slip, not a set
            named = {number for number in lessons if both_exist and first <= number <= last}
        else:
            named = {by_name.get(Path(word).stem, -1)}
        if not named or not named <= lessons.keys():
            known = ", ".join(lesson.name for lesson in lessons.values())
            raise CourseError(f"there is no lesson {word!r}; there are {known}")
        chosen |= named
    return [lessons[number] for number in sorted(chosen)]
