import json
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons import p13_distributed
from lessons.course import CourseError, launcher
from lessons.course.datasets import open_dataset
from lessons.course.launcher import checkpoint_path
from lessons.course.options import parse_options
from lessons.p05_loss_optim import evaluate, train_step
from lessons.tudui import Tudui

SCRIPT = Path(p13_distributed.__file__)
BATCH_SIZE, LEARNING_RATE = 34, 0.02  # with one picture twice, 203 would be 6 batches instead of 5


@pytest.fixture(scope="module")
def uneven_pictures(small_pictures, tmp_path_factory):
    """203 pictures to train and 101 to test: two processes cannot share them out equally."""
    folder = tmp_path_factory.mktemp("uneven") / "pictures"
    shutil.copytree(small_pictures, folder)
    for split, more in (("train", 3), ("test", 1)):
        for number in range(more):
            shutil.copy(
                folder / split / "class3" / f"{number}.png", folder / split / "class3" / f"more{number}.png"
            )
    return folder


@pytest.fixture(scope="module")
def course_folder(tmp_path_factory):
    """A course folder for this file's tests, where the newest checkpoint is theirs."""
    return tmp_path_factory.mktemp("course_p13")


@pytest.fixture(autouse=True)
def home(course_folder, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(course_folder))
    monkeypatch.delenv("LESSONS_DATASET", raising=False)
    return course_folder


