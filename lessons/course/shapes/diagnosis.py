"""What does not fit, worked out in the learner's numbers and back to where the numbers come from."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lessons.course.shapes.attempt import Scene
from lessons.course.shapes.call_changes import Convert
from lessons.course.shapes.changes import Insert
from lessons.course.shapes.layers import loader_with_one_left
from lessons.course.shapes.search import Remedy
from lessons.course.shapes.trial import Outcome, Step
from lessons.course.shapes.way import (
    CONVOLUTIONS,
    NORMS,
    POOLINGS,
    before_flattening,
    has_batch,
    maker,
    takes,
    way_back,
)
from lessons.course.shapes.words import say


def by_whom(outcome: Outcome, step: Step, which: int = 0) -> str:
    """`` from conv1``: the layer that decided the shape, or the input."""
    by = maker(outcome, step, which)
    if by is not None:
        return say("by", by.path or by.name)
    sources = [step.sources[which] if which < len(step.sources) else -2]
    sources += [source for before in way_back(outcome, step, which) for source in before.sources[:1]]
    return say("by input") if sources[-1] == -1 else ""


def of_a_layer(outcome: Outcome, scene: Scene, remedies: list[Remedy]) -> Iterator[str]:
    """Sentences on a layer that refused its input."""
    step = outcome.fault
    if step is None or step.module is None or not step.inputs:
        return
    layer, given, shape = step.module, step.inputs[0], step.takes[0]
    label = f"{scene.name}.{step.path}" if step.path.isdigit() else step.path or scene.name
    weight = next((p for p in layer.parameters() if p.is_floating_point()), None)
    if isinstance(layer, nn.Embedding) and given.is_floating_point():
        yield say("indices", given.dtype)
        return
    if weight is not None and given.device != weight.device:
        yield say("device", given=given.device, layer=label, wanted=weight.device)
        return
    yield from _input_form(outcome)
    if weight is not None and given.dtype != weight.dtype and not isinstance(layer, nn.Embedding):
        yield say("dtype", given=given.dtype, layer=label, wanted=weight.dtype)
        return
    yield from batch_eaten(outcome, step)
    if isinstance(layer, NORMS) and "more than 1 value" in str(outcome.error):
        yield say("one value", shape=shape)
        if name := loader_with_one_left(scene):
            loader = scene.names[name]
            yield say("one row", len(loader.dataset), loader.batch_size)
        return
    if isinstance(layer, nn.Embedding):
        yield from largest_index(layer, given)
        return
    if isinstance(layer, CONVOLUTIONS | POOLINGS) and _too_small(outcome):
        kernel = layer.kernel_size if isinstance(layer.kernel_size, tuple) else (layer.kernel_size,) * 2
        yield say("kernel", kernel=_times(kernel), sides=_times(shape[-len(kernel) :]))
        return
    wants = takes(layer)
    if wants is None or not -len(shape) <= wants[2] < len(shape):
        yield say("shapes", ", ".join(map(str, step.takes)))
        return
    _, number, dimension = wants
    yield from _numbers(outcome, step, label, number, shape[dimension], remedies)


def _numbers(
    outcome: Outcome, step: Step, label: str, number: int, arrive: int, remedies: list[Remedy]
) -> Iterator[str]:
    """The layer was built for one number of channels or numbers, and another arrives."""
    shape, by = step.takes[0], by_whom(outcome, step)
    if arrive == number:
        yield say("shapes", ", ".join(map(str, step.takes)))
    elif isinstance(step.module, nn.Linear):
        flattened = before_flattening(outcome, step)
        if len(shape) > 2:
            flat = math.prod(shape[1:])
            product = _times(shape[1:])
            yield say("no flatten", shape=shape, arrive=arrive, product=product, flat=flat)
        if flattened and len(flattened) == 4 and math.prod(flattened[1:]) == arrive:
            _, channels, height, width = flattened
            side = math.isqrt(number // channels)
            fits = side * side * channels == number
            yield say(
                "flat",
                channels=channels,
                height=height,
                width=width,
                arrive=arrive,
                layer=label,
                number=number,
                product=say("product", channels, side, side) if fits else "",
            )
            yield from _what_would_fit(outcome, remedies)
        else:
            yield say("numbers", arrive=arrive, by=by, layer=label, number=number)
    elif isinstance(step.module, CONVOLUTIONS | NORMS | nn.GroupNorm) or "Transpose" in step.name:
        yield say("channels", arrive=arrive, by=by, layer=label, number=number)
    else:
        yield say("heads", arrive=arrive, by=by, layer=label, number=number)


def _what_would_fit(outcome: Outcome, remedies: list[Remedy]) -> Iterator[str]:
    """Which other pictures, or which layer more, the trials have found to fit."""
    for remedy in remedies:
        change = remedy.changes[0]
        if len(remedy.changes) > 1:
            continue
        if isinstance(change, Convert) and "interpolate" in change.how:
            fits = _times(remedy.outcome.inputs[0].shape[2:])
            yield say("size fits", fits=fits, size=_times(outcome.inputs[0].shape[2:]))
        if isinstance(change, Insert) and "Pool" in change.call:
            yield say("pooling fits")


def _input_form(outcome: Outcome) -> Iterator[str]:
    """Channels last, or no batch."""
    first = next((step for step in outcome.steps if takes(step.module)), None)
    if first is None or not outcome.inputs or not isinstance(first.module, nn.Conv2d):
        return
    shape, number = tuple(outcome.inputs[0].shape), first.module.in_channels
    if len(shape) in (3, 4) and shape[-1] == number != shape[-3]:
        yield say("channels last", shape)
    if len(shape) == 3 and number == 1 != shape[0]:
        yield say("no channel", shape, (shape[0], 1, *shape[1:]))
    elif len(shape) == 3:
        yield say("no batch", shape)


def batch_eaten(outcome: Outcome, step: Step) -> Iterator[str]:
    """A sentence on the flatten or view on the way that changed the first dimension."""
    if not has_batch(outcome):
        return
    batch = outcome.inputs[0].shape[0]
    for before in way_back(outcome, step):
        if (
            before.takes
            and before.gives
            and before.takes[0][:1] == (batch,)
            and before.gives[0][:1] != (batch,)
        ):
            key = "batch eaten" if len(before.gives[0]) < 2 else "rows from"
            yield say(key, path=before.path or before.name, shape=before.gives[0], before=before.takes[0])
            return


def _too_small(outcome: Outcome) -> bool:
    return "ernel size can't" in str(outcome.error) or "too small" in str(outcome.error)


def of_an_operation(outcome: Outcome) -> Iterator[str]:
    """Sentences on a line of ``forward`` whose operands do not go together."""
    step = outcome.fault
    if step is None or step.module is not None or not step.inputs:
        return
    shapes = step.takes
    if step.name in ("view", "reshape") and "not compatible" in str(outcome.error):
        yield say("not contiguous")
    elif step.name in ("view", "reshape", "flatten") and shapes[0]:
        wanted = str(outcome.error).partition("'")[2].partition("'")[0] or step.name
        rows, row = shapes[0][0], math.prod(shapes[0][1:])
        yield say("view", shape=shapes[0], count=rows * row, rows=rows, row=row, wanted=wanted)
    elif step.name in ("cat", "concat", "concatenate", "stack"):
        parts = [f"{shape}{by_whom(outcome, step, which)}" for which, shape in enumerate(shapes)]
        yield say("joined", ", ".join(parts))
    elif step.name in ("linear", "matmul", "mm", "bmm") and len(shapes) > 1 and shapes[1]:
        wants = shapes[1][-1] if step.name == "linear" else shapes[1][max(-2, -len(shapes[1]))]
        yield say("shapes", ", ".join(map(str, shapes)))
        yield say("numbers", arrive=shapes[0][-1], by=by_whom(outcome, step), layer=step.name, number=wants)
    elif len(shapes) == 2:
        one, other = shapes
        named: dict[str, object] = {"one": one, "other": other}
        named |= {"by_one": by_whom(outcome, step, 0), "by_other": by_whom(outcome, step, 1)}
        at = next((i for i in range(1, min(len(one), len(other)) + 1) if one[-i] != other[-i]), None)
        if len(one) == len(other) and at is not None:
            yield say("sides", **named, dimension=len(one) - at, a=one[-at], b=other[-at])
            if "add" in step.name and len(one) == 4:
                yield from _shortcut(one, other)
        else:
            yield say("side count", **named)
    else:
        yield say("shapes", ", ".join(map(str, shapes)))


def _shortcut(one: tuple[int, ...], other: tuple[int, ...]) -> Iterator[str]:
    """The convolution of 1 x 1 that makes the larger side of a sum like the other, if there is one."""
    large, small = (one, other) if one[2:] > other[2:] else (other, one)
    stride = max(1, round(large[2] / small[2]))
    convolution = nn.Conv2d(large[1], small[1], 1, stride=stride, device="meta")
    if tuple(convolution(torch.empty(large, device="meta")).shape) == small and large != small:
        more = f", stride={stride}" if stride > 1 else ""
        yield say("shortcut", f"nn.Conv2d({large[1]}, {small[1]}, 1{more})", large, small)


def largest_index(layer: nn.Embedding, given: Tensor) -> Iterator[str]:
    """A sentence on indices that an Embedding has no rows for."""
    if given.numel() and not given.is_meta and type(given) is Tensor:
        rows, largest, smallest = layer.num_embeddings, int(given.max()), int(given.min())
        yield say("index range", largest=largest, smallest=smallest, rows=rows, last=rows - 1)


def _times(sides: tuple[int, ...] | torch.Size) -> str:
    return " x ".join(map(str, sides))
