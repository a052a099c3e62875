import hashlib
import http.server
import io
import os
import pickle
import re
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import DataLoader, Subset, default_collate
from torchvision.transforms import Resize, ToTensor

from lessons.course import CourseError, datasets, sketches
from lessons.course.datasets import (
    CIFAR10,
    PictureFolder,
    Sketch10,
    WholeBatches,
    dataset_line,
    open_dataset,
    to_rgb,
)


class FewSketches(Sketch10):
    """Sketch10 with 50 + 20 pictures, which takes a hundredth of the time."""

    pictures_per_train_file = 10
    pictures_per_test_file = 20


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def few(tmp_path) -> Path:
    """A root that holds a small, good set."""
    FewSketches(tmp_path, download=True)
    return tmp_path


@pytest.fixture
def drawn(monkeypatch) -> list[int]:
    """The number of pictures of each call to the drawing, from here on."""
    calls = []
    draw = sketches.draw_pictures

    def draw_pictures(labels, seed, progress=None):
        calls.append(len(labels))
        return draw(labels, seed, progress)

    monkeypatch.setattr(sketches, "draw_pictures", draw_pictures)
    return calls


# Sketch10


def test_sketch10_is_complete_and_balanced(home):
    train, test = (open_dataset("sketch10", train=train) for train in (True, False))
    assert train.data.shape == (5120, 32, 32, 3) and train.data.dtype == np.uint8
    assert test.data.shape == (1000, 32, 32, 3)
    assert np.bincount(train.targets).tolist() == [512] * 10
    assert np.bincount(test.targets).tolist() == [100] * 10
    assert len(set(train.targets[:100])) == 10 and train.targets[:10] != list(range(10))  # shuffled
    assert train.classes[:2] == ["airplane", "automobile"] and train.class_to_idx["truck"] == 9
    assert (home / "data" / "sketch10-batches-py").is_dir()
    pictures = {picture.tobytes() for picture in np.concatenate([train.data, test.data])}
    assert len(pictures) == 6120  # no picture to train on is a test picture
    assert dataset_line(train, test) == "sketch10: 5,120 training and 1,000 test pictures of 10 classes"
    assert dataset_line(test) == "sketch10: 1,000 test pictures of 10 classes"


def test_sketch10_layout_is_cifar10s(few):
    folder = few / "sketch10-batches-py"
    batch = pickle.loads((folder / "data_batch_2").read_bytes())
    assert set(batch) == {"batch_label", "labels", "data", "filenames"}
    assert batch["batch_label"] == "training batch 2 of 5"
    assert batch["data"].shape == (10, 3072) and batch["data"].dtype == np.uint8
    assert len(batch["labels"]) == len(batch["filenames"]) == 10
    meta = pickle.loads((folder / "batches.meta").read_bytes())
    assert meta["label_names"] == list(sketches.CLASSES)
    picture = FewSketches(few).data[10]  # the first picture of the second file
    assert np.array_equal(picture, batch["data"][0].reshape(3, 32, 32).transpose(1, 2, 0))
    assert np.array_equal(picture, sketches.draw_pictures(FewSketches(few).targets, seed=1)[10])
    img, target = FewSketches(few)[10]
    assert img.size == (32, 32) and target == batch["labels"][0]


def test_sketch10_is_drawn_once_and_always_alike(few, tmp_path_factory, drawn):
    other = tmp_path_factory.mktemp("other")
    FewSketches(other, download=True)
    assert drawn == [50, 20]
    folder, other_folder = few / "sketch10-batches-py", other / "sketch10-batches-py"
    assert contents_of(folder) == contents_of(other_folder)
    FewSketches(few, train=False, download=True)
    assert drawn == [50, 20]
    assert [path.name for path in few.iterdir()] == ["sketch10-batches-py"]


def flip_a_bit(folder):
    content = bytearray((folder / "data_batch_3").read_bytes())
    content[-100] ^= 1
    (folder / "data_batch_3").write_bytes(content)


def truncate(folder):
    os.truncate(folder / "test_batch", 1000)


def delete_the_names(folder):
    (folder / "batches.meta").unlink()


def delete_the_checksums(folder):
    (folder / "checksums.json").unlink()


def forget_a_checksum(folder):
    path = folder / "checksums.json"
    path.write_text(re.sub(r'"data_batch_1"', '"data_batch_9"', path.read_text()))


