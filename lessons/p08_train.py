"""8. Train: the whole routine

All that stands around the four lines of lesson 5 when a training matters: a recipe whose ingredients can be
left out one by one, both splits measured in each epoch, checkpoints from which an interrupted run goes on as
if it had never been stopped, the best network kept apart, and a close look at what it still gets wrong.

You will see: the curves of both splits in SCALARS, the worst mistakes in IMAGES, and the same run in
PR CURVES, PROJECTOR and HPARAMS.
"""

import inspect
import math
import signal
import time
from types import SimpleNamespace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ConstantLR, OneCycleLR
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter
from torchvision.transforms import ToTensor
from torchvision.transforms.v2 import RandomCrop

from lessons.course import DATASET, CourseError, course_dir
from lessons.course.charts import captioned_chart, confusion_chart
from lessons.course.cli import command_line
from lessons.course.datasets import CourseData, open_dataset
from lessons.course.logbook import RunWriter
from lessons.p07_save_load import save
from lessons.tudui import Tudui


def multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bfloat16. Without them it imitates them, ten times slower."""
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()  # an older PyTorch does not tell
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


class Recipe(NamedTuple):
    """How to train. Each field is an option too: ``--recipe fast --no-mirror`` leaves one ingredient out."""

    batch_size: int = 64
    learning_rate: float = 0.01  # with one_cycle: the highest
    momentum: float = 0.0
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    max_norm: float = 0.0  # longer gradients are cut to this length; 0 leaves them as they are
    one_cycle: bool = False
    orthogonal: bool = False
    normalise: bool = False
    mirror: bool = False
    shift: int = 0  # pixels
    channels_last: bool = False
    bf16: bool = False


RECIPES = {
    "notes": Recipe(),  # lesson 5's: plain SGD, a batch of 64
    "fast": Recipe(
        batch_size=128,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        label_smoothing=0.1,
        max_norm=1.0,
        one_cycle=True,
        orthogonal=True,
        normalise=True,
        mirror=True,
        shift=2,
        channels_last=True,
        bf16=multiplies_bf16(),
    ),
}


class Training:
    """A network and what its next step depends on; ``state_dict`` is the part of it that a checkpoint keeps.

    Args:
        recipe: how to train.
        pictures: (M, 32, 32, 3) uint8, the training pictures, for the mean and std of each channel.
        num_classes: how many scores the network gives.
        total_steps: the length of the whole training, over which ``one_cycle`` lays the learning rate.
        device: where the network computes.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Tensor,
        num_classes: int,
        total_steps: int,
        device: str | torch.device = "cpu",
    ) -> None:
        self.recipe = recipe
        self.model = Tudui(num_classes)
        if recipe.orthogonal:  # first weights that stretch no direction more than another
            for layer in self.model.model1:
                if isinstance(layer, nn.Conv2d | nn.Linear):
                    nn.init.orthogonal_(layer.weight)
        self.model.to(device)
        if recipe.channels_last:  # the channels of a pixel side by side in memory: faster convolutions
            self.model.to(memory_format=torch.channels_last)

        self.mean, self.std = torch.zeros(3, device=device), torch.ones(3, device=device)
        if recipe.normalise:
            some = pictures[:: max(1, len(pictures) // 5000)].to(device) / 255  # (about 5000, 32, 32, 3)
            self.mean, self.std = some.mean(dim=(0, 1, 2)), some.std(dim=(0, 1, 2))  # (3,), (3,)
        self.random_shift = RandomCrop(32, padding=recipe.shift, padding_mode="reflect")

        self.loss_fn = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            nesterov=recipe.momentum > 0,
            weight_decay=recipe.weight_decay,
        )
        if recipe.one_cycle:  # up to learning_rate in the first fifth of the steps, then down to almost 0
            total_steps = max(total_steps, 6)  # of 5 steps a fifth is 1, in which nothing can rise
            self.scheduler = OneCycleLR(
                self.optimizer, recipe.learning_rate, total_steps, pct_start=0.2, cycle_momentum=False
            )
        else:
            self.scheduler = ConstantLR(self.optimizer, factor=1.0)

    def augment(self, imgs: Tensor) -> Tensor:
        """The same pictures, a little different each time: (N, 3, 32, 32) in and out. For training alone."""
        if self.recipe.mirror:
            coins = torch.rand(len(imgs), 1, 1, 1, device=imgs.device)  # one toss for each picture
            imgs = torch.where(coins < 0.5, imgs.flip(3), imgs)
        if self.recipe.shift:
            imgs = self.random_shift(imgs)  # the whole batch, by up to `shift` pixels
        return imgs

    def prepare(self, imgs: Tensor) -> Tensor:
        """From pictures (N, 3, 32, 32) in [0, 1] to what the network has learnt to expect."""
        if self.recipe.normalise:
            imgs = (imgs - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)
        if self.recipe.channels_last:
            imgs = imgs.contiguous(memory_format=torch.channels_last)
        return imgs

    def forward(self, imgs: Tensor) -> Tensor:
        """The scores (N, C) of pictures (N, 3, 32, 32) in [0, 1]."""
        with torch.autocast(imgs.device.type, torch.bfloat16, enabled=self.recipe.bf16):
            outputs = self.model(self.prepare(imgs))
        return outputs.float()  # a loss wants full precision again

    def step(self, imgs: Tensor, targets: Tensor) -> Tensor:
        """Lesson 5's step with the recipe: pictures (N, 3, 32, 32) in [0, 1] and (N,) to scores (N, C)."""
        outputs = self.forward(self.augment(imgs))
        loss = self.loss_fn(outputs, targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.recipe.max_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.max_norm)
        self.optimizer.step()
        self.scheduler.step()  # sets the learning rate of the next step
        return outputs.detach()

    @torch.no_grad()
    def predict(self, dataloader: DataLoader) -> Tensor:
        """The scores (M, C) of all M pictures of the loader, in its order."""
        self.model.eval()  # Tudui has no layer that minds; Dropout and BatchNorm would
        outputs = torch.cat([self.forward(imgs.to(self.mean.device)) for imgs, _ in dataloader])
        self.model.train()
        return outputs

    def state_dict(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),  # with the momentum of each weight
            "scheduler": self.scheduler.state_dict(),
            "mean": self.mean.tolist(),  # for lesson 10, which has no training pictures
            "std": self.std.tolist(),
        }

    def load_state_dict(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])


