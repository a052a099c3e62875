"""What a learner could change at a call: an argument, a keyword, the mode of the network, its data."""

import ast
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lessons.course.shapes.attempt import Change, Trial, argument_node
from lessons.course.shapes.source import parse, statement_at


@dataclass
class Convert(Change):
    """An argument of the network's call, converted where it is called."""

    argument: int | str = 0
    how: str = "GIVEN"  # such as GIVEN.unsqueeze(0)

    def apply(self, trial: Trial) -> None:
        where: Any = trial.args if isinstance(self.argument, int) else trial.kwargs
        names = dict(trial.scene.names) if trial.scene.site else {"torch": torch, "nn": nn}
        how = self.how if names.get("nn") is nn else self.how.replace("nn.functional", "torch.nn.functional")
        names["GIVEN"] = where[self.argument]
        where[self.argument] = eval(how, names)  # as it would be typed: a name that is not there raises
        before = trial.conversions.get(self.argument) or self._typed(trial, self.argument)
        trial.conversions[self.argument] = how.replace("GIVEN", before)

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
            if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != self.loader:
                continue
            if site is not None and isinstance(node.value, ast.Call) and node.value.args:
                last = max([*node.value.args, *(k.value for k in node.value.keywords)], key=_end)
                text = ast.get_source_segment(trial.texts[site.file], last)
                trial.texts.replace(site.file, last, f"{text}, drop_last=True")
                return
        raise ValueError("the line that makes the DataLoader is not found")


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


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


def before_call(trial: Trial, line: str) -> None:
    """A line to type before the statement that calls the network."""
    site = trial.scene.site
    statement = statement_at(trial.texts[site.file], site.line) if site else None
    if site is None or statement is None:
        trial.loose.append(line)
    else:
        trial.texts.more.append((site.file, statement.lineno, line, 0))
