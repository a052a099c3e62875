"""14. Deeper: past Tudui

With the best recipe, Tudui gets three of four photographs right. What would it take to get 94 of 100 right?
You climb a ladder, each rung one idea: ReLU, BatchNorm, small convolutions, shortcuts and more channels, and
what the training adds. Each is measured: accuracy, parameters, arithmetic, speed. Then the top rung with more
channels, for as long as it takes; Ctrl-C stops it, and it goes on from there:

    lessons run 14 --dataset cifar10 --width full --epochs 31 --learning-rate 0.2
    lessons run 14 --resume

You will see: the validation accuracy of all rungs in one chart in SCALARS, and as bars in IMAGES.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset
from torch.utils.flop_counter import FlopCounterMode

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.charts import bar_chart
from lessons.course.logbook import RunWriter, markdown_table
from lessons.course.machine import has_bf16
from lessons.course.options import command_line, refuse_other_settings
from lessons.course.progress import track
from lessons.p05_loss_optim import evaluate
from lessons.p08_train import Training, choose_recipe, new_classifier, three_sets
from lessons.p09_resume import Checkpoint, mark_finished, newest_unfinished, restore_all, train_on
from lessons.p11_accelerator import pick_device, train, whole_batches
from lessons.tudui import (
    DeeperTudui,
    StagedTudui,
    Tudui,
    batchnorm_stage,
    pair_stage,
    relu_stage,
)

WIDTHS = {"small": (32, 64, 128), "medium": (64, 128, 256), "full": (64, 256, 256)}


# --- What the training adds


@torch.no_grad()
def whiten(conv: nn.Conv2d, imgs: Tensor) -> None:
    """Let the first convolution look at patches along their principal axes, each scaled to variance 1.

    Half of its filters are the axes, the others their negatives, which ReLU would lose. They are not trained:
    pictures of the world have the same ones everywhere. Source: the hlb-CIFAR10 and airbench records.
    """
    patches = F.unfold(imgs, conv.kernel_size).transpose(1, 2).flatten(0, 1)  # (patches, 3*2*2)
    variances, axes = torch.linalg.eigh(patches.T.cov())  # (12,) and (12, 12): an axis a column
    filters = (axes / (variances + 5e-4).sqrt()).T.reshape(-1, *conv.weight.shape[1:])  # (12, 3, 2, 2)
    conv.weight.copy_(torch.cat([filters, -filters]))  # (24, 3, 2, 2)
    conv.bias.zero_()
    conv.weight.requires_grad_(False)


class BothWays(nn.Module):
    """The mean of what a network says to a picture and to its mirror image. For testing alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, imgs: Tensor) -> Tensor:
        return (self.model(imgs) + self.model(imgs.flip(3))) / 2  # (N, C)


class EachShifted(Training):
    """Lesson 8's training, but each picture of a batch is shifted by itself."""

    def shift(self, imgs: Tensor) -> Tensor:
        side = imgs.shape[3]
        padded = F.pad(imgs, [self.recipe.shift] * 4, "reflect")  # (N, 3, 36, 36)
        windows = padded.unfold(2, side, 1).unfold(3, side, 1)  # (N, 3, 5, 5, 32, 32): a view, no copy
        down, right = torch.randint(windows.shape[2], (2, len(imgs)), device=imgs.device)  # (N,), (N,)
        return windows[torch.arange(len(imgs)), :, down, right]  # (N, 3, 32, 32)


# --- The ladder


class Rung(NamedTuple):
    """A step of the ladder: a network for so many classes, and whether it gets what this lesson adds."""

    name: str
    network: Callable[[int], Tudui]
    helped: bool = False


def ladder(widths: Sequence[int]) -> list[Rung]:
    """Each rung changes what its name says in the one before."""
    deeper = partial(DeeperTudui, widths=widths)
    return [
        Rung("Tudui", Tudui),
        Rung("+ ReLU", partial(StagedTudui, stage=relu_stage)),
        Rung("+ BatchNorm", partial(StagedTudui, stage=batchnorm_stage)),
        Rung("3x3 pairs", partial(StagedTudui, stage=pair_stage)),
        Rung("+ shortcuts, wider", deeper),
        Rung("+ trained better", deeper, helped=True),
    ]


def new_training(rung: Rung, recipe: SimpleNamespace, train_data: Subset, total_steps: int) -> Training:
    """Lesson 8's training of the rung's network, on the recipe's device; the pictures stay on the CPU."""
    model = new_classifier(recipe, train_data, rung.network)
    if rung.helped:
        some = Subset(train_data, range(min(5000, len(train_data))))
        imgs, _ = next(iter(DataLoader(some, len(some), generator=torch.Generator())))  # (5000, 3, 32, 32)
        whiten(model.network.model1[0], (imgs - model.mean) / model.std)
    # It fetches the pictures and hands back the scores, so that the loops of lessons 5 and 9 need no change
    model.register_forward_pre_hook(lambda model, inputs: (inputs[0].to(recipe.device),))
    model.register_forward_hook(lambda model, inputs, outputs: outputs.cpu())
    kind = EachShifted if rung.helped else Training
    return kind(model.to(recipe.device), recipe, total_steps)


