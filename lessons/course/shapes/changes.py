"""What a learner could change: each change is made to a copy and to the text of the source, and then tried."""

import ast
import contextlib
import copy
import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import nn

from lessons.course.shapes.failure import Site
from lessons.course.shapes.source import (
    Built,
    Texts,
    arguments,
    built_at,
    expression_at,
    original,
    parameters_of,
    parse,
    statement_at,
)
from lessons.course.shapes.trial import Outcome, Patience, run, without_numbers


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
    codes: dict[tuple[str, str, int], CodeType] = field(default_factory=dict)  # functions, before any change
    kind: str = "forward"  # as a Failure has it
    with_numbers: bool = False  # whether only real numbers show the failure, such as an index without a row
    loss: tuple[nn.Module, torch.Tensor] | None = None  # what takes the network's scores next, and the targets
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


@dataclass
class Rebuild(Change):
    """A layer made with other numbers."""

    settings: dict[str, Any] = field(default_factory=dict)

    def apply(self, trial: Trial) -> None:
        old = trial.layer(self.path)
        built = trial.built(self.path)
        new = rebuilt(old, self.settings)
        _put(trial.model, self.path, new)
        if built is None or not built.once or not self._retype(trial, built, old):
            _after_building(trial, self.path, new)

    def _retype(self, trial: Trial, built: Built, old: nn.Module) -> bool:
        """Change the numbers where they stand, so that the lines and their comments stay as they are."""
        given = dict(arguments(built.node, type(old)))
        if any(isinstance(value, ast.Starred) for value in built.node.args):
            return False
        source = trial.texts[built.file]
        edits = {name: (node, ast.get_source_segment(source, node) or "") for name, node in given.items()}
        extra = []
        for name, value in self.settings.items():
            if name in given:
                edits[name] = (given[name], written(value))
            else:
                extra.append(f"{name}={written(value)}")
        places = sorted(edits.values(), key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True)
        if extra and not places:
            func = ast.get_source_segment(source, built.node.func)
            return trial.texts.replace(built.file, built.node, f"{func}({', '.join(extra)})")
        for index, (node, text) in enumerate(places):
            more = ", ".join(["", *extra]) if index == 0 else ""
            if not trial.texts.replace(built.file, node, text + more):
                return False
        return True


@dataclass
class Insert(Change):
    """A layer of its own before (or behind) another one of a Sequential."""

    call: str = ""  # of torch.nn, such as Flatten()
    behind: bool = False

    def apply(self, trial: Trial) -> None:
        built = trial.built(self.path)
        parent = trial.model.get_submodule(self.path.rpartition(".")[0])
        if built is None or not built.once or not isinstance(parent, nn.Sequential):
            raise ValueError("no place to type it")
        new = eval(f"nn.{self.call}", {"nn": nn})
        _put(trial.model, self.path, Inserted(new, parent.get_submodule(self.path.rpartition(".")[2]), self.behind))
        old = ast.get_source_segment(trial.texts[built.file], built.node) or ""
        func = ast.get_source_segment(trial.texts[built.file], built.node.func) or ""
        prefix = _prefix(func, _names_in(trial.scene, built.file), self.call.partition("(")[0])
        both = [f"{prefix}{self.call}", old]
        trial.texts.replace(built.file, built.node, ", ".join(reversed(both) if self.behind else both))


@dataclass
class Remove(Change):
    """A layer that does nothing in the place of one that is too much."""

    def apply(self, trial: Trial) -> None:
        built = trial.built(self.path)
        _put(trial.model, self.path, nn.Identity())
        if built is None or not built.once:
            raise ValueError("no place to type it")
        func = ast.get_source_segment(trial.texts[built.file], built.node.func) or ""
        prefix = _prefix(func, _names_in(trial.scene, built.file), "Identity")
        trial.texts.replace(built.file, built.node, f"{prefix}Identity()")


@dataclass
class OtherClass(Change):
    """A layer of another class, such as BatchNorm1d for BatchNorm2d, that is built with the same words."""

    kind: type[nn.Module] = nn.Identity
    settings: dict[str, Any] = field(default_factory=dict)

    def apply(self, trial: Trial) -> None:
        built = trial.built(self.path)
        if built is None or not built.once:
            raise ValueError("no place to type it")
        _put(trial.model, self.path, self.kind(**self.settings))
        func = ast.get_source_segment(trial.texts[built.file], built.node.func) or ""
        prefix = _prefix(func, _names_in(trial.scene, built.file), self.kind.__name__)
        trial.texts.replace(built.file, built.node.func, f"{prefix}{self.kind.__name__}")


