"""Which conversions may help: of what the network is called with, or of what a layer is."""

import ast
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lessons.course.shapes.attempt import Change, Scene
from lessons.course.shapes.call_changes import Convert, Mode
from lessons.course.shapes.changes import Rewrite
from lessons.course.shapes.source import Texts, expression_at
from lessons.course.shapes.trial import Outcome, Step
from lessons.course.shapes.way import NORMS, takes


def changes_of_input(outcome: Outcome) -> Iterator[Change]:
    """What may help when the input has the wrong form: for the first layer that wants channels or numbers."""
    first = next((step for step in outcome.steps if takes(step.module)), None)
    if first is None or not outcome.inputs:
        return
    _, number, _ = takes(first.module)  # type: ignore[misc]
    given = tuple(outcome.inputs[0].shape)
    if isinstance(first.module, nn.Conv2d):
        if len(given) == 3:
            if given[0] == number or {given[0], number} <= {1, 3, 4}:  # grey, colour, colour with alpha
                yield Convert(0.3, "", 0, "GIVEN.unsqueeze(0)")
            if given[-1] == number and given[0] != number:
                yield Convert(0.3, "", 0, "GIVEN.permute(2, 0, 1).unsqueeze(0)")
            if number == 1:
                yield Convert(0.4, "", 0, "GIVEN.unsqueeze(1)")
        if len(given) == 2 and number == 1:
            yield Convert(0.4, "", 0, "GIVEN[None, None]")
        if len(given) == 4 and given[-1] == number != given[1]:
            yield Convert(0.3, "", 0, "GIVEN.permute(0, 3, 1, 2)")
        if len(given) == 4 and given[1] == 1 and number == 3:
            yield Convert(0.9, "", 0, "GIVEN.expand(-1, 3, -1, -1)")
        if len(given) == 4 and given[1] == 4 and number == 3:
            yield Convert(0.6, "", 0, "GIVEN[:, :3]")
        if len(given) == 4 and given[1] == 3 and number == 1:
            yield Convert(1.1, "", 0, "GIVEN.mean(1, keepdim=True)")
        if len(given) == 2:
            for channels, side in ((number, math.isqrt(given[1] // number)),):
                if side * side * channels == given[1]:
                    yield Convert(0.5, "", 0, f"GIVEN.view(-1, {channels}, {side}, {side})")
    if isinstance(first.module, NORMS) and len(given) in (1, 3):
        yield Convert(0.6, "", 0, "GIVEN.unsqueeze(0)")
    if not isinstance(first.module, nn.Linear):
        return
    if len(given) > 2 and given[-1] != number == math.prod(given[1:]):
        yield Convert(0.5, "", 0, "GIVEN.flatten(1)")
    if len(given) > 1 and math.prod(given) == number:
        yield Convert(0.6, "", 0, "GIVEN.flatten().unsqueeze(0)")


def other_type(outcome: Outcome, step: Step, scene: Scene) -> Iterator[Change]:
    """Another dtype or device than the layer's weights have."""
    weight = (
        next((p for p in step.module.parameters() if p.is_floating_point()), None) if step.module else None
    )
    given = step.inputs[0]
    if isinstance(step.module, nn.Embedding | nn.EmbeddingBag):
        if given.is_floating_point():
            yield from convert(outcome, step, given, "GIVEN.long()", 0.5)
        return
    if weight is None:
        return
    if given.device != weight.device:
        device = next(
            (
                name
                for name, value in scene.names.items()
                if value in (weight.device, weight.device.type) and isinstance(value, str | torch.device)
            ),
            repr(str(weight.device)),
        )
        if not given.is_meta:  # there it has no numbers that could be moved
            yield from convert(outcome, step, given, f"GIVEN.to({device})", 0.5)
        if scene.name.isidentifier() and not weight.is_meta:
            yield Mode(0.8, method=f"to({str(given.device)!r})")
    elif given.dtype != weight.dtype:
        how = {torch.float32: "GIVEN.float()", torch.float64: "GIVEN.double()"}.get(
            weight.dtype, f"GIVEN.to({weight.dtype})"
        )
        if given.dtype == torch.uint8 and weight.dtype == torch.float32:
            yield from convert(outcome, step, given, "GIVEN.float() / 255", 0.4)
        yield from convert(outcome, step, given, how, 0.5)
        if given.dtype == torch.float64:
            yield Mode(0.9, method="double()")


def convert(outcome: Outcome, step: Step, given: Tensor, how: str, cost: float) -> Iterator[Change]:
    """A conversion of the network's input when that is at fault, else where the layer is called."""
    for index, argument in enumerate(outcome.inputs):
        if (argument.dtype, argument.device) == (given.dtype, given.device):
            yield Convert(cost, "", index, how)
    yield from at_the_call(step, how, cost + 0.2)


def at_the_call(step: Step, how: str, cost: float) -> Iterator[Change]:
    """A conversion of the first argument, where the learner's code calls the layer."""
    node, source = call_at(step, Texts())
    if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred):
        arg = node.args[0]
        yield Rewrite(cost, step.path, step.site, arg, how.replace("GIVEN", text_of(source, arg)))


def call_at(step: Step, texts: Texts) -> tuple[ast.expr | None, str]:
    """The expression of the learner's that called a step, and the source it stands in."""
    if step.site is None:
        return None, ""
    source = texts[step.site.file]
    return expression_at(step.site, source), source


def text_of(source: str, node: ast.expr) -> str:
    text = ast.get_source_segment(source, node) or ""
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return text if simple else f"({text})"