def halve_the_checksums(folder):
    os.truncate(folder / "checksums.json", 100)


def grow_old(folder):
    path = folder / "checksums.json"
    path.write_text(re.sub(r'("drawing_version": )\d+', r"\g<1>0", path.read_text()))


DAMAGE = {
    flip_a_bit: "data_batch_3 is missing or damaged",
    truncate: "test_batch is missing or damaged",
    delete_the_names: "batches.meta is missing or damaged",
    delete_the_checksums: "checksums.json is missing or damaged",
    forget_a_checksum: "data_batch_1 is missing or damaged",
    halve_the_checksums: "checksums.json is missing or damaged",
    grow_old: "version 0 of the drawings",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: damage.__name__)
def test_sketch10_damage_is_noticed_and_drawn_again(few, damage):
    folder = few / "sketch10-batches-py"
    good = contents_of(folder)
    damage(folder)
    with pytest.raises(CourseError, match=DAMAGE[damage]) as caught:
        FewSketches(few)
    assert "download=True" in str(caught.value)
    assert contents_of(folder) != good
    FewSketches(few, download=True)
    assert contents_of(folder) == good


def test_sketch10_missing(tmp_path):
    with pytest.raises(CourseError, match=r"there is no folder .*sketch10-batches-py.*download=True"):
        Sketch10(tmp_path)


def test_sketch10_interrupted(tmp_path, monkeypatch):
    def interrupt(self, content):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "write_bytes", interrupt)
        FewSketches(tmp_path, download=True)
    assert list(tmp_path.iterdir()) == []
    # A process that was killed could not clean up; one that is still at work must not be disturbed.
    killed, working = tmp_path / ".sketch10-batches-py-killed", tmp_path / ".sketch10-batches-py-working"
    for folder in (killed, working):
        folder.mkdir()
        (folder / "data_batch_1").write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(killed, (two_hours_ago, two_hours_ago))
    FewSketches(tmp_path, download=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [working.name, "sketch10-batches-py"]


@pytest.mark.parametrize("damaged", [False, True])
def test_sketch10_drawn_by_two_processes_at_once(few, tmp_path, damaged):
    root = few if damaged else tmp_path / "new"
    good = contents_of(few / "sketch10-batches-py")
    if damaged:
        for name in good:
            os.truncate(few / "sketch10-batches-py" / name, 10)
    start = tmp_path / "start"
    program = f"""
import time
from pathlib import Path
from lessons.course.datasets import Sketch10
class FewSketches(Sketch10):
    pictures_per_train_file, pictures_per_test_file = 10, 20
print("ready", flush=True)
while not Path({str(start)!r}).exists():
    time.sleep(0.001)
print(len(FewSketches({str(root)!r}, download=True)))
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    start.touch()
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0 and output.endswith("50\n")
    assert contents_of(root / "sketch10-batches-py") == good
    assert not list(root.glob(".sketch10*"))


def test_move_files_leaves_equal_files_alone(tmp_path):
    for name in ("source", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same").write_text("same")
        (tmp_path / name / "differs").write_text(name)
    before = (tmp_path / "folder" / "same").stat().st_ino
    datasets._move_files(tmp_path / "source", tmp_path / "folder")
    assert (tmp_path / "folder" / "same").stat().st_ino == before
    assert (tmp_path / "folder" / "differs").read_text() == "source"


# CIFAR-10


class Server(http.server.ThreadingHTTPServer):
    """Serves `archive` at every path; the path's first word says how it misbehaves."""

    def __init__(self, archive: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.archive = archive
        self.requests = []  # (path, Range header, status, bytes sent)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        archive, kind, wanted = self.server.archive, self.path.strip("/"), self.headers["Range"]
        start, status, content_type = 0, 200, "application/gzip"
        if kind == "gone":
            status, body = 404, b""
        elif kind == "page":
            status, body, content_type = 200, b"<html>please log in</html>", "text/html; charset=utf-8"
        elif kind == "other":
            body = bytes(len(archive))
        else:
            body = archive
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
            self.send_header("Content-Range", f"bytes {start}-{len(archive) - 1}/{len(archive)}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def small_cifar() -> tuple[bytes, dict[str, bytes]]:
    """An archive of CIFAR-10's layout with 4 pictures a file, and its files by name."""
    random = np.random.default_rng(0)
    files = {"batches.meta": pickle.dumps({"label_names": list(sketches.CLASSES)})}
    for name, _ in CIFAR10.train_list + CIFAR10.test_list:
        data = random.integers(0, 256, (4, 3072), dtype=np.uint8)
        files[name] = pickle.dumps({"data": data, "labels": [0, 1, 2, 3]})
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue(), files


@pytest.fixture
def server(small_cifar, monkeypatch):
    """A server of the small archive, whose checksums take the place of CIFAR-10's."""
    archive, files = small_cifar
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5_of(archive))
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5_of(files["batches.meta"])})
    for split in ("train_list", "test_list"):
        names = [name for name, _ in getattr(CIFAR10, split)]
        monkeypatch.setattr(CIFAR10, split, [[name, md5_of(files[name])] for name in names])
    with Server(archive) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def mirrors(server, monkeypatch):
    """``mirrors("gone", "good")``: CIFAR-10's addresses, each a path of the server, tried in this order."""

    def use(first: str, *others: str) -> None:
        monkeypatch.setattr(CIFAR10, "url", server.url(first))
        monkeypatch.setattr(CIFAR10, "mirrors", tuple(map(server.url, others)))

    return use


