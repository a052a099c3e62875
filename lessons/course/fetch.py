"""Files that arrive whole: from several mirrors, resumed and checked, and into a folder that others read."""

import filecmp
import hashlib
import http.client
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, getproxies, proxy_bypass, urlopen

from rich.progress import DownloadColumn, TransferSpeedColumn

from lessons.course import CourseError
from lessons.course.disk import locked, unlock
from lessons.course.progress import progress_bar
from lessons.course.screen import as_one_line

SILENCE = 30  # seconds without a byte after which a mirror is given up; twice that until it answers
SLOWEST = 1000  # bytes a second, over SILENCE seconds: with fewer, it is given up too
LEFTOVER_AGE = 3600  # seconds after which a temporary folder belongs to no running process


class Wanted(NamedTuple):
    """What a file is known by, wherever it comes from."""

    size: int  # bytes
    algorithm: str  # md5 or sha256
    digest: str

    def is_in(self, path: Path) -> bool:
        with path.open("rb") as file:
            made = hashlib.file_digest(file, lambda: hashlib.new(self.algorithm, usedforsecurity=False))
        return made.hexdigest() == self.digest


def fetch(urls: Iterable[str], path: Path, wanted: Wanted) -> None:
    """Download the wanted file to ``path`` from the first of the urls that gives it.

    What has arrived is kept in ``<path>.part``; the next url, or the next call, goes on from there.

    Raises OSError with the reason of each url, in one line, when none gives the file, or when another process
    is fetching it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(path):
        _fetch_from_first(urls, path, wanted)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep all other processes from fetching to this path; OSError when one is doing so already."""
    try:
        lock = locked(Path(f"{path}.lock"))
    except CourseError as error:
        raise OSError("another download of this file is running: wait for its end") from error
    try:
        yield
    finally:
        unlock(lock)


def _fetch_from_first(urls: Iterable[str], path: Path, wanted: Wanted) -> None:
    part = Path(f"{path}.part")
    failures = []
    for url in urls:
        try:
            _fetch_checked(url, part, wanted)
        # ValueError: an address to go to that is none
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{urlsplit(url).netloc}{_through_a_proxy(url)}: {_reason(error)}")
            print(failures[-1])
        else:
            os.replace(part, path)
            return
    raise OSError("; ".join(failures))


def _through_a_proxy(url: str) -> str:
    """`` through the proxy HOST:PORT`` where the system's settings put one between, without its password."""
    parts = urlsplit(url)
    proxy = getproxies().get(parts.scheme)
    if not proxy or proxy_bypass(parts.netloc):
        return ""
    return f" through the proxy {as_one_line(proxy.rpartition('@')[2])}"


def _reason(error: Exception) -> str:
    """What went wrong, in one line, although a server may have said anything."""
    # URLError wraps its reason; HTTPError, a kind of it, says more itself: "HTTP Error 404: ...".
    reason = error if isinstance(error, HTTPError) else getattr(error, "reason", error)
    words = str(reason).strip() or type(error).__name__
    return as_one_line(words.partition("\n")[0])[:200]


def _fetch_checked(url: str, part: Path, wanted: Wanted) -> None:
    """Complete ``part`` from the url; OSError when that fails or it is another file, which removes it."""
    continued = part.exists()
    _fetch_rest(url, part, wanted.size)
    if wanted.is_in(part):
        return
    part.unlink()
    if not continued:
        raise OSError(f"it sent another file (wrong {wanted.algorithm})")
    # The part kept from before may be at fault: this mirror's file in whole
    _fetch_checked(url, part, wanted)


def _fetch_rest(url: str, part: Path, size: int) -> None:
    """Append to ``part`` what it lacks of the file at the url; written anew when the server sends all."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "tudui-lessons"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = _answer(Request(url, headers=headers))
    except HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what is here: it is complete, or another file
            return
        raise
    with response, progress_bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        if response.headers.get_content_type() == "text/html":  # a login page, say: keep what has arrived
            raise OSError("it sent a web page")
        start = have if response.status == http.client.PARTIAL_CONTENT else 0
        if response.length is not None and start + response.length != size:
            raise OSError(f"it has another file, of {(start + response.length) / 1e6:.1f} MB")
        task = bar.add_task(urlsplit(url).netloc, total=size, completed=start)
        _append(response, part, start, size, lambda count: bar.advance(task, count))


def _answer(request: Request) -> http.client.HTTPResponse:
    """The answer to a request, as far as the beginning of the file.

    A thread asks for it: to find the server's address has no time limit, and each byte that it sends has one
    of its own.
    """
    answers: SimpleQueue[http.client.HTTPResponse | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urlopen(request, timeout=SILENCE))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=2 * SILENCE)
    except Empty:
        raise TimeoutError("timed out before it answered") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _append(
    response: http.client.HTTPResponse, part: Path, start: int, size: int, advance: Callable[[int], None]
) -> None:
    """Write what comes behind ``start``, up to ``size``; OSError when it ends before, or comes too slowly."""
    since = time.monotonic()
    arrived = 0
    with part.open("ab" if start else "wb") as file:
        # read1 gives what is there; read would wait for the whole 64 kB, however slowly they come
        while (left := size - file.tell()) > 0 and (chunk := response.read1(min(left, 64 * 1024))):
            file.write(chunk)
            advance(len(chunk))
            arrived += len(chunk)
            if (passed := time.monotonic() - since) > SILENCE:
                if arrived < SLOWEST * passed:
                    raise OSError(f"it sends less than {SLOWEST / 1000:g} kB a second")
                since, arrived = time.monotonic(), 0
        if file.tell() < size:
            raise OSError(f"the connection ended after {file.tell() / 1e6:.1f} of {size / 1e6:.1f} MB")


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
