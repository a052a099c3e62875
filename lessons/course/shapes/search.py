"""The changes that were tried and then ran, the likeliest first."""

from dataclasses import dataclass

from torch import nn

from lessons.course.shapes.attempt import Change, Scene, Trial, attempt
from lessons.course.shapes.changes import Rebuild
from lessons.course.shapes.inputs import changes_of_input
from lessons.course.shapes.layers import changes_for_layer
from lessons.course.shapes.losses import changes_before_loss, changes_for_loss
from lessons.course.shapes.operations import changes_for_operation
from lessons.course.shapes.trial import Outcome
from lessons.course.shapes.weights import changes_for_weights

AT_ONCE = 3  # changes that together may be needed
OFFERED = 3


@dataclass
class Remedy:
    """Changes with which the network runs to its end."""

    changes: list[Change]
    trial: Trial
    outcome: Outcome
    cost: float


def candidates(outcome: Outcome, scene: Scene, trial: Trial) -> list[Change]:
    """What may help against the fault of an outcome, the likeliest first."""
    if scene.kind == "loss":
        return sorted(changes_for_loss(scene, trial.args, trial.kwargs), key=lambda change: change.cost)
    if scene.kind == "load_state_dict":
        return sorted(changes_for_weights(outcome.model, trial.args[0]), key=lambda change: change.cost)
    found = [*changes_of_input(outcome), *changes_for_layer(outcome, scene), *changes_for_operation(outcome)]
    if outcome.loss_error is not None:
        found += changes_before_loss(outcome, scene)
    if scene.settled:  # another layer in a trained network would have to learn anew
        for change in found:
            change.cost += 1.5 if isinstance(change, Rebuild) else 0
    return sorted(found, key=lambda change: change.cost)


def find_remedies(scene: Scene, outcome: Outcome, trial: Trial) -> list[Remedy]:
    """Try what may help; what brings the network further, but not to its end, with one thing more."""
    found: list[Remedy] = []
    odd: list[Remedy] = []
    paths: list[tuple[list[Change], Outcome, Trial]] = [([], outcome, trial)]
    seen: set[str] = set()
    for _ in range(AT_ONCE):
        further: list[tuple[float, list[Change], Outcome, Trial]] = []
        for changes, reached, tried in paths:
            for change in candidates(reached, scene, tried):
                both = [*changes, change]
                if scene.patience.over or repr(both) in seen:
                    continue
                seen.add(repr(both))
                try:
                    after, trial = attempt(scene, both)
                except Exception:  # a change that cannot be made, such as groups that do not divide
                    continue
                cost = sum(one.cost for one in both) + 2 * trial.detached
                good = scene.kind != "forward" or keeps_batch(after)
                if after.ran and good and after.loss_error is None:
                    found.append(Remedy(both, trial, after, cost))
                elif after.ran and not outcome.ran:
                    odd.append(Remedy(both, trial, after, cost))
                elif further_than(after, reached):
                    further.append((cost, both, after, trial))
        if found:
            break
        further.sort(key=lambda one: one[0])
        paths = [(changes, after, trial) for _, changes, after, trial in further[:4]]
    found = sorted(found or odd, key=lambda remedy: remedy.cost)
    found = list(
        {
            repr((remedy.trial.texts.final(), remedy.trial.loose)): remedy for remedy in reversed(found)
        }.values()
    )
    found.reverse()
    return [remedy for remedy in found if remedy.cost < found[0].cost + 2][:OFFERED]


def further_than(after: Outcome, before: Outcome) -> bool:
    """Whether a trial got past the fault of another, or to the same layer with something else."""
    if before.ran:  # and the loss refused what it gave: a flatten that keeps the batch may stop a layer first
        return True
    done, done_before = (sum(step.done for step in outcome.steps) for outcome in (after, before))
    if done != done_before:
        return done > done_before
    if not after.steps:
        return str(after.error) != str(before.error)
    faults = [outcome.fault.takes if outcome.fault else [] for outcome in (after, before)]
    return faults[0] != faults[1]


def keeps_batch(outcome: Outcome) -> bool:
    """Whether a network gives a row for each picture; one that does not may run and yet be wrong."""
    if not outcome.result or not outcome.inputs or not outcome.result[0].ndim:
        return False
    result, given = outcome.result[0], outcome.inputs[0]
    last = next((step for step in reversed(outcome.steps) if step.module is not None), None)
    if given.ndim == 4 and result.ndim == 4 and last is not None and isinstance(last.module, nn.Linear):
        return False  # nothing has flattened the pictures
    return result.shape[0] == given.shape[0]
