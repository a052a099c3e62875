"""What does not fit in the call of a loss or of ``load_state_dict``."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from lessons.course.shapes.attempt import Scene
from lessons.course.shapes.losses import BY_CLASS, both_sides, loss_name
from lessons.course.shapes.weights import differences, other_prefix, wrapped
from lessons.course.shapes.words import say

NAMED = 3  # of a long list of weights


def of_a_loss(scene: Scene) -> Iterator[str]:
    """Sentences on scores and targets that do not go together; none when it is not known."""
    sides = both_sides(scene)
    if sides is None:
        return
    scores, targets = sides
    if scores.device != targets.device:
        yield say("device", given=scores.device, layer=say("targets"), wanted=targets.device)
    elif targets.is_floating_point() and not scores.is_floating_point():
        yield say("swapped")
    elif scores.ndim and targets.ndim and scores.shape[0] != targets.shape[0]:
        yield say("rows", scores.shape[0], targets.shape[0])
    elif loss_name(scene.model) in BY_CLASS:
        yield from _of_classes(scores, targets)
    else:
        if scores.shape != targets.shape:
            yield say("other shape", tuple(scores.shape), tuple(targets.shape))
        if scores.dtype != targets.dtype:
            yield say("value dtype", scores.dtype, targets.dtype)


def _of_classes(scores: Tensor, targets: Tensor) -> Iterator[str]:
    if targets.shape == scores.shape and scores.ndim > 1:
        yield say("one-hot")
    elif targets.ndim == 2 and targets.shape[1] == 1:
        yield say("target column", tuple(targets.shape), tuple(targets.shape[:1]))
    elif targets.is_floating_point() or str(targets.dtype) not in ("torch.int64", "torch.uint8"):
        yield say("target dtype", targets.dtype)
    elif scores.ndim > 1 and targets.numel():
        low, high, classes = int(targets.min()), int(targets.max()), scores.shape[1]
        if low < 0 or high >= classes:
            yield say("class range", low, high, classes, classes - 1)


def side_line(name: str, tensor: Tensor) -> str:
    """``targets   (64,) torch.int64, values 0 to 10``."""
    values = ""
    if not tensor.is_floating_point() and tensor.numel() and not tensor.is_meta:
        values = say("values", int(tensor.min()), int(tensor.max()))
    return f"  {name}: {tuple(tensor.shape)} {tensor.dtype}{values}"


def of_weights(model: nn.Module, weights: Any) -> Iterator[str]:
    """Sentences on a checkpoint that is another network's, or more than a state_dict."""
    if not isinstance(weights, Mapping):
        yield say("not weights", type(weights).__name__)
        return
    if (key := wrapped(weights)) is not None:
        yield say("wrapped", ", ".join(map(str, weights)), key)
        weights = weights[key]
    if prefix := other_prefix(model, weights):
        old, new = prefix
        both = say("prefix", old, new)
        yield both if old and new else say("prefix there", old) if old else say("prefix here", new)
        weights = {
            new + name.removeprefix(old) if name.startswith(old) else name: weight
            for name, weight in weights.items()
        }
    differ = differences(model, weights)
    if differ.lacks:
        yield say("lacks", _some(differ.lacks))
    if differ.besides:
        yield say("besides", _some(differ.besides))
    for name, (there, here) in list(differ.sizes.items())[:NAMED]:
        yield say("size", name=name, there=there, here=here)


def _some(names: list[str]) -> str:
    more = say("and more", len(names) - NAMED) if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
