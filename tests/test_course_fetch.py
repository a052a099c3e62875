import ast
import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from faults.servers import BadHandler
from file_server import Handler, serving
from small_data import md5_of

from lessons.course import fetch, upkeep
from lessons.course.catalogue import LESSONS_DIR
from lessons.course.datasets import CIFAR10
from lessons.course.fetch import filled_beside

CONTENT = np.random.default_rng(0).bytes(200_000)
MD5 = md5_of(CONTENT)
WANTED = fetch.Wanted(len(CONTENT), "md5", MD5)
HALF = len(CONTENT) // 2


@pytest.fixture
def server():
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def get(server, tmp_path):
    """``get("gone", "good")``: fetch from these paths of the server, in this order; the file's place."""

    def get(*paths: str) -> Path:
        fetch.fetch(map(server.url, paths), tmp_path / "new" / "file", WANTED)
        return tmp_path / "new" / "file"

    return get


@pytest.fixture
def part(tmp_path) -> Path:
    """Where the beginning of the file is kept."""
    (tmp_path / "new").mkdir()
    return tmp_path / "new" / "file.part"


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- One file, several mirrors


def test_the_first_mirror_that_has_the_file(server, get, capsys):
    path = get("gone", "page", "other", "good", "unused")
    assert path.read_bytes() == CONTENT and names_in(path.parent) == ["file"]
    assert [kind for kind, *_ in server.requests] == ["gone", "page", "other", "good"]
    told = capsys.readouterr().out.splitlines()
    assert [re.sub(r"^127\.0\.0\.1:\d+: ", "", line) for line in told] == [
        "HTTP Error 404: Not Found",
        "it sent a web page",
        "it sent another file (wrong md5)",
    ]


def test_a_wrong_file_is_removed(get, tmp_path):
    with pytest.raises(OSError, match="wrong md5"):
        get("other")
    assert names_in(tmp_path / "new") == []


def test_it_goes_on_at_the_next_mirror(server, get):
    path = get("cuts", "good")
    assert server.requests == [("cuts", None, 200, HALF), ("good", f"bytes={HALF}-", 206, HALF)]
    assert path.read_bytes() == CONTENT and names_in(path.parent) == ["file"]


def test_it_goes_on_at_the_next_call(get, part):
    with pytest.raises(OSError, match=r"ended after 0\.\d of 0\.2 MB"):
        get("cuts")
    assert part.stat().st_size == HALF
    with pytest.raises(OSError, match=r"ended after 0\.\d of 0\.2 MB"):
        get("cuts")
    assert part.stat().st_size == HALF + HALF // 2
    assert get("good").read_bytes() == CONTENT
    assert not part.exists()


def test_what_has_arrived_is_kept_when_a_mirror_sends_a_page(server, get, part):
    part.write_bytes(CONTENT[:100])
    get("page", "good")
    assert server.requests[-1][1] == "bytes=100-"


