"""11. Accelerator: the same training, as fast as the machine allows

A GPU runs the same lines once the network and the pictures are moved to it. Whether it then has enough to do
is another question. You climb a ladder from the plain loop to the fastest one, each step measured as it must
be, and look into one training step with the profiler. On a CPU the ladder is shorter, and it pays there too.

You will see: a bar for each step of the ladder in IMAGES, and a trace of where the time goes, for Perfetto.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from copy import copy
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.profiler import profile
from torch.utils.data import DataLoader, Subset

from lessons.course import DATASET
from lessons.course.charts import bar_chart
from lessons.course.logbook import RunWriter
from lessons.course.machine import has_bf16, usable_device, why_not_compiled
from lessons.course.options import command_line
from lessons.p05_loss_optim import evaluate
from lessons.p08_train import Training, choose_recipe, new_classifier, three_sets

Batches = Iterator[tuple[Tensor, Tensor]]  # imgs (N, 3, 32, 32) in [0, 1] and targets (N,), without end


def pick_device(wanted: str = "") -> torch.device:
    """The device of that name; without a name this machine's accelerator, else the CPU."""
    if wanted:
        return usable_device(wanted)
    # Most code that you will read knows one kind alone: "cuda" if torch.cuda.is_available() else "cpu"
    found = torch.accelerator.is_available() and torch.accelerator.current_accelerator()
    return found or torch.device("cpu")


# --- Three ways to bring the pictures


def picture_by_picture(train_data: Subset, batch_size: int, device: torch.device) -> Batches:
    """Each picture is converted by itself, as a beginner's loop does it."""
    data = copy(train_data.dataset)  # the other ways keep theirs; the pictures are not copied
    data.whole_batches = False  # the course's data sets would convert a batch in one go
    loader = DataLoader(Subset(data, train_data.indices), batch_size, shuffle=True)
    while True:
        for imgs, targets in loader:
            yield imgs.to(device), targets.to(device)


def whole_batches(train_data: Subset, batch_size: int, device: torch.device) -> Batches:
    """A batch is converted in one go. With an accelerator, in memory that it reads by itself: pinned."""
    loader = DataLoader(train_data, batch_size, shuffle=True, pin_memory=device.type == "cuda")
    while True:
        for imgs, targets in loader:  # non_blocking: Python goes on and prepares the next batch meanwhile
            yield imgs.to(device, non_blocking=True), targets.to(device, non_blocking=True)


def held_on_device(train_data: Subset, batch_size: int, device: torch.device) -> Batches:
    """All pictures are moved once, as bytes (0.14 GB for CIFAR-10), and batches are picked there."""
    data, indices = train_data.dataset, train_data.indices
    pictures = torch.from_numpy(data.data[indices]).to(device)  # (M, 32, 32, 3) uint8
    all_targets = torch.tensor(data.targets, device=device)[indices]  # (M,)
    while True:
        for chosen in torch.randperm(len(indices), device=device).split(batch_size):
            imgs = pictures[chosen].permute(0, 3, 1, 2)  # (N, 3, 32, 32) uint8
            yield imgs / 255, all_targets[chosen]


# --- The ladder


class Rung(NamedTuple):
    """A step of the ladder: where batches come from, and what is switched on by then."""

    name: str
    feed: Callable[[Subset, int, torch.device], Batches]
    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False


LADDER = (
    Rung("picture by picture", picture_by_picture),
    Rung("whole batches", whole_batches),
    Rung("+ channels_last", whole_batches, channels_last=True),
    Rung("+ bf16", whole_batches, channels_last=True, bf16=True),
    Rung("+ data on the device", held_on_device, channels_last=True, bf16=True),
    Rung("+ torch.compile", held_on_device, channels_last=True, bf16=True, compiled=True),
)


def rungs_for(device: torch.device, compile: bool | None) -> list[Rung]:
    """The rungs that this device can stand on; says which are left out, and why."""
    if compile is None:  # half a minute of compiling, which a GPU earns back and a CPU does not
        compile = device.type != "cpu"
    ladder = []
    for rung in LADDER:
        if rung.name == "+ bf16" and not has_bf16(device):
            print(f"not measured: {rung.name}, this {device.type} has no instructions for it")
        elif rung.compiled and not compile:
            print(f"not measured: {rung.name}, which seldom pays on a CPU (--compile measures it)")
        elif rung.compiled and (reason := why_not_compiled(device)):
            print(f"not measured: {rung.name}, which does not work here: {reason}")
        else:
            ladder.append(rung._replace(bf16=rung.bf16 and has_bf16(device)))
    return ladder


def new_training(
    rung: Rung, recipe: SimpleNamespace, train_data: Subset, device: torch.device, total_steps: int = 1
) -> Training:
    """Lesson 8's training, with what the rung switches on."""
    recipe = SimpleNamespace(**vars(recipe) | {"channels_last": rung.channels_last, "bf16": rung.bf16})
    model = new_classifier(recipe, train_data).to(device)
    if rung.compiled:
        model.compile()
    return Training(model, recipe, total_steps)


