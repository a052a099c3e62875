"""The site of the notes as a reader has it: both languages, light and dark, a wide screen and a phone."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import BrowserContext, Page

from lessons.course.notes import LANGUAGES, NOTES, change_formulas
from lessons.course.pages import MISTAKES
from lessons.course.site import open_server, serve

pytestmark = pytest.mark.browser

WIDE = {"width": 1400, "height": 900}
NAMES = sorted(path.stem for path in (NOTES / "en").glob("*.md"))
every_page = pytest.mark.parametrize(
    ("lang", "name"), [(lang, name) for name in NAMES for lang in LANGUAGES], ids=lambda word: word
)


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """Where the site is served, up to the language."""
    server = open_server(site, 0)
    serve(server)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    """A browser that has never been here, in the light."""
    made = browser.new_context(color_scheme="light", viewport=WIDE)
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture(scope="module")
def reader(browser) -> Iterator[Page]:
    """One page for all tests that only look; ``page.amiss`` holds what it has complained about."""
    context = browser.new_context(color_scheme="light", viewport=WIDE)
    page = context.new_page()
    page.set_default_timeout(10_000)
    page.amiss = []
    page.on(
        "console", lambda message: message.type in ("error", "warning") and page.amiss.append(message.text)
    )
    page.on("pageerror", lambda error: page.amiss.append(str(error)))
    page.on("response", lambda answer: answer.status >= 400 and page.amiss.append(answer.url))
    page.on("request", lambda request: here(request.url) or page.amiss.append(request.url))
    yield page
    context.close()


def here(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))


def markdown(lang: str, name: str) -> str:
    return (NOTES / lang / f"{name}.md").read_text("utf-8")


# --- Every page


@every_page
def test_a_page_is_there_in_full(lang, name, reader, address):
    """Without a complaint and without another host; figures have loaded; formulas are MathML that shows."""
    reader.amiss.clear()
    reader.goto(f"{address}/{lang}/{name}.html")
    assert reader.title()
    text = markdown(lang, name)
    shown = reader.locator("article img:visible")
    assert shown.count() == text.count("![")
    assert all(shown.evaluate_all("all => all.map((img) => img.complete && img.naturalWidth > 100)"))
    formulas = []
    change_formulas(text, lambda formula, _: formulas.append(formula) or "")
    sizes = reader.locator("article math").evaluate_all(
        "all => all.map((math) => math.getBoundingClientRect()).map((box) => Math.min(box.width, box.height))"
    )
    assert len(sizes) == len(formulas) and all(size > 3 for size in sizes)
    assert not re.search(r"[$`]|\\[a-z]+|\{\.|\*\*", reader.locator("article").evaluate(WITHOUT_CODE))
    reader.set_viewport_size({"width": 360, "height": 800})
    assert reader.evaluate("document.documentElement.scrollWidth") <= 360, "fits a phone"
    reader.set_viewport_size(WIDE)
    assert reader.amiss == []


WITHOUT_CODE = """article => {
    const copy = article.cloneNode(true);
    copy.querySelectorAll("code, pre").forEach((element) => element.remove());
    return copy.textContent;
}"""


def test_the_way_to_the_next_page_and_back(reader, address):
    """The list on the left marks where one is."""
    reader.goto(f"{address}/zh/p05_loss_optim.html")
    for direction, name in (("next", "p06_pretrained"), ("prev", "p05_loss_optim")):
        reader.locator(f".md-footer__link--{direction}").click()
        reader.wait_for_url(f"{address}/zh/{name}.html")
        marked = reader.locator("nav.md-nav--primary a.md-nav__link--active:visible").first
        assert marked.evaluate("link => link.href.split('#')[0]") == reader.url


# --- Search


SEARCHES = {
    "en": {
        "padding": "p02 p03 p04",
        "ceil_mode": "p03",
        "cross entropy": "p05",
        "zero_grad": "p05",
        "learning rate": "p05 p08",
        "freeze": "p06",
        "mmap": "p07",
        "weights_only": "p07",
        "early stopping": "p08",
        "overfitting": "p05 p08",
        "resume training": "p09",
        "confusion matrix": "p10",
        "bf16": "p11",
        "pin_memory": "p11",
        "onnx": "p12",
        "own picture": "p12",
        "torchrun": "p13",
        "set_epoch": "p13",
        "receptive field": "p02",
        "how many parameters": "p04",
    },
    "zh": {
        "填充": "p02 p03 p04",
        "池化": "p03",
        "交叉熵": "p05",
        "学习率": "p05",
        "反向传播": "p05",
        "冻结": "p06",
        "保存模型": "p07",
        "过拟合": "p08",
        "标签平滑": "p08",
        "混淆矩阵": "p10",
        "加速器": "p11",
        "自己的图片": "p12",
        "多进程": "p13",
        "打乱": "p01",
        "归一化": "p00",
        "感受野": "p02",
        "卷积核": "p02",
        "优化器": "p05",
        "ceil_mode": "p03",
        "恢复": "p09",
    },
}

RESULTS = """() => {
    const place = [...document.body.children].find((element) => element.shadowRoot).shadowRoot;
    return [...place.querySelectorAll("a[href]")].map((link) => link.href);
}"""


@pytest.fixture(scope="module")
def search(reader, address) -> Callable[..., list[str]]:
    """``search("en", "padding", enter)``: the addresses that a search on a language's index leads to."""

    def look(lang: str, words: str, enter: Callable[[str], None]) -> list[str]:
        if not reader.url.startswith(f"{address}/{lang}/index.html"):
            reader.goto(f"{address}/{lang}/index.html", wait_until="networkidle")  # has fetched what it knows
            reader.keyboard.press("Control+k")
        reader.keyboard.press("Control+a")
        reader.keyboard.press("Delete")
        reader.wait_for_function(f"!({RESULTS})().length")
        enter(words)
        reader.wait_for_function(f"({RESULTS})().length")
        return reader.evaluate(RESULTS)

    return look


