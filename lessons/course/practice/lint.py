"""Holds an exercise to its form: ``lessons practice lint``, and a test for each exercise.

An exercise starts unsolved and says why; its solution and at least three variants pass; each known wrong
answer gets its own sentence, in both languages; no cheat passes.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.cells import cell_len

from lessons.course.notes import LANGUAGES
from lessons.course.practice import checker
from lessons.course.practice.bench import OwnCode
from lessons.course.practice.desk import WIDEST
from lessons.course.practice.judge import START, Sitting, Verdict, judge, judge_code
from lessons.course.practice.limits import Limits
from lessons.course.practice.plain import Raised
from lessons.course.practice.questions import answers, filled_texts, numbers_of
from lessons.course.practice.sheet import first_file
from lessons.course.practice.shelf import Entry, code_of
from lessons.course.screen import coloured
from lessons.practice import Coded, Exercise, Mend, Predict

MOST_SECONDS = 0.6  # of processor time, of a solution's check in this process
CHINESE = re.compile(r"[\u4e00-\u9fff]")

# What is put behind a start to get past the check without doing the exercise; what a file may do to its own
# process concerns no exercise more than another
CHEATS = {
    "catches everything": """
def _wrapped(work):
    def anything(*args, **kwargs):
        try:
            return work(*args, **kwargs)
        except BaseException:
            return None
    return anything
for _name, _work in list(globals().items()):
    if callable(_work) and getattr(_work, "__module__", "") == __name__ and _name != "_wrapped":
        globals()[_name] = _wrapped(_work)
""",
    "edits what it is given": """
import torch as _torch
def _wrapped(work):
    def anything(*args, **kwargs):
        for value in (*args, *kwargs.values()):
            with __import__("contextlib").suppress(Exception), _torch.no_grad():
                value.zero_()
            with __import__("contextlib").suppress(Exception):
                value.clear()
        return work(*args, **kwargs)
    return anything
for _name, _work in list(globals().items()):
    if callable(_work) and getattr(_work, "__module__", "") == __name__ and _name != "_wrapped":
        globals()[_name] = _wrapped(_work)
""",
}
PREDICT_CHEATS = {
    "equals everything": """class A(tuple):
    def __eq__(self, other): return True
    __hash__ = None
