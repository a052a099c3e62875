"""Where code is run and probed: the learner's in a process of its own, the course's own in this one.

Both benches have ``load()``, which runs the file, and ``ask(case)``, which gives the probe's outcome.
"""

import contextlib
import copy
import faulthandler
import functools
import importlib.abc
import io
import os
import random
import shutil
import sys
import tempfile
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lessons.course.practice.limits import Limits, limit_this_process
from lessons.course.practice.plain import Raised, pack, plain, unpack
from lessons.course.practice.shelf import Entry

FILE = "<your file>"
BANNED = {  # what a learner's file cannot import, by the exercise's kind
    "Predict": ("torch", "torchvision", "numpy", "lessons"),
    "Write": ("lessons.practice", "lessons.course.practice"),
    "Mend": ("lessons.practice", "lessons.course.practice"),
}


class Learner(types.ModuleType):
    """The learner's file as a module; a name that is not in it is an error that says so."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NameError(f"name {name!r} is not defined in this file", name=name)


def run_file(code: str, path: str) -> Learner:
    """Run a file's code as a module of its own."""
    learner = Learner("learner")
    learner.__dict__["__file__"] = path
    sys.modules["learner"] = learner  # a class of the learner's can be pickled
    exec(compile(code, path, "exec"), learner.__dict__)
    return learner


def outcome(work: Callable[[], Any], path: str) -> Any:
    """What the work gives, as plain values; what it raises, as an outcome."""
    try:
        return plain(work())
    except BaseException as error:  # sys.exit() and Ctrl-C in the learner's file as well
        return raised(error, path)


def raised(error: BaseException, path: str) -> Raised:
    """The error as an outcome, with the last line of the file at that path that it went through."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return Raised(type(error).__name__, error.msg, error.lineno or 0)
    steps = traceback.walk_tb(error.__traceback__)
    lines = [line for frame, line in steps if frame.f_code.co_filename == path]
    try:
        words = " ".join(str(error).split())
    except BaseException:  # an error that cannot say what it is
        words = ""
    return Raised(type(error).__name__, words[:1000], (lines or [0])[-1] or 0)


@contextlib.contextmanager
def scene() -> Iterator[None]:
    """An empty working directory, seeded random numbers, no warnings and a thread alone."""
    before, threads = os.getcwd(), torch.get_num_threads()
    here = Path(own_folder(os.getpid()).name)
    here.mkdir(exist_ok=True)  # it may have been removed
    torch.set_num_threads(1)
    for seed in (torch.default_generator.manual_seed, random.seed, np.random.seed):
        seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.chdir(here)
        try:
            yield
        finally:
            os.chdir(before)
            empty(here)
            torch.set_num_threads(threads)
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)


@functools.cache
def own_folder(process: int) -> tempfile.TemporaryDirectory:
    """A process's working directory. Making and removing one for each case would take most of the time."""
    return tempfile.TemporaryDirectory(ignore_cleanup_errors=True)


def empty(folder: Path) -> None:
    """Remove what lies in a folder, as far as that can be."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry, ignore_errors=True)
            else:
                os.unlink(entry)


class OwnCode:
    """A bench in this process, for the course's own code: solutions, variants, known wrong answers."""

    def __init__(self, code: str, probe: Callable[..., Any], without: tuple[str, ...] = ()) -> None:
        self.code, self.probe, self.without = code, probe, without

    def load(self) -> Raised | None:
        with scene(), quiet():
            try:
                self.learner = run_file(self.code, FILE)
            except BaseException as error:
                return raised(error, FILE)
        return None

    def ask(self, case: dict[str, Any]) -> Any:
        if not hasattr(self, "learner") and (error := self.load()):
            return error
        with scene(), quiet(), watched(self.without):
            return outcome(lambda: self.probe(self.learner, **copy.deepcopy(case)), FILE)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


# --- Operations that would be no answer


