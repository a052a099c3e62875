"""What is done beside the lessons: check the installation, fetch real pictures and weights, free disk space.

The ``lessons`` command imports this, so what is slow to import is imported where it is wanted. What it says
stands here in both languages; errors are English in both.
"""

import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import typer
from rich.cells import cell_len

from lessons.course import CourseError, course_dir, course_home, torch_home
from lessons.course.catalogue import LOCK
from lessons.course.disk import at_work_in, free_bytes, is_locked, refused, why_not_writable
from lessons.course.screen import coloured
from lessons.course.words import either

VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's IMAGENET1K_V1
VGG16_BYTES = 553_433_881
VGG16_SHA256 = "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"


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
        space = " " * (14 - cell_len(check.name))  # a Chinese character takes two columns
        typer.echo(f"{coloured(f'{mark:<4}', colour)} {check.name}{space}{check.finding}")
    return int(broken)


def check_packages() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Check(
        sys.version_info >= (3, 11),
        "Python",
        either(f"{version} at {sys.executable}", f"{version}，位于 {sys.executable}"),
    )
    modules = {}
    for name in ("torch", "torchvision", "tensorboard"):
        try:
            modules[name] = importlib.import_module(name)
            yield Check(True, name, modules[name].__version__)
        except Exception as error:  # a broken install raises anything
            finding = f"{type(error).__name__}: {error}"
            if "torchvision::nms" in finding:
                finding += either(
                    "; torch and torchvision are no pair", "；torch 和 torchvision 的版本不配套"
                )
            remedy = 'pip install --force-reinstall torch torchvision "tensorboard>=2.21"'
            yield Check(False, name, either(f"{finding}. Do: {remedy}", f"{finding}。运行：{remedy}"))
    practice = importlib.util.find_spec("hypothesis") is not None
    remedy = 'pip install -e ".[practice]"'
    there = either("lessons practice can run", "lessons practice 可以用")
    missing = either(f"lessons practice wants it: {remedy}", f"lessons practice 要用它：{remedy}")
    yield Check(practice or None, "hypothesis", there if practice else missing)
    if torch := modules.get("torch"):
        yield from check_device(torch)


