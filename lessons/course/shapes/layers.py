"""Which changes may help when a layer does not take what arrives: its own numbers, another's, or the input."""

import ast
import contextlib
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lessons.course.shapes.changes import (
    Change,
    Convert,
    DropLast,
    Insert,
    Mode,
    OtherClass,
    Rebuild,
    Remove,
    Rewrite,
    Scene,
)
from lessons.course.shapes.source import expression_at, name_of, original
from lessons.course.shapes.trial import Outcome, Step

CONVOLUTIONS = nn.Conv1d | nn.Conv2d | nn.Conv3d
TRANSPOSED = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
NORMS = nn.modules.batchnorm._NormBase
POOLINGS = nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d | nn.AvgPool1d | nn.AvgPool2d | nn.AvgPool3d


ADAPTIVE = nn.AdaptiveAvgPool1d | nn.AdaptiveAvgPool2d | nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d


def takes(layer: nn.Module | None) -> tuple[str, int, int] | None:
    """(the setting that says how many numbers or channels it takes, that many, in which dimension)."""
    if isinstance(layer, nn.Linear):
        return "in_features", layer.in_features, -1
    if isinstance(layer, CONVOLUTIONS | TRANSPOSED):
        return "in_channels", layer.in_channels, -len(layer.kernel_size) - 1
    if isinstance(layer, NORMS):
        return "num_features", layer.num_features, 1
    if isinstance(layer, nn.GroupNorm):
        return "num_channels", layer.num_channels, 1
    if isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1:
        return "normalized_shape", layer.normalized_shape[0], -1
    if isinstance(layer, nn.RNNBase):
        return "input_size", layer.input_size, -1
    if isinstance(layer, nn.MultiheadAttention):
        return "embed_dim", layer.embed_dim, -1
    return None


def gives(layer: nn.Module | None) -> tuple[str, int] | None:
    """(the setting that says how many numbers or channels come out, that many)."""
    for kind, name in (
        (nn.Linear, "out_features"),
        (CONVOLUTIONS | TRANSPOSED, "out_channels"),
        (nn.Embedding, "embedding_dim"),
        (nn.RNNBase, "hidden_size"),
    ):
        if isinstance(layer, kind):
            return name, getattr(layer, name)
    return None


def way_back(outcome: Outcome, step: Step, which: int = 0) -> Iterator[Step]:
    """The steps that made an input of a step, the last first, down to the network's own input."""
    at = step.sources[which] if which < len(step.sources) else -2
    while at >= 0:
        before = outcome.steps[at]
        yield before
        at = before.sources[0] if before.sources else -2


def maker(outcome: Outcome, step: Step, which: int = 0) -> Step | None:
    """The layer that decided how many channels or numbers an input has; None when the input decided."""
    for before in way_back(outcome, step, which):
        if gives(before.module):
            return before
        if len(before.inputs) > 1 and before.module is None:  # cat and sums have more than one
            return None
    return None


def before_flattening(outcome: Outcome, step: Step) -> tuple[int, ...] | None:
    """The shape (N, C, H, W) that was flattened on the way to a layer; None when nothing was."""
    for before in way_back(outcome, step):
        if before.takes and before.gives and len(before.takes[0]) > len(before.gives[0]):
            return before.takes[0]
        if gives(before.module):
            return None
    return None


