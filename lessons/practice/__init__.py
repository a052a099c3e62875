'''Exercises: one folder a lesson, one file an exercise, and the few words that such a file is written with.

The file's place is its name: ``lessons/practice/p02_conv2d/output_size.py`` is the exercise ``output_size``
of lesson 2, and no other file has to know it. It assigns one ``exercise = Predict(...)``, ``Write(...)`` or
``Mend(...)``. A lesson's exercises stand in this order of kinds, then by name. What a learner reads is
always a pair, English and Chinese. ``title`` is read without running the file, so it must be a literal pair.

Predict: numbers are drawn, the learner writes ``answer = ...``
---------------------------------------------------------------
::

    def draw(random):  # a random.Random; gives the question's numbers by name
        return {"size": random.randint(20, 40), "kernel": random.choice([3, 5, 7])}

    exercise = Predict(
        title=("The size after a convolution", "卷积之后的尺寸"),
        task=("A {size}x{size} picture, a {kernel}x{kernel} kernel: how high is the output?", "..."),
        draw=draw,
        right=lambda q: q.size - q.kernel + 1,
        formula=("{size} - {kernel} + 1 = {right}", "..."),  # shown after an answer, with the numbers
        hints=[("...", "..."), ("...", "..."), ("...", "...")],
        wrong=[
            Wrong(lambda q: q.size - q.kernel, "Without the + 1 it is {answer}: the kernel ...", "..."),
            ...
        ],
        learned=("Each side loses {kernel} - 1 ...", "..."),
    )

A question in which two of these answers coincide is never asked: the numbers are drawn again. After a wrong
answer the learner corrects it, and then answers one more question, with new numbers: only an answer that is
right at the first go passes. So a sentence may tell everything: ``{answer}``, ``{right}`` and all numbers.
An answer is a number, a text (case and spaces do not count), a bool, or a tuple, list or dict of these.
``tolerance=0.02`` lets numbers be 2 % off. For "which curve is it", draw the curves in ``draw``
(``curve(losses)`` is a text), put them into the task, and ask for several at once: with a dozen possible
answers, guessing does not pay.

Write: the learner fills a function, and many drawn cases compare it with PyTorch
---------------------------------------------------------------------------------
::

    exercise = Write(
        title=..., task=..., hints=..., learned=...,
        start="""
            def relu(numbers):
                ...
            """,
        solution="""
            import torch

            def relu(numbers):
                return torch.where(numbers > 0, numbers, 0)
            """,
        cases=st.fixed_dictionaries({"numbers": tensors(1, (1, 6))}),  # hypothesis; a case is a dict
        probe=lambda learner, numbers: learner.relu(numbers),  # the learner's module, and the case by name
        reference=lambda numbers: torch.relu(numbers),  # what is right; else the solution's outcome is
        without=("relu", "clamp"),  # operations of PyTorch (aten) that would be no answer
        wrong=[Wrong({"numbers > 0": "numbers < 0"}, "You keep what should go.", "..."), ...],
        variants=[{"numbers > 0": "numbers >= 0"}, """...a whole file...""", ...],  # right as well
    )

Mend: the same, with a start that runs and is wrong
---------------------------------------------------
::

    exercise = Mend(
        ...,
        start={"optimizer.zero_grad()": "pass"},  # the bug, as a change of the solution
        symptom=("The loss still reaches {got[late]:.2f} ...", "..."),  # the start's own sentence
        look=lambda got: curve(got["losses"]),  # what the probe saw, drawn; a Write may have it too
        cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    )

What holds for all
------------------

- **Code** is a whole file as text (its common indentation is taken away), or changes ``{"old": "new"}`` of
  the solution, each of which must apply.
- **A known wrong answer is recognised by what it does**, never by its text: on all drawn cases the learner's
  outcomes equal those of the wrong code. So the probe must see where two wrong codes differ: let it note
  more than the result (how far the weights moved, how often ``step`` was called, the shape after each
  layer), and where a layer may refuse, note what came before (p04_sequential/from_a_table). At least four,
  of the kind that people write.
- **The probe measures and does not judge.** It runs in the learner's process and gives back plain values:
  numbers, texts, bools, tensors, and lists, tuples and dicts of these. It is compared elsewhere, on a copy
  of the case. Random numbers are seeded before each probe, and the working directory is empty and its own.
  In that process ``exercise`` and what is its reference are taken out of the file: a probe cannot use them.
  What the learner's code raises is an outcome like any other, the same as another of its type. What right
  answers may do differently (other random numbers, another order) must not be in the outcome.
- **Sentences** (``wrong``, ``symptom``, ``formula``, ``learned``) are templates as ``str.format`` takes
  them. Write and Mend have the numbers of the smallest failing case by name, ``{got}``, what the learner's
  code gave, and ``{wanted}``: ``{got[losses][0]:.2f}``, ``{picture.shape}``; ``learned`` also has
  ``{cases}``, how many were compared. A brace of its own is written twice. ``task`` is a template in a
  Predict alone. Say what was missed and why, with the numbers, in one to three sentences, and no more than
  the outcome proves.
- **Hints**: at least three, each saying more; the last nearly gives it away.
- **Speed**: with one thread, a check well under half a second: a few hundred weights and some dozens of
  steps. ``examples`` says how many cases are drawn (40 for Write, 4 for Mend). Importing the file must
  compute nothing.

``lessons practice lint NAME`` holds an exercise to all this and says what is missing.
'''

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lessons.course.practice.grids import curve, grid
from lessons.course.practice.strategies import tensors

