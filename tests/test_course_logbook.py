import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import torch

from lessons.course import CourseError, catalogue, logbook, newest_files
from lessons.course.catalogue import Lesson, last_run
from lessons.course.logbook import RunWriter, new_run_folder


def read_card(folder):
    return json.loads((folder / "run.json").read_text("utf-8"))


def test_two_runs_in_the_same_second_do_not_mix(home, monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls):
            return cls(2030, 1, 2, 3, 4, 5)

    monkeypatch.setattr(logbook, "datetime", Clock)
    folders = [new_run_folder("p00_test") for _ in range(3)]
    assert [folder.name for folder in folders] == [
        "2030-01-02_03-04-05",
        "2030-01-02_03-04-05-2",
        "2030-01-02_03-04-05-3",
    ]
    assert folders[0].parent == home / "logs" / "p00_test"


def test_card_and_what_to_look_at(events, capsys):
    with RunWriter("somewhere/p00_test.py", seed=7, epochs=2) as writer:
        assert read_card(writer.folder)["status"] == "running"
        for step in range(3):
            writer.add_scalar("loss/train", 1 / (step + 1), step)
        writer.add_text("note", "hello")
        writer.result = "loss 0.3"

    card = read_card(writer.folder)
    assert card["status"] == "ok"
    assert card["result"] == "loss 0.3"
    assert card["lesson"] == "p00_test"
    assert card["settings"] == {"seed": "7", "epochs": "2"}
    assert set(card["versions"]) == {"python", "system", "torch", "torchvision", "tensorboard", "numpy"}
    assert card["look_at"] == [
        "SCALARS     loss/train (3 steps)",
        "TEXT        note, reproducibility card",
    ]
    told = capsys.readouterr().out
    assert all(line in told for line in card["look_at"])

    log = events(writer.folder)
    table = log.Tensors("reproducibility card/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| settings | seed 7, epochs 2 |" in table
    assert f"torch {card['versions']['torch']}" in table


def test_every_tab_is_named():
    with RunWriter("p00_test.py") as writer:
        writer.add_pr_curve("class/cat", torch.tensor([0, 1]), torch.tensor([0.2, 0.9]))
        writer.add_embedding(torch.rand(4, 3), ["a", "b", "c", "d"])
        writer.add_hparams({"seed": 1}, {"hparam/accuracy": 0.5}, run_name=".")
    assert read_card(writer.folder)["look_at"] == [
        "SCALARS     hparam/accuracy",
        "PR CURVES   class/cat",
        "TEXT        reproducibility card",
        "PROJECTOR   the embedding",
        "HPARAMS     settings and results",
    ]


def test_a_run_goes_on_in_its_folder(events):
    with pytest.raises(KeyboardInterrupt), RunWriter("p00_test.py") as writer:
        for step in (1, 2, 3):
            writer.add_scalar("loss", step, step)
        raise KeyboardInterrupt
    run = writer.folder.name
    time.sleep(1)  # event files are read in the order of the second in their names
    with RunWriter("p00_test.py", go_on_with=run, purge_step=3) as again:  # step 3 was not saved
        for step in (3, 4):
            again.add_scalar("loss", 10 * step, step)
    assert again.folder == writer.folder
    assert read_card(again.folder)["status"] == "ok"
    logged = [(event.step, event.value) for event in events(again.folder).Scalars("loss")]
    assert logged == [(1, 1), (2, 2), (3, 30), (4, 40)]


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "interrupted"), (ValueError, "failed"), (SystemExit, "failed")]
)
def test_a_run_that_breaks_off_keeps_what_it_had(events, error, status):
    with pytest.raises(error), RunWriter("p00_test.py") as writer:
        writer.add_scalar("loss", 1.0, 0)
        raise error
    assert read_card(writer.folder)["status"] == status
    assert [event.value for event in events(writer.folder).Scalars("loss")] == [1.0]


