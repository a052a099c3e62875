"""Servers that misbehave, and the files that are downloaded from them."""

import os
import random
import re
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from file_server import Handler, serving
from small_data import md5_of

from lessons.course import fetch

from . import Outcome

SILENCE = 0.3  # seconds, in place of fetch.SILENCE
ENOUGH = 60.0  # seconds for each mirror, on a busy machine: waiting without a bound would take longer
SIZE = 40_000


class BadHandler(Handler):
    """All that a path's first word can stand for besides the handler's own: ``bad_<word>``."""

    def do_GET(self) -> None:
        kind = self.path.rpartition("/")[2]
        self.close_connection = True
        bad = getattr(self, "bad_" + kind.replace("-", "_"), None)
        if bad is None:
            super().do_GET()
        else:
            bad(self.server.content)

    def do_CONNECT(self) -> None:
        self.send_error(407, "Proxy Authentication Required")

    def head(self, status: int, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def slowly(self, content: bytes, pause: float) -> None:
        """A byte at a time, until the other side has had enough."""
        try:
            for number in range(len(content)):
                self.wfile.write(content[number : number + 1])
                time.sleep(pause)
        except OSError:
            return

    def until_closed(self, piece: bytes) -> None:
        """The same bytes up to 100 MB, or until the other side has had enough."""
        try:
            for _ in range(100_000_000 // len(piece)):
                self.wfile.write(piece)
        except OSError:
            return

    def bad_busy(self, content: bytes) -> None:
        self.head(503, Retry_After=3600, Content_Length=0)

    def bad_broken(self, content: bytes) -> None:
        self.head(500)

    def bad_silent(self, content: bytes) -> None:
        self.rfile.read(1)  # for as long as the other side waits

    def bad_resets(self, content: bytes) -> None:
        self.head(200, Content_Length=len(content))
        self.wfile.write(content[:1000])
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def bad_hangs_up(self, content: bytes) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)

    def bad_loops(self, content: bytes) -> None:
        self.head(302, Location=self.path, Content_Length=0)

    def bad_leads_nowhere(self, content: bytes) -> None:
        self.head(302, Location="http://127.0.0.1:1/", Content_Length=0)

    def bad_leads_to_no_address(self, content: bytes) -> None:
        self.head(302, Location="http://[::1", Content_Length=0)

    def bad_leads_to_a_file(self, content: bytes) -> None:
        self.head(302, Location="file:///etc/passwd", Content_Length=0)

    def bad_empty(self, content: bytes) -> None:
        self.head(200, Content_Length=0)

    def bad_page_as_archive(self, content: bytes) -> None:
        self.head(200, Content_Type="application/gzip")
        self.wfile.write(b"<html>please log in</html>")

    def bad_shorter(self, content: bytes) -> None:
        self.head(200, Content_Length=len(content) - 1)
        self.wfile.write(content[:-1])

    def bad_longer(self, content: bytes) -> None:
        self.head(200, Content_Length=2 * len(content))
        self.wfile.write(2 * content)

    def bad_endless(self, content: bytes) -> None:
        self.head(200)
        self.until_closed(b"more" * 1000)

    def bad_cuts_without_length(self, content: bytes) -> None:
        self.head(200)
        self.wfile.write(content[: len(content) // 3])

    def bad_cuts_a_chunk(self, content: bytes) -> None:
        self.protocol_version = "HTTP/1.1"
        self.head(200, Transfer_Encoding="chunked")
        self.wfile.write(b"%x\r\n" % len(content) + content[:5000])

    def bad_no_chunks(self, content: bytes) -> None:
        self.protocol_version = "HTTP/1.1"
        self.head(200, Transfer_Encoding="chunked")
        self.wfile.write(b"many\r\n" + content)

    def bad_another_part(self, content: bytes) -> None:
        self.head(206, Content_Length=len(content) // 2)
        self.wfile.write(content[-(len(content) // 2) :])

    def bad_flips_a_bit(self, content: bytes) -> None:
        self.head(200, Content_Length=len(content))
        self.wfile.write(content[:99] + bytes([content[99] ^ 1]) + content[100:])

    def bad_trickles(self, content: bytes) -> None:
        self.head(200, Content_Length=len(content))
        self.slowly(content, 0.02)

    def bad_trickles_its_head(self, content: bytes) -> None:
        self.slowly(b"HTTP/1.0 200 OK\r\n" + b"X-More: and more\r\n" * 1000, 0.05)

    def bad_endless_head(self, content: bytes) -> None:
        self.wfile.write(b"HTTP/1.0 200 OK\r\n")
        self.until_closed(b"X-More: and more\r\n")

    def bad_noise(self, content: bytes) -> None:
        self.wfile.write(content[:3000])

    def bad_escapes(self, content: bytes) -> None:
        """A reason that would clear the screen."""
        self.wfile.write(b"HTTP/1.0 500 \x1b[2J\x1b[31mgone\r\n\r\n")

    def bad_no_status(self, content: bytes) -> None:
        self.wfile.write(b"HTTP/1.0 OK\r\nContent-Length: minus one\r\n\r\n")

    def bad_odd_head(self, content: bytes) -> None:
        self.wfile.write(b"HTTP/1.0 206 OK\r\nContent-Length: -7\r\nContent-Type: \xff;;=\r\n\r\n")


BAD = [name.removeprefix("bad_").replace("_", "-") for name in dir(BadHandler) if name.startswith("bad_")]
BAD += ["gone", "page", "other", "cuts", "stalls"]
NO_SERVER = ["http://127.0.0.1:1/refuses", "http://no-such-host.invalid/x"]  # a closed port, a name of nobody


def downloads(tries: int, seed: int, folder: Path) -> Outcome:
    """Downloads from one to three bad servers, and then from a good one or none"""
    chosen = random.Random(seed)
    outcome = Outcome(0, 0, [])
    for number in range(tries):
        kinds = [chosen.choice(BAD) if chosen.random() < 0.9 else "none" for _ in range(chosen.randint(1, 3))]
        kinds[0] = BAD[number % len(BAD)]  # each of them, whatever the others are
        good = chosen.choice(["good", "ignores-range", ""])
        outcome = one_download(outcome, [*kinds, good] if good else kinds, chosen, folder / str(number))
    return outcome


def one_download(outcome: Outcome, kinds: list[str], chosen: random.Random, folder: Path) -> Outcome:
    """Fetch from these mirrors, with something or nothing left by an earlier try."""
    content = chosen.randbytes(SIZE)
    path, part = folder / "file", folder / "file.part"
    folder.mkdir()
    if left := chosen.choice([b"", content[:9999], content[:-1], bytes(7000), content + b"more"]):
        part.write_bytes(left)
    wanted = fetch.Wanted(SIZE, "md5", md5_of(content))
    said = ""
    before = time.monotonic()
    with serving(content, BadHandler) as server, ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {"no_proxy": "*"}))
        stack.enter_context(patch.object(fetch, "SILENCE", SILENCE))
        stack.enter_context(patch("builtins.print"))  # what it says of each mirror is in the error too
        urls = [chosen.choice(NO_SERVER) if kind == "none" else server.url(kind) for kind in kinds]
        try:
            fetch.fetch(urls, path, wanted)
        except OSError as error:
            said = str(error)
        except Exception as error:
            said = f"\n{error!r}"
        took = time.monotonic() - before
    lost = list(outcome.lost)
    case = f"{', '.join(kinds)}, {len(left)} bytes left"
    if path.exists() and path.read_bytes() != content:
        lost.append(f"{case}: another file was taken for the whole one")
    if path.exists() != (not said) or ("good" in kinds or "ignores-range" in kinds) == bool(said):
        lost.append(f"{case}: {said!r}, and the file is {'' if path.exists() else 'not '}there")
    if said and (re.search("[\x00-\x1f\x7f-\x9f]", said) or said.count("; ") < len(kinds) - 1):
        lost.append(f"{case}: not a line with a reason for each mirror: {said!r}")
    if part.exists() and part.stat().st_size > max(SIZE, len(left)):
        lost.append(f"{case}: more is kept than the file can hold")
    if took > ENOUGH * len(kinds):
        lost.append(f"{case}: took {took:.1f} s")
    slowest = max(outcome.slowest, (took, case))
    return Outcome(outcome.tried + 1, outcome.refused + bool(said), lost, slowest)
