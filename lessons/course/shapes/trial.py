"""A network run on tensors without numbers: each layer with the shape in and out, and where it stops.

Nothing large is computed and nothing of the learner's is touched: the network is a copy whose tensors have a
shape, a dtype and a device, and no memory behind them.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lessons.course.shapes.blank import tensors_in, undisturbed
from lessons.course.shapes.failure import MODULE, Site, calling_site
from lessons.course.shapes.source import Texts

Shape = tuple[int, ...]
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
