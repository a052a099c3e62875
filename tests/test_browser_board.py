"""TensorBoard's own pages as ``lessons board`` serves them, over the logs of a run of all lessons."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page
from quick_lessons import make_quick

import lessons
from lessons.course.board import start_board
from lessons.course.catalogue import Lesson, find_lessons, last_run, named_tabs
from lessons.course.runner import run_lessons

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def logs(tmp_path_factory, small_pictures) -> Path:
    """The logs of ``lessons run``, on few pictures and in few steps."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LESSONS_HOME", str(home))
        make_quick(patch, small_pictures)
        patch.setattr(lessons.p12_classify, "export", lambda *_: {})  # takes seconds, and logs nothing
        assert run_lessons(list(find_lessons().values()), []) == 0
    return home / "logs"


# --- A dashboard is drawn, of what the lesson has logged


def tags(lesson: Lesson, tab: str) -> list[str]:
    """What the run's card says that a tab shows, without the curves in brackets: groups of tags."""
    _, card = last_run(lesson)
    (line,) = [line for line in card["look_at"] if line.startswith(f"{tab}  ")]
    listed = re.sub(r" \([^)]*\)", "", line.removeprefix(tab))
    return [tag.strip().partition("/")[0] for tag in re.split("[,;]", listed)]


def cards(page: Page, lesson: Lesson, tab: str, card: str, drawn: str) -> None:
    """The runs are this lesson's, each tag has a pane, and what the first card has drawn is there."""
    page.locator(card).first.locator(drawn).first.wait_for(state="attached")
    panes = page.locator("tf-category-paginated-view .heading, tf-category-pane .heading").all_inner_texts()
    shown = " ".join(panes)
    assert [tag for tag in tags(lesson, tab) if tag not in shown] == []
    runs = page.locator("tf-multi-checkbox .name-row").all_inner_texts()
    assert runs and all(run.strip().startswith(lesson.name) for run in runs)


def scalars(page: Page, lesson: Lesson) -> None:
    cards(page, lesson, "SCALARS", "tf-scalar-card", "svg path[d], svg circle")


def images(page: Page, lesson: Lesson) -> None:
    cards(page, lesson, "IMAGES", "tf-image-loader", "img")
    shown = page.locator("tf-image-loader img").first
    assert shown.evaluate("async (img) => { await img.decode(); return img.naturalWidth; }") > 0


def graphs(page: Page, lesson: Lesson) -> None:
    """Unfolded to its layers, as a reader does with a double click."""
    for outer, inner in (("Tudui", "Sequential"), ("Sequential", "Linear")):
        node = page.locator("g.node", has_text=outer).last
        place = None
        while place != (place := node.bounding_box()):  # it moves until it has its place
            page.wait_for_timeout(200)
        node.dblclick(force=True)
        page.locator("g.node", has_text=inner).last.wait_for()
    layers = page.locator("g.node").all_text_contents()
    assert sum("Conv2d" in layer for layer in layers) >= 3


def histograms(page: Page, lesson: Lesson) -> None:
    cards(page, lesson, "HISTOGRAMS", "tf-histogram-loader", "svg path[d]")


def text(page: Page, lesson: Lesson) -> None:
    cards(page, lesson, "TEXT", "tf-text-loader", "td")
    assert page.locator("tf-text-loader td", has_text="state_dict").first.is_visible(), "VGG16 in seconds"


def pr_curves(page: Page, lesson: Lesson) -> None:
    cards(page, lesson, "PR CURVES", "tf-pr-curve-card", "svg path[d]")


def projector(page: Page, lesson: Lesson) -> None:
    frame = page.frame_locator("iframe").frame_locator("iframe")
    frame.locator(".numDataPoints", has_text="100").wait_for()  # all test pictures
    assert frame.locator("canvas").first.is_visible()


def hparams(page: Page, lesson: Lesson) -> None:
    """A row for the run, and a column for each setting and result."""
    folder, _ = last_run(lesson)
    page.locator(".table-cell", has_text=f"{lesson.name}/{folder.name}").wait_for()
    for heading in ("batch_size", "label_smoothing", "hparam/validation accuracy"):
        assert page.get_by_text(heading).first.is_visible()


SHOWN = {
    "SCALARS": scalars,
    "IMAGES": images,
    "GRAPHS": graphs,
    "HISTOGRAMS": histograms,
    "TEXT": text,
    "PR CURVES": pr_curves,
    "PROJECTOR": projector,
    "HPARAMS": hparams,
}


@pytest.mark.parametrize("number", list(find_lessons()))
def test_each_dashboard_that_a_lesson_promises(number, logs, browser, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(logs.parent))
    lesson = find_lessons()[number]
    address = start_board(str(logs), 0, [lesson.name])
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.set_default_timeout(20_000)
    amiss = []
    page.on("pageerror", lambda error: amiss.append(str(error)))
    page.on("request", lambda request: amiss.append(request.url) if elsewhere(request.url) else None)
    assert named_tabs(lesson), "a lesson says what there will be to see"
    for tab in named_tabs(lesson):
        page.goto("about:blank")
        page.goto(f"{address}#{tab.lower().replace(' ', '_')}")
        SHOWN[tab](page, lesson)
    page.close()
    assert amiss == []


def elsewhere(url: str) -> bool:
    return not url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:"))