PARTS = {  # (what the .part file holds, the mirror, the statuses of the requests that it takes)
    "beginning, Range ignored": (CONTENT[:1000], "ignores-range", [200]),
    "beginning": (CONTENT[:1000], "good", [206]),
    "something else": (b"x" * 1000, "good", [206, 200]),
    "whole": (CONTENT, "good", [416]),
    "something as long": (bytes(len(CONTENT)), "good", [416, 200]),
    "longer": (CONTENT + b"x", "good", [416, 200]),
    "longer, Range ignored": (CONTENT + b"x", "ignores-range", [200]),
    "empty": (b"", "good", [200]),
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_of_any_kind(server, get, part, kind):
    content, mirror, statuses = PARTS[kind]
    part.write_bytes(content)
    path = get(mirror)
    assert [status for _, _, status, _ in server.requests] == statuses
    assert path.read_bytes() == CONTENT and names_in(path.parent) == ["file"]


def test_it_says_why_each_mirror_failed(server, tmp_path):
    urls = server.url("gone"), server.url("page"), "http://127.0.0.1:1/refuses"
    with pytest.raises(OSError) as caught:
        fetch.fetch(urls, tmp_path / "file", WANTED)
    message = str(caught.value)
    for words in ("404", "web page", "127.0.0.1:1: [Errno"):
        assert words in message
    assert "\n" not in message


def test_a_reason_that_would_clear_the_screen(get, monkeypatch, capsys):
    status = b"HTTP/1.0 500 \x1b[2Jgone\r\n\r\n"
    monkeypatch.setattr(Handler, "do_GET", lambda handler: handler.wfile.write(status))
    with pytest.raises(OSError, match=r"\\x1b\[2Jgone"):
        get("escapes")
    assert "\x1b" not in capsys.readouterr().out


HEAD = b"HTTP/1.0 200 OK\r\nContent-Length: 200000\r\n\r\n"
SLOW = {  # (what a mirror sends at once, the seconds between the bytes that follow, what is said of it)
    "no answer": (b"", 5, "timed out"),
    "an answer without an end": (b"HTTP/1.0 200 OK\r\nX-Many: ", 0.05, "timed out before it answered"),
    "silence in the middle": (HEAD + CONTENT[:1000], 5, "timed out"),
    "byte by byte": (HEAD, 0.05, "less than 1 kB a second"),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_mirror_is_given_up(get, kind, monkeypatch):
    """It ends by itself after 5 s, and then something else would be said of it."""
    at_once, pause, said = SLOW[kind]

    def answer(handler):
        handler.wfile.write(at_once)
        end = time.monotonic() + 5
        with suppress(OSError):  # the other side has had enough
            while time.monotonic() < end:
                handler.wfile.write(b"x")
                time.sleep(pause)

    monkeypatch.setattr(fetch, "SILENCE", 0.3)
    monkeypatch.setattr(Handler, "do_GET", answer)
    with pytest.raises(OSError, match=said):
        get(kind.replace(" ", "-"))


def test_no_more_than_the_size_is_taken(get, monkeypatch):
    def answer(handler):
        with suppress(OSError):  # the other side has enough
            handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + CONTENT + bytes(10**6))

    monkeypatch.setattr(Handler, "do_GET", answer)
    assert get("more").read_bytes() == CONTENT


def test_a_file_of_another_size_is_not_begun(get, part, monkeypatch):
    def answer(handler):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: 300000\r\n\r\n" + bytes(5000))

    part.write_bytes(CONTENT[:100])
    monkeypatch.setattr(Handler, "do_GET", answer)
    with pytest.raises(OSError, match=r"it has another file, of 0\.3 MB"):
        get("another")
    assert part.read_bytes() == CONTENT[:100]


# --- A proxy between


@pytest.fixture
def proxy(monkeypatch):
    """``proxy("127.0.0.1:1")``: all addresses are asked for there, but for those in ``no_proxy``."""

    def use(place: str) -> None:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://me:secret@{place}")
        urllib.request.install_opener(None)  # the usual one keeps the settings of its first use

    yield use
    urllib.request.install_opener(None)


def test_a_proxy_that_passes_on(server, proxy, tmp_path):
    proxy(f"127.0.0.1:{server.server_port}")
    fetch.fetch(["http://mirror.invalid/good"], tmp_path / "file", WANTED)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_proxy_that_refuses(proxy, tmp_path):
    with serving(CONTENT, BadHandler) as refusing, pytest.raises(OSError) as caught:
        place = f"127.0.0.1:{refusing.server_port}"
        proxy(place)
        fetch.fetch(["https://mirror.invalid/good"], tmp_path / "file", WANTED)
    message = str(caught.value)
    assert message.startswith(f"mirror.invalid through the proxy {place}: Tunnel connection failed: 407")
    assert "secret" not in message


def test_a_proxy_that_is_not_there(proxy, tmp_path):
    proxy("127.0.0.1:1")
    urls = ["http://mirror.invalid/good", "https://mirror.invalid/good"]
    with pytest.raises(OSError) as caught:
        fetch.fetch(urls, tmp_path / "file", WANTED)
    assert str(caught.value).count("mirror.invalid through the proxy 127.0.0.1:1: [Errno") == 2


def test_no_proxy_between_this_machine_and_itself(server, proxy, get):
    proxy("127.0.0.1:1")
    assert get("good").read_bytes() == CONTENT
    with pytest.raises(OSError, match=r"^127\.0\.0\.1:\d+: it sent a web page$"):
        fetch.fetch([server.url("page")], get("good").with_name("other"), WANTED)


# --- What is fetched at all

OPENERS = {"urlopen", "urlretrieve", "download_url", "download_url_to_file", "load_state_dict_from_url"}


def test_all_addresses_are_https_and_have_a_checksum():
    for url in (CIFAR10.url, *CIFAR10.mirrors, upkeep.VGG16_URL):
        assert url.startswith("https://")
    for size, digest, length in (
        (CIFAR10.tgz_bytes, CIFAR10.tgz_md5, 32),
        (upkeep.VGG16_BYTES, upkeep.VGG16_SHA256, 64),
    ):
        assert size > 10**8 and re.fullmatch(f"[0-9a-f]{{{length}}}", digest)


def test_no_package_reports_to_its_maker(run_script, tmp_path, monkeypatch):
    """ONNX Runtime keeps a number of this machine in the home folder from its import on, to report under."""
    for name in ("ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    done = run_script("-c", "import lessons.course, onnxruntime", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_no_other_room_opens_an_address():
    """And no script names one without https, but for this machine's and the name of an XML language."""
    opened, plain = [], []
    for path in LESSONS_DIR.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node, "id", getattr(node, "attr", None))
            if name in OPENERS and isinstance(node, ast.Name | ast.Attribute):
                opened.append((path.name, name))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                plain += re.findall(r"http://(?!www\.w3\.org/|127\.0\.0\.1)\S+", node.value)
    assert opened == [("fetch.py", "urlopen")] and plain == []


# --- Files of one folder, all at once


def test_a_folder_is_filled_at_the_end(tmp_path):
    folder = tmp_path / "new" / "folder"
    with filled_beside(folder) as fresh:
        (fresh / "one").write_text("1")
        assert fresh.name == "folder" and not folder.exists()
    assert (folder / "one").read_text() == "1" and names_in(folder.parent) == ["folder"]


def test_a_folder_stays_as_it_is_after_an_interruption(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one").write_text("old")
    with pytest.raises(KeyboardInterrupt), filled_beside(tmp_path / "folder") as fresh:
        (fresh / "one").write_text("new")
        raise KeyboardInterrupt
    assert (tmp_path / "folder" / "one").read_text() == "old" and names_in(tmp_path) == ["folder"]


def test_what_a_killed_process_left_is_removed(tmp_path):
    """A process that was killed could not clean up; one that is still at work must not be disturbed."""
    killed, working, other = (tmp_path / name for name in (".folder-killed", ".folder-working", ".other-x"))
    for left in (killed, working, other):
        (left / "folder").mkdir(parents=True)
        (left / "folder" / "one").write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    for left in (killed, other):
        os.utime(left, (two_hours_ago, two_hours_ago))
    with filled_beside(tmp_path / "folder"):
        pass
    assert names_in(tmp_path) == [".folder-working", ".other-x", "folder"]


def test_equal_files_are_left_alone(tmp_path):
    """Another process may be reading them."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("same", "differs", "only there"):
        (folder / name).write_text(name)
    before = (folder / "same").stat().st_ino
    with filled_beside(folder) as fresh:
        (fresh / "same").write_text("same")
        (fresh / "differs").write_text("new")
    assert (folder / "same").stat().st_ino == before
    assert (folder / "differs").read_text() == "new" and (folder / "only there").exists()


ONE_OF_TWO = """
import sys
from pathlib import Path
from lessons.course.fetch import Wanted, fetch
fetch([sys.argv[1]], Path(sys.argv[2]), Wanted(int(sys.argv[3]), "md5", sys.argv[4]))
"""


def test_two_downloads_at_once_do_not_mix(server, get, tmp_path):
    """The second is refused while the first, a process of its own, has half of the file; then all is well."""
    path = tmp_path / "new" / "file"
    words = [sys.executable, "-c", ONE_OF_TWO, server.url("stalls"), str(path), str(len(CONTENT)), MD5]
    first = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        while not (part := Path(f"{path}.part")).exists() or not part.stat().st_size:
            assert first.poll() is None
            time.sleep(0.05)
        with pytest.raises(OSError, match="another download of this file is running"):
            get("good")
    finally:
        first.kill()  # and with it goes its lock
        first.wait()
    assert get("good").read_bytes() == CONTENT
    assert names_in(path.parent) == ["file"]
