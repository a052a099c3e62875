"""Which exercises there are, in which order, and what they are called, without running their files."""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from lessons.course import CourseError
from lessons.course.words import either

if TYPE_CHECKING:
    from lessons.practice import Code, Coded, Exercise, Text

EXERCISES = Path(__file__).resolve().parents[2] / "practice"
KINDS = ("Predict", "Write", "Mend")  # in the order in which a lesson asks them


class Entry(NamedTuple):
    """An exercise on the shelf."""

    lesson: int
    number: int  # within the lesson, from 1
    kind: str
    title: "Text"
    path: Path

    @property
    def label(self) -> str:
        """As it is named on the command line: ``2.1``."""
        return f"{self.lesson}.{self.number}"

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def key(self) -> str:
        """As progress and folders have it: ``p02_conv2d/output_size``."""
        return f"{self.path.parent.name}/{self.path.stem}"

    def module(self) -> ModuleType:
        """The file as a module; imports torch."""
        return importlib.import_module(f"lessons.practice.{self.path.parent.name}.{self.path.stem}")

    def load(self) -> "Exercise":
        """The exercise itself; imports torch."""
        return self.module().exercise


def exercise_files() -> list[Path]:
    """The files of all exercises; reads none of them."""
    return sorted(EXERCISES.glob("p[0-9][0-9]_*/*.py"))


def find_exercises() -> list[Entry]:
    """All exercises in the order of the course."""
    found: dict[int, list[tuple]] = {}
    for path in exercise_files():
        kind, title = kind_and_title(path)
        found.setdefault(int(path.parent.name[1:3]), []).append((KINDS.index(kind), path.stem, title, path))
    return [
        Entry(lesson, number, KINDS[kind], title, path)
        for lesson in sorted(found)
        for number, (kind, _, title, path) in enumerate(sorted(found[lesson]), start=1)
    ]


def kind_and_title(path: Path) -> tuple[str, "Text"]:
    """What the file's ``exercise = Kind(title=(...), ...)`` says.

    Raises:
        CourseError: for a file without such a line.
    """
    for node in ast.parse(path.read_bytes()).body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id="exercise")], value=ast.Call(func=ast.Name(id=kind), keywords=words)
            ) if kind in KINDS:
                for word in words:
                    if word.arg == "title":
                        return kind, ast.literal_eval(word.value)
    raise CourseError(
        f"{path} has no line exercise = Predict(...), Write(...) or Mend(...) with a literal title"
    )


def find_exercise(word: str, entries: list[Entry]) -> Entry | None:
    """The exercise that a word names: ``2.1``, ``output_size``, or a path that ends so; else None."""
    stem = Path(word).stem
    matches = [entry for entry in entries if word == entry.label or stem == entry.name or word == entry.key]
    by_key = [entry for entry in matches if f"/{entry.key}" in f"/{word.removesuffix('.py')}"]
    return next(iter(by_key or matches), None)


def text(pair: "Text") -> str:
    """The half of a pair that is in the reader's language, without the source's indentation."""
    return inspect.cleandoc(either(*pair))


def code_of(exercise: "Coded", code: "Code") -> str:
    """A whole file: changes applied to the solution, indentation taken away.

    Raises:
        ValueError: for a change of something that does not stand in the solution.
    """
    if not isinstance(code, Mapping):
        return textwrap.dedent(code).strip() + "\n"
    whole = code_of(exercise, exercise.solution)
    for old, new in code.items():
        if old not in whole:
            raise ValueError(f"{old!r} does not stand in the solution")
        whole = whole.replace(old, new)
    return whole


def short_title(entry: Entry) -> str:
    """``2.1 The size after a convolution``, in the reader's language."""
    return f"{entry.label} {text(entry.title)}"
