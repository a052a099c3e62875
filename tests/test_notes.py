"""The pages of the notes say what is so: their code runs, their output is real, both languages agree."""

import ast
import contextlib
import importlib
import io
import re
import shlex
import sys
import textwrap
import types
import warnings
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unicodedata import east_asian_width
from xml.etree import ElementTree

import pytest
import torch
import torch.distributed.run
from conftest import REPO
from quick_lessons import make_quick

from lessons.course import cli, notes
from lessons.course.catalogue import LESSONS_DIR
from lessons.course.options import command_line, parse_options
from lessons.course.practice.shelf import find_exercises
from lessons.notes import make_figures, renew_lines
from lessons.notes.drawing.svg import BORDER

NAMES = sorted(path.stem for path in LESSONS_DIR.glob("p[0-9][0-9]_*.py"))
LANGUAGES = notes.LANGUAGES
HEADINGS = {
    "en": [
        "After this lesson",
        "The idea",
        "The code",
        "The formulas",
        "In TensorBoard",
        "What goes wrong here",
        "Three questions",
        "What changed since the last lesson",
    ],
    "zh": [
        "学完这一课",
        "核心想法",
        "代码讲解",
        "公式",
        "在 TensorBoard 里看",
        "常见错误",
        "三个问题",
        "和上一课相比",
    ],
}
LINKS = {
    "en": "[中文](../zh/{0}.md) · [All lessons](index.md) · [Glossary](glossary.md)"
    " · Script: [{0}.py](../../{0}.py)",
    "zh": "[English](../en/{0}.md) · [全部课程](index.md) · [术语表](glossary.md)"
    " · 脚本：[{0}.py](../../{0}.py)",
}
KINDS = {"python", "python run", "text", "sh", "diff"}
LATEX = {*notes.SYMBOLS, r"\frac", r"\text", r"\mathrm"}
# What a machine translation says for kernel, pooling window, loss, optimizer, backpropagation, checkpoint,
# data set, epoch and batch size. "丢失" alone may be right (a file is lost), as a loss it never is
FORBIDDEN = (
    "卷积内核",
    "池化核",
    "丢失函数",
    "丢失值",
    "训练丢失",
    "测试丢失",
    "优化程序",
    "反向传递",
    "检查站",
)
FORBIDDEN += ("资料集", "纪元", "批次大小")
CHINESE = re.compile(r"[\u4e00-\u9fff]")

every_page = pytest.mark.parametrize(
    ("lang", "name"), [(lang, name) for name in NAMES for lang in LANGUAGES], ids=lambda word: word
)
every_lesson = pytest.mark.parametrize("name", NAMES)


# --- Reading a page


class Block(NamedTuple):
    """A fenced block: what stands behind the fence, its text, and the prose just before it."""

    kind: str
    text: str
    before: str


def page(lang: str, name: str) -> str:
    path = notes.NOTES / lang / f"{name}.md"
    assert path.is_file(), f"there is no page {lang}/{name}.md"
    return path.read_text("utf-8")


def blocks(markdown: str, kind: str | None = None) -> list[Block]:
    """All fenced blocks, or those of one kind, in order."""
    parts = re.split(r"^```(.*)\n((?:.*\n)*?)```[ \t]*$", markdown, flags=re.MULTILINE)
    found = [Block(*group) for group in zip(parts[1::3], parts[2::3], parts[0::3], strict=False)]
    return [block for block in found if kind in (None, block.kind)]


def prose(markdown: str) -> str:
    """The page without its fenced blocks."""
    text = re.sub(r"^```.*\n(?:.*\n)*?```[ \t]*$", "", markdown, flags=re.MULTILINE)
    assert "```" not in text, "a fence is not closed"
    return text


