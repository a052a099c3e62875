"""7. Save and load: what is in the file

A model can be saved whole (a pickle, which names your class but does not hold its code) or as a state_dict
(the weights alone, by name). You save VGG16 both ways, load half a gigabyte in a blink, lose a class and get
it back, continue a training as if it had never stopped, and see why a stranger's pickle is a program.

You will see: a curve in SCALARS that goes on exactly where it was stopped, and sizes and times in TEXT.
"""

import os
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter
from torchvision.models import vgg16
from torchvision.transforms import ToTensor

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.checkpoints import check_whole
from lessons.course.datasets import open_dataset
from lessons.course.logbook import RunWriter, markdown_table
from lessons.course.options import command_line
from lessons.p05_loss_optim import train_step
from lessons.tudui import Tudui


def save(content: object, path: Path) -> None:
    """``torch.save`` under a temporary name, then rename: a crash half way leaves the old file whole."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # two runs may save under one name
    try:
        with open(unfinished, "wb") as file:
            torch.save(content, file)
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)  # still there when the disk was full


def load(path: Path) -> Any:
    """``torch.load`` of what is whole: by itself it takes a bit that the disk has flipped for a weight."""
    check_whole(path)  # torch.save writes checksums, which torch.load does not look at
    return torch.load(path, map_location="cpu")  # wherever it was saved


@contextmanager
def stopwatch(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start
    print(f"  {name:<24} {seconds[name]:6.2f} s")


def save_and_load_vgg16(folder: Path) -> dict[str, float]:
    """Method 1, the whole model; method 2, the state_dict; then loading each. Returns the seconds."""
    method1, method2 = folder / "vgg16_method1.pth", folder / "vgg16_method2.pth"
    seconds = {}
    vgg = vgg16(weights=None)
    with stopwatch(seconds, "save whole model"):
        save(vgg, method1)
    with stopwatch(seconds, "save state_dict"):
        save(vgg.state_dict(), method2)
    with stopwatch(seconds, "load whole model"):
        vgg = torch.load(method1, weights_only=False)  # trusts the file to run any code: see Payload
    with stopwatch(seconds, "build, load_state_dict"):
        vgg = vgg16(weights=None)  # draws 138 million random numbers, only to overwrite them
        vgg.load_state_dict(torch.load(method2))
    with stopwatch(seconds, "meta, mmap, assign"):
        with torch.device("meta"):  # layers that have shapes but no memory
            vgg = vgg16(weights=None)
        # mmap reads a weight from the file when it is first used; assign puts it in place, without a copy
        vgg.load_state_dict(torch.load(method2, mmap=True), assign=True)
    return seconds


MY_TRAINING_SCRIPT = """
from lessons.tudui import Tudui


class Net(Tudui):
    pass