def by_one_process(pictures, *learning_rates):
    """The same training without any of torch.distributed, an epoch for each learning rate.

    Returns the network, and its loss and accuracy.
    """
    train_data = open_dataset(str(pictures), train=True, transform=ToTensor())
    test_data = open_dataset(str(pictures), train=False, transform=ToTensor())
    torch.manual_seed(0)
    tudui, loss_fn = Tudui(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(tudui.parameters(), lr=learning_rates[0], momentum=0.9)
    for epoch, learning_rate in enumerate(learning_rates, start=1):
        optimizer.param_groups[0]["lr"] = learning_rate
        order = torch.randperm(len(train_data), generator=torch.Generator().manual_seed(0 + epoch)).tolist()
        for imgs, targets in DataLoader(train_data, BATCH_SIZE, sampler=order, drop_last=True):
            train_step(tudui, imgs, targets, loss_fn, optimizer)
    return tudui, *evaluate(tudui, DataLoader(test_data, batch_size=500), loss_fn)


def assert_same_weights(path, tudui):
    weights = torch.load(path)["model"]
    assert list(weights) == list(tudui.state_dict())  # no "module." before them
    for name, weight in tudui.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def lesson(uneven_pictures, course_folder):
    """One epoch by two processes, and the signal handler for Ctrl-C before and after."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LESSONS_HOME", str(course_folder))
        before = signal.getsignal(signal.SIGINT)
        seen = p13_distributed.main(str(uneven_pictures), 1, BATCH_SIZE, LEARNING_RATE)
        return seen, before, signal.getsignal(signal.SIGINT)


def test_two_processes_train_as_one(lesson, uneven_pictures):
    seen, *_ = lesson
    tudui, loss, accuracy = by_one_process(uneven_pictures, LEARNING_RATE)
    assert_same_weights(checkpoint_path(seen["run"]), tudui)
    (epoch,) = seen["history"]
    assert epoch["accuracy"] == accuracy  # of 101 pictures, each counted once
    assert epoch["loss"]["test"] == pytest.approx(loss, abs=1e-5)
    own, averaged = seen["gradients"]
    assert own[0] != own[1]
    assert averaged == pytest.approx(sum(own) / 2, abs=1e-7)


def test_only_process_0_writes(lesson, events, home, uneven_pictures):
    seen, before, after = lesson
    run, curves = seen["run"], ["mean", "process 0", "process 1", "test"]
    assert after is before  # torch's launcher puts its own handler there
    assert [path.parent for path in home.glob("logs/*/*/run.json")] == [run]
    assert sorted(path.name for path in run.iterdir() if path.is_dir()) == curves
    assert all(len(list(place.glob("events.*"))) == 1 for place in (run, *map(run.joinpath, curves)))
    assert list(home.glob("models_saved/*/*/*")) == [checkpoint_path(run)]

    losses = {curve: events(run / curve).Scalars("loss")[0].value for curve in curves}  # all in one chart
    assert losses["process 0"] != losses["process 1"]
    assert losses["mean"] == pytest.approx((losses["process 0"] + losses["process 1"]) / 2, rel=1e-6)
    assert events(run / "test").Scalars("accuracy")[0].value == pytest.approx(seen["history"][0]["accuracy"])
    assert events(run).Tags()["scalars"] == ["pictures a second"]

    saved = torch.load(checkpoint_path(run))  # for lesson 12 too: a plain Tudui, and what it knows
    assert (saved["classes"], saved["dataset"]) == ([f"class{n}" for n in range(10)], str(uneven_pictures))
    assert not {"mean", "std"} & saved.keys()


def test_torchrun_goes_on_with_another_number_of_processes(lesson, uneven_pictures, events, run_script):
    run = lesson[0]["run"]
    words = ["--resume", "--epochs", 2, "--dataset", uneven_pictures, "--batch-size", BATCH_SIZE]
    words += ["--learning-rate", LEARNING_RATE / 2]  # the one asked for counts, not that of the checkpoint
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1"]
    done = run_script(*torchrun, SCRIPT, *words)
    assert done.returncode == 0, done.stderr
    assert "going on after epoch 1, trained by 2 processes" in done.stdout
    tudui, *_ = by_one_process(uneven_pictures, LEARNING_RATE, LEARNING_RATE / 2)
    assert_same_weights(checkpoint_path(run), tudui)
    assert [event.step for event in events(run / "mean").Scalars("loss")] == [1, 2]

    # What goes wrong in a process is said by the one that started it
    with pytest.raises(CourseError, match=r"^run \S+ has 2 epochs already: ask for more with --epochs$"):
        p13_distributed.main(str(uneven_pictures), 2, BATCH_SIZE, processes=1, resume=True)


CHANGED = """
import json, sys
from torch import nn
from lessons import p13_distributed

class Tudui(nn.Module):  # ReLU, BatchNorm, Dropout, another kernel and another width, all at once
    def __init__(self, num_classes=10):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.pool, self.drop = nn.MaxPool2d(4), nn.Dropout()
        self.linear = nn.Linear(8 * 8 * 8, num_classes)

    def forward(self, imgs):
        return self.linear(self.drop(self.pool(self.norm(self.convolution(imgs)).relu()).flatten(1)))

p13_distributed.Tudui = Tudui  # in each of the processes, which import this file

if __name__ == "__main__":
    seen = p13_distributed.main(sys.argv[1], 2, int(sys.argv[2]))
    print(json.dumps(seen | {"run": str(seen["run"])}))
"""


def test_a_changed_tudui(uneven_pictures, run_script, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "course"))
    (tmp_path / "changed.py").write_text(CHANGED)
    done = run_script(tmp_path / "changed.py", uneven_pictures, BATCH_SIZE)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    own, averaged = seen["gradients"]
    assert own[0] != own[1]
    assert averaged == pytest.approx(sum(own) / 2, abs=1e-7)  # with Dropout both passes must drop alike

    # BatchNorm's means are each process's own: what is tested must be the network that is saved
    monkeypatch.setattr(p13_distributed, "Tudui", Tudui)  # puts it back after what comes now
    exec(CHANGED, {"__name__": "changed"})
    model = p13_distributed.Tudui()
    model.load_state_dict(torch.load(checkpoint_path(Path(seen["run"])))["model"])
    test_data = open_dataset(str(uneven_pictures), train=False, transform=ToTensor())
    loss, accuracy = evaluate(model, DataLoader(test_data, batch_size=500), nn.CrossEntropyLoss())
    assert seen["history"][-1]["accuracy"] == accuracy
    assert seen["history"][-1]["loss"]["test"] == pytest.approx(loss, abs=1e-5)


def test_divergence_leaves_no_checkpoint(uneven_pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    with pytest.raises(CourseError, match=r"become .*: the steps are too large, try --learning-rate \S+$"):
        p13_distributed.main(str(uneven_pictures), 2, BATCH_SIZE, learning_rate=1e6)
    assert not list(tmp_path.glob("models_saved/*/*/*"))
    (card,) = tmp_path.glob("logs/*/*/run.json")
    assert json.loads(card.read_text("utf-8"))["status"] == "failed"  # process 0 has closed its log


def listening_addresses(pids):
    """The addresses, as /proc writes them, at which these processes wait for a connection."""
    sockets = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # a file may be closed in between
                sockets.add(os.readlink(path))
    tables = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    rows = [line.split() for line in tables.splitlines()]
    return {row[1].split(":")[0] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals, and /proc to see who listens")
def test_lost_processes(uneven_pictures, home, events):
    """One process stops answering: after the time-out all are restarted. Then one is killed, for good."""
    before = set(home.glob("models_saved/*/*/last.pth"))
    listening, epochs_before = set(), []
    learning_rate = 0.003  # small, so that roundings do not grow over some dozen epochs

    def epochs_saved():
        new = set(home.glob("models_saved/*/*/last.pth")) - before
        return len(torch.load(new.pop())["history"]) if new else 0

    def next_processes():
        """Wait for one more checkpoint; the pids of the processes that have made it, in the order of rank."""
        epochs_before.append(epochs_saved())
        while epochs_saved() == epochs_before[-1]:
            time.sleep(0.1)
        return sorted(child.pid for child in multiprocessing.active_children())

    def do_harm():
        first, second = next_processes()
        listening.update(listening_addresses([os.getpid(), first, second]))
        os.kill(second, signal.SIGSTOP)
        with suppress(ProcessLookupError):
            while True:  # until the first has given up waiting for the second
                os.kill(first, 0)
                time.sleep(0.1)
        os.kill(second, signal.SIGCONT)
        os.kill(next_processes()[1], signal.SIGKILL)

    thread = threading.Thread(target=do_harm, daemon=True)
    thread.start()
    with pytest.raises(
        CourseError, match=r"^process 1 was ended from outside \(exit code -9, SIGKILL\)"
    ) as end:
        p13_distributed.main(str(uneven_pictures), 200, BATCH_SIZE, learning_rate, max_restarts=1, timeout=8)
    thread.join(60)
    assert not thread.is_alive()
    assert str(end.value).endswith("--resume goes on after the last whole epoch")
    assert listening == {"0100007F"}  # 127.0.0.1
    (path,) = set(home.glob("models_saved/*/*/last.pth")) - before  # the restart has gone on in the same run
    epochs = len(torch.load(path)["history"])
    assert 0 < epochs_before[1] < epochs
    assert_same_weights(path, by_one_process(uneven_pictures, *[learning_rate] * epochs)[0])
    curve = events(home / "logs" / "p13_distributed" / path.parent.name / "mean").Scalars("loss")
    assert [event.step for event in curve][:epochs] == list(range(1, epochs + 1))


def test_batches_that_cannot_be_shared_out(uneven_pictures, monkeypatch):
    monkeypatch.setattr(launcher, "launch", None)  # would fail if it came that far
    with pytest.raises(CourseError, match=r"cannot be shared out equally .* choose another --batch-size$"):
        p13_distributed.main(str(uneven_pictures), batch_size=BATCH_SIZE + 1)


@pytest.mark.parametrize(
    "words", ["--processes 0", "--batch-size 0", "--epochs 0", "--max-restarts -1", "--timeout 0"]
)
def test_numbers_that_cannot_be(words):
    option = words.split()[0]
    with pytest.raises(CourseError, match=rf"^{option} is "):
        parse_options(p13_distributed.main, words.split())
