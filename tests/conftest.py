"""What all tests share: a course folder of their own, small pictures, and eyes for event files."""

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# The settings of whoever runs the tests, before anything is imported that reads them
os.environ.pop("LESSONS_HOME", None)
os.environ.pop("LESSONS_DATASET", None)
os.environ.pop("LESSONS_LANG", None)
os.environ.pop("TORCH_HOME", None)
os.environ["no_proxy"] = "127.0.0.1,localhost"  # the tests' own servers
if "PYTEST_XDIST_WORKER" in os.environ:  # one thread each: more would be in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import lessons
from lessons.course import catalogue, cli
from lessons.course.site import write_site

REPO = Path(__file__).resolve().parents[1]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with it ignored


@pytest.fixture(scope="session")
def session_home(tmp_path_factory) -> Path:
    """One course folder for the whole run, so that Sketch10 is drawn once."""
    return tmp_path_factory.mktemp("course")


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> tuple[Path, float]:
    """The notes as a web site, and the seconds of computing that they took, in all processes together."""
    folder = tmp_path_factory.mktemp("desk") / "讲义 notes"
    before = os.times()
    write_site(folder)
    return folder, sum(os.times()[:4]) - sum(before[:4])


@pytest.fixture(scope="session")
def site(built) -> Path:
    """The folder of the site; its name has a space and Chinese letters."""
    return built[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: at ``$CHROMIUM``, else as a Debian package has it."""
    program = shutil.which(os.environ.get("CHROMIUM", "chromium"))
    if program is None:
        pytest.skip("no Chromium here: install one, or say where it is with CHROMIUM=/path")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(autouse=True)
def home(session_home, monkeypatch) -> Path:
    """No test reads or writes the learner's own folders."""
    monkeypatch.setenv("LESSONS_HOME", str(session_home))
    monkeypatch.delenv("TORCH_HOME", raising=False)  # lesson 6 sets it, for its process
    return session_home


@pytest.fixture(scope="session")
def small_pictures(tmp_path_factory) -> Path:
    """A folder of pictures: 10 classes, each with 20 to train and 10 to test, of one colour with noise."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for split, count in (("train", 20), ("test", 10)):
        for number in range(10):
            place = folder / split / f"class{number}"
            place.mkdir(parents=True)
            colour = np.array([25 * number, 255 - 25 * number, 128])
            for index in range(count):
                pixels = np.clip(colour + random.normal(0, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(place / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def events():
    """``events(folder)``: everything that the event file in a run folder holds."""

    def read(folder: Path) -> EventAccumulator:
        sizes = {
            "scalars": 0,
            "images": 0,
            "tensors": 0,
            "histograms": 0,
        }  # 0 keeps all; 4 pictures otherwise
        return EventAccumulator(str(folder), size_guidance=sizes).Reload()

    return read


@pytest.fixture
def picture_size():
    """``picture_size(image_event)``: (width, height) of the PNG in the event file, decoded."""
    return lambda event: Image.open(io.BytesIO(event.encoded_image_string)).size


@pytest.fixture
def run_script(home, tmp_path):
    """Run a Python command line as a learner would, from a folder that is not the checkout."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


# --- The lessons command

LESSON = '''"""{number}. Title {number}: a test

About it.

You will see: picture {number}
in IMAGES.
"""

from lessons.course import CourseError
from lessons.course.options import command_line

CALLS = []

def main(dataset: str = "sketch10", seed: int = 0, word: str = "none", image: list[str] = []) -> dict:
    CALLS.append((dataset, seed, word, image))
    {body}
    return {{}}

if __name__ == "__main__":
    command_line(main)
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """``fake({1: "pass", ...})``: a course of lessons with these bodies; returns what each main was given."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(catalogue, "LESSONS_DIR", folder)
    monkeypatch.setattr(lessons, "__path__", [str(folder), *lessons.__path__])
    for name in [name for name in sys.modules if name.endswith("_fake")]:
        monkeypatch.delitem(sys.modules, name)

    def make(bodies: dict[int, str]):
        for number, body in bodies.items():
            (folder / f"p{number:02}_fake.py").write_text(LESSON.format(number=number, body=body))
        return lambda number: sys.modules[f"lessons.p{number:02}_fake"].CALLS

    yield make
    for name in [name for name in sys.modules if name.endswith("_fake")]:
        del sys.modules[name]


@pytest.fixture
def lessons_command(monkeypatch):
    """``lessons_command("run", "5")``: in this process, as its entry point does it; returns the exit code."""

    def command(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["lessons", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code or 0

    return command
