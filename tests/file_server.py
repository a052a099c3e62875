"""A server of one file on this machine, for the tests of what is downloaded."""

import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Server(http.server.ThreadingHTTPServer):
    """Serves `content` at every path; the path's first word says how it misbehaves."""

    def __init__(self, content: bytes, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.content = content
        self.requests = []  # (path, Range header, status, bytes sent)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        content, kind, wanted = self.server.content, self.path.rpartition("/")[2], self.headers["Range"]
        start, status, content_type = 0, 200, "application/gzip"
        if kind == "gone":
            status, body = 404, b""
        elif kind == "page":
            status, body, content_type = 200, b"<html>please log in</html>", "text/html; charset=utf-8"
        elif kind == "other":
            body = bytes(len(content))
        else:
            body = content
        if wanted and status == 200 and kind not in ("ignores-range", "page"):
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            status, body = (206, body[start:]) if start < len(body) else (416, b"")
        announced = len(body)
        if kind == "cuts":
            body = body[: len(body) // 2]
        self.server.requests.append((kind, wanted, status, len(body)))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(announced))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if kind == "stalls":  # for as long as the other side waits
            self.wfile.write(body[: len(body) // 2])
            self.rfile.read(1)
        else:
            self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(content: bytes, handler: type[Handler] = Handler) -> Iterator[Server]:
    with Server(content, handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
