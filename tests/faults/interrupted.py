"""Ctrl-C at any moment: one line that says how to go on, and nothing half done."""

import os
import random
import signal
import time
from pathlib import Path

from lessons.course import catalogue
from lessons.course.checkpoints import check_whole

from . import Outcome
from .processes import cpu_seconds, few_pictures, said, start, start_cold, wait

COLD = 6.0  # CPU seconds in which the imports are done and Sketch10 is drawn
WARM = 2.5  # the same for a start without imports, on few pictures: some epochs
NO_END = {  # by lesson
    8: ("--epochs", 1000, "--patience", 1000),
    9: ("--epochs", 1000),
    14: ("--width", "small", "--epochs", 1000),
}


def ctrl_c(tries: int, seed: int, folder: Path) -> Outcome:
    """Ctrl-C, once or twice, in lessons 8, 9 and 14: while they import, draw, train, validate or write.

    Exit code 130, a last line that says how to go on, a checkpoint where one is due, nothing half done, no
    traceback.
    """
    choose, lost, slowest = random.Random(seed), [], (0.0, "")
    pictures = few_pictures(folder / "pictures")
    for number in range(tries):
        lesson, cold, twice = choose.choice(list(NO_END)), number % 4 == 0, choose.random() < 0.5
        home = folder / str(number)
        if cold:
            moment = choose.uniform(0.15, COLD)  # before that, Python itself is just starting
            process = start_cold(home, "run", lesson, *NO_END[lesson])
        else:
            moment = choose.uniform(0.1, WARM)
            process = start(home, "run", lesson, "--dataset", pictures, "--batch-size", 9, *NO_END[lesson])
        case = f"lesson {lesson}, {'twice' if twice else 'once'}, after {moment:.2f} s"
        wait(process, lambda: cpu_seconds(process.pid) >= moment)  # noqa: B023  called in this round alone
        begun = time.perf_counter()
        for pause in (0, choose.uniform(0, 0.2))[: 1 + twice]:
            time.sleep(pause)
            if process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        process.join()
        slowest = max(slowest, (time.perf_counter() - begun, case))
        lost += [f"{case}: {what}" for what in wrong(home, process.exitcode, lesson, twice)]
    return Outcome(tries, tries - len({line.partition(": ")[0] for line in lost}), lost, slowest)


def wrong(home: Path, code: int, lesson: int, twice: bool) -> list[str]:
    """What is not as it should be after Ctrl-C."""
    found, words = [], said(home)
    if code not in (130, -signal.SIGINT):  # a shell makes 130 of the second, too
        found.append(f"exit code {code}")
    if "Traceback" in words or "Stopped" not in words.splitlines()[-1]:
        found.append(f"it said {words[-300:]!r}")
    half = [
        path.name
        for path in home.rglob("*")
        if path.name.endswith(".tmp") or path.name.startswith(".run.json")
    ]
    found += [f"it left {name}" for name in half]
    for card in home.glob("logs/*/*/run.json"):
        status = catalogue.read_card(card)["status"]
        if status == "running" and not twice:
            found.append("its run still runs")
    for path in home.glob("models_saved/*/*/*.pth"):
        check_whole(path)
    ways = (f"lessons run {lesson} --resume goes on", "the same command with --resume goes on")
    if list(home.glob("models_saved/*/*/last.pth")) and not any(way in words for way in ways):
        found.append(f"there is a checkpoint, and it said {words[-200:]!r}")
    return found
