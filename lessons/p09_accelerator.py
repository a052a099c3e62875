"""9. Accelerator: the same training, as fast as the machine allows

A GPU runs the same lines once the network and the pictures are moved to it. Whether it then has enough to do
is another question. You climb a ladder from the plain loop to the fastest one, each step measured as it must
be, and look into one training step with the profiler. On a CPU the ladder is shorter, and it pays there too.

You will see: a bar for each step of the ladder in IMAGES, and a trace of where the time goes, for Perfetto.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from copy import copy
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torch.profiler import profile
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, ToTensor

from lessons.course import DATASET, CourseError
from lessons.course.charts import bar_chart
from lessons.course.cli import command_line
from lessons.course.datasets import CourseData, open_dataset
from lessons.course.logbook import RunWriter
from lessons.p08_train import RECIPES, Recipe, Training, measure, multiplies_bf16

Batches = Iterator[tuple[Tensor, Tensor]]  # imgs (N, 3, 32, 32) in [0, 1] and targets (N,), without end


def pick_device(wanted: str = "") -> torch.device:
    """The device of that name; without a name this machine's accelerator, else the CPU."""
    if not wanted:
        found = torch.accelerator.is_available() and torch.accelerator.current_accelerator()
        return found or torch.device("cpu")
    try:
        return torch.zeros(1, device=wanted).device  # a name alone says nothing: it must hold a tensor
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise CourseError(f"cannot compute on {wanted!r} ({reason}): leave out --device") from error


def has_bf16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, and does not imitate them."""
    if device.type == "cpu":
        return multiplies_bf16()
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def picture_by_picture(data: CourseData, batch_size: int, device: torch.device) -> Batches:
    """Each picture is converted by itself, as a beginner's loop does it."""
    data = copy(data)  # the other feeds keep their transform; the pictures are not copied
    data.transform = Compose([ToTensor()])  # ToTensor alone would be done for whole batches
    loader = DataLoader(data, batch_size, shuffle=True)
    while True:
        for imgs, targets in loader:
            yield imgs.to(device), targets.to(device)


def whole_batches(data: CourseData, batch_size: int, device: torch.device) -> Batches:
    """A batch is converted in one go. With an accelerator, in memory that it reads by itself: pinned."""
    loader = DataLoader(data, batch_size, shuffle=True, pin_memory=device.type == "cuda")
    while True:
        for imgs, targets in loader:  # non_blocking: Python goes on and prepares the next batch meanwhile
            yield imgs.to(device, non_blocking=True), targets.to(device, non_blocking=True)


def held_on_device(data: CourseData, batch_size: int, device: torch.device) -> Batches:
    """All pictures are moved once, as bytes (0.15 GB for CIFAR-10), and batches are picked there."""
    pictures = torch.from_numpy(data.data).to(device)  # (M, 32, 32, 3) uint8
    all_targets = torch.tensor(data.targets, device=device)  # (M,)
    while True:
        for indices in torch.randperm(len(data), device=device).split(batch_size):
            imgs = pictures[indices].permute(0, 3, 1, 2)  # (N, 3, 32, 32) uint8
            yield imgs / 255, all_targets[indices]


class Rung(NamedTuple):
    """A step of the ladder: where batches come from, and what is switched on by then."""

    name: str
    feed: Callable[[CourseData, int, torch.device], Batches]
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


def new_training(rung: Rung, recipe: Recipe, data: CourseData, steps: int, device: torch.device) -> Training:
    """Lesson 8's training, with what the rung switches on."""
    recipe = recipe._replace(channels_last=rung.channels_last, bf16=rung.bf16)
    pictures = torch.from_numpy(data.data)
    training = Training(recipe, pictures, len(data.classes), total_steps=steps, device=device)
    if rung.compiled:
        training.model.compile()
    return training


def train(training: Training, batches: Batches, steps: int) -> tuple[int, float]:
    """Train for so many steps; the pictures seen and the seconds it took."""
    pictures, start = 0, time.perf_counter()
    for imgs, targets in islice(batches, steps):
        training.step(imgs, targets)
        pictures += len(imgs)
    if training.mean.device.type != "cpu":
        # So far the work was only handed over: wait until it is done
        torch.accelerator.synchronize(training.mean.device)
    return pictures, time.perf_counter() - start


