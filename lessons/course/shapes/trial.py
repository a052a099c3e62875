"""A network run on tensors without numbers: each layer with the shape in and out, and where it stops.

Nothing large is computed and nothing of the learner's is touched: the network is a copy whose tensors have a
shape, a dtype and a device, and no memory behind them.
"""

import contextlib
import copy
import io
import logging
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lessons.course.shapes.failure import MODULE, Site, calling_site, in_trial
from lessons.course.shapes.source import Texts

Shape = tuple[int, ...]
ENOUGH = 25.0  # seconds for all trials together: a forward that takes long by itself is not tried often
CONTAINERS = nn.Sequential | nn.ModuleList | nn.ModuleDict


@dataclass(eq=False)
class Step:
    """A layer or a function on the way, with what went in and what came out."""

    path: str  # of a layer; empty for a function
    name: str  # of the class or the function
    module: nn.Module | None
    inputs: list[Tensor]
    sources: list[int]  # which steps made the inputs; -1 for what the network was called with
    site: Site | None
    outputs: list[Tensor] = field(default_factory=list)
    done: bool = False

    @property
    def takes(self) -> list[Shape]:
        return [tuple(tensor.shape) for tensor in self.inputs]

    @property
    def gives(self) -> list[Shape]:
        return [tuple(tensor.shape) for tensor in self.outputs]


@dataclass(eq=False)
class Outcome:
    """How a trial went: the steps, what the network gave, or the error and the step that raised it."""

    model: nn.Module
    steps: list[Step]
    inputs: list[Tensor]
    result: list[Tensor]
    error: Exception | None = None
    fault: Step | None = None  # a layer of torch or a function; None when the learner's own code raised
    texts: Texts = field(default_factory=Texts)  # source files, as changed for this trial
    loss_error: Exception | None = None  # of the loss that takes the result

    @property
    def ran(self) -> bool:
        return self.error is None


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one step of the way: torch's own, and not made of others."""
    if isinstance(module, CONTAINERS):
        return False
    own = type(module).__module__.startswith("torch.") and not type(module).__name__.startswith("Transformer")
    return not isinstance(module, CONTAINERS) and (own or not any(True for _ in module.children()))


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in arguments or results, in order, however they are nested."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return [tensor for one in value for tensor in tensors_in(one)]
    return []


class Recorder(TorchFunctionMode):
    """Writes down each layer and each function that a network's ``forward`` calls."""

    def __init__(self, model: nn.Module, inputs: list[Tensor]) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.open: list[Step] = []
        self.made = {id(tensor): -1 for tensor in inputs}
        self.kept: list[Tensor] = list(inputs)  # an id stays what it was while the tensor lives
        for path, module in model.named_modules():
            if is_layer(module):
                path = path.removesuffix(".old")  # of a layer with an inserted one before it
                module.register_forward_pre_hook(self._before(path), with_kwargs=True)
                module.register_forward_hook(self._after)

    def __deepcopy__(self, memo: dict) -> "Recorder":  # a forward may copy its layers, and these hooks too
        return self

    def _begin(
        self, path: str, name: str, module: nn.Module | None, inputs: list[Tensor], site: Site | None
    ) -> Step:
        sources = [self.made.get(id(tensor), -2) for tensor in inputs]
        step = Step(path, name, module, inputs, sources, site)
        self.steps.append(step)
        return step

    def _end(self, step: Step, result: Any) -> None:
        step.outputs, step.done = tensors_in(result), True
        for tensor in step.outputs:
            self.made[id(tensor)] = self.steps.index(step)
            self.kept.append(tensor)

    def _before(self, path: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple, kwargs: dict) -> None:
            inputs = tensors_in((args, kwargs))
            self.open.append(self._begin(path, type(module).__name__, module, inputs, _site_of_layer()))
            check_types(module, inputs)

        return hook

    def _after(self, module: nn.Module, args: tuple, result: Any) -> None:
        self._end(self.open.pop(), result)

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        site = None if self.open else calling_site()
        inputs = tensors_in((args, kwargs or {})) if site else []
        if not inputs:
            return func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        step = self._begin("", name.strip("_"), None, inputs, site)
        result = func(*args, **(kwargs or {}))
        if tensors_in(result):
            self._end(step, result)
        else:  # a question such as x.size(0)
            self.steps.remove(step)
        return result


def _site_of_layer() -> Site | None:
    """Where a layer was called: behind the two frames of its hook, and out of Sequential's loop."""
    frame = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename in (MODULE, __file__)):
        frame = frame.f_back  # type: ignore[assignment]
    if frame is None or frame.f_code.co_filename.endswith("container.py"):
        return None
    return Site(frame.f_code, frame.f_lasti, frame.f_globals)


def check_types(module: nn.Module, inputs: list[Tensor]) -> None:
    """Raise what the real layer would: tensors without numbers let other dtypes pass here and there."""
    weight = next((p for p in module.parameters() if p.is_floating_point()), None)
    if weight is None or not inputs:
        return
    if not weight.is_meta and torch.is_autocast_enabled(weight.device.type):
        return
    given = inputs[0]
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        if given.is_floating_point():
            raise RuntimeError(f"Expected tensor of scalar types Long, Int; but got {given.dtype}")
    elif given.dtype != weight.dtype:
        raise RuntimeError(f"input dtype {given.dtype} and weight dtype {weight.dtype} should be the same")
    if given.device != weight.device:
        raise RuntimeError(f"Expected all tensors to be on the same device: {given.device}, {weight.device}")


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


def run(model: nn.Module, args: tuple, kwargs: dict, mode: Any, kind: str = "forward") -> Outcome:
    """Run a copy (or load weights into it, for that kind) and write down the way.

    The copy keeps the hooks that do so, and is to be run once.
    """
    if kind != "forward":
        outcome = Outcome(model, [], tensors_in((args, kwargs)), [])
        try:
            with undisturbed(), mode, torch.no_grad():
                result = (
                    model.load_state_dict(*args, **kwargs)
                    if kind == "load_state_dict"
                    else model(*args, **kwargs)
                )
                outcome.result = tensors_in(result)
        except Exception as error:
            outcome.error = error
        return outcome
    for module in model.modules():
        for hooks in (module._forward_hooks, module._forward_pre_hooks):
            for key, hook in list(hooks.items()):  # the learner's own would be called with these tensors
                if not getattr(hook, "__module__", type(hook).__module__).startswith("torch."):
                    del hooks[key]
    recorder = Recorder(model, tensors_in((args, kwargs)))
    outcome = Outcome(model, recorder.steps, tensors_in((args, kwargs)), [])
    try:
        with undisturbed(), mode, recorder, torch.no_grad():
            outcome.result = tensors_in(model(*args, **kwargs))
    except Exception as error:
        outcome.error = error
        outcome.fault = next((step for step in reversed(recorder.steps) if not step.done), None)
    return outcome


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
