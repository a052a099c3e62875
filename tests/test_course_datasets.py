import gzip
import os
import pickle
import re
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torchvision
from file_server import Server, serving
from small_data import FewSketches, cifar10_archive, fill_folder, md5_of
from torchvision.transforms import ToTensor

from lessons.course import CourseError, fetch, sketches
from lessons.course.datasets import CIFAR10, Sketch10, dataset_line, open_dataset


def contents_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


# --- Sketch10


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


# --- CIFAR-10


@pytest.fixture
def archive(monkeypatch) -> bytes:
    return cifar10_archive(monkeypatch)


@pytest.fixture
def mirrors(archive, monkeypatch):
    """``mirrors("gone", "good")``: CIFAR-10's addresses, each a path of a server, tried in this order."""
    with serving(archive) as server:

        def use(first: str, *others: str) -> Server:
            monkeypatch.setattr(CIFAR10, "url", server.url(first))
            monkeypatch.setattr(CIFAR10, "mirrors", tuple(map(server.url, others)))
            return server

        yield use


@pytest.fixture
def offline(monkeypatch):
    def refuse(*arguments, **settings):
        raise AssertionError("a network access that nobody asked for")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr(fetch, "urlopen", refuse)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


ALL_THERE = ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_cifar10_downloads_from_the_first_mirror_that_has_it(mirrors, tmp_path, capsys):
    server = mirrors("gone", "page", "other", "good", "unused")
    data = CIFAR10(tmp_path / "new", download=True)
    assert data.data.shape == (20, 32, 32, 3) and data.name == "cifar10"
    assert [path for path, *_ in server.requests] == ["gone", "page", "other", "good"]
    assert names_in(tmp_path / "new") == ALL_THERE
    output = capsys.readouterr().out
    assert "170 MB" in output and "an hour" in output
    CIFAR10(tmp_path / "new", download=True)
    assert len(server.requests) == 4  # nothing was fetched again


def test_cifar10_goes_on_at_the_next_call(mirrors, archive, tmp_path):
    mirrors("cuts")
    part = tmp_path / "cifar-10-python.tar.gz.part"
    with pytest.raises(CourseError, match=r"ended after 0\.\d of 0\.\d MB"):
        CIFAR10(tmp_path, download=True)
    half = len(archive) // 2
    assert part.stat().st_size == half
    server = mirrors("good")
    CIFAR10(tmp_path, download=True)
    assert server.requests[-1][1] == f"bytes={half}-"
    assert names_in(tmp_path) == ALL_THERE


def test_cifar10_says_why_all_mirrors_failed(mirrors, tmp_path):
    mirrors("gone", "page")
    with pytest.raises(CourseError) as caught:
        CIFAR10(tmp_path, download=True)
    message = str(caught.value)
    for words in ("404", "web page", "an hour", "cifar-10-python.tar.gz", CIFAR10.tgz_md5, str(tmp_path)):
        assert words in message
    assert "\n" not in message


@pytest.mark.parametrize("download", [False, True])
def test_cifar10_archive_put_there_by_hand(archive, offline, home, tmp_path, monkeypatch, download):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "cifar-10-python.tar.gz").write_bytes(archive)
    if download:
        CIFAR10(tmp_path / "data", download=True)
    data = open_dataset("cifar10", train=False)
    assert len(data) == 4 and names_in(tmp_path / "data") == ALL_THERE


@pytest.mark.parametrize("name", ["data_batch_5", "batches.meta"])
def test_cifar10_damaged_file_is_unpacked_again(archive, offline, tmp_path, name):
    (tmp_path / "cifar-10-python.tar.gz").write_bytes(archive)
    CIFAR10(tmp_path)
    (tmp_path / "cifar-10-batches-py" / name).write_bytes(b"x")
    assert len(CIFAR10(tmp_path)) == 20


def member(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "evil",
    [
        member("../outside", tarfile.REGTYPE),
        member("cifar-10-batches-py/../../outside", tarfile.REGTYPE),
        member("/tmp/outside", tarfile.REGTYPE),
        member("C:outside", tarfile.REGTYPE),
        member("..\\outside", tarfile.REGTYPE),
        member("cifar-10-batches-py/link", tarfile.SYMTYPE, "/etc/passwd"),
        member("cifar-10-batches-py/link", tarfile.LNKTYPE, "../outside"),
        member("cifar-10-batches-py/pipe", tarfile.FIFOTYPE),
        member("cifar-10-batches-py/device", tarfile.CHRTYPE),
    ],
    ids=lambda info: f"{info.name}, type {info.type.decode()}",
)
def test_cifar10_archive_that_climbs_out_is_not_unpacked(evil, archive, offline, tmp_path, monkeypatch):
    """Also with the right checksum, and where torchvision or Python would not look."""
    content = gzip.decompress(archive).rstrip(b"\0")
    content += bytes(-len(content) % 512) + evil.tobuf() + bytes(1024)
    root = tmp_path / "data"
    root.mkdir()
    path = root / CIFAR10.filename
    path.write_bytes(gzip.compress(content))
    with tarfile.open(path) as whole:
        assert evil.name in whole.getnames()
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5_of(path.read_bytes()))
    with pytest.raises(CourseError, match="may write outside its folder: remove the archive") as refused:
        CIFAR10(root)
    assert repr(evil.name) in str(refused.value)
    assert names_in(tmp_path) == ["data"] and names_in(root) == [path.name]


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


# --- By name


def test_open_dataset_by_path_or_not_at_all(tmp_path, monkeypatch):
    pictures = fill_folder(tmp_path / "pictures")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    data = open_dataset("~/pictures", train=False, transform=ToTensor())
    assert data.name == str(pictures) and data[0][0].shape == (3, 32, 32)
    no_names = ("~nobody/pictures", "n" * 300, "nul\0")  # Path raises for the first two
    for wrong in ("cifar100", "Sketch10", str(pictures / "nowhere"), *no_names):
        with pytest.raises(CourseError, match="choose sketch10, cifar10, or the path of a folder"):
            open_dataset(wrong, train=True)
