"""Several processes on this machine (lesson 13): started, watched, started anew and ended together.

What torchrun does, with torchrun's own launcher, but without a network: the processes meet in a file and talk
through the loopback. What goes wrong in one of them becomes one sentence here.
"""

import logging
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeAlias

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from lessons.course import CourseError, course_dir, newest_files
from lessons.course.checkpoints import check_whole
from lessons.course.datasets import CourseData
from lessons.course.disk import refused
from lessons.course.interrupt import set_handler
from lessons.course.memory import keep_freed_memory
from lessons.course.shapes import explain_other_weights

# What each process does: it gets the store for ``init_process_group``, and the settings
Work: TypeAlias = Callable[[dist.Store | None, SimpleNamespace], Any]

LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # the network interface that leads nowhere but to this machine
ENDINGS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what ends a process when another has failed
NO_SERVER = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"  # without it there would be one besides the file


# --- In the process that starts the others


def check_shares(batch_size: int, pictures: int, processes: int) -> None:
    """CourseError unless there is a whole batch, and each process can have an equal part of it."""
    if batch_size % processes or batch_size > pictures:
        raise CourseError(
            f"batches of {batch_size} out of {pictures} pictures cannot be shared out equally to "
            f"{processes} processes: choose another --batch-size"
        )


def launch(work: Work, args: SimpleNamespace) -> Any:
    """Do the work in ``args.processes`` new processes at once; returns what it returns in process 0.

    When one fails, all are started anew, ``args.max_restarts`` times at most. ``work`` must be a function
    that can be imported there.

    Raises:
        CourseError: when a process is ended from outside and no restart is left; and what raises one there.
        KeyboardInterrupt: after Ctrl-C, when all processes have ended.
        ChildFailedError: for any other exception in a process; it holds the traceback.
    """
    handlers = {number: signal.getsignal(number) for number in ENDINGS}  # torch's launcher puts its own there
    quiet_before = logging.root.manager.disable
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,  # machines
            max_nodes=1,
            nproc_per_node=args.processes,
            max_restarts=args.max_restarts,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_configs={"store_type": "file"},  # torchrun's server would listen to the whole network
            rdzv_endpoint=str(Path(folder, "launcher")),
            local_addr="localhost",
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        os.environ[NO_SERVER] = "1"
        logging.disable(logging.ERROR)  # the launcher's log repeats what the errors below say
        try:
            return elastic_launch(config, take_part)(work, args, str(Path(folder, "processes")))[0]
        except SignalException as error:
            raise KeyboardInterrupt from error
        except ChildFailedError as error:
            if sentence := in_one_sentence(error):
                raise CourseError(sentence) from error
            raise
        finally:
            logging.disable(quiet_before)
            os.environ.pop(NO_SERVER)
            for number, handler in handlers.items():
                set_handler(number, handler)


def in_one_sentence(error: ChildFailedError) -> str | None:
    """What has happened where a learner can cause it; None for anything else."""
    rank, failure = error.get_first_failure()
    if isinstance(failure.message, str):  # it left no exception: something outside has ended it
        return (
            f"process {rank} was ended from outside (exit code {failure.exitcode}, "
            f"{failure.signal_name()}): --resume goes on after the last whole epoch"
        )
    kind, _, sentence = failure.message["message"].partition(": ")
    return sentence if kind == CourseError.__name__ else None


# --- In each of the processes


