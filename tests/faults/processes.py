"""The ``lessons`` command in a process of its own, to be hurt."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
from PIL import Image

# Forks of one process that has imported torch: a start takes a tenth of a second instead of seconds
WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(["lessons.p14_deeper", "lessons.course.cli", "matplotlib.pyplot"])


def start(home: Path, *words: object, before: Callable[[], object] | None = None) -> BaseProcess:
    """Begin ``lessons <words>`` with this course folder; what it says is added to ``said(home)``.

    Args:
        before: called in the new process first; it must be a function that can be imported there.
    """
    process = WARM.Process(target=command, args=(home, [str(word) for word in words], before))
    process.start()
    return process


class ColdProcess(subprocess.Popen):
    """What ``start_cold`` gives, to be asked as the others are."""

    def is_alive(self) -> bool:
        return self.poll() is None

    def join(self) -> None:
        self.wait()

    @property
    def exitcode(self) -> int | None:
        return self.poll()


def start_cold(home: Path, *words: object) -> ColdProcess:
    """The same as a learner starts it, imports and all."""
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "lessons", *map(str, words)]
    with said_file(home).open("ab") as output:
        return ColdProcess(
            command,
            stdout=output,
            stderr=output,
            env=os.environ | {"LESSONS_HOME": str(home)},
            start_new_session=True,  # as in a terminal, Ctrl-C can reach it and all that it starts
        )


def wait(process: BaseProcess | ColdProcess, until: Callable[[], object] = lambda: False) -> float:
    """Wait until something is so, or the process is over; the CPU seconds that it has used by then.

    Seconds on the clock would say little of how far it has come, where others want the processor too.
    """
    used = 0.0
    while process.is_alive() and not until():
        used = cpu_seconds(process.pid) or used
        time.sleep(0.005)
    return used


def cpu_seconds(pid: int | None) -> float:
    """What a process has used of the processor; 0 when it is over."""
    with suppress(OSError):
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def command(home: Path, words: list[str], before: Callable[[], object] | None) -> None:
    """What the new process does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs without it
    for name in ("LESSONS_DATASET", "LESSONS_LANG", "TORCH_HOME"):
        os.environ.pop(name, None)
    os.environ["LESSONS_HOME"] = str(home)
    home.mkdir(parents=True, exist_ok=True)
    output = os.open(said_file(home), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number in (1, 2):
        os.dup2(output, number)
    sys.argv = ["lessons", *words]
    if before is not None:
        before()

    from lessons.__main__ import main

    main()


def said(home: Path) -> str:
    """All that the commands with this course folder have said."""
    return said_file(home).read_text("utf-8")


def said_file(home: Path) -> Path:
    """Beside the course folder, which may be full."""
    return home.with_name(f"{home.name} said.txt")


def few_pictures(folder: Path, classes: int = 3) -> Path:
    """A folder of pictures: classes of one colour with noise, 20 pictures each to train and 4 to test."""
    random, step = np.random.default_rng(0), 240 // classes
    for split, count in (("train", 20), ("test", 4)):
        for number in range(classes):
            place = folder / split / f"class{number}"
            place.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, step, (32, 32, 3)) + step * number
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{index}.png")
    return folder