def formulas(markdown: str) -> tuple[list[str], list[str]]:
    """The formulas on lines of their own, and those within a line."""
    own, inline = [], []
    for match in re.finditer(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", prose(markdown), re.DOTALL):
        (own if match[1] else inline).append(" ".join((match[1] or match[2]).split()))
    return own, inline


def docstring(name: str) -> tuple[str, str]:
    """The first line of a lesson's docstring and its "You will see:" text on one line."""
    doc = ast.get_docstring(ast.parse((LESSONS_DIR / f"{name}.py").read_bytes()))
    return doc.partition("\n")[0], " ".join(doc.partition("You will see:")[2].split())


def source(name: str) -> str:
    return (LESSONS_DIR / f"{name}.py").read_text("utf-8")


# --- The set of pages, their frame and their headings


def test_same_pages_in_both_languages():
    pages = {lang: {path.stem for path in (notes.NOTES / lang).glob("*.md")} for lang in LANGUAGES}
    assert pages["en"] == pages["zh"]
    assert {*NAMES, "index", "glossary"} <= pages["en"]


@every_page
def test_frame(lang, name):
    lines = page(lang, name).splitlines()
    title, sees = docstring(name)
    if lang == "en":
        assert lines[0] == f"# {title}"
        assert lines[2] == f"> **You will see:** {sees}"
    else:
        assert lines[0].startswith(f"# {int(name[1:3])}. ")
        assert re.fullmatch(r"> \*\*你会看到：\*\* .+", lines[2])
    assert lines[1] == lines[3] == lines[5] == ""
    assert lines[4] == LINKS[lang].format(name)
    assert notes.title_and_see(name, lang) is not None


@every_page
def test_headings(lang, name):
    text = prose(page(lang, name))
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS[lang]
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    questions = text.partition(f"## {HEADINGS[lang][6]}\n")[2].partition("\n## ")[0]
    assert questions.count("<details>") == questions.count("</details>") == 3
    assert len(re.findall(r"<summary>.+?</summary>", questions, re.DOTALL)) == 3


@every_page
def test_only_known_kinds_of_blocks(lang, name):
    found = blocks(page(lang, name))
    assert {block.kind for block in found} <= KINDS
    for block, following in zip(found, [*found[1:], Block("", "", "")], strict=True):
        if block.kind == "python run":
            assert (following.kind, following.before.strip()) == ("text", ""), "text follows directly"
    texts, runs = ([block for block in found if block.kind == kind] for kind in ("text", "python run"))
    assert len(texts) == len(runs), "a text block is what a run block prints"


@every_lesson
def test_languages_have_the_same_code_and_formulas(name):
    english, chinese = page("en", name), page("zh", name)
    assert [block[:2] for block in blocks(english)] == [block[:2] for block in blocks(chinese)]
    assert formulas(english)[0] == formulas(chinese)[0]
    # within a sentence their order and number depend on the language
    assert set(formulas(english)[1]) == set(formulas(chinese)[1])


@every_page
def test_page_names_its_exercises(lang, name):
    """All that are there, in their order, with their titles."""
    text = page(lang, name)
    assert renew_lines.with_practice(text, name, lang) == text, (
        "python lessons/notes/renew_lines.py writes it"
    )
    last = text.split("\n\n")[-2]
    for entry in find_exercises():
        assert (f"{entry.label} {entry.title[LANGUAGES.index(lang)]}" in last) == (
            entry.path.parent.name == name
        )


@every_page
def test_foot_leads_to_the_page_before_and_after(lang, name):
    index = NAMES.index(name)
    links = ["[{}](index.md)".format({"en": "All lessons", "zh": "全部课程"}[lang])]
    if index > 0:
        links.insert(0, f"[← {notes.title_and_see(NAMES[index - 1], lang)[0]}]({NAMES[index - 1]}.md)")
    if index + 1 < len(NAMES):
        links.append(f"[{notes.title_and_see(NAMES[index + 1], lang)[0]} →]({NAMES[index + 1]}.md)")
    assert page(lang, name).splitlines()[-2:] == ["", " · ".join(links)]
    assert f"({name}.md)" in page(lang, "index"), "the index leads to every page"


# --- Code


def runs_of_lines(excerpt: str) -> list[list[str]]:
    """The pieces of an excerpt between lines that are just ``...``, each dedented, blank edges off."""
    pieces, lines = [], [[]]
    for line in excerpt.splitlines():
        if line.strip() == "...":
            lines.append([])
        else:
            lines[-1].append(line)
    for piece in lines:
        text = textwrap.dedent("\n".join(piece)).strip("\n")
        if text.strip():
            pieces.append([line.rstrip() for line in text.splitlines()])
    return pieces


def stands_in(piece: list[str], text: str) -> bool:
    """Whether the lines stand one below the other in the text, indented alike among themselves."""
    lines = text.splitlines()
    return any(
        textwrap.dedent("\n".join(lines[start : start + len(piece)])).splitlines() == piece
        for start in range(len(lines) - len(piece) + 1)
        if lines[start].strip() == piece[0].strip()
    )


@every_page
def test_excerpts_are_verbatim(lang, name):
    excerpts = blocks(page(lang, name), "python")
    assert excerpts, "a page shows code"
    texts = (source(name), source("tudui"))
    for excerpt in excerpts:
        for piece in runs_of_lines(excerpt.text):
            assert any(stands_in(piece, text) for text in texts), "not in the lesson:\n" + "\n".join(piece)


def real_output(code: str) -> tuple[list[str], str]:
    """Run a program: the lines of stdout, of its warnings and of its exception; and the exception's type."""
    module = types.ModuleType("__main__")  # where a pickle of the program's classes looks for them
    printed, raised = io.StringIO(), ""
    warned_always, main_before = torch.is_warn_always_enabled(), sys.modules["__main__"]
    with warnings.catch_warnings(record=True) as warned, torch.random.fork_rng(devices=[]):
        warnings.simplefilter("always")
        torch.set_warn_always(True)  # some warnings come once a process only
        sys.modules["__main__"] = module
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<page>", "exec"), module.__dict__)
        except Exception as error:
            raised = type(error).__name__
            ending = f"{raised}: {error}"
        finally:
            sys.modules["__main__"] = main_before
            torch.set_warn_always(warned_always)
    lines = printed.getvalue().splitlines()
    for warning in warned:
        lines += f"{warning.category.__name__}: {warning.message}".splitlines()
    return lines + (ending.splitlines() if raised else []), raised


def first_missing(claimed: str, lines: list[str]) -> str | None:
    """The first claimed line that does not come, in order, among the lines; ``...`` stands for anything."""
    rest = iter(lines)
    for claim in claimed.splitlines():
        if claim.strip() in ("", "..."):
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in claim.rstrip().split("...")))
        if not any(pattern.fullmatch(line.rstrip()) for line in rest):
            return claim
    return None


