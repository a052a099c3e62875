"""Ctrl-C: between two steps of a training instead of in the middle of one, and as the end of a server."""

import signal
import sys
import time
from types import FrameType, TracebackType


class CtrlC:
    """``with CtrlC() as ctrl_c:`` notes Ctrl-C in ``ctrl_c.pressed`` and lets the step under way end.

    If it broke off inside ``optimizer.step()``, some weights would have moved and others not. A second Ctrl-C
    breaks off at once, as usual. At the end of the block a Ctrl-C that nobody has looked at is raised.
    """

    pressed = False

    def __enter__(self) -> "CtrlC":
        self.usual = signal.signal(signal.SIGINT, self.note)
        return self

    def note(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        signal.signal(signal.SIGINT, self.usual)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self.usual)
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
