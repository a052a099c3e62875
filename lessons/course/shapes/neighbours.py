"""Before and behind a call: the network that made a loss's scores, and the loss that takes them."""

import ast
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lessons.course.shapes.attempt import Scene
from lessons.course.shapes.failure import Call
from lessons.course.shapes.losses import FunctionalLoss
from lessons.course.shapes.source import expression_at, name_of, original, parse, statement_at

# Methods and functions that may be called once more to see what a network was called with
HARMLESS = {
    "to",
    "float",
    "double",
    "long",
    "cuda",
    "cpu",
    "unsqueeze",
    "squeeze",
    "view",
    "reshape",
    "flatten",
}


HARMLESS |= {"permute", "transpose", "detach", "rand", "randn", "zeros", "ones", "size", "movedim"}


def network_behind(scene: Scene) -> Call | None:
    """The call of the network that made a loss's scores, from the lines before; None when they do not say."""
    if scene.site is None:
        return None
    text = original(scene.site.file)
    node = expression_at(scene.site, text)
    if not isinstance(node, ast.Call) or not node.args:
        return None
    value: ast.expr = node.args[0]
    if isinstance(value, ast.Name):
        lines = [
            one
            for one in ast.walk(parse(text))
            if isinstance(one, ast.Assign)
            and one.lineno < node.lineno
            and one.lineno >= scene.site.code.co_firstlineno
            and isinstance(one.targets[0], ast.Name)
            and one.targets[0].id == value.id
        ]
        if not lines:
            return None
        value = max(lines, key=lambda one: one.lineno).value
    while (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in HARMLESS
    ):
        value = value.func.value
    if not isinstance(value, ast.Call) or value.keywords:
        return None
    model = _again(value.func, scene.names)
    args = [_again(arg, scene.names) for arg in value.args]
    if not isinstance(model, nn.Module) or not args or not all(isinstance(arg, Tensor) for arg in args):
        return None
    span = (value.lineno, value.col_offset, value.end_lineno or 0, value.end_col_offset or 0)
    return Call(model, tuple(args), {}, scene.site._replace(known=span))


def _again(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The value of an expression that is harmless to evaluate once more; None for another one."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and name_of(inner.func) not in HARMLESS:
            return None
        if isinstance(inner, ast.NamedExpr | ast.Await | ast.Yield | ast.Lambda):
            return None
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            return eval(compile(ast.Expression(node), "", "eval"), dict(names))
    except Exception:
        return None


def loss_after(scene: Scene) -> tuple[nn.Module, Tensor] | None:
    """The loss that a later line takes of the network's scores, with its targets; None when none is found."""
    if scene.site is None:
        return None
    text = original(scene.site.file)
    statement = statement_at(text, scene.site.line)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return None
    for node in ast.walk(parse(text)):
        if isinstance(node, ast.Call) and len(node.args) == 2 and node.lineno > scene.site.line:
            if ast.unparse(node.args[0]) != statement.targets[0].id:
                continue
            loss, targets = _loss_of(node.func, scene.names), _again(node.args[1], scene.names)
            if loss is not None and isinstance(targets, Tensor):
                return loss, targets
    return None


def _loss_of(node: ast.expr, names: Mapping[str, Any]) -> nn.Module | None:
    if isinstance(node, ast.Call) and name_of(node.func).endswith("Loss"):  # CrossEntropyLoss()(...)
        simple = not node.args and not node.keywords
        return getattr(nn, name_of(node.func), nn.Identity)() if simple else None
    if not isinstance(node, ast.Name | ast.Attribute):
        return None
    value = _again(node, names)
    if isinstance(value, nn.Module) and type(value).__module__ == "torch.nn.modules.loss":
        return value
    return FunctionalLoss(value.__name__) if value in vars(nn.functional).values() else None