def test_curves_to_compare_lie_in_one_chart(events):
    """One tag, and a sub-run for each curve, which is what TensorBoard draws in one chart."""
    with pytest.raises(KeyboardInterrupt), RunWriter("p00_test.py") as writer:
        for step in (1, 2, 3):
            writer.add_scalars("loss", {"train": step, "test set": 10 * step}, step)
        writer.add_scalars("accuracy", {"train": 0.5}, 3)
        raise KeyboardInterrupt
    card = read_card(writer.folder)
    assert "SCALARS     loss (test set, train) (3 steps); accuracy (train)" in card["look_at"]
    run = writer.folder.name
    time.sleep(1)  # event files are read in the order of the second in their names
    with RunWriter("p00_test.py", go_on_with=run, purge_step=3) as again:  # step 3 was not saved
        again.add_scalars("loss", {"train": 33, "test set": 330}, 3)
    for curve, values in {"train": [1, 2, 33], "test set": [10, 20, 330]}.items():
        log = events(writer.folder / curve)
        assert [(event.step, event.value) for event in log.Scalars("loss")] == list(
            enumerate(values, start=1)
        )
    assert events(writer.folder / "train").Scalars("accuracy") == []  # it was of step 3, too
    assert "loss" not in events(writer.folder).Tags()["scalars"]


def test_markdown_table():
    table = logbook.markdown_table(("file", "MB"), [("a.pth", 1), ("b.pth", "2.5")])
    assert table.splitlines() == ["| file | MB |", "| --- | --- |", "| a.pth | 1 |", "| b.pth | 2.5 |"]


def test_newest_files(home):
    for number, name in enumerate(("b", "c", "a")):
        (home / "logs" / "newest" / name).mkdir(parents=True)
        (home / "logs" / "newest" / name / "it").touch()
        os.utime(home / "logs" / "newest" / name / "it", (number, number))
    assert [path.parent.name for path in newest_files("logs/newest/*/it")] == ["a", "c", "b"]
    assert newest_files("logs/newest/*/other") == []


AT_WORK = """
import sys, time
from lessons.course.logbook import RunWriter
with RunWriter("p00_test.py", seed=7) as writer:
    print(writer.folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def at_work(tmp_path, monkeypatch):
    """A process that writes a run of p00_test, in a course folder of its own, and the run's folder."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    words = [sys.executable, "-c", AT_WORK]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        lines = iter(process.stdout.readline, "")
        yield process, next(Path(line.strip()) for line in lines if line.startswith("/"))
        process.kill()


def test_one_process_at_work_in_a_run(at_work, lessons_command, capsys):
    process, folder = at_work
    lesson = Lesson(0, Path("p00_test.py"), "", "")
    assert last_run(lesson)[1]["status"] == "running"
    with pytest.raises(CourseError, match=r"another process is at work in .*: wait"):
        RunWriter("p00_test.py", go_on_with=folder.name)
    assert lessons_command("clean", "--yes") == 2
    assert f"another process is at work in {folder}" in capsys.readouterr().err

    process.kill()
    process.wait()
    assert read_card(folder)["status"] == "running"  # that is all it could say
    assert last_run(lesson)[1]["status"] == "interrupted"
    with RunWriter("p00_test.py", go_on_with=folder.name):
        pass
    assert last_run(lesson)[1]["status"] == "ok"
    assert not (folder / catalogue.LOCK).exists()
    assert lessons_command("clean", "--yes") == 0
    assert not folder.exists()


def test_what_a_killed_run_was_writing_goes_with_the_next_run(at_work, tmp_path):
    process, folder = at_work
    models, run = tmp_path / "models_saved", tmp_path / "models_saved" / "p00_test" / folder.name
    halves = [run / "last.pth.7.tmp", models / "vgg16.pth.7.tmp", folder / ".run.json.7"]
    others = [run / "last.pth", models / "mine.tmp", folder / "run.json"]
    run.mkdir(parents=True)
    for path in (*halves, *others[:2]):
        path.touch()
    with RunWriter("p00_test.py"):
        assert all(path.exists() for path in (*halves, *others))  # the process may be writing them
    process.kill()
    process.wait()
    with RunWriter("p00_test.py"):
        assert [path for path in (*halves, *others) if path.exists()] == others


@pytest.mark.parametrize(("error", "status"), [(OSError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_a_run_that_cannot_be_closed_is_not_ok(home, monkeypatch, error, status):
    """The disk is full, or Ctrl-C is pressed, when all has been done."""

    def fail(folder):
        raise error

    monkeypatch.setattr(logbook, "what_to_look_at", fail)
    with pytest.raises(error), RunWriter("p00_test.py") as writer:
        pass
    assert read_card(writer.folder)["status"] == status
    assert not (writer.folder / catalogue.LOCK).exists()
