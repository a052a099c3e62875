"""Files that arrive whole: from several mirrors, resumed and checked, and into a folder that others read."""

import filecmp
import http.client
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from filelock import FileLock, Timeout
from rich.progress import DownloadColumn, TransferSpeedColumn
from torchvision.datasets.utils import check_integrity

from lessons.course.progress import progress_bar

SILENCE = 30  # seconds without a byte after which a mirror is given up
LEFTOVER_AGE = 3600  # seconds after which a temporary folder belongs to no running process


def fetch(urls: Iterable[str], path: Path, md5: str) -> None:
    """Download the file with this md5 to ``path`` from the first of the urls that gives it.

    What has arrived is kept in ``<path>.part``; the next url, or the next call, goes on from there.

    Raises OSError with the reason of each url, in one line, when none gives the file, or when another process
    is fetching it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        _fetch_from_first(urls, path, md5)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep all other processes from fetching to this path; OSError when one is doing so already."""
    lock = FileLock(f"{path}.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OSError("another download of this file is running: wait for its end") from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows removes no file that is open
            Path(lock.lock_file).unlink()
        lock.release()


def _fetch_from_first(urls: Iterable[str], path: Path, md5: str) -> None:
    part = Path(f"{path}.part")
    failures = []
    for url in urls:
        try:
            _fetch_checked(url, part, md5)
        except (OSError, http.client.HTTPException) as error:
            # URLError wraps its reason; HTTPError, a kind of it, says more itself: "HTTP Error 404: ...".
            reason = error if isinstance(error, HTTPError) else getattr(error, "reason", error)
            failures.append(f"{urlsplit(url).netloc}: {str(reason) or type(error).__name__}")
            print(failures[-1])
        else:
            os.replace(part, path)
            return
    raise OSError("; ".join(failures))


def _fetch_checked(url: str, part: Path, md5: str) -> None:
    """Complete ``part`` from the url; OSError when that fails or its md5 is wrong, which removes it."""
    continued = part.exists()
    _fetch_rest(url, part)
    if check_integrity(part, md5):
        return
    part.unlink()
    if not continued:
        raise OSError("it sent another file (wrong md5)")
    _fetch_checked(url, part, md5)  # the part kept from before may be at fault: this mirror's file in whole


def _fetch_rest(url: str, part: Path) -> None:
    """Append to ``part`` what it lacks of the file at the url; written anew when the server sends all."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "tudui-lessons"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=SILENCE)
    except HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what is here: it is complete, or another file
            return
        raise
    with response, progress_bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        if response.headers.get_content_type() == "text/html":  # a login page, say: keep what has arrived
            raise OSError("it sent a web page")
        start = have if response.status == http.client.PARTIAL_CONTENT else 0
        total = None if response.length is None else start + response.length
        task = bar.add_task(urlsplit(url).netloc, total=total, completed=start)
        with part.open("ab" if start else "wb") as file:
            while chunk := response.read(64 * 1024):
                file.write(chunk)
                bar.advance(task, len(chunk))
            if total is not None and file.tell() < total:
                raise OSError(f"the connection ended after {file.tell() / 1e6:.1f} of {total / 1e6:.1f} MB")


@contextmanager
def filled_beside(folder: Path) -> Iterator[Path]:
    """An empty folder of the same name to write files into; at the end they are moved into ``folder``.

    When anything is raised meanwhile, ``folder`` stays as it is. The empty one lies on the same disk; what a
    killed process has left there is removed by the next.
    """
    prefix = f".{folder.name}-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f"{prefix}*"):
        with suppress(FileNotFoundError):  # its owner may be removing it right now
            if time.time() - leftover.stat().st_mtime > LEFTOVER_AGE:
                shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as beside:
        fresh = Path(beside, folder.name)
        fresh.mkdir()
        yield fresh
        _move_files(fresh, folder)


def _move_files(source: Path, folder: Path) -> None:
    """Move each file of ``source`` into ``folder``, while other processes may be reading or filling it.

    They all bring the same files, so one is moved only over one that differs: no good file is ever missing or
    half written, and none is replaced while it is being read (which Windows refuses).
    """
    folder.mkdir(exist_ok=True)
    for path in sorted(source.iterdir()):
        target = folder / path.name
        if not (target.is_file() and filecmp.cmp(path, target, shallow=False)):
            os.replace(path, target)
