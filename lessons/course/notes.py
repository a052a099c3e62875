"""The notes beside the lessons: which language, which page, and a page as plain text.

Like the package's ``__init__``, this must stay cheap to import: the bare ``lessons`` reads titles here.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

NOTES = Path(__file__).resolve().parents[1] / "notes"
LANGUAGES = ("en", "zh")

# LaTeX commands of the pages, as a terminal and TensorBoard's TEXT tab can show them
SYMBOLS = {
    r"\lfloor": "⌊",
    r"\rfloor": "⌋",
    r"\lceil": "⌈",
    r"\rceil": "⌉",
    r"\times": "×",
    r"\cdot": "·",
    r"\leftarrow": "←",
    r"\to": "→",
    r"\le": "≤",
    r"\ge": "≥",
    r"\neq": "≠",
    r"\approx": "≈",
    r"\quad": "  ",
    r"\sum": "Σ",
    r"\partial": "∂",
    r"\eta": "η",
    r"\beta": "β",
    r"\log": "log",
    r"\max": "max",
    r"\exp": "exp",
    r"\left": "",
    r"\right": "",
    r"\,": " ",
    r"\%": "%",
    r"\_": "_",
}


def language() -> str:
    """``$LESSONS_LANG`` when it names a language of the notes, else the system's, else English."""
    wished = os.environ.get("LESSONS_LANG", "")
    if wished in LANGUAGES:
        return wished
    # The order in which POSIX looks; locale.getlocale() would know no more without setlocale
    system = next(
        (os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), ""
    )
    return "zh" if system.lower().startswith("zh") else "en"


def page_path(lesson: str, lang: str | None = None) -> Path:
    """The page of a lesson, named by its file's stem; in English when the language has none."""
    path = NOTES / (lang or language()) / f"{lesson}.md"
    return path if path.is_file() else NOTES / "en" / f"{lesson}.md"


def title_and_see(lesson: str, lang: str | None = None) -> tuple[str, str] | None:
    """A page's title and its "you will see" line; None where the lesson has no such page."""
    path = page_path(lesson, lang)
    if not path.is_file():
        return None
    head = re.match(r"# (.+)\n\n> \*\*[^*]+\*\* ?(.+)\n", path.read_text("utf-8"))
    return (head[1], head[2]) if head else None


def plain_page(markdown: str) -> str:
    """A page for a terminal or TensorBoard: formulas as text, pictures as their words, answers unfolded.

    Links to other files keep their words only: there they would lead nowhere.
    """
    page = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"*\1*", plain_formulas(markdown))
    page = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", page)
    page = re.sub(r"<summary>(.*?)</summary>", r"**\1**\n", page, flags=re.DOTALL)
    return re.sub(r"</?details>", "", page)


def plain_formulas(markdown: str) -> str:
    """A page whose ``$...$`` and ``$$...$$`` formulas are plain text, for where LaTeX is shown raw."""

    def plain(formula: str, own_line: bool) -> str:
        formula = re.sub(r"\\(?:text|mathrm)\{([^{}]*)\}", r"\1", formula)
        while r"\frac" in formula:  # innermost first
            formula, changed = re.subn(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"(\1) / (\2)", formula)
            if not changed:
                break
        formula = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", formula)
        for command, symbol in SYMBOLS.items():
            formula = re.sub(re.escape(command) + r"(?![a-zA-Z])", symbol, formula)
        return f"`{' '.join(formula.split())}`"

    return change_formulas(markdown, plain)


def change_formulas(markdown: str, change: Callable[[str, bool], str]) -> str:
    """A page with each formula changed; ``change`` gets its LaTeX, and whether it has a line of its own."""

    def changed(match: re.Match) -> str:
        return change(match[1] or match[2], bool(match[1]))

    formula = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.DOTALL)
    return outside_code(markdown, lambda part: formula.sub(changed, part))  # code keeps its dollars


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """A page with the pieces between its fenced blocks changed."""
    parts = re.split(r"(^```.*?^```)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else change(part) for part in parts)