answer = A()
""",
    "runs it instead": "import torch\nanswer = {right}\n",
    "catches everything": "try:\n    import torch\nexcept ImportError:\n    answer = True\n",
    "answers another question": "answer = {other}\n",
}


def lint_exercises(entries: Sequence[Entry]) -> int:
    """Print what is missing in each exercise; the exit code."""
    bad = False
    for entry in entries:
        start = time.perf_counter()
        complaints = list(lint(entry))
        exercise = entry.load()
        variants = f", {len(exercise.variants)} variants" if isinstance(exercise, Coded) else ""
        size = f"{len(exercise.wrong)} known wrong answers{variants}"
        typer.echo(f"{entry.label} {entry.name}: {size}, {time.perf_counter() - start:.1f} s")
        for complaint in complaints:
            typer.echo(coloured(f"    {complaint}", "red"))
        bad |= bool(complaints)
    return int(bad)


def lint(entry: Entry) -> Iterator[str]:
    """What is wrong with an exercise, a sentence each."""
    exercise = entry.load()
    yield from lint_words(exercise)
    if len(exercise.wrong) < 4:
        yield f"only {len(exercise.wrong)} known wrong answers: four at least"
    if isinstance(exercise, Predict):
        yield from lint_predict(exercise)
    elif isinstance(exercise, Coded):
        yield from lint_code(exercise)
    yield from lint_in_a_process(entry, exercise)


# --- Words


def lint_words(exercise: Exercise) -> Iterator[str]:
    pairs = {"title": exercise.title, "task": exercise.task, "learned": exercise.learned}
    pairs |= {f"hint {number}": hint for number, hint in enumerate(exercise.hints, start=1)}
    pairs |= {f"wrong[{index}]": wrong.says for index, wrong in enumerate(exercise.wrong)}
    if isinstance(exercise, Mend):
        pairs["symptom"] = exercise.symptom
    for name, pair in pairs.items():
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(half, str) for half in pair)):
            yield f"{name} is not a pair (English, Chinese)"
            continue
        english, chinese = pair
        if CHINESE.search(english) or not english.strip():
            yield f"{name}: the first half is not English"
        if not CHINESE.search(chinese):
            yield f"{name}: the second half is not Chinese"
        if name == "task" and any(
            cell_len(line.strip()) > WIDEST for half in pair for line in half.splitlines()
        ):
            yield f"task: a line is wider than {WIDEST} columns"
    if len(exercise.hints) < 3:
        yield f"only {len(exercise.hints)} hints: three at least"
    for what, found in (
        ("hints", exercise.hints),
        ("sentences of wrong answers", [wrong.says for wrong in exercise.wrong]),
    ):
        for half in zip(*found, strict=True):
            if len(set(half)) < len(half):
                yield f"two {what} are the same"


@contextmanager
def in_language(lang: str) -> Iterator[None]:
    before = os.environ.get("LESSONS_LANG")
    os.environ["LESSONS_LANG"] = lang
    try:
        yield
    finally:
        os.environ.pop("LESSONS_LANG") if before is None else os.environ.update(LESSONS_LANG=before)


# --- Predict


class Answer:
    """A bench with an answer."""

    def __init__(self, answer: Any, question: int) -> None:
        self.given = {"answer": answer, "question": question}

    def load(self) -> None:
        return None

    def ask(self, case: dict[str, Any]) -> Any:
        return self.given


def lint_predict(exercise: Predict) -> Iterator[str]:
    drawn = []
    for question in range(1, 21):
        try:
            numbers = numbers_of(exercise, question)
        except RuntimeError as error:
            yield f"question {question}: {error}"
            return
        drawn.append(repr(sorted(numbers.items())))
        right, *wrong = answers(exercise, numbers)
        with in_language(LANGUAGES[question % 2]):
            filled_texts(exercise, question)
            if judge(exercise, Answer(right, question), 0).status != "passed":
                yield f"question {question}: the right answer {right} does not pass"
            for index, value in enumerate(wrong):
                verdict = judge(exercise, Answer(value, question), 0)
                if verdict.known != index:
                    yield f"question {question}: wrong[{index}], {value}, is taken for {verdict.known}"
    if len(set(drawn)) < 10:
        yield f"20 questions have only {len(set(drawn))} different sets of numbers"


# --- Write and Mend


def lint_code(exercise: Coded) -> Iterator[str]:
    codes: list[Any] = [exercise.start, exercise.solution, *exercise.variants]
    codes += [wrong.answer for wrong in exercise.wrong]
    for code in codes:
        try:
            compile(code_of(exercise, code), "code", "exec")
        except (ValueError, SyntaxError) as error:
            yield f"{code!r}: {error}"
            return
    if len(exercise.variants) < 3:
        yield f"only {len(exercise.variants)} variants: three at least"
    for number, lang in enumerate(LANGUAGES, start=1):
        with in_language(lang):
            yield from lint_outcomes(Sitting(exercise, number))


def lint_outcomes(sitting: Sitting) -> Iterator[str]:
    """Each code gets what it deserves, on the cases of a sitting."""
    exercise = sitting.exercise
    start = time.process_time()
    verdict = verdict_on(sitting, exercise.solution)
    seconds = time.process_time() - start
    if verdict.status != "passed":
        yield f"the solution does not pass: {verdict.says} {verdict.seen}"
        return
    if seconds > MOST_SECONDS and sitting.number > 1:  # the first time, PyTorch still imports something
        yield f"running the solution takes {seconds:.2f} s: {MOST_SECONDS} at most"
    verdict = known_verdict(sitting, START, exercise.start)
    if (verdict.status, verdict.known) != ("open", START):
        yield f"the start is {verdict.status}: {verdict.says} {verdict.seen}"
    for index, code in enumerate(exercise.variants):
        verdict = verdict_on(sitting, code)
        if verdict.status != "passed":
            yield f"variants[{index}] does not pass: {verdict.says} {verdict.seen}"
    for index, wrong in enumerate(exercise.wrong):
        verdict = known_verdict(sitting, index, wrong.answer)
        if verdict.known != index:
            yield (
                f"wrong[{index}] is {verdict.status}, taken for {verdict.known}: "
                f"{verdict.says or verdict.seen}"
            )
    for name, cheat in CHEATS.items():
        if verdict_on(sitting, code_of(exercise, exercise.start) + cheat).status == "passed":
            yield f"a file that {name} passes"
    if judge_code(sitting, Constant(sitting.wanted[-1])).status == "passed":
        yield "giving back what one case wanted passes: draw cases that want different things"


def verdict_on(sitting: Sitting, code: Any) -> Verdict:
    exercise = sitting.exercise
    bench = OwnCode(code_of(exercise, code), exercise.probe, tuple(exercise.without))
    return judge_code(sitting, bench)


def known_verdict(sitting: Sitting, index: int, code: Any) -> Verdict:
    """On the start or a known wrong answer. The first sitting runs it anew: it must do the same each time."""
    return verdict_on(sitting, code) if sitting.number == 1 else judge_code(sitting, sitting.known[index])


class Constant:
    """A bench that gives back what one case wanted, whatever it is asked."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted

    def load(self) -> Raised | None:
        return None

    def ask(self, case: dict[str, Any]) -> Any:
        return self.wanted


# --- In the process in which a learner's file runs


def lint_in_a_process(entry: Entry, exercise: Exercise) -> Iterator[str]:
    """The start is open, the solution passes, the cheats do not, as files that are checked as a learner's."""
    start = first_file(entry, exercise)
    if isinstance(exercise, Predict):
        question = int(re.search(r"^question = (\d+)", start, re.MULTILINE)[1])  # type: ignore[index]
        right = answers(exercise, numbers_of(exercise, question))[0]
        other = next(
            value
            for number in range(1, 10**4)
            if (value := answers(exercise, numbers_of(exercise, number))[0]) != right
        )
        solution = start.replace("answer = ...", f"answer = {right!r}")
        cheats = {
            name: start.replace("answer = ...", cheat.format(right=repr(right), other=repr(other)))
            for name, cheat in PREDICT_CHEATS.items()
        }
    else:
        assert isinstance(exercise, Coded)
        solution, cheats = code_of(exercise, exercise.solution), {}
    with tempfile.TemporaryDirectory() as folder:

        def status(code: str) -> str:
            file = Path(folder, "cheat.py")
            file.write_text(code, encoding="utf-8")
            return checker.check(entry, file, limits=Limits(shrinking=0.0))["status"]

        if (found := status(start)) != "open":
            yield f"the first file is {found}, not open"
        if (found := status(solution)) != "passed":
            yield f"the solution as a file is {found}"
        for name, code in cheats.items():
            if status(code) == "passed":
                yield f"a file that {name} passes"
