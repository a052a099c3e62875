"""What all tests share: a course folder of their own, small pictures, and eyes for event files."""

import io
import os
import subprocess
import sys
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # one thread each: more would be in each other's way
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def session_home(tmp_path_factory) -> Path:
    """One course folder for the whole run, so that Sketch10 is drawn once."""
    return tmp_path_factory.mktemp("course")


@pytest.fixture(autouse=True)
def home(session_home, monkeypatch) -> Path:
    """No test reads or writes the learner's own folders or settings."""
    monkeypatch.setenv("LESSONS_HOME", str(session_home))
    for name in ("TORCH_HOME", "LESSONS_DATASET", "LESSONS_LANG"):
        monkeypatch.delenv(name, raising=False)
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
