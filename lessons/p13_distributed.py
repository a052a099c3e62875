"""13. More than one process: DistributedDataParallel

Each process holds the same network and takes a part of every batch. In backward the processes average their
gradients, so all take the same step: the one that a single process would take with the whole batch. You check
that by hand, count each test picture exactly once, lose a process, and go on with another number of them.
`lessons run 13` starts the processes itself; torchrun, which does so on many machines, starts the same file:

    torchrun --standalone --nproc_per_node=2 lessons/p13_distributed.py --epochs 3

You will see: in SCALARS the loss of each process beside their mean, and one test accuracy for all of them.
"""

import os
import time
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Subset
from torchvision.transforms import ToTensor

from lessons.course import DATASET, launcher
from lessons.course.datasets import open_dataset
from lessons.course.divergence import stop_if_diverged
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.p05_loss_optim import train_step
from lessons.p07_save_load import save
from lessons.p08_train import measure
from lessons.tudui import Tudui


def join_the_group(store: dist.Store | None, timeout: timedelta) -> torch.device:
    """Make this process one of the group: the environment says which. Returns where it computes."""
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])  # on all machines together
    local_rank, local_size = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])  # on this one
    device, backend = torch.device("cpu"), "gloo"
    if torch.cuda.is_available() and torch.cuda.device_count() >= local_size:  # a GPU for each process
        device, backend = torch.device("cuda", local_rank), "nccl"
        torch.cuda.set_device(device)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=timeout)
    print(f"process {rank} of {world_size}: pid {os.getpid()}, {device}, {backend}", flush=True)
    return device


def gradients_by_hand(
    model: DistributedDataParallel, imgs: Tensor, targets: Tensor, loss_fn: nn.Module
) -> tuple[list[float], float]:
    """The gradient of one weight: each process's own, and what DDP makes of them in backward."""
    *_, parameter = model.parameters()  # the last: in Tudui the biases of its last layer, (10,)
    model.eval()  # or Dropout would drop other numbers the second time
    with model.no_sync():  # backward without the exchange
        loss_fn(model(imgs), targets).backward()
    gathered = [torch.zeros((), device=imgs.device) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, parameter.grad.flatten()[0])  # each process gets the number of each
    model.zero_grad()
    loss_fn(model(imgs), targets).backward()
    model.train()
    gradients, averaged = torch.stack(gathered), parameter.grad.flatten()[0].item()
    if dist.get_rank() == 0:
        words = ", ".join(f"{gradient:+.5f}" for gradient in gradients.tolist())
        print(f"one gradient: {words}; their mean {gradients.mean():+.5f}; DDP's backward {averaged:+.5f}")
    return gradients.tolist(), averaged


@torch.no_grad()
def evaluate_together(model: nn.Module, test_data: Dataset, device: torch.device) -> tuple[float, float]:
    """Mean loss per picture and accuracy (0 to 1) over the whole test set. Each process tests its share."""
    for buffer in model.buffers():  # Tudui has none; BatchNorm's means are of this process's pictures
        dist.broadcast(buffer, src=0)  # so that all test the network that process 0 saves
    # A DistributedSampler would repeat pictures until the shares are equal; these may differ by one picture
    share = Subset(test_data, range(dist.get_rank(), len(test_data), dist.get_world_size()))
    sums = torch.zeros(3, dtype=torch.float64, device=device)  # losses, right answers, pictures
    model.eval()
    for imgs, targets in DataLoader(share, batch_size=250):
        sums += measure(model(imgs.to(device)), targets.to(device))
    model.train()
    dist.all_reduce(sums)  # adds up what the processes have; afterwards each has the total
    total_loss, correct, pictures = sums.tolist()
    return total_loss / pictures, correct / pictures


def log_epoch(writer: RunWriter, epoch: int, losses: dict[str, float], accuracy: float, speed: float) -> None:
    """What process 0 shows of an epoch, for all of them."""
    writer.add_scalars("loss", losses, epoch)
    writer.add_scalars("accuracy", {"test": accuracy}, epoch)
    writer.add_scalar("pictures a second", speed, epoch)
    words = f"loss {losses['mean']:.3f}  test loss {losses['test']:.3f}  accuracy {accuracy:.1%}"
    print(f"epoch {epoch:>2}  {words}  {speed:,.0f} pictures/s", flush=True)
    writer.result = f"test accuracy {accuracy:.1%}"