def check_device(torch: ModuleType) -> Iterator[Check]:
    """What the lessons can run on, and what GPU code costs on the disk where no GPU can use it."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    threads = torch.get_num_threads()
    cpu = either(f"cpu, {threads} threads", f"cpu，{threads} 个线程")
    yield Check(True, either("device", "设备"), str(accelerator or cpu))
    if torch.version.cuda is None or torch.cuda.is_available():
        return
    site_packages = Path(str(torch.__file__)).parents[1]
    parts = [part for name in ("nvidia", "triton", "torch/lib/*_cuda*") for part in site_packages.glob(name)]
    gigabytes = size(file for part in parts for file in files_below(part)) / 1e9
    finding = either(
        f"{gigabytes:.2g} GB for NVIDIA GPUs, of which none is usable here\n"
        "     The CPU build, in a clone of the course (with pip: see README.md):\n",
        f"有 {gigabytes:.2g} GB 只给 NVIDIA GPU 用，而这里没有可用的 GPU\n"
        "     换成 CPU 版，在克隆下来的文件夹里运行（用 pip 的办法见 README.md）：\n",
    )
    remedy = '     uv venv --clear && uv pip install -e ".[test]" --torch-backend=cpu'
    yield Check(None, either("CUDA build", "CUDA 版"), finding + remedy)


def check_folders() -> Iterator[Check]:
    home = course_home()
    reason = why_not_writable(home)
    closed = either(f" cannot be written: {reason}", f" 不能写入：{reason}") if reason else ""
    finding = either(f"{home}{closed} (LESSONS_HOME moves it)", f"{home}{closed}（用 LESSONS_HOME 换地方）")
    yield Check(not reason, either("course folder", "课程文件夹"), finding)
    free = free_bytes(home) / 1e9
    enough = free > 2
    wanted = "" if enough else either("; lesson 7 wants 1.5 GB", "；第 7 课需要 1.5 GB")
    yield Check(enough or None, either("free disk", "磁盘剩余"), f"{free:.0f} GB{wanted}")
    data = home / "data"
    sketch10 = (data / "sketch10-batches-py" / "checksums.json").exists()
    later = either("drawn when a lesson first wants it", "第一次用到时画")
    yield Check(sketch10 or None, "sketch10", either("drawn", "已画好") if sketch10 else later)
    cifar10 = (data / "cifar-10-batches-py").is_dir() or (data / "cifar-10-python.tar.gz").is_file()
    vgg16 = vgg16_file().is_file()
    for name, there, place in (("cifar10", cifar10, data), ("vgg16", vgg16, vgg16_file())):
        missing = either(
            f"not here, not needed; lessons download {name}",
            f"没有，也不是必需的；下载：lessons download {name}",
        )
        yield Check(there or None, name, either(f"at {place}", f"位于 {place}") if there else missing)


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
    typer.echo(
        either(
            "Use it: lessons run 5 --dataset cifar10, or set LESSONS_DATASET=cifar10",
            "这样用：lessons run 5 --dataset cifar10，或者设置 LESSONS_DATASET=cifar10",
        )
    )


def download_vgg16() -> None:
    from lessons.course.fetch import Wanted, fetch

    file = vgg16_file()
    if file.is_file():
        typer.echo(either(f"Already there: {file}", f"已经有了：{file}"))
        return
    megabytes = f"{VGG16_BYTES / 1e6:.0f} MB"
    typer.echo(
        either(
            f"Downloading {megabytes} to {file} (TORCH_HOME moves it)",
            f"下载 {megabytes} 到 {file}（用 TORCH_HOME 换地方）",
        )
    )
    try:
        fetch([VGG16_URL], file, Wanted(VGG16_BYTES, "sha256", VGG16_SHA256))
    except OSError as error:
        raise CourseError(
            refused(error)
            or f"VGG16 could not be downloaded ({error}). Run the same command again, which goes on from "
            f"what has arrived, or save {VGG16_URL} as {file} in another way"
        ) from error


def vgg16_file() -> Path:
    """Where torchvision looks for the weights of VGG16."""
    return torch_home() / "hub" / "checkpoints" / VGG16_URL.rpartition("/")[2]


# --- clean

FOLDERS = {
    "logs": "logs",
    "models": "models_saved",
    "data": "data",
}  # of the course folder, by the word for it


KEPT = (".gitkeep", "practice")  # in these folders: what the learner wrote is never removed


def meaning(word: str) -> str:
    """What lies in such a folder."""
    return {
        "logs": either("the curves and pictures of your runs", "各次运行的曲线和图片"),
        "models": either(
            "networks that lessons saved, and downloaded weights", "各课保存的网络，以及下载的权重"
        ),
        "data": either(
            "Sketch10 (drawn again when needed), downloads, and what you put there",
            "Sketch10（需要时会重新画）、下载的数据，以及你自己放进去的文件",
        ),
    }[word]


def clean(what: str, ask: bool = True) -> None:
    """Remove what lies in ``logs``, ``models``, ``data`` or ``all`` of them, after showing how much it is.

    Raises CourseError while a lesson or a download is at work.
    """
    if what not in (*FOLDERS, "all"):
        raise CourseError(f"there is nothing called {what!r} to clean: choose {', '.join(FOLDERS)} or all")
    doomed = []
    for pattern in (f"logs/*/*/{LOCK}", "data/*.lock", "models_saved/torch/**/*.lock"):
        for lock in filter(is_locked, course_home().glob(pattern)):
            raise at_work_in(lock.parent)
    for word in FOLDERS if what == "all" else [what]:
        folder = course_home() / FOLDERS[word]
        if folder.is_symlink():  # what it leads to may hold more than the course
            target = folder.resolve()
            left_alone = either(
                f"left alone: {folder} is a link to {target}", f"没有动：{folder} 是指向 {target} 的链接"
            )
            typer.echo(f"{word:<7} {left_alone}")
            continue
        entries = [entry for entry in folder.glob("*") if entry.name not in KEPT and not being_filled(entry)]
        files = [file for entry in entries for file in files_below(entry)]
        count = either(f"in {len(files):,} files: ", f"共 {len(files):,} 个文件：")
        typer.echo(f"{word:<7} {size(files) / 1e6:10,.1f} MB {count}{meaning(word)}")
        doomed += entries
    if not doomed:
        typer.echo(either("Nothing to remove.", "没有可删除的。"))
    elif not ask or typer.confirm(either("Remove this?", "确定删除？")):
        for entry in doomed:
            entry.unlink() if is_leaf(entry) else shutil.rmtree(entry)
        typer.echo(either("Removed.", "已删除。"))


def being_filled(entry: Path) -> bool:
    """Whether a data set may be drawn or unpacked there right now (``fetch.filled_beside``)."""
    from lessons.course.fetch import LEFTOVER_AGE

    return entry.name.startswith(".") and time.time() - entry.lstat().st_mtime < LEFTOVER_AGE


def files_below(entry: Path) -> list[Path]:
    """The entry itself when it is a file or a link, else all files in the folder."""
    if is_leaf(entry):
        return [entry]
    return [Path(top, file) for top, _, names in os.walk(entry) for file in names]


def is_leaf(path: Path) -> bool:
    """A file, or a link, which is removed itself and never followed."""
    return path.is_symlink() or not path.is_dir()


def size(files: Iterable[Path]) -> int:
    """Bytes in all; of a link, its own."""
    return sum(file.lstat().st_size for file in files)