def _prefix(func: str, names: Mapping[str, Any], name: str) -> str:
    """What to type before a class of torch.nn, in a file that calls another one as ``func``."""
    prefix = func[: -len(func.rpartition(".")[2])]
    if prefix or names.get(name) is getattr(nn, name):
        return prefix
    return "nn." if names.get("nn") is nn else "torch.nn."


@dataclass
class Convert(Change):
    """An argument of the network's call, converted where it is called."""

    argument: int | str = 0
    how: str = "{}"  # such as {}.unsqueeze(0)

    def apply(self, trial: Trial) -> None:
        where: Any = trial.args if isinstance(self.argument, int) else trial.kwargs
        names = {"torch": torch, "nn": nn, **trial.scene.names, "given": where[self.argument]}
        where[self.argument] = eval(self.how.format("given"), names)
        before = trial.conversions.get(self.argument) or self._typed(trial, self.argument)
        trial.conversions[self.argument] = self.how.format(before)

    def _typed(self, trial: Trial, argument: int | str) -> str:
        node = argument_node(trial, argument)
        if node is None or trial.scene.site is None:
            return "imgs"
        text = ast.get_source_segment(trial.texts[trial.scene.site.file], node) or "imgs"
        simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        return text if simple else f"({text})"


@dataclass
class Swap(Change):
    """The two arguments of a loss in the other order."""

    def apply(self, trial: Trial) -> None:
        trial.args.reverse()
        one, other = Convert._typed(self, trial, 0), Convert._typed(self, trial, 1)  # type: ignore[arg-type]
        trial.conversions |= {0: other, 1: one}


@dataclass
class Keyword(Change):
    """A keyword argument that the call did not have."""

    name: str = ""
    value: str = ""

    def apply(self, trial: Trial) -> None:
        trial.kwargs[self.name] = eval(self.value)
        trial.keywords[self.name] = self.value


@dataclass
class DropLast(Change):
    """A DataLoader that leaves out its last, smaller batch; the others have more than one picture."""

    loader: str = ""

    def apply(self, trial: Trial) -> None:
        site = trial.scene.site
        trial.args = [torch.cat([arg, arg]) if isinstance(arg, torch.Tensor) else arg for arg in trial.args]
        trial.loss = None
        for node in ast.walk(parse(trial.texts[site.file])) if site else ():
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args:
                if ast.unparse(node.targets[0]) == self.loader:
                    last = max([*node.value.args, *(k.value for k in node.value.keywords)], key=_end)
                    text = ast.get_source_segment(trial.texts[site.file], last)  # type: ignore[union-attr]
                    trial.texts.replace(site.file, last, f"{text}, drop_last=True")  # type: ignore[union-attr]
                    return
        raise ValueError("the line that makes the DataLoader is not found")


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


@dataclass
class Rewrite(Change):
    """An expression of a function in the learner's file, written in another way."""

    site: Site | None = field(default=None, repr=False)
    node: ast.expr | None = field(default=None, repr=False)
    text: str = ""

    def apply(self, trial: Trial) -> None:
        assert self.site is not None and self.node is not None
        code = self.site.code
        key = (code.co_filename, code.co_qualname, code.co_firstlineno)
        trial.scene.codes.setdefault(key, code)
        if not trial.texts.replace(self.site.file, self.node, self.text):
            raise ValueError("this file is not the learner's")
        trial.rewritten.add(key)


