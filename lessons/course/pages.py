"""A page of the notes as the web site wants it: what GitHub and a site's maker read in different ways."""

import re
from html import escape
from pathlib import Path

from lessons.course.catalogue import LESSONS_DIR
from lessons.course.notes import LANGUAGES, NOTES, change_formulas, outside_code

THIN_SPACE = '<mspace width="0.17em"/>'
MISTAKES = ("What goes wrong here", "常见错误")  # the section, by LANGUAGES


def site_page(name: str, lang: str) -> str:
    """A page's Markdown for the site.

    Formulas are MathML, each figure comes in light and dark, a block of a script says where it stands, and
    what goes wrong has a heading for each mistake, so that a search leads there.
    """
    page = mistakes_with_headings((NOTES / lang / f"{name}.md").read_text("utf-8"), lang)
    page = re.sub(r"\n\[.*\]\(index\.md\).*\n\Z", "\n", page)  # the site has its own way to the next page
    page = with_source_lines(page, name)
    return change_formulas(outside_code(page, for_the_site), mathml)


def mistakes_with_headings(page: str, lang: str) -> str:
    """Each mistake, which begins with bold words or is folded, under a heading of its own."""
    title = MISTAKES[LANGUAGES.index(lang)]
    before, heading, rest = page.partition(f"\n## {title}\n")
    section, following, after = rest.partition("\n## ")

    def change(part: str) -> str:
        part = re.sub(r"^\*\*(.+?)[.。]?\*\* *", r"### \1\n\n", part, flags=re.MULTILINE)
        part = re.sub(r"^<details><summary>(.+)</summary>$", r"### \1", part, flags=re.MULTILINE)
        return part.replace("</details>\n", "")

    return before + heading + outside_code(section, change) + following + after


# --- Blocks of code


def with_source_lines(page: str, name: str) -> str:
    """A link to its line in the script below each block that stands in one."""

    def link(block: re.Match) -> str:
        for script in (name, "tudui"):
            path = LESSONS_DIR / f"{script}.py"
            if path.is_file() and (number := first_line(block["code"], path)):
                address = f"../scripts/{script}.html#L-{number}"
                return f'{block[0]}\n\n<a class="source-line" href="{address}">{script}.py:{number}</a>'
        return block[0]

    page = re.sub(r"^```python\n(?P<code>.*?)^```$", link, page, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"^```python run$", "```python", page, flags=re.MULTILINE)


def first_line(excerpt: str, script: Path) -> int | None:
    """The number of the script's line at which an excerpt begins, up to its first ``...``; None elsewhere."""
    begins = re.split(r"^\s*\.\.\.$", excerpt, flags=re.MULTILINE)[0]
    piece = [line.strip() for line in begins.strip().splitlines()]
    lines = [line.strip() for line in script.read_text("utf-8").splitlines()]
    starts = range(len(lines) - len(piece) + 1)
    return next((start + 1 for start in starts if lines[start : start + len(piece)] == piece), None)


# --- Links, pictures, folds, formulas


def for_the_site(part: str) -> str:
    """A piece of a page outside code, with the addresses that the site has."""
    part = re.sub(r" · \[[^\]]*\]\(\.\./\.\./\.\./README\.md\)", "", part)  # no page of the site
    part = re.sub(r"\]\(\.\./(en|zh)/(\w+)\.md", r"](../\1/\2.html", part)
    part = re.sub(r"\]\(\.\./\.\./([\w/]+)\.py#L", r"](../scripts/\1.html#L-", part)
    part = re.sub(r"\]\(\.\./\.\./([\w/]+)\.py\)", r"](../scripts/\1.html)", part)
    both = r"![\1](../figures/light/\2){.of-light} ![\1](../figures/dark/\2){.of-dark}"
    part = re.sub(r"!\[([^\]]*)\]\(\.\./figures/([^)]*)\)", both, part)
    part = part.replace("<details>", '<details markdown="1">')
    return part.replace("<summary>", '<summary markdown="span">')


def mathml(formula: str, own_line: bool) -> str:
    """A formula as MathML, which browsers show without a script."""
    from latex2mathml.converter import convert

    made = convert(formula, display="block" if own_line else "inline")
    made = re.sub(r"(<mi>log</mi>)(?!<mo[^>]*>&#x00028;)", rf"\1{THIN_SPACE}", made)  # as LaTeX has it
    made = re.sub(r"(?<=</m[in]>)<mi>log</mi>", rf"{THIN_SPACE}\g<0>", made)
    # Whatever Markdown would read as its own signs; in a span, as a block would end the paragraph
    made = re.sub(
        r">([^<]+)<", lambda text: f">{re.sub(r'[*_|`~^]', lambda c: f'&#{ord(c[0])};', text[1])}<", made
    )
    return f"<div>{made}</div>" if own_line else f"<span>{made}</span>"


def linked_scripts() -> list[str]:
    """The scripts that the site shows, by path: lessons, Tudui, what pages link to."""
    pages = "".join(path.read_text("utf-8") for path in NOTES.glob("*/*.md"))
    linked = {f"{name}.py" for name in re.findall(r"\]\(\.\./\.\./([\w/]+)\.py", pages)}
    return sorted({*linked, "tudui.py", *(path.name for path in LESSONS_DIR.glob("p[0-9][0-9]_*.py"))})


def script_page(script: str, template: str) -> str:
    """A script as a page of its own, highlighted; line 10 has the id ``L-10``."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    code = highlight((LESSONS_DIR / script).read_text("utf-8"), PythonLexer(), HtmlFormatter(linespans="L"))
    root = "/".join([".."] * (script.count("/") + 1))
    return template.replace("ROOT", root).replace("TITLE", escape(script)).replace("CODE", code)


def script_styles(frame: str) -> str:
    """The stylesheet of the scripts' pages: the frame, and the colours of the code in light and dark."""
    from pygments.formatters import HtmlFormatter

    colours = [
        HtmlFormatter(style=style).get_style_defs(f'[data-scheme="{scheme}"] .highlight')
        for scheme, style in (("light", "default"), ("dark", "github-dark"))
    ]
    return "\n".join([frame, *colours])
