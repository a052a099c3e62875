"""Which changes may help when a line of ``forward`` itself does not fit: a view, a cat, a sum."""

import ast
import math
from collections.abc import Iterator

from torch import nn

from lessons.course.shapes.attempt import Change
from lessons.course.shapes.call_changes import Convert
from lessons.course.shapes.changes import Rebuild, Rewrite
from lessons.course.shapes.inputs import call_at
from lessons.course.shapes.layers import batch_lost, keep_batch
from lessons.course.shapes.trial import Outcome, Step
from lessons.course.shapes.way import CONVOLUTIONS, POOLINGS, TRANSPOSED, gives, maker, way_back

SUMS = (
    "add",
    "iadd",
    "sub",
    "isub",
    "mul",
    "imul",
    "radd",
    "truediv",
    "rsub",
    "rmul",
    "cat",
    "concat",
    "stack",
)


def changes_for_operation(outcome: Outcome) -> Iterator[Change]:
    """What may help the function that refused its operands, in no order."""
    step = outcome.fault
    if step is None or step.module is not None or not step.inputs:
        return
    yield from batch_lost(outcome, step)
    if step.name in ("view", "reshape", "flatten"):
        yield from keep_batch(step, outcome.texts, 0.8)
        yield from _other_size(outcome, step)
    if step.name in ("view", "flatten") and "not compatible" in str(outcome.error):
        yield from _other_name(outcome, step, "reshape")
    if step.name in ("cat", "concat", "concatenate"):
        yield from _other_dimension(outcome, step)
    if step.name in SUMS and len(step.inputs) > 1:
        yield from _sides(outcome, step)
        yield from _even_pictures(outcome)


def _other_size(outcome: Outcome, step: Step) -> Iterator[Change]:
    """``x.view(-1, 1024)`` with the number that a picture really has by now."""
    node, _ = call_at(step, outcome.texts)
    if not isinstance(node, ast.Call) or len(step.takes[0]) < 2:
        return
    row = math.prod(step.takes[0][1:])
    for argument in node.args[1:]:  # the first is the batch, and no number fits every batch
        if isinstance(argument, ast.Constant | ast.BinOp):
            yield Rewrite(0.9, "", step.site, argument, str(row))


def _other_name(outcome: Outcome, step: Step, name: str) -> Iterator[Change]:
    node, source = call_at(step, outcome.texts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        owner = ast.get_source_segment(source, node.func.value)
        yield Rewrite(0.5, "", step.site, node.func, f"{owner}.{name}")


def _other_dimension(outcome: Outcome, step: Step) -> Iterator[Change]:
    """The dimension in which the tensors may be joined: all others are the same."""
    node, source = call_at(step, outcome.texts)
    shapes = step.takes
    if not isinstance(node, ast.Call) or len({len(shape) for shape in shapes}) > 1:
        return
    for dimension in range(len(shapes[0])):
        rest = {shape[:dimension] + shape[dimension + 1 :] for shape in shapes}
        if len(rest) > 1:
            continue
        where = [keyword.value for keyword in node.keywords if keyword.arg in ("dim", "axis")] or node.args[
            1:2
        ]
        if where:
            yield Rewrite(0.6, "", step.site, where[0], str(dimension))
        else:
            joined = ast.get_source_segment(source, node.args[0])
            yield Rewrite(0.6, "", step.site, node.args[0], f"{joined}, dim={dimension}")


def _sides(outcome: Outcome, step: Step) -> Iterator[Change]:
    """Two sides of a sum or a cat that differ: either may be made like the other."""
    for which in (0, 1):
        mine, other = step.takes[which], step.takes[1 - which]
        if len(mine) != len(other):
            continue
        channel = 1 if len(mine) > 1 else 0
        by = maker(outcome, step, which)
        if mine[channel] != other[channel] and by is not None and step.name not in ("cat", "concat"):
            name, makes = gives(by.module)  # type: ignore[misc]
            if makes == mine[channel]:
                yield Rebuild(1.0 + 0.1 * which, by.path, {name: other[channel]})
        if mine[2:] == other[2:] or len(mine) < 3:
            continue
        missing = other[-1] - mine[-1]
        if by is not None and isinstance(by.module, TRANSPOSED) and 0 < missing < max(by.module.stride):
            yield Rebuild(1.0, by.path, {"output_padding": missing})
        for before in way_back(outcome, step, which):
            layer = before.module
            if (
                before.takes
                and before.takes[0][2:] == other[2:]
                and isinstance(layer, CONVOLUTIONS | POOLINGS)
            ):
                yield from _same_size(before, layer, mine, other)
                break
            if isinstance(layer, CONVOLUTIONS | POOLINGS):
                yield from _same_size(before, layer, mine, other)


def _even_pictures(outcome: Outcome) -> Iterator[Change]:
    """Pictures whose sides can be halved several times, so that both ways have the same size in the end."""
    pictures = outcome.inputs[0] if outcome.inputs else None
    if pictures is not None and pictures.ndim == 4:
        height, width = pictures.shape[2:]
        sizes = {(height // by * by, width // by * by) for by in (2, 4, 8, 16, 32)} - {(height, width)}
        for size in sorted(sizes, reverse=True)[:3]:
            if min(size) > 0:
                yield Convert(1.6, "", 0, f"nn.functional.interpolate(GIVEN, size={size})")


def _same_size(
    step: Step, layer: nn.Module, mine: tuple[int, ...], other: tuple[int, ...]
) -> Iterator[Change]:
    """A convolution or pooling that keeps the height and width, or strides as the other side does."""
    kernel = layer.kernel_size if isinstance(layer.kernel_size, tuple) else (layer.kernel_size,)
    stride = layer.stride if isinstance(layer.stride, tuple) else (layer.stride,)
    size = max(kernel)  # type: ignore[type-var]
    ratio = mine[-1] / max(other[-1], 1)
    if isinstance(layer, CONVOLUTIONS):
        if size % 2:
            yield Rebuild(1.0, step.path, {"padding": size // 2})
        if ratio < 0.75 and max(stride) > 1:  # type: ignore[type-var]
            yield Rebuild(1.05, step.path, {"stride": 1})
            yield Rebuild(1.1, step.path, {"stride": 1, "padding": size // 2})
        if ratio > 1.5:
            yield Rebuild(1.05, step.path, {"stride": 2})
            yield Rebuild(1.1, step.path, {"stride": 2, "padding": size // 2})
        for padding in range(3):
            if padding != size // 2:
                yield Rebuild(1.3, step.path, {"padding": padding})
    elif ratio < 0.75:
        yield Rebuild(1.4, step.path, {"kernel_size": 3, "stride": 1, "padding": 1})
