"""The ways of doing each thing: ``notes_*`` as the original notes do it, ``course_*`` as the lessons do it.

Each is called once in its process, untimed, and returns the function that is timed.
"""

import itertools
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
import torchvision
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset
from torch.utils.tensorboard import SummaryWriter
from torchvision.transforms import ToTensor

from lessons.course.datasets import CourseData, Sketch10, dataset_line, open_dataset
from lessons.course.machine import has_bf16
from lessons.course.memory import keep_freed_memory
from lessons.p05_loss_optim import evaluate, train_step
from lessons.p08_train import Training, choose_recipe, measure, new_classifier
from lessons.p14_deeper import WIDTHS, BothWays, arithmetic, ladder, new_training
from lessons.tudui import Classifier, Tudui

from .measure import MB, resident_mb

BATCH_SIZE = 64
FAST = {"channels_last": True}  # of lesson 8's recipe: what makes it faster and leaves the losses as they are

# What a learner may have written: it knows nothing of the course. Arguments: a file for the losses, steps
TRAINING_SCRIPT = """
import sys

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(64 * 8 * 8, 64), nn.ReLU(), nn.Linear(64, 10),
)
loss_fn, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.01)
with open(sys.argv[1], "w") as file:
    for step in range(int(sys.argv[2])):
        imgs, targets = torch.rand(64, 3, 32, 32), torch.randint(10, (64,))
        loss = loss_fn(model(imgs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        print(loss.item(), file=file)
"""


def pictures(name: str, train: bool, count: int) -> CourseData:
    """So many pictures of a data set, in random order, and repeated when it has fewer."""
    data = open_dataset(name, train, ToTensor())
    order = np.resize(np.random.default_rng(0).permutation(len(data)), count)
    data.data, data.targets = data.data[order], [data.targets[index] for index in order]
    return data


class OneByOne(Dataset):
    """The same pictures one at a time, as torchvision gives them: through PIL, then ToTensor."""

    def __init__(self, data: CourseData) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.data[index]


def loader(data: Dataset, batch_size: int = BATCH_SIZE) -> DataLoader:
    return DataLoader(data, batch_size=batch_size, shuffle=True)


def what_there_is(name: str) -> Callable[[], dict]:
    """What torch computes with, and the pictures."""
    used = dataset_line(open_dataset(name, True), open_dataset(name, False))
    used += "; a case that wants more repeats them, one that wants fewer draws some"
    return lambda: {"threads": torch.get_num_threads(), "bf16": has_bf16(), "pictures": used}


# --- Training: each run starts with the same weights and takes the same pictures in the same order


