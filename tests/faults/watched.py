"""A function that meets bad input in a process of its own, which may hang, crash or swallow memory."""

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from lessons.course import CourseError

from .processes import WARM

HUNG = 120  # seconds without an answer after which the process is killed: long, since others compute too


class Seen(NamedTuple):
    """What the function did with one case."""

    answer: Any  # None unless it gave one
    sentence: str  # of the CourseError that it raised
    wrong: str  # what it must never do: a traceback, a crash, silence
    said: str  # all that came to stdout and stderr, from libraries in C too
    seconds: float  # of computing
    megabytes: float  # at the peak, beyond what the process held before


def watch(function: Callable[[Any], Any], cases: Iterable[Any]) -> Iterator[tuple[Any, Seen]]:
    """Each case, and what ``function(case)`` does; the process is started anew when one has ended it."""
    here, process = _start(function)
    try:
        for case in cases:
            here.send(case)
            seen = _answer(here, process)
            if seen.wrong and not process.is_alive():
                here, process = _start(function)
            yield case, seen
    finally:
        process.kill()
        process.join()


def _start(function: Callable[[Any], Any]) -> tuple[Connection, BaseProcess]:
    here, there = multiprocessing.Pipe()
    process = WARM.Process(target=_work, args=(function, there))
    process.start()
    there.close()  # so that the end of the process is the end of the pipe
    return here, process


def _answer(here: Connection, process: BaseProcess) -> Seen:
    try:
        if here.poll(HUNG):
            return here.recv()
        wrong = f"no answer for {HUNG} s"
    except (EOFError, ConnectionError):
        process.join()
        wrong = f"the process has ended with code {process.exitcode}"
    process.kill()
    process.join()
    return Seen(None, "", wrong, "", 0.0, 0.0)


def _work(function: Callable[[Any], Any], there: Connection) -> None:
    while (case := _next_case(there)) is not None:
        answer, sentence, wrong = None, "", ""
        with _everything_said() as said:
            before, start = _peak(reset=True), time.process_time()
            try:
                answer = function(case)
            except CourseError as error:
                sentence = str(error)
            except BaseException:
                wrong = traceback.format_exc()
            seconds, peak = time.process_time() - start, _peak()
        there.send(Seen(answer, sentence, wrong, "".join(said), seconds, peak - before))


def _next_case(there: Connection) -> Any:
    """None when there is nobody any more to ask."""
    try:
        return there.recv()
    except (EOFError, ConnectionError):
        return None


@contextmanager
def _everything_said() -> Iterator[list[str]]:
    """A list that holds, at the end, what was written to the file descriptors of stdout and stderr."""
    said: list[str] = []
    file, kept = os.memfd_create("said"), (os.dup(1), os.dup(2))
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        yield said
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)
        said.append(os.pread(file, 10_000, 0).decode(errors="replace"))
        os.close(file)


def _peak(reset: bool = False) -> float:
    """MB of memory that this process has held at most since the last reset; 0 on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return 0.0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000