@pytest.mark.parametrize(
    ("lang", "words", "right"),
    [(lang, *search) for lang, searches in SEARCHES.items() for search in searches.items()],
)
def test_a_search_has_the_right_page_among_the_first_three(lang, words, right, search, reader):
    found = search(lang, words, reader.keyboard.insert_text)[:3]
    assert any(f"/{lang}/{name}_" in link for link in found for name in right.split()), found


def messages(lang: str) -> list[tuple[str, str]]:
    """What programs print below "What goes wrong here" with an error or a warning in it, and its page."""
    found = []
    for name in NAMES:
        section = (
            markdown(lang, name).partition(f"## {MISTAKES[LANGUAGES.index(lang)]}\n")[2].partition("\n## ")[0]
        )
        for block in re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            if re.search(r"^\w*(Error|Warning)\b", block, re.MULTILINE):
                found.append((name, block))
    return found


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_error_message_finds_its_section(lang, search, reader, site):
    """Pasted whole, with what a learner's terminal has around it; a few stand on two pages."""
    first = 0
    for name, message in messages(lang):
        words = message.replace("...", " of 17 things at /usr/lib/x.py ")
        pasted = f'Traceback (most recent call last):\n  File "a.py", line 3, in <module>\n    run()\n{words}'
        found = search(lang, pasted, lambda text: reader.evaluate(PASTE, text))
        right = [link for link in found[:3] if f"/{lang}/{name}.html" in link and "#" in link]
        assert right, f"{name}: {message} -> {found}"
        assert unquote(right[0].partition("#")[2]) in mistakes(site / lang / f"{name}.html", lang)
        first += right[0] == found[0]
    assert len(messages(lang)) > 15
    assert first > 0.9 * len(messages(lang))


def mistakes(page: Path, lang: str) -> list[str]:
    """The ids of the sections below "What goes wrong here"."""
    begin = MISTAKES[LANGUAGES.index(lang)].lower().replace(" ", "-")
    section = page.read_text("utf-8").partition(f'<h2 id="{begin}">')[2].partition("<h2")[0]
    return re.findall('<h3 id="([^"]+)"', section)


PASTE = """text => {
    const place = [...document.body.children].find((element) => element.shadowRoot).shadowRoot;
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, composed: true });
    place.querySelector("input").dispatchEvent(event);
}"""


# --- Language, light and dark, code, scripts


def place_in_words(page: Page) -> tuple[int, float]:
    """The number of the section that is being read, and how far down the window it began, in pixels."""
    return page.evaluate(
        """() => {
            const tops = [...document.querySelectorAll("article :is(h1, h2, h3)")].map(
                (heading) => heading.getBoundingClientRect().top);
            const number = tops.findLastIndex((top) => top <= 100);
            return [number, tops[number + 1] > 100 && number >= 0];
        }"""
    )


