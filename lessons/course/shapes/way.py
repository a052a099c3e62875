"""The way back from a layer: what it takes, what made its input, and where it was flattened."""

from collections.abc import Iterator

from torch import nn

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


def has_batch(outcome: Outcome) -> bool:
    """Whether the first dimension of the input counts pictures; not that of one picture (C, H, W)."""
    if not outcome.inputs or outcome.inputs[0].ndim < 2:
        return False
    first = next((step for step in outcome.steps if takes(step.module)), None)
    return not (first and isinstance(first.module, nn.Conv2d) and outcome.inputs[0].ndim == 3)


def maker(outcome: Outcome, step: Step, which: int = 0) -> Step | None:
    """The layer that decided how many channels or numbers an input has; None when the input decided."""
    for before in way_back(outcome, step, which):
        if gives(before.module):
            return before
        if before.name in ("cat", "concat", "concatenate", "stack"):  # more than one decided
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
