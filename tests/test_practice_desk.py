"""What the learner wrote and how far they have come outlasts whatever happens."""

import signal
import sys
import threading

import pytest

from lessons.course import upkeep
from lessons.course.disk import locked, unlock
from lessons.course.practice import desk
from lessons.course.practice.desk import Line, read_progress, update
from lessons.course.practice.sheet import append_question
from lessons.course.practice.shelf import find_exercises
from lessons.course.practice.verbs import begin_anew

FIRST, SECOND = find_exercises()[:2]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The learner's folder, empty at first."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setenv("LESSONS_LANG", "en")
    return tmp_path / "data" / "practice"


def test_progress_is_kept(folder):
    update(FIRST, passed="2026-11-26", tries=3)
    update(SECOND, hints=1)
    update(FIRST, hints=2)
    assert read_progress() == {FIRST.key: Line("2026-11-26", hints=2, tries=3), SECOND.key: Line(hints=1)}
    assert [path.name for path in folder.iterdir()] == ["progress.txt"]


KILLED = """
import os, signal
from lessons.course.practice import desk
from lessons.course.practice.shelf import find_exercises

def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)

{}
desk.update(find_exercises()[0], hints=2)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no signal ends a process there in one step")
@pytest.mark.parametrize(
    ("fault", "hints"),
    [
        ("os.fsync = die", 1),  # when the new content has been written, but not come to the disk
        ("os.replace = die", 1),
        ("replace = os.replace\nos.replace = lambda *paths: (replace(*paths), die())", 2),
    ],
)
def test_progress_is_whole_when_its_writer_is_killed(folder, run_script, tmp_path, fault, hints):
    update(FIRST, hints=1)
    update(SECOND, tries=7)
    done = run_script("-c", KILLED.format(fault), LESSONS_HOME=str(tmp_path))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert read_progress() == {FIRST.key: Line(hints=hints), SECOND.key: Line(tries=7)}
    update(SECOND, tries=8)
    assert read_progress()[FIRST.key] == Line(hints=hints)


@pytest.mark.parametrize(
    "damage",
    [
        b"tries=1",  # well written, but not by the course
        b"hints=three",
        b"hints=",
        b"colour=red",
        b"\npassed=2026-11-26",
        b"\n\xff\xfe\x00\x93",
        b"\n" + b"<html>" * 1000,
    ],
)
def test_damaged_progress_is_said_and_kept_beside(folder, capsys, damage):
    update(FIRST, passed="2026-11-26")
    path = folder / "progress.txt"
    damaged = path.read_bytes().rstrip() + b" " + damage
    path.write_bytes(damaged)
    tries = int(damage == b"tries=1")
    update(SECOND, hints=1)
    assert read_progress() == {FIRST.key: Line("2026-11-26", tries=tries), SECOND.key: Line(hints=1)}
    assert (folder / "progress.damaged1.txt").read_bytes() == damaged
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "progress.txt was damaged. It is kept as progress.damaged1.txt; "
        "1 exercises could still be read from it."
    )
    update(SECOND, hints=2)
    assert capsys.readouterr().out == "", "said once"
    path.write_bytes(damaged)
    update(SECOND, hints=1)
    assert (folder / "progress.damaged2.txt").read_bytes() == damaged


def test_progress_that_cannot_be_opened_is_not_overwritten(folder):
    (folder / "progress.txt").mkdir(parents=True)
    with pytest.raises(desk.CourseError, match=r"progress.*cannot be read"):
        update(FIRST, hints=1)
    assert read_progress() == {}


def test_a_question_is_appended_and_nothing_else_changes():
    path = desk.file_of(FIRST)
    path.parent.mkdir(parents=True)
    mine = b"answer = 1  # \xe4 is no UTF-8\n\n\n"
    path.write_bytes(mine)
    append_question(FIRST, "answer = ...\n")
    assert path.read_bytes().startswith(mine.rstrip())
    assert path.read_bytes().endswith(b"\nanswer = ...\n")


def test_begin_anew_keeps_every_old_file(folder, capsys):
    path = desk.file_of(FIRST)
    for number in (1, 2):
        begin_anew(FIRST)
        path.write_text(f"mine {number}")
    begin_anew(FIRST)
    old = {other.name: other.read_text() for other in path.parent.glob("*.old*.py")}
    assert old == {f"{FIRST.name}.old{number}.py": f"mine {number}" for number in (1, 2)}
    assert "question = " in path.read_text()


def test_begin_anew_remembers_that_the_solution_was_seen(folder):
    update(FIRST, gave_up="2026-11-26", passed="2026-11-26", hints=3, missed=7)
    begin_anew(FIRST)
    assert read_progress()[FIRST.key] == Line(gave_up="2026-11-26")


def test_clean_leaves_it_alone(folder, tmp_path):
    update(FIRST, hints=1)
    (tmp_path / "data" / "sketch10-batches-py").mkdir()
    upkeep.clean("all", ask=False)
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["practice"]
    assert read_progress() == {FIRST.key: Line(hints=1)}


def test_two_checks_at_once_take_turns(folder):
    lock = locked(folder / ".progress.lock")  # as the other one has it
    mine = threading.Thread(target=update, args=(FIRST,), kwargs={"tries": 1})
    mine.start()
    mine.join(0.3)
    assert mine.is_alive() and read_progress() == {}
    unlock(lock)
    mine.join(60)
    assert read_progress() == {FIRST.key: Line(tries=1)}
    assert [path.name for path in folder.iterdir()] == ["progress.txt"]