def take_part(work: Work, args: SimpleNamespace, meeting_file: str | None = None) -> Any:
    """Do the work as one of several processes; without a ``meeting_file``, torchrun has started this one.

    Raises:
        CourseError: when another process is lost; and what raises one in ``work``.
    """
    for number in ENDINGS:
        signal.signal(number, stop)
    keep_freed_memory()  # as the command has done for itself
    cores, processes = os.cpu_count() or 1, int(os.environ["LOCAL_WORLD_SIZE"])
    torch.set_num_threads(max(1, cores // processes))  # more would be in each other's way
    store = None  # the processes meet where torchrun's MASTER_ADDR and MASTER_PORT say,
    if meeting_file:  # or in a file when all are on one machine: a new one after each restart
        store = dist.FileStore(meeting_file + os.environ["TORCHELASTIC_RESTART_COUNT"])
        if sys.platform in LOOPBACK:
            os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    try:
        return work(store, args)
    except (RuntimeError, OSError) as error:
        if sentence := refused(error):  # of this process's disk: who started it gets no more than a sentence
            raise CourseError(sentence) from error
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        time.sleep(1)  # who started the processes hears the first that fails: let that be the cause
        raise CourseError(
            "another process has ended, or has not answered within --timeout: "
            "find out why, then --resume goes on after the last whole epoch"
        ) from error


def stop(*_: object) -> None:
    """A signal handler: leave the work, so that it closes its log, and hear no second call."""
    for number in ENDINGS:  # not SIG_IGN: of a signal that has come by now, Python would print a traceback
        signal.signal(number, lambda *_: None)
    if sys.exc_info()[0] is None:  # or else it is leaving already, because of another exception
        raise KeyboardInterrupt


# --- The checkpoint to go on from, after a restart or with --resume


def checkpoint_path(run: Path) -> Path:
    """Where the checkpoint of a run folder belongs: ``models_saved/<lesson>/<run>/last.pth``."""
    folder = course_dir("models_saved") / run.parent.name / run.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder / "last.pth"


def job_card(data: CourseData, history: list[dict[str, Any]]) -> dict[str, Any]:
    """What ``find_checkpoint`` reads besides the ``model``: who has trained it, on what, and how far."""
    return {
        "job": this_job(),
        "history": history,  # an entry an epoch
        "processes": dist.get_world_size(),
        "dataset": data.name,
        "classes": list(data.classes),
    }


def this_job() -> str:
    """What all restarts of a job share, and no other job: many have the same id, such as none at all."""
    return f"{os.environ['TORCHELASTIC_RUN_ID']} of process {os.getppid()}"


def find_checkpoint(
    lesson_file: str, args: SimpleNamespace, model: nn.Module, data: CourseData
) -> dict[str, Any] | None:
    """The newest checkpoint of this job, when it has been restarted; with ``args.resume``, else of any job.

    Args:
        lesson_file: the lesson's ``__file__``.
        args: besides ``resume``, how many ``epochs`` there shall be in all.
        model, data: what is to be trained, and with which pictures.

    Returns:
        What was saved, and the name of its ``run`` folder; None for a start from nothing.

    Raises:
        CourseError: when there is nothing to resume, or it does not fit the model, the data or the epochs.
    """
    paths = newest_files(f"models_saved/{Path(lesson_file).stem}/*/last.pth")
    checkpoint = None
    if os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        checkpoint = next((found for found in readable(paths) if found["job"] == this_job()), None)
    resumes = args.resume and checkpoint is None  # no restart, or lost before the first checkpoint
    if resumes and (checkpoint := next(readable(paths), None)) is None:
        raise CourseError("there is no run to go on with: leave out --resume to start one")
    if checkpoint is None:
        return None

    run, epochs = f"run {checkpoint['run']}", len(checkpoint["history"])
    if checkpoint["classes"] != list(data.classes):
        advice = f"give --dataset {checkpoint['dataset']}, or leave out --resume"
        raise CourseError(f"{run} learnt other classes: {advice}")
    if resumes and epochs >= args.epochs:
        raise CourseError(f"{run} has {epochs} epochs already: ask for more with --epochs")
    explain_other_weights(model, checkpoint["model"], run)
    print(f"going on after epoch {epochs}, trained by {checkpoint['processes']} processes")
    return checkpoint


def readable(paths: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """What lies in the checkpoints, one at a time, with its ``run``; what cannot be read is passed over."""
    for path in paths:
        try:
            check_whole(path)
            content = torch.load(path, map_location="cpu") | {"run": path.parent.name}
            if not {"model", "job", "history", "classes", "dataset", "processes"} <= content.keys():
                raise KeyError("some of what job_card gives")
        except Exception:  # what is cut short, or no checkpoint, makes torch.load raise nearly anything
            print(f"passed over: {path} cannot be read as a checkpoint", flush=True)
            continue
        yield content
