"""What is compared with what, on how much work, and what is to be reached. Each case yields rows."""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import lessons
from lessons.p14_deeper import WIDTHS, ladder

from . import ways
from .measure import Apart, Command, median_seconds, ratios, spread, take_turns

FULL_RUN_ONLY = "only in the full run: it takes minutes"
LESSONS = ["-m", "lessons.course.cli"]


class Work(NamedTuple):
    """How much to do, and on which pictures."""

    pictures: str = "sketch10"  # as open_dataset takes it
    rounds: int = 7  # turns of each way after the warm-up
    train: int = 4992  # pictures in an epoch, and through the DataLoader: whole batches of 64
    test: int = 10000  # pictures to evaluate
    epochs: int = 20  # of the memory case, and before the accuracy of bf16 is measured
    sketch10: int = 3  # times to draw it
    scaling: int = 50000  # the largest number of pictures in an epoch
    scaling_steps: int = 2048  # pictures in the steps of each batch size
    scaling_rounds: int = 3
    seven: int = 1  # turns of the seven lessons


QUICK = Work(train=320, test=500, sketch10=1, scaling=1000, scaling_steps=1024, scaling_rounds=1, seven=0)


def row(
    case: str,
    against: str,
    reach: str,
    values: list[float],
    unit: str = "x",
    same: bool = True,
    **details: Any,
) -> dict:
    """One line of the table.

    Args:
        reach: the limit for the median of the values, as in ``>= 1.5`` or ``<= 0.6``; or empty.
        same: whether what was computed agrees; it is not reached otherwise.
        details: what the JSON file says besides.
    """
    result = {"case": case, "against": against, "reach": reach, "unit": unit, **spread(values), "same": same}
    if reach:
        sign, limit = reach.split()
        off = result["median"] - float(limit)
        result["reached"] = same and bool(off >= 0 if sign == ">=" else off <= 0)
    return result | details


def versus(
    case: str, against: str, reach: str, runs: dict, first: str, second: str, count: int = 0, **details: Any
) -> dict:
    """A row on how many times the second way's seconds the first way takes.

    Its details come in the same order: seconds and memory, and pictures a second when a count is given.
    """
    both = runs[first], runs[second]
    details["seconds"] = [[run.seconds for run in way] for way in both]
    details["peak MB"] = [way[-1].peak_mb for way in both]
    if count:
        details["pictures a second"] = [count / median_seconds(way) for way in both]
    return row(case, against, reach, ratios(*both), **details)


def not_measured(case: str, against: str, reach: str, why: str) -> dict:
    return {"case": case, "against": against, "reach": reach, "not measured": why}


def train(work: Work) -> Iterator[dict]:
    """An epoch of training: the notes' loop, lesson 5's, lesson 8's, and lesson 8's in bf16."""
    against, bf16 = "the notes' loop", ways.FAST | {"bf16": True}
    has_bf16 = Apart(ways.what_there_is, work.pictures)().facts["bf16"]
    arguments = work.pictures, work.train
    loops = {
        "notes": Apart(ways.notes_train, *arguments),
        "p05": Apart(ways.course_train_p05, *arguments),
        "p08": Apart(ways.course_train_p08, *arguments, ways.FAST),
    }
    if has_bf16:
        loops["bf16"] = Apart(ways.course_train_p08, *arguments, bf16)
    runs = take_turns(loops, work.rounds)

    losses = {name: np.array(way[-1].facts["losses"]) for name, way in runs.items()}
    for name, reach in (("p05", ""), ("p08", ">= 1.5")):
        difference = np.abs(losses[name] / losses["notes"] - 1).max()  # of the step where it is largest
        checked = {"same": bool(difference < 1e-3), "relative difference of the losses": difference}
        yield versus(f"epoch of {name}, fp32", against, reach, runs, "notes", name, work.train, **checked)

    title, reach = "epoch of p08, bf16", ">= 2.2"
    if not has_bf16:
        yield not_measured(title, against, reach, "this CPU has no bf16 instructions")
        return
    recipes = {}, bf16
    trained = [Apart(ways.course_train_epochs, *arguments, work.epochs, recipe)() for recipe in recipes]
    accuracies = [run.facts["accuracy"] for run in trained]
    checked = {"same": abs(accuracies[0] - accuracies[1]) <= 0.01, "test accuracy": accuracies}
    yield versus(title, against, reach, runs, "notes", "bf16", work.train, **checked)


