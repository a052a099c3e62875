import math
import os
import shutil
import signal
import time

import pytest
import torch
from torch import nn

from lessons import p08_train, p09_resume
from lessons.course import CourseError, newest_files
from lessons.p08_train import Training
from lessons.p09_resume import Checkpoint
from lessons.tudui import Tudui

PARTS = ("optimizer", "scheduler", "rng_state")


@pytest.fixture
def learn(small_pictures, tmp_path, monkeypatch):
    """``learn(epochs=3)``: the lesson on 180 small pictures, 4 steps an epoch, in its own course folder."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setattr(p09_resume, "stop_and_forget", lambda *arguments: {})  # has a test of its own

    def lesson(resume=False, **options):
        if not resume:
            options = {"batch_size": 50} | options
        return p09_resume.main(str(small_pictures), resume=resume, **options)

    return lesson


def at_step(monkeypatch, number, happens):
    """Something happens in the middle of this step; counted from 1, over all epochs."""
    step, calls = Training.step, []

    def step_with_it(self, imgs, targets):
        calls.append(1)
        if len(calls) == number:
            happens()
        return step(self, imgs, targets)

    monkeypatch.setattr(Training, "step", step_with_it)


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def lose_power():
    raise MemoryError


def assert_same_end(one, other):
    """The same weights, bit for bit, and the same curves."""
    weights = [torch.load(seen["checkpoints"] / "last.pth") for seen in (one, other)]
    for name, weight in weights[0]["model"].items():
        assert torch.equal(weights[1]["model"][name], weight), name
    assert torch.equal(weights[0]["rng_state"], weights[1]["rng_state"])
    assert one["history"] == other["history"]
    assert one["final"] == other["final"]


@pytest.mark.parametrize("number", [3, 6, 8])  # in epoch 1, in epoch 2, in the last step of epoch 2
def test_resumed_is_as_never_stopped(learn, monkeypatch, events, number):
    in_one_go = learn(epochs=3)
    with (
        monkeypatch.context() as interrupted,
        pytest.raises(KeyboardInterrupt, match="run 9 --resume goes on"),
    ):
        at_step(interrupted, number, press_ctrl_c)
        learn(epochs=3)
    torch.manual_seed(99)  # another day, other random numbers
    time.sleep(1)  # event files are read in the order of the second in their names
    resumed = learn(resume=True)
    assert resumed["run"] != in_one_go["run"]
    assert_same_end(resumed, in_one_go)
    for name in ("train", "validation"):
        curve = events(resumed["run"] / name).Scalars("loss")
        assert [event.step for event in curve] == [1, 2, 3]
        logged = [event.value for event in curve]
        assert logged == pytest.approx([figures["loss"][name] for figures in in_one_go["history"]])
    with pytest.raises(CourseError, match="no interrupted run"):  # this one has come to its end
        learn(resume=True)


def test_stopped_twice(learn, monkeypatch):
    in_one_go = learn(epochs=2)
    for number, resume in ((2, False), (3, True)):
        with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
            at_step(interrupted, number, press_ctrl_c)
            learn(resume=resume) if resume else learn(epochs=2)
    assert_same_end(learn(resume=True), in_one_go)


def test_a_run_that_was_killed_goes_on_after_its_last_whole_epoch(learn, monkeypatch):
    in_one_go = learn(epochs=3)
    with monkeypatch.context() as unlucky, pytest.raises(MemoryError):
        at_step(unlucky, 7, lose_power)
        learn(epochs=3)
    assert_same_end(learn(resume=True), in_one_go)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


def keep_the_weights_alone(path):
    torch.save(torch.load(path)["model"], path)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [cut_short, keep_the_weights_alone, empty])
def test_goes_on_with_the_newest_that_can_be_read(learn, monkeypatch, capsys, damage):
    in_one_go = learn(epochs=2)
    for number in (3, 2):
        with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
            at_step(interrupted, number, press_ctrl_c)
            learn(epochs=2)
    newest = newest_files("models_saved/p09_resume/*/last.pth")[0]
    damage(newest)
    os.utime(newest, (time.time() + 10, time.time() + 10))
    for card in newest_files("logs/p09_resume/*/run.json"):
        damage(card) if damage is not keep_the_weights_alone else card.unlink()
    assert_same_end(learn(resume=True), in_one_go)
    assert f"passed over: {newest}" in capsys.readouterr().out
    with pytest.raises(CourseError, match="no interrupted run"):
        learn(resume=True)


@pytest.mark.parametrize("forgotten", [*PARTS, "order"])
def test_all_parts_are_needed(learn, monkeypatch, forgotten):
    """The comparison above would notice it."""
    in_one_go = learn(epochs=2)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        at_step(interrupted, 6, press_ctrl_c)
        learn(epochs=2)
    restore = Checkpoint.restore

    def restore_most(self, training):
        restore(self, training, forgotten)
        if forgotten == "order":
            self.order = torch.arange(len(self.order))

    monkeypatch.setattr(Checkpoint, "restore", restore_most)
    with pytest.raises(AssertionError):
        assert_same_end(learn(resume=True), in_one_go)


def test_lesson_shows_what_forgetting_does(small_pictures, tmp_path, monkeypatch, events, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    seen = p09_resume.main(str(small_pictures), epochs=1, batch_size=15)
    losses = seen["losses"]
    assert [len(values) for values in losses.values()] == [12, 6, 6, 6, 6]
    assert losses["nothing forgotten"] == losses["never stopped"][6:]
    for part in PARTS:
        assert losses[f"{part} forgotten"] != losses["never stopped"][6:], part
    assert capsys.readouterr().out.count("not the same") == 3
    steps = {"never stopped": 12, "nothing forgotten": 6} | {f"{part} forgotten": 6 for part in PARTS}
    for name, count in steps.items():
        curve = events(seen["run"] / name).Scalars("loss after a stop")
        assert [event.step for event in curve] == list(range(12 - count, 12))
        assert [event.value for event in curve] == pytest.approx(losses[name])


def test_best_pth_is_the_best_epoch_so_far(learn):
    seen = learn(epochs=4)
    accuracies = [figures["accuracy"]["validation"] for figures in seen["history"]]
    best = torch.load(seen["checkpoints"] / "best.pth")
    assert best["epoch"] - 1 == accuracies.index(max(accuracies)) + 1
    assert seen["final"]["validation"] == pytest.approx(max(accuracies))
    assert best["classes"] == [f"class{number}" for number in range(10)]


def test_going_on_with_other_settings_is_refused(learn, monkeypatch):
    with pytest.raises(CourseError, match="no interrupted run"):
        learn(resume=True)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        at_step(interrupted, 2, press_ctrl_c)
        learn(epochs=2, without=["mirror"])
    with pytest.raises(CourseError, match="leave out --epochs"):
        learn(resume=True, epochs=5)
    with pytest.raises(CourseError, match="leave out --without"):
        learn(resume=True, without=["shift"])
    with pytest.raises(CourseError, match="leave out --learning-rate"):
        learn(resume=True, learning_rate=0.5)
    assert len(learn(resume=True, without=["mirror"], epochs=2)["history"]) == 2  # said again, the same


def test_the_newest_interrupted_run_goes_on(learn, monkeypatch):
    runs = []
    for _ in range(2):
        with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
            at_step(interrupted, 2, press_ctrl_c)
            learn(epochs=1)
        runs.append(newest_files("models_saved/p09_resume/*/last.pth")[0].parent)
    os.utime(runs[0] / "last.pth")  # touched last, although its folder's name comes first
    assert learn(resume=True)["checkpoints"] == runs[0]
    assert learn(resume=True)["checkpoints"] == runs[1]


def test_another_network_is_refused_by_name(learn, monkeypatch):
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        at_step(interrupted, 2, press_ctrl_c)
        learn(epochs=1)

    class Wider(Tudui):
        def __init__(self, num_classes: int = 10) -> None:
            super().__init__(num_classes)
            self.model1.append(nn.Linear(num_classes, num_classes))

    monkeypatch.setattr(p08_train, "Tudui", Wider)
    with pytest.raises(CourseError, match=r"last\.pth holds .*another network .*lacks network\.model1\.9"):
        learn(resume=True)


def test_a_diverged_run_is_not_gone_on_with(learn, monkeypatch):
    def explode():
        monkeypatch.setattr(p09_resume, "measure", lambda *_: torch.full((3,), math.nan))

    at_step(monkeypatch, 6, explode)  # in its second epoch
    with pytest.raises(CourseError, match=r"become nan: .*--learning-rate 0\.01$"):
        learn(epochs=3)
    with pytest.raises(CourseError, match="no interrupted run"):  # it would only explode again
        learn(resume=True)


def test_ctrl_c_behind_the_last_step_is_not_lost(learn, monkeypatch):
    validate = p09_resume.validate

    def pressed(*arguments):
        press_ctrl_c()
        return validate(*arguments)

    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(p09_resume, "validate", pressed)
        learn(epochs=1)


def test_stopped_in_the_final_test(learn, monkeypatch):
    """The training is over, and what it was for is not."""
    in_one_go = learn(epochs=2)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(p09_resume, "final_test", lambda *_: press_ctrl_c())
        learn(epochs=2)
    assert_same_end(learn(resume=True), in_one_go)


def test_pictures_that_have_changed(small_pictures, learn, tmp_path, monkeypatch):
    shutil.copytree(small_pictures, tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        at_step(interrupted, 2, press_ctrl_c)
        p09_resume.main("pictures", epochs=1, batch_size=50)
    monkeypatch.chdir("/")  # the run knows its whole path
    for index in (0, 1):
        (tmp_path / "pictures" / "train" / "class0" / f"{index}.png").unlink()
    with pytest.raises(CourseError, match="the pictures have changed"):
        p09_resume.main(resume=True)
