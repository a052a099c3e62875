"""Folders of pictures of any make, through all lessons."""

import importlib
import os
import random
import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image
from quick_lessons import make_quick

from lessons.course.catalogue import find_lessons

from . import Outcome
from .watched import Seen, watch

SCRIPTS = (
    *(
        "cat",
        "猫 咪",
        "собака",
        "قطة",
        "ネコ",
        "고양이",
        "แมว",
        "कुत्ता",
        "😀",
        "e\u0301",
        "$1_$5",
        "a\\b{",
        "%s",
    ),
    *("#1", "it's", '"', "-x", "<b>x</b>", "[red]", "x" * 200, "classes", "__proto__", "CON", "~", "1"),
)
MAKES = {  # classes, and how many pictures of each to train and to test
    "2 classes, 3 pictures": (("one", "two"), (2, 1), (1, 0)),
    "2 classes, 10 pictures": (("one", "two"), (5, 5), (1, 1)),
    "10 classes, a picture each": (tuple("abcdefghij"), (1,) * 10, (1,) * 10),
    "1,000 classes": (tuple(f"class {number}" for number in range(1000)), (1,) * 1000, (1,) * 1000),
    "classes in any script": (SCRIPTS, (2,) * len(SCRIPTS), (1,) * len(SCRIPTS)),
}


class Case(NamedTuple):
    number: int
    pictures: Path
    home: Path


def folders(tries: int, seed: int, folder: Path) -> Outcome:
    """Folders of few pictures, of many classes, with names in any script, through all lessons.

    A lesson works, or it says what is wrong before it begins: then there is no run.
    """
    tried, refused, lost, slowest, largest = 0, 0, [], (0.0, ""), (0.0, "")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESSONS_LANG", "en")
        for case, seen in watch(run, islice(cases(random.Random(seed), folder), tries)):
            what = f"lesson {case.number}, {case.pictures.name}"
            tried, refused = tried + 1, refused + bool(seen.sentence)
            slowest, largest = max(slowest, (seen.seconds, what)), max(largest, (seen.megabytes, what))
            if wrong := what_is_wrong(case, seen):
                lost.append(f"{what}: {wrong}")
            shutil.rmtree(case.home)
    return Outcome(tried, refused, lost, slowest, largest)


def what_is_wrong(case: Case, seen: Seen) -> str:
    """Empty where a lesson has worked, or has said in one sentence why not."""
    if seen.wrong or not seen.sentence:
        return seen.wrong
    begun = [str(path) for path in case.home.glob("logs/*/*")]
    return f"it has begun {begun} before it said {seen.sentence!r}" if begun or "\n" in seen.sentence else ""


def cases(chance: random.Random, folder: Path) -> Iterator[Case]:
    """Each lesson with each folder, in any order."""
    pairs = [(make, number) for make in MAKES for number in find_lessons()]
    chance.shuffle(pairs)
    for make, number in pairs:
        pictures = folder / make
        if not pictures.exists():
            fill(pictures, make)
        home = folder / "home" / f"{make} {number}"
        home.mkdir(parents=True)
        yield Case(number, pictures, home)


def fill(pictures: Path, make: str) -> None:
    names, train, test = MAKES[make]
    for split, counts in (("train", train), ("test", test)):
        for index, (name, count) in enumerate(zip(names, counts, strict=True)):
            place = pictures / split / name
            place.mkdir(parents=True)
            for number in range(count):
                colour = (index * 37 % 256, index * 91 % 256, number * 50)
                Image.new("RGB", (32, 32), colour).save(place / f"{number}.png")


def run(case: Case) -> None:
    os.environ["LESSONS_HOME"] = str(case.home)
    main = importlib.import_module(f"lessons.{find_lessons()[case.number].name}").main
    with pytest.MonkeyPatch.context() as patch:
        make_quick(patch, case.pictures)
        main()
