"""The verdict on a learner's file: right, or which misunderstanding it shows, or what was seen and wanted.

It is made here, in a process in which none of the learner's code has run, from plain values that the
learner's process sends. A known wrong answer is recognised by what it does: on all cases the same outcomes.
"""

import copy
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from lessons.course.practice.bench import OwnCode, outcome
from lessons.course.practice.grids import grid, side_by_side
from lessons.course.practice.plain import Raised, difference, pack, plain, shorten
from lessons.course.practice.questions import answers, as_written, comparable, numbers_of, sentence_values
from lessons.course.practice.shelf import code_of, text
from lessons.course.words import WORDS, say

if TYPE_CHECKING:
    from lessons.practice import Coded, Exercise, Predict, Text

START = -1  # as the known wrong answer: what the file did before the learner changed it


@dataclass
class Verdict:
    """What a check found; all in words, so that it can travel as JSON."""

    status: str  # "passed", "open" (as it was at the start), "wrong", "stopped"
    says: str = ""  # the sentence of the known wrong answer; after passing, what was learned
    picture: str = ""  # what the learner's code does, drawn
    seen: str = ""  # what was given and what is right, in words or as grids
    known: int | None = None  # which of the known wrong answers; START for the untouched file
    question: int = 0  # of a Predict
    printed: str = ""  # by the learner's file


class Bench(Protocol):
    """Runs a file and probes it."""

    def load(self) -> Raised | None: ...
    def ask(self, case: dict[str, Any]) -> Any: ...


class Stopped(Exception):
    """The learner's process was stopped, or ended by itself; the message says so to the learner."""


def judge(exercise: "Exercise", bench: Bench, number: int, shrinking: float = 0.0) -> Verdict:
    """Check what is on the bench. ``number`` chooses the cases: another one, other cases.

    ``shrinking`` says for how many seconds a smaller failing case is looked for.
    """
    from lessons.practice import Predict

    try:
        if isinstance(exercise, Predict):
            return judge_answer(exercise, bench)
        return judge_code(Sitting(exercise, number), bench, shrinking)  # type: ignore[arg-type]
    except Stopped as stop:
        return Verdict("stopped", seen=str(stop))


def fill(pair: "Text", values: dict[str, Any]) -> str:
    """A sentence in the reader's language with the numbers put in."""
    return text(pair).format(**values)


def error_line(error: Raised) -> str:
    where = say("practice line", error.line) if error.line else ""
    return f"{error}{where}"


# --- Predict


def judge_answer(exercise: "Predict", bench: Bench) -> Verdict:
    if error := bench.load():
        return Verdict("wrong", seen=say("practice does not run", error_line(error)))
    given = bench.ask({"names": ["answer", "question"]})
    question = given.get("question") if isinstance(given, dict) else None
    if type(question) is not int:
        return Verdict("wrong", seen=say("practice no question"))
    if "answer" not in given or given["answer"] == "<ellipsis>":
        return Verdict("open", seen=say("practice no answer"), known=START, question=question)
    numbers = numbers_of(exercise, question)
    answer = comparable(given["answer"])
    right, *wrong = answers(exercise, numbers)
    values = sentence_values(exercise, numbers, as_written(given["answer"]))
    verdict = Verdict("wrong", seen=fill(exercise.formula, values), question=question)
    if not difference(answer, comparable(right), exercise.tolerance):
        verdict.status, verdict.says = "passed", fill(exercise.learned, values)
        return verdict
    for index, value in enumerate(wrong):
        if not difference(answer, comparable(value), exercise.tolerance):
            verdict.says, verdict.known = fill(exercise.wrong[index].says, values), index
            return verdict
    if form(answer) != form(right):  # not a wrong answer yet: it cannot be read as one
        return Verdict("wrong", seen=say("practice form", values["answer"], describe(right)))
    verdict.says = say("practice unknown answer", values["answer"])
    return verdict


def form(value: Any) -> Any:
    """What kind of answer it is: a number, a text, so many of these."""
    if isinstance(value, list):
        return [form(item) for item in value]
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    return float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)


