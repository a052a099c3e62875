"""The ``lessons`` command, and what makes a lesson's ``main`` a command line of its own.

Lessons are found by their file names and described by their docstrings, which are read and not imported: the
table and the help must answer at once, and torch alone takes seconds. So nothing here imports torch,
torchvision, tensorboard or numpy before a command needs it.
"""

import ast
import functools
import importlib
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lessons.course import CourseError, course_dir, course_home, torch_home
from lessons.course.memory import keep_freed_memory
from lessons.course.notes import LANGUAGES, NOTES, language, page_path, plain_page, title_and_see

LESSONS_DIR = Path(__file__).resolve().parents[1]  # the package that holds the lessons
VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # torchvision's IMAGENET1K_V1
VGG16_BYTES = 553_433_881
INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended
# What typer raises for a wrong word on the command line. It has no public name in typer; it had one in click.
UsageError = typer.BadParameter.__base__

# What the lessons' options mean, by parameter name.
HELP = {
    "dataset": "sketch10, cifar10, or a folder with train/<class>/* and test/<class>/*",
    "seed": "fixes all random numbers: the same seed, the same result on this machine",
    "epochs": "how often the network sees every training picture",
    "steps": "how many batches it works through",
    "batch_size": "pictures in a batch",
    "learning_rate": "how far the optimizer moves the weights at each step",
    "num_workers": "processes that prepare batches; 0 does it in this one",
    "pictures_per_class": "training pictures of each class",
    "recipe": "fast, or notes: plain SGD as in lesson 5; the options below change single ingredients",
    "patience": "stop early after so many epochs without a better test accuracy",
    "resume": "go on with the newest run; lesson 8: the newest interrupted one, with its own settings",
    "processes": "how many processes train together on this machine; under torchrun, it decides",
    "max_restarts": "how often all processes are started anew after one has failed",
    "timeout": "seconds to wait for another process before giving up",
    "momentum": "how much of the last steps' direction is kept",
    "weight_decay": "how strongly each step pulls the weights towards 0",
    "label_smoothing": "how much of each target is spread over all classes",
    "max_norm": "cut longer gradients to this length; 0 does not cut",
    "one_cycle": "let the learning rate rise and fall once over the whole training",
    "orthogonal": "first weights that stretch no direction more than another",
    "normalise": "give each channel of the pictures mean 0 and standard deviation 1",
    "mirror": "mirror about half of the training pictures, others in each epoch",
    "shift": "move training pictures by up to so many pixels",
    "channels_last": "keep the channels of a pixel side by side in memory",
    "bf16": "compute in bfloat16; fast only where the processor has instructions for it",
    "compile": "also measure torch.compile; by default on an accelerator alone",
    "checkpoint": "a .pth file of lesson 8 or a bare state_dict; by default lesson 8's newest best.pth",
    "device": "cpu, cuda, mps, ...; chosen by itself when not given",
    "image": "a picture of your own; give it again for more",
}
# Each folder of the course folder, by the word for it: what lies there, for `lessons clean`.
FOLDERS = {
    "logs": ("logs", "the curves and pictures of your runs"),
    "models": ("models_saved", "networks that lessons saved, and downloaded weights"),
    "data": ("data", "Sketch10 (drawn again when needed), downloads, and what you put there"),
}

# No markup: a result such as "[a] 3" is text. Rich leaves colours out by itself when this is no terminal.
console = Console(markup=False, highlight=False, emoji=False)
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def main() -> None:
    """Entry point of the ``lessons`` command."""
    sys.exit(exit_code(lambda: app(prog_name="lessons", standalone_mode=False)))


def command_line(main: Callable[..., Any]) -> None:
    """Run a lesson's ``main`` as a command; its parameters are the options. Ends the process."""

    def run() -> None:
        options = parse_options(main)
        if options is not None:
            keep_freed_memory()
            main(**options)

    sys.exit(exit_code(run))


