"""TensorBoard, started in this process."""

import contextlib
import logging
import os
import re
from collections.abc import Sequence

import typer
from tensorboard import program
from tensorboard.default import get_plugins
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

from lessons.course import CourseError, course_dir
from lessons.course.catalogue import Lesson, filled_tabs, last_run, named_tabs, words_for
from lessons.course.hosts import LOCAL, checked_host
from lessons.course.interrupt import wait_for_ctrl_c
from lessons.course.screen import as_typed
from lessons.course.words import say

# 200 pictures a tag instead of 10, so that no logged step is missing. The fast loader would be a process of
# its own, which cannot show what the samples setting asks for.
OPTIONS = ("--load_fast", "false", "--samples_per_plugin", "images=200,text=50")


def show_board(chosen: list[Lesson], port: int, host: str = LOCAL) -> None:
    """Show these lessons' runs alone, or the whole folder where it is all lessons, until Ctrl-C."""
    here = checked_host(host)
    logs, subset = course_dir("logs"), bool(words_for(chosen))
    runs = [(lesson, card) for lesson in chosen for folder, card in [last_run(lesson)] if folder]
    if not runs:
        typer.echo(say("no runs", chosen[0].number))
    address = start_board(str(logs), port, [lesson.name for lesson in chosen] if subset else [], host)
    address = re.sub(r"//.*:", f"//{here}:", address)
    if subset:
        lesson, card = max(runs, key=lambda run: run[1].get("started", ""), default=(chosen[0], {}))
        tabs = filled_tabs(lesson, card) or named_tabs(lesson)  # a run that is not over has no tabs yet
        address += f"#{tabs[0].lower().replace(' ', '_')}" if tabs else ""
    typer.echo(say("address", address))
    if len(chosen) == 1 or not subset:
        folder = logs / chosen[0].name if subset else logs
        typer.echo(say("by hand", as_typed(["tensorboard", "--logdir", str(folder)])))
    wait_for_ctrl_c()
    typer.echo("\n" + say("board ended"))


def start_board(logdir: str, port: int = 0, only: Sequence[str] = (), host: str = LOCAL) -> str:
    """Show a folder of runs; TensorBoard ends with this process.

    Args:
        logdir: the folder, under the name that TensorBoard is to show for it.
        port: 0 takes any free one; where the port is taken, another one, and says so.
        only: the names of folders in it, such as ``p05_loss_optim``: these alone, with those that they will
            hold later. Their runs keep the names that they have among all. Without names: the whole folder.
        host: the address of this machine to listen on.

    Returns:
        The address to open in a browser.
    """
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    # A folder of links would do the same, but Windows makes links for administrators alone
    what = ("--logdir_spec", ",".join(f"{name}:{name}" for name in only)) if only else ("--logdir", logdir)

    whole = os.path.abspath(logdir)

    class Projector(ProjectorPlugin):
        """The plugin that reads files beside the events, in a folder that ``--logdir_spec`` does not name."""

        def __init__(self, context: TBContext) -> None:
            super().__init__(context)
            self.logdir = whole

    plugins = [Projector if plugin is ProjectorPlugin else plugin for plugin in get_plugins()]
    for attempt in dict.fromkeys((port, 0)):
        server = program.TensorBoard(plugins)
        server.configure(argv=[None, *what, "--host", host, "--port", str(attempt), *OPTIONS])
        try:
            # In a spec a comma ends a path, so it has paths from the folder on; made whole during the launch
            with contextlib.chdir(whole if only else "."):
                return server.launch()
        except program.TensorBoardServerException:
            if attempt:
                typer.echo(say("port taken", port))
    raise CourseError(f"TensorBoard could not start on any port of {host}")
