"""The ``lessons`` command: what can be typed behind it, and which room does it.

The table of lessons and the help must answer at once, and torch alone takes seconds. So nothing here imports
torch, torchvision, tensorboard or numpy before a command needs it.
"""

import shlex
import sys
from datetime import datetime
from typing import Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from lessons.course import CourseError, course_dir, upkeep
from lessons.course.catalogue import find_lessons, last_run, select_lessons
from lessons.course.notes import LANGUAGES, NOTES, language, page_path, plain_page
from lessons.course.options import exit_code
from lessons.course.runner import console, run_lessons

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def main() -> None:
    """Entry point of the ``lessons`` command."""
    sys.exit(exit_code(lambda: app(prog_name="lessons", standalone_mode=False)))


@app.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """A course on convolutional networks in PyTorch. Without a command: the lessons, and where you are."""
    if ctx.invoked_subcommand is not None:
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("", justify="right", style="bold")
    for heading, ratio in (("lesson", 3), ("you will see", 4), ("last run", 3)):
        table.add_column(heading, ratio=ratio, overflow="fold")  # Chinese has no spaces to break a line at
    following = None
    for lesson in find_lessons().values():
        _, card = last_run(lesson)
        if card.get("status") != "ok" and following is None:
            following = lesson.number
        table.add_row(str(lesson.number), lesson.title, lesson.sees, run_summary(card))
    console.print(table)
    typer.echo(f"next:  lessons run {following or 'all'}      (or: lessons run, for all of them in order)")
    typer.echo("then:  lessons board      shows the results in TensorBoard; lessons --help has more")


def run_summary(card: dict[str, Any]) -> Text:
    """``24 Nov 14:03 ok``, and the result below it."""
    if not card:
        return Text("-")
    status = card["status"]
    colour = {"ok": "green", "running": "yellow"}.get(status, "red")
    when = f"{datetime.fromisoformat(card['started']):%d %b %H:%M}"
    return Text.assemble(f"{when} ", (status, colour), f"\n{card['result']}" if card["result"] else "")


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


@app.command()
def board(port: int = typer.Option(6006, min=0, max=65535)) -> None:
    """Show the logs in TensorBoard.

    On this machine alone (127.0.0.1), until Ctrl-C; on another port when the port is taken.
    """
    from lessons.course.board import start_board, wait_for_ctrl_c

    logs = course_dir("logs")
    if not any(logs.glob("*/*/run.json")):
        typer.echo("There are no runs yet: lessons run 1, in another terminal, makes one.")
    typer.echo(f"TensorBoard: {start_board(str(logs), port)}   (Ctrl-C ends it)")
    typer.echo(f"The same by hand: tensorboard --logdir {shlex.quote(str(logs))}")
    wait_for_ctrl_c()
    typer.echo("\nTensorBoard has ended.")


@app.command()
def notes(
    which: str = typer.Argument("", help="a lesson, as for lessons run; none shows the index"),
    lang: str = typer.Option("", help="zh or en; else LESSONS_LANG, else the system's language"),
) -> None:
    """Read a lesson's note in the terminal."""
    from rich.markdown import Markdown

    if lang not in ("", *LANGUAGES):
        raise CourseError(f"there are no notes in {lang!r}: choose {' or '.join(LANGUAGES)}")
    names = [lesson.name for lesson in select_lessons([which], find_lessons())] if which else ["index"]
    for name in names:
        path = page_path(name, lang or language())
        if not path.is_file():
            raise CourseError(f"{name} has no note yet in {NOTES}")
        console.print(Markdown(plain_page(path.read_text("utf-8"))))


@app.command()
def doctor() -> int:
    """Check what the course needs; says what to do."""
    return upkeep.doctor()


@app.command()
def download(what: str = typer.Argument(help="cifar10 or vgg16")) -> None:
    """Download real data or weights.

    cifar10: the real pictures, 170 MB; vgg16: its ImageNet weights, 528 MB.
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
