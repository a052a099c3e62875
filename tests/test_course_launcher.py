import errno
import logging
import os
import signal
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from lessons.course import CourseError, launcher
from lessons.course.launcher import (
    check_shares,
    checkpoint_path,
    find_checkpoint,
    launch,
    take_part,
    this_job,
)

posix = pytest.mark.skipif(os.name == "nt", reason="needs signals")


def settings(folder, processes=2, max_restarts=0):
    return SimpleNamespace(processes=processes, max_restarts=max_restarts, folder=folder)


def join(store):
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    waiting = timedelta(seconds=60)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=waiting)
    return rank


# --- What the processes of these tests do: functions of this file, since each process imports it anew


def fail_once(store, args):
    """Process 1 fails in the first round; then all add up their ranks."""
    rank, restarts = join(store), os.environ["TORCHELASTIC_RESTART_COUNT"]
    Path(args.folder, f"{rank} {restarts}").write_text(this_job())
    if rank == 1 and restarts == "0":
        raise ValueError("once")
    ranks = torch.tensor([rank, 1])
    dist.all_reduce(ranks)
    return {"rank": rank, "ranks": ranks.tolist(), "pid": os.getpid()}


def wait_for_ever(store, args):
    join(store)
    try:
        Path(args.folder, str(os.getpid())).touch()
        time.sleep(600)
    except KeyboardInterrupt:  # as a log that is closed would see it
        Path(args.folder, str(os.getpid())).write_text("closed")
        raise


def fail(store, args):
    """Process ``args.rank`` fails in the way of ``args.how``, while the others wait for it."""
    if join(store) == args.rank:
        if args.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        sentence, full = CourseError("one sentence: as it was"), OSError(errno.ENOSPC, "full")
        raise {"sentence": sentence, "full disk": full, "bug": ValueError("a bug")}[args.how]
    try:
        dist.barrier()
    finally:
        time.sleep(0.3)  # to close a log
        Path(args.folder, "closed").touch()


# --- Starting, watching, ending


def test_started_anew_and_joined(tmp_path):
    handlers = [signal.getsignal(number) for number in launcher.ENDINGS]
    seen = launch(fail_once, settings(tmp_path, max_restarts=1))
    assert seen["rank"] == 0
    assert seen["ranks"] == [1, 2]  # 0 + 1, and two processes
    assert seen["pid"] != os.getpid()

    jobs = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert sorted(jobs) == ["0 0", "0 1", "1 0", "1 1"]  # both were started anew
    assert len(set(jobs.values())) == 1  # the same job
    assert jobs["0 0"].endswith(f"of process {os.getpid()}")

    assert [signal.getsignal(number) for number in launcher.ENDINGS] == handlers
    assert logging.root.manager.disable == logging.NOTSET
    assert launcher.NO_SERVER not in os.environ


@posix
@pytest.mark.parametrize(
    ("how", "rank", "error", "message"),
    [
        ("sentence", 0, CourseError, r"^one sentence: as it was$"),
        ("full disk", 0, CourseError, "^no room is left for "),
        ("bug", 1, ChildFailedError, r"ValueError: a bug"),
        ("killed", 1, CourseError, r"^process 1 was ended from outside \(exit code -9, SIGKILL\): --resume "),
    ],
)
def test_the_cause_is_heard_not_its_consequence(how, rank, error, message, tmp_path):
    args = SimpleNamespace(processes=2, max_restarts=0, folder=tmp_path, rank=rank, how=how)
    with pytest.raises(error, match=message):
        launch(fail, args)
    assert (tmp_path / "closed").exists()  # the other has not been torn from what it was doing


@posix
def test_ctrl_c_ends_all(tmp_path):
    def press():
        while len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        launch(wait_for_ever, settings(tmp_path))
    assert signal.getsignal(signal.SIGINT) is handler
    for path in tmp_path.iterdir():
        assert path.read_text() == "closed"
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


# --- In a process that torchrun has started


@pytest.fixture
def torchrun(monkeypatch):
    """The variables of torchrun, and its signal handlers put back."""
    variables = {"LOCAL_WORLD_SIZE": "1", "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_RUN_ID": "mine"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handlers = {number: signal.getsignal(number) for number in launcher.ENDINGS}
    threads = torch.get_num_threads()
    yield monkeypatch
    torch.set_num_threads(threads)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "raised", "waits"),
    [
        (dist.DistNetworkError("the store is gone"), CourseError, True),
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer"), CourseError, True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), RuntimeError, False),
        (CourseError("its own sentence"), CourseError, False),
    ],
)
def test_another_process_is_lost(error, raised, waits, torchrun):
    naps = []
    torchrun.setattr(time, "sleep", naps.append)

    def work(store, args):
        assert store is None  # torchrun's own is used
        raise error

    with pytest.raises(raised) as end:
        take_part(work, settings(""))
    lost = "another process has ended, or has not answered within --timeout: "
    assert str(end.value).startswith(lost) is waits
    assert waits or end.value is error
    assert naps == [1] * waits


