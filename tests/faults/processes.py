"""The ``lessons`` command in a process of its own, to be hurt."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from PIL import Image

# Forks of one process that has imported torch: a start takes a tenth of a second instead of seconds
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["lessons.p09_resume", "lessons.course.cli", "matplotlib.pyplot"])


def start(home: Path, *words: object, before: Callable[[], object] | None = None) -> BaseProcess:
    """Begin ``lessons <words>`` with this course folder; what it says is added to ``said(home)``.

    Args:
        before: called in the new process first; it must be a function that can be imported there.
    """
    process = WARM.Process(target=command, args=(home, [str(word) for word in words], before))
    process.start()
    return process


def command(home: Path, words: list[str], before: Callable[[], object] | None) -> None:
    """What the new process does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs without it
    for name in ("LESSONS_DATASET", "LESSONS_LANG", "TORCH_HOME"):
        os.environ.pop(name, None)
    os.environ["LESSONS_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    output = os.open(home / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    sys.argv = ["lessons", *words]
    if before is not None:
        before()

    from lessons.course import cli

    cli.main()


def said(home: Path) -> str:
    """All that the commands with this course folder have said."""
    return (home / "said.txt").read_text("utf-8")


def few_pictures(folder: Path) -> Path:
    """A folder of pictures: 3 classes of one colour with noise, 20 pictures each to train and 4 to test."""
    random = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 4)):
        for number in range(3):
            place = folder / split / f"class{number}"
            place.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 80, (32, 32, 3)) + 80 * number
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index}.png")
    return folder
