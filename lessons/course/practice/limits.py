"""Limits for a process that runs a learner's code, and the end of it with all that it has started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

LINUX = sys.platform == "linux"
# Forking a process that has imported torch is only known to be sound on Linux and its like.
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"


@dataclass(frozen=True)
class Limits:
    """What a check may take."""

    seconds: float = 5.0  # for the learner's code in the whole check
    memory: int = 4 * 2**30  # bytes beyond what the process has at its start
    printed: int = 2**20  # bytes
    file_size: int = 256 * 2**20  # bytes of a file that it writes
    shrinking: float = 0.5  # seconds in which a smaller failing case is looked for
    fork: bool = field(default_factory=lambda: CAN_FORK)  # from a warm process, or start afresh


def limit_this_process(limits: Limits) -> None:
    """A process group of its own, bounds for memory and files, no core dumps, where the system has these."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    try:
        import resource
    except ImportError:  # Windows
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
        if LINUX:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + limits.memory
            resource.setrlimit(resource.RLIMIT_AS, (most, most))


def adopt_orphans() -> None:
    """Let what a child leaves behind become this process's child, for ``end_orphans`` (Linux)."""
    if LINUX:
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def end_group(pid: int) -> None:
    """Kill a process and its group."""
    if not hasattr(os, "killpg"):
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], capture_output=True)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_orphans() -> None:
    """Kill every child of this process, to be called by the judge: it adopts what has left its group."""
    deadline = time.monotonic() + 1
    while (orphans := children()) and time.monotonic() < deadline:
        for orphan in orphans:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


def children() -> list[int]:
    """This process's children; empty where the system does not say."""
    try:
        return [
            int(pid)
            for task in Path("/proc/self/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]
    except OSError:
        return []