def exit_code(work: Callable[[], int | None]) -> int:
    """Do the work and return the exit code; what a learner can cause becomes one line, not a traceback."""
    try:
        code = work() or 0
    except (CourseError, UsageError) as error:
        complain(error)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        typer.secho("Stopped.", err=True)
    return code


def complain(error: Exception) -> None:
    """One red line on stderr."""
    message = error.format_message() if isinstance(error, UsageError) else error
    typer.secho(f"Error: {message}", fg="red", err=True)


def parse_options(
    main: Callable[..., Any], args: list[str] | None = None, prog_name: str | None = None
) -> dict[str, Any] | None:
    """The arguments for ``main`` from a command line, by default this process's; None after ``--help``.

    Parsed apart from the call, so that nothing runs when a later word is wrong, and so that what ``main``
    raises is not taken for the parser's.
    """

    @functools.wraps(main)
    def options(**given: Any) -> dict[str, Any]:
        return given

    signature = inspect.signature(main)
    options.__signature__ = signature.replace(
        parameters=[
            parameter.replace(default=typer.Option(parameter.default, help=HELP[name]))
            if name in HELP
            else parameter
            for name, parameter in signature.parameters.items()
        ]
    )
    doc = inspect.getdoc(inspect.getmodule(main)) or ""
    command = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    # "\b" alone on a line keeps typer from joining the lines of an indented paragraph, such as an example.
    command.command(help=re.sub(r"\n\n(?=\s)", "\n\n\b\n", doc))(options)
    given = command(args, prog_name=prog_name, standalone_mode=False)
    return given if isinstance(given, dict) else None


class Lesson(NamedTuple):
    """A lesson's file, and what its docstring says."""

    number: int
    path: Path
    title: str
    sees: str

    @property
    def name(self) -> str:
        return self.path.stem


def find_lessons() -> dict[int, Lesson]:
    """The lessons by number, in order. Reads their docstrings without importing them."""
    lessons = {}
    for path in sorted(LESSONS_DIR.glob("p[0-9][0-9]_*.py")):
        number = int(path.stem[1:3])
        try:
            doc = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        except (SyntaxError, ValueError) as error:  # a lesson that the learner is just changing
            doc = f"{path.stem}\n\nYou will see: this file is no Python at the moment ({error})"
        title = doc.partition("\n")[0]
        sees = re.search(r"^You will see:\s*(.*?)(\n\s*\n|\Z)", doc, re.DOTALL | re.MULTILINE)
        sees = " ".join(sees[1].split()) if sees else ""
        if language() != "en":  # the page has them in the reader's language, the docstring in English
            title, sees = title_and_see(path.stem) or (title, sees)
        lessons[number] = Lesson(number, path, title.removeprefix(f"{number}. "), sees)
    return lessons


def last_run(lesson: Lesson) -> tuple[Path | None, dict[str, Any]]:
    """The newest run folder of a lesson and its card; (None, {}) before the first run."""
    for path in sorted(
        course_home().glob(f"logs/{lesson.name}/*/run.json"), key=os.path.getmtime, reverse=True
    ):
        try:
            return path.parent, json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):  # half written by a run that was killed: the one before it
            continue
    return None, {}


@app.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """A course on convolutional networks in PyTorch. Without a command: the lessons, and where you are."""
    if ctx.invoked_subcommand is not None:
        return
    lessons = find_lessons()
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("", justify="right", style="bold")
    for heading, ratio in (("lesson", 3), ("you will see", 4), ("last run", 3)):
        table.add_column(heading, ratio=ratio, overflow="fold")  # Chinese has no spaces to break a line at
    following = None
    for lesson in lessons.values():
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


