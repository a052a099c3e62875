"""Two commands at once in one course folder: nothing mixed, nothing lost."""

import random
import time
from pathlib import Path

import torch

from lessons.course.catalogue import read_card
from lessons.course.checkpoints import check_whole
from lessons.course.logbook import read_events

from . import Outcome
from .processes import few_pictures, said, start

AT_WORK = "another process is at work in"


def at_once(tries: int, seed: int, folder: Path) -> Outcome:
    """Two commands at once: a lesson twice, drawing Sketch10 twice, clean and --resume beside a lesson.

    Each run has its own folder and all of its curve; what would disturb another is refused.
    """
    choose, lost, refused, slowest = random.Random(seed), [], 0, (0.0, "")
    pictures = few_pictures(folder / "pictures")
    lesson = ("run", 9, "--dataset", pictures, "--batch-size", 9, "--epochs", 6)
    pairs = [(lesson, lesson), (lesson, ("clean", "--yes")), (lesson, ("run", 9, "--resume"))]
    pairs += [(("run", 1), ("run", 1))]
    for number in range(tries):
        home, (one, other) = folder / str(number), pairs[number % len(pairs)]
        case = " beside ".join(" ".join(map(str, words[:3])) for words in (one, other))
        begun = time.perf_counter()
        first = start(home, *one)
        if one != other:  # while it writes
            while first.is_alive() and not list(home.glob("models_saved/*/*/last.pth")):
                time.sleep(0.01)
            time.sleep(choose.uniform(0, 0.2))
        second = start(home, *other)
        for process in (first, second):
            process.join()
        slowest = max(slowest, (time.perf_counter() - begun, case))
        by_turns = one != other and second.exitcode == 0  # the first had come to its end
        right = (
            second.exitcode == 0 if one == other else AT_WORK in said(home) or "no interrupted" in said(home)
        )
        if first.exitcode or not (right or by_turns) or "Traceback" in said(home):
            lost.append(
                f"{case}: exit codes {first.exitcode}, {second.exitcode}; they said {said(home)[-600:]!r}"
            )
        refused += second.exitcode == 2
        if not by_turns:
            lost += [f"{case}: {what}" for what in mixed(home, runs=1 + (one == other))]
    return Outcome(tries, refused, lost, slowest)


def mixed(home: Path, runs: int) -> list[str]:
    """What is not as it should be in the runs of a course folder."""
    found = []
    cards = list(home.glob("logs/*/*/run.json"))
    if [read_card(card)["status"] for card in cards] != ["ok"] * runs:
        found.append(f"there are {len(cards)} runs: {[read_card(card)['status'] for card in cards]}")
    for path in home.glob("models_saved/p09_resume/*/last.pth"):
        check_whole(path)
        log = read_events(home / "logs" / "p09_resume" / path.parent.name / "train")
        if [event.step for event in log.Scalars("loss")] != list(range(1, 7)):
            found.append(f"the curve has the steps {[event.step for event in log.Scalars('loss')]}")
    weights = [torch.load(path)["model"] for path in home.glob("models_saved/p09_resume/*/last.pth")]
    for name in weights[0] if weights else ():
        if not torch.equal(weights[0][name], weights[-1][name]):
            found.append(f"{name} is not the same in both")
    return found
