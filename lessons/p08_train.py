"""8. Train: a recipe, and three sets of pictures

Lesson 5 trains. This lesson trains well, and says how well without fooling itself: by a recipe whose
ingredients can be left out by name, with some training pictures held back to choose the best network by, and
with the test pictures looked at once, at the end. The three figures show what overfitting is.

    lessons run 8 --without mirror --without shift

You will see: training and validation in one chart in SCALARS, and the settings of all runs in HPARAMS.
"""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, OneCycleLR
from torch.utils.data import DataLoader, Subset, random_split
from torchvision.transforms import ToTensor
from torchvision.transforms.v2 import RandomCrop

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.datasets import CourseData, open_dataset
from lessons.course.divergence import stop_if_diverged
from lessons.course.logbook import RunWriter
from lessons.course.machine import has_bf16
from lessons.course.options import command_line
from lessons.course.progress import track
from lessons.p05_loss_optim import evaluate
from lessons.p07_save_load import save
from lessons.tudui import Classifier, Tudui

INGREDIENTS = {  # name: (value in the recipe "notes", which is lesson 5's, value in "fast")
    "batch_size": (64, 128),
    "learning_rate": (0.01, 0.1),  # with one_cycle: the highest
    "momentum": (0.0, 0.9),  # how much of the last steps' direction is kept
    "weight_decay": (0.0, 5e-4),  # how strongly each step pulls the weights towards 0
    "label_smoothing": (0.0, 0.1),  # how much of each target is spread over all classes
    "max_norm": (0.0, 1.0),  # longer gradients are cut to this length; 0 leaves them as they are
    "one_cycle": (False, True),  # the learning rate rises and falls once over the whole training
    "orthogonal": (False, True),  # first weights that stretch no direction more than another
    "normalise": (False, True),  # each channel of the pictures gets mean 0 and standard deviation 1
    "mirror": (False, True),  # about half of the training pictures are mirrored, others in each epoch
    "shift": (0, 2),  # training pictures are moved by up to so many pixels
    "channels_last": (False, True),  # the channels of a pixel side by side in memory (lesson 11)
    "bf16": (False, has_bf16()),  # numbers in half the bytes, where the processor can (lesson 11)
}


def choose_recipe(name: str, without: Sequence[str] = (), **own: float | None) -> SimpleNamespace:
    """All ingredients of a recipe; those left out are lesson 5's, and numbers of one's own come last."""
    if name not in ("notes", "fast"):
        raise CourseError(f"there is no recipe {name!r}: choose notes or fast")
    for key in without:
        if key not in INGREDIENTS:
            raise CourseError(f"no recipe has {key!r}: leave out {', '.join(INGREDIENTS)}")
    recipe = {}
    for key, (notes, fast) in INGREDIENTS.items():
        recipe[key] = fast if name == "fast" and key not in without else notes
    recipe |= {key: value for key, value in own.items() if value is not None}
    return SimpleNamespace(**recipe)  # the same with dots: recipe.momentum for recipe["momentum"]


def three_sets(dataset: str) -> tuple[Subset, Subset, CourseData]:
    """Pictures to learn from, pictures to choose by, and test pictures, to be looked at once, at the end."""
    data = open_dataset(dataset, train=True, transform=ToTensor())
    if len(data) < 10:
        raise CourseError(f"{data.name} has {len(data)} training pictures: to hold back one in ten, add some")
    split = torch.Generator().manual_seed(0)  # the same split whatever the seed, so that runs compare
    train_data, val_data = random_split(data, [0.9, 0.1], generator=split)
    return train_data, val_data, open_dataset(dataset, train=False, transform=ToTensor())


