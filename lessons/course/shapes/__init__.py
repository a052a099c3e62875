"""A shape that does not fit, explained in the learner's own numbers.

    with why():                    # in a notebook or a script: a shape error says where, why and what to do
        loss = loss_fn(model(imgs), targets)
    print(explain(model, imgs))    # the same as text, without raising anything

``lessons why my_script.py`` does it for a script that stays as it is. Nothing watches while nothing fails:
the explanation starts from the traceback.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lessons.course.shapes.checks import explain_no_weights, explain_other_weights, explain_wrong_input

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "explain",
    "explain_error",
    "explain_no_weights",
    "explain_other_weights",
    "explain_wrong_input",
    "why",
]


def explain_error(error: BaseException) -> str | None:
    """The report on an exception; None when it is about something else than shapes."""
    from lessons.course.shapes.explain import Explanation
    from lessons.course.shapes.failure import ABOUT_SHAPES, find_failure
    from lessons.course.shapes.words import say

    try:
        last_line = str(error).rstrip().rpartition("\n")[2]
        if type(error).__name__ == "ProcessRaisedException" and ABOUT_SHAPES.search(last_line):
            return f"{last_line}\n\n{say('other process')}"
        failure = find_failure(error)
        return Explanation(failure).text if failure is not None else None
    except Exception:  # the learner's own error must come through, whatever is in the way of explaining it
        return None


def explain(model: "nn.Module", *args: Any, **kwargs: Any) -> str:
    """Whether a network takes what it is called with, as text: the way through it, and what stops it.

    It runs on a copy without numbers, so that this costs little also for a large network.
    """
    import torch

    from lessons.course.shapes.explain import run_through

    with torch.no_grad():
        return run_through(model, args, kwargs)


@contextlib.contextmanager
def why() -> Iterator[None]:
    """A shape error in the block carries its explanation: Python shows it below the traceback."""
    try:
        yield
    except Exception as error:
        report = explain_error(error)
        if report is not None:
            error.add_note(f"\n{report}")
        raise
