"""The ``lessons`` command: what can be typed behind it, and which room does it.

The table of lessons and the help must answer at once, and torch alone takes seconds. So nothing here imports
torch, torchvision, tensorboard or numpy before a command needs it.
"""

import re
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.text import Text

from lessons.course import CourseError, upkeep
from lessons.course.catalogue import Lesson, find_lessons, last_run, select_lessons
from lessons.course.hosts import LOCAL
from lessons.course.interrupt import at_once
from lessons.course.notes import LANGUAGES, NOTES, language, page_path, plain_page
from lessons.course.options import exit_code
from lessons.course.practice import verbs
from lessons.course.practice.desk import done_by_lesson
from lessons.course.runner import how_it_ended, run_lessons
from lessons.course.screen import NUMBER, Column, console, show_table
from lessons.course.script import run_script
from lessons.course.words import say

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
HOST = typer.Option(LOCAL, help="the address to listen on; 0.0.0.0 lets others in, too")
app.add_typer(verbs.app, name="practice")


def main() -> None:
    """The ``lessons`` command. Ends the process."""
    sys.exit(exit_code(lambda: app(prog_name="lessons", standalone_mode=False)))


@app.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """A course on convolutional networks in PyTorch. Without a command: the lessons, and where you are."""
    if ctx.invoked_subcommand is not None:
        return
    cards = {lesson: last_run(lesson)[1] for lesson in find_lessons().values()}
    show_lessons(cards)
    following = next((lesson for lesson, card in cards.items() if card.get("status") != "ok"), None)
    typer.echo()
    if following is None:
        typer.echo(say("all done"))
        return
    if following.sees:
        console.print(say("see", following.number, following.sees))
    typer.echo(say("next", following.number))
    typer.echo(say("then", following.number))


def show_lessons(cards: dict[Lesson, dict[str, Any]]) -> None:
    """The lessons and, once there is one, how the last run of each ended.

    Where whole titles do not fit beside that, they all end at their colon.
    """
    practised = done_by_lesson()
    titles = [lesson.title for lesson in cards]
    practice = [practised.get(lesson.number, "") for lesson in cards]
    columns = [Column(say("lesson")), Column(say("practice"), 8)]
    cells: list[Sequence[str | Text]] = [titles, practice]
    if any(cards.values()):
        columns[1:1] = [Column(say("ran"), 8), Column(say("result"))]
        began = [when_it_began(card) if card else "-" for card in cards.values()]
        ended = [how_it_ended(card) if card else Text() for card in cards.values()]
        room = console.width - 26 - max(result.cell_len for result in ended)  # 26: of the short columns
        if max(map(cell_len, titles)) > room:
            titles = [re.split("[:：]", title)[0] for title in titles]
        cells = [titles, began, ended, practice]
    numbers = [str(lesson.number) for lesson in cards]
    show_table([NUMBER, *columns], zip(numbers, *cells, strict=True))


def when_it_began(card: dict[str, Any]) -> str:
    """The time of day for a run of today, else the day."""
    began = datetime.fromisoformat(card["started"])
    return f"{began:%H:%M}" if began.date() == datetime.now().date() else say("day", began)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def run(ctx: typer.Context) -> int:
    """Run lessons, in order, in one process.

    lessons run [all|5|p05|3-5] [--dataset NAME] [--seed N]. One lesson alone takes its own options too:
    lessons run 5 --epochs 3; lessons run 5 --help lists them.
    """
    split = next((index for index, word in enumerate(ctx.args) if word.startswith("-")), len(ctx.args))
    words, options = ctx.args[:split], ctx.args[split:]
    if options == ["--help"] and not words:
        typer.echo(ctx.get_help())
        return 0
    return run_lessons(select_lessons(words, find_lessons()), options)


@app.command(
    context_settings={
        "allow_extra_args": True,
        "allow_interspersed_args": False,
        "ignore_unknown_options": True,
    }
)
def why(
    ctx: typer.Context,
    script: Path = typer.Argument(help="a script of your own; what follows it is the script's"),  # noqa: B008
    traceback: bool = typer.Option(False, "--traceback", help="show Python's traceback too"),
) -> int:
    """Run a script; explain a shape that does not fit.

    lessons why my_script.py [its arguments]: which layer, how the shapes came about, what to change.
    """
    return run_script(script, ctx.args, traceback)


@app.command()
def board(
    which: Annotated[
        list[str] | None, typer.Argument(help="lessons, as for lessons run; none shows all")
    ] = None,
    port: int = typer.Option(6006, min=0, max=65535),
    host: str = HOST,
) -> None:
    """Show the logs in TensorBoard.

    lessons board [all|5|p05|3-5] [--port N]: of these lessons alone. For this machine alone, without --host;
    until Ctrl-C; on another port when the port is taken.
    """
    chosen = select_lessons(which or [], find_lessons())
    with at_once():  # TensorBoard takes a while
        from lessons.course.board import show_board

    show_board(chosen, port, host)


@app.command()
def notes(
    which: str = typer.Argument("", help="a lesson, as for lessons run; none shows the index"),
    lang: str = typer.Option("", help="zh or en; else LESSONS_LANG, else the system's language"),
) -> None:
    """Read a lesson's note in the terminal."""
    from rich.markdown import Markdown

    for path in notes_pages(which, lang):
        console.print(Markdown(plain_page(path.read_text("utf-8"))))


def notes_pages(which: str, lang: str) -> list[Path]:
    """The pages that ``lessons notes`` and ``lessons read`` are asked for."""
    if lang not in ("", *LANGUAGES):
        raise CourseError(f"there are no notes in {lang!r}: choose {' or '.join(LANGUAGES)}")
    names = [lesson.name for lesson in select_lessons([which], find_lessons())] if which else ["index"]
    paths = [page_path(name, lang or language()) for name in names]
    for path in paths:
        if not path.is_file():
            raise CourseError(f"{path.stem} has no note yet in {NOTES}")
    return paths


@app.command()
def read(
    which: str = typer.Argument("", help="a lesson, as for lessons run; none shows the index"),
    lang: str = typer.Option("", help="zh or en; else LESSONS_LANG, else the system's language"),
    to: Annotated[Path | None, typer.Option(help="write the site into this folder, for a web server")] = None,
    browser: bool = typer.Option(True, help="open the page in the browser"),
    port: int = typer.Option(8000, min=0, max=65535),
    host: str = HOST,
) -> None:
    """Read the notes in the browser.

    For this machine alone, without --host; until Ctrl-C; on another port when the port is taken.
    """
    from lessons.course import site

    name = notes_pages(which, lang)[0].stem
    if to is None:
        site.read(name, lang or language(), port, browser, host)
        return
    try:
        site.write_site(to)
    except OSError as error:
        raise CourseError(f"the site cannot be written to {to}: {error.strerror}") from error
    typer.echo(say("site written", to.resolve()))


@app.command()
def doctor() -> int:
    """Check what the course needs; says what to do."""
    return upkeep.doctor()


@app.command()
def download(what: str = typer.Argument(help="cifar10 or vgg16")) -> None:
    """Download real data or weights.

    cifar10: the real pictures, 170 MB; vgg16: its ImageNet weights, 553 MB.
    """
    upkeep.download(what)


@app.command()
def clean(
    what: str = typer.Argument("all", help="logs, models, data or all"),
    yes: bool = typer.Option(False, "--yes", help="do not ask"),
) -> None:
    """Free disk space; asks first."""
    upkeep.clean(what, ask=not yes)


if __name__ == "__main__":
    main()
