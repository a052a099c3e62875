"""The notes as a web site: made from the pages by Zensical, shown on this machine."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import webbrowser
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path

import typer

from lessons.course import CourseError, course_home, pages
from lessons.course.catalogue import LESSONS_DIR
from lessons.course.disk import locked, unlock
from lessons.course.hosts import LOCAL, checked_host
from lessons.course.interrupt import wait_for_ctrl_c
from lessons.course.notes import LANGUAGES, NOTES
from lessons.course.words import WORDS, say

MADE = NOTES / "site"  # what the site is made with
PATIENCE = 120  # seconds in which another process that builds the site should have done so
MARK = "made-from.txt"  # in a site: the digest of what it was made from


def read(page: str, lang: str, port: int, browser: bool, host: str = LOCAL) -> None:
    """Show a page of the site in the browser until Ctrl-C; the site is built where it is not up to date."""
    here = checked_host(host)
    with tempfile.TemporaryDirectory() as spare:
        folder = course_home() / "data" / "site"
        try:
            write_site(folder)
        except OSError:  # no permission to write there
            folder = Path(spare)
            write_site(folder)
        with open_server(folder, port, host) as server:
            address = f"http://{here}:{server.server_port}/{lang}/{page}.html"
            serve(server)
            typer.echo(say("site", address))
            if browser:
                webbrowser.open(address)
            wait_for_ctrl_c()
            server.shutdown()
    typer.echo()


# --- Building


def write_site(folder: Path) -> None:
    """Build the site into a folder, unless it holds the site as it would be built.

    Raises:
        CourseError: where Zensical is missing or fails, or where something else lies in the folder.
        OSError: where the folder cannot be written.
    """
    mark, made_from = folder / MARK, digest()

    def is_made() -> bool:
        return mark.is_file() and mark.read_text("utf-8") == made_from

    if is_made():
        return
    if folder.is_dir() and any(folder.iterdir()) and not mark.is_file():
        raise CourseError(f"{folder} holds something else: choose a folder that is empty or not there yet")
    folder.mkdir(parents=True, exist_ok=True)
    lock = locked(Path(f"{folder}.lock"), PATIENCE)
    try:
        if not is_made():  # by another ``lessons read`` meanwhile
            mark.write_text("", "utf-8")  # ours, and no site before all is there
            build_into(folder)
            mark.write_text(made_from, "utf-8")
    finally:
        unlock(lock)


def build_into(folder: Path) -> None:
    """Build the site elsewhere and copy it there; OSError when a file cannot be copied."""
    typer.echo(say("site built", folder))
    with tempfile.TemporaryDirectory() as place:
        site = Path(place, "whole")
        build(Path(place), site)
        try:
            shutil.copytree(site, folder, dirs_exist_ok=True)
        except shutil.Error as error:  # a list of all files that could not be copied
            (_, _, why), *_ = error.args[0]
            raise OSError(errno.EIO, why) from error


def digest() -> str:
    """What the site is made from, in a few letters: another one when a page, a figure or a script changes."""
    try:
        versions = [metadata.version(name) for name in ("zensical", "latex2mathml")]
    except metadata.PackageNotFoundError as error:
        raise CourseError(
            f'lessons read needs {error.name}: pip install -e ".[read]" brings it; '
            "lessons notes shows the same pages in the terminal"
        ) from error
    sha = hashlib.sha256(" ".join(versions).encode())
    scripts = [path for pattern in ("*.py", "course/*.py") for path in LESSONS_DIR.glob(pattern)]
    noted = [path for path in NOTES.rglob("*.*") if path.is_file() and path.suffix != ".pyc"]
    for path in sorted(scripts + noted):
        sha.update(path.relative_to(LESSONS_DIR).as_posix().encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def build(place: Path, site: Path) -> None:
    """Build the site, with an empty folder to work in. Both languages' pages at once, each a project."""
    projects = {lang: write_project(place / lang, lang) for lang in LANGUAGES}
    makers = {
        lang: subprocess.Popen(
            [sys.executable, "-m", "zensical", "build", "--config-file", config],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        for lang, config in projects.items()
    }
    for script in pages.linked_scripts():
        path = site / "scripts" / Path(script).with_suffix(".html")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(pages.script_page(script, (MADE / "script.html").read_text("utf-8")), "utf-8")
    for figure in (NOTES / "figures").rglob("*.svg"):
        for scheme, media in (("light", "not all"), ("dark", "all")):
            path = site / "figures" / scheme / figure.parent.name / figure.name
            path.parent.mkdir(parents=True, exist_ok=True)
            drawn = figure.read_text("utf-8").replace("(prefers-color-scheme: dark)", media)
            path.write_text(drawn, "utf-8")
    shutil.copytree(NOTES / "screenshots", site / "screenshots")
    shutil.copy(MADE / "index.html", site)
    (site / "scripts.css").write_text(pages.script_styles((MADE / "script.css").read_text("utf-8")), "utf-8")
    for lang, maker in makers.items():
        said, _ = maker.communicate()
        made = place / lang / "site"
        if maker.returncode or not (made / "index.html").is_file():
            raise CourseError(
                f"Zensical could not build the site ({said.strip()[-500:]}); another version of it may: "
                "meanwhile, lessons notes shows the pages in the terminal"
            )
        shutil.move(made, site / lang)


def write_project(folder: Path, lang: str) -> Path:
    """The pages of a language and what Zensical wants to know; returns its configuration file."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    names = sorted(path.stem for path in (NOTES / lang).glob("*.md"))
    for name in names:
        (docs / f"{name}.md").write_text(pages.site_page(name, lang), "utf-8")
    for file in ("desk.css", "desk.js"):
        shutil.copy(MADE / file, docs)
    ends = ["index", "glossary"]
    order = [ends[0], *(name for name in names if name not in ends), ends[1]]
    config = (MADE / "zensical.toml").read_text("utf-8")
    words = {"NAV": [f"{name}.md" for name in order], "LANGUAGE": lang}
    for key in ("site name", "to light", "to dark", "to system"):
        words[key.upper().replace(" ", "_")] = WORDS[key][LANGUAGES.index(lang)]
    for word, value in words.items():
        config = config.replace(f"= {word}\n", f"= {json.dumps(value, ensure_ascii=False)}\n")
    path = folder / "zensical.toml"
    path.write_text(config, "utf-8")
    return path


# --- Serving


class Handler(SimpleHTTPRequestHandler):
    """Files of the site, without a line in the terminal for each of them."""

    protocol_version = "HTTP/1.1"  # one connection for all files of a page
    # As a site needs them, whatever the machine says of them: Windows has been seen to call .js plain text
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
    }

    def log_message(self, format: str, *args: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")  # ask each time: a page may have been built anew
        super().end_headers()


class Server(ThreadingHTTPServer):
    allow_reuse_address = os.name == "posix"  # on Windows it would share a port that is taken


def open_server(folder: Path, port: int, host: str = LOCAL) -> Server:
    """A server of the folder's files, on another port when the port is taken."""
    handler = partial(Handler, directory=str(folder))
    try:
        return Server((host, port), handler)
    except OSError:
        typer.echo(say("port taken", port))
        return Server((host, 0), handler)


def serve(server: Server) -> None:
    """Answer in the background, until ``server.shutdown()``, which takes a tenth of a second at most."""
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