@pytest.fixture
def offline(monkeypatch):
    def refuse(*arguments, **settings):
        raise AssertionError("a network access that nobody asked for")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(datasets, "urlopen", refuse)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ALL_THERE = ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_cifar10_downloads_from_the_first_mirror_that_has_it(server, mirrors, tmp_path, capsys):
    mirrors("gone", "page", "other", "good", "unused")
    data = CIFAR10(tmp_path / "new", download=True)
    assert data.data.shape == (20, 32, 32, 3) and data.name == "cifar10"
    assert [path for path, *_ in server.requests] == ["gone", "page", "other", "good"]
    assert names_in(tmp_path / "new") == ALL_THERE
    output = capsys.readouterr().out
    assert "170 MB" in output and "an hour" in output
    CIFAR10(tmp_path / "new", download=True)
    assert len(server.requests) == 4  # nothing was fetched again


def test_cifar10_wrong_file_is_removed(server, mirrors, tmp_path):
    mirrors("other")
    with pytest.raises(CourseError, match="wrong md5"):
        CIFAR10(tmp_path, download=True)
    assert names_in(tmp_path) == []


def test_cifar10_goes_on_at_the_next_mirror(server, mirrors, tmp_path):
    mirrors("cuts", "good")
    CIFAR10(tmp_path, download=True)
    half = len(server.archive) // 2
    rest = len(server.archive) - half
    assert server.requests == [("cuts", None, 200, half), ("good", f"bytes={half}-", 206, rest)]
    assert names_in(tmp_path) == ALL_THERE


def test_cifar10_goes_on_at_the_next_call(server, mirrors, tmp_path):
    mirrors("cuts")
    part = tmp_path / "cifar-10-python.tar.gz.part"
    with pytest.raises(CourseError, match=r"ended after 0\.\d of 0\.\d MB"):
        CIFAR10(tmp_path, download=True)
    half = len(server.archive) // 2
    assert part.stat().st_size == half
    with pytest.raises(CourseError):
        CIFAR10(tmp_path, download=True)
    assert part.stat().st_size == half + (len(server.archive) - half) // 2
    mirrors("good")
    CIFAR10(tmp_path, download=True)
    assert not part.exists()


def test_cifar10_keeps_the_part_when_a_mirror_sends_a_page(server, mirrors, tmp_path):
    mirrors("page", "good")
    (tmp_path / "cifar-10-python.tar.gz.part").write_bytes(server.archive[:100])
    CIFAR10(tmp_path, download=True)
    assert server.requests[-1][1] == "bytes=100-"


PARTS = {  # what lies in the .part file: (path, the statuses of the requests that it takes)
    "beginning, Range ignored": (lambda archive: archive[:1000], "ignores-range", [200]),
    "beginning": (lambda archive: archive[:1000], "good", [206]),
    "something else": (lambda archive: b"x" * 1000, "good", [206, 200]),
    "whole": (lambda archive: archive, "good", [416]),
    "something as long": (lambda archive: bytes(len(archive)), "good", [416, 200]),
    "longer": (lambda archive: archive + b"x", "good", [416, 200]),
    "longer, Range ignored": (lambda archive: archive + b"x", "ignores-range", [200]),
    "empty": (lambda archive: b"", "good", [200]),
}