def new_classifier(
    recipe: SimpleNamespace, train_data: Subset, network: Callable[[int], Tudui] | None = None
) -> Classifier:
    """An untrained Tudui for these pictures, with the recipe's first weights and normalisation."""
    tudui = (network or Tudui)(len(train_data.dataset.classes))
    if recipe.orthogonal:
        for layer in tudui.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(layer.weight)
    if not recipe.normalise:
        return Classifier(tudui)
    some = train_data.indices[:5000]  # a Subset has its whole data set as .dataset, and numbers in it
    pictures = torch.from_numpy(train_data.dataset.data[some]) / 255  # (5000, 32, 32, 3)
    std, mean = torch.std_mean(pictures, dim=(0, 1, 2))  # (3,), (3,): over all but the channels
    return Classifier(tudui, mean.tolist(), std.clamp(min=0.01).tolist())  # a channel may be all the same


class Training:
    """A network and what moves it: the loss, the optimizer and the learning rate, as the recipe says."""

    def __init__(self, model: nn.Module, recipe: SimpleNamespace, total_steps: int) -> None:
        self.model, self.recipe = model, recipe
        if recipe.channels_last:
            model.to(memory_format=torch.channels_last)
        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.optimizer = torch.optim.SGD(
            model.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,  # a kind of momentum that looks one step ahead
            weight_decay=recipe.weight_decay,
        )
        self.scheduler = ConstantLR(self.optimizer, factor=1.0)  # leaves the learning rate as it is
        if recipe.one_cycle:  # up to learning_rate in the first fifth of the steps, then down to almost 0
            total_steps = max(total_steps, 6)  # with 5, where a fifth is one step, OneCycleLR divides by 0
            self.scheduler = OneCycleLR(
                self.optimizer, recipe.learning_rate, total_steps, pct_start=0.2, cycle_momentum=False
            )

    def augment(self, imgs: Tensor) -> Tensor:
        """The same pictures, a little different each time: (N, 3, 32, 32) in and out. For training alone."""
        if self.recipe.mirror:
            coins = torch.rand(len(imgs), 1, 1, 1, device=imgs.device)  # one toss for each picture
            imgs = torch.where(coins < 0.5, imgs.flip(3), imgs)  # 3: the width
        return self.shift(imgs) if self.recipe.shift else imgs

    def shift(self, imgs: Tensor) -> Tensor:
        """Move the whole batch alike, by up to ``recipe.shift`` pixels: (N, 3, 32, 32) in and out."""
        return RandomCrop(imgs.shape[-2:], padding=self.recipe.shift, padding_mode="reflect")(imgs)

    def step(self, imgs: Tensor, targets: Tensor) -> Tensor:
        """Lesson 5's step with the recipe: pictures (N, 3, 32, 32) in [0, 1] and (N,) to scores (N, C)."""
        imgs = self.augment(imgs)
        with torch.autocast(imgs.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            outputs = self.model(imgs)  # (N, C), in bfloat16 when the recipe says so (lesson 11)
        loss = self.loss_fn(outputs.float(), targets)  # a loss wants full precision again
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.max_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_norm)
        self.optimizer.step()
        self.scheduler.step()  # sets the learning rate of the next step
        return outputs.detach().float()  # not the loss, as in lesson 5: ``measure`` takes its own


def measure(outputs: Tensor, targets: Tensor) -> Tensor:
    """Sum of the losses, right answers, pictures: (3,). These add up over batches of any size."""
    loss = F.cross_entropy(outputs, targets, reduction="sum")  # without smoothing, so that recipes compare
    correct = (outputs.argmax(dim=1) == targets).sum()
    return torch.stack([loss, correct, torch.tensor(len(targets), device=loss.device)]).double()


