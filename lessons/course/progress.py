"""The bar that shows how far a training, drawing, downloading or reading has come."""

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

Item = TypeVar("Item")


def progress_bar(*columns: ProgressColumn) -> Progress:
    """A progress bar on stderr that disappears when it is done; where that is no terminal, nothing at all.

    Rich's own bar would leave an empty line there each time.
    """
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not (console.file.isatty() and console.is_interactive),
        redirect_stdout=sys.stdout.isatty(),  # what is printed into a file meanwhile stays out of stderr
    )


def track(
    iterable: Iterable[Item], description: str = "", total: float | None = None, completed: int = 0
) -> Iterator[Item]:
    """Go through an iterable beside such a bar, called as ``rich.progress.track`` is.

    When the iterable is only a part of the work, ``total`` is all of it and ``completed`` what is done by
    now: the bar then shows the time left for all.
    """
    with progress_bar() as bar:
        yield from bar.track(iterable, total=total, completed=completed, description=description)
