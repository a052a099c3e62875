"""The learner's own files, and how far they have come: all of it in ``data/practice/``.

That folder is the whole memory of the practice: copied to another machine, it goes on there. ``progress.txt``
has one line an exercise that was begun, ``p02_conv2d/output_size passed=2026-11-26 hints=1``, and is replaced
in one step, so that it is whole at any moment. A file of the learner's is never changed, but for a question
that is appended to it; ``reset`` moves it aside.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lessons.course import course_home
from lessons.course.practice.shelf import Entry, exercise_files

PROGRESS = "progress.txt"
HEAD = "# One line an exercise. Copy this folder to another machine to go on there.\n"
WIDEST = 100  # columns of a task in the learner's file


@dataclass
class Line:
    """What is remembered of one exercise."""

    passed: str = ""  # the day
    hints: int = 0  # shown so far
    tries: int = 0
    gave_up: str = ""  # the day on which the solution was shown before passing
    missed: int = 0  # Predict: the question that was answered wrong last

    def words(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items() if value)


def practice_dir() -> Path:
    """``data/practice/``, which is made when something is first written there."""
    return course_home() / "data" / "practice"


def file_of(entry: Entry) -> Path:
    """Where the learner's file of an exercise lies, or will."""
    return practice_dir() / f"{entry.key}.py"


# --- Progress


def read_progress() -> dict[str, Line]:
    """Each exercise's line by its key; what cannot be read is left out."""
    kinds = {name: type(value) for name, value in asdict(Line()).items()}
    found = {}
    try:
        written = (practice_dir() / PROGRESS).read_text("utf-8", errors="replace")
    except OSError:
        return {}
    for row in written.splitlines():
        key, *words = row.split()[:20] or ["#"]
        if key.startswith("#"):
            continue
        line = Line()
        for name, _, value in (word.partition("=") for word in words):
            if name in kinds:
                with contextlib.suppress(ValueError):
                    setattr(line, name, kinds[name](value))
        found[key] = line
    return found


def update(entry: Entry, **changes: object) -> Line:
    """Change an exercise's line and write the file; returns the line."""
    progress = read_progress()
    line = progress.setdefault(entry.key, Line())
    for name, value in changes.items():
        setattr(line, name, value)
    rows = [f"{key} {line.words()}".rstrip() + "\n" for key, line in sorted(progress.items())]
    write_whole(practice_dir() / PROGRESS, HEAD + "".join(rows))
    return line


def forget(entry: Entry) -> None:
    """Take an exercise's line out; that the solution was seen stays."""
    update(entry, **asdict(Line(gave_up=read_progress().get(entry.key, Line()).gave_up)))


def write_whole(path: Path, content: str) -> None:
    """Replace a file in one step: whoever is interrupted, it holds the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", encoding="utf-8", newline="\n") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def done_by_lesson() -> dict[int, str]:
    """For each lesson that has exercises, how many of them are passed: ``2/3``."""
    progress = read_progress()
    passed: dict[int, list[bool]] = {}
    for path in exercise_files():
        line = progress.get(f"{path.parent.name}/{path.stem}", Line())
        passed.setdefault(int(path.parent.name[1:3]), []).append(bool(line.passed))
    return {lesson: f"{sum(marks)}/{len(marks)}" for lesson, marks in passed.items()}


# --- The learner's files


def put_aside(entry: Entry) -> Path | None:
    """Move the learner's file to ``name.old1.py``, ``name.old2.py``, ... beside it; None if there is none."""
    path = file_of(entry)
    if not path.exists():
        return None
    taken = (int(found[1]) for other in path.parent.iterdir() if (found := OLD.fullmatch(other.name)))
    aside = path.with_name(f"{path.stem}.old{max(taken, default=0) + 1}.py")
    path.rename(aside)
    return aside


OLD = re.compile(r".+\.old(\d+)\.py")


@contextlib.contextmanager
def kept_files() -> Iterator[list[Path]]:
    """While the learner's code runs: what it removes of this folder is put back, and is in the list."""
    before = {path: path.read_bytes() for path in practice_dir().rglob("*") if path.is_file()}
    restored: list[Path] = []
    try:
        yield restored
    finally:
        for path, content in before.items():
            try:
                gone = not path.read_bytes() and bool(content)
            except OSError:
                gone = True
            if gone:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                restored.append(path)
