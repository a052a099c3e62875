"""How a layer is made: with which settings, the same with others, and as one types it."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from lessons.course.shapes.construction import parameters_of


def settings_of(layer: nn.Module) -> dict[str, Any]:
    """With which arguments a layer was made, as far as it remembers them."""
    found = {}
    for name in parameters_of(type(layer)):
        if name == "bias":
            found[name] = bool(
                getattr(layer, "bias", None) is not None or getattr(layer, "in_proj_bias", None) is not None
            )
            if isinstance(layer, nn.RNNBase):
                found[name] = bool(layer.bias)
        elif name not in ("device", "dtype") and hasattr(layer, name):
            found[name] = getattr(layer, name)
    if isinstance(layer, nn.MultiheadAttention) and layer.kdim == layer.vdim == layer.embed_dim:
        del found["kdim"], found["vdim"]  # they follow embed_dim
    return found


def rebuilt(layer: nn.Module, settings: dict[str, Any]) -> nn.Module:
    """The same layer with other settings, on the same device and of the same dtype.

    Raises:
        Exception: when the class does not take them.
    """
    weight = next(layer.parameters(), None)
    kept = settings_of(layer) | settings
    if weight is not None:
        kept |= {"device": weight.device, "dtype": weight.dtype}
    return type(layer)(**kept).train(layer.training)


def written(value: Any) -> str:
    """A setting as one types it: 3 for (3, 3)."""
    if isinstance(value, tuple | list) and len(set(value)) == 1 and len(value) > 1:
        value = value[0]
    return repr(value)


def expression(layer: nn.Module, names: Mapping[str, Any]) -> str:
    """The call that makes such a layer, without what is at its default."""
    cls = type(layer)
    prefix = "" if names.get(cls.__name__) is cls else "nn." if names.get("nn") is nn else "torch.nn."
    parts = []
    has = settings_of(layer)
    for name, parameter in parameters_of(cls).items():
        if name not in has:
            continue
        if parameter.default is inspect.Parameter.empty:
            parts.append(written(has[name]))
        elif written(has[name]) != written(parameter.default):
            parts.append(f"{name}={written(has[name])}")
    return f"{prefix}{cls.__name__}({', '.join(parts)})"