@pytest.mark.parametrize("part", PARTS)
def test_cifar10_part_of_any_kind(server, mirrors, tmp_path, part):
    content, path, statuses = PARTS[part]
    mirrors(path)
    (tmp_path / "cifar-10-python.tar.gz.part").write_bytes(content(server.archive))
    CIFAR10(tmp_path, download=True)
    assert [status for _, _, status, _ in server.requests] == statuses
    assert names_in(tmp_path) == ALL_THERE


def test_cifar10_says_why_all_mirrors_failed(server, mirrors, tmp_path, monkeypatch):
    mirrors("gone", "page")
    monkeypatch.setattr(CIFAR10, "mirrors", (*CIFAR10.mirrors, "http://127.0.0.1:1/refuses"))
    with pytest.raises(CourseError) as caught:
        CIFAR10(tmp_path, download=True)
    message = str(caught.value)
    for words in (
        "404",
        "web page",
        "127.0.0.1:1: [Errno",
        "an hour",
        "cifar-10-python.tar.gz",
        CIFAR10.tgz_md5,
        str(tmp_path),
    ):
        assert words in message
    assert "\n" not in message


def test_cifar10_silent_mirror_is_given_up(server, mirrors, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "SILENCE", 0.2)
    release = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda handler: release.wait(20))
    mirrors("silent")
    start = time.monotonic()
    with pytest.raises(CourseError, match="timed out"):
        CIFAR10(tmp_path, download=True)
    assert time.monotonic() - start < 5
    release.set()


@pytest.mark.parametrize("download", [False, True])
def test_cifar10_archive_put_there_by_hand(server, offline, home, tmp_path, monkeypatch, download):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-10-python.tar.gz").write_bytes(server.archive)
    if download:
        CIFAR10(tmp_path / "data", download=True)
    data = open_dataset("cifar10", train=False)
    assert len(data) == 4 and names_in(tmp_path / "data") == ALL_THERE


@pytest.mark.parametrize("name", ["data_batch_5", "batches.meta"])
def test_cifar10_damaged_file_is_unpacked_again(server, offline, tmp_path, name):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(server.archive)
    CIFAR10(tmp_path)
    (tmp_path / "cifar-10-batches-py" / name).write_bytes(b"x")
    assert len(CIFAR10(tmp_path)) == 20