def describe(value: Any) -> str:
    """The kind of an answer in words."""
    if isinstance(value, list):
        return say("practice tuple of", len(value))
    if isinstance(value, dict):
        return say("practice dict of", ", ".join(map(repr, value)))
    return say(f"practice {form(value).__name__}")


# --- Write and Mend


class Sitting:
    """The cases of a check, what is right for each, and what the known codes give; worked out once."""

    def __init__(self, exercise: "Coded", number: int) -> None:
        self.exercise, self.number = exercise, number
        self.cases = draw_cases(exercise, number)
        self.measure = measure_of(exercise)
        self.wanted = [self.measure(case) for case in self.cases]
        self.known = {
            index: Remembering(OwnCode(code_of(exercise, code), exercise.probe, tuple(exercise.without)))
            for index, code in enumerate([exercise.start, *(w.answer for w in exercise.wrong)], start=START)
        }

    def same(self, got: Any, wanted: Any) -> bool:
        return not difference(got, wanted, self.exercise.tolerance)

    def recognise(self, outcomes: Sequence[Any]) -> int | None:
        """Which known code gives the same outcomes on all cases; None for none of them."""
        for index, bench in self.known.items():
            if all(self.same(got, bench.ask(self.cases[place])) for place, got in enumerate(outcomes)):
                return index
        return None

    def most_like(self, wrong: dict[int, Any]) -> tuple[int | None, int]:
        """Which known wrong code gives most of these wrong outcomes, and how many; None where it is few.

        Whoever makes two mistakes at once is on some cases seen to make the one, on others the other.
        """
        alike = {
            index: sum(self.same(got, bench.ask(self.cases[place])) for place, got in wrong.items())
            for index, bench in self.known.items()
            if index != START
        }
        index = max(alike, key=alike.__getitem__)
        enough = max(len(wrong) / 4, min(3, len(wrong)))
        return (index if alike[index] >= enough else None), alike[index]


class Remembering:
    """A bench that is asked each case of a sitting once; not for others, which may come to the same place."""

    def __init__(self, bench: OwnCode) -> None:
        self.bench, self.given = bench, {}  # type: ignore[var-annotated]

    def load(self) -> None:
        return None  # an error comes as the outcome of each case

    def ask(self, case: dict[str, Any]) -> Any:
        if id(case) not in self.given:
            self.given[id(case)] = self.bench.ask(case)
        return self.given[id(case)]


def judge_code(sitting: Sitting, bench: Bench, shrinking: float = 0.0) -> Verdict:
    """The verdict on code, as :func:`judge` makes it."""
    exercise, cases = sitting.exercise, sitting.cases
    error = bench.load()
    outcomes = [error or bench.ask(case) for case in cases]
    wrong = {place: got for place, got in enumerate(outcomes) if not sitting.same(got, sitting.wanted[place])}
    if not wrong:
        values = {**cases[-1], "got": outcomes[-1], "wanted": sitting.wanted[-1], "cases": len(cases)}
        return Verdict("passed", fill(exercise.learned, values), picture_of(exercise, outcomes[-1]))
    if error:
        return Verdict("wrong", seen=say("practice does not run", error_line(error)))
    for given in outcomes:
        if isinstance(given, Raised) and given.type == "NotAllowed":
            return Verdict("wrong", seen=say("practice not allowed", given.message))
    known = sitting.recognise(outcomes)
    like, count = (known, len(wrong)) if known is not None else sitting.most_like(wrong)
    verdict = shown(sitting, bench, wrong, like, shrinking)
    verdict.known = known
    if known is None and like is not None:
        verdict.says = say("practice partly", count, len(wrong), verdict.says)
    return verdict


