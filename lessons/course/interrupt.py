"""Ctrl-C: between two steps of a training instead of in the middle of one, and as the end of a server.

The ``lessons`` command imports this before anything else, so it must stay cheap.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType, TracebackType

INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended

Handler = Callable[[int, FrameType | None], object] | int | None  # as signal.signal takes and returns it


def set_handler(number: int, handler: Handler) -> Handler:
    """As ``signal.signal``; in a thread, where none can be set and none is called, nothing happens."""
    in_main = threading.current_thread() is threading.main_thread()
    return signal.signal(number, handler) if in_main else None


@contextmanager
def at_once() -> Iterator[None]:
    """While this lasts, Ctrl-C ends the process then and there. For imports, which have nothing to lose.

    An exception in the middle of an import may vanish in the C code of a module, and leave it half made.
    """
    usual = set_handler(signal.SIGINT, leave)
    try:
        yield
    finally:
        set_handler(signal.SIGINT, usual)


def leave(number: int, frame: FrameType | None) -> None:
    with suppress(Exception):  # it may be in the middle of printing
        sys.stdout.flush()
        print("Stopped.", file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


class CtrlC:
    """``with CtrlC() as ctrl_c:`` notes Ctrl-C in ``ctrl_c.pressed`` and lets the step under way end.

    If it broke off inside ``optimizer.step()``, some weights would have moved and others not. A second Ctrl-C
    breaks off at once, as usual. At the end of the block a Ctrl-C that nobody has looked at is raised.
    """

    pressed = False

    def __enter__(self) -> "CtrlC":
        self.usual = set_handler(signal.SIGINT, self.note)
        return self

    def note(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.signal(signal.SIGINT, self.usual)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        set_handler(signal.SIGINT, self.usual)
        if self.pressed and error is None:
            raise KeyboardInterrupt


def wait_for_ctrl_c() -> None:
    """Return after Ctrl-C, or when the process is asked to end."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    sys.stdout.flush()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
