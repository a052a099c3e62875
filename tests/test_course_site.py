"""``lessons read``: the site that is made of the notes, and how it is built and served."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import REPO

from lessons.course import CourseError, pages
from lessons.course import site as desk
from lessons.course.notes import LANGUAGES, NOTES

# --- What is built


class Addresses(HTMLParser):
    """What a page leads to, and what can be led to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.leads_to, self.ids = [], set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.leads_to += [found[name] for name in ("href", "src") if found.get(name)]
        self.ids.add(found.get("id"))


def test_every_link_leads_somewhere(site):
    read = {path: Addresses(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(read) > 2 * 16 + 15
    for path, page in read.items():
        for link in page.leads_to:
            address, _, place = link.partition("#")
            if address.startswith(("https://", "data:")):
                continue
            target = (path.parent / address).resolve() if address else path
            assert target.is_file(), f"{path.name}: {link}"
            if place and target.suffix == ".html":
                assert place in read[target].ids, f"{path.name}: {link}"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_previous_and_next_lead_through_all_pages(lang, site):
    names = sorted(path.stem for path in (NOTES / lang).glob("p*.md"))
    walk = ["index", *names, "glossary"]
    for before, name, after in zip([None, *walk], walk, [*walk[1:], None], strict=False):
        page = (site / lang / f"{name}.html").read_text("utf-8")
        found = dict(re.findall(r'<link rel="(prev|next)" href="(?:\./)?(\w*)', page))
        assert (found.get("prev"), found.get("next")) == (before, after)


def test_both_languages_have_the_same_sections(site):
    """The switch between them counts sections."""
    for path in (site / "en").glob("p*.html"):
        english, chinese = (
            re.findall(r"<h([123]) id=", (site / lang / path.name).read_text("utf-8")) for lang in LANGUAGES
        )
        assert english == chinese
        assert len(english) > 10


@pytest.mark.parametrize("lang", LANGUAGES)
def test_nothing_of_a_page_is_lost(lang, site):
    """Blocks of code, folds, tables and lists: as many as in the Markdown. What goes wrong has no folds."""
    for path in (NOTES / lang).glob("p*.md"):
        page, made = path.read_text("utf-8"), (site / lang / f"{path.stem}.html").read_text("utf-8")
        article = made.partition("<article")[2].partition("</article>")[0]
        folded = pages.mistakes_with_headings(page, lang).count("<details>")
        outside = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
        assert article.count("<details>") == folded
        blocks = re.findall(r"^```\w+", page, re.MULTILINE) + re.findall(r"\n\n    \S", outside)
        assert len(blocks) == article.count('<div class="language-')
        assert len(re.findall(r"^\| ---|^\| --", page, re.MULTILINE)) == article.count("<table>")
        assert len(re.findall(r"^(?:-|\d+\.) ", outside, re.MULTILINE)) == article.count("<li>")
        assert "```" not in article and "**" not in re.sub(r"<code>.*?</code>", "", article, flags=re.DOTALL)


def test_a_block_says_where_it_stands(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("def f():\n    a = 1\n    b = 2\n\n    c = 3\n    a = 1\n    c = 3\n")
    for excerpt, line in (
        ("    a = 1\n    b = 2\n", 2),
        ("a = 1\nc = 3\n", 6),
        ("    b = 2\n    ...\n    d = 4\n", 3),
        ("    b = 2\n\n    c = 3\n", 3),
        ("    b = 3\n", None),
    ):
        assert pages.first_line(excerpt, script) == line


def test_mistakes_become_headings():
    page = "# 1\n\n## What goes wrong here\n\n**`A` fails.** Why.\n\n```text\n**no**\n```\n\n"
    page += (
        "<details><summary>More?</summary>\n\nB.\n\n</details>\n\n## Three questions\n\n**Bold.** Stays.\n"
    )
    made = pages.mistakes_with_headings(page, "en")
    assert "### `A` fails\n\nWhy." in made and "### More?\n\nB." in made
    assert "\n**no**\n" in made and "\n**Bold.** Stays." in made and "details" not in made


# --- When it is built


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Two pages of notes, a script and no Zensical: what would be built is written down in ``builds``."""
    course = tmp_path / "package"
    for lang in LANGUAGES:
        (course / "notes" / lang).mkdir(parents=True)
        (course / "notes" / lang / "index.md").write_text("# Hello\n")
    (course / "p00_tools.py").write_text("x = 1\n")
    monkeypatch.setattr(desk, "NOTES", course / "notes")
    monkeypatch.setattr(desk, "LESSONS_DIR", course)
    builds = []

    def build(place, made):
        made.mkdir()
        (made / "index.html").write_text(f"build {len(builds)}")
        builds.append(made)

    monkeypatch.setattr(desk, "build", build)
    return SimpleNamespace(course=course, builds=builds, folder=tmp_path / "the site")


@pytest.mark.parametrize("changed", ["notes/zh/index.md", "notes/figures/new.svg", "p00_tools.py"])
def test_built_anew_when_something_has_changed(changed, small):
    for expected in (1, 1):
        desk.write_site(small.folder)
        assert len(small.builds) == expected, "built once, and again for nothing"
    path = small.course / changed
    path.parent.mkdir(exist_ok=True)
    path.write_text("other")
    os.utime(path, (1, 1))  # the content counts, not the time
    desk.write_site(small.folder)
    assert (small.folder / "index.html").read_text() == "build 1"


def press_ctrl_c(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_build_that_was_broken_off_is_not_taken_for_the_site(small, monkeypatch):
    desk.write_site(small.folder)
    (small.course / "p00_tools.py").write_text("x = 2\n")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(desk.shutil, "copytree", press_ctrl_c)
        desk.write_site(small.folder)
    desk.write_site(small.folder)
    assert len(small.builds) == 3


def test_two_readers_at_once_build_it_once(small, monkeypatch):
    build, met = desk.build, threading.Barrier(2, timeout=1)

    def slowly(place, made):
        with contextlib.suppress(threading.BrokenBarrierError):
            met.wait()  # for the other to build, too
        build(place, made)

    monkeypatch.setattr(desk, "build", slowly)
    readers = [threading.Thread(target=desk.write_site, args=(small.folder,)) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(small.builds) == 1 and (small.folder / "index.html").read_text() == "build 0"
    assert [path.name for path in small.folder.parent.iterdir()].count(small.folder.name + ".lock") == 0


def test_a_folder_with_something_else_is_left_alone(small):
    small.folder.mkdir()
    (small.folder / "thesis.txt").write_text("mine")
    with pytest.raises(CourseError, match="holds something else"):
        desk.write_site(small.folder)
    assert [path.name for path in small.folder.iterdir()] == ["thesis.txt"]


def test_without_the_extra_one_sentence_says_how_to_get_it(lessons_command, monkeypatch, capsys):
    def version(name):
        raise desk.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(desk.metadata, "version", version)
    assert lessons_command("read", "--no-browser") == 2
    assert 'lessons read needs zensical: pip install -e ".[read]" brings it' in capsys.readouterr().err


def test_a_release_that_cannot_build(monkeypatch, tmp_path):
    monkeypatch.setattr(desk, "MADE", tmp_path)
    for file in (NOTES / "site").iterdir():
        text = file.read_text("utf-8")
        (tmp_path / file.name).write_text(text.replace("[project]", "[project"), "utf-8")
    (tmp_path / "work").mkdir()
    with pytest.raises(CourseError, match="lessons notes shows the pages in the terminal"):
        desk.build(tmp_path / "work", tmp_path / "made")


def test_the_build_takes_five_seconds_at_most(built):
    """Of computing: other tests may run beside it."""
    assert built[1] <= 5


# --- The command


def open_desk(*words: str, **options: object) -> tuple[subprocess.Popen, str, str]:
    """A ``lessons read`` that runs, all that it has said so far, and the address that it names."""
    process = subprocess.Popen(
        [sys.executable, "-m", "lessons", "read", "--no-browser", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        **options,
    )
    said = ""
    while "http:" not in said:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        said += line
    return process, said, re.search(r"http://\S+", said)[0]


def end(process: subprocess.Popen) -> None:
    """Ctrl-C, and no traceback."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert answer.headers["Cache-Control"] == "no-cache"
        return answer.read().decode()


def test_from_a_wheel_with_a_taken_port(tmp_path, monkeypatch):
    """As it is installed, not from the checkout, and the course folder is where no folder can be made."""
    backend = "import sys, setuptools.build_meta as b; b.build_wheel(sys.argv[1])"
    source = tmp_path / "source"
    desk.shutil.copytree(
        REPO / "lessons", source / "lessons", ignore=desk.shutil.ignore_patterns("__pycache__")
    )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        desk.shutil.copy(REPO / name, source)
    subprocess.run([sys.executable, "-c", backend, tmp_path], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "site-packages"
    zipfile.ZipFile(wheel).extractall(installed)
    before = {path: path.stat().st_mtime_ns for path in installed.rglob("*") if path.is_file()}
    no_folder = tmp_path / "a file"
    no_folder.write_text("")
    environment = {"PYTHONPATH": str(installed), "LESSONS_HOME": str(no_folder), "LESSONS_LANG": "zh"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process, said, address = open_desk(
            "5", "--port", str(port), cwd=tmp_path, env={**os.environ, **environment}
        )
        try:
            assert f"端口 {port} 已被占用" in said
            assert re.fullmatch(r"http://127\.0\.0\.1:\d+/zh/p05_loss_optim\.html", address)
            assert f":{port}/" not in address
            assert "损失与优化器" in get(address)
            script = get(address.replace("/zh/", "/scripts/"))
            assert "loss.backward()" in re.sub("<[^>]+>", "", script)
        finally:
            end(process)
    assert {path: path.stat().st_mtime_ns for path in installed.rglob("*") if path.is_file()} == before


def test_served_to_this_machine_alone(site):
    server = desk.open_server(site, 0)
    try:
        assert server.server_address[0] == "127.0.0.1"
    finally:
        server.server_close()


@pytest.fixture
def opened(monkeypatch, site):
    """``lessons read`` without building, waiting or a browser; holds the addresses that it would show."""
    addresses = []
    monkeypatch.setattr(desk, "write_site", lambda folder: None)
    monkeypatch.setattr(desk, "wait_for_ctrl_c", lambda: None)
    monkeypatch.setattr(desk.webbrowser, "open", addresses.append)
    return addresses


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ([], "en/index"),
        (["5"], "en/p05_loss_optim"),
        (["p02", "--lang", "zh"], "zh/p02_conv2d"),
        (["--lang", "zh"], "zh/index"),
    ],
)
def test_the_page_that_opens(words, page, opened, lessons_command, capsys):
    assert lessons_command("read", "--port", "0", *words) == 0
    (address,) = opened
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{page}\.html", address)
    assert address in capsys.readouterr().out


def test_no_browser(opened, lessons_command, monkeypatch, capsys):
    servers = []
    monkeypatch.setattr(desk, "serve", servers.append)
    monkeypatch.setattr(desk.Server, "shutdown", lambda server: None)  # it would wait for what does not run
    assert lessons_command("read", "--port", "0", "--no-browser") == 0
    assert opened == [] and servers[0].fileno() == -1, "its socket is closed"
    assert "http://127.0.0.1:" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["99"], ["--lang", "fr"], ["--port", "99999"]])
def test_wrong_words(words, opened, lessons_command):
    assert lessons_command("read", *words) == 2
    assert opened == []


@pytest.mark.parametrize("lang", LANGUAGES)
def test_into_a_folder_for_a_web_server(lang, small, lessons_command, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_LANG", lang)
    assert lessons_command("read", "--to", str(small.folder)) == 0
    assert (small.folder / "index.html").is_file()
    assert str(small.folder) in capsys.readouterr().out
    assert lessons_command("read", "--to", str(small.folder / "index.html")) == 2
    assert "the site cannot be written to" in capsys.readouterr().err