def validate(training: Training, sums: Tensor, val_loader: DataLoader, epoch: int, writer: RunWriter) -> dict:
    """Loss and accuracy of an epoch, in training (from ``sums``) and in validation: printed and logged."""
    loss_sum, correct, pictures = sums.tolist()
    val_loss, val_accuracy = evaluate(training.model, val_loader, nn.CrossEntropyLoss())
    losses = {"train": loss_sum / pictures, "validation": val_loss}
    accuracies = {"train": correct / pictures, "validation": val_accuracy}
    stop_if_diverged(training.recipe.learning_rate, training.model, **losses)
    writer.add_scalars("loss", losses, epoch)
    writer.add_scalars("accuracy", accuracies, epoch)
    writer.add_scalar("learning rate", training.scheduler.get_last_lr()[0], epoch)
    figures = [f"{name} loss {losses[name]:.3f}, {accuracies[name]:.1%} right" for name in losses]
    print(f"epoch {epoch:>2}  {'  '.join(figures)}")
    return {"loss": losses, "accuracy": accuracies}


def final_test(model: nn.Module, train_data: Subset, val_data: Subset, test_data: CourseData) -> dict:
    """The chosen network's accuracy on each set: on the test pictures now, and only now."""
    accuracies = {}
    for name, data in {"train": train_data, "validation": val_data, "test": test_data}.items():
        _, accuracies[name] = evaluate(model, DataLoader(data, batch_size=250), nn.CrossEntropyLoss())
        print(f"  {name:<10} {accuracies[name]:.1%} of {len(data):,} pictures right")
    gap = 100 * (accuracies["train"] - accuracies["test"])
    print(f"  train minus test: {gap:.1f} points; the larger this gap, the more the network overfits")
    return accuracies


def main(
    dataset: str = DATASET,
    recipe: str = "fast",
    without: list[str] | None = None,
    epochs: int = 10,
    patience: int = 10,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
) -> dict:
    chosen = choose_recipe(recipe, without or [], learning_rate=learning_rate, batch_size=batch_size)
    torch.manual_seed(seed)
    train_data, val_data, test_data = three_sets(dataset)
    train_loader = DataLoader(train_data, chosen.batch_size, shuffle=True)
    val_loader = DataLoader(val_data, batch_size=250)
    training = Training(new_classifier(chosen, train_data), chosen, total_steps=epochs * len(train_loader))

    settings = {"seed": seed, "epochs": epochs, "patience": patience, "recipe": recipe, **vars(chosen)}
    with RunWriter(__file__, train_data.dataset, test_data, **settings) as writer:
        print(f"recipe: {recipe}, without {', '.join(without or ['nothing'])}")
        print(f"{len(train_data):,} pictures to learn from, {len(val_data):,} held back to choose by")
        best_file = course_dir("models_saved") / "p08_train" / writer.folder.name / "best.pth"
        best_file.parent.mkdir(parents=True)
        history, best_epoch, best_accuracy = [], 0, -1.0
        for epoch in range(1, epochs + 1):
            sums = torch.zeros(3, dtype=torch.float64)
            # Measured while the network learns, on changed pictures: at first worse than validation
            for imgs, targets in track(train_loader, f"epoch {epoch}"):
                sums += measure(training.step(imgs, targets), targets)
            history.append(validate(training, sums, val_loader, epoch, writer))
            accuracy = history[-1]["accuracy"]["validation"]
            if accuracy > best_accuracy:
                best_epoch, best_accuracy = epoch, accuracy
                about = {"classes": list(test_data.classes), "dataset": test_data.name, "epoch": epoch}
                save({"model": training.model.state_dict(), **about}, best_file)
            elif epoch - best_epoch == patience:
                print(f"no better for {patience} epochs: stopped early")
                break

        print(f"the best network, of epoch {best_epoch}: {best_file}")
        training.model.load_state_dict(torch.load(best_file)["model"])
        final = final_test(training.model, train_data, val_data, test_data)
        # run_name ".": the row belongs to this run; a folder of its own would be a run of its own
        writer.add_hparams(settings, {"hparam/validation accuracy": best_accuracy}, run_name=".")
        writer.result = f"test accuracy {final['test']:.1%}"

    best = {"best_file": best_file, "best": (best_epoch, best_accuracy)}
    return {"run": writer.folder, "history": history, "final": final, "model": training.model, **best}


if __name__ == "__main__":
    command_line(main)
