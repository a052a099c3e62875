"""A shape error as a report: where, the way there, what does not fit, and what to do."""

import ast
import difflib
import os
from pathlib import Path

from rich.cells import cell_len
from torch import nn

from lessons.course.shapes.attempt import Scene, Trial
from lessons.course.shapes.call_changes import Keyword
from lessons.course.shapes.construction import built_at
from lessons.course.shapes.diagnosis_calls import side_line
from lessons.course.shapes.failure import Failure, is_learners
from lessons.course.shapes.losses import both_sides, loss_name
from lessons.course.shapes.search import Remedy
from lessons.course.shapes.source import Texts, original
from lessons.course.shapes.trial import Outcome, Shape, Step
from lessons.course.shapes.weights import DropSizes
from lessons.course.shapes.words import say

SHOWN = 24  # steps of the way; of a longer one the first and the last


def short_path(file: str) -> str:
    """A file as one would type it from here; its name alone when that is far away."""
    relative = os.path.relpath(file)
    return relative if not relative.startswith("..") else file if len(file) < 50 else Path(file).name


def source_line(file: str, line: int) -> str:
    lines = original(file).splitlines()
    return lines[line - 1].strip() if 0 < line <= len(lines) else ""


def where(scene: Scene, step: Step | None) -> list[str]:
    """The lines that built the layer, called it, and called the network."""
    rows = []
    if step is not None and step.module is not None and step.path:
        built = built_at(scene.model, step.path, scene.site, Texts(), scene.names)
        if built is not None:
            rows.append((say("built"), built.file, built.node.lineno))
    if step is not None and step.site is not None and is_learners(step.site.file):
        rows.append((say("called"), step.site.file, step.site.line))
    if scene.site is not None and is_learners(scene.site.file):
        rows.append((say("network called" if rows else "called"), scene.site.file, scene.site.line))
    width = max((cell_len(row[0]) for row in rows), default=0)
    return [
        f"  {pad(word, width)}  {say('line', short_path(file), line)}  {source_line(file, line)}"
        for word, file, line in rows
    ]


def pad(text: str, width: int) -> str:
    """A text on so many columns of the screen; a Chinese character takes two."""
    return text + " " * (width - cell_len(text))


def way(steps: list[Step], done: bool) -> list[str]:
    """A line for each step that a reader wants to see: layers, and functions that change a shape."""
    shown = [step for step in steps if step.module is not None or step.takes != step.gives or not step.done]
    rows = [
        (step.path, step.name, shapes(step.takes[:2]), shapes(step.gives[:2]) if step.done else say("stops"))
        for step in shown
    ]
    if len(rows) > SHOWN:
        left_out = len(rows) - SHOWN
        rows[SHOWN // 2 : -SHOWN // 2] = [(say("more steps", left_out), "", "", "")]
    rows.insert(0, (say("layer"), "", say("in"), say("out")))
    widths = [max(cell_len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for path, name, into, out in rows:
        cells = [pad(text, width) for text, width in zip((path, name, into), widths, strict=True)]
        arrow = "->" if into and into != say("in") else "  "
        lines.append(f"  {cells[0]}  {cells[1]}  {cells[2]} {arrow} {out}".rstrip())
    return lines if shown or done else []


def shapes(several: list[Shape]) -> str:
    return ", ".join(map(str, several))


def headline(failure: Failure, scene: Scene, outcome: Outcome) -> str:
    """The first line: which layer, line, loss or checkpoint it is about."""
    step = outcome.fault
    if failure.kind == "loss":
        return say("loss refuses", failure.function or loss_name(scene.model))
    if failure.kind == "load_state_dict":
        return say("load refuses", type(scene.model).__name__)
    if step is not None and step.module is not None:
        path = f"{scene.name}.{step.path}" if step.path else scene.name
        return say("refuses", path, type(step.module).__name__)
    if step is not None and step.site is not None:
        return say("line fails", type(scene.model).__name__, source_line(step.site.file, step.site.line))
    innermost = failure.calls[-1].module if failure.calls else scene.model
    path = next((name for name, module in scene.model.named_modules() if module is innermost), "")
    return say("refuses", f"{scene.name}.{path}" if path else scene.name, type(innermost).__name__)


def changed_lines(trial: Trial) -> list[str]:
    """The lines of the source with the changes, as they are to be typed."""
    lines = []
    for file, text in trial.texts.final().items():
        before, after = original(file).splitlines(), text.splitlines()
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for what, first, last, start, end in matcher.get_opcodes():
            if what == "equal":
                continue
            lines.append(f"     {say('line', short_path(file), first + 1)}")
            lines += [f"       - {line.strip()}" for line in before[first:last]]
            lines += [f"       + {line.strip()}" for line in after[start:end]]
    word = say("type call") if trial.conversions else say("type")
    lines += [f"     {word}:  {line}" for line in trial.loose]
    return lines


def what_to_do(remedies: list[Remedy], title: str) -> list[str]:
    lines = [title]
    for number, remedy in enumerate(remedies, start=1):
        note = say("likeliest") if number == 1 and len(remedies) > 1 else ""
        block = changed_lines(remedy.trial)
        block[0] = f"  {number}. {block[0].strip()}{note}"
        lines += block
        if any(isinstance(change, Keyword | DropSizes) for change in remedy.changes):
            lines += [f"     {say('loses')}"]
    return lines


def indented(sentences: list[str], width: int = 78) -> list[str]:
    """Sentences on lines of the screen, by words in English and by characters in Chinese."""
    lines: list[str] = []
    for sentence in sentences:
        line = " "
        for word in _pieces(sentence):
            if cell_len(line + word) > width and line.strip():
                lines.append(line.rstrip())
                line = "  " + word.lstrip()
            else:
                line += word
        lines.append(line.rstrip())
    return ["  " + line.strip() for line in lines]


def _pieces(sentence: str) -> list[str]:
    pieces: list[str] = []
    for character in f" {sentence}":
        wide = cell_len(character) == 2
        if (pieces and not wide and character != " " and cell_len(pieces[-1][-1]) == 1) or (
            pieces and character in "，。；：、）"
        ):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def sides_of(scene: Scene) -> list[str]:
    both = both_sides(scene)
    return (
        [side_line(say(name), side) for name, side in zip(("scores", "targets"), both, strict=True)]
        if both
        else []
    )


def call_name(node: ast.expr | None, source: str) -> str:
    """``model`` or ``self.net``: what the learner calls the network by."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute | ast.Subscript):
        return ast.get_source_segment(source, node.func) or "model"
    return "model"


def is_wrapper(module: nn.Module) -> bool:
    """Whether a module runs another one in a way of its own: on several devices, or compiled."""
    return type(module).__name__ in (
        "OptimizedModule",
        "DistributedDataParallel",
        "DataParallel",
        "FullyShardedDataParallel",
    )