class NotAllowed(Exception):
    """The learner's code has called what the exercise wants written by hand."""


@contextlib.contextmanager
def watched(without: tuple[str, ...]) -> Iterator[None]:
    """While this lasts, an operation whose name begins with one of these raises NotAllowed."""
    if not without:
        yield
        return
    from torch.utils._python_dispatch import TorchDispatchMode

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = func.overloadpacket.__name__
            if name.startswith(without):
                raise NotAllowed(next(word for word in without if name.startswith(word)))
            return func(*args, **(kwargs or {}))

    with Watch():
        yield


# --- The learner's process


class Banned(importlib.abc.MetaPathFinder):
    """Refuses imports: of what the learner is to think out, and of the exercise itself."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def covers(self, module: str) -> bool:
        return any(module == name or module.startswith(f"{name}.") for name in self.names)

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if self.covers(fullname):
            raise ImportError(f"{fullname.partition('.')[0]} cannot be used in this exercise")


def serve(entry: Entry, file: Path, folder: Path, conn: Connection, limits: Limits) -> None:
    """The learner's process: run the file, then answer each case that comes with the probe's outcome.

    ``folder`` is a directory for this check alone, in which ``printed.txt`` takes all that is printed.
    """
    tempfile.tempdir = str(folder)
    probe, without = taken_out(entry)
    code = file.read_text("utf-8", errors="replace")
    limit_this_process(limits)
    become_silent(folder, conn.fileno(), limits)
    conn.send_bytes(b"ready")

    # A copy: whatever the file does with its own folder, the original lies elsewhere
    path = folder / "yours" / file.name
    path.parent.mkdir()
    path.write_text(code, encoding="utf-8")
    learner = Learner("learner")

    def load() -> None:
        nonlocal learner
        learner = run_file(code, str(path))

    with scene(), banned(BANNED[entry.kind]):
        loaded = outcome(load, str(path))
    conn.send_bytes(pack(loaded))
    while True:
        try:
            case = unpack(conn.recv_bytes())
        except EOFError:
            return
        with scene(), watched(without), banned(BANNED["Write"]):
            given = outcome(functools.partial(probe, learner, **case), str(path))
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        conn.send_bytes(pack(given))


def taken_out(entry: Entry) -> tuple[Callable[..., Any], tuple[str, ...]]:
    """An exercise's probe, and what it wants done without; solution and reference leave this process."""
    exercise, names = entry.load(), vars(entry.module())
    secret = (exercise, getattr(exercise, "reference", None))
    for name in [name for name, value in names.items() if any(value is one for one in secret)]:
        del names[name]
    return getattr(exercise, "probe", names_of), tuple(getattr(exercise, "without", ()))


def become_silent(folder: Path, keep: int, limits: Limits) -> None:
    """Nothing to read, what is printed goes into a file, and no other file of the parent's stays open."""
    printed = os.open(folder / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (printed, 1), (printed, 2)):
        os.dup2(old, new)
    if limits.fork:
        for number in range(3, 256):
            if number != keep:
                with contextlib.suppress(OSError):
                    os.close(number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    stuck = open(folder / "stuck.txt", "w")  # noqa: SIM115 - stays open for the whole life
    faulthandler.dump_traceback_later(limits.seconds / 8, repeat=True, file=stuck)


@contextlib.contextmanager
def banned(names: tuple[str, ...]) -> Iterator[None]:
    """While this lasts, these modules cannot be imported, although they have been."""
    ban = Banned(names)
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if ban.covers(name)}
    sys.meta_path.insert(0, ban)
    try:
        yield
    finally:
        sys.meta_path = [finder for finder in sys.meta_path if finder is not ban]
        sys.modules.update(hidden)


def names_of(learner: Learner, names: list[str]) -> dict[str, Any]:
    """The probe of a Predict: what the learner's file has assigned."""
    return {name: vars(learner)[name] for name in names if name in vars(learner)}
