"""Which changes may help when a layer does not take what arrives: its own numbers, or another layer."""

import ast
import contextlib
import math
from collections.abc import Iterator

from torch import Tensor, nn
from torch.utils.data import DataLoader

from lessons.course.shapes.attempt import Change, Scene
from lessons.course.shapes.call_changes import Convert, DropLast, Mode
from lessons.course.shapes.changes import Insert, OtherClass, Rebuild, Remove, Rewrite
from lessons.course.shapes.inputs import at_the_call, call_at, other_type, text_of
from lessons.course.shapes.source import Texts, name_of
from lessons.course.shapes.trial import Outcome, Step
from lessons.course.shapes.way import (
    ADAPTIVE,
    CONVOLUTIONS,
    NORMS,
    POOLINGS,
    TRANSPOSED,
    before_flattening,
    gives,
    has_batch,
    maker,
    takes,
    way_back,
)

USUAL = (28, 32, 64, 96, 128, 224, 256)  # sides of pictures


def changes_for_layer(outcome: Outcome, scene: Scene) -> Iterator[Change]:
    """What may help the layer that refused its input, in no order."""
    step = outcome.fault
    if step is None or step.module is None or not step.inputs:
        return
    layer, given = step.module, step.inputs[0]
    yield from other_type(outcome, step, scene)
    yield from _other_number(outcome, step)
    yield from _too_large(outcome, step)
    if "more than 1 value per channel" in str(outcome.error):
        if name := loader_with_one_left(scene):
            yield DropLast(0.5, "", name)
        else:
            yield Mode(1.0, method="eval()")
    if isinstance(layer, NORMS | CONVOLUTIONS | TRANSPOSED | POOLINGS) and given.ndim < 4:
        yield from at_the_call(step, "GIVEN.unsqueeze(-1).unsqueeze(-1)", 4.0)
    if isinstance(layer, nn.BatchNorm1d) and given.ndim == 4:
        yield from at_the_call(step, "GIVEN.flatten(1)", 2.0)
        yield _of_dimensions(step, nn.BatchNorm2d, given)
    if isinstance(layer, nn.BatchNorm2d) and given.ndim in (2, 3):
        yield _of_dimensions(step, nn.BatchNorm1d, given)
    if isinstance(layer, nn.RNNBase | nn.MultiheadAttention) and given.ndim == 4:
        yield from at_the_call(step, "GIVEN.flatten(2).transpose(1, 2)", 2.0)
        yield from at_the_call(step, "GIVEN.squeeze(1)", 1.5)
        yield from at_the_call(step, "GIVEN.flatten(2)", 1.8)
    indices = isinstance(layer, nn.Embedding) and scene.with_numbers and not given.is_floating_point()
    if indices and given.min() >= 0:
        yield Rebuild(1.0, step.path, {"num_embeddings": int(given.max()) + 1})


def loader_with_one_left(scene: Scene) -> str | None:
    """The name of a DataLoader whose last batch has one picture; None when there is none at the call."""
    for name, value in scene.names.items():
        if isinstance(value, DataLoader) and value.batch_size and not value.drop_last:
            with contextlib.suppress(TypeError):  # a data set without a length
                if value.batch_size > 1 and len(value.dataset) % value.batch_size == 1:  # type: ignore[arg-type]
                    return name
    return None


def _of_dimensions(step: Step, kind: type[nn.Module], given: Tensor) -> Change:
    return OtherClass(1.0, step.path, kind=kind, settings={"num_features": given.shape[1]})


