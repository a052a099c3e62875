"""The lessons in a notebook: cells without a file, an output without a terminal, an interrupt, a thread."""

import io
import signal
import sys
import threading
from types import ModuleType

import pytest
import torch
from quick_lessons import make_quick
from test_p09_resume import at_step, press_ctrl_c

from lessons import p09_resume
from lessons.course.catalogue import read_card


class CellOutput(io.TextIOBase):
    """What a kernel has in place of stdout: it can be written to, and not much else."""

    def write(self, text: str) -> int:
        return len(text)


@pytest.fixture
def cell(small_pictures, tmp_path, monkeypatch):
    """``cell("seen = ...")``: run these lines in the notebook; the values of all its names."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    make_quick(monkeypatch, small_pictures)
    notebook = ModuleType("__main__")  # it has no file
    monkeypatch.setitem(sys.modules, "__main__", notebook)

    def run(lines: str) -> dict:
        with monkeypatch.context() as shown:
            shown.setattr(sys, "stdout", CellOutput())
            exec(lines, vars(notebook))
        return vars(notebook)

    return run


def in_a_thread(work) -> list:
    """What the work gives in a thread, which can set no signal handlers, and what it raises there."""
    seen = []

    def run():
        try:
            seen.append(work())
        except BaseException as error:
            seen.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return seen


CELL = "from lessons.{} import main\nseen = main(epochs={})"


def test_a_cell_that_is_run_twice(cell):
    usual = signal.getsignal(signal.SIGINT)
    first, second = (cell(CELL.format("p08_train", 2))["seen"] for _ in range(2))
    assert first["run"] != second["run"] and first["history"] == second["history"]
    assert signal.getsignal(signal.SIGINT) is usual


def test_an_interrupt_in_a_cell(cell, tmp_path, monkeypatch):
    usual = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        at_step(stopped, 12, press_ctrl_c)
        cell(CELL.format("p08_train", 2))
    assert [read_card(card)["status"] for card in tmp_path.glob("logs/*/*/run.json")] == ["interrupted"]
    assert signal.getsignal(signal.SIGINT) is usual
    assert cell(CELL.format("p08_train", 2))["seen"]["final"]


def stop():
    raise KeyboardInterrupt


def test_an_interrupt_in_a_thread(cell, monkeypatch):
    """It cannot wait for the end of a step there: what goes on is the last epoch that was saved."""
    monkeypatch.setattr(p09_resume, "stop_and_forget", lambda *arguments: {})  # trains, too
    (whole,) = in_a_thread(lambda: cell(CELL.format("p09_resume", 2))["seen"])
    with monkeypatch.context() as stopped:
        at_step(stopped, 12, stop)  # in the second epoch
        (error,) = in_a_thread(lambda: cell(CELL.format("p09_resume", 2)))
    assert isinstance(error, KeyboardInterrupt)
    (seen,) = in_a_thread(lambda: cell("seen = main(resume=True)")["seen"])
    assert seen["history"] == whole["history"]
    weights = [torch.load(run["checkpoints"] / "last.pth")["model"] for run in (seen, whole)]
    assert all(torch.equal(weights[0][name], weight) for name, weight in weights[1].items())


def test_processes_that_a_thread_starts(cell):
    (seen,) = in_a_thread(lambda: cell("from lessons.p13_distributed import main\nseen = main()")["seen"])
    assert len(seen["history"]) == 1
