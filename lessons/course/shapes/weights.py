"""Which changes may help when ``load_state_dict`` refuses a checkpoint."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from lessons.course.shapes.attempt import Change
from lessons.course.shapes.call_changes import Convert, Keyword
from lessons.course.shapes.changes import Rebuild
from lessons.course.shapes.way import gives, takes

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")


class Differences(NamedTuple):
    """How a checkpoint and a network differ, by the names of their weights."""

    lacks: list[str]
    besides: list[str]
    sizes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]  # name: (in the checkpoint, in the network)


def differences(model: nn.Module, weights: Mapping[str, Any]) -> Differences:
    wanted = model.state_dict()
    return Differences(
        [name for name in wanted if name not in weights],
        [name for name in weights if name not in wanted],
        {
            name: (tuple(getattr(weights[name], "shape", ())), tuple(wanted[name].shape))
            for name in wanted
            if name in weights and getattr(weights[name], "shape", ()) != wanted[name].shape
        },
    )


def wrapped(weights: Mapping[str, Any]) -> str | None:
    """Under which key a checkpoint holds the weights among other things; None when it is the weights."""
    keys = [
        key
        for key, value in weights.items()
        if isinstance(value, Mapping) and value and all(isinstance(one, Tensor) for one in value.values())
    ]
    return min(keys, key=lambda key: WRAPPERS.index(key) if key in WRAPPERS else 99, default=None)


def other_prefix(model: nn.Module, weights: Mapping[str, Any]) -> tuple[str, str] | None:
    """(what the checkpoint's names begin with, what the network's begin with instead), when that is all."""
    wanted = list(model.state_dict())
    found: Counter[tuple[str, str]] = Counter()
    for has in weights:
        for name in wanted:
            if has != name and has.endswith(f".{name}"):
                found[(has[: -len(name)], "")] += 1
            elif has != name and name.endswith(f".{has}"):
                found[("", name[: -len(has)])] += 1
            elif (
                has.partition(".")[2] == name.partition(".")[2]
                and has.partition(".")[0] != name.partition(".")[0]
            ):
                found[(has.partition(".")[0] + ".", name.partition(".")[0] + ".")] += 1
    if not found:
        return None
    best, count = found.most_common(1)[0]
    return best if count >= max(1, len(wanted) // 2) else None


def changes_for_weights(model: nn.Module, weights: Any) -> Iterator[Change]:
    """What may help, in no order; what loses weights comes last."""
    if isinstance(weights, nn.Module):
        yield Convert(0.2, "", 0, "GIVEN.state_dict()")
    if not isinstance(weights, Mapping):
        return
    if (key := wrapped(weights)) is not None:
        yield Convert(0.2, "", 0, f"GIVEN[{key!r}]")
        return
    prefix = other_prefix(model, weights)
    if prefix is not None:
        old, new = prefix
        if not new:
            yield Convert(
                0.3, "", 0, f"{{name.removeprefix({old!r}): weight for name, weight in GIVEN.items()}}"
            )
        elif not old:
            yield Convert(0.3, "", 0, f"{{{new!r} + name: weight for name, weight in GIVEN.items()}}")
        else:
            how = f"{{name.replace({old!r}, {new!r}, 1): weight for name, weight in GIVEN.items()}}"
            yield Convert(0.3, "", 0, how)
    differ = differences(model, weights)
    yield from _other_sizes(model, differ)
    if differ.sizes:
        head = list(model.state_dict())[-1].rpartition(".")[0]  # often made for other classes on purpose
        of_head = {name.rpartition(".")[0] for name in differ.sizes} == {head}
        only = ", ".join(map(repr, differ.sizes))
        yield DropSizes(
            0.7 if of_head else 2.0,
            "",
            0,
            f"{{name: weight for name, weight in GIVEN.items() if name not in ({only},)}}",
        )
    elif prefix is None and (differ.lacks or differ.besides) and len(differ.lacks) < len(model.state_dict()):
        yield Keyword(1.5, "", "strict", "False")


class DropSizes(Convert):
    """Leaves out the weights of another size; the layers keep the ones that they began with."""

    def apply(self, trial: Any) -> None:
        super().apply(trial)
        Keyword(0, "", "strict", "False").apply(trial)


def _other_sizes(model: nn.Module, differ: Differences) -> Iterator[Change]:
    """Each layer with the sizes that its weights have in the checkpoint."""
    for name, (there, _) in differ.sizes.items():
        path, _, kind = name.rpartition(".")
        layer = model.get_submodule(path)
        if kind != "weight" or not there:
            continue
        settings: dict[str, Any] = {}
        gave, took = gives(layer), takes(layer)
        transposed = "Transpose" in type(layer).__name__
        if isinstance(layer, nn.Linear | nn.Embedding) or (took and took[0] == "in_channels"):
            out, into = (1, 0) if transposed else (0, 1)
            if isinstance(layer, nn.Embedding):
                settings = {"num_embeddings": there[0], "embedding_dim": there[1]}
            elif gave and took and len(there) > 1:
                settings = {took[0]: there[into] * getattr(layer, "groups", 1), gave[0]: there[out]}
                if len(there) > 2 and hasattr(layer, "kernel_size"):
                    settings["kernel_size"] = there[2:]
        elif took and took[0] in ("num_features", "num_channels"):
            settings = {took[0]: there[0]}
        settings = {key: value for key, value in settings.items() if getattr(layer, key) != value}
        if settings:
            yield Rebuild(0.8, path, settings)
