"""9. Resume: stop, and go on as if nothing had happened

A training can be stopped at any moment and go on later with the same numbers, bit for bit, if its checkpoint
holds all that the next step depends on: all, not most. You see what becomes of a training that forgets one
part of it. Then you train, press Ctrl-C, and go on:

    lessons run 9 --epochs 20
    lessons run 9 --resume

You will see: in SCALARS the loss of one training five times: never stopped, and stopped in four ways.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lessons.course import DATASET, CourseError, course_dir, newest_files
from lessons.course.datasets import CourseData
from lessons.course.interrupt import CtrlC
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line, refuse_other_settings
from lessons.course.progress import track
from lessons.course.shapes import explain_other_weights
from lessons.p07_save_load import load, save
from lessons.p08_train import (
    Training,
    choose_recipe,
    final_test,
    measure,
    new_classifier,
    three_sets,
    validate,
)


@dataclass
class Checkpoint:
    """Where a run stands. With it, the next step is the one that would have come without a stop."""

    settings: dict | None = None  # with another batch size it would be another run
    dataset: str = ""
    classes: list[str] | None = None
    run: str = ""  # the folder of its curves

    # What the next step depends on
    model: dict | None = None
    optimizer: dict | None = None  # with the momentum of each weight
    scheduler: dict | None = None  # where on its curve the learning rate is
    rng_state: Tensor | None = None  # mirrors, shifts and orders are drawn from it
    order: Tensor | None = None  # (M,): this epoch's order of the pictures
    epoch: int = 1
    step: int = 0  # how many batches of the order are done

    # What no step depends on, but the curves and the choice of the best network do
    sums: Tensor | None = None  # (3,): of this epoch, as measure gives them
    history: list[dict] | None = None
    finished: bool = False

    def belong_to(self, writer: RunWriter, data: CourseData) -> None:
        """Note the folder of the curves, and the pictures: a folder's whole path, to resume from anywhere."""
        self.run, self.dataset, self.classes = writer.folder.name, data.name, list(data.classes)

    def save(self, training: Training, path: Path) -> None:
        self.model = training.model.state_dict()
        self.optimizer = training.optimizer.state_dict()
        self.scheduler = training.scheduler.state_dict()
        self.rng_state = torch.get_rng_state()
        # This save is lesson 7's function, not the method itself; vars(self) gives the fields by name
        save(vars(self), path)  # a dict of tensors and plain values, which torch.load opens safely

    def restore(self, training: Training, forgotten: str = "") -> None:
        """Put a training where this one was; one part may be forgotten, to see what it is for."""
        training.model.load_state_dict(self.model)
        if forgotten != "optimizer":
            training.optimizer.load_state_dict(self.optimizer)
        if forgotten != "scheduler":
            training.scheduler.load_state_dict(self.scheduler)
        if forgotten != "rng_state":
            torch.set_rng_state(self.rng_state)


def stop_and_forget(
    recipe: SimpleNamespace, train_data: Subset, steps: int, path: Path, writer: RunWriter
) -> dict[str, list[float]]:
    """Train in one go; then go on from half way, each time with another part forgotten. All their losses."""
    batches = list(islice(DataLoader(train_data, recipe.batch_size), steps))
    half = len(batches) // 2

    def new_training() -> Training:
        return Training(new_classifier(recipe, train_data), recipe, total_steps=len(batches))

    def losses_of(training: Training, batches: list) -> list[float]:
        sums = [measure(training.step(imgs, targets), targets) for imgs, targets in batches]
        return [(loss_sum / pictures).item() for loss_sum, _, pictures in sums]

    training = new_training()
    before = losses_of(training, batches[:half])
    Checkpoint().save(training, path)
    expected = losses_of(training, batches[half:])
    losses = {"never stopped": before + expected}
    for forgotten in ("nothing", "optimizer", "scheduler", "rng_state"):
        training = new_training()  # another day: other random weights, no memory of any step
        Checkpoint(**torch.load(path)).restore(training, forgotten)
        losses[f"{forgotten} forgotten"] = losses_of(training, batches[half:])

    print(f"{len(batches)} steps, stopped after {half}. A loss that differs is wrong, also if lower:")
    for name, values in losses.items():
        for step, loss in enumerate(values, start=len(batches) - len(values)):
            writer.add_scalars("loss after a stop", {name: loss}, step)
        after = values[-len(expected) :]
        other = [step for step in range(len(after)) if after[step] != expected[step]]
        verdict = f"not the same from step {half + other[0]} on" if other else "the same to the last digit"
        print(f"  {name:<20} last loss {values[-1]:.6f}, {verdict}")
    return losses


