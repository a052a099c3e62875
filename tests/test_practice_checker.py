"""A learner's file may do anything: the check ends in time, says what happened, and nothing is lost."""

import os
import time
from pathlib import Path

import pytest

from lessons.course.practice import checker, limits
from lessons.course.practice.desk import file_of, practice_dir, read_progress, update
from lessons.course.practice.limits import Limits
from lessons.course.practice.shelf import code_of, find_exercise, find_exercises
from lessons.course.words import say

WRITE = find_exercise("pool_by_hand", find_exercises())
SHORT = Limits(seconds=1.0, memory=2**29, shrinking=0.0)
AMPLE = Limits(seconds=30.0, shrinking=0.0)  # where the file is to come to its end on a busy machine too
IN_TIME = 10.0  # seconds, of a check whose learner has one of them: a busy machine starts processes slowly

linux = pytest.mark.skipif(
    not limits.LINUX, reason="only Linux bounds a process's memory, and says which children it has left"
)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(scope="module")
def solution():
    """The text of a file that passes."""
    exercise = WRITE.load()
    return code_of(exercise, exercise.solution)


@pytest.fixture
def check(tmp_path, monkeypatch):
    """``check(code)``: the verdict on a learner's file that holds this code; it must come in time."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setenv("LESSONS_LANG", "en")

    def check(code: str, allowed: Limits = AMPLE) -> dict:
        file = file_of(WRITE)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code, encoding="utf-8")
        start = time.monotonic()
        verdict = checker.check(WRITE, file, limits=allowed)
        assert time.monotonic() - start < (IN_TIME if allowed is SHORT else 60)
        return verdict

    return check


@pytest.fixture(scope="module", autouse=True)
def warm():
    """The first check of a test run starts the process that all others are forked from."""
    checker.check(WRITE, WRITE.path, limits=SHORT)


def ended(pid: int) -> bool:
    """Whether a process that has just been killed is gone, or dead and only not yet waited for."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def function(body: str) -> str:
    """A file whose function does this."""
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return f"def max_pool(picture, kernel_size, stride=None, padding=0, ceil_mode=False):\n{lines}\n"


BROKEN_STR = """
class Odd(Exception):
    def __str__(self):
        {}
raise Odd
"""
CATCHES_ALL = """
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
"""


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        pytest.param(
            function("while True:\n    pass"), "stopped", "Still running after 1 s (line ", id="loop"
        ),
        pytest.param("while True:\n    pass", "stopped", "Still running after 1 s (line ", id="loop at once"),
        pytest.param(function(CATCHES_ALL), "stopped", "Still running after 1 s", id="loop that catches all"),
        pytest.param("import time\ntime.sleep(60)", "stopped", "after 1 s (line 2)", id="sleep"),
        pytest.param(
            "import sys\nsys.exit(3)", "wrong", "does not run: SystemExit: 3 (line 2)", id="exit at once"
        ),
        pytest.param(function("raise SystemExit"), "wrong", "raises SystemExit (line 2)", id="exit"),
        pytest.param(function("import os; os._exit(0)"), "stopped", "with exit code 0", id="_exit"),
        pytest.param(function("import os; os.abort()"), "stopped", "by signal 6", id="abort", marks=forks),
        pytest.param(function("while True: print('x' * 999)"), "stopped", "more than 1 MB", id="print"),
        pytest.param(function("raise KeyboardInterrupt"), "wrong", "raises KeyboardInterrupt", id="Ctrl-C"),
        pytest.param(function(BROKEN_STR.format("1 / 0")), "wrong", "raises Odd", id="broken __str__"),
        pytest.param(
            function(BROKEN_STR.format("raise SystemExit")), "wrong", "raises Odd", id="__str__ exits"
        ),
        pytest.param(
            function(BROKEN_STR.format("while True: pass")), "stopped", "Still running", id="__str__ loops"
        ),
        pytest.param(
            function("return max_pool(picture, 1)"), "wrong", "raises RecursionError", id="recursion"
        ),
        pytest.param(function("return input()"), "wrong", "raises EOFError", id="reads"),
        pytest.param(function("import os\nos.closerange(3, 999)"), "stopped", "exit code", id="closes all"),
        pytest.param("def max_pool(", "wrong", "does not run: SyntaxError", id="syntax"),
        pytest.param("max_pool = 1\0", "wrong", "null bytes", id="null byte"),
        pytest.param("", "wrong", "NameError: name 'max_pool' is not defined", id="empty"),
        pytest.param(
            function("kept = []\nwhile True: kept.append(bytearray(10**8))"),
            "stopped",
            "wanted more than 0.5 GB of memory (line 3)",
            id="memory",
            marks=linux,
        ),
        pytest.param(
            function("import torch\nreturn torch.zeros(10**9)"),
            "stopped",
            "wanted more than 0.5 GB of memory (line 3)",
            id="memory of torch",
            marks=linux,
        ),
    ],
)
def test_it_is_stopped_and_explained(check, code, status, said):
    verdict = check(code, SHORT if status == "stopped" else AMPLE)
    assert verdict["status"] == status
    assert said in verdict["seen"]


