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
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lessons.course import CourseError, course_dir, course_home, torch_home

LESSONS_DIR = Path(__file__).resolve().parents[1]  # the package that holds the lessons
VGG16_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"  # VGG16_Weights.IMAGENET1K_V1.url
VGG16_BYTES = 553_433_881
INTERRUPTED = 130  # the exit code after Ctrl-C
# What typer raises for a wrong command line. Only click, which newer typers do without, has a public name for it.
UsageError = typer.BadParameter.__base__

# What the lessons' options mean, by parameter name.
HELP = {
    "dataset": "sketch10, cifar10, or a folder with train/<class>/* and test/<class>/*",
    "seed": "fixes all random numbers: the same seed, the same result on this machine",
    "epochs": "how often the network sees every training picture",
    "steps": "how many batches are worked through",
    "batch_size": "pictures in a batch",
    "learning_rate": "how far the optimizer moves the weights at each step",
    "num_workers": "processes that prepare batches; 0: none beside this one",
    "pictures_per_class": "training pictures of each class",
    "device": "cpu, cuda, mps, ...; chosen by itself when not given",
    "image": "a picture of your own; may be repeated",
}
# What `lessons clean` can empty: the word for it, the folder in the course folder, and what lies there.
CLEANABLE = {
    "logs": ("logs", "the curves and pictures of your runs"),
    "models": ("models_saved", "saved networks and downloaded weights"),
    "data": ("data", "drawn and downloaded pictures, and what you put there"),
}

# No markup: a result such as "[b] 3" is text. rich leaves out colours by itself where there is no terminal.
console = Console(markup=False, highlight=False, emoji=False)
TYPER_SETTINGS = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}
app = typer.Typer(**TYPER_SETTINGS)


def main() -> None:
    """Entry point of the ``lessons`` command."""
    sys.exit(exit_code(lambda: app(prog_name="lessons", standalone_mode=False)))


def command_line(main: Callable[..., Any]) -> None:
    """Run a lesson's ``main`` as a command: its parameters are the options. Ends the process."""

    def run_main() -> None:
        options = parse_options(main)
        if options is not None:
            main(**options)

    sys.exit(exit_code(run_main))


def exit_code(work: Callable[[], int | None]) -> int:
    """Do the work and return its exit code; what a learner can cause becomes one line, not a traceback."""
    try:
        code = work() or 0
    except (CourseError, UsageError) as error:
        complain(error)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    if code == INTERRUPTED:
        typer.echo("Stopped.", err=True)
    return code


def complain(error: Exception) -> None:
    """One red line on stderr."""
    message = error.format_message() if isinstance(error, UsageError) else error
    typer.secho(f"Error: {message}", fg="red", err=True)


def parse_options(
    main: Callable[..., Any], args: list[str] | None = None, prog_name: str | None = None
) -> dict[str, Any] | None:
    """The arguments for ``main`` from ``args``, by default this process's; None when ``--help`` was answered.

    Apart from the call, so that nothing has run when the last word is wrong, and so that typer does not handle
    what ``main`` raises.
    """

    @functools.wraps(main)
    def options(**given: Any) -> dict[str, Any]:
        return given

    signature = inspect.signature(main)
    with_help = [
        parameter.replace(default=typer.Option(parameter.default, help=HELP[name]))
        if name in HELP
        else parameter
        for name, parameter in signature.parameters.items()
    ]
    options.__signature__ = signature.replace(parameters=with_help)
    doc = inspect.getdoc(inspect.getmodule(main)) or ""
    command = typer.Typer(**TYPER_SETTINGS)
    # A line with only \b keeps typer from joining the lines of an indented paragraph, such as an example.
    command.command(help=re.sub(r"\n\n(?=[ \t])", "\n\n\b\n", doc))(options)
    given = command(args, prog_name=prog_name, standalone_mode=False)
    return given if isinstance(given, dict) else None


class Lesson(NamedTuple):
    """A lesson's number, the stem of its file, and what its docstring says."""

    number: int
    name: str
    title: str
    sees: str


def find_lessons() -> dict[int, Lesson]:
    """The lessons by number, in order."""
    lessons = {}
    for path in sorted(LESSONS_DIR.glob("p[0-9][0-9]_*.py")):
        number = int(path.stem[1:3])
        try:
            doc = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        except (SyntaxError, ValueError) as error:  # the learner is in the middle of changing it
            doc = f"{path.stem}\n\nYou will see: nothing yet, this file is no Python at present: {error}"
        title = doc.partition("\n")[0].removeprefix(f"{number}. ")
        sees = re.search(r"^You will see:(.*?)(?:\n\s*\n|\Z)", doc, re.DOTALL | re.MULTILINE)
        lessons[number] = Lesson(number, path.stem, title, " ".join(sees[1].split()) if sees else "")
    return lessons