def select_lessons(words: list[str], lessons: dict[int, Lesson]) -> list[Lesson]:
    """The lessons that the words name, in the order of the course.

    A word is ``all``, a number (``5``, ``p05``), a range (``3-5``), a name (``p05_loss_optim``, also with
    folder and ``.py``), or several of these with commas between them.

    Raises:
        CourseError: for a word that names no lesson.
    """
    by_name = {lesson.name: number for number, lesson in lessons.items()}
    chosen: set[int] = set()
    for word in re.findall("[^,]+", ",".join(words)) or ["all"]:
        numbers = re.fullmatch(r"p?([0-9]+)(?:-p?([0-9]+))?", word)
        if word == "all":
            named = set(lessons)
        elif numbers:
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            both_exist = {first, last} <= lessons.keys()  # asked first: 1-999999999 is a slip, not a set
            named = {number for number in lessons if both_exist and first <= number <= last}
        else:
            named = {by_name.get(Path(word).stem, -1)}
        if not named or not named <= lessons.keys():
            known = ", ".join(lesson.name for lesson in lessons.values())
            raise CourseError(f"there is no lesson {word!r}; there are {known}")
        chosen |= named
    return [lessons[number] for number in sorted(chosen)]


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
)
def run(ctx: typer.Context) -> int:
    """Run lessons, in order, in one process.

    lessons run [all|5|p05|3-5] [--dataset NAME] [--seed N]. One lesson alone takes its own options too:
    lessons run 5 --epochs 3; lessons run 5 --help lists them.
    """
    words = list(ctx.args)
    split = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    words, options = words[:split], words[split:]
    if options == ["--help"] and not words:
        typer.echo(ctx.get_help())
        return 0
    chosen = select_lessons(words, find_lessons())

    def prepare(lesson: Lesson) -> tuple[Callable[..., Any], dict[str, Any] | None]:
        lesson_main = importlib.import_module(f"lessons.{lesson.name}").main
        words = shared_options(lesson_main, options, len(chosen))
        return lesson_main, parse_options(lesson_main, words, lesson.name)

    # A wrong option is told before anything runs. A lesson that cannot be imported fails when its turn comes.
    for lesson in chosen if options else []:
        try:
            if prepare(lesson)[1] is None:  # --help
                return 0
        except (CourseError, UsageError):
            raise
        except Exception:
            continue

    keep_freed_memory()
    rows, failures = [], []
    start = time.perf_counter()
    try:
        for lesson in chosen:
            console.rule(f"{lesson.number}. {lesson.title}")
            before = time.perf_counter()
            try:
                lesson_main, arguments = prepare(lesson)
                lesson_main(**arguments)
                status = "ok"
            except CourseError as error:
                complain(error)
                status = "wrong input"
            except (Exception, SystemExit):  # the learner's own change: the usual traceback, then go on
                traceback.print_exc()
                status = "failed"
            if status != "ok":
                failures.append(status)
            rows.append((lesson, status, time.perf_counter() - before))
    except KeyboardInterrupt:
        rows.append((lesson, "interrupted", time.perf_counter() - before))
        return INTERRUPTED
    finally:
        show_runs(rows, time.perf_counter() - start)
    return 0 if not failures else 2 if failures == ["wrong input"] and len(chosen) == 1 else 1


def shared_options(lesson_main: Callable[..., Any], options: list[str], lessons_chosen: int) -> list[str]:
    """The words behind the lessons' names that go to this lesson.

    All of them for a lesson alone. Several lessons share ``--dataset`` and ``--seed``, each where it has it.

    Raises:
        CourseError: for another option when several lessons are to run.
    """
    if lessons_chosen == 1:
        return options
    known = inspect.signature(lesson_main).parameters
    passed = []
    words = iter(options)
    for word in words:
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            raise CourseError(
                f"{word!r} comes too late: lessons first, then options, as in lessons run 5 --seed 3"
            )
        if name not in ("--dataset", "--seed"):
            raise CourseError(
                f"{word!r} is an option of single lessons: name one, as in lessons run 5 {word}"
            )
        value = value if equals else next(words, None)
        if value is None:
            raise CourseError(f"{name} wants a value")
        if name[2:] in known:
            passed += [name, value]
    return passed