"""


def lose_a_class(folder: Path) -> tuple[str, str]:
    """Save a whole model, lose its class, get it back. Returns the two messages on the way."""
    path = folder / "tudui_method1.pth"
    with tempfile.TemporaryDirectory() as work, ExitStack() as afterwards:
        script = Path(work, "my_training_script.py")
        script.write_text(MY_TRAINING_SCRIPT)
        sys.path.insert(0, work)  # what Python does with the folder of the script that you run
        afterwards.callback(sys.path.remove, work)
        afterwards.callback(sys.modules.pop, script.stem, None)
        from my_training_script import Net

        save(Net(), path)
        try:
            torch.load(path)  # weights_only=True is the default since PyTorch 2.6
        except pickle.UnpicklingError as error:
            refused = str(error)
        print(f"\ntorch.load(path): UnpicklingError: {refused[:60]}...")

        script.write_text(MY_TRAINING_SCRIPT.replace("Net", "BetterNet"))
        del sys.modules[script.stem]  # another day: Python has been started anew and reads the script again
        try:
            torch.load(path, weights_only=False)  # imports my_training_script and looks for Net in it
        except AttributeError as error:
            lost = str(error)
        print(f"the class is gone: AttributeError: {lost}")

        script.write_text(MY_TRAINING_SCRIPT)  # the old name in the old place
        del sys.modules[script.stem]
        net = torch.load(path, weights_only=False)  # now save its state_dict, which needs no name
        print(f"the class is back: {type(net).__name__} loads again")
    return refused, lost


CODE_THAT_RAN = []  # stays empty unless a pickle runs leave_a_trace


def leave_a_trace(text: str) -> None:
    CODE_THAT_RAN.append(text)  # harmless here; it could as well delete your files


class Payload:
    """An object whose pickle says: to rebuild me, call this function with this argument."""

    def __reduce__(self) -> tuple:
        return leave_a_trace, ("a pickle ran this",)


def open_a_strange_pickle(folder: Path) -> tuple[list, list]:
    """Load the payload the safe way and the trusting way; which code ran in each."""
    path = folder / "payload.pth"
    save(Payload(), path)
    CODE_THAT_RAN.clear()
    with suppress(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    safe = CODE_THAT_RAN.copy()
    torch.load(path, weights_only=False)
    print(f"\ncode that ran with weights_only=True: {safe}, with weights_only=False: {CODE_THAT_RAN}")
    return safe, CODE_THAT_RAN.copy()


def stop_and_resume(
    folder: Path, train_data: Dataset, steps: int, writer: SummaryWriter
) -> tuple[list, list]:
    """Train, saving a checkpoint half way, then go on from it. Returns the losses of both, step by step."""
    batches = list(islice(DataLoader(train_data, batch_size=64), steps))
    path, half = folder / "tudui_checkpoint.pth", len(batches) // 2
    loss_fn = nn.CrossEntropyLoss()

    def new_training() -> tuple[nn.Module, torch.optim.Optimizer]:
        tudui = Tudui(num_classes=len(train_data.classes))
        return tudui, torch.optim.SGD(tudui.parameters(), lr=0.01, momentum=0.9)  # momentum remembers steps

    in_one_go, resumed = [], []
    tudui, optimizer = new_training()
    for step, (imgs, targets) in enumerate(batches):
        if step == half:
            checkpoint = {"model": tudui.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
            checkpoint["rng_state"] = torch.get_rng_state()  # what a Dropout in your network draws from
            save(checkpoint, path)
        in_one_go.append(train_step(tudui, imgs, targets, loss_fn, optimizer).item())
        writer.add_scalars("loss", {"in one go": in_one_go[-1]}, step)
    save(tudui.state_dict(), folder / "tudui_method2.pth")

    tudui, optimizer = new_training()  # another day: other random weights, no memory of steps
    checkpoint = torch.load(path)
    tudui.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    torch.set_rng_state(checkpoint["rng_state"])
    for step in range(checkpoint["step"], len(batches)):
        resumed.append(train_step(tudui, *batches[step], loss_fn, optimizer).item())
        writer.add_scalars("loss", {"stopped and resumed": resumed[-1]}, step)
    print(f"\nresumed at step {half}: the losses are as without the stop: {resumed == in_one_go[half:]}")
    return in_one_go, resumed


def main(dataset: str = DATASET, steps: int = 40, seed: int = 0) -> dict:
    torch.manual_seed(seed)
    train_data = open_dataset(dataset, train=True, transform=ToTensor())
    folder = course_dir("models_saved")
    free = shutil.disk_usage(folder).free / 1e9
    print(f"writes 1.1 GB to {folder} ({free:.0f} GB free; `lessons clean models` gives it back)")
    if free < 1.5:
        raise CourseError(f"{free:.1f} GB are not enough: make room, or set LESSONS_HOME to a larger disk")

    with RunWriter(__file__, train_data, seed=seed, steps=steps) as writer:
        seconds = save_and_load_vgg16(folder)
        messages = lose_a_class(folder)
        code_that_ran = open_a_strange_pickle(folder)
        losses = stop_and_resume(folder, train_data, steps, writer)

        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(folder.glob("*.pth"))}  # MB
        for name, size in sizes.items():
            print(f"  {name:<24} {size:8.3f} MB")
        for title, unit, table in (("VGG16", "seconds", seconds), ("file", "MB", sizes)):
            rows = [(name, f"{value:.3f}") for name, value in table.items()]
            writer.add_text(f"{title} in {unit}", markdown_table((title, unit), rows))
        ratio = seconds["build, load_state_dict"] / seconds["meta, mmap, assign"]
        writer.result = f"VGG16 ready {ratio:.0f} times sooner"  # mmap reads at the first use

    return {
        "run": writer.folder,
        "seconds": seconds,
        "sizes": sizes,
        "messages": messages,
        "code_that_ran": code_that_ran,
        "losses": losses,
    }


if __name__ == "__main__":
    command_line(main)
