"""All campaigns in full, or some of them by name: a Markdown table; exit code 1 when something was lost."""

import sys
import tempfile
from pathlib import Path

import typer

from lessons.course import CourseError
from lessons.course.options import command_line

from . import Campaign, Outcome, servers
from .checkpoints import checkpoints
from .damaged import damaged
from .distributed import lost_processes
from .folders import folders
from .full import full_disk
from .interrupted import ctrl_c
from .killed import sigkill
from .lines import command_lines
from .pictures import pictures
from .places import places
from .together import at_once

CAMPAIGNS: dict[str, tuple[Campaign, int]] = {
    # by name: the function, and how many tries are all of it
    "sigkill": (sigkill, 40),
    "ctrl-c": (ctrl_c, 60),
    "lost-processes": (lost_processes, 7),
    "full-disk": (full_disk, 60),
    "at-once": (at_once, 16),
    "damaged": (damaged, 600),
    "pictures": (pictures, 2000),
    "checkpoints": (checkpoints, 500),
    "lines": (command_lines, 2000),
    "folders": (folders, 75),
    "places": (places, 300),
    "servers": (servers.downloads, 500),
}

HEADER = "| what was tried | times | lost | refused | slowest | largest |\n" + "| --- " * 6 + "|"


def line(campaign: Campaign, outcome: Outcome) -> str:
    """The outcome as a line of the Markdown table."""
    what = (campaign.__doc__ or "").partition("\n")[0].rstrip(".")
    extremes = (
        f"{value:,.{digits}f} {unit} ({which})" if which else ""
        for (value, which), digits, unit in ((outcome.slowest, 1, "s"), (outcome.largest, 0, "MB"))
    )
    cells = [what, f"{outcome.tried:,}", str(len(outcome.lost)), f"{outcome.refused:,}", *extremes]
    return f"| {' | '.join(cells)} |"


def main(
    names: list[str] = typer.Argument(None, help="the campaigns to run"),  # noqa: B008
    tries: int = typer.Option(0, min=0, help="how many tries of each; 0 is all of it"),
    seed: int = 0,
) -> None:
    if unknown := set(names or ()) - CAMPAIGNS.keys():
        raise CourseError(f"there is no campaign {', '.join(unknown)}: choose among {', '.join(CAMPAIGNS)}")
    print(HEADER)
    lost = []
    for name in names or CAMPAIGNS:
        campaign, in_full = CAMPAIGNS[name]
        with tempfile.TemporaryDirectory() as folder:
            outcome = campaign(tries or in_full, seed, Path(folder))
        print(line(campaign, outcome), flush=True)
        lost += [f"{name}: {what}" for what in outcome.lost]
    if lost:
        print("", *lost, sep="\n")
        sys.exit(1)


if __name__ == "__main__":
    command_line(main)
