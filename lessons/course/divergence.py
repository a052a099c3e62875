"""A training whose steps are too large, noticed before its numbers reach a file or a chart."""

import math

import torch
from torch import nn

from lessons.course import CourseError


def stop_if_diverged(learning_rate: float, model: nn.Module, **losses: float) -> None:
    """Say so when a loss or a weight is infinite or not a number any more; no later step would mend it.

    The weights are looked at too: the last step of an epoch can spoil them after its loss was still finite.

    Raises:
        CourseError: what has become of which number, and a learning rate to try instead.
    """
    found = [f"the {name} loss has become {loss}" for name, loss in losses.items() if not math.isfinite(loss)]
    state = model.state_dict().values()  # buffers too: a running mean of BatchNorm spoils the test alone
    if not all(bool(torch.isfinite(tensor).all()) for tensor in state if tensor.is_floating_point()):
        found.append("the weights are no finite numbers any more")
    if found:
        raise CourseError(f"{found[0]}: the steps are too large, try --learning-rate {learning_rate / 10:g}")
