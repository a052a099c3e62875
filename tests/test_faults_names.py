"""Names from outside are data wherever they are shown: on the terminal, in TensorBoard's page, on the site.

A class folder, a picture file and the classes in somebody's checkpoint may be called anything: markup, a
script, what clears a terminal.
"""

import os
import re
import sys
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Page
from small_data import picture

from lessons import p10_mistakes, p12_classify
from lessons.course import CourseError
from lessons.course.board import start_board
from lessons.course.datasets import dataset_line, open_dataset
from lessons.course.logbook import RunWriter, markdown_table
from lessons.course.runner import how_it_ended
from lessons.course.screen import as_one_line
from lessons.course.site import open_server, serve
from lessons.tudui import Classifier, Tudui

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no files of such names")

NAMES = [
    "<img src=x onerror=hacked=1>",
    "\"'><svg onload=hacked=1>",
    "[bold red]red[|]",
    "[a](javascript:hacked=1) <b>",
    "猫 %s {} $x_1$ \\ #",
]
CLEARS = "\x1b[2J\x1b[31mcat\r\nError: none"  # the screen, and writes in red, and on the next line
SPELLED_OUT = r"\x1b[2J\x1b[31mcat\r\nError: none"


def fill(folder: Path, names: list[str]) -> Path:
    for split, count in (("train", 4), ("test", 3)):
        for number, name in enumerate(names):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                picture("RGB", (40 + number, 20)).save(folder / split / name / f"{index}.png")
    return folder


# --- The terminal


def test_one_line_of_what_can_be_seen():
    assert as_one_line(CLEARS) == SPELLED_OUT
    assert as_one_line("a\u202eb\u2066\x9b2J\udce9\t") == r"a\u202eb\u2066\x9b2J\udce9\t"
    for name in (*NAMES, "Noé 咪　한 é", "🐈‍⬛"):
        assert as_one_line(name) == name


@pytest.mark.parametrize("name", [CLEARS, "cat\u202e", "cat\udce9"], ids=ascii)
def test_a_class_with_such_a_name_is_refused(name, tmp_path, lessons_command, capsys):
    folder = fill(tmp_path, ["dog", name])
    with pytest.raises(CourseError, match="rename it"):
        open_dataset(str(folder), train=True)
    assert lessons_command("run", "1", "--dataset", str(folder)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert as_one_line(name) in line


def test_an_error_shows_a_name_as_it_is(lessons_command, capsys):
    assert lessons_command("run", "12", "--image", CLEARS) == 2
    assert SPELLED_OUT.partition("\\r")[0] in capsys.readouterr().err


def test_a_folder_and_a_result_of_such_a_name(tmp_path):
    data = open_dataset(str(fill(tmp_path / CLEARS, ["cat", "dog"])), train=True)
    assert dataset_line(data).endswith(f"{SPELLED_OUT}: 8 training pictures of 2 classes")
    assert how_it_ended({"result": CLEARS}).plain == SPELLED_OUT


def strangers_checkpoint(path: Path, **content: object) -> str:
    torch.save({"model": Classifier(Tudui(num_classes=2)).state_dict(), **content}, path)
    return str(path)


@pytest.fixture
def no_exports(monkeypatch):
    monkeypatch.setattr(p12_classify, "export", lambda *_: {})


def test_a_picture_and_a_checkpoint_of_a_stranger(no_exports, home, tmp_path, capsys):
    """With a name in another encoding, too, as archives bring them."""
    paths = [tmp_path / CLEARS, Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.png"))]
    for path in paths:
        picture("RGB").save(path, "PNG")
    checkpoint = strangers_checkpoint(tmp_path / "it.pth", classes=[CLEARS, "dog"], dataset=CLEARS)
    p12_classify.main(image=list(map(str, paths)), checkpoint=checkpoint)
    said = capsys.readouterr().out
    assert "\x1b" not in said and said.count(SPELLED_OUT) == 4, "the picture twice, the class for each"
    assert r"2 caf\udce9.png" in said
    assert p12_classify.read_checkpoint(checkpoint)[2] == SPELLED_OUT


@pytest.mark.parametrize(
    "classes", [["dog"], [1, 2], torch.ones(2), {"a": 1}, 7, "cat", [["a"], ["b"]]], ids=repr
)
def test_what_are_no_class_names(classes, tmp_path):
    path = strangers_checkpoint(tmp_path / "it.pth", classes=classes)
    with pytest.raises(CourseError, match=r"it\.pth"):
        p12_classify.read_checkpoint(path)


def test_a_cell_stays_in_its_cell():
    rows = markdown_table(("a", "b"), [("x | y", "1\n| 2 | 3 |")]).splitlines()
    assert len(rows) == 3 and all(len(re.findall(r"(?<!\\)\|", row)) == 3 for row in rows)


# --- TensorBoard's page and the site


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> str:
    """TensorBoard over lessons 10 and 12, with such names for the folder, the classes and the picture."""
    folder = fill(tmp_path_factory.mktemp("x") / NAMES[0], NAMES)
    (folder / NAMES[1]).write_bytes(next((folder / "test" / NAMES[0]).iterdir()).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESSONS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(p12_classify, "export", lambda *_: {})
        p10_mistakes.main(dataset=str(folder))
        p12_classify.main(dataset=str(folder), image=[str(folder / NAMES[1])])
        with RunWriter("p99_names.py", settings=NAMES[0]) as writer:
            writer.add_hparams({name: name for name in NAMES}, {NAMES[0]: 1.0})
            for name in NAMES:
                writer.add_scalar(name, 1.0)
        return start_board(str(writer.folder.parents[1]))


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(120_000)
    page.dialogs = []
    page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
    yield page
    page.close()


def find_points(page: Page) -> None:
    """All of them, so that their names are listed."""
    projector = page.frame_locator("iframe").frame_locator("iframe")
    projector.locator(".numDataPoints", has_text="15").wait_for()
    projector.get_by_role("textbox", name="Search").fill("a")


# The tab, what is done there, and the name that is then to be read
SHOWS = {
    "scalars": (None, NAMES[0]),
    "images": (None, NAMES[1]),
    "text": (None, NAMES[0]),  # in the card, further down
    "pr_curves": (None, f"class/{NAMES[0]}"),
    "hparams": (None, NAMES[2]),
    "projector": (find_points, NAMES[0]),
}


@pytest.mark.browser
@pytest.mark.parametrize("tab", SHOWS)
def test_no_name_becomes_a_script_in_tensorboard(tab, board, page):
    page.goto(f"{board}#{tab}")
    act, name = SHOWS[tab]
    if act:
        act(page)
    frame = page.frames[-1]
    frame.get_by_text(name).first.wait_for(state="attached")
    page.wait_for_timeout(1000)  # a picture that is not there takes a moment to fail
    assert [frame.evaluate("typeof hacked") for frame in page.frames] == ["undefined"] * len(page.frames)
    found = frame.locator("img[onerror], svg[onload], a[href^='javascript:hacked']")
    assert [element.evaluate("made => made.outerHTML") for element in found.all()] == []
    assert page.dialogs == []


@pytest.mark.browser
def test_no_search_becomes_a_script_on_the_site(site, page):
    server = open_server(site, 0)
    serve(server)
    page.goto(f"http://127.0.0.1:{server.server_port}/en/p05_loss_optim.html")
    for name in NAMES[:2]:
        page.keyboard.press("/")
        page.keyboard.type(name)
        page.wait_for_timeout(1000)
        assert page.evaluate("typeof hacked") == "undefined"
        page.keyboard.press("Escape")
    server.shutdown()
