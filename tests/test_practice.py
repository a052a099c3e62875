"""Every exercise holds to its form: unsolved at the start, solvable, each known wrong answer named."""

import pytest

from lessons.course.practice.lint import lint
from lessons.course.practice.shelf import find_exercises


@pytest.mark.parametrize("entry", find_exercises(), ids=lambda entry: entry.key)
def test_exercise_holds_to_its_form(entry):
    assert list(lint(entry)) == []
