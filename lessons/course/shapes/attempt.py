"""One trial: changes are made to a copy of the network and to the text of the source, and it is run."""

import ast
import contextlib
import copy
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn

from lessons.course.shapes.blank import Patience, WithoutNumbers, undisturbed
from lessons.course.shapes.construction import Built, built_at
from lessons.course.shapes.failure import Site
from lessons.course.shapes.source import Texts, expression_at
from lessons.course.shapes.trial import Outcome, run


@dataclass
class Scene:
    """The call that failed, as the learner made it, and what all trials of it share."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    site: Site | None
    names: Mapping[str, Any]  # what the names at the site stand for
    name: str = "model"  # the network in the learner's words
    patience: Patience = field(default_factory=Patience)
    blank: WithoutNumbers | None = None  # made at the first trial
    codes: dict[tuple[str, str, int], CodeType] = field(default_factory=dict)  # functions, before any change
    kind: str = "forward"  # as a Failure has it
    settled: bool = False  # whether the network is as it should be: it is in use, or says so itself
    with_numbers: bool = False  # whether only real numbers show the failure, such as an index without a row
    loss: tuple[nn.Module, torch.Tensor] | None = (
        None  # what takes the network's scores next, and the targets
    )
    classes: int = 0  # how many the targets need


@dataclass
class Trial:
    """One copy of the network and of what it was called with, and the source as it would have to be."""

    scene: Scene
    model: nn.Module
    args: list[Any]
    kwargs: dict[str, Any]
    texts: Texts
    conversions: dict[int | str, str] = field(default_factory=dict)
    keywords: dict[str, str] = field(default_factory=dict)
    rewritten: set[tuple[str, str, int]] = field(default_factory=set)
    loose: list[str] = field(default_factory=list)  # lines for which no place in a file was found
    loss: tuple[nn.Module, torch.Tensor] | None = None
    detached: int = 0  # layers put in place once the network is built, since no line makes them alone

    def built(self, path: str) -> Built | None:
        layer = self.layer(path)
        scene = self.scene
        return built_at(scene.model, path, scene.site, self.texts, scene.names, layer)

    def layer(self, path: str) -> nn.Module:
        layer = self.model.get_submodule(path)
        while isinstance(layer, Inserted):
            layer = layer.old
        return layer


class Inserted(nn.Module):
    """A layer with another one before or behind it, in the place of one."""

    def __init__(self, new: nn.Module, old: nn.Module, behind: bool = False) -> None:
        super().__init__()
        self.new, self.old, self.behind = new, old, behind

    def forward(self, inputs: Any) -> Any:
        return self.new(self.old(inputs)) if self.behind else self.old(self.new(inputs))


@dataclass
class Change:
    """A change that may help; the smaller its cost, the likelier it is what the learner meant."""

    cost: float
    path: str = ""  # the layer that is changed; empty for the input

    def apply(self, trial: Trial) -> None:
        """Make the change.

        Raises:
            Exception: when it cannot be made.
        """
        raise NotImplementedError


def attempt(scene: Scene, changes: list[Change]) -> tuple[Outcome, Trial]:
    """Try changes, one after another, on a copy of everything.

    Raises:
        Exception: when something cannot be copied, or a change cannot be made.
    """
    mode: Any = contextlib.nullcontext()
    if scene.kind == "loss":  # small, and what its numbers are matters
        args, kwargs, loss = [*scene.args], {**scene.kwargs}, None
        model = scene.model
    elif scene.with_numbers:
        everything = scene.model, list(scene.args), scene.kwargs, scene.loss
        model, args, kwargs, loss = copy.deepcopy(everything)
    else:
        if scene.blank is None:
            scene.blank = WithoutNumbers(scene.model, list(scene.args), scene.kwargs, scene.loss)
        (model, args, kwargs, loss), mode = scene.blank.copy(), scene.blank.mode
    trial = Trial(scene, model, args, kwargs, Texts(), loss=loss)
    with undisturbed(), mode, torch.no_grad():
        for change in changes:
            change.apply(trial)
    with patched(trial):
        outcome = run(trial.model, tuple(trial.args), trial.kwargs, mode, scene.kind)
    outcome.texts = trial.texts.copy()
    if trial.loss is not None and outcome.result:
        scores, targets = outcome.result[0], trial.loss[1]
        outcome.loss_error = run(trial.loss[0], (scores, targets), {}, mode, "loss").error
        if scene.classes and scores.ndim > 1 and scores.shape[1] < scene.classes:
            outcome.loss_error = IndexError("there are fewer scores than classes")
    _type_call(trial)
    return outcome, trial


def _type_call(trial: Trial) -> None:
    """Write what was done to the arguments into the line of the call, the last argument first."""
    scene = trial.scene
    nodes = {argument: argument_node(trial, argument) for argument in trial.conversions}
    for name, text in trial.keywords.items():
        call = expression_at(scene.site, trial.texts[scene.site.file]) if scene.site else None
        if scene.site is None or not isinstance(call, ast.Call) or not call.args:
            trial.loose.append(f"{name}={text}")
            continue
        last = len(call.args) - 1
        nodes[last] = call.args[last]
        before = ast.get_source_segment(trial.texts[scene.site.file], call.args[last])
        trial.conversions[last] = f"{trial.conversions.get(last, before)}, {name}={text}"
    places = {key: (node.lineno, node.col_offset) if node else (0, 0) for key, node in nodes.items()}
    for argument in sorted(nodes, key=lambda key: places[key], reverse=True):
        node, text = nodes[argument], trial.conversions[argument]
        if node is None or scene.site is None or not trial.texts.replace(scene.site.file, node, text):
            trial.loose.append(f"{scene.name}({text})")


def argument_node(trial: Trial, argument: int | str) -> ast.expr | None:
    """Where an argument of the network's call stands in the source."""
    site = trial.scene.site
    node = expression_at(site, trial.texts[site.file]) if site else None
    if not isinstance(node, ast.Call) or any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    if isinstance(argument, int):
        return node.args[argument] if argument < len(node.args) else None
    return next((keyword.value for keyword in node.keywords if keyword.arg == argument), None)