def last_run(lesson: Lesson) -> tuple[Path | None, dict[str, Any]]:
    """The newest run folder of a lesson and its card, the contents of run.json; (None, {}) without any."""
    cards = course_home().glob(f"logs/{lesson.name}/*/run.json")
    for path in sorted(cards, key=os.path.getmtime, reverse=True):
        try:
            return path.parent, json.loads(path.read_text("utf-8"))
        except (OSError, ValueError):  # half written when the power went: the run before it is the last one
            continue
    return None, {}


@app.callback(invoke_without_command=True)
def overview(ctx: typer.Context) -> None:
    """A course on convolutional networks in PyTorch. Without a command: the lessons, and how far you are."""
    if ctx.invoked_subcommand is not None:
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column("lesson", style="bold", ratio=3)
    table.add_column("you will see", ratio=4)
    table.add_column("last run", ratio=3)
    todo = []
    for lesson in find_lessons().values():
        _, card = last_run(lesson)
        if card.get("status") != "ok":
            todo.append(lesson.number)
        table.add_row(str(lesson.number), lesson.title, lesson.sees, run_summary(card))
    console.print(table)
    typer.echo(f"Next: lessons run {todo[0] if todo else 1}  (lessons run: all, in order)")
    typer.echo("Then: lessons board  (the runs in TensorBoard); more: lessons --help")


def run_summary(card: dict[str, Any]) -> Text:
    """``24 Nov 14:03 ok``, and the result below."""
    if not card:
        return Text("-")
    started = datetime.fromisoformat(card["started"])
    colour = {"ok": "green", "running": "yellow"}.get(card["status"], "red")
    result = f"\n{card['result']}" if card["result"] else ""
    return Text.assemble(f"{started:%d %b %H:%M} ", (card["status"], colour), result)


def select_lessons(words: list[str], lessons: dict[int, Lesson]) -> list[Lesson]:
    """The lessons that the words name, in the order of the course; all when there are no words.

    A word is ``all``, a number (``5``, ``p05``), a range (``3-5``), a lesson's name or file, or several of
    these with commas between them. CourseError for one that names no lesson.
    """
    chosen: set[int] = set()
    for word in re.findall("[^,]+", ",".join(words)) or ["all"]:
        if word == "all":
            found = set(lessons)
        elif numbers := re.fullmatch("p?([0-9]+)(?:-p?([0-9]+))?", word):
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
            both_exist = {first, last} <= lessons.keys()
            found = {number for number in lessons if both_exist and first <= number <= last}
        else:
            found = {number for number, lesson in lessons.items() if lesson.name == Path(word).stem}
        if not found:
            known = ", ".join(f"{lesson.number} ({lesson.name})" for lesson in lessons.values())
            raise CourseError(f"{word!r} names no lesson; there are {known}.")
        chosen |= found
    return [lessons[number] for number in sorted(chosen)]


def import_main(lesson: Lesson) -> Callable[..., Any]:
    """The ``main`` of a lesson. This is where torch is imported."""
    return importlib.import_module(f"{LESSONS_DIR.name}.{lesson.name}").main


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    ctx: typer.Context,
    which: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WHICH]...", help="all, 5, p05, p05_loss_optim, 3-5 or 1,4; by default all"),
    ] = None,
    dataset: Annotated[str | None, typer.Option(help=HELP["dataset"])] = None,
    seed: Annotated[int | None, typer.Option(help=HELP["seed"])] = None,
    show_help: Annotated[
        bool, typer.Option("--help", help="Show this; after one lesson, what it teaches and its options.")
    ] = False,
) -> int:
    """Run lessons in one process, in order.

    After exactly one lesson, its own options may follow: lessons run 5 --epochs 3
    """
    # typer leaves the options that it does not know among the words: they are the lesson's own.
    words = which or []
    options_from = next((place for place, word in enumerate(words) if word.startswith("-")), len(words))
    own = words[options_from:] + ["--help"] * show_help
    if own == ["--help"] and not words:
        typer.echo(ctx.get_help())
        return 0
    chosen = select_lessons(words[:options_from], find_lessons())
    if own:
        if len(chosen) > 1:
            raise CourseError(f"{own[0]} needs exactly one lesson before it, as in: lessons run 5 {own[0]}")
        # Looked at before anything runs: a wrong option is refused, --help answered.
        if parse_options(import_main(chosen[0]), own, f"lessons run {chosen[0].number}") is None:
            return 0
    common = {"dataset": dataset, "seed": seed}
    return run_lessons(chosen, own, {name: value for name, value in common.items() if value is not None})


