"""The learner's file as it is at the start: the task as comments, then the code to begin with."""

from random import SystemRandom
from typing import TYPE_CHECKING

from lessons.course.disk import write_whole
from lessons.course.practice.desk import file_of
from lessons.course.practice.shelf import Entry, code_of, short_title, text
from lessons.course.words import say

if TYPE_CHECKING:
    from pathlib import Path

    from lessons.practice import Exercise, Predict


def ensure_file(entry: Entry, path: "Path") -> None:
    """Write the learner's file of an exercise when there is none yet."""
    if not path.exists():
        write_whole(path, first_file(entry, entry.load()))


def first_file(entry: Entry, exercise: "Exercise") -> str:
    """What a file holds before the learner has changed it."""
    from lessons.practice import Coded, Predict

    head = say("practice file head", short_title(entry), say(f"practice {entry.kind}"), entry.label)
    if isinstance(exercise, Predict):
        return comment(head) + "\n" + question_block(exercise)
    assert isinstance(exercise, Coded)
    return comment(f"{head}\n\n{text(exercise.task)}") + "\n" + code_of(exercise, exercise.start)


def question_block(exercise: "Predict", question: int = 0) -> str:
    """A question with new numbers, or with those of a given one, and the place for its answer."""
    from lessons.course.practice.questions import numbers_of

    question = question or SystemRandom().randrange(1, 10**4)
    task = text(exercise.task).format(**numbers_of(exercise, question))
    return f"{comment(task)}\nquestion = {question}  # {say('practice belongs')}\nanswer = ...\n"


def append_question(entry: Entry, block: str) -> None:
    """One more question at the end of the learner's file; what stands there stays."""
    path = file_of(entry)
    before = path.read_text("utf-8", errors="surrogateescape").rstrip("\n")
    write_whole(path, f"{before}\n\n\n# {'-' * 78}\n{block}")


def comment(words: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in words.splitlines())
