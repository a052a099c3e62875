"""Plain values: what a probe may give back, how it travels between processes, and how two of them differ.

What comes from the learner's process is data and never runs: tensors as ``torch.save`` writes them, read with
``weights_only``.
"""

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lessons.course.words import either


class Raised:
    """An error as an outcome: its type, its words, and its line in the learner's file (0: none)."""

    def __init__(self, type: str, message: str, line: int = 0) -> None:
        self.type, self.message, self.line = type, message, line

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type

    __repr__ = __str__


def plain(value: Any, depth: int = 0) -> Any:
    """A copy in tensors, numbers, texts, lists and dicts; anything else as the name of its type."""
    if isinstance(value, Tensor):
        return value.detach().as_subclass(Tensor).to("cpu").clone()
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value is True or value is False:
        return value
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(np.ascontiguousarray(value)).clone()
    if depth < 8 and isinstance(value, Mapping):
        return {plain(key, depth + 1): plain(item, depth + 1) for key, item in value.items()}
    if depth < 8 and isinstance(value, Sequence) and not isinstance(value, bytes | range):
        return [plain(item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"


def pack(value: Any) -> bytes:
    """Plain values, or a ``Raised``, as bytes."""
    if isinstance(value, Raised):
        value = {"raised": [value.type, value.message, value.line]}
    else:
        value = {"value": value}
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def unpack(content: bytes) -> Any:
    """The way back; whatever is no plain value raises an error, and nothing of it runs."""
    value = torch.load(io.BytesIO(content), weights_only=True)
    if "raised" in value:
        kind, message, line = value["raised"]
        return Raised(str(kind), str(message), int(line))
    return value["value"]


def difference(got: Any, wanted: Any, tolerance: float = 0.0) -> str:
    """The first place where two outcomes differ, in words; empty when they are the same.

    A number may differ by ``tolerance`` times the wanted one, or by a tenth of ``tolerance``. An error is
    known by its type, and a list and a tuple are alike.
    """
    if isinstance(wanted, Raised) and isinstance(got, Raised):
        return "" if got.type == wanted.type else unlike(got, wanted)
    if isinstance(wanted, Tensor) and isinstance(got, Tensor):
        return tensor_difference(got, wanted, tolerance)
    if isinstance(wanted, dict) and isinstance(got, dict) and got.keys() == wanted.keys():
        return parts(((key, got[key], wanted[key]) for key in wanted), tolerance)
    if isinstance(wanted, list) and isinstance(got, list) and len(got) == len(wanted):
        return parts(((f"[{i}]", *pair) for i, pair in enumerate(zip(got, wanted, strict=True))), tolerance)
    if is_number(wanted) and is_number(got):
        return "" if close(got, wanted, tolerance) else unlike(got, wanted)
    same = type(got) is type(wanted) and isinstance(got, bool | str | None) and got == wanted
    return "" if same else unlike(got, wanted)


def parts(pairs: Iterable[tuple[Any, Any, Any]], tolerance: float) -> str:
    for name, got, wanted in pairs:
        if found := difference(got, wanted, tolerance):
            return f"{name}: {found}"
    return ""


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def close(got: float, wanted: float, tolerance: float) -> bool:
    if math.isnan(got) or math.isnan(wanted):
        return math.isnan(got) and math.isnan(wanted)
    return got == wanted or abs(got - wanted) <= tolerance * (abs(wanted) + 0.1)


def tensor_difference(got: Tensor, wanted: Tensor, tolerance: float) -> str:
    if got.shape != wanted.shape:
        return unlike(tuple(got.shape), tuple(wanted.shape), either("shape ", "形状 "))
    kinds = [(t.is_floating_point(), t.dtype == torch.bool) for t in (got, wanted)]
    if kinds[0] != kinds[1]:
        return unlike(got.dtype, wanted.dtype, "dtype ")
    apart = ~torch.isclose(got.double(), wanted.double(), tolerance, tolerance / 10, equal_nan=True)
    if not apart.any():
        return ""
    place = tuple(apart.nonzero()[0].tolist())
    where = f"{list(place)} " if place else ""
    return unlike(shorten(got[place].item()), shorten(wanted[place].item()), where)


def unlike(got: Any, wanted: Any, what: str = "") -> str:
    got, wanted = shorten(got), shorten(wanted)
    return either(f"{what}{got} instead of {wanted}", f"{what}是 {got}，应为 {wanted}")


def shorten(value: Any) -> str:
    """A value on one line; a tensor by its numbers when they are few, else by its shape."""
    if isinstance(value, Tensor):
        if value.numel() <= 6:
            return f"tensor({value.tolist()})"
        return f"tensor{tuple(value.shape)}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shorten(item)}" for key, item in list(value.items())[:6]) + "}"
    if isinstance(value, list | tuple):
        inner = ", ".join(shorten(item) for item in value[:8]) + (", ..." if len(value) > 8 else "")
        if isinstance(value, tuple):
            return f"({inner},)" if len(value) == 1 else f"({inner})"
        return f"[{inner}]"
    words = value if isinstance(value, str) else str(value)
    return words if len(words) <= 200 else words[:197] + "..."