def run_lessons(chosen: list[Lesson], own: list[str], common: dict[str, Any]) -> int:
    """Run the lessons, going on after one that fails, and end with a table. Returns the exit code.

    Args:
        chosen: the lessons.
        own: command-line options for each of them.
        common: arguments for those that have such parameters.
    """
    table = Table("lesson", "seconds", "run folder", "to look at in TensorBoard", box=box.SIMPLE, pad_edge=False)
    start, code = time.perf_counter(), 0
    for lesson in chosen:
        console.rule(f"{lesson.number}. {lesson.title}")
        lesson_start, (folder_before, _) = time.perf_counter(), last_run(lesson)
        status = "ok"
        try:
            main = import_main(lesson)
            parameters = inspect.signature(main).parameters
            for name in common.keys() - parameters:
                typer.echo(f"(this lesson takes no --{name})")
            shared = {name: value for name, value in common.items() if name in parameters}
            main(**parse_options(main, own) | shared)
        except CourseError as error:
            complain(error)
            status, code = "failed", 2 if len(chosen) == 1 else 1
        except KeyboardInterrupt:
            status, code = "stopped", INTERRUPTED
        except (Exception, SystemExit):
            traceback.print_exc()
            status, code = "failed", 1
        seconds = f"{time.perf_counter() - lesson_start:.1f}"
        folder, card = last_run(lesson)
        made_a_run = folder is not None and folder != folder_before
        table.add_row(
            lesson.name,
            seconds if status == "ok" else Text(f"{seconds}\n{status}", "red"),
            # On two lines: the path in one piece would leave the last column no room in 80 columns.
            f"{folder.parent.relative_to(course_home())}{os.sep}\n{folder.name}" if made_a_run else "-",
            "\n".join(card["look_at"]) if made_a_run else "-",
        )
        if code == INTERRUPTED:
            break
    console.print(table)
    typer.echo(f"{time.perf_counter() - start:.1f} s in all. lessons board shows the runs in TensorBoard.")
    return code


@app.command()
def board(
    port: Annotated[int, typer.Option(min=0, max=65535, help="another is taken when it is in use")] = 6006,
) -> None:
    """Show the runs in TensorBoard, on this machine only, until Ctrl-C."""
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
        from tensorboard import program

        def serve(wsgi_app: Callable[..., Any], flags: Any) -> program.TensorBoardServer:
            # TensorBoard looks for a free port by itself, but only when none was asked for.
            try:
                return program.WerkzeugServer(wsgi_app, flags)
            except program.TensorBoardPortInUseError:
                typer.echo(f"Port {flags.port} is in use: taking another one.")
                flags.port = None
                return program.create_port_scanning_werkzeug_server(wsgi_app, flags)

        logs = course_dir("logs")
        if not any(logs.glob("*/*/run.json")):
            typer.echo("No runs yet: lessons run 1 makes the first; then reload the page.")
        # By itself TensorBoard keeps only 10 of a run's pictures under each name.
        options = ["--logdir", str(logs), "--samples_per_plugin", "images=200"]
        # load_fast wants a server written in Rust, which is not there on all systems.
        local = ["--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"]
        tensorboard = program.TensorBoard(server_class=serve)
        tensorboard.configure(argv=[None, *options, *local])
        try:
            address = tensorboard.launch()
        except program.TensorBoardServerException as error:
            raise CourseError(error.msg) from error
        typer.echo(f"TensorBoard: {address}  (Ctrl-C ends it)")
        typer.echo(f"The same by hand: {shlex.join(['tensorboard', *options])}")
        while True:
            time.sleep(1)  # TensorBoard serves in a thread of its own
    except KeyboardInterrupt:
        typer.echo("TensorBoard has ended.")


@app.command()
def doctor() -> int:
    """Look at Python, the libraries, the device, the disk, the data sets and the weights."""
    code = 0
    for state, what, finding in diagnoses():
        colour = {"ok": "green", "note": "yellow"}.get(state, "red")
        typer.echo(f"{typer.style(f'{state:<6}', colour)}  {what:<13}  {finding}")
        if state == "broken":
            code = 1
    return code