def test_cifar10_missing_is_not_downloaded_unasked(offline, monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    with pytest.raises(CourseError, match=r"has not been downloaded.*lessons download cifar10") as caught:
        open_dataset("cifar10", train=True)
    assert "c58f30108f718f92721af3b95e74349a" in str(caught.value) and str(tmp_path) in str(caught.value)
    (tmp_path / "data" / "cifar-10-python.tar.gz").write_bytes(b"half an archive")
    with pytest.raises(CourseError, match=r"tar\.gz is incomplete or damaged"):
        open_dataset("cifar10", train=True)


def test_cifar10_addresses():
    addresses = (CIFAR10.url, *CIFAR10.mirrors)
    assert addresses[0] == torchvision.datasets.CIFAR10.url
    assert len(set(addresses)) == 5
    assert all("cifar-10-python.tar.gz" in url for url in addresses)


# Folders of pictures


def picture(mode: str, size: tuple[int, int] = (40, 20)) -> Image.Image:
    random = np.random.default_rng(len(mode))
    return Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """cat and dog, two pictures each to train, one to test."""
    for split, count in (("train", 2), ("test", 1)):
        for name in ("dog", "cat"):
            (tmp_path / split / name).mkdir(parents=True)
            for index in range(count):
                picture("RGB").save(tmp_path / split / name / f"{index}.png")
    return tmp_path


def test_folder_is_read_like_cifar10(pictures):
    place = pictures / "train" / "cat"
    picture("RGBA", (9, 70)).save(place / "b.png")
    picture("CMYK", (32, 32)).save(place / "a.JPG")
    picture("L", (300, 200)).save(place / "c.webp")
    (place / "notes.txt").write_text("no picture")
    (place / ".hidden.png").write_text("no picture")
    (place / "nested.png").mkdir()
    picture("RGB").save(place / "nested.png" / "x.png")
    (pictures / "train" / ".ipynb_checkpoints").mkdir()
    (pictures / "train" / "read me.txt").write_text("no class")
    train, test = PictureFolder(pictures), PictureFolder(str(pictures), train=False)
    assert train.classes == ["cat", "dog"] and train.class_to_idx == {"cat": 0, "dog": 1}
    assert train.targets == [0, 0, 0, 0, 0, 1, 1] and test.targets == [0, 1]
    assert train.data.shape == (7, 32, 32, 3) and train.data.dtype == np.uint8
    for index, name in enumerate(["0.png", "1.png", "a.JPG", "b.png", "c.webp"]):
        expected = Resize((32, 32))(to_rgb(Image.open(place / name)))
        assert np.array_equal(train.data[index], expected), name
    img, target = train[6]
    assert img.mode == "RGB" and img.size == (32, 32) and target == 1
    assert train.name == str(pictures) and "Split: Train" in repr(train)
    assert dataset_line(train, test) == f"{pictures}: 7 training and 2 test pictures of 2 classes"


def test_folder_large_jpegs_are_read_almost_exactly(pictures):
    path = pictures / "train" / "cat" / "large.jpg"
    smooth = picture("RGB", (8, 6)).resize((800, 600), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth.save(path, exif=exif)
    exact = np.asarray(Resize((32, 32))(to_rgb(Image.open(path)))).astype(int)
    data = PictureFolder(pictures)
    assert abs(data.data[2] - exact).max() <= 3


def test_folder_is_read_once_until_it_changes(pictures, monkeypatch):
    first = PictureFolder(pictures)
    opened = []
    image_open = Image.open
    monkeypatch.setattr(Image, "open", lambda path: opened.append(path) or image_open(path))
    monkeypatch.chdir(pictures.parent)
    assert PictureFolder(pictures.name).data is first.data and opened == []
    path = pictures / "train" / "dog" / "1.png"
    Image.new("RGB", (5, 5), "red").save(path, format="BMP")
    changed = PictureFolder(pictures)
    assert len(opened) == 4 and changed.data[3, 0, 0].tolist() == [255, 0, 0]
    stat = path.stat()
    Image.new("RGB", (5, 5), "lime").save(path, format="BMP")  # as many bytes: only the time tells
    assert path.stat().st_size == stat.st_size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert PictureFolder(pictures).data[3, 0, 0].tolist() == [0, 255, 0]
    path.unlink()
    assert len(PictureFolder(pictures)) == 3
    assert len(PictureFolder(pictures, train=False)) == 2


def break_folder(pictures: Path, how: str) -> None:
    match how:
        case "no root":
            pictures.rename(pictures.with_name("away"))
        case "no test":
            (pictures / "test").rename(pictures / "tests")
        case "no classes":
            for split in ("train", "test"):
                for name in ("cat", "dog"):
                    (pictures / split / name).rename(pictures / f"{split}-{name}")
        case "one class":
            for split in ("train", "test"):
                (pictures / split / "dog").rename(pictures / f"{split}-dog")
        case "empty class":
            for path in (pictures / "train" / "dog").iterdir():
                path.rename(path.with_suffix(".txt"))
        case "train lacks":
            (pictures / "test" / "bird").mkdir()
        case "test lacks":
            (pictures / "train" / "bird").mkdir()
        case "no picture":
            (pictures / "train" / "cat" / "1.png").write_text("text")
        case "truncated":
            os.truncate(pictures / "train" / "cat" / "1.png", 300)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no root", r"There is no .*train.*train/<class>/ and test/<class>/"),
        ("no test", r"There is no .*test: .*train/<class>/ and test/<class>/"),
        ("no classes", "two classes"),
        ("one class", "two classes"),
        ("empty class", r"train.dog holds no picture: .*\.jpg.*\.png"),
        ("train lacks", "train lacks classes that test has: bird"),
        ("test lacks", "test lacks classes that train has: bird"),
        ("no picture", r"cat.1\.png is no readable picture"),
        ("truncated", r"cat.1\.png is no readable picture"),
    ],
)
def test_folder_errors(pictures, how, message):
    break_folder(pictures, how)
    with pytest.raises(CourseError, match=message):
        PictureFolder(pictures)


