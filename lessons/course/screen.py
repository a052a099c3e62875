"""What the ``lessons`` command shows on a terminal of 24 lines and 80 columns: tables of one line a row."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import typer
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

# No markup: a result such as "[a] 3" is text. Rich leaves colours out by itself when this is no terminal.
# On a dumb terminal, such as a shell in an editor, it would take 80 columns, however many there are.
DUMB = os.environ.get("TERM") in ("dumb", "unknown")
WIDTH, HEIGHT = shutil.get_terminal_size() if DUMB else (None, None)
console = Console(markup=False, highlight=False, emoji=False, width=WIDTH, height=HEIGHT)


def coloured(text: str, colour: str | None) -> str:
    """The text with the codes of a colour around it, but for a dumb terminal, which would show the codes."""
    return text if DUMB else typer.style(text, fg=colour)


def take_any_character() -> None:
    """Let stdout take what its encoding has no character for, as ``?``, instead of raising.

    Where the output goes into a file or a pipe, Windows encodes it in cp1252 or gbk. stderr needs no help.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a notebook has another one, which takes everything
        sys.stdout.reconfigure(errors="replace")


def nobody_reads() -> bool:
    """Whether the reader of stdout has gone, as in ``lessons run 5 | head``; then nothing more is written."""
    try:
        print(flush=True)  # to flush would not do: what could not be written is forgotten
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains at its end
        return True
    return False


# What moves the cursor, changes colours, turns the direction of writing or ends a line; and half characters
NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def as_one_line(text: str) -> str:
    """A name or a message from outside, as it may stand on a terminal: all on one line.

    A control character becomes its name in Python: ``ab\\n`` in place of ``ab`` and the end of a line.
    """
    return NOT_SHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


def as_typed(words: Sequence[str]) -> str:
    """A command as it is typed into this system's shell, with quotes where it wants them."""
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


class Column(NamedTuple):
    """A column of a table. A cell that is too wide ends with ``…``; it never goes on in a second line."""

    heading: str
    widest: int | None = None  # columns of a screen with 80; None: whatever the other columns leave
    justify: JustifyMethod = "left"


NUMBER = Column("", 2, "right")  # of a lesson


def show_table(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table, each row on one line of the screen. A Chinese character takes two columns."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    more = max(0, console.width - 80)
    for column in columns:
        table.add_column(
            column.heading,
            justify=column.justify,
            max_width=None if column.widest is None else column.widest + more,
            no_wrap=column.widest is not None,  # rich narrows a column that may wrap; its cells will not
            overflow="ellipsis",
        )
    for row in rows:
        cells = [Text(cell) if isinstance(cell, str) else cell for cell in row]
        for cell in cells:
            cell.no_wrap, cell.overflow = True, "ellipsis"
        table.add_row(*cells)
    console.print(table)
