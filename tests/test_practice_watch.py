"""What a learner types, and what happens while they watch."""

import os
import queue
import shutil
import subprocess
import sys
import threading

import pytest

from lessons.course.practice import checker, limits, report, verbs, watch
from lessons.course.practice.desk import Line, file_of, read_progress, update
from lessons.course.practice.shelf import find_exercise, find_exercises
from lessons.course.words import say

ENTRIES = find_exercises()
PREDICT = find_exercise("output_size", ENTRIES)
WRITE = find_exercise("pool_by_hand", ENTRIES)


@pytest.fixture(autouse=True)
def english(tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setenv("LESSONS_LANG", "en")


@pytest.fixture
def verdicts(monkeypatch):
    """Checks give these verdicts, in turn, and nothing runs. A file that is not there is made."""
    given: list[dict] = []

    def check(entry, file):
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("begun")
        return {"seconds": 0.1, "hints": ["first", "second"], "seen": "", "question": 0, **given.pop(0)}

    monkeypatch.setattr(checker, "check", check)
    return given


# --- The status that a verdict leads to


def settled(status, question=0):
    return report.settle(PREDICT, {"status": status, "question": question})


def test_an_answer_corrected_is_asked_once_more():
    """Only a question that is answered right at the first go passes."""
    assert settled("open", 1) == "open"
    assert settled("wrong", 1) == "wrong"
    assert settled("passed", 1) == "again"
    assert not read_progress()[PREDICT.key].passed
    assert settled("wrong", 2) == "wrong"
    assert settled("passed", 2) == "again"
    assert settled("passed", 3) == "passed"
    line = read_progress()[PREDICT.key]
    assert (bool(line.passed), line.tries) == (True, 5)


def test_what_was_passed_stays_passed():
    update(PREDICT, passed="2026-01-01")
    assert settled("wrong", 1) == "wrong"
    assert settled("passed", 2) == "passed"
    assert read_progress()[PREDICT.key].passed == "2026-01-01"


# --- Which exercise is meant


def test_words_name_exercises():
    for word in (
        PREDICT.label,
        PREDICT.name,
        PREDICT.key,
        f"data/practice/{PREDICT.key}.py",
        str(PREDICT.path),
    ):
        assert find_exercise(word, ENTRIES) == PREDICT, word
    assert find_exercise("no_such", ENTRIES) is None
    with pytest.raises(verbs.CourseError, match="no exercise 'no_such'; there are"):
        verbs.chosen("no_such")


def test_a_lesson_names_its_next_open_exercise():
    of_lesson = [entry for entry in ENTRIES if entry.lesson == 2]
    for entry in of_lesson:
        assert verbs.chosen("2") == entry
        update(entry, passed="2026-11-26")
    assert verbs.chosen("2") == of_lesson[0]


# --- The commands


def test_the_exit_code_says_whether_it_passed(lessons_command, verdicts):
    verdicts += [
        {"status": "passed", "says": "", "solution": "x = 1"},
        {"status": "wrong"},
        {"status": "open"},
    ]
    assert [lessons_command("practice", "check", WRITE.label) for _ in range(3)] == [0, 1, 1]


def test_solution_only_after_passing_or_giving_up(lessons_command, capsys):
    assert lessons_command("practice", "solution", WRITE.label) == 2
    assert "--give-up" in capsys.readouterr().err
    assert lessons_command("practice", "solution", WRITE.label, "--give-up") == 0
    assert "def max_pool" in capsys.readouterr().out
    assert read_progress()[WRITE.key].gave_up
    assert lessons_command("practice", "solution", WRITE.label) == 0
    capsys.readouterr()
    assert lessons_command("practice") == 0
    assert "solution seen" in capsys.readouterr().out


def test_without_the_extra_it_says_how_to_get_it(lessons_command, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert lessons_command("practice", "check", "2.1") == 2
    assert 'pip install -e ".[practice]"' in capsys.readouterr().err


def test_new_numbers_are_for_a_predict_alone(lessons_command, capsys):
    assert lessons_command("practice", "check", PREDICT.label, "--new") == 0
    assert file_of(PREDICT).read_text("utf-8").count("\nanswer = ...\n") == 2
    assert lessons_command("practice", "check", WRITE.label, "--new") == 2
    assert "no numbers to draw" in capsys.readouterr().err


# --- The keys


def test_keys_while_watching(verdicts, capsys):
    verdicts += [{"status": "open"}, {"status": "wrong", "says": "A sentence."}]
    events: queue.Queue[str] = queue.Queue()
    for key in ("h", "hint", "h", "\n", "x", watch.SAVED, "n"):
        events.put(key)
    assert watch.watch_one(WRITE, events) == report.next_open(after=WRITE)
    said = capsys.readouterr().out
    assert said.count("Hint 1 of 2: first") == 1
    assert said.count("Hint 2 of 2: second") == 2
    assert "A sentence." in said
    assert read_progress()[WRITE.key] == Line(hints=2, tries=1)
    assert verdicts == [], "x and a save that changed nothing are no check"


def test_reset_asks_first(verdicts, capsys):
    verdicts += [{"status": "open"}, {"status": "wrong"}]
    events: queue.Queue[str] = queue.Queue()
    for key in ("r", "n", "r", "y", "q"):
        events.put(key)
    assert watch.watch_one(WRITE, events) is None
    assert [path.name for path in file_of(WRITE).parent.glob("*.old*.py")] == [f"{WRITE.name}.old1.py"]
    assert "def max_pool" in file_of(WRITE).read_text("utf-8")


def test_a_save_between_a_question_and_its_answer_is_checked(verdicts):
    verdicts += [{"status": "open"}, {"status": "wrong"}]
    events: queue.Queue[str] = queue.Queue()

    def save():
        file_of(WRITE).write_text("mine")
        return watch.SAVED

    keys = iter(["r", save, "q"])
    events.get = lambda **_: later.pop() if later else (key() if callable(key := next(keys)) else key)
    later: list[str] = []
    events.put = later.append
    assert watch.watch_one(WRITE, events) is None
    assert verdicts == []
    assert file_of(WRITE).read_text() == "mine"


def test_a_file_that_is_removed_while_watching(verdicts, capsys):
    verdicts += [{"status": "open"}, {"status": "wrong", "says": "Back again."}]
    events: queue.Queue[str] = queue.Queue()
    steps = iter(
        [
            lambda: (file_of(WRITE).unlink(), watch.SAVED)[1],
            lambda: (file_of(WRITE).write_text("mine"), watch.SAVED)[1],
            lambda: "q",
        ]
    )
    events.get = lambda **_: next(steps)()
    assert watch.watch_one(WRITE, events) is None
    gone, _, back = capsys.readouterr().out.partition("Back again.")
    assert "is not there. Save it again" in " ".join(gone.split())
    assert back


def test_hints_after_a_check_that_was_ended(verdicts):
    """The judge had not come to them: those that were shown stay shown."""
    update(WRITE, hints=2)
    verdicts += [{"status": "stopped", "hints": []}]
    events: queue.Queue[str] = queue.Queue()
    for key in "hq":
        events.put(key)
    watch.watch_one(WRITE, events)
    assert read_progress()[WRITE.key].hints == 2


def test_where_there_is_no_fork_it_says_so(verdicts, capsys, monkeypatch):
    monkeypatch.setattr(limits, "CAN_FORK", False)
    verdicts += [{"status": "open"}]
    events: queue.Queue[str] = queue.Queue()
    events.put("q")
    watch.watch_one(WRITE, events)
    assert say("practice slow") in " ".join(capsys.readouterr().out.split())


# --- Saves


@pytest.fixture
def saves(tmp_path):
    """``saves()``: that a save was reported, within two seconds."""
    path = tmp_path / "folder" / "mine.py"
    path.parent.mkdir()
    path.write_text("a")
    events: queue.Queue[str] = queue.Queue()
    over = threading.Event()
    thread = threading.Thread(target=watch.wait_for_saves, args=(path, events.put, over))
    thread.start()

    def reported() -> bool:
        try:
            return events.get(timeout=2) == watch.SAVED
        except queue.Empty:
            return False

    assert reported(), "the first look"
    yield path, reported
    over.set()
    thread.join(2)
    assert not thread.is_alive()


def test_each_way_to_save_is_seen(saves):
    path, reported = saves
    path.write_text("bb")
    assert reported()
    path.with_name("new").write_text("cc")
    os.replace(path.with_name("new"), path)  # as most editors do it
    assert reported()
    path.unlink()
    assert reported()
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.write_text("dd")
    assert reported()
    path.with_name("other").write_text("no matter")
    assert not reported()


# --- All of it


def test_watch_from_start_to_end(tmp_path):
    """In a process of its own, with words for keys: a wrong answer, a hint, the next exercise."""
    command = [
        sys.executable,
        "-c",
        "from lessons.course.cli import main; main()",
        "practice",
        "watch",
        "2.1",
    ]
    first = next(entry for entry in ENTRIES if entry.label == "2.1")
    watching = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        for line in watching.stdout:
            if line.startswith("keys:"):
                break
        file = file_of(first)
        file.write_text(file.read_text("utf-8") + "\nraise ValueError('mine')\n", encoding="utf-8")
        for line in watching.stdout:
            if "ValueError: mine" in line:
                break
        out, _ = watching.communicate("hint\nquit\n", timeout=60)
    finally:
        watching.kill()
    assert "Hint 1 of" in out
    assert watching.returncode == 0
    assert read_progress()[first.key] == Line(hints=1, tries=1)
