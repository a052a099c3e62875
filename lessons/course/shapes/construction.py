"""The line of the learner's files that made a layer."""

import ast
import inspect
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, NamedTuple

from torch import nn

from lessons.course.shapes.failure import Site, is_learners
from lessons.course.shapes.source import Texts, name_of, parse


class Built(NamedTuple):
    """The call that made a layer."""

    file: str
    node: ast.Call
    once: bool  # whether it stands for this layer alone, so that a change of it changes nothing else


def built_at(
    root: nn.Module,
    path: str,
    site: Site | None,
    texts: Texts,
    names: Mapping[str, Any],
    layer: nn.Module | None = None,
) -> Built | None:
    """The call in the learner's files that made the layer at this path of the network.

    Args:
        site: where the network was called.
        names: what the names there stand for, so that a network that is no class is found by its name.
        layer: what the line makes, when the texts have changed it; else what is there.
    """
    layer = layer if layer is not None else root.get_submodule(path)
    parts = path.split(".") if path else []
    if site is not None and is_learners(site.file):
        tree = parse(texts[site.file])
        roots = [name for name, value in names.items() if value is root]
        for node in reversed(_assignments(tree)):
            base, rest = _target(node)
            matches = base in roots and node.lineno != site.line and rest == parts[: len(rest)]
            if matches and (found := _inside(node.value, parts[len(rest) :], layer, tree, True)):
                return Built(site.file, *found)
    for depth in range(len(parts) - 1, -1, -1):
        owner = root.get_submodule(".".join(parts[:depth]))
        alone = sum(type(module) is type(owner) for module in root.modules()) == 1
        for cls in type(owner).__mro__:
            file = _file(cls)
            if file is None or not is_learners(file):
                continue
            tree = parse(texts[file])
            for body in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == cls.__name__):
                for node in _assignments(body):
                    base, rest = _target(node)
                    matches = base == "self" and rest == parts[depth : depth + len(rest)] != []
                    inside = parts[depth + len(rest) :]
                    if matches and (found := _inside(node.value, inside, layer, tree, alone)):
                        return Built(file, *found)
                if only := _the_only_one(body, layer):
                    return Built(file, only, alone and not _repeats(body, only))
    return None


def _assignments(tree: ast.AST) -> list[ast.Assign | ast.AnnAssign]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Assign | ast.AnnAssign)]


def _target(node: ast.Assign | ast.AnnAssign) -> tuple[str, list[str]]:
    """``self.body[3] = ...`` as ("self", ["body", "3"])."""
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    parts: list[str] = []
    while not isinstance(target, ast.Name):
        if isinstance(target, ast.Attribute):
            parts.insert(0, target.attr)
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            parts.insert(0, str(target.slice.value))
        else:
            return "", []
        target = target.value
    return target.id, parts


def _inside(
    node: ast.expr | None, parts: list[str], layer: nn.Module, tree: ast.Module, once: bool
) -> tuple[ast.Call, bool] | None:
    """The call that made the layer, in an expression that made what holds it."""
    if not isinstance(node, ast.Call):
        return None
    if not parts:
        if name_of(node.func) == type(layer).__name__ and agrees(node, layer):
            return node, once and not _repeats(tree, node)
        return _from_helper(node, parts, layer, tree)
    head, rest = parts[0], parts[1:]
    args: list[ast.expr] = node.args
    if len(args) == 1 and isinstance(args[0], ast.List | ast.Tuple):
        args = args[0].elts
    if len(args) == 1 and isinstance(args[0], ast.Call) and name_of(args[0].func) == "OrderedDict":
        pairs = args[0].args[0] if args[0].args else None
        args = pairs.elts if isinstance(pairs, ast.List | ast.Tuple) else []
    if name_of(node.func) in ("Sequential", "ModuleList", "ModuleDict"):
        if len(args) == 1 and isinstance(args[0], ast.Dict):
            for key, value in zip(args[0].keys, args[0].values, strict=True):
                if isinstance(key, ast.Constant) and key.value == head:
                    return _inside(value, rest, layer, tree, once)
        for arg in args:
            if isinstance(arg, ast.Tuple) and len(arg.elts) == 2:
                key, value = arg.elts
                if isinstance(key, ast.Constant) and key.value == head:
                    return _inside(value, rest, layer, tree, once)
        if head.isdigit() and int(head) < len(args) and not any(isinstance(a, ast.Starred) for a in args):
            return _inside(args[int(head)], rest, layer, tree, once)
        return None
    return _from_helper(node, parts, layer, tree)


def _from_helper(
    node: ast.Call, parts: list[str], layer: nn.Module, tree: ast.Module
) -> tuple[ast.Call, bool] | None:
    """The same in a function of the file that returns the layer; a change there may change others too."""
    for body in ast.walk(tree):
        if not isinstance(body, ast.FunctionDef) or body.name != name_of(node.func):
            continue
        for line in ast.walk(body):
            value = line.value if isinstance(line, ast.Return) else None
            if value is not node and (found := _inside(value, parts, layer, tree, False)):
                return found[0], False
    return None


def _repeats(tree: ast.AST, node: ast.AST) -> bool:
    """Whether a node stands in a loop."""
    loops = (ast.For, ast.While, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.DictComp)
    return any(
        isinstance(loop, loops) and any(inner is node for inner in ast.walk(loop)) for loop in ast.walk(tree)
    )


def _the_only_one(body: ast.ClassDef, layer: nn.Module) -> ast.Call | None:
    calls = [
        node
        for node in ast.walk(body)
        if isinstance(node, ast.Call) and name_of(node.func) == type(layer).__name__ and agrees(node, layer)
    ]
    return calls[0] if len(calls) == 1 else None


def _file(cls: type) -> str | None:
    """The file of a class: its functions know it, also when ``__main__`` is another module by now."""
    for function in vars(cls).values():
        if isinstance(function, FunctionType):
            return function.__code__.co_filename
    return None


def parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """What a class is made with, in order."""
    inherited = nn.RNNBase if issubclass(cls, nn.RNNBase) else cls  # an LSTM's own signature hides its names
    parameters = dict(inspect.signature(inherited.__init__).parameters)  # type: ignore[misc]
    return {name: parameters[name] for name in parameters if name not in ("self", "mode")}


def arguments(node: ast.Call, cls: type) -> Iterator[tuple[str, ast.expr]]:
    """The arguments of a call by the names that the class gives them."""
    yield from zip(parameters_of(cls), node.args, strict=False)
    yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)


def constant(node: ast.expr) -> Any:
    """The value of ``64 * 4 * 4`` or ``(3, 3)``; None where names decide."""
    if any(isinstance(inner, ast.Name | ast.Call | ast.Attribute) for inner in ast.walk(node)):
        return None
    try:
        return eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}})
    except Exception:
        return None


def agrees(node: ast.Call, layer: nn.Module) -> bool:
    """Whether a call may have made the layer: what it says in numbers is what the layer has."""
    for name, value in arguments(node, type(layer)):
        number, has = constant(value), getattr(layer, name, None)
        if isinstance(has, tuple) and isinstance(number, int):
            number = (number,) * len(has)
        if isinstance(number, int | tuple) and isinstance(has, int | tuple) and number != has:
            return False
    return True
