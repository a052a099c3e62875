"""A check: a judge in a process of its own, which has another process for the learner's code.

Where there is fork, both come from a process that has imported torch and computed nothing (multiprocessing's
forkserver), so a second check takes a fraction of a second. Elsewhere each is started afresh.
"""

import contextlib
import json
import multiprocessing
import os
import re
import shutil
import tempfile
import time
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from random import SystemRandom
from typing import Any

from lessons.course import CourseError
from lessons.course.notes import language
from lessons.course.practice.desk import kept_files
from lessons.course.practice.limits import Limits, adopt_orphans, end_group, end_orphans
from lessons.course.practice.shelf import Entry, code_of, text
from lessons.course.words import say

PATIENCE = 60.0  # seconds for a judge, its own imports included; its learner's code has Limits.seconds
PRELOAD = ["lessons.course.practice.judge", "lessons.course.practice.warm"]


def context(fork: bool) -> Any:
    """How a judge is started."""
    if not fork:
        return multiprocessing.get_context("spawn")
    warm = multiprocessing.get_context("forkserver")
    warm.set_forkserver_preload(PRELOAD)
    return warm


def check(
    entry: Entry, file: Path, number: int | None = None, limits: Limits | None = None
) -> dict[str, Any]:
    """The verdict on a file, as :class:`judge.Verdict` has it; where there is no file yet, it is made.

    Beside the verdict stands what else the command shows: ``seconds``, ``hints``, and after passing
    ``solution`` and ``question_block``, one more question; so the command itself never imports torch.
    ``number`` chooses the cases; without it they are new each time.

    Raises:
        CourseError: for an exercise that has a mistake itself.
    """
    number = SystemRandom().randrange(2**32) if number is None else number
    limits = limits or Limits()
    start = time.perf_counter()
    ours, theirs = multiprocessing.Pipe()
    folder = Path(tempfile.mkdtemp(prefix="practice-"))
    process = context(limits.fork).Process(
        target=judge_in_own_process, args=(entry, file, folder, theirs, number, language(), limits)
    )
    learner = 0
    verdict: dict[str, Any] = {}
    try:
        with kept_files() as restored:
            process.start()
            theirs.close()
            try:
                deadline = time.monotonic() + PATIENCE
                while not verdict and ours.poll(max(0, deadline - time.monotonic())):
                    message = json.loads(ours.recv_bytes())
                    learner = message.pop("learner", learner)
                    verdict = message
            except (EOFError, OSError):
                pass
            finally:
                if not verdict:  # the judge is gone or stuck: whatever it has started goes too
                    for pid in (process.pid, learner):
                        if pid:
                            end_group(pid)
                process.join(5)
        if "trouble" in verdict:
            raise CourseError(f"{entry.key} cannot be checked: {verdict['trouble']}")
        verdict = verdict or {"status": "stopped", "seen": say("practice judge gone"), "hints": []}
        if restored:
            verdict["seen"] = "\n".join(
                [verdict.get("seen", ""), say("practice restored", ", ".join(path.name for path in restored))]
            ).strip()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {**verdict, "seconds": time.perf_counter() - start}


# --- In the judge's process


def judge_in_own_process(
    entry: Entry, file: Path, folder: Path, front: Connection, number: int, lang: str, limits: Limits
) -> None:
    """Start the learner's process, make the verdict and send it as JSON."""
    os.environ["LESSONS_LANG"] = lang
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # Ctrl-C in the terminal is for the command
    tempfile.tempdir = str(folder)
    adopt_orphans()
    from lessons.course.practice.judge import judge
    from lessons.course.practice.sheet import ensure_file

    bench = None
    try:
        ensure_file(entry, file)
        # First of all, so that it holds nothing of what is worked out here
        bench = LearnerProcess(entry, file, folder, limits)
        front.send_bytes(json.dumps({"learner": bench.process.pid}).encode())
        exercise = entry.load()
        verdict = judge(exercise, bench, number, limits.shrinking)
        verdict.printed = bench.printed()
        answer = {**asdict(verdict), **what_else(exercise, verdict.status)}
    except Exception as error:  # the exercise's own mistake
        answer = {"trouble": f"{type(error).__name__}: {error}"}
    finally:
        if bench:
            bench.end()
    front.send_bytes(json.dumps(answer).encode())


