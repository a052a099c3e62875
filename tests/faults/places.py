"""Where the course runs: odd folders, odd consoles, Python's own options."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rich.cells import cell_len

from lessons.course.catalogue import find_lessons

from . import Outcome
from .processes import few_pictures

COMMAND = Path(__file__).with_name("small_command.py")
ODD = "a b 中文 'q' \"d\" #1 %20 $x & é"  # a shell, a URL, a format or a page has ways of its own with these
LONG = "/".join(["folder" * 20] * 8)  # 1,000 characters
WIDTH = 40  # of the terminal
OBEY_THE_MODE = ["setpriv", "--bounding-set=-dac_override"]  # takes from root that it may write anywhere


class Place(NamedTuple):
    """What is odd there."""

    env: dict[str, str | None] = {}  # noqa: RUF012  None: not set
    python: tuple[str, ...] = ()  # its options
    folder: str = "usual"  # that holds the course folder and the pictures
    writable: bool = True
    refuses: bool = False  # a command may say in a sentence that it cannot work there
    terminal: bool = False


CHINESE = {"LESSONS_LANG": "zh"}
PLACES = {
    "a course folder that is read-only": Place(writable=False, refuses=True),
    "a course folder that cannot be": Place({"LESSONS_HOME": "~nobody-of-this-name/course"}, refuses=True),
    "no HOME": Place({"HOME": None, "USER": None, "LOGNAME": None}),
    "a HOME that cannot be": Place({"HOME": "/dev/null/nobody"}),
    "odd names": Place(folder=ODD),
    "a long path": Place(folder=LONG),
    "LANG=C": Place({"LC_ALL": "C", "LANG": "C"} | CHINESE, folder=ODD),
    "a C locale without UTF-8": Place(
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"} | CHINESE, folder=ODD, refuses=True
    ),
    "a pipe of ascii": Place({"PYTHONIOENCODING": "ascii"} | CHINESE, folder=ODD),
    "a pipe of cp1252": Place({"PYTHONIOENCODING": "cp1252"} | CHINESE, folder=ODD),
    "a pipe of gbk": Place({"PYTHONIOENCODING": "gbk"} | CHINESE, folder=ODD),
    f"a dumb terminal of {WIDTH} columns": Place(
        {"TERM": "dumb", "COLUMNS": None, "LINES": None},  # the terminal's own size counts
        terminal=True,
    ),
    "python -O": Place(python=("-O",)),
    "python -I": Place(python=("-I",)),
    "python -W error": Place(python=("-W", "error"), refuses=True),
}

COMMANDS = {  # and the exit codes that are right
    "": (0,),
    "doctor": (0,),
    "board 1 --port 0": (0,),
    "notes 3": (0,),
    "read --no-browser --port 0": (0,),
    "read --to site": (0,),
    "why pictures": (2,),  # no script
    "practice": (0,),
    "practice check 2.1": (1,),  # it is not done yet
    "clean --yes": (0,),
    "download moon": (2,),
} | {f"run {number}": (0,) for number in find_lessons()}


class Case(NamedTuple):
    place: str
    words: str
    folder: Path

    def __str__(self) -> str:
        return f"lessons {self.words}, {self.place}"


class Done(NamedTuple):
    """What came of a command."""

    code: int
    out: str  # in a terminal, all that it shows
    err: str
    seconds: float


def places(tries: int, seed: int, folder: Path) -> Outcome:
    """Lessons and commands in odd folders, on odd consoles, under Python's own options.

    Each works or, where that cannot be, says so in one sentence; no warning, no traceback, and no row of a
    table on two lines.
    """
    return try_all(list(islice(cases(random.Random(seed), folder), tries)))


def try_all(chosen: Sequence[Case]) -> Outcome:
    refused, lost, slowest = 0, [], (0.0, "")
    with ThreadPoolExecutor(2) as two_at_a_time:
        for case, done in zip(chosen, two_at_a_time.map(run, chosen), strict=True):
            refused += done.code == 2
            slowest = max(slowest, (done.seconds, str(case)))
            lost += [f"{case}: {wrong}" for wrong in what_is_wrong(case, done)]
    return Outcome(len(chosen), refused, lost, slowest)


def cases(chance: random.Random, folder: Path) -> Iterator[Case]:
    """Each command in each place, in any order."""
    pairs = [(place, words) for place in PLACES for words in COMMANDS]
    chance.shuffle(pairs)
    for number, (place, words) in enumerate(pairs):
        yield Case(place, words, folder / str(number))


def run(case: Case) -> Done:
    """Run the command; its folder is removed again."""
    place = PLACES[case.place]
    base = case.folder / place.folder
    home, pictures = base / "home", few_pictures(base / "pictures", classes=5)
    home.mkdir(mode=0o755 if place.writable else 0o555)
    env = os.environ | {"LESSONS_HOME": str(home), "OMP_NUM_THREADS": "1"} | place.env
    command = [] if place.writable or os.geteuid() else OBEY_THE_MODE
    command = [*command, sys.executable, *place.python, str(COMMAND), str(pictures), *case.words.split()]
    show = show_in_a_terminal if place.terminal else show_in_pipes
    begun = time.perf_counter()
    code, out, err = show(command, base, {name: value for name, value in env.items() if value is not None})
    seconds = time.perf_counter() - begun
    shutil.rmtree(case.folder)
    return Done(code, out, err, seconds)


def show_in_pipes(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True)
    out, err = (said.decode("utf-8", errors="replace") for said in (done.stdout, done.stderr))
    return done.returncode, out, err


def show_in_a_terminal(command: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str, str]:
    import pty  # Windows has neither
    import termios

    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, WIDTH))
    process = subprocess.Popen(command, cwd=folder, env=env, stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # how Linux says that nobody writes there any more
        pass
    os.close(ours)
    return process.wait(), shown.decode("utf-8").replace("\r\n", "\n"), ""


def what_is_wrong(case: Case, done: Done) -> Iterator[str]:
    place = PLACES[case.place]
    refused = done.code == 2 and done.err.startswith("Error: ") and done.err.count("\n") == 1
    right = done.code in COMMANDS[case.words] and (not done.err or refused)
    found_by_the_doctor = case.words == "doctor" and done.code == 1
    if not (right or (place.refuses and (refused or found_by_the_doctor))):
        yield f"exit code {done.code}, {done.err[-1000:]!r} after {done.out[-300:]!r}"
    for line in done.out.splitlines() if place.terminal else ():
        if "Traceback" in line or "Warning" in line or "\x1b" in line:
            yield line
        if line[:2].strip().isdigit() and line[2:4] == "  " and cell_len(line) > WIDTH:
            yield f"a row that does not fit: {line!r}"
