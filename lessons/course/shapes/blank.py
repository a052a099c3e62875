"""Copies without numbers, and running them without a trace: what a trial needs."""

import contextlib
import copy
import io
import logging
import random
import time
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lessons.course.shapes.failure import in_trial

ENOUGH = 25.0  # seconds for all trials together: a forward that takes long by itself is not tried often


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in arguments or results, in order, however they are nested."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for one in value for tensor in tensors_in(one)]
    return []


class WithoutNumbers:
    """Makes copies of modules and tensors that have no numbers; ``mode`` is the mode in which to run them.

    The copies of a tensor are one and the same, since there is nothing in it that a trial could change.
    """

    def __init__(self, *values: Any) -> None:
        from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode

        self.values = values
        self.mode = FakeTensorMode(allow_non_fake_inputs=True)
        self.copying = FakeCopyMode(self.mode)
        modules = [value for value in values if isinstance(value, nn.Module)]
        tensors = [t for m in modules for t in (*m.parameters(), *m.buffers())] + tensors_in(list(values))
        with self.copying:
            self.made = {id(tensor): copy.deepcopy(tensor) for tensor in tensors}

    def copy(self) -> Any:
        """A fresh copy of all of them.

        Raises:
            Exception: whatever ``copy.deepcopy`` raises for something that cannot be copied.
        """
        with self.copying:
            return copy.deepcopy(self.values, dict(self.made))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """What a trial prints, warns of and draws from random numbers leaves no trace."""
    log = logging.getLogger("torch._subclasses.fake_tensor")
    random_state, numpy_state, log_level = random.getstate(), np.random.get_state(), log.level
    log.setLevel(logging.CRITICAL)
    token = in_trial.set(True)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        in_trial.reset(token)
        random.setstate(random_state)
        np.random.set_state(numpy_state)
        log.setLevel(log_level)


class Patience:
    """Time for trials; all of a report share it."""

    def __init__(self, seconds: float = ENOUGH) -> None:
        self.until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until
