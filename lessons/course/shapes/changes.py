"""What a learner could change: a layer, the input, a line of forward, how the network is called."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from lessons.course.shapes.attempt import Change, Inserted, Trial, names_in
from lessons.course.shapes.construction import Built, arguments
from lessons.course.shapes.failure import Site
from lessons.course.shapes.making import expression, rebuilt, written
from lessons.course.shapes.source import original, parse


@dataclass
class Rebuild(Change):
    """A layer made with other numbers."""

    settings: dict[str, Any] = field(default_factory=dict)
    product: str = ""  # the number as a product, for a line that has it so

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
                is_product = self.product and isinstance(given[name], ast.BinOp)
                edits[name] = (given[name], self.product if is_product else written(value))
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
        _put(
            trial.model,
            self.path,
            Inserted(new, parent.get_submodule(self.path.rpartition(".")[2]), self.behind),
        )
        old = ast.get_source_segment(trial.texts[built.file], built.node) or ""
        func = ast.get_source_segment(trial.texts[built.file], built.node.func) or ""
        prefix = _prefix(func, names_in(trial.scene, built.file), self.call.partition("(")[0])
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
        prefix = _prefix(func, names_in(trial.scene, built.file), "Identity")
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
        prefix = _prefix(func, names_in(trial.scene, built.file), self.kind.__name__)
        trial.texts.replace(built.file, built.node.func, f"{prefix}{self.kind.__name__}")


def _prefix(func: str, names: Mapping[str, Any], name: str) -> str:
    """What to type before a class of torch.nn, in a file that calls another one as ``func``."""
    prefix = func[: -len(func.rpartition(".")[2])]
    if prefix or names.get(name) is getattr(nn, name):
        return prefix
    return "nn." if names.get("nn") is nn else "torch.nn."


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


def _put(model: nn.Module, path: str, layer: nn.Module) -> None:
    """Replace a layer by its path."""
    owner, _, name = path.rpartition(".")
    parent = model.get_submodule(owner)
    if isinstance(getattr(parent, name, None), Inserted) and not isinstance(layer, Inserted):
        getattr(parent, name).old = layer
    else:
        setattr(parent, name, layer)


def _after_building(trial: Trial, path: str, new: nn.Module) -> None:
    """A line that puts a layer into the network once it is built, where its own line makes others too."""
    scene = trial.scene
    trial.detached += 1
    steps = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in path.split("."))
    line = f"{scene.name}{steps} = {expression(new, scene.names)}"
    if scene.site is not None and scene.name.isidentifier():
        for node in ast.walk(parse(original(scene.site.file))):
            if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != scene.name:
                continue
            if node.lineno < scene.site.line:
                trial.texts.more.append((scene.site.file, node.end_lineno or node.lineno, line, 1))
                return
    trial.loose.append(line)
