"""From an exception to a report: the call is run again without numbers, and what may help is tried."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from lessons.course.shapes.attempt import Scene, Trial, attempt
from lessons.course.shapes.diagnosis import batch_eaten, of_a_layer, of_an_operation
from lessons.course.shapes.diagnosis_calls import of_a_loss, of_weights
from lessons.course.shapes.failure import Call, Failure
from lessons.course.shapes.losses import BY_CLASS, FunctionalLoss, both_sides, end_of, loss_name
from lessons.course.shapes.neighbours import loss_after, network_behind
from lessons.course.shapes.report import (
    call_name,
    headline,
    indented,
    is_wrapper,
    sides_of,
    way,
    what_to_do,
    where,
)
from lessons.course.shapes.search import Remedy, find_remedies
from lessons.course.shapes.source import expression_at, original
from lessons.course.shapes.trial import Outcome
from lessons.course.shapes.words import say


class Explanation:
    """A failure, run again and understood as far as it goes; ``text`` is the report."""

    def __init__(self, failure: Failure, names: Mapping[str, Any] | None = None, name: str = "") -> None:
        self.failure = failure
        self.outside = next((type(c.module).__name__ for c in failure.calls[:1] if is_wrapper(c.module)), "")
        self.scene = scene_of(failure, names)
        self.scene.name = name or self.scene.name
        self.outcome, trial = self._again()
        if not str(failure.error) and self.outcome.error is not None:
            failure.error = self.outcome.error
        if trial is not None and failure.kind == "forward" and not self.outcome.ran:
            self._look_around()
        self.network: tuple[Scene, Outcome] | None = None  # behind a loss, when it is to blame
        self.remedies: list[Remedy] = self._remedies(trial)

    def _again(self) -> tuple[Outcome, Trial | None]:
        if self.failure.kind == "forward":
            self.scene.loss = loss_after(self.scene)
        try:
            outcome, trial = attempt(self.scene, [])
            if outcome.ran and self.failure.kind == "forward" and _is_small(self.scene.model):
                self.scene.with_numbers = True
                outcome, trial = attempt(self.scene, [])
            return outcome, trial
        except Exception as error:  # something that cannot be copied
            return Outcome(self.scene.model, [], [], [], error), None

    def _remedies(self, trial: Trial | None) -> list[Remedy]:
        if trial is None or self.outcome.ran:
            return []
        found = find_remedies(self.scene, self.outcome, trial)
        if self.failure.kind == "loss" and not found:
            found = self._in_the_network()
        return found

    def _in_the_network(self) -> list[Remedy]:
        """What may help in the network that made a loss's scores."""
        call, sides = network_behind(self.scene), both_sides(self.scene)
        if call is None or sides is None or not sides[1].ndim:
            return []
        targets = sides[1]
        scene = scene_of(Failure(self.failure.error, "forward", [call]), self.scene.names)
        scene.patience, scene.loss = self.scene.patience, (self.scene.model, targets)
        if not targets.is_floating_point() and targets.numel() and loss_name(self.scene.model) in BY_CLASS:
            scene.classes = int(targets.max()) + 1
        try:
            outcome, trial = attempt(scene, [])
        except Exception:
            return []
        if not outcome.ran or outcome.loss_error is None:
            return []
        remedies = find_remedies(scene, outcome, trial)
        if remedies:
            self.network = scene, outcome
        return remedies

    def _look_around(self) -> None:
        """A layer that was called alone, in a loop over a network's layers, as part of that network."""
        call = self.failure.calls[0]
        for frame in call.frames:
            names = {**frame.f_globals, **frame.f_locals}
            for name, larger in list(names.items()):
                inner = getattr(self.scene, "model", None)
                if not isinstance(larger, nn.Module) or larger is inner:
                    continue
                if not any(module is inner for module in larger.modules()):
                    continue
                for given in [value for value in frame.f_locals.values() if isinstance(value, Tensor)]:
                    scene = Scene(larger, (given,), {}, None, names, name, self.scene.patience)
                    try:
                        outcome, _ = attempt(scene, [])
                    except Exception:
                        continue
                    same = (
                        outcome.fault
                        and self.outcome.fault
                        and outcome.fault.takes == self.outcome.fault.takes
                    )
                    path = outcome.fault.path if outcome.fault else ""
                    if same and path and larger.get_submodule(path) is self._failing():
                        self.scene, self.outcome = scene, outcome
                        break

    def _failing(self) -> nn.Module:
        return self.failure.calls[-1].module

    @property
    def text(self) -> str:
        """The report, in the reader's language."""
        failure, scene, outcome = self.failure, self.scene, self.outcome
        lines = [headline(failure, scene, outcome), *where(scene, outcome.fault)]
        if self.outside:
            lines += indented([say("only outside", self.outside)])
        if failure.kind == "loss":
            lines += ["", *sides_of(scene)]
            if self.network is not None:
                lines += ["", say("way"), *way(self.network[1].steps, True)]
        elif failure.kind == "forward" and outcome.steps:
            lines += ["", say("way"), *way(outcome.steps, outcome.ran)]
        error = outcome.error if self.outside and outcome.error is not None else failure.error
        message = str(error).strip().partition("\n")[0]
        sentences = list(self._sentences())
        if sentences and failure.kind != "load_state_dict":  # there the message goes on over many lines
            sentences.append(say("message", message))
        if sentences or self.remedies:
            lines += ["", say("what"), *indented(sentences)]
        if self.remedies:
            title = {"loss": "do loss", "load_state_dict": "do load"}.get(failure.kind, "do")
            lines += ["", *what_to_do(self.remedies, say(title))]
        elif sentences:
            lines += indented([say("no change")])
        else:
            lines += ["", *indented([say("unknown", message)])]
        return "\n".join(lines)

    def _sentences(self) -> Iterator[str]:
        failure, outcome = self.failure, self.outcome
        if failure.kind == "loss":
            yield from of_a_loss(self.scene)
            if self.network is not None:
                yield from batch_eaten(self.network[1], end_of(self.network[1]))
            return
        if failure.kind == "load_state_dict":
            yield from of_weights(self.scene.model, self.scene.args[0])
            return
        yield from of_a_layer(outcome, self.scene, self.remedies)
        yield from of_an_operation(outcome)


