"""The course's loops against the notes' loops, measured in turns: a table, a JSON file and a plot."""

import json
import os
from pathlib import Path

import typer

from lessons.course import DATASET, CourseError
from lessons.course.logbook import new_run_folder
from lessons.course.options import command_line

from . import ways
from .cases import CASES, QUICK, UNASKED, Work
from .measure import Apart, machine
from .report import HEADER, line, plot


def main(
    names: list[str] = typer.Argument(None, help="the cases to run"),  # noqa: B008
    quick: bool = typer.Option(False, help="little work: shows that all of it runs, not how fast"),
    pictures: str = typer.Option(DATASET, help="a data set, or a folder with train/<class>/ and test/"),
    threads: int = typer.Option(0, help="for torch; 0 leaves the choice to it"),
    out: Path = typer.Option(None, help="a folder for the JSON file and the plot"),  # noqa: B008
) -> None:
    if unknown := set(names or ()) - CASES.keys():
        raise CourseError(f"there is no case {', '.join(unknown)}: choose among {', '.join(CASES)}")
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)  # for the processes that measure, of which none runs yet
    work = (QUICK if quick else Work())._replace(pictures=pictures)
    about = machine() | Apart(ways.what_there_is, pictures)().facts
    result = {"machine": about, "work": work._asdict(), "rows": []}
    folder = out or new_run_folder("benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    print(*(f"{name}: {value}" for name, value in about.items()), HEADER, sep="\n")
    for name in names or UNASKED:
        for row in CASES[name](work):
            print(line(row), flush=True)
            result["rows"].append(row)
        # After each case, so that nothing is lost when a later one fails
        (folder / "benchmarks.json").write_text(json.dumps(result, indent=1), "utf-8")
    plot(result["rows"], folder / "benchmarks.png")
    print(f"\n{folder / 'benchmarks.json'} and benchmarks.png beside it")


if __name__ == "__main__":
    command_line(main)