def _other_number(outcome: Outcome, step: Step) -> Iterator[Change]:
    """The layer was built for another number of channels or numbers than arrive."""
    wants = takes(step.module)
    given = step.takes[0]
    if wants is None or not -len(given) <= wants[2] < len(given):
        return
    setting, number, dimension = wants
    arrive = given[dimension]
    if isinstance(step.module, nn.Linear) and len(given) > 2:
        flat = math.prod(given[1:])
        for cost in [0.6] if flat == number else [1.6]:
            yield Insert(cost, step.path, call="Flatten()")
            yield from at_the_call(step, "GIVEN.flatten(1)", cost + 0.1)
    if arrive == number:
        return
    extra = {}
    if isinstance(step.module, CONVOLUTIONS | TRANSPOSED) and step.module.groups > 1:
        extra = {"groups": step.module.groups if arrive % step.module.groups == 0 else 1}
        if step.module.groups == step.module.in_channels == step.module.out_channels:
            extra = {"groups": arrive, "out_channels": arrive}
    if isinstance(step.module, nn.MultiheadAttention):
        heads = step.module.num_heads
        extra = {} if arrive % heads == 0 else {"num_heads": math.gcd(arrive, heads)}
    if isinstance(step.module, nn.GroupNorm):
        extra = {"num_groups": math.gcd(arrive, step.module.num_groups)}
    value: object = (arrive,) if setting == "normalized_shape" else arrive
    made_by = maker(outcome, step)
    flattened = before_flattening(outcome, step)
    fits = flattened is not None and math.prod(flattened[1:]) == arrive
    product = " * ".join(map(str, flattened[1:])) if flattened and fits else ""
    yield Rebuild(1.0, step.path, {setting: value, **extra}, product)
    if made_by is not None and (has := gives(made_by.module)):
        name, makes = has
        if makes == arrive and not flattened:
            yield Rebuild(1.2, made_by.path, {name: number})
        elif flattened and arrive % makes == 0 and number % (arrive // makes) == 0:
            yield Rebuild(1.9, made_by.path, {name: number // (arrive // makes)})
    if flattened and len(flattened) == 4:
        yield from _other_picture(outcome, step, flattened, number)
    yield from batch_lost(outcome, step)


def _other_picture(outcome: Outcome, step: Step, flattened: tuple[int, ...], number: int) -> Iterator[Change]:
    """The Linear behind the pictures fits pictures of another size, or one more (or less) pooling."""
    _, channels, height, width = flattened
    side = math.isqrt(number // channels) if number % channels == 0 else 0
    pictures = outcome.inputs[0] if outcome.inputs else None
    if not side or side * side * channels != number or pictures is None or pictures.ndim != 4:
        return
    guesses = {round(pictures.shape[-1] * side / max(width, 1)), *USUAL}
    for size in sorted(guesses, key=lambda size: abs(size - pictures.shape[-1] * side / max(width, 1)))[:4]:
        if size > 1 and size != pictures.shape[-1]:
            cost = 1.7 if size in USUAL else 1.8
            how = f"nn.functional.interpolate(GIVEN, size=({size}, {size}))"
            yield Convert(cost, "", 0, how)
    poolings = [before for before in way_back(outcome, step) if isinstance(before.module, POOLINGS)]
    if (side * 2, side * 2) == (height, width) and step.path:
        last = next((s for s in way_back(outcome, step) if isinstance(s.module, nn.Flatten)), None)
        if last is not None:
            yield Insert(1.8, last.path, call="MaxPool2d(2)")
    if height < side and poolings:
        yield Remove(2.2, poolings[0].path)


def batch_lost(outcome: Outcome, step: Step) -> Iterator[Change]:
    """Where a flatten or a view on the way has mixed the pictures of a batch."""
    if not has_batch(outcome):
        return
    batch = outcome.inputs[0].shape[0]
    for before in way_back(outcome, step):
        if before.takes and before.gives and before.takes[0][:1] == (batch,) != before.gives[0][:1]:
            if isinstance(before.module, nn.Flatten):
                yield Rebuild(0.5, before.path, {"start_dim": 1})
            elif isinstance(before.module, POOLINGS | ADAPTIVE):
                yield Remove(1.0, before.path)
            elif before.module is None:
                yield from keep_batch(before, outcome.texts, 0.5)


def keep_batch(step: Step, texts: Texts, cost: float) -> Iterator[Change]:
    """``x.view(...)``, ``torch.flatten(x)`` and their like as one that leaves the batch alone."""
    node, source = call_at(step, texts)
    if not isinstance(node, ast.Call):
        return
    name = name_of(node.func)
    if name not in ("view", "reshape", "flatten", "ravel"):
        return
    is_function = isinstance(node.func, ast.Attribute) and name_of(node.func.value) == "torch"
    if is_function and node.args:
        yield Rewrite(cost, "", step.site, node, f"torch.flatten({text_of(source, node.args[0])}, 1)")
    elif isinstance(node.func, ast.Attribute):
        yield Rewrite(cost, "", step.site, node, f"{text_of(source, node.func.value)}.flatten(1)")


def _too_large(outcome: Outcome, step: Step) -> Iterator[Change]:
    """A kernel larger than its picture."""
    layer, given = step.module, step.takes[0]
    if not isinstance(layer, CONVOLUTIONS | POOLINGS):
        return
    kernel = layer.kernel_size if isinstance(layer.kernel_size, tuple) else (layer.kernel_size,)
    sides = (
        given[-len(kernel) :] if isinstance(layer, CONVOLUTIONS) else given[-int(type(layer).__name__[-2]) :]
    )
    smallest = min(sides, default=0)
    if not smallest or (
        "ernel size can't" not in str(outcome.error) and "too small" not in str(outcome.error)
    ):
        return
    if isinstance(layer, CONVOLUTIONS):
        for size in (5, 3, 1):
            if size <= smallest and size < max(kernel):
                yield Rebuild(1.0 + (5 - size) / 20, step.path, {"kernel_size": size})
        yield Rebuild(1.3, step.path, {"padding": max(kernel) // 2})
    else:
        yield Remove(1.2, step.path)
        for size in (3, 2):
            if size <= smallest and size < max(kernel):
                yield Rebuild(1.1 - size / 20, step.path, {"kernel_size": size, "stride": size})
    pictures = outcome.inputs[0]
    if pictures.ndim == 4:
        for factor in (2, 4, 8):
            size = pictures.shape[-1] * factor
            yield Convert(1.5, "", 0, f"nn.functional.interpolate(GIVEN, size=({size}, {size}))")
