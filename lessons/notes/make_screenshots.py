"""Takes the screenshots of the notes: ``lessons/notes/screenshots/pNN_name.png``, from the real TensorBoard.

    pip install -e ".[notes]"
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
from playwright.sync_api import Page, sync_playwright

from lessons.course import CourseError
from lessons.course.board import start_board
from lessons.course.catalogue import Lesson, find_lessons, last_run

SCREENSHOTS = Path(__file__).resolve().parent / "screenshots"
WIDTH = 1200  # of the stored picture
MOST_BYTES = 150_000
PATIENCE_MS = 30_000  # until something is there
DRAWN_MS = 2500  # after the elements are there, TensorBoard still draws lines and lays out cards


class View(NamedTuple):
    """What to show of a lesson."""

    address: str  # the part of the address behind "#": the tab and its settings
    show: Callable[[Page], None]  # waits until the tab is drawn, and opens what is closed
    size: tuple[int, int] = (1400, 870)  # of the browser window, so that all that matters is in it


def images(page: Page) -> None:
    page.wait_for_selector("tf-image-loader img", timeout=PATIENCE_MS)
    page.wait_for_function("[...document.querySelectorAll('img')].every(img => img.complete)")


def scalars(page: Page) -> None:
    page.wait_for_selector("tf-scalar-card", timeout=PATIENCE_MS)
    # Outliers are the first steps here, and they are what there is to see
    page.get_by_text("Ignore outliers in chart scaling").click()


def graph(page: Page) -> None:
    """Open Tudui and the Sequential in it, as a reader does with a double click."""
    for name in ("Tudui", "Sequential"):
        page.locator("g.node", has_text=name).last.dblclick(timeout=PATIENCE_MS, force=True)
        page.wait_for_timeout(DRAWN_MS)
    page.get_by_text("Fit to screen").click()
    page.evaluate("getSelection().removeAllRanges()")  # the double clicks have marked words


NO_SMOOTHING = "scalars&_smoothingWeight=0"  # the numbers as they were logged
TWO_GRIDS = (1400, 1225)
VIEWS = {
    "p01_dataloader": View("images", images, TWO_GRIDS),
    "p02_conv2d": View("images", images, TWO_GRIDS),
    "p03_maxpool": View("images", images, TWO_GRIDS),
    "p04_sequential": View("graphs", graph),
    "p05_loss_optim": View(NO_SMOOTHING, scalars),
    "p06_pretrained": View(NO_SMOOTHING, scalars, (1200, 600)),
    "p07_save_load": View(NO_SMOOTHING, scalars, (1200, 600)),
    "p08_train": View(f"{NO_SMOOTHING}&tagFilter=%5E(accuracy%7Closs%7Clearning)", scalars, (1200, 640)),
    "p09_resume": View(f"{NO_SMOOTHING}&tagFilter=after", scalars, (1200, 600)),
    "p10_mistakes": View("images", images, (1400, 1100)),
    "p11_accelerator": View("images", images, (1400, 600)),
    "p12_classify": View("images", images, (1400, 1030)),
    "p13_distributed": View(f"{NO_SMOOTHING}&tagFilter=loss", scalars, (1200, 600)),
}


def small_png(screenshot: bytes) -> bytes:
    """The screenshot, WIDTH wide, with as many colours as fit into the size that a page may have."""
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, picture.height * WIDTH // picture.width), Image.Resampling.LANCZOS)
    for colours in (256, 128, 64, 32, 16):
        file = io.BytesIO()
        picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True
        )
        if file.tell() < MOST_BYTES:
            break
    return file.getvalue()


def take(page: Page, lesson: Lesson) -> None:
    """Show the lesson's newest run alone and write its screenshot."""
    folder, _ = last_run(lesson)
    if folder is None:
        raise CourseError(f"{lesson.name} has no run to show: lessons run {lesson.number}")
    view = VIEWS[lesson.name]
    with tempfile.TemporaryDirectory() as place:
        run = Path(place, "logs", lesson.name)
        run.mkdir(parents=True)
        (run / folder.name).symlink_to(folder, target_is_directory=True)
        os.chdir(place)  # TensorBoard shows the name of its folder as it was given: "logs", not a path
        page.set_viewport_size({"width": view.size[0], "height": view.size[1]})
        page.goto("about:blank")  # else only the part behind # would change
        page.goto(f"{start_board('logs')}#{view.address}")
        view.show(page)
        page.wait_for_timeout(DRAWN_MS)
        content = small_png(page.screenshot())
        os.chdir(SCREENSHOTS)
    path = SCREENSHOTS / f"{lesson.name}.png"
    path.write_bytes(content)
    print(f"{path}  {len(content) / 1000:.0f} kB")


def main() -> None:
    names = sys.argv[1:] or list(VIEWS)
    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(locale="en-GB")
        for lesson in find_lessons().values():
            if lesson.name in names:
                take(page, lesson)
        browser.close()


if __name__ == "__main__":
    main()