def diagnoses() -> Iterator[tuple[str, str, str]]:
    """Each thing the course needs: ``ok``, ``note`` or ``broken``; its name; what was found or what to do."""
    from importlib.metadata import version

    python = sys.version.split()[0]
    yield "ok" if sys.version_info >= (3, 10) else "broken", "Python", f"{python} in {sys.prefix} (3.10 or newer)"
    modules = {}
    for package, module in (
        ("torch", "torch"),
        ("torchvision", "torchvision"),
        ("tensorboard", "torch.utils.tensorboard"),
    ):
        try:
            modules[package] = importlib.import_module(module)
            yield "ok", package, version(package)
        except Exception as error:  # ImportError, but also OSError or RuntimeError for libraries that do not fit
            advice = "install the course again: pip install --force-reinstall -e ."
            if "torchvision::nms" in str(error):
                advice = (
                    "torch and torchvision do not belong together (versions, or a CPU build beside a CUDA build): "
                    "install both in one go: pip install --force-reinstall torch torchvision"
                )
            yield "broken", package, f"{type(error).__name__}: {error}; {advice}"
    if torch := modules.get("torch"):
        accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
        yield "ok", "device", f"{accelerator}, {torch.get_num_threads()} CPU threads"

    home = course_home()
    yield "ok", "course folder", str(home)
    free = shutil.disk_usage(home).free
    advice = "" if free > 2 * 1024**3 else "; lesson 7 wants 2 GB: make room, or set LESSONS_HOME to another disk"
    yield "note" if advice else "ok", "free disk", human(free) + advice
    if "torchvision" in modules:
        yield from data_diagnoses(home / "data")
    if vgg16_file().exists():
        yield "ok", "vgg16", f"weights in {vgg16_file()}"
    else:
        yield "note", "vgg16", "no weights (lesson 6 can do without): lessons download vgg16"


def data_diagnoses(root: Path) -> Iterator[tuple[str, str, str]]:
    """The same for the data sets, opened as the lessons open them, so that damage is seen."""
    from lessons.course.datasets import CIFAR10, Sketch10

    absent = {
        Sketch10: ("ok", "drawn by the first lesson that needs it, in seconds"),
        CIFAR10: ("note", "not here (the lessons can do without): lessons download cifar10"),
    }
    if (root / CIFAR10.filename).exists():
        absent[CIFAR10] = ("ok", f"{root / CIFAR10.filename} is here; it is unpacked at first use")
    for kind, (state, finding) in absent.items():
        if (root / kind.base_folder).exists():
            try:
                kind(root, train=False)
                state, finding = "ok", str(root / kind.base_folder)
            except CourseError as error:
                state, finding = "note", str(error)
        yield state, kind.name, finding


@app.command()
def download(what: Annotated[str, typer.Argument(metavar="cifar10|vgg16")]) -> None:
    """Fetch CIFAR-10 (170 MB) or the weights of VGG16 (528 MB)."""
    if what == "cifar10":
        from lessons.course.datasets import CIFAR10

        CIFAR10(course_dir("data"), train=True, download=True)
        typer.echo(f"CIFAR-10 is in {course_dir('data')}: lessons run --dataset cifar10")
    elif what == "vgg16":
        download_vgg16()
    else:
        raise CourseError(f"{what!r} cannot be downloaded: choose cifar10 or vgg16.")


def vgg16_file() -> Path:
    """Where torchvision looks for the weights of VGG16."""
    return torch_home() / "hub" / "checkpoints" / Path(VGG16_URL).name


def download_vgg16() -> None:
    """Fetch the weights unless they are there; CourseError when they did not arrive."""
    file = vgg16_file()
    if file.exists():
        typer.echo(f"The VGG16 weights are already there: {file}")
        return
    typer.echo(f"Downloading the VGG16 weights ({human(VGG16_BYTES)}) to {file}")
    import socket
    from http.client import HTTPException

    from torch.hub import download_url_to_file

    socket.setdefaulttimeout(60)  # torch sets none, and would wait for ever on a line that has gone silent
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Writes to a temporary name, and moves that once the checksum that the file's name ends with is right.
        download_url_to_file(VGG16_URL, str(file), hash_prefix=file.stem.rpartition("-")[2])
    except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError: the checksum
        raise CourseError(
            f"The VGG16 weights did not arrive ({error}): try again, "
            f"or fetch {VGG16_URL} in another way and put {file.name} into {file.parent}."
        ) from error
    typer.echo("The VGG16 weights are there: lessons run 6")


@app.command()
def clean(
    what: Annotated[str | None, typer.Argument(metavar="[logs|models|data]", help="by default all three")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Remove what runs have written, after saying how much that is."""
    if what not in (None, *CLEANABLE):
        raise CourseError(f"{what!r} cannot be cleaned: choose from {', '.join(CLEANABLE)}.")
    entries = []
    for name, description in CLEANABLE.values() if what is None else [CLEANABLE[what]]:
        folder = course_home() / name
        if folder.is_symlink():
            typer.echo(f"{name}: left alone, it is a link to {folder.resolve()}")
            continue
        found = [entry for entry in folder.glob("*") if entry.name != ".gitkeep"]
        # os.walk and lstat look at a link, not at what it leads to.
        sizes = [os.lstat(os.path.join(top, file)).st_size for path in found for top, _, files in os.walk(path)]
