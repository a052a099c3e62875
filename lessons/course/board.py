"""TensorBoard, started in this process, for this machine alone."""

import logging
import signal
import sys
import time

import typer
from tensorboard import program

from lessons.course import CourseError

# 200 pictures a tag instead of 10, so that no logged step is missing. The fast loader would be a process of
# its own, which cannot show what the samples setting asks for.
OPTIONS = ("--host", "127.0.0.1", "--load_fast", "false", "--samples_per_plugin", "images=200,text=50")


def start_board(logdir: str, port: int = 0) -> str:
    """Show a folder of runs; TensorBoard ends with this process.

    Args:
        logdir: the folder, under the name that TensorBoard is to show for it.
        port: 0 takes any free one; where the port is taken, another one, and says so.

    Returns:
        The address to open in a browser.
    """
    logging.getLogger("tensorboard").setLevel(logging.ERROR)
    for attempt in dict.fromkeys((port, 0)):
        server = program.TensorBoard()
        server.configure(argv=[None, "--logdir", logdir, "--port", str(attempt), *OPTIONS])
        try:
            return server.launch()
        except program.TensorBoardServerException:
            if attempt:
                typer.echo(f"Port {port} is taken; taking another one.")
    raise CourseError("TensorBoard could not start on any port of 127.0.0.1")


def wait_for_ctrl_c() -> None:
    """Return after Ctrl-C, or when the process is asked to end."""
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell starts background jobs with SIGINT ignored
        signal.signal(ending, signal.default_int_handler)
    sys.stdout.flush()
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
