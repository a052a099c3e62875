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
from typing import Any

from lessons.course.practice import limits, report, verbs
from lessons.course.practice.desk import file_of
from lessons.course.practice.shelf import Entry, short_title
from lessons.course.screen import console
from lessons.course.words import say

SAVED = "saved"  # in the queue, among the keys
LOOK = 0.1  # seconds between two looks at whether the watch is over


def watch_file(entry: Entry) -> None:
    """Check the exercise now and at each save, until q or Ctrl-C; n goes on to the next one."""
    events: queue.Queue[str] = queue.Queue()
    if not limits.CAN_FORK:
        console.print(say("practice slow"))
    with reported(read_keys, events.put):
        current: Entry | None = entry
        while current is not None:
            path = Path(verbs.ready(current))
            with reported(wait_for_saves, events.put, path):
                current = watch_one(current, path, events)


def watch_one(entry: Entry, path: Path, events: "queue.Queue[str]") -> Entry | None:
    """Watch one exercise; returns the one to go on with, None at the end."""
    content, verdict = check_now(entry, path)
    while True:
        event = events.get()
        if event == SAVED and read(path) == content:  # saved as it was, or a question appended to it
            continue
        if event in (SAVED, "\n", "c", "check"):
            content, verdict = check_now(entry, path)
        elif event in ("h", "hint"):
            report.show_hints(entry, verdict["hints"])
        elif event in ("n", "next"):
            return report.next_open(after=entry) or entry
        elif event in ("r", "reset"):
            console.print(say("practice reset?", short_title(entry)) + " [y/n]")
            if events.get() in ("y", "yes"):
                verbs.begin_anew(entry)
                content = read(path)
        elif event in ("q", "quit"):
            return None


def check_now(entry: Entry, path: Path) -> tuple[bytes, dict[str, Any]]:
    """A check on an empty screen; what the file held, and the verdict."""
    content = read(path)
    console.clear()
    verdict = verbs.checked(entry)
    console.print("\n" + say("practice watching", file_of(entry)), style="dim")
    return (read(path) if verdict["status"] == "again" else content), verdict


def read(path: Path) -> bytes:
    """What the file holds; nothing while an editor is just replacing it."""
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
    """Watch the file's folder, since most editors replace a file when they save it."""
    from watchfiles import watch

    for changes in watch(path.parent, stop_event=over, debounce=100, step=20, recursive=False):
        if any(Path(changed).name == path.name for _, changed in changes):
            tell(SAVED)


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
