"""11. More than one process: DistributedDataParallel

Each process holds the same network and takes a part of every batch. In backward the processes average their
gradients, so all take the same step: the one that a single process would take with the whole batch. You check
that by hand, count each test picture exactly once, lose a process, and go on with another number of them.
`lessons run 11` starts the processes itself; torchrun, which does so on many machines, starts the same file:

    torchrun --standalone --nproc_per_node=2 lessons/p11_distributed.py --epochs 3

You will see: in SCALARS the loss of each process beside their mean, and one test accuracy for all of them.
"""

import logging
import math
import os
import signal
import sys
import tempfile
import time
import uuid
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset
from torchvision.transforms import ToTensor

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.cli import command_line
from lessons.course.datasets import open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.memory import keep_freed_memory
from lessons.p05_loss_optim import train_step
from lessons.p07_save_load import save
from lessons.p08_train import measure
from lessons.tudui import Tudui

LOOPBACK = {"linux": "lo", "darwin": "lo0"}  # the network interface that leads nowhere but to this machine


def join_the_group(rendezvous_file: str | None, timeout: float) -> torch.device:
    """Make this process one of the group, and say where it computes. torchrun has told it who it is."""
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])  # on all machines together
    local_rank, local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])  # on this one
    torch.set_num_threads(max(1, os.cpu_count() // local_size))  # more would be in each other's way
    device, backend = torch.device("cpu"), "gloo"
    if torch.cuda.is_available() and torch.cuda.device_count() >= local_size:  # a GPU for each process
        device, backend = torch.device("cuda", local_rank), "nccl"
        torch.cuda.set_device(device)

    store = None  # the processes meet where torchrun's MASTER_ADDR and MASTER_PORT say,
    if rendezvous_file:  # or in a file when all are on one machine: a new one after each restart
        store = dist.FileStore(rendezvous_file + os.environ["TORCHELASTIC_RESTART_COUNT"])
        if sys.platform in LOOPBACK:
            os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = LOOPBACK[sys.platform]
    waiting = timedelta(seconds=timeout)  # for an answer of the others
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=waiting)
    print(f"process {rank} of {world_size}: pid {os.getpid()}, {device}, {backend}", flush=True)
    return device


def gradients_by_hand(
    model: DistributedDataParallel, imgs: Tensor, targets: Tensor, loss_fn: nn.Module
) -> tuple[list[float], float]:
    """The gradient of one weight: each process's own, and what DDP makes of them in backward."""
    bias = model.module.model1[8].bias  # (10,); module is the network that DDP wraps
    with model.no_sync():  # backward without the exchange
        loss_fn(model(imgs), targets).backward()
    gathered = [torch.zeros_like(bias) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, bias.grad)  # each process gets the gradients of all
    model.zero_grad()
    loss_fn(model(imgs), targets).backward()
    averaged = bias.grad[0].item()
    model.zero_grad()
    return [gradient[0].item() for gradient in gathered], averaged


@torch.no_grad()
def evaluate_together(model: nn.Module, test_data: Dataset, device: torch.device) -> list[float]:
    """Sum of the losses, right answers, pictures, over the whole test set. Each process tests its share."""
    # A DistributedSampler would repeat pictures until the shares are equal; these may differ by one picture
    share = Subset(test_data, range(dist.get_rank(), len(test_data), dist.get_world_size()))
    sums = torch.zeros(3, dtype=torch.float64, device=device)
    model.eval()
    for imgs, targets in DataLoader(share, batch_size=250):
        sums += measure(model(imgs.to(device)), targets.to(device))
    model.train()
    dist.all_reduce(sums)  # adds up what the processes have; afterwards each has the total
    return sums.tolist()


def this_job() -> str:
    """What all restarts of a job share, and no other job: many have the same id, such as none at all."""
    return f"{os.environ['TORCHELASTIC_RUN_ID']} of process {os.getppid()}"


def find_checkpoint(resume: bool) -> dict | None:
    """The newest checkpoint of this job, when it has been restarted; with ``resume``, else of any job."""
    saved = course_dir("models_saved").glob("p11_distributed/*/last.pth")
    newest = [torch.load(path, map_location="cpu") for path in sorted(saved, key=os.path.getmtime)][::-1]
    if os.environ["TORCHELASTIC_RESTART_COUNT"] != "0":
        for checkpoint in newest:
            if checkpoint["job"] == this_job():
                return checkpoint  # or else it failed before its first one
    if resume and not newest:
        raise CourseError("there is no run to go on with: leave out --resume to start one")
    return newest[0] if resume else None


def train(rendezvous_file: str | None, settings: dict) -> dict:
    """What each process does, all at the same time. Process 0 returns what a test wants to see."""
    args = SimpleNamespace(**settings)
    device = join_the_group(rendezvous_file, args.timeout)
    rank, world_size = dist.get_rank(), dist.get_world_size()
    message = [find_checkpoint(args.resume) if rank == 0 else None]
    dist.broadcast_object_list(message)  # process 0 sends, the others receive: its disk may not be theirs
    checkpoint = message[0]

    train_data = open_dataset(args.dataset, train=True, transform=ToTensor())
    test_data = open_dataset(args.dataset, train=False, transform=ToTensor())
    # Of two processes, one takes pictures 0, 2, 4, ... of the epoch's order, the other 1, 3, 5, ...: together
    # they take the batches that one process would take. drop_last: equal parts, and no picture twice
    sampler = DistributedSampler(train_data, seed=args.seed, drop_last=True)
    train_loader = DataLoader(train_data, args.batch_size // world_size, sampler=sampler, drop_last=True)

    torch.manual_seed(args.seed)
    tudui = Tudui(num_classes=len(train_data.classes)).to(device)
    model = DistributedDataParallel(tudui)  # all start with the weights of process 0
    loss_fn = nn.CrossEntropyLoss()  # the mean over this process's part of the batch
    optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate, momentum=0.9)
    history, run = [], None
    if checkpoint:
        history, run = checkpoint["history"], checkpoint["run"]
        if checkpoint["classes"] != list(train_data.classes):
            raise CourseError(f"run {run} learnt other classes: name its --dataset, or leave out --resume")
        if args.resume and len(history) >= args.epochs:
            raise CourseError(f"run {run} has {len(history)} epochs already: ask for more with --epochs")
        tudui.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        optimizer.param_groups[0]["lr"] = args.learning_rate  # the one asked for; it brought its own

    imgs, targets = next(iter(train_loader))  # (N, 3, 32, 32), (N,), N = batch_size / world_size
    own, averaged = gradients_by_hand(model, imgs.to(device), targets.to(device), loss_fn)

    settings |= {"processes": world_size, "go_on_with": run, "purge_step": len(history) + 1}
    log = RunWriter(__file__, train_data, test_data, device, **settings) if rank == 0 else nullcontext()
    with log as writer:
        if rank == 0:
            folder = course_dir("models_saved") / "p11_distributed" / writer.folder.name
            folder.mkdir(parents=True, exist_ok=True)
            told = ", ".join(f"{gradient:+.5f}" for gradient in own)
            print(f"a weight's gradient in the processes: {told}; their mean {sum(own) / len(own):+.5f}")
            print(f"the same gradient after DDP's backward: {averaged:+.5f}")
            if checkpoint:
                print(f"going on after epoch {len(history)}, trained by {checkpoint['processes']} processes")
        for epoch in range(len(history) + 1, args.epochs + 1):
            sampler.set_epoch(epoch)  # draws a new order from seed + epoch: the same one in each process
            losses = torch.zeros(world_size, device=device)  # a place for each process
            start = time.perf_counter()
            for imgs, targets in train_loader:
                # Lesson 5's step, unchanged: that its backward averages the gradients is DDP's doing
                losses[rank] += train_step(model, imgs.to(device), targets.to(device), loss_fn, optimizer)
            dist.all_reduce(losses)  # each has added its own to zeros; now all have all
            losses /= len(train_loader)
            train_loss = losses.mean().item()
            speed = len(train_loader) * args.batch_size / (time.perf_counter() - start)
            if not math.isfinite(train_loss):
                smaller = f"--learning-rate {args.learning_rate / 10:g}"
                raise CourseError(f"the loss has become {train_loss}: the steps are too large, try {smaller}")
            test_loss, correct, pictures = evaluate_together(tudui, test_data, device)

            if rank == 0:  # one log and one checkpoint, not one a process
                curves = {
                    "loss/train": train_loss,
                    **{f"loss/process {number}": loss for number, loss in enumerate(losses.tolist())},
                    "loss/test": test_loss / pictures,
                    "accuracy/test": correct / pictures,
                    "pictures a second": speed,
                }
                for name, value in curves.items():
                    writer.add_scalar(name, value, epoch)
                history.append(curves)
                told = f"epoch {epoch:>2}  loss {train_loss:.3f}  test loss {test_loss / pictures:.3f}"
                told += f"  {correct:,.0f} of {pictures:,.0f} right  {speed:,.0f} pictures/s"
                print(told, flush=True)
                content = {
                    "model": tudui.state_dict(),  # model.state_dict() has "module." before each name
                    "optimizer": optimizer.state_dict(),
                    "epoch": epoch,
                    "history": history,
                    "classes": list(train_data.classes),
                    "mean": [0.0] * 3,  # for lesson 10: pictures as ToTensor gives them
                    "std": [1.0] * 3,
                    "processes": world_size,
                    "run": writer.folder.name,
                    "job": this_job(),
                }
                save(content, folder / "last.pth")
        if rank == 0:
            accuracy = history[-1]["accuracy/test"]
            writer.result = f"test accuracy {accuracy:.1%} with {world_size} processes"

    dist.destroy_process_group()
    if rank > 0:
        return {}
    checkpoint = folder / "last.pth"
    return {"run": writer.folder, "checkpoint": checkpoint, "history": history, "gradients": (own, averaged)}


def stop(*_: object) -> None:
    """Ctrl-C, or torch ends this process because another has failed: close the log, hear no second call."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def work(rendezvous_file: str | None, settings: dict) -> dict:
    """``train``, and one sentence instead of a traceback when another process is lost."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    keep_freed_memory()  # as the command has done for itself
    try:
        return train(rendezvous_file, settings)
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise CourseError(
            f"another process has ended, or has not answered for {settings['timeout']:g} seconds: "
            "find out why, then --resume goes on after the last whole epoch"
        ) from error


def launch(settings: dict) -> dict:
    """What torchrun does, on this machine alone: start the processes, watch them, start them anew.

    CourseError when a process is killed and no restart is left, and for what raised one there.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,  # machines
            max_nodes=1,
            nproc_per_node=settings["processes"],
            max_restarts=settings["max_restarts"],
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_configs={"store_type": "file"},  # torchrun's server would listen to the whole network
            rdzv_endpoint=str(Path(folder, "launcher")),
            local_addr="localhost",
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # or there would be one all the same
        # The launcher puts its own signal handlers in place of these
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        logging.disable(logging.ERROR)  # the launcher's log repeats what the errors below say
        try:
            return elastic_launch(config, work)(str(Path(folder, "processes")), settings)[0]
        except SignalException as error:  # Ctrl-C: the processes have ended
            raise KeyboardInterrupt from error
        except ChildFailedError as error:
            rank, failure = error.get_first_failure()
            if isinstance(failure.message, str):  # it left no exception: something outside has ended it
                raise CourseError(
                    f"process {rank} was ended from outside (exit code {failure.exitcode}, "
                    f"{failure.signal_name()}): --resume goes on after the last whole epoch"
                ) from error
            kind, _, sentence = failure.message["message"].partition(": ")
            if kind == CourseError.__name__:
                raise CourseError(sentence) from error
            raise
        finally:
            logging.disable(logging.NOTSET)
            for number, handler in handlers.items():
                signal.signal(number, handler)


def main(
    dataset: str = DATASET,
    epochs: int = 3,
    batch_size: int = 64,
    learning_rate: float = 0.02,
    processes: int = 2,
    resume: bool = False,
    max_restarts: int = 0,
    timeout: float = 60.0,
    seed: int = 0,
) -> dict:
    settings = dict(locals())
    launched = dist.is_torchelastic_launched()  # by torchrun: then this is one of the processes already
    world_size = int(os.environ["WORLD_SIZE"]) if launched else processes
    pictures = len(open_dataset(dataset, train=True))  # draws Sketch10 before there are several to draw it
    if world_size < 1 or batch_size % world_size or not 0 < batch_size <= pictures:
        raise CourseError(
            f"batches of {batch_size} out of {pictures} pictures cannot be shared out equally to "
            f"{world_size} processes: choose another --batch-size"
        )
    return work(None, settings) if launched else launch(settings)


if __name__ == "__main__":
    command_line(main)