def test_open_dataset_by_path_or_not_at_all(pictures, monkeypatch):
    monkeypatch.setenv("HOME", str(pictures.parent))
    monkeypatch.setenv("USERPROFILE", str(pictures.parent))
    data = open_dataset(f"~/{pictures.name}", train=False, transform=ToTensor())
    assert data.name == str(pictures) and data[0][0].shape == (3, 32, 32)
    for wrong in ("cifar100", "Sketch10", str(pictures / "nowhere")):
        with pytest.raises(CourseError, match="choose sketch10, cifar10, or the path of a folder"):
            open_dataset(wrong, train=True)


# Any picture as RGB

RED, WHITE, GREY, LIGHT = (255, 0, 0), (255, 255, 255), (128, 128, 128), (200, 200, 200)


def palette_picture(transparent: int | bytes | None) -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putdata([0, 1])
    if transparent is not None:
        image.info["transparency"] = transparent
    return image


def with_transparent(image: Image.Image, colour: object) -> Image.Image:
    image.info["transparency"] = colour
    return image


def grey16(dtype: str, value: int) -> Image.Image:
    return Image.fromarray(np.full((1, 1), value, dtype=dtype))


RGB_OF = {  # name: (picture, the colour of its first pixel as RGB)
    "RGB": (Image.new("RGB", (1, 1), RED), RED),
    "L": (Image.new("L", (1, 1), 128), GREY),
    "1": (Image.new("1", (1, 1), 1), WHITE),
    "CMYK": (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), RED),
    "P": (palette_picture(None), (0, 0, 255)),
    "P, one colour transparent": (palette_picture(0), WHITE),
    "P, alpha of each colour": (palette_picture(b"\x80\xff"), (127, 127, 255)),
    "PA": (palette_picture(None).convert("PA"), (0, 0, 255)),
    "RGBA opaque": (Image.new("RGBA", (1, 1), (255, 0, 0, 255)), RED),
    "RGBA transparent": (Image.new("RGBA", (1, 1), (255, 0, 0, 0)), WHITE),
    "RGBA half": (Image.new("RGBA", (1, 1), (255, 0, 0, 128)), (255, 127, 127)),
    "LA transparent": (Image.new("LA", (1, 1), (0, 0)), WHITE),
    "LA opaque": (Image.new("LA", (1, 1), (128, 255)), GREY),
    "RGB, one colour transparent": (with_transparent(Image.new("RGB", (1, 1), RED), RED), WHITE),
    "L, one value transparent": (with_transparent(Image.new("L", (1, 1), 128), 128), WHITE),
    "I;16": (grey16("<u2", 200 * 257), LIGHT),
    "I;16 brightest": (grey16("<u2", 65535), WHITE),
    "I;16B": (grey16(">u2", 200 * 257), LIGHT),
    "I": (grey16("<i4", 200 * 257), LIGHT),
    "I beyond 16 bit": (grey16("<i4", 1_000_000), WHITE),
}


@pytest.mark.parametrize("name", RGB_OF)
def test_to_rgb(name):
    image, expected = RGB_OF[name]
    assert image.mode == re.split(r"[ ,]", name)[0]
    result = to_rgb(image)
    assert result.mode == "RGB" and result.size == image.size and result.getpixel((0, 0)) == expected


def test_to_rgb_16_bit_png(tmp_path):
    grey16("<u2", 128 * 257).save(tmp_path / "16.png")
    assert to_rgb(Image.open(tmp_path / "16.png")).getpixel((0, 0)) == GREY


def test_to_rgb_turns_as_exif_says(tmp_path):
    image = Image.new("RGB", (3, 2))
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned by 90 degrees, clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    turned = to_rgb(Image.open(tmp_path / "turned.png"))
    assert turned.size == (2, 3) and turned.getpixel((1, 0)) == RED


# Whole batches


class PictureByPicture(Sketch10):
    __getitems__ = None  # as if it were not defined


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("subset", [False, True])
def test_whole_batches_equal_picture_by_picture(home, num_workers, subset, monkeypatch):
    def batches(kind, workers):
        data = kind(home / "data", train=False, transform=ToTensor(), download=True)
        if subset:
            data = Subset(data, range(999, 0, -7))
        shuffle = torch.Generator().manual_seed(0)
        return list(DataLoader(data, batch_size=64, shuffle=True, generator=shuffle, num_workers=workers))

    expected = batches(PictureByPicture, 0)
    if num_workers == 0:  # otherwise the ordinary path would equal itself
        monkeypatch.setattr(Sketch10, "__getitem__", None)
    fast = batches(Sketch10, num_workers)
    assert len(fast) == len(expected) == (3 if subset else 16)
    for (imgs, targets), (expected_imgs, expected_targets) in zip(fast, expected, strict=True):
        assert torch.equal(imgs, expected_imgs) and torch.equal(targets, expected_targets)
        assert imgs.dtype == expected_imgs.dtype == torch.float32
        assert targets.dtype == expected_targets.dtype == torch.int64
        assert imgs.stride() == expected_imgs.stride() and imgs.is_contiguous()