@posix
def test_a_signal_is_heard_once(torchrun):
    def work(store, args):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:  # closing the log
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            closed.append(True)

    closed = []
    with pytest.raises(KeyboardInterrupt):
        take_part(work, settings(""))
    assert closed


@posix
def test_two_signals_at_once_print_nothing(torchrun, monkeypatch):
    """Ctrl-C, and the SIGTERM of the launcher that has heard it too, before Python looks for either."""

    def work(store, args):
        signal.pthread_sigmask(signal.SIG_BLOCK, launcher.ENDINGS)
        for number in launcher.ENDINGS:
            signal.raise_signal(number)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, launcher.ENDINGS)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, [])  # any such call looks for the other

    said = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    with pytest.raises(KeyboardInterrupt):
        take_part(work, settings(""))
    assert said == []


# --- Which checkpoint, which batches


@pytest.fixture
def saved(torchrun, tmp_path):
    """``saved("run0", job="another", ...)``: a checkpoint of a small network; each is newer than the last."""
    torchrun.setenv("LESSONS_HOME", str(tmp_path))
    count = iter(range(9))

    def save(run, **others):
        path, state = checkpoint_path(Path("logs", "p13_test", run)), nn.Linear(2, 1).state_dict()
        about = {"job": this_job(), "processes": 2, "classes": ["a", "b"], "dataset": "pictures"}
        torch.save({"model": state, "history": [{}, {}], **about, **others}, path)
        number = next(count)
        os.utime(path, (number, number))
        return path

    return save


def found(resume=False, epochs=3, model=None, classes=("a", "b")):
    args, data = SimpleNamespace(resume=resume, epochs=epochs), SimpleNamespace(classes=classes)
    checkpoint = find_checkpoint("somewhere/p13_test.py", args, model or nn.Linear(2, 1), data)
    return checkpoint and checkpoint["run"]


def test_which_checkpoint_to_go_on_with(saved, torchrun, capsys):
    with pytest.raises(CourseError, match="no run to go on with: leave out --resume"):
        found(resume=True)
    path = saved("run0")
    assert path.parts[-4:] == ("models_saved", "p13_test", "run0", "last.pth")
    saved("run1", job=f"another of process {os.getppid()}")
    assert found() is None
    assert found(resume=True) == "run1"
    assert "going on after epoch 2, trained by 2 processes" in capsys.readouterr().out
    torchrun.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert found() == "run0"  # its own, although another is newer
    assert found(resume=True, epochs=2) == "run0"  # it had come to its end before it was lost: all is well
    torchrun.setattr(os, "getppid", lambda: 1)  # a job of the same name, started by another torchrun
    assert found() is None
    assert found(resume=True) == "run1"  # this job was lost before its first checkpoint


def test_no_more_files_are_read_than_needed(saved, torchrun):
    older = saved("run0")
    older.write_bytes(b"not to be opened")
    os.utime(older, (0, 0))  # two files written now may have the same time
    saved("run1")
    assert found(resume=True) == "run1"
    torchrun.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert found() == "run1"


def test_a_checkpoint_that_does_not_fit(saved):
    saved("run0")
    with pytest.raises(CourseError, match=r"^run run0 has 2 epochs already: ask for more with --epochs$"):
        found(resume=True, epochs=2)
    with pytest.raises(
        CourseError, match=r"^run run0 learnt other classes: give --dataset pictures, or leave out --resume$"
    ):
        found(resume=True, classes=("a", "c"))
    with pytest.raises(CourseError, match=r"run0 .*another network.* 0\.weight.* weight"):
        found(resume=True, model=nn.Sequential(nn.Linear(2, 1)))
    with pytest.raises(
        CourseError, match=r"run0 .*another network.*weight is \(1, 2\) there and \(1, 3\) here"
    ):
        found(resume=True, model=nn.Linear(3, 1))


def test_batches_that_cannot_be_shared_out():
    check_shares(34, 34, 2)
    for batch_size in (35, 36):  # not in two equal parts; more than there are
        with pytest.raises(
            CourseError, match=r"cannot be shared out equally .* choose another --batch-size$"
        ):
            check_shares(batch_size, 35, 2)