PATCHES_ALL = """
import sys, torch
torch.equal = torch.allclose = torch.isclose = torch.testing.assert_close = lambda *args, **kwargs: True
for module in list(sys.modules.values()):
    for name in ("difference", "tensor_difference", "close", "judge"):
        if getattr(module, "__name__", "").startswith("lessons") and hasattr(module, name):
            setattr(module, name, lambda *args, **kwargs: "")
"""


@pytest.mark.parametrize(
    "patch",
    [
        "import torch\ntorch.save = lambda *args, **kwargs: None",
        "import torch\ntorch.Tensor.clone = lambda self: self + 1",
        "import torch\ntorch.Tensor.__torch_function__ = None",
        "import builtins\nbuiltins.isinstance = lambda *args: True",
        "import builtins\nfor name in ('len', 'type', 'str', 'iter'):\n    delattr(builtins, name)",
        "import pickle\npickle.Pickler = None",
        "import sys\nsys.modules.clear()",
        "import lessons.course.practice.plain",
        PATCHES_ALL,
    ],
)
def test_what_is_patched_in_its_process_does_not_pass(check, patch):
    """Neither does it go through as an error of the exercise, nor of the command."""
    verdict = check(patch + "\n" + function("return 1"), SHORT)
    assert verdict["status"] in ("wrong", "stopped")
    assert verdict["seen"]


LOOKS = """
import gc, sys
held, frame = gc.get_objects(), sys._getframe()
while frame := frame.f_back:
    held += [frame.f_locals, frame.f_globals]
held += [value for one in held if isinstance(one, dict) for value in list(one.values())]
for one in held:
    if type(one).__name__ in ("Write", "Wrong", "Sitting"):
        print("found", type(one).__name__)
    if getattr(one, "__name__", "") == "by_torch":
        print("found the reference")
print("looked")
"""


def test_what_is_expected_is_not_in_its_process(check):
    printed = check(function(LOOKS))["printed"]
    assert printed.splitlines() == ["looked"]


def test_threads_end_with_it(check, solution):
    thread = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert check(thread + solution)["status"] == "passed"


@linux
def test_children_end_with_it(check, solution, tmp_path):
    """Those that have left its group, ignore signals or have children themselves as well."""
    note = tmp_path / "pids.txt"
    fork = f"""
import os, signal, time
for kind in range(3):
    if os.fork() == 0:
        if kind:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if kind == 2:
            os.fork()
        with open({str(note)!r}, "a") as file:
            file.write(f"{{os.getpid()}}\\n")
        time.sleep(600)
while len(open({str(note)!r}).readlines()) < 4:
    time.sleep(0.01)
"""
    note.touch()
    assert check(fork + solution)["status"] == "passed"
    pids = [int(line) for line in note.read_text().splitlines()]
    assert len(pids) == 4
    assert all(map(ended, pids))


@linux
def test_a_judge_that_is_killed(check, tmp_path):
    """The learner's own process does not outlive it."""
    note = tmp_path / "pid.txt"
    body = f"""
import os, pathlib
pathlib.Path({str(note)!r}).write_text(str(os.getpid()))
os.kill(os.getppid(), 9)
while True:
    pass
"""
    verdict = check(function(body))
    assert (verdict["status"], verdict["seen"]) == ("stopped", say("practice judge gone"))
    assert ended(int(note.read_text()))


def test_what_it_removes_is_put_back(check, tmp_path):
    update(WRITE, hints=2)
    code = f"import shutil\nshutil.rmtree({str(practice_dir())!r})\nopen('a file', 'w')\n"
    verdict = check(code)
    assert "progress.txt" in verdict["seen"]
    assert file_of(WRITE).name in verdict["seen"]
    assert file_of(WRITE).read_text() == code
    assert read_progress()[WRITE.key].hints == 2


def test_its_own_folder_is_empty_for_each_case(check, solution):
    """Whether it leaves files there or removes the folder, the next case finds it empty again."""
    for leaves in ("open('a file', 'x')", "os.mkdir('a folder')", "os.rmdir(os.getcwd())"):
        code = solution.replace("stride = stride or kernel_size", f"{leaves}; stride = stride or kernel_size")
        assert check("import os\n" + code)["status"] == "passed", leaves


def test_a_check_leaves_nothing_in_the_temporary_folder(check, tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    check("import tempfile\n" + function("tempfile.mkdtemp(); open('a file', 'w'); return 1"))
    assert list(folder.iterdir()) == []


def test_without_fork(check, solution):
    """As on Windows and macOS, each process is started afresh; the verdicts are the same."""
    tell = "import multiprocessing\nprint(type(multiprocessing.current_process()).__name__)\n"
    code = solution.replace("output = torch.empty", f"{tell.replace(chr(10), ';')} output = torch.empty")
    verdict = check(code, Limits(seconds=30.0, fork=False))
    assert (verdict["status"], set(verdict["printed"].split())) == ("passed", {"SpawnProcess"})
