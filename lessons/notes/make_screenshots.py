"""Takes the screenshots of the notes: ``lessons/notes/screenshots/pNN_name.png``, from the real TensorBoard.

    pip install -e ".[test]"
    lessons run
    python lessons/notes/make_screenshots.py          # all lessons; or name some: p02_conv2d p05_loss_optim

It shows the newest run of each lesson in the course folder. Chromium is found at ``$CHROMIUM``, by default
``/usr/bin/chromium``.
"""

import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from lessons.course import CourseError
from lessons.course.board import start_board
from lessons.course.catalogue import Lesson, find_lessons, last_run

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"
WIDTH = 1200  # of the stored picture
MARGIN = 12  # below the last chart that is shown
MOST_BYTES = 150_000
PATIENCE_MS = 30_000  # until something is there
DRAWN_MS = 2500  # after the elements are there, TensorBoard still draws lines and lays out cards


class View(NamedTuple):
    """What to show of a lesson, so that a page has what matters, as large as can be, and little else."""

    address: str  # the part of the address behind "#": the tab and its settings
    show: Callable[[Page], Locator]  # waits until the tab is drawn; returns its charts, from which to take
    width: int  # of the browser window; the picture is WIDTH wide, so the narrower, the larger the letters
    count: int = 1  # of the charts that are shown
    height: int = 1200  # of the browser window, of which the picture is the upper part


def without_settings(page: Page) -> None:
    """Of the column on the left leave the list of runs alone, and the whole column out where it is of no use.

    It is of use where it says which colour is which run.
    """
    page.locator(".settings").evaluate("settings => settings.remove()")
    page.locator("#data-location").evaluate("path => path.remove()")  # of a folder for the moment
    if page.locator("tf-multi-checkbox .name-row").count() == 1:
        page.locator("#sidebar").evaluate("column => column.remove()")


def images(page: Page) -> Locator:
    cards = page.locator("tf-image-loader")
    cards.first.wait_for(timeout=PATIENCE_MS)
    without_settings(page)
    page.wait_for_function("[...document.querySelectorAll('img')].every(img => img.complete)")
    return cards


def large_images(page: Page) -> Locator:
    """Charts that were drawn with words in them, at their own size."""
    page.get_by_text("Show actual image size").click(timeout=PATIENCE_MS)
    return images(page)


def scalars(page: Page) -> Locator:
    cards = page.locator("tf-scalar-card")
    cards.first.wait_for(timeout=PATIENCE_MS)
    # Outliers are the first steps here, and they are what there is to see
    page.get_by_text("Ignore outliers in chart scaling").click()
    without_settings(page)
    return cards


def large_scalar(page: Page) -> Locator:
    """The first chart, as wide as the window."""
    cards = scalars(page)
    cards.first.locator("paper-icon-button[icon=fullscreen]").click()
    return cards


def pointed_at(page: Page) -> Locator:
    """The mouse in the first chart: a list says what each curve is there, also one that another one hides."""
    cards = large_scalar(page)
    page.wait_for_timeout(DRAWN_MS)
    box = cards.first.locator("tf-line-chart-data-loader").bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"])
    page.wait_for_timeout(DRAWN_MS)
    return page.locator("vz-line-chart-tooltip")


def graph(page: Page) -> Locator:
    """Open Tudui and the Sequential in it, as a reader does with a double click."""
    page.locator("g.node", has_text="Tudui").wait_for(timeout=PATIENCE_MS)
    page.locator("#sidebar").evaluate("column => column.remove()")
    for name in ("Tudui", "Sequential"):
        page.locator("g.node", has_text=name).last.dblclick(timeout=PATIENCE_MS, force=True)
        page.wait_for_timeout(DRAWN_MS)
    page.locator("tf-graph-scene").evaluate("scene => scene.fit()")  # as "Fit to screen" does
    page.evaluate("getSelection().removeAllRanges()")  # the double clicks have marked words
    page.mouse.move(0, 0)  # where it marks no layer
    return page.locator("tf-graph-scene")


NO_SMOOTHING = "scalars&_smoothingWeight=0"  # the numbers as they were logged
VIEWS = {
    "p00_tools": View(NO_SMOOTHING, scalars, 1020, 2),
    "p01_dataloader": View("images&tagFilter=epoch", images, 780, 2),
    "p02_conv2d": View("images&tagFilter=put", images, 780, 2),
    "p03_maxpool": View("images&tagFilter=%5E(input%7Cpooled%7Ckept)", images, 1170, 3),
    "p04_sequential": View("graphs", graph, 760, height=880),
    "p05_loss_optim": View(f"{NO_SMOOTHING}&tagFilter=%5E(accuracy%7Closs)", scalars, 1020, 2),
    "p06_pretrained": View(NO_SMOOTHING, large_scalar, 900),
    "p07_save_load": View(NO_SMOOTHING, pointed_at, 900),
    "p08_train": View(f"{NO_SMOOTHING}&tagFilter=%5E(accuracy%7Closs)", scalars, 1020, 2),
    "p09_resume": View(f"{NO_SMOOTHING}&tagFilter=after", pointed_at, 900),
    "p10_mistakes": View("images&tagFilter=confusion%7Cmistakes", large_images, 1290, 2),
    "p11_accelerator": View("images", large_images, 860),
    "p12_classify": View("images&tagFilter=%5E%5B1-3%5D", images, 1170, 3),
    "p13_distributed": View(f"{NO_SMOOTHING}&tagFilter=loss", pointed_at, 900),
    "p14_deeper": View(NO_SMOOTHING, pointed_at, 900),
}


def small_png(screenshot: bytes) -> bytes:
    """The screenshot with as many colours as fit into the size that a page may have."""
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    for colours in (256, 128, 64, 32, 16):
        file = io.BytesIO()
        picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        if file.tell() < MOST_BYTES:
            break
    return file.getvalue()


def take(browser: Browser, lesson: Lesson, logs: Path) -> None:
    """Show the lesson's newest run alone and write its screenshot. ``logs`` is an empty folder."""
    folder, _ = last_run(lesson)
    if folder is None:
        raise CourseError(f"{lesson.name} has no run to show: lessons run {lesson.number}")
    view = VIEWS[lesson.name]
    short_name = lesson.name.partition("_")[0]  # without its time, so that large letters have room
    (logs / short_name).symlink_to(folder, target_is_directory=True)
    page = browser.new_page(
        locale="en-GB",
        viewport={"width": view.width, "height": view.height},
        device_scale_factor=WIDTH / view.width,
    )
    page.goto(f"{start_board(str(logs))}#{view.address}")
    charts = view.show(page)
    page.wait_for_timeout(DRAWN_MS)
    boxes = [charts.nth(index).bounding_box() for index in range(view.count)]
    end = min(view.height, max(box["y"] + box["height"] for box in boxes) + MARGIN)
    content = small_png(page.screenshot(clip={"x": 0, "y": 0, "width": view.width, "height": end}))
    page.close()
    path = SCREENSHOTS / f"{lesson.name}.png"
    path.write_bytes(content)
    print(f"{path}  {len(content) / 1000:.0f} kB")


def main() -> None:
    names = sys.argv[1:] or list(VIEWS)
    SCREENSHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        for lesson in find_lessons().values():
            if lesson.name in names:
                # A folder for each: TensorBoard goes on reading it until this process ends
                take(browser, lesson, Path(tempfile.mkdtemp(dir=place)))
        browser.close()


if __name__ == "__main__":
    main()
