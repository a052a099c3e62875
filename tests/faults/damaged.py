"""Files cut short, and with flipped bytes: what reads them says so, mends them, or gives what they held."""

import contextlib
import hashlib
import io
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from small_data import FewSketches, cifar10_archive

from lessons.course import CourseError, catalogue, launcher
from lessons.course.checkpoints import check_hash
from lessons.course.datasets import CIFAR10
from lessons.course.logbook import RunWriter, read_events, what_to_look_at
from lessons.course.practice import desk
from lessons.course.practice.shelf import find_exercises
from lessons.p07_save_load import save
from lessons.p08_train import Training, choose_recipe
from lessons.p09_resume import Checkpoint, newest_unfinished
from lessons.p10_mistakes import load_best
from lessons.p12_classify import read_checkpoint
from lessons.tudui import Classifier, Tudui

from . import Outcome
from .killed import same

CUTS = 16  # a file is cut at each sixteenth of its length


class File(NamedTuple):
    """A file to damage, and what is read from it: CourseError where that is refused."""

    path: Path
    read: Callable[[], Any]
    part_will_do: bool = False  # what stands before the damage may be given alone


def damaged(tries: int, seed: int, folder: Path) -> Outcome:
    """Data sets, checkpoints, weights, event files, progress, run cards: cut at each 1/16, or bytes flipped.

    Each is read as the lessons read it. Lost is what raises anything but a sentence, or gives something else
    without a word.
    """
    choose, lost, refused, slowest = random.Random(seed), [], 0, (0.0, "")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LESSONS_HOME", str(folder / "home"))
        files = make_files(folder / "home", monkeypatch)
        everything = [(file, cut) for file in files for cut in range(CUTS)]
        variants = choose.sample(everything, min(len(everything), tries // 2))
        variants += [(choose.choice(files), None) for _ in range(tries - len(variants))]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            wholes = {file: file.read() for file in files}
        for file, cut in variants:
            whole = file.path.read_bytes()
            broken, how = broken_bytes(whole, cut, choose)
            case = f"{file.path.name} {how}"
            shutil.copytree(folder / "home", folder / "kept")
            file.path.write_bytes(broken)
            begun, said = time.perf_counter(), io.StringIO()
            try:
                with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                    given = file.read()
                if not (same(given, wholes[file]) or (file.part_will_do and set(given) < set(wholes[file]))):
                    lost.append(f"{case}: another answer, and nobody said so")
            except CourseError:
                refused += 1
            except Exception as error:
                lost.append(f"{case}: {type(error).__name__}: {error}")
            slowest = max(slowest, (time.perf_counter() - begun, case))
            shutil.rmtree(folder / "home")
            os.rename(folder / "kept", folder / "home")
    return Outcome(tries, refused, lost, slowest)


def broken_bytes(whole: bytes, cut: int | None, choose: random.Random) -> tuple[bytes, str]:
    """The file cut at a sixteenth, or with one to three bytes of it changed; and how."""
    if cut is not None:
        return whole[: len(whole) * cut // CUTS], f"cut at {cut}/{CUTS}"
    broken = bytearray(whole)
    ends = min(len(whole), 2000)  # where formats keep what they are, and where
    for _ in range(choose.randint(1, 3)):
        place = choose.choice(
            [choose.randrange(len(whole)), choose.randrange(ends), -1 - choose.randrange(ends)]
        )
        broken[place] ^= choose.randint(1, 255)
    return bytes(broken), "with flipped bytes"


def make_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[File]:
    """One of each kind, in a course folder."""
    return [*data_sets(home, monkeypatch), *networks(home), *records(home)]


def data_sets(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[File]:
    def pictures() -> list:
        return [
            (data.data.tolist(), data.targets) for data in (FewSketches(root, True), FewSketches(root, False))
        ]

    def drawn() -> list:
        FewSketches(root, download=True)
        return pictures()

    def unpacked() -> list:
        return CIFAR10(root).data.tolist()

    root = home / "data"
    root.mkdir(parents=True)
    drawn()
    (root / CIFAR10.filename).write_bytes(cifar10_archive(monkeypatch))
    sketches = root / FewSketches.base_folder
    files = [File(sketches / name, drawn) for name in ("data_batch_3", "batches.meta", "checksums.json")]
    return [*files, File(sketches / "test_batch", pictures), File(root / CIFAR10.filename, unpacked)]


def networks(home: Path) -> list[File]:
    """Checkpoints of lessons 8, 9 and 13, and downloaded weights."""
    recipe = choose_recipe("fast")
    training = Training(Classifier(Tudui()), recipe, total_steps=10)
    training.step(torch.rand(4, 3, 32, 32), torch.arange(4))
    classes = [f"class{number}" for number in range(10)]

    def path_of(lesson: str, name: str) -> Path:
        path = home / "models_saved" / lesson / "run" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    best = path_of("p08_train", "best.pth")
    save({"model": training.model.state_dict(), "classes": classes, "dataset": "sketch10", "epoch": 1}, best)
    last, best_of_9 = path_of("p09_resume", "last.pth"), path_of("p09_resume", "best.pth")
    settings = vars(recipe) | {"epochs": 3, "seed": 0}
    state = Checkpoint(
        settings, "sketch10", classes, "run", order=torch.randperm(40), epoch=2, history=[{"loss": 1.0}]
    )
    state.save(training, last)
    state.save(training, best_of_9)
    last_of_13 = path_of("p13_distributed", "last.pth")
    about = {"job": "x", "history": [{}], "processes": 2, "dataset": "sketch10", "classes": classes}
    save({"model": Tudui().state_dict(), **about}, last_of_13)
    content = bytes(range(256)) * 100
    weights = home / "models_saved" / f"vgg16-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    weights.write_bytes(content)

    def go_on_with_9() -> dict:
        return vars(newest_unfinished("p09_resume")[1])

    def go_on_with_13() -> dict:
        for checkpoint in launcher.readable([last_of_13]):
            return checkpoint
        raise CourseError("passed over")

    def mistakes_of_8() -> list:
        network, *about = load_best(best)
        return [network.state_dict(), *about]

    def classify_with_8() -> list:
        network, *about = read_checkpoint(str(best))
        return [network.state_dict(), *about]

    return [
        File(best, mistakes_of_8),
        File(best, classify_with_8),
        File(last, go_on_with_9),
        File(best_of_9, go_on_with_9),
        File(last_of_13, go_on_with_13),
        File(weights, lambda: check_hash(weights)),
    ]


def records(home: Path) -> list[File]:
    """What a run has logged, its card, and the progress of the exercises."""
    with contextlib.redirect_stdout(io.StringIO()), RunWriter("p00_tools.py", seed=7) as writer:
        for step in range(50):
            writer.add_scalar("loss", 1 / (step + 1), step)
        writer.result = "loss 0.02"
    (events,) = writer.folder.glob("events.*")
    for number, entry in enumerate(find_exercises()[:5]):
        desk.update(entry, passed="2026-11-26", tries=number)

    def curve() -> list:
        what_to_look_at(writer.folder)
        log = read_events(writer.folder)
        return [(event.step, event.value) for event in log.Scalars("loss")] if log.Tags()["scalars"] else []

    def last_run() -> dict:
        card = catalogue.last_run(catalogue.find_lessons()[0])[1]
        if card["status"] == "damaged":
            raise CourseError("so says the table of lessons")
        return card

    def progress() -> dict:
        lines = desk.whole_progress()
        if list(desk.practice_dir().glob("*damaged*")):
            raise CourseError("so says the command")
        return {key: line.words() for key, line in lines.items()}

    return [
        File(events, curve, part_will_do=True),
        File(writer.folder / "run.json", last_run),
        File(desk.practice_dir() / desk.PROGRESS, progress),
    ]