def train(store: dist.Store | None, args: SimpleNamespace) -> dict:
    """What each process does, all at the same time. Process 0 returns what a test wants to see."""
    device = join_the_group(store, timeout=timedelta(seconds=args.timeout))
    rank, world_size = dist.get_rank(), dist.get_world_size()

    # --- Deal out the pictures
    train_data = open_dataset(args.dataset, train=True, transform=ToTensor())
    test_data = open_dataset(args.dataset, train=False, transform=ToTensor())
    # Of two processes, one takes pictures 0, 2, 4, ... of the epoch's order, the other 1, 3, 5, ...: together
    # they take the batches that one process would take. drop_last: equal parts, and no picture twice
    sampler = DistributedSampler(train_data, seed=args.seed, drop_last=True)
    train_loader = DataLoader(train_data, args.batch_size // world_size, sampler=sampler, drop_last=True)

    # --- The same network in each process
    torch.manual_seed(args.seed + rank)  # other numbers in each: for Dropout, and for the first weights
    tudui = Tudui(num_classes=len(train_data.classes)).to(device)
    model = DistributedDataParallel(tudui)  # now all have the weights of process 0
    loss_fn = nn.CrossEntropyLoss()  # the mean over this process's part of the batch
    optimizer = torch.optim.SGD(model.parameters(), lr=args.learning_rate, momentum=0.9)

    # --- The same checkpoint, when there is one to go on from
    message = [launcher.find_checkpoint(__file__, args, tudui, train_data) if rank == 0 else None]
    dist.broadcast_object_list(message)  # process 0 sends, the others receive: its disk may not be theirs
    history, run = [], None
    if checkpoint := message[0]:
        history, run = checkpoint["history"], checkpoint["run"]
        tudui.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        optimizer.param_groups[0]["lr"] = args.learning_rate  # the one asked for, not the checkpoint's

    # --- One gradient by hand; then lesson 5's steps, unchanged: that backward averages is DDP's doing
    imgs, targets = next(iter(train_loader))  # (N, 3, 32, 32), (N,), N = batch_size / world_size
    gradients = gradients_by_hand(model, imgs.to(device), targets.to(device), loss_fn)
    settings = vars(args) | {"processes": world_size, "go_on_with": run, "purge_step": len(history) + 1}
    log = RunWriter(__file__, train_data, test_data, device, **settings) if rank == 0 else nullcontext()
    with log as writer:
        for epoch in range(len(history) + 1, args.epochs + 1):
            sampler.set_epoch(epoch)  # draws a new order from seed + epoch: the same one in each process
            start = time.perf_counter()
            losses = torch.zeros(world_size, device=device)  # a place for each process
            for imgs, targets in train_loader:
                losses[rank] += train_step(model, imgs.to(device), targets.to(device), loss_fn, optimizer)
            dist.all_reduce(losses)  # each has added its own to zeros; now all have all
            losses /= len(train_loader)
            speed = len(train_loader) * args.batch_size / (time.perf_counter() - start)
            test_loss, accuracy = evaluate_together(tudui, test_data, device)
            curves = {f"process {number}": loss for number, loss in enumerate(losses.tolist())}
            curves |= {"mean": losses.mean().item(), "test": test_loss}
            stop_if_diverged(args.learning_rate, tudui, **curves)
            history.append({"loss": curves, "accuracy": accuracy})
            if rank == 0:  # one log and one checkpoint, not one a process
                log_epoch(writer, epoch, curves, accuracy, speed)
                content = {
                    "model": tudui.state_dict(),  # model.state_dict() has "module." before each name
                    "optimizer": optimizer.state_dict(),
                    **launcher.job_card(train_data, history),
                }
                writer.flush()  # the curves first: a run that goes on from here does not log this epoch again
                save(content, launcher.checkpoint_path(writer.folder))
    del model  # DDP holds the group too: destroyed with it at the return, torch 2.9 can hang
    dist.destroy_process_group()
    return {"run": writer.folder, "history": history, "gradients": gradients} if rank == 0 else {}


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
    args = SimpleNamespace(**locals())
    launched = dist.is_torchelastic_launched()  # by torchrun: then this is one of the processes already
    world_size = int(os.environ["WORLD_SIZE"]) if launched else processes
    pictures = len(open_dataset(dataset, train=True))  # draws Sketch10 before there are several to draw it
    launcher.check_shares(batch_size, pictures, world_size)
    return launcher.take_part(train, args) if launched else launcher.launch(train, args)


if __name__ == "__main__":
    command_line(main)
