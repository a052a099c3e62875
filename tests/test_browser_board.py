"""TensorBoard's own pages as ``lessons board`` serves them, over the logs of a run of all lessons."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from quick_lessons import make_quick

from lessons.course.board import start_board
from lessons.course.catalogue import find_lessons, named_tabs
from lessons.course.runner import run_lessons

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def logs(tmp_path_factory, small_pictures) -> Path:
    """The logs of ``lessons run``, on few pictures and in few steps."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESSONS_HOME", str(home))
        make_quick(patch, small_pictures)
        assert run_lessons(list(find_lessons().values()), []) == 0
    return home / "logs"


def test_time(logs):
    pass
