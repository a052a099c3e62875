"""Puts right what the pages say of other files: line numbers, and the exercises of a lesson.

    python lessons/notes/renew_lines.py

A row of the index pages' table "Where is my episode" ends with a link and a piece of code that stands on one
line of the linked file alone: ``[p02_conv2d.py:40](../../p02_conv2d.py#L40) | `output = tudui(imgs)` |``. The
code is what says where the link leads; when a lesson changes and the line moves, this writes the new number.
The page of a lesson that has exercises names them in a line before the links at its foot. Tests ask for both.
"""

import re

from lessons.course.catalogue import LESSONS_DIR
from lessons.course.notes import LANGUAGES, NOTES
from lessons.course.practice.shelf import find_exercises

PRACTICE = {
    "en": "**Practice** (`lessons practice watch {}`): {}",
    "zh": "**练习**（`lessons practice watch {}`）：{}",
}

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


def with_practice(page: str, lesson: str, lang: str) -> str:
    """The page with the line that names the lesson's exercises, as they are now."""
    *parts, foot = page.rstrip("\n").split("\n\n")
    form = PRACTICE[lang]
    if parts[-1].startswith(form.partition("{")[0]):
        parts.pop()
    exercises = [entry for entry in find_exercises() if entry.path.parent.name == lesson]
    if exercises:
        titles = [f"{entry.label} {entry.title[LANGUAGES.index(lang)]}" for entry in exercises]
        parts.append(form.format(exercises[0].lesson, " · ".join(titles)))
    return "\n\n".join([*parts, foot]) + "\n"


def main() -> None:
    for lang in LANGUAGES:
        for path in sorted((NOTES / lang).glob("*.md")):
            before = path.read_text("utf-8")
            lesson = re.match(r"p\d\d_", path.stem)
            after = with_practice(before, path.stem, lang) if lesson else renewed(before)
            if after != before:
                path.write_bytes(after.encode())  # bytes: no other line ends on Windows
                print(path)


if __name__ == "__main__":
    main()