def test_whole_batches_hold_every_value(tmp_path):
    data = WholeBatches()
    data.transform, data.target_transform = ToTensor(), None
    data.data = np.arange(256, dtype=np.uint8).repeat(12).reshape(1, 32, 32, 3)
    data.targets = [3]
    [(img, target)] = data.__getitems__([0])
    assert torch.equal(img, ToTensor()(data.data[0])) and target == 3
    assert list(data.__getitems__([])) == []
    [(img, target)] = data.__getitems__([-1])
    assert torch.equal(img, ToTensor()(data.data[0]))


def test_whole_batches_are_handed_on_without_a_copy(few):
    batch = FewSketches(few, transform=ToTensor()).__getitems__([3, 0, 3])
    imgs, targets = default_collate(batch)
    assert imgs is batch.imgs and targets.tolist() == batch.targets


def in_reverse(batch):
    return default_collate(list(batch)[::-1])


@pytest.mark.parametrize(
    "collate_fn",
    [
        lambda batch: [(img.sum(), target) for img, target in batch],
        lambda batch: list(zip(*batch, strict=True)),
        lambda batch: (len(batch), batch[-1], default_collate(batch[1:3]), batch[::-1][0]),
        lambda batch: default_collate([pair for pair in batch if pair[1] % 2]),
        lambda batch: default_collate([{"pair": pair} for pair in batch]),
        in_reverse,
    ],
)
def test_whole_batches_suit_any_collate_fn(home, collate_fn):
    def first(kind):
        data = kind(home / "data", train=False, transform=ToTensor(), download=True)
        return next(iter(DataLoader(data, batch_size=20, collate_fn=collate_fn)))

    torch.testing.assert_close(first(Sketch10), first(PictureByPicture), rtol=0, atol=0)


def test_whole_batches_in_a_worker_with_a_collate_fn_and_a_batch_sampler(few):
    data = FewSketches(few, transform=ToTensor())
    samplers = ([(1, 0), (2,)], [torch.tensor([1, 0]), torch.tensor([2])])
    for sampler, num_workers in zip(samplers, (1, 0), strict=True):
        loader = DataLoader(data, batch_sampler=sampler, collate_fn=in_reverse, num_workers=num_workers)
        (imgs, targets), _ = loader
        assert torch.equal(imgs, torch.stack([data[0][0], data[1][0]]))
        assert targets.tolist() == data.targets[:2]


def test_whole_batches_show_what_was_changed(few):
    data = FewSketches(few, transform=ToTensor())
    loader = DataLoader(data, batch_size=4)
    next(iter(loader))
    data.data[1], data.targets[1] = 255, 7
    imgs, targets = next(iter(loader))
    assert imgs[1].min() == 1 and targets[1] == 7
    imgs.zero_()  # nor does what becomes of a batch show in the data set
    assert data.data[1].min() == 255


def test_whole_batches_leave_other_transforms_alone(few, pictures):
    class Darker(ToTensor):
        def __call__(self, picture):
            return super().__call__(picture) / 2

    bright = FewSketches(few, transform=ToTensor())[3][0]
    [(img, target)] = FewSketches(few, transform=Darker()).__getitems__([3])
    assert torch.equal(img, bright / 2)
    labelled = FewSketches(few, transform=ToTensor(), target_transform=str)
    assert labelled.__getitems__([3])[0][1] == str(target)
    [(img, _)] = FewSketches(few).__getitems__([3])
    assert isinstance(img, Image.Image)
    data = PictureFolder(pictures, transform=ToTensor())
    for (img, target), (expected, expected_target) in zip(
        data.__getitems__([3, 0]), [data[3], data[0]], strict=True
    ):
        assert torch.equal(img, expected) and target == expected_target