def arithmetic(model: nn.Module) -> float:
    """Floating-point operations for one picture in training, forward and backward."""
    model = deepcopy(model)  # BatchNorm takes notes of every batch, and these are no pictures
    imgs, targets = torch.rand(8, 3, 32, 32), torch.zeros(8, dtype=torch.long)
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(imgs), targets).backward()
    return counter.get_total_flops() / len(imgs)


def climb(
    rung: Rung, recipe: SimpleNamespace, train_data: Subset, val_data: Subset, writer: RunWriter
) -> dict:
    """Train one rung; its validation accuracy after each epoch, parameters, FLOPs and pictures a second."""
    torch.manual_seed(recipe.seed)
    steps = len(DataLoader(train_data, recipe.batch_size))
    training = new_training(rung, recipe, train_data, recipe.epochs * steps)
    batches = whole_batches(train_data, recipe.batch_size, torch.device("cpu"))
    tested = BothWays(training.model) if rung.helped else training.model
    flops, accuracies, seconds = arithmetic(training.model), [], 0.0
    for epoch in track(range(1, recipe.epochs + 1), rung.name):
        seconds += train(training, batches, steps)[1]
        accuracies.append(evaluate(tested, DataLoader(val_data, 250), nn.CrossEntropyLoss())[1])
        writer.add_scalars("validation accuracy", {rung.name: accuracies[-1]}, epoch)
    parameters = sum(weight.numel() for weight in training.model.parameters())
    speed = recipe.epochs * len(train_data) / seconds
    row = (rung.name, f"{accuracies[-1]:.1%}", f"{parameters:,}", f"{flops / 1e6:.0f}", f"{speed:,.0f}")
    print("  {:<22}{:>8}{:>11} parameters{:>5} MFLOP{:>7} pictures/s".format(*row))
    return {"accuracies": accuracies, "parameters": parameters, "flops": flops, "speed": speed, "row": row}


# --- The long way


def long_way(recipe: SimpleNamespace, state: Checkpoint, path: Path | None) -> dict:
    """Train the top rung for as long as it takes; a stopped one goes on from its checkpoint's path."""
    torch.manual_seed(recipe.seed)
    train_data, val_data, test_data = three_sets(state.dataset)
    total_steps = recipe.epochs * len(DataLoader(train_data, recipe.batch_size))
    training = new_training(ladder(WIDTHS[recipe.width])[-1], recipe, train_data, total_steps)
    go_on = {"go_on_with": state.run, "purge_step": state.epoch, "device": recipe.device}
    with RunWriter(__file__, train_data.dataset, test_data, **go_on, **state.settings) as writer:
        folder = course_dir("models_saved") / "p14_deeper" / writer.folder.name
        folder.mkdir(parents=True, exist_ok=True)
        if path:
            restore_all(state, training, train_data, path)
        else:
            state.belong_to(writer, test_data)
        train_on(training, train_data, val_data, state, writer, folder)

        training.model.load_state_dict(torch.load(folder / "best.pth")["model"])
        accuracies = {}
        for name, data in {"validation": val_data, "test": test_data}.items():
            loader = DataLoader(data, batch_size=250)
            accuracies[name] = evaluate(BothWays(training.model), loader, nn.CrossEntropyLoss())[1]
            print(f"  {name:<10} {accuracies[name]:.2%} of {len(data):,} pictures right, both ways")
        mark_finished(folder / "last.pth")
        writer.result = f"test accuracy {accuracies['test']:.1%}"
    return {"run": writer.folder, "checkpoints": folder, "history": state.history, "final": accuracies}


def main(
    dataset: str = DATASET,
    width: str = "",
    without: list[str] | None = None,
    epochs: int = 5,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    device: str = "",
    resume: bool = False,
    seed: int = 0,
) -> dict:
    given = {name: value for name, value in locals().items() if name not in ("resume", "device")}
    if width and width not in WIDTHS:
        raise CourseError(f"there is no width {width!r}: choose {', '.join(WIDTHS)}")
    place, path = pick_device(device), None
    if resume:
        path, state = newest_unfinished("p14_deeper")
        refuse_other_settings(main, given, state.settings)
    else:
        recipe = choose_recipe("fast", without or [], learning_rate=learning_rate, batch_size=batch_size)
        recipe.bf16 = has_bf16(place) and "bf16" not in (without or [])
        state = Checkpoint(settings=given | vars(recipe), dataset=dataset, history=[])
    recipe = SimpleNamespace(**state.settings, device=place)
    if recipe.width:
        return long_way(recipe, state, path)

    train_data, val_data, _ = three_sets(dataset)
    with RunWriter(__file__, train_data.dataset, device=place, **state.settings) as writer:
        print(f"{recipe.epochs} epochs each, measured on the {len(val_data):,} pictures held back:")
        seen = {}
        for rung in ladder(WIDTHS["small"]):
            seen[rung.name] = climb(rung, recipe, train_data, val_data, writer)
        accuracies = {name: 100 * figures["accuracies"][-1] for name, figures in seen.items()}
        writer.add_figure("ladder", bar_chart(accuracies, "validation accuracy in percent", "{:.1f}"))
        headings = ("rung", "validation accuracy", "parameters", "MFLOP a picture", "pictures a second")
        writer.add_text("ladder", markdown_table(headings, [figures["row"] for figures in seen.values()]))
        writer.result = f"validation {accuracies['Tudui']:.1f} to {max(accuracies.values()):.1f}%"
    return {"run": writer.folder, "ladder": seen}


if __name__ == "__main__":
    command_line(main)