class CtrlC:
    """``with CtrlC() as ctrl_c:`` notes Ctrl-C in ``ctrl_c.pressed`` and lets the step under way end.

    If it broke off inside ``optimizer.step()``, some weights would have moved and others not. A second Ctrl-C
    breaks off at once, as usual. At the end of the block a Ctrl-C that nobody has looked at is raised.
    """

    pressed = False

    def __enter__(self) -> "CtrlC":
        self.usual = signal.signal(signal.SIGINT, self.note)
        return self

    def note(self, *_: object) -> None:
        self.pressed = True
        signal.signal(signal.SIGINT, self.usual)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        signal.signal(signal.SIGINT, self.usual)
        if self.pressed and error is None:
            raise KeyboardInterrupt


def measure(outputs: Tensor, targets: Tensor) -> Tensor:
    """Sum of the losses, right answers, pictures: (3,). These add up over batches of any size."""
    loss = F.cross_entropy(outputs, targets, reduction="sum")  # without smoothing, so that recipes compare
    correct = (outputs.argmax(dim=1) == targets).sum()
    return torch.stack([loss, correct, torch.tensor(len(targets), device=loss.device)]).double()


def newest_unfinished() -> dict:
    """The checkpoint of the newest run that has not come to its end. CourseError when there is none."""
    saved = course_dir("models_saved").glob("p08_train/*/last.pth")
    for path in sorted(saved, key=lambda path: path.stat().st_mtime, reverse=True):
        checkpoint = torch.load(path)
        if not checkpoint["finished"]:
            print(f"going on with {path}: epoch {checkpoint['epoch']}, after step {checkpoint['step']}")
            return checkpoint
    raise CourseError("there is no interrupted run to go on with: lessons run 8 starts a new one")


def settings_to_go_on(given: dict, checkpoint: dict) -> dict:
    """The settings of the interrupted run. CourseError when others were given, unless they are defaults."""
    for name, parameter in inspect.signature(main).parameters.items():
        if name in given and given[name] not in (parameter.default, checkpoint["settings"][name]):
            raise CourseError(
                f"a run that goes on keeps its settings: leave out --{name.replace('_', '-')}, "
                "or start a new run without --resume"
            )
    return checkpoint["settings"]