@pytest.mark.parametrize("link", ["header a[hreflang={}]", "article a[href*='../{}/']"])
def test_the_other_language_at_the_same_place(link, context, address):
    page = context.new_page()
    page.goto(f"{address}/en/p08_train.html")
    page.evaluate("document.getElementById('overfitting').scrollIntoView()")
    page.mouse.wheel(0, 250)
    page.wait_for_function("document.getElementById('overfitting').getBoundingClientRect().top < -100")
    before = place_in_words(page)
    page.locator(link.format("zh")).first.dispatch_event("click")
    page.wait_for_url("**/zh/p08_train.html*")
    page.wait_for_load_state("load")
    page.wait_for_function("scrollY > 500")
    assert place_in_words(page) == before
    assert page.evaluate("document.getElementById('过拟合').getBoundingClientRect().top") < 0, "within it"
    page.locator(link.format("en")).first.dispatch_event("click")
    page.wait_for_url("**/en/p08_train.html*")
    page.wait_for_function("scrollY > 500")
    assert place_in_words(page) == before


def ground(page: Page, selector: str) -> int:
    """How bright the background is, 0 to 255."""
    colour = page.locator(selector).first.evaluate("element => getComputedStyle(element).backgroundColor")
    return sum(map(int, re.findall(r"\d+", colour)[:3])) // 3


def figure(page: Page) -> str:
    return page.locator("article img[src*=figures]:visible").get_attribute("src")


def test_dark_by_the_system_and_by_choice(context, address):
    """Figures and scripts follow, and the choice holds in the other language too."""
    page = context.new_page()
    page.goto(f"{address}/en/p05_loss_optim.html")
    assert ground(page, "body") > 200 and "/light/en/" in figure(page)
    page.emulate_media(color_scheme="dark")
    page.reload()
    assert ground(page, "body") < 60 and "/dark/en/" in figure(page)
    page.locator(".source-line").first.click()
    script = page.frame_locator(".desk-script iframe")
    script.locator(":target").wait_for()
    assert script.locator("html").get_attribute("data-scheme") == "dark"
    page.locator("[data-md-component=palette] label:visible").click()  # from the system's to light
    script.locator("html[data-scheme=light]").wait_for(state="attached")
    assert ground(page, "body") > 200 and "/light/en/" in figure(page)
    page.goto(f"{address}/zh/p05_loss_optim.html")
    assert ground(page, "body") > 200 and "/light/zh/" in figure(page)


def test_the_figure_in_the_dark_is_dark(context, address, site):
    """It is drawn in the colours that its own stylesheet has for the dark, and the other one is not."""
    page = context.new_page()
    brightness = []
    for scheme in ("light", "dark"):
        page.goto(f"{address}/figures/{scheme}/en/p02_conv2d.svg")
        fill = page.evaluate("getComputedStyle(document.querySelector('rect')).fill")
        brightness.append(sum(map(int, re.findall(r"\d+", fill)[:3])) // 3)
    assert brightness[0] > 200 and brightness[1] < 60


def test_copy(context, address):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{address}/en/p05_loss_optim.html")
    block = page.locator("article .highlight").nth(1)
    block.locator("button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.strip("\n") == block.locator("code").inner_text().strip("\n")
    assert copied.strip("\n") in markdown("en", "p05_loss_optim")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_script_opens_beside_the_page_at_the_line(lang, context, address):
    page = context.new_page()
    page.goto(f"{address}/{lang}/index.html")
    row = page.locator("article tr", has=page.locator("code", has_text="loss.backward()"))
    link = row.locator("a[href*='/p05_loss_optim.html#L-']")
    link.scroll_into_view_if_needed()
    place = link.bounding_box()["y"]
    link.click()
    line = page.frame_locator(".desk-script iframe").locator(":target")
    assert line.inner_text().strip().startswith("loss.backward()")
    box, own = line.bounding_box(), page.locator("article").bounding_box()
    assert 0 < box["y"] < 900, "in sight"
    assert own["x"] + own["width"] <= box["x"] + 1, "beside each other"
    assert page.url.startswith(f"{address}/{lang}/index.html")
    assert link.bounding_box()["y"] == pytest.approx(place, abs=30), "what one reads stays where it was"
    page.keyboard.press("Escape")
    assert page.locator(".desk-script").is_hidden()
    assert link.bounding_box()["y"] == pytest.approx(place, abs=100)


def test_a_script_on_a_phone_is_a_page_of_its_own(browser, address):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(f"{address}/en/p05_loss_optim.html")
    page.locator(".source-line").first.click()
    page.wait_for_url("**/scripts/p05_loss_optim.html#L-*")
    assert page.locator(":target").is_visible()
    page.close()


def test_scripts_are_whole(context, address):
    """What the page of a script shows is the script; a copy comes without the numbers of the lines."""
    page = context.new_page()
    for name in ("p05_loss_optim", "tudui", "course/interrupt"):
        page.goto(f"{address}/scripts/{name}.html")
        script = (NOTES.parent / f"{name}.py").read_text("utf-8")
        assert page.locator("pre").evaluate("pre => pre.textContent").rstrip("\n") == script.rstrip("\n")
