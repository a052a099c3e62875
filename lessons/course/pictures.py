"""Pictures of your own: a file of any kind as RGB, and a folder of them as a data set."""

import functools
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
import torchvision
from PIL import Image, ImageOps
from rich.progress import MofNCompleteColumn

from lessons.course import CourseError
from lessons.course.batches import WholeBatches
from lessons.course.progress import progress_bar
from lessons.course.screen import as_one_line

SIZE = (32, 32)  # width and height in pixels of every picture in the course
# The most that is read, so that any picture takes less than 1 GB of memory and a few seconds
PIXELS, PIXELS_OF_JPEG = 60_000_000, 200_000_000  # a JPEG is decoded at a fraction of its size
BYTES = 250_000_000  # of the file, which some kinds read whole

# Of what Pillow can open, the kinds that hold photographs or drawings; AVIF where this Pillow has it
KINDS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000", "TGA", "ICO", "MPO")

PictureFile = tuple[str, int, int]  # path, bytes, time of the last change in ns


def shown_name(path: str | Path) -> str:
    """The name of a picture file on one line: on a terminal, and as a tag."""
    return as_one_line(Path(path).name)


def open_picture(path: str | Path) -> Image.Image:
    """The picture in a file of any format and mode as RGB, turned as its EXIF data says, on white.

    A large JPEG comes at a fraction of its size, never below 128x128: decoding a 12-megapixel photo takes a
    tenth of the time then, and what is resized to 32x32 from it changes by 1 of 255 at most.

    Raises CourseError when there is no such file, when it is too large, or cannot be read as a picture.
    """
    if not os.path.isfile(path):
        raise CourseError(f"there is no picture {path}: give the path of a file, such as photo.png")
    try:
        with pixel_limit(path), Image.open(path, formats=_kinds()) as image:
            if image.width * image.height > (most := most_pixels(image)):
                raise Image.DecompressionBombError(
                    f"{image.width} x {image.height} pixels of {most:,} at most"
                )
            image.draft("RGB", (128, 128))  # of a JPEG, image.size is that of the fraction from here on
            return to_rgb(image)
    except Image.DecompressionBombError as error:
        reason = str(error).partition(", could be")[0]  # an attack, says Pillow
        raise CourseError(f"{path} is too large ({reason}): make it smaller, or leave it out") from error
    except Exception as error:  # a broken file makes Pillow's decoders raise nearly anything
        reason = str(error) or type(error).__name__
        raise CourseError(
            f"{path} is no readable picture ({reason}): save it again as PNG or JPEG, or leave it out"
        ) from error


@contextmanager
def pixel_limit(path: str | Path) -> Iterator[None]:
    """Let Pillow refuse what is too large before it decodes it, in pictures within a picture (icons) too.

    It refuses what has more than twice its limit, and warns of the rest. All its warnings stay unsaid
    meanwhile: those of damage that it can live with too.
    """
    if os.path.getsize(path) > BYTES:
        raise Image.DecompressionBombError(f"{os.path.getsize(path):,} bytes of {BYTES:,} at most")
    with open(path, "rb") as file:
        pixels = PIXELS_OF_JPEG if file.read(3) == b"\xff\xd8\xff" else PIXELS
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, pixels // 2
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def most_pixels(image: Image.Image) -> int:
    """How many pixels of this kind are decoded within the limits of memory and time."""
    if image.format in ("JPEG", "MPO"):  # a progressive one is in memory whole before it becomes small
        return PIXELS_OF_JPEG // 2 if image.info.get("progressive") else PIXELS_OF_JPEG
    if image.format == "JPEG2000":  # 0.15 us a pixel
        return PIXELS // 3
    in_python = any(codec in Image.DECODERS for codec, *_ in getattr(image, "tile", ()))
    return PIXELS // 20 if in_python else PIXELS  # up to 1 us a pixel: some BMP and PPM