def train_on(
    training: Training,
    train_data: Subset,
    val_data: Subset,
    state: Checkpoint,
    writer: RunWriter,
    folder: Path,
) -> None:
    """Train from where the state stands to the end of its last epoch. Ctrl-C saves the state and stops."""
    last, batch_size = folder / "last.pth", training.recipe.batch_size
    steps = len(DataLoader(train_data, batch_size))  # in an epoch
    number = int(writer.lesson[1:3])  # lesson 14 trains with this too
    with CtrlC() as ctrl_c:
        while state.epoch <= state.settings["epochs"]:
            if state.step == 0:
                state.order = torch.randperm(len(train_data))  # (M,): each picture's number, once
                state.sums = torch.zeros(3, dtype=torch.float64)
            left = state.order[state.step * batch_size :].tolist()
            # A generator of its own, or a new loader would take one of our random numbers
            dataloader = DataLoader(train_data, batch_size, sampler=left, generator=torch.Generator())
            done, total = (state.epoch - 1) * steps + state.step, state.settings["epochs"] * steps
            for imgs, targets in track(dataloader, f"epoch {state.epoch}", total, done):
                state.sums += measure(training.step(imgs, targets), targets)
                state.step += 1
                if ctrl_c.pressed:
                    state.save(training, last)
                    raise KeyboardInterrupt(f"lessons run {number} --resume goes on from {last}")

            try:
                figures = validate(training, state.sums, DataLoader(val_data, 250), state.epoch, writer)
            except CourseError:  # diverged: going on from last.pth would only come to this again
                if last.is_file():
                    mark_finished(last)
                raise
            state.history.append(figures)
            accuracies = [after_epoch["accuracy"]["validation"] for after_epoch in state.history]
            state.epoch, state.step = state.epoch + 1, 0
            writer.flush()  # the curves first: an epoch that is done in the checkpoint is not logged again
            if accuracies[-1] > max(accuracies[:-1], default=-1.0):
                state.save(training, folder / "best.pth")
            state.save(training, last)


# --- Where a run begins, goes on, and ends


def mark_finished(last: Path) -> None:
    """Say in a run's ``last.pth`` that ``--resume`` has nothing more to do there."""
    save(torch.load(last) | {"finished": True}, last)


def newest_unfinished(lesson: str) -> tuple[Path, Checkpoint]:
    """The lesson's newest run that has not come to its end; CourseError when there is none."""
    for path in newest_files(f"models_saved/{lesson}/*/last.pth"):
        try:
            checkpoint = Checkpoint(**load(path))
            if checkpoint.history:
                load(path.with_name("best.pth"))  # the final test will want it
        except Exception:  # what is cut short, or no checkpoint, makes torch.load raise nearly anything
            print(f"passed over: {path} cannot be read as a checkpoint")
            continue
        if not checkpoint.finished:
            done = f"{checkpoint.epoch - 1} of {checkpoint.settings['epochs']} epochs"
            print(f"going on with {path}: {done} and {checkpoint.step} steps are done")
            return path, checkpoint
    number = int(lesson[1:3])
    raise CourseError(f"there is no interrupted run to go on with: lessons run {number} starts a new one")


def restore_all(state: Checkpoint, training: Training, train_data: Subset, path: Path) -> None:
    """Put the training where the state stands; CourseError when pictures or network are other ones now.

    The last thing before the next step: all that is done before has drawn random numbers too.
    """
    if state.classes != list(train_data.dataset.classes) or len(state.order) != len(train_data):
        raise CourseError("the pictures have changed since the stop: start a new run, without --resume")
    explain_other_weights(training.model, state.model, path)
    state.restore(training)


def main(
    dataset: str = DATASET,
    recipe: str = "fast",
    without: list[str] | None = None,
    epochs: int = 3,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    resume: bool = False,
    seed: int = 0,
) -> dict:
    given = {name: value for name, value in locals().items() if name != "resume"}  # all that main was given
    if resume:
        path, state = newest_unfinished("p09_resume")
        refuse_other_settings(main, given, state.settings)
    else:
        chosen = choose_recipe(recipe, without or [], learning_rate=learning_rate, batch_size=batch_size)
        state = Checkpoint(settings=given | vars(chosen), dataset=dataset, history=[])
    chosen = SimpleNamespace(**state.settings)  # the recipe, and with it epochs and seed

    torch.manual_seed(chosen.seed)
    train_data, val_data, test_data = three_sets(state.dataset)
    total_steps = chosen.epochs * len(DataLoader(train_data, chosen.batch_size))
    training = Training(new_classifier(chosen, train_data), chosen, total_steps)

    go_on = {"go_on_with": state.run, "purge_step": state.epoch}
    with RunWriter(__file__, train_data.dataset, test_data, **go_on, **state.settings) as writer:
        folder = course_dir("models_saved") / "p09_resume" / writer.folder.name
        folder.mkdir(parents=True, exist_ok=True)
        losses = {}
        if resume:
            restore_all(state, training, train_data, path)
        else:
            losses = stop_and_forget(chosen, train_data, 12, folder / "half.pth", writer)
            state.belong_to(writer, test_data)
        train_on(training, train_data, val_data, state, writer, folder)

        training.model.load_state_dict(torch.load(folder / "best.pth")["model"])
        final = final_test(training.model, train_data, val_data, test_data)
        mark_finished(folder / "last.pth")  # now, and not before the test: it can be stopped too
        writer.result = f"test accuracy {final['test']:.1%}"

    seen = {"losses": losses, "history": state.history, "final": final, "model": training.model}
    return {"run": writer.folder, "checkpoints": folder, **seen}


if __name__ == "__main__":
    command_line(main)
