"""A shape that does not fit, explained in the learner's own numbers."""

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lessons.course import CourseError
from lessons.course.shapes.failure import in_trial


def explain_wrong_input(layers: nn.Sequential, imgs: Tensor, takes: tuple[int, int, int]) -> None:
    """Check what goes into a network of convolutions, Flatten and Linears; say nothing when it fits.

    Comparisons of Python values: next to the convolutions they cost nothing that can be measured, and
    ``torch.compile`` and ``torch.export`` turn them into facts that they check once.

    Args:
        layers: the network's layers, whatever they are by now.
        imgs: what the network was called with.
        takes: channels, height and width of the pictures that it was made for.

    Raises:
        ValueError: what is wrong with the shape or dtype, what would happen to it inside the network, and
            what to do about it.
    """
    if torch.jit.is_tracing():  # add_graph: sizes are traced values there, and comparing them would warn
        return
    if not torch.compiler.is_compiling() and in_trial.get():  # there the layers say for themselves
        return
    dtype = next(layers.parameters()).dtype
    fits = imgs.dtype == dtype or (imgs.is_floating_point() and torch.is_autocast_enabled(imgs.device.type))
    if imgs.ndim == 4 and imgs.shape[1:] == takes and fits:
        return

    shape = tuple(imgs.shape)
    reasons = []
    if imgs.ndim == 3:
        reasons.append(f"there is no batch dimension, and imgs.unsqueeze(0) makes it {(1, *shape)}")
    elif imgs.ndim != 4:
        reasons.append(f"a batch of pictures has 4 dimensions, this has {imgs.ndim}")
    if imgs.ndim in (3, 4):
        if shape[-3] != takes[0] and shape[-1] == takes[0]:
            reasons.append(
                "the channels come last, and imgs.movedim(-1, -3) puts them where PyTorch wants them"
            )
        else:
            if shape[-3] != takes[0]:
                reasons.append(_other_channels(shape[-3], takes[0]))
            reasons += _other_size(layers, (takes[0], *shape[-2:]), takes)
    if not fits:
        conversion = f".to({dtype})" if imgs.is_floating_point() else "ToTensor(), or .float() / 255,"
        reasons.append(f"the weights are {dtype} and this is {imgs.dtype}: {conversion} converts it")
    if reasons:  # none for another size of picture, when the learner's own layers can take it
        expected = ", ".join(map(str, takes))
        raise ValueError(f"Tudui takes (N, {expected}); this is {shape}: {'; '.join(reasons)}.")


def _other_channels(channels: int, expected: int) -> str:
    hints = {1: "grey pictures need .convert('RGB')", 4: "pictures with alpha need .convert('RGB')"}
    hint = hints.get(channels, "red, green and blue are 3")
    return f"the first convolution expects {expected} channels, not {channels}: {hint}"


def _other_size(layers: nn.Sequential, shape: tuple[int, ...], takes: tuple[int, ...]) -> list[str]:
    """What a picture (C, H, W) has become where the first Linear refuses it; empty when it is accepted."""
    size, resize = f"{shape[1]}x{shape[2]}", f"torchvision's Resize(({takes[1]}, {takes[2]})) makes it fit"
    outputs = torch.zeros(1, *shape, device="meta")  # a shape without numbers: nothing is computed
    flattened = outputs.shape
    try:
        for layer in copy.deepcopy(layers).to("meta").eval():
            if isinstance(layer, nn.Flatten):
                flattened = outputs.shape[1:]
            if isinstance(layer, nn.Linear) and outputs.shape[-1] != layer.in_features:
                product = f"{'x'.join(map(str, flattened))} = {math.prod(flattened)}"
                return [
                    f"at Flatten a {size} picture is {product} numbers, but the first Linear expects "
                    f"{layer.in_features}: {resize}"
                ]
            outputs = layer(outputs)
    except RuntimeError:  # a pooling that has nothing left to pool
        return [f"a {size} picture is too small for so many layers: {resize}"]
    return []


def explain_other_weights(model: nn.Module, weights: Mapping[str, Any], path: Path | str) -> None:
    """Check that a state_dict belongs to the model, before ``model.load_state_dict(weights)``.

    Raises:
        CourseError: which names it lacks or has besides, and which weights have another shape, or are none.
    """
    explain_no_weights(weights, path)
    wanted = model.state_dict()
    lacks = [name for name in wanted if name not in weights]
    besides = [name for name in weights if name not in wanted]
    shapes = {name: tuple(weights[name].shape) for name in wanted if name in weights}
    others = [
        f"{name} is {shape} there and {tuple(wanted[name].shape)} here"
        for name, shape in shapes.items()
        if shape != wanted[name].shape
    ]
    differences = [
        f"{what}{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"
        for what, names in (("it lacks ", lacks), ("it also has ", besides), ("", others))
        if names
    ]
    if differences:
        raise CourseError(
            f"{path} holds the weights of another network than lessons/tudui.py now defines "
            f"({'; '.join(differences)}): change the network back, or train it anew"
        )
    for name, weight in weights.items():
        if weight.is_floating_point() != wanted[name].is_floating_point():
            raise CourseError(f"{path} cannot be loaded: {name} is {weight.dtype}, and not floating-point")
        if name.endswith("std") and not (weight > 0).all():
            raise CourseError(f"{path} cannot be used: pictures are divided by {name}, which must be above 0")


def explain_no_weights(weights: Mapping[str, Any], path: Path | str) -> None:
    """Check that each entry of a state_dict is a plain tensor, and its numbers are all there and finite.

    Raises:
        CourseError: which entry is something else, and what.
    """
    for name, weight in weights.items():
        if what := _what_else(weight):
            raise CourseError(
                f"{path} cannot be loaded: {name} is {what}, and a weight is a tensor of finite numbers; "
                "save the state_dict of a trained network"
            )


def _what_else(weight: object) -> str:
    """What an entry of a state_dict is instead of a plain tensor; empty when it is one."""
    if not isinstance(weight, Tensor):
        return f"of type {type(weight).__name__}"
    kinds = {
        "nested": weight.is_nested,
        "on the meta device, without numbers": weight.is_meta,
        "quantized": weight.is_quantized,
        "sparse": weight.layout != torch.strided,
        "complex": weight.is_complex(),
    }
    if kind := next((kind for kind, is_it in kinds.items() if is_it), ""):
        return kind
    if weight.numel() * weight.element_size() > weight.untyped_storage().nbytes():
        return f"of shape {tuple(weight.shape)} with fewer numbers"  # repeated, they may fill any memory
    return "" if weight.float().isfinite().all() else "partly nan or infinite"
