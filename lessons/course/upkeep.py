"""What is done beside the lessons: check the installation, fetch real pictures and weights, free disk space.

The ``lessons`` command imports this, so what is slow to import is imported where it is wanted.
"""

import importlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import typer

from lessons.course import CourseError, course_dir, course_home, torch_home

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's IMAGENET1K_V1
VGG16_BYTES = 553_433_881
# Each folder of the course folder, by the word for it: what lies there, for `lessons clean`.
FOLDERS = {
    "logs": ("logs", "the curves and pictures of your runs"),
    "models": ("models_saved", "networks that lessons saved, and downloaded weights"),
    "data": ("data", "Sketch10 (drawn again when needed), downloads, and what you put there"),
}


# --- doctor


class Check(NamedTuple):
    """One line of the doctor: what was looked at, and what is so or what to do."""

    good: bool | None  # None: not there, and nothing that must be
    name: str
    finding: str


def doctor() -> int:
    """Print what the course needs and whether it is there. Returns 1 when something is broken, else 0."""
    broken = False
    for check in (*check_packages(), *check_folders()):
        broken |= check.good is False
        mark, colour = {True: ("ok", "green"), None: ("-", None), False: ("fix", "red")}[check.good]
        typer.echo(f"{typer.style(f'{mark:<4}', fg=colour)} {check.name:<13} {check.finding}")
    return int(broken)


def check_packages() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check(sys.version_info >= (3, 10), "Python", f"{version} at {sys.executable}")
    modules = {}
    for name in ("torch", "torchvision", "tensorboard"):
        try:
            modules[name] = importlib.import_module(name)
            yield Check(True, name, modules[name].__version__)
        except Exception as error:  # a broken install raises anything
            finding = f"{type(error).__name__}: {error}"
            if "torchvision::nms" in finding:
                finding += "; torch and torchvision are no pair"
            remedy = 'pip install --force-reinstall torch torchvision "tensorboard>=2.21"'
            yield Check(False, name, f"{finding}. Do: {remedy}")
    if torch := modules.get("torch"):
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        yield Check(True, "device", str(accelerator or f"cpu, {torch.get_num_threads()} threads"))


def check_folders() -> Iterator[Check]:
    home = course_home()
    yield Check(True, "course folder", f"{home} (LESSONS_HOME moves it)")
    free = shutil.disk_usage(next(folder for folder in (home, *home.parents) if folder.exists())).free / 1e9
    enough = free > 2
    yield Check(enough or None, "free disk", f"{free:.0f} GB" + ("" if enough else "; lesson 7 wants 1.5 GB"))
    data = home / "data"
    sketch10 = (data / "sketch10-batches-py" / "checksums.json").exists()
    yield Check(sketch10 or None, "sketch10", "drawn" if sketch10 else "drawn when a lesson first wants it")
    cifar10 = (data / "cifar-10-batches-py").is_dir() or (data / "cifar-10-python.tar.gz").is_file()
    vgg16 = vgg16_file().is_file()
    for name, there, place in (("cifar10", cifar10, data), ("vgg16", vgg16, vgg16_file())):
        missing = f"not here, not needed; lessons download {name}"
        yield Check(there or None, name, f"at {place}" if there else missing)


# --- download


def download(what: str) -> None:
    """Fetch ``cifar10`` or ``vgg16``, unless it is there already."""
    if what == "cifar10":
        download_cifar10()
    elif what == "vgg16":
        download_vgg16()
    else:
        raise CourseError(f"there is no download {what!r}: choose cifar10 or vgg16")


def download_cifar10() -> None:
    from lessons.course.datasets import CIFAR10, dataset_line

    data = course_dir("data")
    typer.echo(dataset_line(*(CIFAR10(data, train=train, download=train) for train in (True, False))))
    typer.echo("Use it: lessons run 5 --dataset cifar10, or set LESSONS_DATASET=cifar10")


def download_vgg16() -> None:
    import socket
    from http.client import HTTPException

    import torch

    file = vgg16_file()
    if file.is_file():
        typer.echo(f"Already there: {file}")
        return
    socket.setdefaulttimeout(60)  # torch sets none: it would wait for ever on a line that has gone silent
    typer.echo(f"Downloading {VGG16_BYTES / 2**20:.0f} MB to {file} (TORCH_HOME moves it)")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:  # to a temporary name; renamed when the hash in the file's name is right
        torch.hub.download_url_to_file(VGG16_URL, str(file), hash_prefix=file.stem.partition("-")[2])
    except (OSError, HTTPException, RuntimeError) as error:
        raise CourseError(
            f"the download failed ({error}); by hand: save {VGG16_URL} as {file}, then run lesson 6 again"
        ) from error


def vgg16_file() -> Path:
    """Where torchvision looks for the weights of VGG16."""
    return torch_home() / "hub" / "checkpoints" / VGG16_URL.rpartition("/")[2]


# --- clean


def clean(what: str, ask: bool = True) -> None:
    """Remove what lies in ``logs``, ``models``, ``data`` or ``all`` of them, after showing how much it is."""
    if what not in (*FOLDERS, "all"):
        raise CourseError(f"there is nothing called {what!r} to clean: choose {', '.join(FOLDERS)} or all")
    doomed = []
    for word in FOLDERS if what == "all" else [what]:
        name, meaning = FOLDERS[word]
        folder = course_home() / name
        if folder.is_symlink():  # what it leads to may hold more than the course
            typer.echo(f"{word:<7} left alone: {folder} is a link to {folder.resolve()}")
            continue
        entries = [entry for entry in folder.glob("*") if entry.name != ".gitkeep"]
        files = [file for entry in entries for file in files_below(entry)]
        size = sum(file.lstat().st_size for file in files)
        typer.echo(f"{word:<7} {size / 1e6:10,.1f} MB in {len(files):,} files: {meaning}")
        doomed += entries
    if not doomed:
        typer.echo("Nothing to remove.")
    elif not ask or typer.confirm("Remove this?"):
        for entry in doomed:
            entry.unlink() if is_leaf(entry) else shutil.rmtree(entry)
        typer.echo("Removed.")


def files_below(entry: Path) -> list[Path]:
    """The entry itself when it is a file or a link, else all files in the folder."""
    if is_leaf(entry):
        return [entry]
    return [Path(top, file) for top, _, names in os.walk(entry) for file in names]


def is_leaf(path: Path) -> bool:
    """A file, or a link, which is removed itself and never followed."""
    return path.is_symlink() or not path.is_dir()
