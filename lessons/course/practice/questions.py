"""The numbers of a Predict: drawn so that no two answers that mean different things are the same."""

from collections import Counter
from itertools import combinations
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from lessons.course.practice.plain import difference, plain, shorten
from lessons.course.practice.shelf import text

if TYPE_CHECKING:
    from lessons.practice import Predict

DRAWS = 500


def numbers_of(exercise: "Predict", question: int) -> dict[str, Any]:
    """The numbers of a question: the same for the same number.

    Raises:
        RuntimeError: when in many draws two answers always coincide.
    """
    random = Random(question)
    coincide: Counter[tuple[int, int]] = Counter()
    for _ in range(DRAWS):
        drawn = exercise.draw(random)
        try:
            values = [comparable(value) for value in answers(exercise, drawn)]
        except (ArithmeticError, ValueError, IndexError, RuntimeError):  # no such layer, or no such answer
            continue
        pairs = combinations(range(len(values)), 2)
        same = [(i, j) for i, j in pairs if not difference(values[i], values[j], exercise.tolerance)]
        if not same:
            return drawn
        coincide.update(same)
    most = ", ".join(f"{i} and {j} ({count} times)" for (i, j), count in coincide.most_common(3))
    raise RuntimeError(
        f"in each of {DRAWS} draws two answers coincide, or one cannot be worked out; "
        f"0 being the right one: {most}"
    )


def answers(exercise: "Predict", numbers: dict[str, Any]) -> list[Any]:
    """The right answer and the known wrong ones, as plain values."""
    q = SimpleNamespace(**numbers)
    return [plain(exercise.right(q)), *(plain(wrong.answer(q)) for wrong in exercise.wrong)]


def sentence_values(exercise: "Predict", numbers: dict[str, Any], answer: str = "") -> dict[str, Any]:
    """What a sentence may name: the numbers, ``right`` and ``answer``."""
    right = plain(exercise.right(SimpleNamespace(**numbers)))
    return {**numbers, "answer": answer, "right": as_written(right)}


def as_written(value: Any) -> str:
    """A value as the learner would write it: a list as a tuple."""
    return repr(tuple(value)) if isinstance(value, list) else shorten(value)


def filled_texts(exercise: "Predict", question: int = 1) -> tuple[str, str]:
    """The task and the formula of a question, with its numbers."""
    values = sentence_values(exercise, numbers_of(exercise, question))
    return text(exercise.task).format(**values), text(exercise.formula).format(**values)


def comparable(value: Any) -> Any:
    """Texts without regard to case and space."""
    if isinstance(value, str):
        return " ".join(value.lower().split())
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    return value
