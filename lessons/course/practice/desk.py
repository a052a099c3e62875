"""The learner's own files, and how far they have come: all of it in ``data/practice/``.

That folder is the whole memory of the practice: copied to another machine, it goes on there. ``progress.txt``
has one line an exercise that was begun, ``p02_conv2d/output_size passed=2026-11-26 hints=1``, and is replaced
in one step, so that it is whole at any moment. One that was damaged, as the checksum in its first line shows,
is kept beside. A file of the learner's is never changed, but for a question that is appended to it; ``reset``
moves it aside.
"""

import contextlib
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lessons.course import CourseError, course_home
from lessons.course.disk import locked, unlock, write_whole
from lessons.course.practice.shelf import Entry, exercise_files
from lessons.course.screen import console
from lessons.course.words import say

PROGRESS = "progress.txt"
HEAD = "# One line an exercise. Copy this folder to another machine to go on there. Checksum {:08x}\n"
KEY = re.compile(r"p\d\d_\w+/\w+")
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
    return read_rows()[0]


def read_rows() -> tuple[dict[str, Line], bool]:
    """Each exercise's line by its key, and whether all that was written could be read."""
    kinds = {name: type(value) for name, value in asdict(Line()).items()}
    found: dict[str, Line] = {}
    whole = True
    try:
        written = (practice_dir() / PROGRESS).read_bytes()
    except FileNotFoundError:
        return found, whole
    except OSError:
        return found, False
    head, newline, rows = written.partition(b"\n")
    as_written = HEAD.format(zlib.crc32(rows)).encode()
    whole = newline != b"" and (
        head + newline == as_written or b"Checksum" not in head
    )  # older ones have none
    for row in written.decode("utf-8", errors="replace").splitlines():
        if row.startswith("#") or not row.strip():
            continue
        key, *words = row.split()
        whole &= KEY.fullmatch(key) is not None
        if KEY.fullmatch(key):
            found[key] = line = Line()
            for name, _, value in (word.partition("=") for word in words):
                try:
                    setattr(line, name, kinds[name](value))
                except (KeyError, ValueError):
                    whole = False
    return found, whole


def whole_progress() -> dict[str, Line]:
    """The same, to be changed and written: what cannot be read is kept beside, and that is said.

    Raises:
        CourseError: for a file that cannot be opened, or not be kept.
    """
    progress, whole = read_rows()
    if not whole:
        path = practice_dir() / PROGRESS
        aside = numbered(path, "damaged")
        try:
            shutil.copyfile(path, aside)
            write_rows(progress)
        except OSError as error:
            raise CourseError(f"the progress in {path} cannot be read: {error}") from error
        console.print(say("practice damaged", PROGRESS, aside.name, len(progress)))
    return progress


def update(entry: Entry, **changes: object) -> Line:
    """Change an exercise's line and write the file; returns the line."""
    lock = locked(practice_dir() / ".progress.lock")  # another check may end at the same moment
    try:
        progress = whole_progress()
        line = progress.setdefault(entry.key, Line())
        for name, value in changes.items():
            setattr(line, name, value)
        write_rows(progress)
    finally:
        unlock(lock)
    return line


def write_rows(progress: dict[str, Line]) -> None:
    rows = "".join(f"{key} {line.words()}".rstrip() + "\n" for key, line in sorted(progress.items()))
    write_whole(practice_dir() / PROGRESS, HEAD.format(zlib.crc32(rows.encode())) + rows)


def forget(entry: Entry) -> None:
    """Take an exercise's line out; that the solution was seen stays."""
    update(entry, **asdict(Line(gave_up=read_progress().get(entry.key, Line()).gave_up)))


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
    aside = numbered(path, "old")
    path.rename(aside)
    return aside


def numbered(path: Path, word: str) -> Path:
    """A path beside this one that is free, and higher than those that are not: ``name.old3.py``."""
    taken = re.compile(rf"{re.escape(path.stem)}\.{word}(\d+){re.escape(path.suffix)}")
    numbers = [int(found[1]) for other in path.parent.iterdir() if (found := taken.fullmatch(other.name))]
    return path.with_name(f"{path.stem}.{word}{max(numbers, default=0) + 1}{path.suffix}")


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
