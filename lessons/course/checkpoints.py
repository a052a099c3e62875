"""Checkpoints that are none or damaged: what lies in a file, by its first bytes and names, and its checksums.

Nothing in a file is ever run here.
"""

import errno
import hashlib
import os
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lessons.course import CourseError
from lessons.course.screen import as_one_line

SAVE_WEIGHTS = "save the state_dict and not the whole model (lesson 7)"
MAY_RUN = f"it may run code, so {SAVE_WEIGHTS}; --unsafe-pickle opens what you made yourself"
PICKLED = f"it holds more than tensors and plain values: {SAVE_WEIGHTS}"
# Bytes of a stranger's file: a Tudui takes 0.6 MB, its training 2 MB
LARGEST = 100_000_000  # unpacked: it is in memory at once
LARGEST_PICKLE = 4_000_000  # of it, what torch.load goes through step by step, in seconds


@contextmanager
def opened_safely(path: str | Path, trusting: bool = False) -> Iterator[None]:
    """Around ``torch.load(path, weights_only=True)`` of a file from anywhere: what is wrong, in a sentence.

    ``weights_only`` keeps code in the file from running. It does not keep the file from filling the memory:
    so its sizes are looked at before, and its checksums. ``trusting``: it is opened with False.

    Raises CourseError.
    """
    try:
        check_size(path)
        check_whole(path)
        with warnings.catch_warnings(action="ignore"):  # of what is refused anyway, such as TorchScript
            yield
    except CourseError:
        raise
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}): --checkpoint takes a .pth file"
        ) from error
    except Exception as error:  # what is no checkpoint makes torch.load raise nearly anything
        if trusting:
            reason = as_one_line(f"{type(error).__name__}: {error}")
            raise CourseError(f"{path} cannot be opened ({reason}): {SAVE_WEIGHTS}") from error
        found = what_is_in(path)
        if asked := re.search(r"GLOBAL (\S+)", str(error)):  # a name in the file, which it wants called
            found = f"it asks for {asked[1]}, no tensor and no plain value: {MAY_RUN}"
        elif found == PICKLED:
            found = "it is damaged, or made to mislead"
        raise CourseError(f"{path} is no checkpoint that is safe to open: {found}") from error


def check_size(path: str | Path) -> None:
    """Refuse what would fill the memory or take minutes before ``torch.load`` refuses it.

    Raises:
        CourseError: for more bytes than a checkpoint has, in the file or once they are unpacked.
        OSError: when it is no file; of a pipe, the end would be waited for.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(errno.ENOENT, "No such file")
    size = pickled = os.path.getsize(path)
    with open(path, "rb") as file:
        start = file.read(LARGEST_PICKLE)
    try:
        archive = zipfile.ZipFile(path)
        pickles = [entry for entry in archive.infolist() if entry.filename.endswith(".pkl")]
        size, pickled = (sum(e.file_size for e in entries) for entries in (archive.infolist(), pickles))
        start = b"".join(archive.open(entry).read(LARGEST_PICKLE) for entry in pickles)
    except Exception:  # no zip archive, or a damaged one
        pickled = size if start[:1] == b"\x80" else 0
    if size > LARGEST or pickled > LARGEST_PICKLE:
        raise CourseError(
            f"{path} is too large for a checkpoint of a Tudui: {size / 1e6:,.0f} MB, of which "
            f"{pickled / 1e6:,.0f} MB are no numbers"
        )
    if b"bytearray" in start:  # of any size, and torch.load makes it
        raise CourseError(f"{path} is no checkpoint that is safe to open: it asks for a bytearray")


def what_is_in(path: str | Path) -> str:
    """What a file holds that ``torch.load`` has refused, and what to do: the end of a sentence."""
    with open(path, "rb") as file:
        start = file.read(4096)
    if not start:
        return "it is empty"
    if start[:4] == b"PK\x03\x04":
        return in_zip(path)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < 10**8:
        return "it is a safetensors file: read it with safetensors.torch.load_file, then torch.save that dict"
    if start[:1] == b"\x80":
        return f"it is a pickle, or the beginning of one: {MAY_RUN}"
    if start[:1] == b"\x08" and start[2:3] in (
        b"\x12",
        b"\x1a",
        b"\x3a",
    ):  # ir_version, then producer or graph
        return "it looks like an ONNX file, which onnxruntime runs"
    try:
        start.decode("utf-8")
        return "it is a text file"
    except UnicodeDecodeError:
        return "it is no file that torch.save writes"


def in_zip(path: str | Path) -> str:
    """The same for a zip archive, as torch.save and torch.export write it."""
    try:
        names = zipfile.ZipFile(path).namelist()
        if any(name.endswith("data.pkl") for name in names):
            check_whole(path)
    except Exception:  # with a wrong length, flag or name in it, zipfile raises nearly anything
        return "it is cut short or damaged: copy or save it again"
    if any("/code/" in name for name in names):
        return "it is TorchScript, a program: save the state_dict of the network that it was made from"
    if any(name.endswith("archive_format") for name in names):
        return "it is an exported program: torch.export.load opens it"
    if any(name.endswith("data.pkl") for name in names):
        return PICKLED
    return "it is a zip archive of other things"


def check_whole(path: str | Path) -> None:
    """Compare what ``torch.save`` has written with the checksums beside it, which ``torch.load`` does not do.

    Of a file that is no zip archive nothing is said: ``torch.load`` refuses it, or it is older than that.

    Raises:
        BadZipFile: when a bit has changed, or part of the file is missing.
        OSError: when it cannot be read.
    """
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return
        try:
            archive = zipfile.ZipFile(file)
            stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
            damaged = archive.testzip() if stored else None  # torch.save compresses nothing
        except Exception as error:  # as above
            raise zipfile.BadZipFile(str(error)) from error
    if damaged:
        raise zipfile.BadZipFile(f"{damaged} has changed since it was saved")


def check_hash(path: Path) -> None:
    """Compare downloaded weights with their name, ``<model>-<first letters of the SHA-256>.pth``.

    torch does so when it downloads them and never again.

    Raises:
        CourseError: when they are others.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(path.stem.rpartition("-")[2]):
        raise CourseError(f"{path} is damaged: remove it; lessons download vgg16 fetches it again")


def classes_and_dataset(
    content: dict[str, Any], network: Any, path: str | Path
) -> tuple[list[str] | None, str | None]:
    """The names of its classes and of its data set in a network's checkpoint; None where it has none.

    Each comes on one line, whatever it holds. Raises CourseError for anything else in their place.
    """
    classes, dataset = content.get("classes"), content.get("dataset")
    try:
        names = [as_one_line(name) for name in classes] if classes else None
        if names and len(names) != network.head.out_features:
            raise CourseError(
                f"{path} names {len(names)} classes, and its weights are for {network.head.out_features}"
            )
        return names, as_one_line(dataset) if dataset else None
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor raises the others
        raise CourseError(f"the classes or the data set in {path} have no names: they are no text") from error
