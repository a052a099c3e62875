"""A learner changes the network in the one place meant for it, and lessons 4 to 13 go on working.

Each change is made to a copy of the lessons, which run in a process of its own.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lessons

PACKAGE = Path(lessons.__file__).parent
CONVOLUTION = re.compile(r"( +)Conv2d\(\d+, (\d+), 5, padding=2\),.*\n")


def widened(source: str) -> str:
    for old, new in (
        ("5, padding=2", "3, padding=1"),
        ("Conv2d(3, 32,", "Conv2d(3, 24,"),
        ("Conv2d(32, 32,", "Conv2d(24, 40,"),
        ("Conv2d(32, 64,", "Conv2d(40, 48,"),
        ("Linear(1024, 64)", "Linear(48 * 4 * 4, 100)"),
        ("Linear(64, num", "Linear(100, num"),
    ):
        assert old in source
        source = source.replace(old, new)
    return source


CHANGES = {  # name: (what becomes of the source of the class, what lesson 4 must say)
    "BatchNorm and ReLU": (
        lambda source: CONVOLUTION.sub(r"\g<0>\1nn.BatchNorm2d(\2),\n\1nn.ReLU(),\n", source),
        r"layer 1 is BatchNorm2d\(32.* in Tudui",
    ),
    "Dropout": (
        lambda source: re.sub(r"( +)(Linear\(1024, 64\),)", r"\1nn.Dropout(0.4),\n\1\2", source),
        r"layer 7 is Dropout\(p=0\.4.* in Tudui and Linear",
    ),
    "kernel and width": (widened, r"layer 0 is Conv2d\(3, 24, kernel_size=\(3, 3\)"),
}

# Run in a process of its own; what the big networks of lessons 6 and 7 do has nothing to do with Tudui
COURSE = '''
import json
import signal
import sys

import torch

from lessons import p04_sequential, p05_loss_optim, p06_pretrained, p07_save_load, p08_train, p09_resume
from lessons import p10_mistakes, p11_accelerator, p12_classify, p13_distributed
from lessons.course import CourseError
from lessons.tudui import Tudui


def stop_at(number):
    """Press Ctrl-C in the middle of this step of lesson 9."""
    step, calls = p08_train.Training.step, []

    def pressed(self, imgs, targets):
        calls.append(1)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return step(self, imgs, targets)

    p08_train.Training.step = pressed
    return lambda: setattr(p08_train.Training, "step", step)


def main(pictures):
    seen = {"difference": p04_sequential.main(batch_size=4)["difference"]}
    seen["p05"] = p05_loss_optim.main(pictures, epochs=1)["history"]
    for big in ("change_the_head", "fine_tune"):
        setattr(p06_pretrained, big, lambda *arguments: ({}, []))
    seen["p06"] = p06_pretrained.main(pictures, steps=5)["accuracies"]
    seconds = {"build, load_state_dict": 1.0, "meta, mmap, assign": 1.0}
    p07_save_load.save_and_load_vgg16 = lambda folder: seconds
    in_one_go, resumed = p07_save_load.main(pictures, steps=4)["losses"]
    seen["p07 resumed"] = resumed == in_one_go[-len(resumed):]
    seen["p08"] = p08_train.main(pictures, epochs=2, batch_size=50)["final"]

    runs = [p09_resume.main(pictures, epochs=2, batch_size=50)]
    undo = stop_at(18)  # 12 steps that show what forgetting does, then the second of epoch 2
    try:
        p09_resume.main(pictures, epochs=2, batch_size=50)
    except KeyboardInterrupt:
        seen["p09 stopped"] = True
    undo()
    runs.append(p09_resume.main(resume=True))
    one, two = (torch.load(run["checkpoints"] / "last.pth")["model"] for run in runs)
    seen["p09 resumed"] = all(torch.equal(one[name], two[name]) for name in one)

    seen["p10"] = int(p10_mistakes.main(pictures)["confusion"].sum())
    seen["p11"] = p11_accelerator.main(pictures, device="cpu", steps=1, batch_size=50)["accuracies"]
    seen["p12"] = p12_classify.main(pictures)["differences"]
    options = {"epochs": 1, "batch_size": 20, "processes": 1}
    p13_distributed.main(pictures, **options)
    seen["p13"] = len(p13_distributed.main(pictures, **options | {"epochs": 2}, resume=True)["history"])
    try:
        Tudui()(torch.zeros(2, 3, 64, 64))
    except ValueError as error:
        seen["wrong input"] = str(error)
    print("SEEN", json.dumps(seen))


if __name__ == "__main__":
    main(sys.argv[1])
'''


@pytest.mark.parametrize("name", CHANGES)
def test_lessons_follow_the_change(name, small_pictures, tmp_path):
    change, said_by_lesson_4 = CHANGES[name]
    shutil.copytree(PACKAGE, tmp_path / "lessons", ignore=shutil.ignore_patterns("notes", "__pycache__"))
    source = (PACKAGE / "tudui.py").read_text("utf-8")
    before, start, rest = source.partition("class Tudui(nn.Module):")
    body, end, after = rest.partition("class Classifier(")
    changed = before + start + change(body) + end + after
    assert changed != source
    (tmp_path / "lessons" / "tudui.py").write_text(changed, "utf-8")
    (tmp_path / "course.py").write_text(COURSE, "utf-8")

    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, tmp_path / "course.py", small_pictures],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "LESSONS_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout.partition("SEEN ")[2])
    assert re.match(said_by_lesson_4, seen["difference"]), seen["difference"]
    assert seen["p07 resumed"] and seen["p09 stopped"] and seen["p09 resumed"]
    assert seen["p10"] == 100
    assert max(seen["p12"].values()) < 1e-4 and len(seen["p12"]) == 2
    assert seen["p13"] == 2
    assert "picture is" in seen["wrong input"] and "but the first Linear expects" in seen["wrong input"]
