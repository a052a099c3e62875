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

from lessons import p11_distributed
from lessons.course import CourseError
from lessons.course.datasets import open_dataset
from lessons.p05_loss_optim import evaluate, train_step
from lessons.p11_distributed import find_checkpoint
from lessons.tudui import Tudui

SCRIPT = Path(p11_distributed.__file__)
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
    return tmp_path_factory.mktemp("course_p11")


@pytest.fixture(autouse=True)
def home(course_folder, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(course_folder))
    monkeypatch.delenv("LESSONS_DATASET", raising=False)
    return course_folder


def by_one_process(pictures, epochs, learning_rate=LEARNING_RATE):
    """The same training without any of torch.distributed: the network, and its loss and accuracy."""
    train_data = open_dataset(str(pictures), train=True, transform=ToTensor())
    test_data = open_dataset(str(pictures), train=False, transform=ToTensor())
    torch.manual_seed(0)
    tudui, loss_fn = Tudui(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(tudui.parameters(), lr=learning_rate, momentum=0.9)
    for epoch in range(1, epochs + 1):
        order = torch.randperm(len(train_data), generator=torch.Generator().manual_seed(0 + epoch)).tolist()
        for imgs, targets in DataLoader(train_data, BATCH_SIZE, sampler=order, drop_last=True):
            train_step(tudui, imgs, targets, loss_fn, optimizer)
    return tudui, *evaluate(tudui, DataLoader(test_data, batch_size=500), loss_fn)


def assert_same_weights(path, tudui):
    weights = torch.load(path)["model"]
    for name, weight in tudui.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def lesson(uneven_pictures, course_folder):
    """One epoch by two processes, and the signal handler for Ctrl-C before and after."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LESSONS_HOME", str(course_folder))
        before = signal.getsignal(signal.SIGINT)
        seen = p11_distributed.main(str(uneven_pictures), 1, BATCH_SIZE, LEARNING_RATE)
        return seen, before, signal.getsignal(signal.SIGINT)


def test_two_processes_train_as_one(lesson, uneven_pictures):
    seen, *_ = lesson
    tudui, loss, accuracy = by_one_process(uneven_pictures, epochs=1)
    assert_same_weights(seen["checkpoint"], tudui)
    assert seen["history"][0]["accuracy/test"] == accuracy  # of 101 pictures, each counted once
    assert seen["history"][0]["loss/test"] == pytest.approx(loss, abs=1e-5)
    own, averaged = seen["gradients"]
    assert own[0] != own[1]
    assert averaged == pytest.approx(sum(own) / 2, abs=1e-7)


def test_only_process_0_writes(lesson, events, home):
    seen, before, after = lesson
    assert after is before  # torch's launcher puts its own handler there
    assert [path.parent for path in home.glob("logs/*/*/run.json")] == [seen["run"]]
    assert len(list(seen["run"].glob("events.*"))) == 1
    assert list(home.glob("models_saved/*/*/*")) == [seen["checkpoint"]]
    log = events(seen["run"])
    names = ["accuracy/test", "loss/process 0", "loss/process 1", "loss/test", "loss/train"]
    assert sorted(log.Tags()["scalars"]) == [*names, "pictures a second"]
    parts = [log.Scalars(f"loss/process {number}")[0].value for number in (0, 1)]
    assert parts[0] != parts[1]
    assert log.Scalars("loss/train")[0].value == pytest.approx(sum(parts) / 2, rel=1e-6)


def test_torchrun_goes_on_with_another_number_of_processes(lesson, uneven_pictures, events, run_script):
    seen, *_ = lesson
    words = ["--resume", "--epochs", 2, "--dataset", uneven_pictures, "--batch-size", BATCH_SIZE]
    words += ["--learning-rate", LEARNING_RATE]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=1"]
    done = run_script(*torchrun, SCRIPT, *words)
    assert done.returncode == 0, done.stderr
    assert "going on after epoch 1, trained by 2 processes" in done.stdout
    assert_same_weights(seen["checkpoint"], by_one_process(uneven_pictures, epochs=2)[0])
    assert [event.step for event in events(seen["run"]).Scalars("loss/train")] == [1, 2]

    # What goes wrong in a process is said by the one that started it
    with pytest.raises(CourseError, match=r"^run \S+ has 2 epochs already: ask for more with --epochs$"):
        p11_distributed.main(str(uneven_pictures), 2, BATCH_SIZE, processes=1, resume=True)


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
        return torch.load(new.pop())["epoch"] if new else 0

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
    with pytest.raises(CourseError, match=r"was ended from outside|another process has ended") as end:
        p11_distributed.main(str(uneven_pictures), 200, BATCH_SIZE, learning_rate, max_restarts=1, timeout=8)
    thread.join(60)
    assert not thread.is_alive()
    assert str(end.value).endswith("--resume goes on after the last whole epoch")
    assert listening == {"0100007F"}  # 127.0.0.1
    (path,) = set(home.glob("models_saved/*/*/last.pth")) - before  # the restart has gone on in the same run
    epochs = torch.load(path)["epoch"]
    assert 0 < epochs_before[1] < epochs
    assert_same_weights(path, by_one_process(uneven_pictures, epochs, learning_rate)[0])
    curve = events(home / "logs" / "p11_distributed" / path.parent.name).Scalars("loss/train")
    assert [event.step for event in curve][:epochs] == list(range(1, epochs + 1))


def test_which_checkpoint_to_go_on_with(tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "mine")
    with pytest.raises(CourseError, match="no run to go on with: leave out --resume"):
        find_checkpoint(resume=True)
    for number, job in enumerate(("mine", "another")):
        path = tmp_path / "models_saved" / "p11_distributed" / f"run{number}" / "last.pth"
        path.parent.mkdir(parents=True)
        torch.save({"job": f"{job} of process {os.getppid()}"}, path)
        os.utime(path, (number, number))
    assert find_checkpoint(resume=False) is None
    assert find_checkpoint(resume=True)["job"].startswith("another")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert find_checkpoint(resume=False)["job"].startswith("mine")  # its own, although another is newer
    monkeypatch.setattr(os, "getppid", lambda: 1)  # a job of the same name, started by another torchrun
    assert find_checkpoint(resume=False) is None


@pytest.mark.parametrize(
    "options", [{"processes": 0}, {"batch_size": 35}, {"batch_size": 0}, {"batch_size": 204}]
)
def test_batches_that_cannot_be_shared_out(options, uneven_pictures, monkeypatch):
    monkeypatch.setattr(p11_distributed, "launch", None)  # would fail if it came that far
    with pytest.raises(CourseError, match=r"cannot be shared out equally .* choose another --batch-size$"):
        p11_distributed.main(str(uneven_pictures), **{"batch_size": BATCH_SIZE, **options})