def what_else(exercise: Any, status: str) -> dict[str, Any]:
    """What the command shows beside the verdict."""
    from lessons.course.practice.sheet import question_block
    from lessons.practice import Predict

    shown: dict[str, Any] = {"hints": [text(hint) for hint in exercise.hints]}
    if status == "passed" and isinstance(exercise, Predict):
        shown["question_block"] = question_block(exercise)
    elif status == "passed":
        shown["solution"] = code_of(exercise, exercise.solution)
    return shown


class LearnerProcess:
    """The bench on which the learner's file runs: a process with limits."""

    def __init__(self, entry: Entry, file: Path, folder: Path, limits: Limits) -> None:
        from lessons.course.practice.bench import serve

        self.folder, self.file, self.limits = folder, file, limits
        self.asked_at = 0  # how much had been printed when the last case was asked
        start: Any = multiprocessing.get_context("fork" if limits.fork else "spawn")
        self.conn, theirs = multiprocessing.Pipe()
        self.process = start.Process(target=serve, args=(entry, file, folder, theirs, limits))
        self.process.start()
        theirs.close()
        self.left = limits.seconds

    def load(self) -> Any:
        self.receive(PATIENCE)  # ready: what comes now is the learner's time
        return self.outcome()

    def ask(self, case: dict[str, Any]) -> Any:
        from lessons.course.practice.judge import Stopped
        from lessons.course.practice.plain import pack

        self.asked_at = self.printed_bytes()
        try:
            self.conn.send_bytes(pack(case))
        except OSError as error:
            raise Stopped(self.how_it_ended()) from error
        return self.outcome()

    def outcome(self) -> Any:
        """The outcome that the learner's process sends next, for as long as it has time left."""
        from lessons.course.practice.judge import Stopped
        from lessons.course.practice.plain import Raised, unpack

        asked = time.monotonic()
        content = self.receive(self.left)
        self.left -= time.monotonic() - asked
        try:
            given = unpack(content)
        except Exception as error:
            raise Stopped(say("practice no plain values")) from error
        if isinstance(given, Raised) and (
            given.type == "MemoryError" or "can't allocate memory" in given.message
        ):
            where = say("practice line", given.line) if given.line else ""
            raise Stopped(say("practice memory", self.limits.memory / 2**30, where))
        return given

    def receive(self, seconds: float) -> bytes:
        """What the learner's process sends next.

        Raises:
            Stopped: when it takes longer than that, prints too much or ends.
        """
        from lessons.course.practice.judge import Stopped

        deadline = time.monotonic() + seconds
        while not self.conn.poll(0.02):
            if time.monotonic() > deadline:
                raise Stopped(say("practice too slow", self.limits.seconds, self.stuck_at()))
            if self.printed_bytes() > self.limits.printed:
                raise Stopped(say("practice prints", self.limits.printed / 2**20))
        try:
            return self.conn.recv_bytes(self.limits.file_size)
        except (EOFError, OSError) as error:
            raise Stopped(self.how_it_ended()) from error

    def how_it_ended(self) -> str:
        self.process.join(1)
        code = self.process.exitcode
        return say("practice killed", -code) if code and code < 0 else say("practice ended", code)

    def stuck_at(self) -> str:
        """The line of the learner's file in which it was when its time was over; empty when not known."""
        with contextlib.suppress(OSError):
            stacks = (self.folder / "stuck.txt").read_text("utf-8", errors="replace")
            last = stacks.rpartition("Timeout")[2]
            line = re.search(rf'yours[/\\]{re.escape(self.file.name)}", line (\d+)', last)
            return say("practice line", line[1]) if line else ""
        return ""

    def printed_bytes(self) -> int:
        with contextlib.suppress(OSError):
            return (self.folder / "printed.txt").stat().st_size
        return 0

    def printed(self, most: int = 12) -> str:
        """The last lines of what the learner's file has printed for the case that was asked last."""
        with contextlib.suppress(OSError), (self.folder / "printed.txt").open("rb") as file:
            file.seek(max(self.asked_at, self.printed_bytes() - 10_000))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
            return "\n".join(["...", *lines[-most:]] if len(lines) > most else lines)
        return ""

    def end(self) -> None:
        end_group(self.process.pid)
        self.process.join(1)
        end_orphans()
