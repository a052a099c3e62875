"""A training that is killed again and again, and ends as one that never was."""

import functools
import io
import os
import random
import signal
import time
from pathlib import Path

import torch

from lessons import p07_save_load
from lessons.course.logbook import read_events

from . import Outcome
from .processes import cpu_seconds, few_pictures, said, start, wait

LONG = {9: (), 14: ("--width", "small")}  # by lesson: the options of the training that goes on after a stop
CURVES = {"train": ("loss", "accuracy"), "validation": ("loss", "accuracy"), "": ("learning rate",)}


def sigkill(tries: int, seed: int, folder: Path) -> Outcome:
    """Lessons 9 and 14 killed (SIGKILL), one time in five while a checkpoint is written, resumed to the end.

    Half of the tries each. Then the weights, the optimizer and the curves are those of a run that was never
    killed, and nothing half written is left. Where no checkpoint was there yet, it is started anew.
    """
    pictures, half = few_pictures(folder / "pictures"), tries // 2
    tried, anew, lost = 0, 0, []
    for lesson, kills in zip(LONG, (tries - half, half), strict=True):
        if kills:
            words = ("run", lesson, *LONG[lesson], "--dataset", pictures, "--batch-size", 9)
            outcome = one_training(words, kills, random.Random(seed), folder / f"lesson {lesson}")
            tried, anew = tried + outcome.tried, anew + outcome.refused
            lost += [f"lesson {lesson}: {what}" for what in outcome.lost]
    return Outcome(tried, anew, lost)


def one_training(words: tuple[object, ...], kills: int, choose: random.Random, folder: Path) -> Outcome:
    """The training that these words begin, killed so many times; ``refused``: how often it began anew."""
    epochs = 3 * kills  # no part is longer than three
    training = (*words, "--epochs", epochs)
    never = start(folder / "never", *training)
    first = wait(never, lambda: go_on(folder / "never"))  # CPU seconds until the first checkpoint
    whole = max(first, wait(never))
    if never.exitcode:
        return Outcome(0, 0, [f"the run that nobody kills: {said(folder / 'never')}"])
    longest = first + 2 * (whole - first) / (epochs - 1)
    (saved,) = folder.glob("never/models_saved/*/*/last.pth")
    size = saved.stat().st_size

    home, lost, anew = folder / "killed", [], 0
    for number in range(kills):
        words = go_on(home) or training
        anew += words is training
        if number % 5 == 1:  # at the first save or the second: of best.pth, or of last.pth
            nth, byte = choose.randint(1, 2), int(choose.uniform(0, 0.8) * size)
            halves = half_written(home)
            process = start(home, *words, before=functools.partial(die_while_saving, nth, byte))
            process.join()
            if not set(half_written(home)) - set(halves):
                lost.append(f"kill {number} was to hit a checkpoint, and has not")
        else:
            process = start(home, *words)
            moment = choose.uniform(*choose.choice([(0, first), (first, longest)]))
            wait(process, lambda: cpu_seconds(process.pid) >= moment)  # noqa: B023  called in this round alone
            process.kill()
            process.join()
        if process.exitcode != -signal.SIGKILL:
            lost.append(f"kill {number}: exit code {process.exitcode}: {said(home)[-300:]}")
        time.sleep(1)  # as a start with imports: event files are read in the order of their seconds
    last = start(home, *(go_on(home) or training))
    last.join()
    if last.exitcode:
        return Outcome(kills, anew, [*lost, f"the last part: exit code {last.exitcode}: {said(home)[-300:]}"])
    lost += [f"it left {path.name}" for path in half_written(home)]
    return Outcome(kills, anew, lost + differences(folder / "never", home))


def go_on(home: Path) -> tuple[object, ...]:
    """The words that resume; none while there is no checkpoint."""
    for path in home.glob("models_saved/*/*/last.pth"):
        return ("run", int(path.parents[1].name[1:3]), "--resume")
    return ()


def half_written(home: Path) -> list[Path]:
    """What is left of checkpoints that were being written."""
    return sorted(home.glob("models_saved/*/*/*.tmp"))


def die_while_saving(nth: int, byte: int) -> None:
    """Let this process kill itself when it is so far in its nth checkpoint from now on."""

    class Deadly(io.FileIO):
        def write(self, content: object) -> int:
            if self.tell() > byte:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().write(content)

    def open_deadly(path: Path, mode: str) -> io.IOBase:
        nonlocal nth
        nth -= not path.name.startswith("half.pth")  # lesson 9's small file, of half a training
        return open(path, mode) if nth else Deadly(path, mode)

    p07_save_load.open = open_deadly


def differences(never: Path, killed: Path) -> list[str]:
    """In what the finished run of one course folder differs from that of the other; a line each."""
    found, both = [], []
    for home in (never, killed):
        (last,) = [path for path in home.glob("models_saved/*/*/last.pth") if torch.load(path)["finished"]]
        both.append(last)
    for name in ("last.pth", "best.pth"):
        one, other = (torch.load(last.with_name(name)) for last in both)
        for key in one.keys() - {"run"}:
            if not same(one[key], other[key]):
                found.append(f"{name} has another {key}")
    for curve, tags in CURVES.items():
        one, other = (
            read_events(last.parents[3] / "logs" / last.parts[-3] / last.parts[-2] / curve) for last in both
        )
        for tag in tags:
            wanted, got = ([(event.step, event.value) for event in log.Scalars(tag)] for log in (one, other))
            if wanted != got:
                found.append(f"the curve {curve}/{tag} has the steps {[step for step, _ in got]}")
    return found


def same(one: object, other: object) -> bool:
    """Whether two things out of a checkpoint are equal, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other
