"""Run folders, their SummaryWriter and the reproducibility card.

A run is one folder, ``logs/<lesson>/<time>/``: TensorBoard draws each folder as a curve of its own, so two
runs never mix. ``run.json`` in it is the same card for the ``lessons`` command, which must not import torch.
"""

import json
import logging
import platform
import re
import sys
import textwrap
import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from lessons.course import course_dir, course_home
from lessons.course.catalogue import LOCK, TABS, checksum, read_card
from lessons.course.datasets import CourseData, dataset_line
from lessons.course.disk import is_locked, locked, unlock, write_whole
from lessons.course.notes import page_path, plain_page
from lessons.course.screen import as_one_line, as_typed
from lessons.course.words import say

HALF_WRITTEN = ("models_saved/**/*.pth.*.tmp", "logs/*/*/.run.json.*")  # by lesson 7's save, and write_whole
STATUSES: dict[type | None, str] = {None: "ok", KeyboardInterrupt: "interrupted"}  # by what ended a run


class RunWriter(SummaryWriter):
    """A ``SummaryWriter`` on a run folder of its own, which ends with a reproducibility card.

    Use it as ``with RunWriter(__file__, ...) as writer:``. Leaving the block closes the writer (until then
    the last events wait in a queue), writes the card and prints what to look at, read back from the events.

    Args:
        lesson_file: the lesson's ``__file__``; its stem names the folder.
        train_data, test_data: the data sets used; printed and written on the card.
        device: where the lesson computes.
        go_on_with: the name of a run folder to go on in, instead of a new one.
        purge_step: with ``go_on_with``, the first step that is logged anew; TensorBoard drops what the
            interrupted run may have logged from there on.
        settings: every setting that changes the numbers, such as ``seed`` and ``epochs``.

    Attributes:
        folder: the run folder.
        result: set it to one short line for the table of ``lessons``, such as ``"test accuracy 86.6 %"``.
    """

    def __init__(
        self,
        lesson_file: str,
        train_data: CourseData | None = None,
        test_data: CourseData | None = None,
        device: str | torch.device = "cpu",
        go_on_with: str | None = None,
        purge_step: int | None = None,
        **settings: object,
    ) -> None:
        self.lesson = Path(lesson_file).stem
        remove_half_written()
        if go_on_with:
            self.folder = course_dir("logs") / self.lesson / go_on_with
            self.folder.mkdir(parents=True, exist_ok=True)  # the logs may have been cleaned since
        else:
            self.folder = new_run_folder(self.lesson)
        self._seconds = 0.0
        self._lock = locked(self.folder / LOCK)
        with suppress(OSError, ValueError, KeyError):  # a damaged card is no reason not to go on
            card = read_card(self.folder / "run.json")
            self._seconds = float(card["seconds"])  # of the part before the stop
        self.result = ""
        self._start = time.perf_counter()
        self._purge_step = purge_step if go_on_with else None
        self._curves: dict[str, SummaryWriter] = {}
        self._said_boxes = False
        splits = [data for data in (train_data, test_data) if data is not None]
        data = dataset_line(*splits) if splits else "none of the course's data sets"
        self._card: dict[str, Any] = {
            "lesson": self.lesson,
            "command": as_typed([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "started": datetime.now().isoformat(timespec="seconds"),
            "seconds": 0.0,
            "status": "running",
            "result": "",
            "data": data,
            "settings": {name: str(value) for name, value in settings.items()},
            "device": str(device),
            "threads": torch.get_num_threads(),
            "versions": {
                "python": platform.python_version(),
                "system": f"{platform.system()} {platform.machine()}",
                **{name: version(name) for name in ("torch", "torchvision", "tensorboard", "numpy")},
            },
            "look_at": [],
        }
        self._save_card()
        print(f"data: {data}")
        super().__init__(str(self.folder), purge_step=self._purge_step)
        note = page_path(self.lesson)
        if note.is_file() and not go_on_with:  # pictures, curves and words in one window
            self.add_text("note", plain_page(note.read_text("utf-8")))

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: dict[str, float],
        global_step: int | None = None,
        walltime: float | None = None,
    ) -> None:
        """Several curves in one chart, as SummaryWriter's own, which makes a run of each tag and curve.

        Here a curve keeps one run, ``<folder>/<curve>``, for all its tags, and so one colour in all charts;
        and a run that goes on drops from each what comes after ``purge_step``.
        """
        for curve, value in tag_scalar_dict.items():
            if curve not in self._curves:
                place = str(self.folder / curve)
                self._curves[curve] = SummaryWriter(place, purge_step=self._purge_step)
            self._curves[curve].add_scalar(main_tag, value, global_step, walltime)

    def add_figure(self, *arguments: Any, **options: Any) -> None:
        """As SummaryWriter's; one sentence, once, in place of a warning for each character without a font."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.filterwarnings("always", "Glyph .* missing")
            super().add_figure(*arguments, **options)
        others = [warning for warning in caught if not str(warning.message).startswith("Glyph")]
        for warning in others:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        if len(others) < len(caught) and not self._said_boxes:
            print("boxes stand for characters that no font on this machine has: install Noto Sans CJK")
            self._said_boxes = True

    def flush(self) -> None:
        super().flush()
        for writer in self._curves.values():
            writer.flush()

    def close(self) -> None:
        super().close()
        for writer in self._curves.values():
            writer.close()

    def __exit__(self, exc_type: type[BaseException] | None, *rest: object) -> None:
        self._card |= {
            "status": STATUSES.get(exc_type, "failed"),
            "result": self.result,
            "seconds": round(self._seconds + time.perf_counter() - self._start, 1),
        }
        try:
            self.add_text("reproducibility card", card_table(self._card))
            super().__exit__(exc_type, *rest)  # closes, so that everything is in the file that is read next
            self._card["look_at"] = what_to_look_at(self.folder)
        except BaseException as error:  # the disk is full, or Ctrl-C once more
            self._card["status"] = STATUSES.get(exc_type or type(error), "failed")
            raise
        finally:
            try:
                self._save_card()
            finally:
                unlock(self._lock)
        if self._card["status"] == "ok":
            number = re.match(r"p(\d\d)_", self.lesson)
            board = f"lessons board {int(number[1])}" if number else "lessons board"
            print("\n" + say("look at", board=board, run=f"{self.lesson}/{self.folder.name}"))
            for line in self._card["look_at"]:
                print(textwrap.fill(line, 79, initial_indent="  ", subsequent_indent=" " * 14))

    def _save_card(self) -> None:
        card = self._card | {"checksum": checksum(self._card)}
        write_whole(self.folder / "run.json", json.dumps(card, indent=2, ensure_ascii=False))


def new_run_folder(lesson: str) -> Path:
    """Make ``logs/<lesson>/<time>/``; a run that starts in the same second gets ``-2`` behind the time."""
    name = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    runs = course_dir("logs") / lesson
    runs.mkdir(exist_ok=True)
    attempt = 1
    while True:
        folder = runs / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            folder.mkdir()  # fails when it exists: also when another process was faster
            return folder
        except FileExistsError:
            attempt += 1


def remove_half_written() -> None:
    """Remove what killed runs were just writing, unless a run is at work now: then it may be that one's."""
    if any(map(is_locked, course_home().glob(f"logs/*/*/{LOCK}"))):
        return
    for pattern in HALF_WRITTEN:
        for path in course_home().glob(pattern):
            with suppress(OSError):
                path.unlink()


def card_table(card: dict) -> str:
    """The card as a Markdown table, for TensorBoard's TEXT tab."""
    rows = [
        (key, ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value)
        for key, value in card.items()
        if key != "look_at"
    ]
    return markdown_table(("", ""), [*rows, ("course folder", course_home())])


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table for ``writer.add_text``: one heading a column, one sequence of cells a row."""
    shown = [[as_one_line(str(cell)).replace("|", "\\|") for cell in row] for row in (headings, *rows)]
    cells = [shown[0], ["---"] * len(headings), *shown[1:]]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def read_events(folder: Path) -> EventAccumulator:
    """All that the event files in a folder hold; by default TensorBoard would keep 4 pictures a tag."""
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # that a run has gone on is no warning
    everything = {"scalars": 0, "images": 0, "tensors": 0, "histograms": 0}
    return EventAccumulator(str(folder), size_guidance=everything).Reload()


def what_to_look_at(folder: Path) -> list[str]:
    """What the run's own event files hold, a line a tab: ``IMAGES  input, output (10 steps)``."""
    events = read_events(folder)
    found: dict[str, dict[str, int]] = defaultdict(dict)  # tab -> tag -> number of steps
    for kind in ("scalars", "images", "histograms"):
        for tag in events.Tags()[kind]:
            found[kind][tag] = len(getattr(events, kind.capitalize())(tag))
    curves: dict[str, dict[str, int]] = defaultdict(dict)  # tag -> curve -> number of steps
    for sub_run in sorted({path.parent for path in folder.glob("*/events.*")}):
        of_curve = read_events(sub_run)
        for tag in of_curve.Tags()["scalars"]:
            curves[tag][sub_run.name] = len(of_curve.Scalars(tag))
    for tag, steps_of in curves.items():
        found["scalars"][f"{tag} ({', '.join(steps_of)})"] = max(steps_of.values())
    if events.Tags()["graph"]:
        found["graph"]["the network"] = 1
    for tag in events.Tags()["tensors"]:
        plugin = events.SummaryMetadata(tag).plugin_data.plugin_name
        found[plugin][tag.removesuffix("/text_summary")] = len(events.Tensors(tag))
    if (folder / "projector_config.pbtxt").is_file():  # an embedding lies beside the event file
        found["projector"]["the embedding"] = 1
    with suppress(KeyError):  # hyper-parameters are metadata, which no tag names
        if events.PluginTagToContent("hparams"):
            found["hparams"]["settings and results"] = 1
    lines = []
    for kind, tags in found.items():
        by_steps: dict[int, list[str]] = defaultdict(list)
        for tag, steps in tags.items():
            by_steps[steps].append(tag)
        entries = "; ".join(
            ", ".join(names) + (f" ({steps} steps)" if steps > 1 else "") for steps, names in by_steps.items()
        )
        lines.append(f"{TABS.get(kind, kind.upper()):<11} {entries}")
    return lines
