"""Puts the line numbers right in the index pages' table "Where is my episode".

    python lessons/notes/renew_lines.py

A row of that table ends with a link and a piece of code that stands on one line of the linked file alone:
``[p02_conv2d.py:40](../../p02_conv2d.py#L40) | `output = tudui(imgs)` |``. The code is what says where the
link leads; when a lesson changes and the line moves, this writes the new number, and a test asks for it.
"""

import re

from lessons.course.catalogue import LESSONS_DIR
from lessons.course.notes import LANGUAGES, NOTES

LINK = re.compile(r"\[(?P<file>\w+\.py):\d+\]\(\.\./\.\./(?P=file)#L\d+\) \| `(?P<code>[^`]+)`")


def line_of(file: str, code: str) -> int:
    """The number of the one line that holds the code; ValueError when that is no line, or several."""
    lines = (LESSONS_DIR / file).read_text("utf-8").splitlines()
    found = [number for number, line in enumerate(lines, start=1) if code in line]
    if len(found) != 1:
        where = f"on lines {', '.join(map(str, found))}" if found else "on no line"
        raise ValueError(f"`{code}` stands {where} of {file}: name code in that row that stands on one")
    return found[0]


def renewed(page: str) -> str:
    """The page with the numbers as they are now."""

    def link(row: re.Match) -> str:
        file, code = row["file"], row["code"]
        number = line_of(file, code)
        return f"[{file}:{number}](../../{file}#L{number}) | `{code}`"

    return LINK.sub(link, page)


def main() -> None:
    for language in LANGUAGES:
        path = NOTES / language / "index.md"
        path.write_bytes(renewed(path.read_text("utf-8")).encode())  # bytes: no other line ends on Windows
        print(path)


if __name__ == "__main__":
    main()
