"""``lessons practice watch``: check at each save, and a few keys in between."""

import contextlib
import os
import queue
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from lessons.course.practice import limits, report, verbs
from lessons.course.practice.desk import file_of
from lessons.course.practice.shelf import Entry, short_title
from lessons.course.screen import console
from lessons.course.words import say

SAVED = "saved"  # in the queue, among the keys
LOOK = 0.1  # seconds between two looks at the file, and at whether the watch is over


def watch_file(entry: Entry) -> None:
    """Check the exercise now and at each save, until q or Ctrl-C; n goes on to the next one."""
    events: queue.Queue[str] = queue.Queue()
    with reported(read_keys, events.put):
        current: Entry | None = entry
        while current is not None:
            with reported(wait_for_saves, events.put, file_of(current)):
                current = watch_one(current, events)


def watch_one(entry: Entry, events: "queue.Queue[str]") -> Entry | None:
    """Watch one exercise; returns the one to go on with, None at the end."""
    path = file_of(entry)
    content, hints = check_now(entry)
    while True:
        event = next_of(events)
        if event == SAVED and read(path) == content:  # saved as it was, or a question appended to it
            continue
        if event in (SAVED, "\n", "c", "check"):
            if path.exists():
                content, hints = check_now(entry)
            else:
                content = b""
                console.print(say("practice file gone", path))
        elif event in ("h", "hint"):
            report.show_hints(entry, hints, watching=True)
        elif event in ("n", "next"):
            return report.next_open(after=entry) or entry
        elif event in ("r", "reset"):
            console.print(say("practice reset?", short_title(entry)) + " [y/n]")
            answer = next_of(events)
            if answer in ("y", "yes"):
                verbs.begin_anew(entry)
                content = read(path)
            elif answer == SAVED:
                events.put(SAVED)
        elif event in ("q", "quit"):
            return None


def check_now(entry: Entry) -> tuple[bytes, list[str]]:
    """A check on an empty screen; what the file held, as far as it is the learner's, and the hints."""
    content = read(file_of(entry))
    verdict = verbs.checked(entry, watching=True)
    if not content or verdict["status"] == "again":  # the check has made the file, or appended a question
        content = read(file_of(entry))
    if not limits.CAN_FORK:
        console.print(say("practice slow"), style="dim")
    console.print("\n" + say("practice watching", file_of(entry)), style="dim")
    return content, verdict["hints"]


def next_of(events: "queue.Queue[str]") -> str:
    """Wait for the next event, in pieces: on Windows, Ctrl-C does not end a wait."""
    while True:
        with contextlib.suppress(queue.Empty):
            return events.get(timeout=0.5)


def read(path: Path) -> bytes:
    """What the file holds; nothing where it is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


# --- What is reported while watching


@contextlib.contextmanager
def reported(work: Callable[..., None], tell: Callable[[str], object], *given: Path) -> Iterator[None]:
    """While this lasts, a thread does the work, which calls ``tell`` and looks at an event that ends it."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(*given, tell, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1)


def wait_for_saves(path: Path, tell: Callable[[str], object], over: threading.Event) -> None:
    """Look at the file until it has changed and come to rest.

    Looking, since shared and network drives report no changes, and neither does a folder that was removed and
    made again. Most editors replace a file when they save it; for a moment it may be empty or gone.
    """
    seen: object = "not yet"
    while not over.wait(LOOK):
        now = stamp(path)
        if now != seen and not over.wait(LOOK / 2) and stamp(path) == now:
            seen = now
            tell(SAVED)


def stamp(path: Path) -> tuple[int, ...]:
    """What changes when a file is saved."""
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def read_keys(tell: Callable[[str], object], over: threading.Event) -> None:
    """Single keys from a terminal; whole words, a line each, from anything else."""
    if not sys.stdin.isatty():
        for line in sys.stdin:
            tell(line.strip().lower() or "\n")
    elif os.name == "nt":
        read_windows_keys(tell, over)
    else:
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin)
        try:
            tty.setcbreak(sys.stdin)  # each key at once; Ctrl-C stays Ctrl-C
            while not over.is_set():
                if select.select([sys.stdin], [], [], LOOK)[0]:
                    tell(os.read(sys.stdin.fileno(), 1).decode(errors="replace").lower())
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def read_windows_keys(tell: Callable[[str], object], over: threading.Event) -> None:
    import msvcrt

    while not over.is_set():
        if msvcrt.kbhit():  # type: ignore[attr-defined]
            tell(msvcrt.getwch().lower().replace("\r", "\n"))  # type: ignore[attr-defined]
        else:
            time.sleep(LOOK)