def report(writer: SummaryWriter, training: Training, test_data: CourseData, outputs: Tensor) -> Tensor:
    """Show how the network is wrong. Returns counts (C, C): how many of class i it called class j."""
    classes, targets = list(test_data.classes), torch.tensor(test_data.targets)
    probabilities, answers = outputs.softmax(dim=1), outputs.argmax(dim=1)  # (M, C), (M,)
    pairs = targets * len(classes) + answers  # (M,): each (target, answer) as one number
    counts = torch.bincount(pairs, minlength=len(classes) ** 2).view(len(classes), len(classes))
    writer.add_figure("confusion", confusion_chart(counts, classes))
    for number, name in enumerate(classes):
        writer.add_pr_curve(f"class/{name}", targets == number, probabilities[:, number])

    losses = F.cross_entropy(outputs, targets, reduction="none")  # (M,)
    worst = losses.argsort(descending=True)[:12].tolist()
    captions = []
    for index in worst:
        right, said = targets[index], answers[index]
        captions.append(
            f"{classes[right]} {probabilities[index, right]:.1%}\n"
            f"said {classes[said]} {probabilities[index, said]:.1%}"
        )
    imgs = torch.stack([test_data[index][0] for index in worst])  # (12, 3, 32, 32)
    writer.add_figure("worst mistakes", captioned_chart(imgs, captions, columns=4))

    some = range(0, len(test_data), max(1, len(test_data) // 500))
    imgs = torch.stack([test_data[index][0] for index in some])  # (about 500, 3, 32, 32)
    with torch.no_grad():
        features = training.model.model1[:8](training.prepare(imgs))  # (500, 64): what the last layer sees
    writer.add_embedding(features, [classes[test_data.targets[index]] for index in some], imgs)
    return counts


def main(
    dataset: str = DATASET,
    recipe: str = "fast",
    epochs: int = 10,
    patience: int = 10,
    resume: bool = False,
    seed: int = 0,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    max_norm: float | None = None,
    one_cycle: bool | None = None,
    orthogonal: bool | None = None,
    normalise: bool | None = None,
    mirror: bool | None = None,
    shift: int | None = None,
    channels_last: bool | None = None,
    bf16: bool | None = None,
) -> dict:
    settings = {name: value for name, value in locals().items() if name != "resume"}
    if recipe not in RECIPES:
        raise CourseError(f"there is no recipe {recipe!r}: choose {' or '.join(RECIPES)}")
    checkpoint = newest_unfinished() if resume else None
    if checkpoint:
        settings = settings_to_go_on(settings, checkpoint)
    switches = {name: settings[name] for name in Recipe._fields if settings[name] is not None}
    ingredients = RECIPES[settings["recipe"]]._replace(**switches)
    settings |= ingredients._asdict()  # nothing is left open: this is what the checkpoint and the card keep
    args = SimpleNamespace(**settings)
    if min(args.epochs, args.patience, args.batch_size) < 1:
        raise CourseError("--epochs, --patience and --batch-size must be at least 1")
    if not (0 <= args.shift < 32 and 0 <= args.label_smoothing < 1):
        raise CourseError("--shift must be from 0 to 31, and --label-smoothing at least 0 and below 1")

    torch.manual_seed(args.seed)
    train_data = open_dataset(args.dataset, train=True, transform=ToTensor())
    test_data = open_dataset(args.dataset, train=False, transform=ToTensor())
    test_loader = DataLoader(test_data, batch_size=250)
    test_targets = torch.tensor(test_data.targets)
    steps_per_epoch = math.ceil(len(train_data) / args.batch_size)
    total_steps = args.epochs * steps_per_epoch
    pictures, num_classes = torch.from_numpy(train_data.data), len(train_data.classes)
    try:
        training = Training(ingredients, pictures, num_classes, total_steps)
    except ValueError as error:  # what PyTorch says of a negative momentum, for one
        raise CourseError(f"the recipe has a number that cannot be: {error}") from error
    settings["dataset"] = train_data.name  # a folder's whole path, so that --resume works from anywhere
    same = checkpoint and checkpoint["classes"] == list(train_data.classes)
    if checkpoint and not (same and len(checkpoint["order"]) == len(train_data)):
        raise CourseError("the pictures have changed since the stop: start a new run, without --resume")

    # Where the run stands. With the state of the training and of the random numbers, it is a checkpoint
    state = {"epoch": 1, "step": 0, "history": [], "best_accuracy": -1.0, "best_epoch": 0, "finished": False}
    if checkpoint:
        training.load_state_dict(checkpoint)
        state = {name: checkpoint[name] for name in (*state, "order", "sums", "seconds")}
    go_on_with = checkpoint["run"] if checkpoint else None
    with (
        RunWriter(
            __file__, train_data, test_data, go_on_with=go_on_with, purge_step=state["epoch"], **settings
        ) as writer,
        Progress(
            "{task.description}",
            BarColumn(),
            TextColumn("{task.fields[speed]:,.0f} pictures/s"),
            TimeRemainingColumn(),
            transient=True,
        ) as progress,
        CtrlC() as ctrl_c,
    ):
        folder = course_dir("models_saved") / "p08_train" / writer.folder.name
        folder.mkdir(parents=True, exist_ok=True)

        def save_checkpoint(name: str) -> None:
            about = {"classes": list(train_data.classes), "settings": settings, "run": writer.folder.name}
            random_numbers = {"rng_state": torch.get_rng_state()}
            save({**training.state_dict(), **state, **about, **random_numbers}, folder / name)

        done = (state["epoch"] - 1) * steps_per_epoch + state["step"]
        bar = progress.add_task("training", total=total_steps, completed=done, speed=0)
        if checkpoint:
            torch.set_rng_state(checkpoint["rng_state"])  # now: the lines above have drawn from it too
        while state["epoch"] <= args.epochs and state["epoch"] - state["best_epoch"] <= args.patience:
            epoch = state["epoch"]
            if state["step"] == 0:
                state["order"] = torch.randperm(len(train_data))  # (M,): each picture's number, once
                state["sums"], state["seconds"] = torch.zeros(3, dtype=torch.float64), 0.0
            train_loader = DataLoader(
                train_data,
                args.batch_size,
                sampler=state["order"][state["step"] * args.batch_size :].tolist(),  # what is left of it
                generator=torch.Generator(),  # or a new loader would take one of our random numbers
            )
            before = time.perf_counter()
            for imgs, targets in train_loader:
                outputs = training.step(imgs, targets)
                state["sums"] += measure(outputs, targets)
                state["step"] += 1
                now = time.perf_counter()
                state["seconds"] += now - before
                before = now
                loss_sum, _, pictures_seen = state["sums"].tolist()
                running = f"epoch {epoch}  loss {loss_sum / pictures_seen:.3f}"
                speed = pictures_seen / state["seconds"]
                progress.update(bar, advance=1, speed=speed, description=running)
                if ctrl_c.pressed:
                    save_checkpoint("last.pth")
                    print(f"saved {folder / 'last.pth'}; lessons run 8 --resume goes on from there")
                    raise KeyboardInterrupt

            train_loss, train_accuracy = (state["sums"] / state["sums"][2])[:2].tolist()
            speed = len(train_data) / state["seconds"]
            if not math.isfinite(train_loss):
                if (folder / "last.pth").is_file():  # it would only come to this again
                    save({**torch.load(folder / "last.pth"), "finished": True}, folder / "last.pth")
                smaller = f"--learning-rate {args.learning_rate / 10:g}"
                raise CourseError(f"the loss has become {train_loss}: the steps are too large, try {smaller}")
            outputs = training.predict(test_loader)  # (M, C)
            test_loss, test_accuracy = (measure(outputs, test_targets) / len(test_data))[:2].tolist()
            curves = {
                "loss/train": train_loss,
                "loss/test": test_loss,
                "accuracy/train": train_accuracy,
                "accuracy/test": test_accuracy,
                "learning rate": training.scheduler.get_last_lr()[0],
                "pictures a second": speed,
            }
            for name, value in curves.items():
                writer.add_scalar(name, value, epoch)
            told = f"epoch {epoch:>2}  loss {train_loss:.3f}, test {test_loss:.3f}"
            told += f"  accuracy {train_accuracy:.1%}, test {test_accuracy:.1%}"
            print(f"{told}  {speed:,.0f} pictures/s")

            state["history"].append(curves)
            if test_accuracy > state["best_accuracy"]:
                state |= {"best_accuracy": test_accuracy, "best_epoch": epoch}
                save_checkpoint("best.pth")
            state |= {"epoch": epoch + 1, "step": 0}
            save_checkpoint("last.pth")

        epoch = len(state["history"])
        if epoch < args.epochs:
            print(f"no better for {args.patience} epochs: stopped early")
        counts = report(writer, training, test_data, training.predict(test_loader))
        last = state["history"][-1]
        result = {"hparam/test accuracy": last["accuracy/test"], "hparam/test loss": last["loss/test"]}
        writer.add_hparams(settings, result, run_name=".")  # ".": into this run's folder
        state["finished"] = True
        save_checkpoint("last.pth")
        print(f"the best, of epoch {state['best_epoch']}: {folder / 'best.pth'}")
        writer.result = f"test accuracy {last['accuracy/test']:.1%} after {epoch} epochs"

    return {
        "run": writer.folder,
        "checkpoints": folder,
        "history": state["history"],
        "best": (state["best_epoch"], state["best_accuracy"]),
        "confusion": counts,
        "model": training.model,
    }


if __name__ == "__main__":
    command_line(main)