__all__ = ["Mend", "Predict", "Write", "Wrong", "curve", "grid", "tensors"]

Text = tuple[str, str]  # English, Chinese
Code = str | Mapping[str, str]  # a whole file, or changes of the solution


@dataclass(frozen=True)
class Wrong:
    """A known wrong answer, and the sentence for the learner who gives it.

    ``answer`` is for a Predict a function of the question's numbers, else Code.
    """

    answer: Any
    english: str
    chinese: str

    @property
    def says(self) -> Text:
        return self.english, self.chinese


@dataclass(frozen=True, kw_only=True)
class Exercise:
    """What all kinds have."""

    title: Text  # a few words
    task: Text  # what to do; line breaks are kept, at most 100 columns
    hints: Sequence[Text]
    wrong: Sequence[Wrong]
    learned: Text  # two or three sentences after passing


@dataclass(frozen=True, kw_only=True)
class Predict(Exercise):
    """Numbers are drawn; the learner says what comes out, without running it."""

    draw: Callable[[Random], dict[str, Any]]
    right: Callable[[Any], Any]
    formula: Text  # with the numbers, shown after a wrong answer
    tolerance: float = 0.0  # of a number, relative


@dataclass(frozen=True, kw_only=True)
class Coded(Exercise):
    """What Write and Mend share: code, run on drawn cases."""

    start: Code
    solution: str
    variants: Sequence[Code]  # right as well
    cases: Any  # a hypothesis strategy; each case a dict, its keys the probe's parameters
    probe: Callable[..., Any]
    reference: Callable[..., Any] | None = None
    look: Callable[[Any], str] | None = None  # a picture of an outcome, for the terminal
    without: Sequence[str] = ()  # beginnings of the names of operations that the learner may not call
    tolerance: float = 1e-4  # of each number, relative; a tenth of it absolute
    examples: int = 40


@dataclass(frozen=True, kw_only=True)
class Write(Coded):
    """The learner writes a function; many cases compare it with the right one."""


@dataclass(frozen=True, kw_only=True)
class Mend(Coded):
    """The learner mends a short script; ``symptom`` says what is seen of the bug before it is mended."""

    symptom: Text
    examples: int = 4