def show_runs(rows: list[tuple[Lesson, str, float]], seconds: float) -> None:
    """The table at the end of a run: what it took, where it lies, what to look at."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    for heading, ratio in (("lesson", 2), ("seconds", None), ("run folder", 4), ("in TensorBoard", 5)):
        table.add_column(heading, ratio=ratio, overflow="fold", justify="right" if ratio is None else "left")
    for lesson, status, took in rows:
        folder, card = last_run(lesson) if status == "ok" else (None, {})
        where = str(folder.relative_to(course_home())) if folder else status
        look_at = "\n".join(" ".join(line.split()) for line in card.get("look_at", []))
        table.add_row(lesson.name, f"{took:.1f}", where, look_at)
    if any(status == "ok" for _, status, _ in rows):
        console.print(table)
        typer.echo(f"{seconds:.0f} s in all. See it: lessons board")


@app.command()
def board(port: int = typer.Option(6006, min=0, max=65535)) -> None:
    """Show the logs in TensorBoard.

    On this machine alone (127.0.0.1), until Ctrl-C; on another port when the port is taken.
    """
    import logging

    from tensorboard import program

    logs = course_dir("logs")
    if not any(logs.glob("*/*/run.json")):
        typer.echo("There are no runs yet: lessons run 1, in another terminal, makes one.")
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    # 200 pictures a tag instead of 10, so that no logged step is missing. The fast loader would be a process
    # of its own, which cannot show what the samples setting asks for.
    options = ["--load_fast", "false", "--samples_per_plugin", "images=200,text=50"]
    for attempt in (port, 0):  # 0: any free port
        server = program.TensorBoard()
        server.configure(
            argv=[None, "--logdir", str(logs), "--host", "127.0.0.1", "--port", str(attempt), *options]
        )
        try:
            address = server.launch()
            break
        except program.TensorBoardServerException:
            typer.echo(f"Port {port} is taken; taking another one.")
    else:
        raise CourseError("TensorBoard could not start on any port of 127.0.0.1")
    typer.echo(f"TensorBoard: {address}   (Ctrl-C ends it)")
    typer.echo(f"The same by hand: tensorboard --logdir {shlex.quote(str(logs))}")
    sys.stdout.flush()
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
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
    broken = 0

    def line(good: bool | None, name: str, told: str) -> None:
        nonlocal broken
        broken += good is False
        mark = {True: typer.style("ok  ", fg="green"), None: "-   ", False: typer.style("mend", fg="red")}[
            good
        ]
        typer.echo(f"{mark} {name:<13} {told}")

    version = ".".join(map(str, sys.version_info[:3]))
    line(sys.version_info >= (3, 10), "Python", f"{version} at {sys.executable}")
    modules = {}
    for name in ("torch", "torchvision", "tensorboard"):
        try:
            modules[name] = importlib.import_module(name)
            line(True, name, modules[name].__version__)
        except Exception as error:  # a broken install raises anything
            told = f"{type(error).__name__}: {error}"
            if "torchvision::nms" in told:
                told += "; torch and torchvision are no pair"
            line(
                False,
                name,
                f'{told}. Do: pip install --force-reinstall torch torchvision "tensorboard>=2.21"',
            )
    if torch := modules.get("torch"):
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        line(True, "device", str(accelerator or f"cpu, {torch.get_num_threads()} threads"))

    home = course_home()
    line(True, "course folder", f"{home} (LESSONS_HOME moves it)")
    free = shutil.disk_usage(next(folder for folder in (home, *home.parents) if folder.exists())).free / 1e9
    line(free > 2 or None, "free disk", f"{free:.0f} GB" + ("" if free > 2 else "; lesson 7 wants 1.5 GB"))
    data = home / "data"
    sketch10 = (data / "sketch10-batches-py" / "checksums.json").exists()
    line(sketch10 or None, "sketch10", "drawn" if sketch10 else "will be drawn when a lesson first wants it")
    cifar10 = (data / "cifar-10-batches-py").is_dir() or (data / "cifar-10-python.tar.gz").is_file()
    line(
        cifar10 or None,
        "cifar10",
        f"in {data}" if cifar10 else "not here, not needed; lessons download cifar10",
    )
    vgg = vgg16_file()
    line(
        vgg.is_file() or None,
        "vgg16",
        str(vgg) if vgg.is_file() else "not here, not needed; lessons download vgg16",
    )
    return int(broken > 0)


def vgg16_file() -> Path:
    """Where torchvision looks for the weights of VGG16."""
    return torch_home() / "hub" / "checkpoints" / VGG16_URL.rpartition("/")[2]


@app.command()
def download(what: str = typer.Argument(help="cifar10 or vgg16")) -> None:
    """Download real data or weights.

    cifar10: the real pictures, 170 MB; vgg16: its ImageNet weights, 528 MB.
    """
    if what == "cifar10":
        from lessons.course.datasets import CIFAR10, dataset_line

        data = course_dir("data")
        typer.echo(dataset_line(*(CIFAR10(data, train=train, download=train) for train in (True, False))))
        typer.echo("Use it: lessons run 5 --dataset cifar10, or set LESSONS_DATASET=cifar10")
    elif what == "vgg16":
        file = vgg16_file()
        if file.is_file():
            typer.echo(f"Already there: {file}")
            return
        import socket
        from http.client import HTTPException

        import torch

        socket.setdefaulttimeout(60)  # torch sets none: it would wait for ever on a line that has gone silent
        typer.echo(f"Downloading {VGG16_BYTES / 2**20:.0f} MB to {file} (TORCH_HOME moves it)")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:  # to a temporary name; renamed when the hash in the file's name is right
            torch.hub.download_url_to_file(VGG16_URL, str(file), hash_prefix=file.stem.partition("-")[2])
        except (OSError, HTTPException, RuntimeError) as error:
            raise CourseError(
                f"the download failed ({error}); by hand: save {VGG16_URL} as {file}, then run lesson 6 again"
            ) from error
    else:
        raise CourseError(f"there is no download {what!r}: choose cifar10 or vgg16")


@app.command()
def clean(
    what: str = typer.Argument("all", help="logs, models, data or all"),
    yes: bool = typer.Option(False, "--yes", help="do not ask"),
) -> None:
    """Free disk space; asks first."""
    if what not in (*FOLDERS, "all"):
        raise CourseError(f"there is nothing called {what!r} to clean: choose {', '.join(FOLDERS)} or all")
    doomed = []
    for word in FOLDERS if what == "all" else [what]:
        name, told = FOLDERS[word]
        folder = course_home() / name
        if folder.is_symlink():  # what it leads to may hold more than the course
            typer.echo(f"{word:<7} left alone: {folder} is a link to {folder.resolve()}")
            continue
        entries = [entry for entry in folder.glob("*") if entry.name != ".gitkeep"]
        files = [
            Path(top, file)
            for entry in entries
            for top, _, names in ([(folder, [], [entry.name])] if is_leaf(entry) else os.walk(entry))
            for file in names
        ]
        size = sum(file.lstat().st_size for file in files)
        typer.echo(f"{word:<7} {size / 1e6:10,.1f} MB in {len(files):,} files: {told}")
        doomed += entries
    if not doomed:
        typer.echo("Nothing to remove.")
    elif yes or typer.confirm("Remove this?"):
        for entry in doomed:
            entry.unlink() if is_leaf(entry) else shutil.rmtree(entry)
        typer.echo("Removed.")


def is_leaf(path: Path) -> bool:
    """A file, or a link, which is removed itself and never followed."""
    return path.is_symlink() or not path.is_dir()


if __name__ == "__main__":
    main()
