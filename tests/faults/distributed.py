"""Lesson 13, with one of its processes lost, frozen, or stopped by Ctrl-C."""

import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from lessons.course.checkpoints import check_whole
from lessons.course.logbook import read_events

from . import Outcome
from .processes import ColdProcess, few_pictures, said, start_cold, wait

AGAIN = "--resume goes on after the last whole epoch"
HARMS: dict[str, tuple[Callable[[ColdProcess, list[int]], None], int, str]] = {
    # what is done: (how, to the process that starts the others, and to those; its exit code; what it says)
    "process 0 killed": (lambda process, pids: os.kill(pids[0], signal.SIGKILL), 2, AGAIN),
    "process 1 killed": (lambda process, pids: os.kill(pids[1], signal.SIGKILL), 2, AGAIN),
    "process 0 frozen": (lambda process, pids: os.kill(pids[0], signal.SIGSTOP), 2, AGAIN),
    "process 1 frozen": (lambda process, pids: os.kill(pids[1], signal.SIGSTOP), 2, AGAIN),
    "the launcher killed": (lambda process, pids: process.kill(), -signal.SIGKILL, ""),
    "Ctrl-C": (lambda process, pids: os.killpg(process.pid, signal.SIGINT), 130, "--resume goes on from"),
    "Ctrl-C twice": (lambda process, pids: press_twice(process), 130, "Stopped"),
}


def press_twice(process: ColdProcess) -> None:
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.1)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)


def lost_processes(tries: int, seed: int, folder: Path) -> Outcome:
    """Lesson 13: each process killed or frozen, the launcher killed, Ctrl-C once and twice; then resumed.

    All processes end, one sentence says how to go on, and the curves of the run that goes on have each epoch
    once. The seed says with which harm it begins.
    """
    lost, slowest, names = [], (0.0, ""), list(HARMS)
    pictures = few_pictures(folder / "pictures")
    words = ("run", 13, "--dataset", pictures, "--batch-size", 20, "--timeout", 15)
    for number in range(tries):
        name = names[(seed + number) % len(names)]
        harm, code, sentence = HARMS[name]
        home = folder / str(number)
        process = start_cold(home, *words, "--epochs", 1000)
        wait(process, lambda: saved_by(home))  # noqa: B023  called in this round alone
        pids = [int(pid) for _, pid in sorted(re.findall(r"process (\d) of 2: pid (\d+)", said(home)))]
        begun = time.perf_counter()
        harm(process, pids)
        process.join()
        while any(map(is_alive, pids)) and time.perf_counter() - begun < 300:
            time.sleep(0.05)
        slowest = max(slowest, (time.perf_counter() - begun, name))
        if process.exitcode != code or sentence not in said(home) or "Traceback" in said(home):
            lost.append(f"{name}: exit code {process.exitcode}, and it said {said(home)[-500:]!r}")
        lost += [f"{name}: process {pid} goes on" for pid in pids if is_alive(pid)]
        lost += [f"{name}: {what}" for what in wrong_when_resumed(home, words)]
    return Outcome(tries, tries - len({line.partition(":")[0] for line in lost}), lost, slowest)


def wrong_when_resumed(home: Path, words: tuple[object, ...]) -> list[str]:
    """Go on for one epoch; what is not as it should be."""
    (path,) = saved_by(home)
    check_whole(path)
    epochs = len(torch.load(path)["history"]) + 1
    process = start_cold(home, *words, "--epochs", epochs, "--resume")
    process.join()
    if process.exitcode:
        return [f"--resume: exit code {process.exitcode}, and it said {said(home)[-500:]!r}"]
    curve = read_events(home / "logs" / "p13_distributed" / path.parent.name / "mean").Scalars("loss")
    steps = [event.step for event in curve]
    return [] if steps == list(range(1, epochs + 1)) else [f"--resume: the curve has the steps {steps}"]


def saved_by(home: Path) -> list[Path]:
    return list(home.glob("models_saved/p13_distributed/*/last.pth"))


def is_alive(pid: int) -> bool:
    """Whether there is such a process, which has not just ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