def notes_train(name: str, count: int) -> Callable[[], dict]:
    dataloader = loader(OneByOne(pictures(name, True, count)))

    def epoch() -> dict:
        torch.manual_seed(0)
        tudui = Tudui()
        loss_fn = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(tudui.parameters(), lr=0.01)
        running_loss, losses = 0.0, []
        for data in dataloader:
            imgs, targets = data
            outputs = tudui(imgs)
            loss = loss_fn(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running_loss += loss  # the sum keeps a piece of each step's graph
            losses.append(loss.detach())
        return {"losses": torch.stack(losses).tolist()}

    return epoch


def course_train_p05(name: str, count: int) -> Callable[[], dict]:
    dataloader = loader(pictures(name, True, count))

    keep_freed_memory()  # as the command does before each lesson

    def epoch() -> dict:
        torch.manual_seed(0)
        tudui = Tudui()
        loss_fn = nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(tudui.parameters(), lr=0.01)
        return {"losses": [train_step(tudui, *batch, loss_fn, optimizer).item() for batch in dataloader]}

    return epoch


def training_p08(**switches: bool) -> Training:
    """Lesson 8's training with the notes' choices, save for the switches."""
    keep_freed_memory()  # as the command does before each lesson
    torch.manual_seed(0)
    return Training(Classifier(Tudui()), choose_recipe("notes", **switches), total_steps=1)


def course_train_p08(
    name: str, count: int, switches: dict, batch_size: int = BATCH_SIZE, keep_one: bool = False
) -> Callable[[], dict]:
    """With ``keep_one``, all steps are on one batch kept in memory: nothing but computing."""
    data = pictures(name, True, count)
    dataloader = loader(data, batch_size)
    batches = [next(iter(dataloader))] * len(dataloader) if keep_one else dataloader

    def epoch() -> dict:
        training = training_p08(**switches)
        sums = [measure(training.step(imgs, targets), targets) for imgs, targets in batches]
        loss_sums, _, counts = torch.stack(sums).T
        return {"losses": (loss_sums / counts).tolist()}

    return epoch


def course_train_epochs(name: str, count: int, epochs: int, switches: dict) -> Callable[[], dict]:
    """A longer training: the resident memory in MB after each epoch, and the test accuracy at the end."""
    data = pictures(name, True, count)

    def train() -> dict:
        training, resident = training_p08(**switches), []
        for _ in range(epochs):
            for imgs, targets in loader(data):
                training.step(imgs, targets)
            resident.append(resident_mb())
        return {"resident_mb": resident, "accuracy": accuracy_of(training.model, name)}

    return train


# --- Recipes: not the same training, but how soon each is how good. On the whole of both splits


def notes_next_epoch(name: str) -> Callable[[], dict]:
    """One more epoch of the notes' training at each call."""
    dataloader = loader(OneByOne(open_dataset(name, True, ToTensor())))
    torch.manual_seed(0)
    tudui, loss_fn = Tudui(), nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(tudui.parameters(), lr=0.01)

    def epoch() -> dict:
        running_loss = 0.0
        for data in dataloader:
            imgs, targets = data
            loss = loss_fn(tudui(imgs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running_loss += loss
        return {"weights": {key: value.clone() for key, value in tudui.state_dict().items()}}

    return epoch


def course_next_seed(name: str, epochs: int) -> Callable[[], dict]:
    """The fast recipe for so many epochs, and the test of what it has learnt; another seed at each call."""
    data, seeds = open_dataset(name, True, ToTensor()), itertools.count()
    recipe, everything = choose_recipe("fast"), Subset(data, range(len(data)))
    dataloader = loader(data, recipe.batch_size)

    def train() -> dict:
        keep_freed_memory()  # as the command does before each lesson
        torch.manual_seed(next(seeds))
        training = Training(new_classifier(recipe, everything), recipe, epochs * len(dataloader))
        for _ in range(epochs):
            for imgs, targets in dataloader:
                training.step(imgs, targets)
        return {"accuracy": accuracy_of(training.model, name)}

    return train


def course_climb(name: str, count: int, rung: int) -> Callable[[], dict]:
    """Steps of a rung of lesson 14 in fp32, and this machine's own rate: both in FLOP a second."""
    data = pictures(name, True, count)
    everything, dataloader = Subset(data, range(count)), loader(data, 128)
    keep_freed_memory()
    recipe = SimpleNamespace(**vars(choose_recipe("fast", ["bf16"])), device="cpu")
    step = ladder(WIDTHS["small"])[rung]
    training = new_training(step, recipe, everything, total_steps=100 * len(dataloader))
    flops, matrix = arithmetic(training.model), torch.rand(2048, 2048)

    def train() -> dict:
        start = time.perf_counter()
        for imgs, targets in dataloader:
            training.step(imgs, targets)
        trained = time.perf_counter()
        for _ in range(10):
            matrix @ matrix
        mm_seconds = time.perf_counter() - trained
        rates = {"flops": count * flops / (trained - start), "mm flops": 10 * 2 * 2048**3 / mm_seconds}
        return {"name": step.name, "pictures a second": count / (trained - start), **rates}

    return train


def course_top_rung(name: str, epochs: int) -> Callable[[], dict]:
    """The top rung, small and in fp32, and the test of what it has learnt; another seed at each call."""
    data, seeds = open_dataset(name, True, ToTensor()), itertools.count()
    recipe = SimpleNamespace(**vars(choose_recipe("fast", ["bf16"])), device="cpu")
    everything, dataloader = Subset(data, range(len(data))), loader(data, recipe.batch_size)

    def train() -> dict:
        keep_freed_memory()  # as the command does before each lesson
        torch.manual_seed(next(seeds))
        training = new_training(ladder(WIDTHS["small"])[-1], recipe, everything, epochs * len(dataloader))
        for _ in range(epochs):
            for imgs, targets in dataloader:
                training.step(imgs, targets)
        return {"accuracy": accuracy_of(BothWays(training.model), name)}

    return train


def tested(name: str, weights: dict) -> Callable[[], dict]:
    """The test accuracy of a network with these weights."""
    tudui = Tudui()
    tudui.load_state_dict(weights)
    return lambda: {"accuracy": accuracy_of(tudui, name)}


def accuracy_of(model: nn.Module, name: str) -> float:
    dataloader = DataLoader(open_dataset(name, False, ToTensor()), batch_size=250)
    return evaluate(model, dataloader, nn.CrossEntropyLoss())[1]


# --- Data alone, and evaluation


def read_through(name: str, count: int, one_by_one: bool) -> Callable[[], None]:
    data = pictures(name, True, count)
    dataloader = loader(OneByOne(data) if one_by_one else data)

    def read() -> None:
        for _imgs, _targets in dataloader:
            pass

    return read


def memory_of_data(name: str, count: int) -> Callable[[], dict]:
    """What Python and NumPy hold, in MB, once so many pictures are there."""

    def hold() -> dict:
        tracemalloc.start()
        data = pictures(name, True, count)
        return {"pictures": len(data), "held_mb": tracemalloc.get_traced_memory()[0] / MB}

    return hold


def notes_evaluate(name: str, count: int) -> Callable[[], dict]:
    """The notes' loop over the test split without the three lines that train: it still builds each graph."""
    dataloader = loader(OneByOne(pictures(name, False, count)))
    torch.manual_seed(0)
    tudui = Tudui()
    loss_fn = nn.CrossEntropyLoss()

    def test() -> dict:
        total_loss, correct = 0.0, 0
        for data in dataloader:
            imgs, targets = data
            outputs = tudui(imgs)
            total_loss += loss_fn(outputs, targets).item() * len(imgs)
            correct += (outputs.argmax(1) == targets).sum().item()
        return {"loss": total_loss / count, "correct": correct}

    return test


def course_evaluate(name: str, count: int) -> Callable[[], dict]:
    dataloader = DataLoader(pictures(name, False, count), batch_size=250)
    model, loss_fn = training_p08(**FAST).model, nn.CrossEntropyLoss()

    def test() -> dict:
        loss, accuracy = evaluate(model, dataloader, loss_fn)
        return {"loss": loss, "correct": round(accuracy * count)}

    return test


# --- VGG16's checkpoint, Sketch10, TensorBoard


def notes_load_vgg16(path: Path) -> Callable[[], None]:
    def load() -> None:
        vgg16 = torchvision.models.vgg16()
        vgg16.load_state_dict(torch.load(path))

    return load


def course_load_vgg16(path: Path) -> Callable[[], None]:
    def load() -> None:  # the last way of lesson 7
        with torch.device("meta"):
            vgg16 = torchvision.models.vgg16()
        vgg16.load_state_dict(torch.load(path, mmap=True), assign=True)

    return load


def save_vgg16(path: Path) -> Callable[[], None]:
    return lambda: torch.save(torchvision.models.vgg16().state_dict(), path)


def draw_sketch10() -> Callable[[], None]:
    def draw() -> None:
        with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
            Sketch10(folder, download=True)

    return draw


def notes_events(name: str, count: int) -> Callable[[], dict]:
    """What the notes' scripts write on test pictures: a grid of every batch, before and behind a layer."""
    data = OneByOne(pictures(name, False, count))

    def write() -> dict:
        convolution, maxpool = nn.Conv2d(3, 3, 3), nn.MaxPool2d(3)
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # add_graph uses what torch has deprecated
            with SummaryWriter(f"{folder}/conv2d") as writer:
                for step, (imgs, _) in enumerate(loader(data)):
                    writer.add_images("output", convolution(imgs), step)
            with SummaryWriter(f"{folder}/maxpool") as writer:
                for step, (imgs, _) in enumerate(loader(data)):
                    writer.add_images("input", imgs, step)
                    writer.add_images("output", maxpool(imgs), step)
            with SummaryWriter(f"{folder}/sequential") as writer:
                writer.add_graph(Tudui(), torch.ones(64, 3, 32, 32))
            return {"bytes": event_bytes(Path(folder))}

    return write


def event_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("events.out.tfevents.*"))
