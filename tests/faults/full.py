"""A disk that becomes full: one sentence, and the last good file stays."""

import contextlib
import functools
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lessons.course import catalogue
from lessons.course.checkpoints import check_whole

from . import Outcome
from .processes import few_pictures, said, start

LEAST = 30_000  # bytes; with fewer, no event file can begin


def full_disk(tries: int, seed: int, folder: Path) -> Outcome:
    """The disk full (a small tmpfs, or RLIMIT_FSIZE) while lesson 1, 8 or 9 draws, logs or saves.

    At a random byte: one sentence and exit code 2, or 0 where there was room. What was saved before stays
    whole, nothing half is left, and no run counts as running.
    """
    choose, lost, refused, slowest = random.Random(seed), [], 0, (0.0, "")
    pictures = few_pictures(folder / "pictures")
    small = ("--dataset", pictures, "--batch-size", 9, "--epochs", 2)
    for number in range(tries):
        words, most = choose.choice(
            [(("run", 1), 3.5e6), (("run", 8, *small), 1e6), (("run", 9, *small), 2e6)]
        )
        room = int(choose.uniform(LEAST, most))
        home = folder / str(number)
        home.mkdir()
        begun = time.perf_counter()
        with small_disk(home, 3 * room if number % 2 else None) as is_small:
            process = start(home, *words, before=None if is_small else functools.partial(limit_files, room))
            process.join()
            case = f"lesson {words[1]}, {'tmpfs of 3 times' if is_small else 'files of'} {room:,} bytes"
            slowest = max(slowest, (time.perf_counter() - begun, case))
            refused += process.exitcode == 2
            lost += [f"{case}: {what}" for what in wrong(home, process.exitcode, words[1])]
    return Outcome(tries, refused, lost, slowest)


@contextlib.contextmanager
def small_disk(folder: Path, size: int | None) -> Iterator[bool]:
    """Let a folder be a disk of so many bytes, where that is allowed; whether it is one."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = size is not None and subprocess.run(command, capture_output=True).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def limit_files(size: int) -> None:
    """Let this process write no file beyond this size: to it, the disk is full there."""
    import resource  # Windows has none

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def wrong(home: Path, code: int, number: int) -> list[str]:
    """What is not as it should be after the disk was full, or was not."""
    words, found = said(home), []
    sentences = [line for line in words.splitlines() if line.startswith("Error: no room is left for")]
    if (code, len(sentences)) not in ((2, 1), (0, 0)) or "Traceback" in words:
        found.append(f"exit code {code}, and it said {words[-600:]!r}")
    found += [f"it left {path.name}" for path in home.rglob("*") if path.name.endswith(".tmp")]
    found += [f"it left {path.name}" for path in home.glob("data/.*")]
    for path in home.glob("models_saved/*/*/*.pth"):
        try:
            check_whole(path)
        except OSError as error:
            found.append(f"{path.name}: {error}")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LESSONS_HOME", str(home))
        _, card = catalogue.last_run(catalogue.find_lessons()[number])
        if card.get("status") not in (None, "interrupted", "failed", "ok") or (code == 0) != (
            card.get("status") == "ok"
        ):
            found.append(f"exit code {code}, and the run counts as {card.get('status')}")
    return found