@contextlib.contextmanager
def patched(trial: Trial) -> Iterator[None]:
    """The rewritten functions in the place of the learner's, until the trial is over."""
    before: list[tuple[FunctionType, CodeType]] = []
    try:
        for key in trial.rewritten:
            file, qualname, line = key
            new = next(
                code
                for code in _codes(compile(trial.texts[file], file, "exec"))
                if (code.co_qualname, code.co_firstlineno) == (qualname, line)
            )
            functions = _functions(trial.scene, key)
            if not functions:
                raise ValueError("the function is not found")
            for function in functions:
                before.append((function, function.__code__))
                function.__code__ = new
        yield
    finally:
        for function, code in reversed(before):
            function.__code__ = code


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _functions(scene: Scene, key: tuple[str, str, int]) -> list[FunctionType]:
    """The functions with this code: methods of the network's classes, and functions beside them."""
    spaces: list[Mapping[str, Any]] = [scene.names]
    for module in scene.model.modules():
        for cls in type(module).__mro__:
            spaces.append(vars(cls))
            spaces += [fn.__globals__ for fn in vars(cls).values() if isinstance(fn, FunctionType)][:1]
    code = scene.codes[key]
    found = {
        id(value): value
        for space in spaces
        for value in list(space.values())
        if isinstance(value, FunctionType)
    }
    return [function for function in found.values() if function.__code__ is code]


def names_in(scene: Scene, file: str) -> Mapping[str, Any]:
    """The global names of a source file."""
    if scene.site is not None and scene.site.file == file:
        return scene.names
    modules = list(sys.modules.values())
    return next((vars(module) for module in modules if getattr(module, "__file__", None) == file), {})