def train(training: Training, batches: Batches, steps: int) -> tuple[int, float]:
    """Train for so many steps; the pictures seen and the seconds it took."""
    pictures, start = 0, time.perf_counter()
    for imgs, targets in islice(batches, steps):
        training.step(imgs, targets)
        pictures += len(imgs)
    if imgs.device.type != "cpu":
        # So far the work was only handed over: wait until it is done
        torch.accelerator.synchronize(imgs.device)
    return pictures, time.perf_counter() - start


def climb(
    ladder: list[Rung], recipe: SimpleNamespace, train_data: Subset, device: torch.device, steps: int
) -> dict[str, float]:
    """Pictures a second of each rung: the median over five rounds of so many steps.

    A first round does not count: it finds memory, and picks or compiles kernels. The rungs take turns, so
    that whatever else the machine is doing meets all of them, and the median drops the worst of it.
    """
    trainings = [new_training(rung, recipe, train_data, device) for rung in ladder]
    streams = [rung.feed(train_data, recipe.batch_size, device) for rung in ladder]
    speeds: dict[str, list[float]] = {rung.name: [] for rung in ladder}
    for round_number in range(6):
        for rung, training, batches in zip(ladder, trainings, streams, strict=True):
            pictures, seconds = train(training, batches, steps)
            if round_number > 0:
                speeds[rung.name].append(pictures / seconds)
    return {name: statistics.median(rounds) for name, rounds in speeds.items()}


def trace(training: Training, batches: Batches, path: Path) -> dict[str, float]:
    """Write to ``path`` what three steps do, and when. Returns the five costliest operations, ms a step."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler's remarks are for its makers
    train(training, batches, steps=3)  # to warm up
    with profile() as profiler:
        train(training, batches, steps=3)
    profiler.export_chrome_trace(str(path))
    events = profiler.key_averages()  # times in microseconds, of three steps
    costs = {
        event.key: max(event.self_cpu_time_total, event.self_device_time_total) / 3000 for event in events
    }
    return dict(sorted(costs.items(), key=lambda item: item[1], reverse=True)[:5])


def main(
    dataset: str = DATASET,
    device: str = "",
    steps: int = 5,
    epochs: int = 1,
    batch_size: int = 128,
    compile: bool | None = None,
    seed: int = 0,
) -> dict:
    place = pick_device(device)
    train_data, _, test_data = three_sets(dataset)
    ladder = rungs_for(place, compile)
    settings = {"seed": seed, "steps": steps, "epochs": epochs, "batch_size": batch_size}
    with RunWriter(__file__, train_data.dataset, test_data, device=place, **settings) as writer:
        # --- How fast is each rung?
        torch.manual_seed(seed)
        recipe = choose_recipe("fast", ["one_cycle"], batch_size=batch_size)  # for any number of steps
        speeds = climb(ladder, recipe, train_data, place, steps)
        plain, fastest = ladder[0], max(ladder[1:], key=lambda rung: speeds[rung.name])
        for name, speed in speeds.items():
            print(f"  {name:<22} {speed:>12,.0f} pictures/s  {speed / speeds[plain.name]:5.2f}x")
        writer.add_figure("pictures a second", bar_chart(speeds, f"pictures a second on {place}"))

        # --- Where does a step of the fastest spend its time?
        path = writer.folder / "trace.json"
        training = new_training(fastest, recipe, train_data, place)
        costs = trace(training, fastest.feed(train_data, batch_size, place), path)
        print(f"\nwhere a step spends its time ({fastest.name}):")
        for name, milliseconds in costs.items():
            print(f"  {name:<44} {milliseconds:7.2f} ms")
        print(f"all of it, as a picture: open https://ui.perfetto.dev and drop {path} on it")

        # --- Faster must not mean worse: the plain and the fastest rung, trained alike
        steps_per_epoch = math.ceil(len(train_data) / batch_size)
        recipe = choose_recipe("fast", batch_size=batch_size)
        epoch_seconds, accuracies = {}, {}
        for rung in (plain, fastest):
            name = rung.name
            torch.manual_seed(seed)
            training = new_training(rung, recipe, train_data, place, epochs * steps_per_epoch)
            batches = rung.feed(train_data, batch_size, place)
            epoch_seconds[name] = train(training, batches, epochs * steps_per_epoch)[1] / epochs
            trained = new_classifier(recipe, train_data)  # back on the CPU, where the test pictures are
            trained.load_state_dict(training.model.state_dict())
            accuracies[name] = evaluate(trained, DataLoader(test_data, 250), nn.CrossEntropyLoss())[1]
            print(f"{name}: {epoch_seconds[name]:.2f} s an epoch, test accuracy {accuracies[name]:.1%}")
        gain = speeds[fastest.name] / speeds[plain.name]
        writer.result = f"{gain:.1f}x on {place}"

    return {
        "run": writer.folder,
        "device": str(place),
        "speeds": speeds,
        "trace": path,
        "costs": costs,
        "epoch_seconds": epoch_seconds,
        "accuracies": accuracies,
    }


if __name__ == "__main__":
    command_line(main)