def _is_small(model: nn.Module) -> bool:
    return sum(parameter.numel() for parameter in model.parameters()) < 20e6


def scene_of(failure: Failure, names: Mapping[str, Any] | None = None) -> Scene:
    """The call to run again, out of what was called first."""
    call: Call = failure.calls[0]
    model, args = call.module, call.args
    while is_wrapper(model):
        model = getattr(model, "_orig_mod", None) or model.module  # type: ignore[assignment]
    if failure.function:
        model = FunctionalLoss(failure.function)
    if names is None:
        frame = call.frames[0] if call.frames else None
        names = {**frame.f_globals, **frame.f_locals} if frame else {}
    source = original(call.site.file) if call.site else ""
    name = call_name(expression_at(call.site, source), source) if call.site else "model"
    name = name.removesuffix(".load_state_dict")
    if name.isidentifier() and not isinstance(names.get(name), nn.Module):
        name = "model"
    settled = not model.training or failure.own_check
    return Scene(model, args, call.kwargs, call.site, names, name, kind=failure.kind, settled=settled)


def run_through(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The report on a call that has not been made yet, which may well fit."""
    frame = sys._getframe(2)  # of who called explain
    names = {**frame.f_globals, **frame.f_locals}
    name = next((name for name, value in names.items() if value is model), "model")
    explanation = Explanation(Failure(RuntimeError(), "forward", [Call(model, args, kwargs)]), names, name)
    outcome = explanation.outcome
    if not outcome.ran:
        return explanation.text
    into = ", ".join(str(tuple(tensor.shape)) for tensor in outcome.inputs)
    out = ", ".join(str(tuple(tensor.shape)) for tensor in outcome.result)
    return "\n".join([say("runs", into, out), "", say("way"), *way(outcome.steps, True)])