def shown(
    sitting: Sitting, bench: Bench, wrong: dict[int, Any], like: int | None, shrinking: float
) -> Verdict:
    """A case that fails, as small as it can be, with the sentence of the known code that does the same."""
    from lessons.practice import Mend, Write

    exercise = sitting.exercise

    def fails(case: dict[str, Any]) -> bool:
        got = bench.ask(case)
        alike = like is None or sitting.same(got, sitting.known[like].bench.ask(case))
        return alike and not sitting.same(got, sitting.measure(case))

    case = next((case for place in wrong if fails(case := sitting.cases[place])), sitting.cases[min(wrong)])
    if shrinking and isinstance(exercise, Write):
        case = smallest(exercise, sitting.number, fails, case, shrinking)
    got, right = bench.ask(case), sitting.measure(case)
    values = {**case, "got": got, "wanted": right, "cases": len(sitting.cases)}
    verdict = Verdict("wrong", picture=picture_of(exercise, got))
    verdict.seen = evidence(case, got, right, exercise.tolerance)
    if like == START:
        start = exercise.symptom if isinstance(exercise, Mend) else WORDS["practice as at the start"]
        verdict.status, verdict.says = "open", fill(start, values)
    elif like is not None:
        verdict.says = fill(exercise.wrong[like].says, values)
    return verdict


def measure_of(exercise: "Coded") -> Callable[[dict[str, Any]], Any]:
    """What is right for a case: the reference, else the solution's outcome."""
    if exercise.reference is None:
        return OwnCode(code_of(exercise, exercise.solution), exercise.probe).ask
    reference = exercise.reference
    return lambda case: outcome(lambda: reference(**copy.deepcopy(case)), "")


def picture_of(exercise: "Coded", got: Any) -> str:
    if exercise.look is None or isinstance(got, Raised):
        return ""
    return str(outcome(lambda: exercise.look(got), ""))  # type: ignore[misc]


def evidence(case: dict[str, Any], got: Any, wanted: Any, tolerance: float) -> str:
    """A case, what the code gave and what is right: grids side by side where they fit, else words."""
    small = {name: value for name, value in case.items() if not isinstance(value, Tensor)}
    lines = [say("practice case", ", ".join(f"{name} = {shorten(value)}" for name, value in small.items()))]
    shown = {name: value for name, value in case.items() if isinstance(value, Tensor)}
    if isinstance(got, Raised):
        lines.append(say("practice raises", error_line(got)))
    else:
        shown[say("practice yours")] = got
    shown[say("practice wanted")] = wanted
    panels = []
    for name, value in shown.items():
        if isinstance(value, Tensor):
            try:
                panels.append((f"{name} {tuple(value.shape)}", grid(value)))
            except ValueError:
                lines.append(f"{name}: {shorten(value)}")
    if panels:
        lines.append(side_by_side(panels))
    if not isinstance(got, Raised):
        lines.append(difference(got, wanted, tolerance))
    return "\n".join(lines)


# --- Cases


def draw_cases(exercise: "Coded", number: int) -> list[dict[str, Any]]:
    """Different cases, drawn with hypothesis; the simplest among the first."""
    drawn: dict[bytes, dict[str, Any]] = {}
    with_hypothesis(exercise, number, lambda case: drawn.setdefault(pack(plain(case)), case), shrink=False)
    return list(drawn.values())


def smallest(
    exercise: "Coded",
    number: int,
    fails: Callable[[dict[str, Any]], bool],
    first: dict[str, Any],
    seconds: float,
) -> dict[str, Any]:
    """The smallest failing case that hypothesis finds in the time; else the first one."""
    deadline = time.monotonic() + seconds
    seen: dict[bytes, bool] = {}
    found, stop = first, None

    def body(case: dict[str, Any]) -> None:
        nonlocal found, stop
        key = pack(plain(case))
        if key not in seen:
            if stop or time.monotonic() > deadline:
                return
            try:
                seen[key] = fails(case)
            except Stopped as error:
                stop = error
                return
        if seen[key]:
            found = case
            raise AssertionError

    try:
        with_hypothesis(exercise, number, body, shrink=True)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
    if stop:
        raise stop
    return found


def with_hypothesis(
    exercise: "Coded", number: int, body: Callable[[dict[str, Any]], Any], shrink: bool
) -> None:
    from hypothesis import HealthCheck, Phase, Verbosity, configuration, given, seed, settings

    # What it notes of the course's files; else that lies wherever the command was typed
    configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir(), "hypothesis"))

    @settings(
        max_examples=exercise.examples,
        database=None,
        deadline=None,
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
    )
    @seed(number)
    @given(exercise.cases)
    def run(case: dict[str, Any]) -> None:
        body(case)

    run()