@every_page
def test_programs_print_what_the_page_says(lang, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = blocks(page(lang, name))
    for block, following in pairwise(found):
        if block.kind == "python run":
            lines, raised = real_output(block.text)
            shown = f"of\n{block.text}\nwhich prints\n" + "\n".join(lines)
            missing = first_missing(following.text, lines)
            assert missing is None, f"not printed: {missing!r} {shown}"
            said = [line for line in following.text.splitlines() if line.strip() not in ("", "...")]
            assert not raised or any(line.startswith(f"{raised}:") for line in said), (
                f"unsaid {raised} {shown}"
            )
    assert not list(tmp_path.iterdir()), "the programs of a page leave no files"


@every_page
def test_diff_is_true(lang, name):
    number = NAMES.index(name)
    now = {line.strip() for line in source(name).splitlines()}
    before = {line.strip() for line in source(NAMES[number - 1]).splitlines()} if number else set()
    found = blocks(page(lang, name), "diff")
    assert found or not number, "a page says what has changed"
    for line in "".join(block.text for block in found).splitlines():
        lines = {"+": now, "-": before}.get(line[:1], now | before)
        told = line[1:] if line[:1] in "+-" else line
        assert told.strip() in (*lines, "", "..."), f"not in the file: {line}"


# --- Links, shapes, formulas


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", [*NAMES, "index", "glossary"])
def test_links_and_pictures_lead_somewhere(lang, name):
    text = prose(page(lang, name))
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    for target in targets:
        if not target.startswith(("http://", "https://", "#")):
            path = notes.NOTES / lang / target.partition("#")[0]
            assert path.exists(), f"a link to nowhere: {target}"
    assert not re.search(r"!\[\s*\]", text), "a picture without words"
    if name in NAMES:
        assert f"../figures/{lang}/{name}.svg" in targets
        assert f"../screenshots/{name}.png" in targets


@every_page
def test_shapes_are_the_lessons_own(lang, name):
    markdown = page(lang, name)
    places = [source(name), source("tudui"), (REPO / "tests" / f"test_{name}.py").read_text("utf-8")]
    places += [block.text for block in blocks(markdown) if block.kind in ("python run", "text")]
    known = re.sub(r"\s", "", "\n".join(places))
    for shape in re.findall(r"(?<![a-zA-Z\d_])\((?:N|\d+)(?:, ?\d+)*,?\)", prose(markdown)):
        shape = shape.replace(" ", "")  # Linear(1024, 64) is a call, which the pattern leaves out
        if "," in shape:  # the lessons' batch is 64 pictures: what they write as N is 64 in a sentence
            assert {shape, shape.replace("(64,", "(N,")} & set(re.findall(r"\([^()]*\)", known)), shape


@every_page
def test_large_numbers_are_the_lessons_own(lang, name):
    """145,578 in a sentence stands in the lesson, its test, the data sets, or a program on the page."""
    markdown = page(lang, name)
    places = [source(name), source("tudui"), (REPO / "tests" / f"test_{name}.py").read_text("utf-8")]
    places += [
        (REPO / path).read_text("utf-8") for path in ("lessons/course/datasets.py", "tests/test_tudui.py")
    ]
    places += [block.text for block in blocks(markdown) if block.kind in ("python run", "text")]
    known = set(re.findall(r"\d+", re.sub(r"(?<=\d)[,_](?=\d)", "", "\n".join(places))))
    text = re.sub(
        r"\$\$.+?\$\$|\$[^$\n]+\$|`[^`\n]+`", "", prose(markdown), flags=re.DOTALL
    )  # formulas apart
    for number in re.findall(r"\d[\d,]*\d", text):
        digits = number.replace(",", "")
        assert len(digits) < 4 or digits in known, f"where does {number} come from?"


@every_page
def test_formulas_can_be_shown_everywhere(lang, name):
    text = prose(page(lang, name))
    own, inline = formulas(text)
    assert own, "a page has a formula"
    for formula in own + inline:
        commands = set(re.findall(r"\\(?:[a-zA-Z]+|.)", formula))
        assert commands <= LATEX, f"not for the terminal: {commands - LATEX} in {formula}"
        plain = notes.plain_formulas(f"${formula}$")
        assert not re.search(r"[\\${}]", plain), f"{formula} becomes {plain}"
    assert "$" not in re.sub(r"\$\$.+?\$\$|\$[^$\n]+\$", "", text, flags=re.DOTALL), "a dollar on its own"
    # Code within a line may hold a backslash of its own, but no dollar, which would open a formula
    assert not [code for code in re.findall(r"`[^`\n]+`", text) if "$" in code]
    plain = notes.plain_formulas(re.sub(r"`[^`\n]+`", "", text))
    assert not re.search(r"[\\$]", plain)


# --- Where is my episode

EPISODES = (  # the scripts of the original course, in its order
    *("read_data", "P8_Tensorboard", "P9_transforms", "P10_dataset_transform", "dataloader"),
    *("nn_module", "nn_conv", "nn_conv2d", "nn_maxpool", "nn_relu", "nn_linear", "nn_seq"),
    *("nn_loss", "nn_loss_network", "nn_optim", "model_pretrained", "model_save", "model_load"),
    *("train-cpu", "train", "train_gpu_1", "train_gpu_2", "test"),
)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_lines_of_the_episodes_are_true(lang):
    text = page(lang, "index")
    rows = zip(text.splitlines(), renew_lines.renewed(text).splitlines(), strict=True)
    moved = [now for before, now in rows if before != now]
    assert not moved, "python lessons/notes/renew_lines.py writes these rows:\n" + "\n".join(moved)


def test_every_episode_has_a_line():
    row = re.compile(rf"^\| `([\w-]+)` \| .+ \| {renew_lines.LINK.pattern} \|$", re.MULTILINE)
    english, chinese = (row.findall(page(lang, "index")) for lang in LANGUAGES)
    assert english == chinese
    assert tuple(script for script, *_ in english) == EPISODES
    assert page("en", "index").count("#L") == len(EPISODES), "a link to a line that no row keeps true"


def test_code_that_names_no_line_or_several(monkeypatch, tmp_path):
    monkeypatch.setattr(renew_lines, "LESSONS_DIR", tmp_path)
    (tmp_path / "p02.py").write_text("import torch\n\nx = 1\nx = 1\ny = f(x)\n")
    row = "| `a` | b | [p02.py:7](../../p02.py#L7) | `{}` |\n"
    there = "| `a` | b | [p02.py:5](../../p02.py#L5) | `y = f(` |\n"
    assert renew_lines.renewed("# 1\n" + row.format("y = f(")) == "# 1\n" + there
    for code, said in (("x = 1", "on lines 3, 4 of p02.py"), ("x = 2", "on no line of p02.py")):
        with pytest.raises(ValueError, match=f"`{code}` stands {said}"):
            renew_lines.renewed(row.format(code))


# --- The glossary and the words


def glossary(lang: str) -> list[tuple[str, str]]:
    """(English term, Chinese term) of each row; which comes first depends on the page's language."""
    rows = []
    for line in page(lang, "glossary").splitlines():
        cells = [
            cell.strip().replace("`", "").replace("*", "") for cell in line.strip().strip("|").split("|")
        ]
        if line.lstrip().startswith("|") and len(cells) > 1 and not set(cells[0]) <= set("-: "):
            first, second = cells[:2]
            if bool(CHINESE.search(first)) != bool(CHINESE.search(second)):
                rows.append((second, first) if CHINESE.search(first) else (first, second))
    return rows


def test_glossary_has_the_same_rows():
    english, chinese = (glossary(lang) for lang in LANGUAGES)
    assert len(english) > 20
    assert len({term for term, _ in english}) == len(english), "a term comes twice"
    # the heading row's own words may differ
    assert sorted(english[1:]) == sorted(chinese[1:]) or sorted(english) == sorted(chinese)


def test_glossary_terms_are_used():
    pages = "".join(page("zh", name) for name in NAMES)
    header, *rows = glossary("zh")
    unused = []
    for _, term in rows:
        spellings = [word.strip() for word in re.split(r"[/、，（）()；;]", term) if CHINESE.search(word)]
        if not any(word in pages for word in spellings):
            unused.append(term)
    assert not unused, f"in the glossary below {header}, on no page"


@pytest.mark.parametrize("name", [*NAMES, "index"])
def test_chinese_keeps_to_the_terms(name):
    text = page("zh", name)
    used = text.replace("“池化核”", "")  # quoted as the videos' word for 池化窗口, and not used
    assert [word for word in FORBIDDEN if word in used] == []
    assert len(CHINESE.findall(prose(text))) > 100, "this is no Chinese page"


@every_lesson
def test_english_pages_are_english(name):
    lines = page("en", name).splitlines()
    assert not [line for line in lines[:4] + lines[5:] if CHINESE.search(line)]


# --- Figures and screenshots


@pytest.fixture(scope="module")
def figures():
    return make_figures.figures()


def test_figures_are_the_ones_that_the_script_draws(figures):
    expected = {f"{lang}/{name}.svg" for lang in LANGUAGES for name in NAMES}
    on_disk = {
        path.relative_to(make_figures.FIGURES).as_posix() for path in make_figures.FIGURES.rglob("*.svg")
    }
    assert set(figures) == on_disk == expected
    for name, svg in figures.items():
        stored = (make_figures.FIGURES / name).read_bytes()
        assert stored == svg.encode(), f"{name}: run python lessons/notes/make_figures.py again"
        assert len(stored) < 30_000
        root = ElementTree.fromstring(svg)
        assert root.get("viewBox")
        assert root.findall(".//{http://www.w3.org/2000/svg}text"), "words are text, not outlines"
        assert root.findtext("{http://www.w3.org/2000/svg}title")
        assert bool(CHINESE.search("".join(root.itertext()))) == name.startswith("zh/")


SVG = "{http://www.w3.org/2000/svg}"


def behind(x: float, y: float, drawn: list[ElementTree.Element]) -> str:
    """The colour of the uppermost filled rectangle that holds a point."""
    for element in reversed(drawn):
        if element.tag == f"{SVG}rect" and element.get("fill") != "none":
            left, top, width, height = (float(element.get(key)) for key in ("x", "y", "width", "height"))
            if left <= x <= left + width and top <= y <= top + height:
                return element.get("fill")
    raise AssertionError(f"nothing behind ({x}, {y})")


def places(element: ElementTree.Element) -> list[tuple[float, float]]:
    """Points of words, along the middle of their height, or of a line."""
    if element.tag == f"{SVG}polyline":
        return [tuple(map(float, point.split(","))) for point in element.get("points").split()]
    if element.tag == f"{SVG}path":
        return [tuple(map(float, re.match(r"M([\d.]+) ([\d.]+)", element.get("d")).groups()))]
    x, y, size = (float(element.get(key)) for key in ("x", "y", "font-size"))
    latin = (
        0.6 if "mono" in element.get("font-family", "") else 0.5
    )  # of the size, about, as wide is a letter
    width = size * sum(1 if east_asian_width(letter) in "WF" else latin for letter in element.text)
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[element.get("text-anchor", "start")]
    return [(left + width * share, y - 0.35 * size) for share in (0, 0.25, 0.5, 0.75, 1)]


def brightness(colour: str) -> float:
    """The relative luminance of "#rrggbb" or "rgb(r,g,b)", as WCAG 2 defines it."""
    hexadecimal = colour.startswith("#")
    numbers = re.findall("[0-9a-f]{2}" if hexadecimal else r"\d+", colour)
    shares = [int(number, 16 if hexadecimal else 10) / 255 for number in numbers]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    dark, light = sorted((brightness(first), brightness(second)))
    return (light + 0.05) / (dark + 0.05)


@every_page
def test_figures_can_be_read_in_the_light_and_in_the_dark(lang, name, figures):
    """Words stand out by 4.5 : 1 from what lies behind them, lines by 3 : 1, faint ones of a grid aside."""
    svg = figures[f"{lang}/{name}.svg"]
    drawn = list(ElementTree.fromstring(svg))
    rule = r'\[(fill|stroke)="(#[0-9a-f]{6})"\] \{\1: (#[0-9a-f]{6})\}\n'
    sheet = rf"<style>@media \(prefers-color-scheme: dark\) \{{\n(?:{rule})+\}}</style>"
    assert re.search(sheet, svg), "the stylesheet says what a colour becomes in the dark, and nothing else"
    in_the_dark = {(what, colour): dark for what, colour, dark in re.findall(rule, svg)}
    for scheme in ({}, in_the_dark):
        for index, element in enumerate(drawn):
            what = {f"{SVG}text": "fill", f"{SVG}polyline": "stroke", f"{SVG}path": "stroke"}.get(element.tag)
            if what is None or element.get(what) == BORDER:
                continue
            colour = scheme.get((what, element.get(what)), element.get(what))
            for x, y in places(element):
                ground = behind(x, y, drawn[:index])
                ground = scheme.get(("fill", ground), ground)
                assert contrast(colour, ground) >= (4.5 if what == "fill" else 3), (
                    f"{element.text or element.tag} in {colour} on {ground}"
                )


def test_figures_bring_nothing_along(figures):
    for svg in figures.values():
        assert "<script" not in svg
        assert not re.search(r"url\(|@import|@font-face|href", svg), "something from outside"


@every_lesson
def test_screenshots(name):
    path = notes.NOTES / "screenshots" / f"{name}.png"
    assert path.is_file()
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert 5_000 < len(content) < 150_000


# --- The commands


def commands() -> list[str]:
    """Each command of the pages and the README, once."""
    paths = [REPO / "README.md", *sorted(notes.NOTES.glob("*/*.md"))]
    lines = [
        line.strip()
        for path in paths
        for block in blocks(path.read_text("utf-8"), "sh")
        for line in block.text.splitlines()
    ]
    return list(dict.fromkeys(" ".join(shlex.split(line, comments=True)) for line in lines if line))


@pytest.fixture
def quick(small_pictures, tmp_path, monkeypatch):
    """Each lesson on 300 small pictures, one epoch or two steps unless the command says more."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    make_quick(monkeypatch, small_pictures)


@pytest.mark.parametrize("command", commands())
def test_commands(command, quick, small_pictures, tmp_path, monkeypatch, capsys):
    program, *words = command.split()
    for index, word in enumerate(words[:-1]):
        if word == "--dataset":  # a learner has cifar10, or a folder, and the tests have this one
            words[index + 1] = str(small_pictures)
    if program == "torchrun":  # test_p13_distributed starts one; here, only that all words are known
        launcher = torch.distributed.run.parse_args(words)
        lesson_main = importlib.import_module(f"lessons.{Path(launcher.training_script).stem}").main
        assert parse_options(lesson_main, launcher.training_script_args) is not None
        return
    if program == "python":
        # As the script's last line does it; in this process, since importing torch anew takes seconds
        script = Path(words.pop(0))
        assert script.parent == Path("lessons") and script.stem in NAMES
        assert source(script.stem).endswith('\n\nif __name__ == "__main__":\n    command_line(main)\n')
        lesson_main = importlib.import_module(f"lessons.{script.stem}").main
        monkeypatch.setattr(sys, "argv", [str(script), *words])
        with pytest.raises(SystemExit) as end:
            command_line(lesson_main)
    else:
        assert program == "lessons"
        if words[:1] in (["board"], ["read"], ["download"]):  # two never end, the other would download
            words.append("--help")
        if words[:1] == ["why"]:
            words[1] = str(tmp_path / "my_script.py")
            Path(words[1]).write_text("print('ran')", "utf-8")
            monkeypatch.setattr(sys, "path", [*sys.path])
        if words[:1] == ["clean"]:
            words.append("--yes")
        monkeypatch.setattr(sys, "argv", ["lessons", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
    told = capsys.readouterr()
    assert (end.value.code or 0) == 0, told.err
    assert told.out
