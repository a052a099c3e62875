"""The three data sets with a few pictures each, for the tests of the rooms behind them."""

import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from lessons.course import sketches
from lessons.course.datasets import CIFAR10, Sketch10


class FewSketches(Sketch10):
    """Sketch10 with 50 + 20 pictures, which takes a hundredth of the time."""

    pictures_per_train_file = 10
    pictures_per_test_file = 20


def md5_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def cifar10_archive(monkeypatch) -> bytes:
    """An archive of CIFAR-10's layout with 4 pictures a file; its checksums take the place of CIFAR-10's."""
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
    monkeypatch.setattr(CIFAR10, "tgz_bytes", len(archive.getvalue()))
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5_of(archive.getvalue()))
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5_of(files["batches.meta"])})
    for split in ("train_list", "test_list"):
        names = [name for name, _ in getattr(CIFAR10, split)]
        monkeypatch.setattr(CIFAR10, split, [[name, md5_of(files[name])] for name in names])
    return archive.getvalue()


def picture(mode: str, size: tuple[int, int] = (40, 20)) -> Image.Image:
    """A picture of noise."""
    random = np.random.default_rng(len(mode))
    return Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


def fill_folder(folder: Path) -> Path:
    """cat and dog, two pictures each to train, one to test."""
    for split, count in (("train", 2), ("test", 1)):
        for name in ("dog", "cat"):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                picture("RGB").save(folder / split / name / f"{index}.png")
    return folder