@dataclass
class Mode(Change):
    """A method of the whole network, such as ``eval()``, before it is called."""

    method: str = "eval()"

    def apply(self, trial: Trial) -> None:
        scene = trial.scene
        if self.method == "eval()":
            trial.model.eval()
        else:
            self._convert(trial.model)
        before_call(trial, f"{scene.name}.{self.method}")


    def _convert(self, model: nn.Module) -> None:
        """``model.to(...)`` by hand: tensors without numbers cannot be swapped in their places."""
        for module in model.modules():
            for tensors in (module._parameters, module._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and tensor.is_floating_point():
                        moved = eval(f"tensor.{self.method}", {"tensor": tensor.detach()})
                        tensors[name] = nn.Parameter(moved) if tensors is module._parameters else moved


def changed_call(site: Site, node: ast.expr) -> Site:
    """The site of another expression in the same function."""
    span = (node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0)
    return site._replace(known=span)


def before_call(trial: Trial, line: str) -> None:
    """A line to type before the statement that calls the network."""
    site = trial.scene.site
    statement = statement_at(trial.texts[site.file], site.line) if site else None
    if site is None or statement is None:
        trial.loose.append(line)
    else:
        trial.texts.more.append((site.file, statement.lineno, line, 0))


def argument_node(trial: Trial, argument: int | str) -> ast.expr | None:
    """Where an argument of the network's call stands in the source."""
    site = trial.scene.site
    node = expression_at(site, trial.texts[site.file]) if site else None
    if not isinstance(node, ast.Call) or any(isinstance(arg, ast.Starred) for arg in node.args):
        return None
    if isinstance(argument, int):
        return node.args[argument] if argument < len(node.args) else None
    return next((keyword.value for keyword in node.keywords if keyword.arg == argument), None)


def attempt(scene: Scene, changes: list[Change]) -> tuple[Outcome, Trial]:
    """Try changes, one after another, on a copy of everything.

    Raises:
        Exception: when something cannot be copied, or a change cannot be made.
    """
    if scene.kind == "loss":  # small, and what its numbers are matters
        args, kwargs, loss = [*scene.args], {**scene.kwargs}, None
        model, mode = scene.model, contextlib.nullcontext()
    elif scene.with_numbers:
        copies = copy.deepcopy((scene.model, list(scene.args), scene.kwargs, scene.loss))
        (model, args, kwargs, loss), mode = copies, contextlib.nullcontext()
    else:
        copies, mode = without_numbers(scene.model, list(scene.args), scene.kwargs, scene.loss)
        model, args, kwargs, loss = copies
    trial = Trial(scene, model, args, kwargs, Texts(), loss=loss)
    with mode, torch.no_grad():
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
    """Write what was done to the arguments into the line of the call."""
    scene = trial.scene
    for name, text in trial.keywords.items():
        node = expression_at(scene.site, trial.texts[scene.site.file]) if scene.site else None
        if isinstance(node, ast.Call) and node.args and scene.site is not None:
            last = len(node.args) - 1
            before = trial.conversions.get(last) or ast.get_source_segment(
                trial.texts[scene.site.file], node.args[last]
            )
            trial.conversions[last] = f"{before}, {name}={text}"
    for argument in sorted(trial.conversions, key=lambda argument: _column(trial, argument), reverse=True):
        node, text = argument_node(trial, argument), trial.conversions[argument]
        if node is None or scene.site is None or not trial.texts.replace(scene.site.file, node, text):
            trial.loose.append(f"{scene.name}({text})")


def _column(trial: Trial, argument: int | str) -> tuple[int, int]:
    node = argument_node(trial, argument)
    return (node.lineno, node.col_offset) if node else (0, 0)


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
    found = {id(value): value for space in spaces for value in list(space.values()) if isinstance(value, FunctionType)}
    return [function for function in found.values() if function.__code__ is code]


def _put(model: nn.Module, path: str, layer: nn.Module) -> None:
    """Replace a layer by its path."""
    owner, _, name = path.rpartition(".")
    parent = model.get_submodule(owner)
    if isinstance(getattr(parent, name, None), Inserted) and not isinstance(layer, Inserted):
        getattr(parent, name).old = layer
    else:
        setattr(parent, name, layer)


def _names_in(scene: Scene, file: str) -> Mapping[str, Any]:
    """The global names of a source file."""
    if scene.site is not None and scene.site.file == file:
        return scene.names
    modules = list(sys.modules.values())
    return next((vars(module) for module in modules if getattr(module, "__file__", None) == file), {})


def settings_of(layer: nn.Module) -> dict[str, Any]:
    """With which arguments a layer was made, as far as it remembers them."""
    found = {}
    for name in parameters_of(type(layer)):
        if name == "bias":
            found[name] = bool(getattr(layer, "bias", None) is not None or getattr(layer, "in_proj_bias", None) is not None)
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


def _after_building(trial: Trial, path: str, new: nn.Module) -> None:
    """A line that puts a layer into the network once it is built, where its own line makes others too."""
    scene = trial.scene
    trial.detached += 1
    steps = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("."))
    line = f"{scene.name}{steps} = {expression(new, scene.names)}"
    if scene.site is not None and scene.name.isidentifier():
        for node in ast.walk(parse(original(scene.site.file))):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                if node.targets[0].id == scene.name and node.lineno < scene.site.line:
                    trial.texts.more.append((scene.site.file, node.end_lineno or node.lineno, line, 1))
                    return
    trial.loose.append(line)