def to_rgb(image: Image.Image) -> Image.Image:
    """A picture of any mode as RGB: turned as its EXIF data says, on white where it is transparent.

    16-bit grey values (modes ``I;16*``, and ``I``, which Pillow has used for them) are scaled from 0..65535
    to 0..255. Raises ValueError for floating-point values, which say nowhere what is white: 1, 255 or else.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise ValueError("it holds floating-point values, and not which of them is white")
    if image.mode.startswith("I"):  # convert("RGB") would cut off everything above 255
        grey = np.asarray(image).astype(np.float32)
        grey /= 257  # 65535 / 257 = 255
        return Image.fromarray(grey.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "RGBa", "LA", "PA") or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        return white
    return image.convert("RGB")


class PictureFolder(WholeBatches, torchvision.datasets.VisionDataset):
    """Your own pictures: ``root/train/<class>/*`` and ``root/test/<class>/*``, each resized to 32x32.

    Pictures may have any size and mode; of an animated one, the first counts. Other files, and folders inside
    a class, are passed over, and one line says so. Sorted by class name, then by file name. A folder is read
    once per process, and again when a file in it has changed; data sets of one folder share one ``data``.

    Raises CourseError when a folder is missing or empty, when the classes of train and test differ or are
    fewer than two, and when a file cannot be read as a picture.
    """

    _read: ClassVar[dict[Path, tuple[list[PictureFile], np.ndarray]]] = {}

    def __init__(
        self,
        root: str | Path,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
    ) -> None:
        root = Path(os.path.expanduser(root)).resolve()
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.name = str(root)
        self.train = train
        self.classes = _class_names(root)
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

        split = root / ("train" if train else "test")
        listing: list[PictureFile] = []
        self.targets = []
        others: Counter[str] = Counter()
        for name, target in self.class_to_idx.items():
            pictures = _list_pictures(split / name, others)
            listing += pictures
            self.targets += [target] * len(pictures)
        if split not in self._read or self._read[split][0] != listing:
            if others:
                kinds = ", ".join(f"{count} {kind}" for kind, count in others.most_common())
                print(f"passed over in {split}: {kinds}; wanted are pictures, each straight in its class")
            self._read[split] = (listing, _read_pictures([path for path, *_ in listing]))
        self.data = self._read[split][1]  # (N, 32, 32, 3) uint8

    extra_repr = torchvision.datasets.CIFAR10.extra_repr


@functools.cache
def _kinds() -> list[str]:
    """Of KINDS those that this Pillow opens. Asked late: it has to import all that it can open."""
    Image.init()
    return [kind for kind in KINDS if kind in Image.OPEN]


@functools.cache
def _endings() -> tuple[str, ...]:
    """``.jpg`` and the like."""
    return tuple(ending for ending, kind in Image.registered_extensions().items() if kind in KINDS)


def _list_pictures(folder: Path, others: Counter[str]) -> list[PictureFile]:
    """The picture files of a class, sorted; what else is there is counted in ``others``, by its kind.

    Raises CourseError when there is no picture.
    """
    pictures = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in ("Thumbs.db", "desktop.ini"):
                continue  # what a system keeps in a folder for itself
            if entry.is_file() and entry.name.lower().endswith(_endings()):
                pictures.append((entry.path, entry.stat().st_size, entry.stat().st_mtime_ns))
            else:
                ending = Path(entry.name).suffix.lower() or "without an ending"
                others["folder(s)" if entry.is_dir() else ending] += 1
    if not pictures:
        raise CourseError(
            f"{folder} holds no picture: put some in (.jpg, .png, .webp, .gif, ...) or remove that class."
        )
    return sorted(pictures)


def _class_names(root: Path) -> list[str]:
    """The class folders, sorted.

    Raises CourseError unless train and test have the same ones, two at least, with names that can be shown.
    """
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
    for name in sorted(names["train"]):
        if (shown := as_one_line(name)) != name:
            raise CourseError(f"the name of the class {shown} holds what is no letter or sign: rename it.")
    if len(names["train"]) < 2:
        raise CourseError(f"{root / 'train'} needs a folder for each class, and two classes at least.")
    return sorted(names["train"])


def _read_pictures(paths: list[str]) -> np.ndarray:
    """All pictures at 32x32 as (N, 32, 32, 3) uint8, with a progress bar when that takes more than a second.

    Raises CourseError at the first that cannot be read.
    """
    width, height = SIZE
    # In memory, red comes before green before blue, as CIFAR10 keeps its pictures: so they turn into tensors
    # (3, 32, 32) in two thirds of the time.
    data = np.empty((len(paths), 3, height, width), dtype=np.uint8).transpose(0, 2, 3, 1)
    shown = time.monotonic()
    with progress_bar(MofNCompleteColumn()) as bar:
        task = bar.add_task("Reading pictures", total=len(paths), visible=False)
        for index, path in enumerate(paths):
            data[index] = np.asarray(open_picture(path).resize(SIZE, Image.Resampling.BILINEAR))
            if time.monotonic() - shown > 1:
                bar.update(task, completed=index + 1, visible=True)
                shown = time.monotonic()
    return data