def changes_for_layer(outcome: Outcome, scene: Scene) -> Iterator[Change]:
    """What may help the layer that refused its input, in no order."""
    step = outcome.fault
    if step is None or step.module is None or not step.inputs:
        return
    layer, given = step.module, step.inputs[0]
    yield from _other_type(outcome, step, scene)
    yield from _other_number(outcome, step)
    yield from _too_large(outcome, step)
    if "more than 1 value per channel" in str(outcome.error):
        yield Mode(1.0, method="eval()")
        if name := loader_with_one_left(scene):
            yield DropLast(0.5, "", name)
    if isinstance(layer, NORMS | CONVOLUTIONS | TRANSPOSED | POOLINGS) and given.ndim < 4:
        yield from at_the_call(step, "{}.unsqueeze(-1).unsqueeze(-1)", 4.0)
    if isinstance(layer, nn.BatchNorm1d) and given.ndim == 4:
        yield from at_the_call(step, "{}.flatten(1)", 2.0)
        yield _of_dimensions(step, nn.BatchNorm2d, given)
    if isinstance(layer, nn.BatchNorm2d) and given.ndim in (2, 3):
        yield _of_dimensions(step, nn.BatchNorm1d, given)
    if isinstance(layer, nn.RNNBase | nn.MultiheadAttention) and given.ndim == 4:
        yield from at_the_call(step, "{}.flatten(2).transpose(1, 2)", 2.0)
        yield from at_the_call(step, "{}.squeeze(1)", 1.5)
        yield from at_the_call(step, "{}.flatten(2)", 1.8)
    if isinstance(layer, nn.Embedding) and not given.is_floating_point() and scene.with_numbers:
        if given.min() >= 0:
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
            yield from at_the_call(step, "{}.flatten(1)", cost + 0.1)
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
    yield Rebuild(1.0, step.path, {setting: value, **extra})
    made_by = maker(outcome, step)
    flattened = before_flattening(outcome, step)
    if made_by is not None and (has := gives(made_by.module)):
        name, makes = has
        if makes == arrive and not flattened:
            yield Rebuild(1.2, made_by.path, {name: number})
        elif flattened and arrive % makes == 0 and number % (arrive // makes) == 0:
            yield Rebuild(1.5, made_by.path, {name: number // (arrive // makes)})
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
    guesses = {round(pictures.shape[-1] * side / max(width, 1)), 28, 32, 64, 96, 128, 224, 256}
    for size in sorted(guesses, key=lambda size: abs(size - pictures.shape[-1] * side / max(width, 1)))[:4]:
        if size > 1 and size != pictures.shape[-1]:
            how = "nn.functional.interpolate({}, size=(%d, %d))" % (size, size)
            yield Convert(1.7, "", 0, how)
    poolings = [before for before in way_back(outcome, step) if isinstance(before.module, POOLINGS)]
    if (side * 2, side * 2) == (height, width) and step.path:
        last = next((s for s in way_back(outcome, step) if isinstance(s.module, nn.Flatten)), None)
        if last is not None:
            yield Insert(1.8, last.path, call="MaxPool2d(2)")
    if height < side and poolings:
        yield Remove(2.2, poolings[0].path)


def batch_lost(outcome: Outcome, step: Step) -> Iterator[Change]:
    """Where a flatten or a view on the way has mixed the pictures of a batch."""
    if not outcome.inputs or outcome.inputs[0].ndim < 2:
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


def keep_batch(step: Step, texts: object, cost: float) -> Iterator[Change]:
    """``x.view(...)``, ``torch.flatten(x)`` and their like as one that leaves the batch alone."""
    node, source = _call_at(step, texts)
    if not isinstance(node, ast.Call):
        return
    name = name_of(node.func)
    if name not in ("view", "reshape", "flatten", "ravel"):
        return
    is_function = isinstance(node.func, ast.Attribute) and name_of(node.func.value) == "torch"
    if is_function and node.args:
        yield Rewrite(cost, "", step.site, node, f"torch.flatten({_text(source, node.args[0])}, 1)")
    elif isinstance(node.func, ast.Attribute):
        yield Rewrite(cost, "", step.site, node, f"{_text(source, node.func.value)}.flatten(1)")


def _other_type(outcome: Outcome, step: Step, scene: Scene) -> Iterator[Change]:
    """Another dtype or device than the layer's weights have."""
    weight = next((p for p in step.module.parameters() if p.is_floating_point()), None) if step.module else None
    given = step.inputs[0]
    if isinstance(step.module, nn.Embedding | nn.EmbeddingBag):
        if given.is_floating_point():
            yield from convert(outcome, step, given, "{}.long()", 0.5)
        return
    if weight is None:
        return
    if given.device != weight.device:
        device = next(
            (name for name, value in scene.names.items() if value in (weight.device, weight.device.type)
             and isinstance(value, str | torch.device)), repr(str(weight.device)),
        )
        if not given.is_meta:  # there it has no numbers that could be moved
            yield from convert(outcome, step, given, "{}.to(%s)" % device, 0.5)
        if scene.name.isidentifier() and not weight.is_meta:
            yield Mode(0.8, method=f"to({str(given.device)!r})")
    elif given.dtype != weight.dtype:
        how = {torch.float32: "{}.float()", torch.float64: "{}.double()"}.get(weight.dtype, "{}.to(%s)" % weight.dtype)
        if given.dtype == torch.uint8 and weight.dtype == torch.float32:
            yield from convert(outcome, step, given, "{}.float() / 255", 0.4)
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
    node, source = _call_at(step, None)
    if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.Starred):
        arg = node.args[0]
        yield Rewrite(cost, step.path, step.site, arg, how.format(_text(source, arg)))


def _call_at(step: Step, texts: object) -> tuple[ast.expr | None, str]:
    if step.site is None:
        return None, ""
    source = texts[step.site.file] if texts else original(step.site.file)  # type: ignore[index]
    return expression_at(step.site, source), source


def _text(source: str, node: ast.expr) -> str:
    text = ast.get_source_segment(source, node) or ""
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return text if simple else f"({text})"


def _too_large(outcome: Outcome, step: Step) -> Iterator[Change]:
    """A kernel larger than its picture."""
    layer, given = step.module, step.takes[0]
    if not isinstance(layer, CONVOLUTIONS | POOLINGS):
        return
    kernel = layer.kernel_size if isinstance(layer.kernel_size, tuple) else (layer.kernel_size,)
    sides = given[-len(kernel):] if isinstance(layer, CONVOLUTIONS) else given[-int(type(layer).__name__[-2]):]
    smallest = min(sides, default=0)
    if not smallest or "ernel size can't" not in str(outcome.error) and "too small" not in str(outcome.error):
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
            yield Convert(1.5, "", 0, "nn.functional.interpolate({}, size=(%d, %d))" % (size, size))


def changes_of_input(outcome: Outcome) -> Iterator[Change]:
    """What may help when the input has the wrong form: for the first layer that wants channels or numbers."""
    first = next((step for step in outcome.steps if takes(step.module)), None)
    if first is None or not outcome.inputs:
        return
    _, number, dimension = takes(first.module)  # type: ignore[misc]
    given = tuple(outcome.inputs[0].shape)
    if isinstance(first.module, nn.Conv2d):
        if len(given) == 3:
            if given[0] == number:
                yield Convert(0.3, "", 0, "{}.unsqueeze(0)")
            if given[-1] == number and given[0] != number:
                yield Convert(0.3, "", 0, "{}.permute(2, 0, 1).unsqueeze(0)")
            if number == 1:
                yield Convert(0.4, "", 0, "{}.unsqueeze(1)")
        if len(given) == 2 and number == 1:
            yield Convert(0.4, "", 0, "{}[None, None]")
        if len(given) == 4 and given[-1] == number != given[1]:
            yield Convert(0.3, "", 0, "{}.permute(0, 3, 1, 2)")
        if len(given) == 4 and given[1] == 1 and number == 3:
            yield Convert(0.9, "", 0, "{}.expand(-1, 3, -1, -1)")
        if len(given) == 4 and given[1] == 4 and number == 3:
            yield Convert(0.9, "", 0, "{}[:, :3]")
        if len(given) == 4 and given[1] == 3 and number == 1:
            yield Convert(1.1, "", 0, "{}.mean(1, keepdim=True)")
        if len(given) == 2:
            for channels, side in ((number, math.isqrt(given[1] // number)),):
                if side * side * channels == given[1]:
                    yield Convert(0.5, "", 0, "{}.view(-1, %d, %d, %d)" % (channels, side, side))
    if isinstance(first.module, nn.Linear) and len(given) > 2 and given[-1] != number:
        if math.prod(given[1:]) == number:
            yield Convert(0.5, "", 0, "{}.flatten(1)")
    if isinstance(first.module, nn.Linear) and given and math.prod(given) == number and len(given) > 1:
        yield Convert(0.6, "", 0, "{}.flatten().unsqueeze(0)")
    if isinstance(first.module, NORMS) and len(given) in (1, 3):
        yield Convert(0.6, "", 0, "{}.unsqueeze(0)")
