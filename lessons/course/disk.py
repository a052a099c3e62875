"""What a disk can refuse, said in a sentence: it is full, or the course folder cannot be written; and files
that are written whole or not at all.

Like the package's ``__init__``, this must stay cheap to import.
"""

import errno
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lessons.course import CourseError, course_home

if TYPE_CHECKING:
    from filelock import BaseFileLock

FULL = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
)  # no room, none in one's quota, and over one's file size limit
REFUSED = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
)
ADVICE = "set LESSONS_HOME to a folder of your own"


def refused(error: BaseException) -> str | None:
    """The sentence for an error that a full or closed disk has caused; None for any other error."""
    home = course_home()
    for cause in causes(error):
        if isinstance(cause, OSError):
            if cause.errno in FULL:
                return no_room(home)
            place = os.fsdecode(cause.filename or "")
            if cause.errno in REFUSED and Path(place).is_relative_to(home):
                return f"{place} cannot be written ({cause.strerror}): {ADVICE}"
        elif "inline_container" in str(cause) and free_bytes(home) < 2**20:
            return no_room(home)  # PyTorch's own file writer does not say why it stopped
    return None


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what was raised before it and led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:  # one that is raised from itself would have no end
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


def no_room(home: Path) -> str:
    return (
        f"no room is left for {home} ({free_bytes(home) / 1e6:.1f} MB free): a run wants up to 50 MB, "
        f"lesson 7 wants 1.5 GB; lessons clean says what can go, or {ADVICE}"
    )


def nearest_folder(path: Path) -> Path:
    """The path itself or, while it is not there yet, the folder that it will be made in."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def free_bytes(path: Path) -> int:
    return shutil.disk_usage(nearest_folder(path)).free


def why_not_writable(path: Path) -> str | None:
    """Why no file can be made in a folder, or below where it will be; None when one can."""
    try:
        with tempfile.TemporaryFile(dir=nearest_folder(path)):
            return None
    except OSError as error:
        return error.strerror or str(error)


@contextmanager
def said_once() -> Iterator[None]:
    """TensorBoard's writer thread prints no traceback of what the main thread will raise too."""
    usual = threading.excepthook

    def unless_refused(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is None or refused(arguments.exc_value) is None:
            usual(arguments)

    threading.excepthook = unless_refused
    try:
        yield
    finally:
        threading.excepthook = usual


def write_whole(path: Path, content: str) -> None:
    """Replace a file in one step: whoever is interrupted, it holds the old or the new content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


# --- Who is at work where


def locked(path: Path, wait: float = 2) -> "BaseFileLock | None":
    """Lock a file, as a sign that this process is at work there; however it ends, the lock ends with it.

    Returns the lock, for ``unlock``; None where the file system knows no locks.
    Raises CourseError when another process still holds it after so many seconds; fewer than 2 might be too
    few where somebody just looks whether it is held.
    """
    from filelock import FileLock, Timeout  # late: it takes a while

    lock = FileLock(path)
    try:
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise at_work_in(path.parent) from error
    except (OSError, NotImplementedError):
        return None
    return lock


def unlock(lock: "BaseFileLock | None") -> None:
    if lock is not None:
        with suppress(OSError):  # Windows removes no file that is open
            Path(lock.lock_file).unlink()
        lock.release()


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock."""
    from filelock import FileLock, Timeout

    if not path.exists():
        return False
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return True  # nobody can say


def at_work_in(folder: Path) -> CourseError:
    return CourseError(f"another process is at work in {folder}: wait for its end, or press Ctrl-C there")
