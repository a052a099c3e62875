"""What keeps the lessons short: where files lie, data sets, run folders, the ``lessons`` command.

A learner never needs to open this folder. This file must stay cheap to import (no torch): the bare
``lessons`` command reads it.
"""

import os
from pathlib import Path

# The data set a lesson uses when none is named: the learner's own default, else the drawn pictures.
DATASET = os.environ.get("LESSONS_DATASET", "sketch10")

# ONNX Runtime, in lesson 12, would number this machine and report each use of it to its maker
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Without a home folder, matplotlib would say at length where it keeps its list of fonts instead
if not os.access(os.path.expanduser("~"), os.W_OK):
    import logging  # takes a tenth of the time in which ``lessons`` starts

    logging.getLogger("matplotlib").setLevel(logging.ERROR)


class CourseError(Exception):
    """Something a learner can cause. Its message is one sentence: what is wrong and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """


def course_home() -> Path:
    """The folder that holds ``data/``, ``models_saved/`` and ``logs/``.

    ``$LESSONS_HOME`` when set, else the checkout that this package runs from, else the working directory.
    Read at each call, so that a test or a notebook can move it.
    """
    if home := named_folder("LESSONS_HOME"):
        return home
    checkout = Path(__file__).resolve().parents[2]
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def course_dir(name: str) -> Path:
    """``data``, ``models_saved`` or ``logs`` in the course folder, made when it does not exist yet.

    CourseError when its name has bytes that are no characters here: TensorBoard takes no such name.
    """
    folder = course_home() / name
    try:
        str(folder).encode()
    except UnicodeEncodeError as error:
        raise CourseError(
            f"{folder} has a name that this system's settings cannot read: set PYTHONUTF8=1, "
            "or LESSONS_HOME to a folder with a plain name"
        ) from error
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def newest_files(pattern: str) -> list[Path]:
    """The course folder's files that match a pattern, such as ``logs/*/*/run.json``; the newest first."""
    return sorted(course_home().glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)


def torch_home() -> Path:
    """Where torch keeps downloaded weights: ``$TORCH_HOME`` when set, else inside ``models_saved/``."""
    return named_folder("TORCH_HOME") or course_home() / "models_saved" / "torch"


def named_folder(variable: str) -> Path | None:
    """The folder that an environment variable names, there or not; None when the variable is not set.

    CourseError when no folder can have that name: links that lead in a circle, or ``~`` where no home is.
    """
    if not (name := os.environ.get(variable)):
        return None
    try:
        return Path(name).expanduser().resolve()
    except (OSError, RuntimeError) as error:
        reason = str(error).rstrip(".")
        raise CourseError(f"{variable} is {name}, which is no folder ({reason}): name another") from error