def climb(ladder: list[Rung], recipe: Recipe, data: CourseData, device: torch.device, steps: int) -> dict:
    """Pictures a second of each rung: the median over five rounds of so many steps.

    A first round does not count: it finds memory, and picks or compiles kernels. The rungs take turns, so
    that whatever else the machine is doing meets all of them, and the median drops the worst of it.
    """
    trainings = [new_training(rung, recipe, data, steps, device) for rung in ladder]
    streams = [rung.feed(data, recipe.batch_size, device) for rung in ladder]
    speeds = {rung.name: [] for rung in ladder}
    for round_number in range(6):
        for rung, training, batches in zip(ladder, trainings, streams, strict=True):
            pictures, seconds = train(training, batches, steps)
            if round_number > 0:
                speeds[rung.name].append(pictures / seconds)
    return {name: statistics.median(rounds) for name, rounds in speeds.items()}


def trace(rung: Rung, recipe: Recipe, data: CourseData, device: torch.device, path: Path) -> dict[str, float]:
    """Write to ``path`` what three steps do, and when. Returns the five costliest operations, ms a step."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # the profiler's remarks are for its makers
    training = new_training(rung, recipe, data, 6, device)
    batches = rung.feed(data, recipe.batch_size, device)
    train(training, batches, steps=3)  # to warm up
    with profile() as profiler:
        train(training, batches, steps=3)
    profiler.export_chrome_trace(str(path))
    on_cpu = device.type == "cpu"
    costs = {
        event.key: (event.self_cpu_time_total if on_cpu else event.self_device_time_total) / 3000
        for event in profiler.key_averages()  # microseconds of three steps
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
    if min(steps, epochs, batch_size) < 1:
        raise CourseError("--steps, --epochs and --batch-size must be at least 1")
    place = pick_device(device)
    if compile is None:  # half a minute of compiling, which a GPU earns back and a CPU does not
        compile = place.type != "cpu"
    ladder = []
    for rung in LADDER:
        if rung.name == "+ bf16" and not has_bf16(place):
            print(f"not measured: {rung.name}, this {place.type} has no instructions for it")
        elif rung.compiled and not compile:
            print(f"not measured: {rung.name}, which seldom pays on a CPU (--compile measures it)")
        else:
            ladder.append(rung._replace(bf16=rung.bf16 and has_bf16(place)))

    train_data = open_dataset(dataset, train=True, transform=ToTensor())
    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    test_loader, test_targets = DataLoader(test_data, batch_size=250), torch.tensor(test_data.targets)
    recipe = RECIPES["fast"]._replace(batch_size=batch_size)
    settings = {"seed": seed, "steps": steps, "epochs": epochs, "batch_size": batch_size}
    with RunWriter(__file__, train_data, test_data, device=place, **settings) as writer:
        torch.manual_seed(seed)
        speeds = climb(ladder, recipe._replace(one_cycle=False), train_data, place, steps)
        plain, fastest = ladder[0], max(ladder[1:], key=lambda rung: speeds[rung.name])
        for name, speed in speeds.items():
            print(f"  {name:<22} {speed:>12,.0f} pictures/s  {speed / speeds[plain.name]:5.2f}x")
        writer.add_figure("pictures a second", bar_chart(speeds, f"pictures a second on {place}"))
        rows = [f"| {name} | {speed:,.0f} |" for name, speed in speeds.items()]
        writer.add_text("ladder", "\n".join(["| step | pictures a second |", "| --- | --- |", *rows]))

        path = writer.folder / "trace.json"
        costs = trace(fastest, recipe, train_data, place, path)
        print(f"\nwhere a step spends its time ({fastest.name}):")
        for name, milliseconds in costs.items():
            print(f"  {name:<44} {milliseconds:7.2f} ms")
        print(f"all of it, as a picture: open https://ui.perfetto.dev and drop {path} on it")

        # --- Faster must not mean worse: the plain and the fastest rung, trained alike
        steps_per_epoch = -(-len(train_data) // batch_size)
        epoch_seconds, accuracies = {}, {}
        for rung in (plain, fastest):
            torch.manual_seed(seed)
            training = new_training(rung, recipe, train_data, epochs * steps_per_epoch, place)
            batches = rung.feed(train_data, batch_size, place)
            seconds = [train(training, batches, steps_per_epoch)[1] for _ in range(epochs)]
            epoch_seconds[rung.name] = statistics.median(seconds)
            correct = measure(training.predict(test_loader).cpu(), test_targets)[1].item()
            accuracies[rung.name] = correct / len(test_data)
            print(f"{rung.name}: {epoch_seconds[rung.name]:.2f} s an epoch, ", end="")
            print(f"test accuracy {accuracies[rung.name]:.1%} after {epochs}")
        gain = speeds[fastest.name] / speeds[plain.name]
        writer.result = f"{gain:.1f}x with {fastest.name} on {place}"

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
