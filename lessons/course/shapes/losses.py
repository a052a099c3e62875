"""Which changes may help when a loss refuses its scores and targets, and where these came from."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from lessons.course.shapes.attempt import Change, Scene
from lessons.course.shapes.call_changes import Convert, Swap
from lessons.course.shapes.changes import Rebuild
from lessons.course.shapes.layers import batch_lost
from lessons.course.shapes.trial import Outcome, Step
from lessons.course.shapes.way import TRANSPOSED, gives, maker, way_back

BY_CLASS = ("CrossEntropyLoss", "NLLLoss", "cross_entropy", "nll_loss")  # losses whose targets are classes


class FunctionalLoss(nn.Module):
    """A loss of ``torch.nn.functional`` as a module, so that both kinds are tried alike."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return getattr(nn.functional, self.function)(*args, **kwargs)


def loss_name(module: nn.Module) -> str:
    return module.function if isinstance(module, FunctionalLoss) else type(module).__name__


def both_sides(scene: Scene) -> tuple[Tensor, Tensor] | None:
    """(scores, targets) of a loss's call; None when it was not called with two tensors."""
    scores = scene.args[0] if scene.args else scene.kwargs.get("input")
    targets = scene.args[1] if len(scene.args) > 1 else scene.kwargs.get("target")
    if isinstance(scores, Tensor) and isinstance(targets, Tensor):
        return scores, targets
    return None


def changes_for_loss(scene: Scene, args: list[Any], kwargs: dict[str, Any]) -> Iterator[Change]:
    """Conversions of the two sides; the likeliest first is the smallest cost, as everywhere."""
    first: int | str = 0 if args else "input"
    second: int | str = 1 if len(args) > 1 else "target"
    scores = args[0] if args else kwargs.get("input")
    targets = args[1] if len(args) > 1 else kwargs.get("target")
    if not isinstance(scores, Tensor) or not isinstance(targets, Tensor):
        return
    if scores.device != targets.device:
        yield Convert(0.4, "", second, f"GIVEN.to({str(scores.device)!r})")
    if targets.is_floating_point() and (not scores.is_floating_point() or targets.ndim > scores.ndim):
        yield Swap(0.2)
    if loss_name(scene.model) in BY_CLASS:
        yield from _of_classes(scores, targets, first, second)
    else:
        yield from _of_values(scores, targets, first, second)


def _of_classes(scores: Tensor, targets: Tensor, first: int | str, second: int | str) -> Iterator[Change]:
    classes = scores.shape[1] if scores.ndim > 1 else scores.shape[0] if scores.ndim else 0
    if targets.shape == scores.shape and scores.ndim > 1:
        yield Convert(0.4, "", second, "GIVEN.argmax(1)")
        if not targets.is_floating_point():
            yield Convert(0.6, "", second, "GIVEN.float()")
    elif targets.ndim == 2 and targets.shape[1] == 1:
        yield Convert(0.4, "", second, "GIVEN.squeeze(1)")
    elif targets.ndim == 2 and targets.shape[0] == scores.shape[0] and scores.ndim == 2:
        yield Convert(0.6, "", second, "GIVEN.argmax(1)")
    if targets.dtype not in (torch.int64, torch.uint8) and targets.shape != scores.shape:
        yield Convert(0.4, "", second, "GIVEN.long()")
    if scores.ndim == 4 and scores.shape[2:] == (1, 1):
        yield Convert(0.5, "", first, "GIVEN.flatten(1)")
    if scores.ndim == 3 and targets.ndim == 2 and scores.shape[:2] == targets.shape:
        yield Convert(0.5, "", first, "GIVEN.transpose(1, 2)")
    if scores.ndim == 1 and targets.ndim == 1 and len(targets) == 1:
        yield Convert(0.5, "", first, "GIVEN.unsqueeze(0)")
    whole = not targets.is_floating_point() and targets.numel() and targets.ndim == 1
    if whole and targets.min() == 1 and targets.max() == classes:
        yield Convert(0.4, "", second, "GIVEN - 1")


def _of_values(scores: Tensor, targets: Tensor, first: int | str, second: int | str) -> Iterator[Change]:
    if not targets.is_floating_point():
        yield Convert(0.5, "", second, "GIVEN.float()")
    elif targets.dtype != scores.dtype and scores.is_floating_point():
        yield Convert(0.5, "", second, f"GIVEN.to({scores.dtype})")
    if scores.ndim == targets.ndim + 1 and scores.shape[-1] == 1:
        yield Convert(0.4, "", first, f"GIVEN.squeeze({scores.ndim - 1})")
        yield Convert(0.6, "", second, f"GIVEN.unsqueeze({targets.ndim})")
    if targets.ndim == scores.ndim + 1 and targets.shape[-1] == 1:
        yield Convert(0.4, "", second, f"GIVEN.squeeze({targets.ndim - 1})")
    if targets.ndim == 1 and scores.ndim == 2 and scores.shape[1] > 1 and scores.shape[0] == len(targets):
        width = scores.shape[1]
        yield Convert(0.9, "", second, f"nn.functional.one_hot(GIVEN, {width}).float()")
    if targets.numel() == scores.numel() and targets.shape != scores.shape:
        yield Convert(0.8, "", second, f"GIVEN.view({', '.join(map(str, scores.shape))})")


def changes_before_loss(outcome: Outcome, scene: Scene) -> Iterator[Change]:
    """What may help in the network, when it gives scores that the loss does not take."""
    result, targets = outcome.result[0], scene.loss[1] if scene.loss else None
    end = end_of(outcome)
    yield from batch_lost(outcome, end)
    if targets is not None and result.ndim == targets.ndim and result.shape[2:] < targets.shape[2:]:
        for step in way_back(outcome, end):
            if isinstance(step.module, TRANSPOSED) and max(step.module.stride) > 1:
                yield Rebuild(1.0, step.path, {"output_padding": 1})
    by = maker(outcome, end)
    if by is None or targets is None or result.ndim < 2:
        return
    name, makes = gives(by.module)  # type: ignore[misc]
    if scene.classes > makes:
        yield Rebuild(1.0, by.path, {name: scene.classes})
    if not scene.classes and targets.ndim == result.ndim and targets.shape[-1] != makes == result.shape[-1]:
        yield Rebuild(1.0, by.path, {name: targets.shape[-1]})


def end_of(outcome: Outcome) -> Step:
    """A step behind the network, which takes what it gives."""
    result, made_by = outcome.result[0], -2
    for index, step in enumerate(outcome.steps):
        if any(one is result for one in step.outputs):
            made_by = index
    return Step("", "loss", None, [result], [made_by], None)