def recipes(work: Work) -> Iterator[dict]:
    """20 epochs of the notes' recipe, and one of the fast recipe with three seeds in between."""
    about = "one epoch of the fast recipe", f"{work.epochs} of the notes'", ">= 20"
    notes, fast = Apart(ways.notes_next_epoch, work.pictures), Apart(ways.course_next_seed, work.pictures, 1)
    epochs, seeds = [], []
    for epoch in range(1, work.epochs + 1):
        epochs.append(notes())
        if epoch % (work.epochs // 3) == 0:
            seeds.append(fast())
    learnt = Apart(ways.tested, work.pictures, epochs[-1].facts["weights"])().facts["accuracy"]
    accuracies = [run.facts["accuracy"] for run in seeds]
    seconds = sum(run.seconds for run in epochs)
    details = {"accuracies": accuracies, "the notes' accuracy": learnt, "the notes' seconds": seconds}
    yield row(*about, [seconds / run.seconds for run in seeds], **details)
    yield row(
        "its test accuracy", "the notes'", ">= 0", [100 * (one - learnt) for one in accuracies], "points"
    )


def deeper(work: Work) -> Iterator[dict]:
    """Lesson 14's rungs: the share of this machine's own rate that a step reaches; and seconds to 80 %."""
    rungs = range(len(ladder(WIDTHS["small"])))
    runs = take_turns(
        {rung: Apart(ways.course_climb, work.pictures, work.train, rung) for rung in rungs}, work.rounds
    )
    for way in runs.values():
        facts = [run.facts for run in way]
        shares = [fact["flops"] / fact["mm flops"] for fact in facts]
        speed = statistics.median(fact["pictures a second"] for fact in facts)
        speeds = {"pictures a second": [speed], "flops a second": facts}
        yield row(f"FLOP/s of {facts[0]['name']}", "torch.mm, 2048 x 2048", "", shares, **speeds)

    about = "4 epochs of lesson 14's top rung", f"{work.epochs} of the notes'", ">= 1"
    notes, top = Apart(ways.notes_next_epoch, work.pictures), Apart(ways.course_top_rung, work.pictures, 4)
    seconds = statistics.median(notes().seconds for _ in range(3)) * work.epochs
    learnt = [top() for _ in range(3)]
    accuracies = [run.facts["accuracy"] for run in learnt]
    details = {"accuracies": accuracies, "same": min(accuracies) >= 0.8, "the notes' seconds": seconds}
    yield row(*about, [seconds / run.seconds for run in learnt], **details)


def limit(work: Work) -> Iterator[dict]:
    """Training steps with real data, against as many on one kept batch: nothing but computing."""
    arguments = work.pictures, work.train, ways.FAST
    steps = {
        "real": Apart(ways.course_train_p08, *arguments),
        "kept": Apart(ways.course_train_p08, *arguments, keep_one=True),
    }
    runs = take_turns(steps, work.rounds)
    yield versus("step with real data", "one kept batch", "<= 1.05", runs, "real", "kept", work.train)


def data(work: Work) -> Iterator[dict]:
    """Pictures through the DataLoader, with no network behind it."""
    arguments = work.pictures, work.train
    loaders = {
        "one by one": Apart(ways.read_through, *arguments, one_by_one=True),
        "whole": Apart(ways.read_through, *arguments, one_by_one=False),
    }
    runs = take_turns(loaders, work.rounds)
    yield versus("data alone", "ToTensor one by one", ">= 10", runs, "one by one", "whole", work.train)


def memory(work: Work) -> Iterator[dict]:
    """Resident memory after each epoch of a longer training."""
    about = f"memory over {work.epochs} epochs", "after epoch 2", "<= 20"
    training = Apart(ways.course_train_epochs, work.pictures, work.train, work.epochs, ways.FAST)
    resident = training().facts["resident_mb"]
    if resident[0] is None:
        yield not_measured(*about, "this system has no /proc to read it from")
    else:
        points = dict(enumerate(resident, start=1))
        yield row(*about, [resident[-1] - resident[1]], "MB", points=points, axes=["epoch", "resident MB"])


def evaluate(work: Work) -> Iterator[dict]:
    """Loss and accuracy on the test split."""
    arguments = work.pictures, work.test
    loops = {"notes": Apart(ways.notes_evaluate, *arguments), "p08": Apart(ways.course_evaluate, *arguments)}
    runs = take_turns(loops, work.rounds)
    losses, correct = ([runs[name][-1].facts[what] for name in loops] for what in ("loss", "correct"))
    same = abs(losses[1] / losses[0] - 1) < 1e-3 and abs(correct[1] - correct[0]) <= work.test / 1000
    about = f"evaluation of {work.test:,} pictures", "the notes' evaluation", ">= 2"
    yield versus(*about, runs, "notes", "p08", work.test, same=same, loss=losses, correct=correct)


def vgg16(work: Work) -> Iterator[dict]:
    """A checkpoint of half a gigabyte becomes a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vgg16.pth")
        Apart(ways.save_vgg16, path)()
        loads = {"notes": Apart(ways.notes_load_vgg16, path), "p07": Apart(ways.course_load_vgg16, path)}
        runs = take_turns(loads, work.rounds)
    yield versus("VGG16 checkpoint", "build, load_state_dict", ">= 20", runs, "notes", "p07")


def seven(work: Work) -> Iterator[dict]:
    """The seven lessons with their own settings: in one process, and as scripts; and what they log."""
    about_time = "lessons run of the seven", "the scripts in turn", "<= 0.6"
    about_bytes = "event bytes of the seven", "the notes', each batch", "<= 0.2"
    if not work.seven:
        yield not_measured(*about_time, FULL_RUN_ONLY)
        yield not_measured(*about_bytes, FULL_RUN_ONLY)
        return
    scripts = sorted(Path(lessons.__file__).parent.glob("p0[1-7]_*.py"))
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as other_home:
        for folder in (home, other_home):  # so that Sketch10 is there, and no run has to draw it
            Command([*LESSONS, "run", "1"], LESSONS_HOME=folder)()
        logged_before = ways.event_bytes(Path(home))
        dataset = {"LESSONS_DATASET": work.pictures}
        ways_to_run = {
            "one process": Command([*LESSONS, "run", "1-7"], LESSONS_HOME=home, **dataset),
            "scripts": Command(*([script] for script in scripts), LESSONS_HOME=other_home, **dataset),
        }
        runs = take_turns(ways_to_run, work.seven, warm_up=False)
        logged = (ways.event_bytes(Path(home)) - logged_before) / work.seven
    yield versus(*about_time, runs, "one process", "scripts")
    notes = Apart(ways.notes_events, work.pictures, work.test)().facts["bytes"]
    yield row(*about_bytes, [logged / notes], bytes=[logged, notes])


def start(work: Work) -> Iterator[dict]:
    """How soon the command answers."""
    no_torch = "import sys; from lessons.course.cli import main; sys.argv[1:] = {}\ntry: main()\n"
    no_torch += "except SystemExit: assert 'torch' not in sys.modules"
    with tempfile.TemporaryDirectory() as home:
        commands = {
            "python -c pass": Command(["-c", "pass"]),
            "lessons": Command(LESSONS, LESSONS_HOME=home),
            "lessons --help": Command([*LESSONS, "--help"], LESSONS_HOME=home),
        }
        runs = take_turns(commands, work.rounds)
        for words in ([], ["--help"]):
            Command(["-c", no_torch.format(words)], LESSONS_HOME=home)()  # fails when torch is imported
    nothing = runs.pop("python -c pass")
    for name, way in runs.items():
        more = [run.seconds - other.seconds for run, other in zip(way, nothing, strict=True)]
        yield row(name, "python -c pass", "<= 0.6", more, "s more")


def why(work: Work) -> Iterator[dict]:
    """A script that does not fail, under lessons why and under python; with the same losses."""
    with tempfile.TemporaryDirectory() as folder:
        script, losses = Path(folder, "train.py"), [Path(folder, "python"), Path(folder, "why")]
        script.write_text(ways.TRAINING_SCRIPT, "utf-8")
        steps = work.train // ways.BATCH_SIZE
        commands = {
            "python": Command([script, losses[0], steps]),
            "why": Command([*LESSONS, "why", script, losses[1], steps]),
        }
        runs = take_turns(commands, work.rounds)
        one, other = (path.read_text("utf-8") for path in losses)
    same = one == other and one.count("\n") == steps
    yield versus("a script under lessons why", "python", "<= 1.05", runs, "why", "python", same=same)


def sketch10(work: Work) -> Iterator[dict]:
    """The default pictures, drawn from nothing."""
    runs = take_turns({"draw": Apart(ways.draw_sketch10)}, work.sketch10, warm_up=False)["draw"]
    yield row("Sketch10 drawn from nothing", "", "<= 5", [run.seconds for run in runs], "s")


def scaling(work: Work) -> Iterator[dict]:
    """Whether cost grows as the work does: how far the farthest measured point lies off a straight line."""
    sizes = [work.scaling * percent // 100 for percent in (10, 20, 40, 100)]
    epochs = {size: Apart(ways.course_train_p08, work.pictures, size, ways.FAST) for size in sizes}
    runs = take_turns(epochs, work.scaling_rounds)
    yield off_a_line("seconds an epoch", "pictures", {size: median_seconds(runs[size]) for size in sizes})

    arguments, batch_sizes = (work.pictures, work.scaling_steps, ways.FAST), [16, 32, 64, 128, 256, 512, 1024]
    epochs = {size: Apart(ways.course_train_p08, *arguments, size) for size in batch_sizes}
    runs = take_turns(epochs, work.scaling_rounds)
    seconds = {size: median_seconds(runs[size]) * size / work.scaling_steps for size in batch_sizes}
    yield off_a_line("seconds a step", "batch size", seconds)

    sizes = [5000, 10000, 20000, 50000]  # in the quick run too: this takes no time
    held = {size: Apart(ways.memory_of_data, work.pictures, size)().facts["held_mb"] for size in sizes}
    yield off_a_line("data set memory in MB", "pictures", held)


def off_a_line(case: str, against: str, points: dict[int, float]) -> dict:
    x, y = np.array(list(points)), np.array(list(points.values()))
    line = np.polyval(np.polyfit(x, y, 1, w=1 / y), x)  # the line with the smallest relative errors
    off = 100 * np.abs(y / line - 1).max()
    return row(case, against, "<= 10", [off], "% off a line", points=points, axes=[against, case])


CASES = {
    case.__name__: case
    for case in (
        train,
        limit,
        data,
        memory,
        evaluate,
        vgg16,
        seven,
        start,
        why,
        sketch10,
        scaling,
        recipes,
        deeper,
    )
}
UNASKED = [name for name in CASES if name not in ("recipes", "deeper")]  # each takes long by itself
