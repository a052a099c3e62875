"""Lesson 9: what a checkpoint must hold, and a training that is stopped and goes on as if it had not been."""

from collections.abc import Iterator
from dataclasses import fields
from typing import NamedTuple

import torch

from lessons.notes.drawing.svg import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    WHITE,
    Drawing,
)
from lessons.p09_resume import Checkpoint

PICTURES, BATCH_SIZE, STEPS = 8, 2, 4  # of the small training on the time line; STEPS make an epoch
HELD = (  # what a checkpoint holds, by the lesson's names; the last name of a row is also that of its words
    ("model",),
    ("optimizer",),
    ("scheduler",),
    ("epoch", "step", "order"),
    ("rng_state",),
    ("settings",),
    ("sums", "history"),
)
CELL, GAP = 62, 96  # of the time line: the width of a step, and of the time in which nothing runs

WORDS: dict[str, tuple[str, str]] = {
    "title": ("What a checkpoint must hold, and what it is for", "检查点里必须有什么，为什么"),
    "checkpoint": ("A checkpoint: all that the next step depends on", "检查点：下一步取决于什么，就存什么"),
    "without": ("without it, after --resume", "没有它，--resume 之后"),
    "model": ("the weights", "权重"),
    "model_without": ("all that was learnt is gone", "学到的全没了"),
    "optimizer": ("the momentum of each weight", "每个权重的动量"),
    "optimizer_without": ("it starts from rest: other weights soon", "从静止起步，权重很快就不同"),
    "scheduler": ("where on its curve the learning rate is", "学习率走到曲线的哪里"),
    "scheduler_without": ("it warms up a second time", "会在半路上再热身一遍"),
    "order": ("which pictures are still to come", "还有哪些图片没看"),
    "order_without": ("some pictures come twice, some never", "有的图片看两遍，有的一遍也看不到"),
    "rng_state": ("the next order, mirrors and shifts", "接下来的顺序、镜像和平移"),
    "rng_state_without": ("other mirrors from the next step on", "从下一步起，镜像和平移就不同了"),
    "settings": ("the recipe, the batch size, the seed", "配方、批大小、随机种子"),
    "settings_without": ("it would be another training", "那就是另一次训练了"),
    "history": ("figures so far, and the best of them", "到现在的统计，和其中最好的"),
    "history_without": ("wrong means, another best.pth", "平均值不对，best.pth 可能选错"),
    "line": (
        "Each step: the pictures of its batch, and a random number",
        "每一步：这一批的图片，和一个随机数",
    ),
    "never": ("never stopped", "从没停过"),
    "ctrl_c": (
        "Ctrl-C: the step ends, then last.pth is written",
        "按 Ctrl-C：走完这一步，再写 last.pth",
    ),
    "killed": (
        "killed: last.pth is the one from the end of epoch 1",
        "被强行结束：last.pth 还是第 1 轮结束时的",
    ),
    "written": ("last.pth is written", "写 last.pth"),
    "lost": ("lost, and done again", "丢掉了，重走一遍"),
    "same": ("the same pictures, random numbers and weights", "图片、随机数和权重都相同"),
}


class Step(NamedTuple):
    """A step of the small training, and what a checkpoint written after it would hold."""

    epoch: int
    pictures: list[int]
    random_number: float
    checkpoint: dict


def train(checkpoint: dict | None = None) -> Iterator[Step]:
    """Two epochs, or what a checkpoint has left of them. Orders and numbers are drawn as the lesson does."""
    generator = torch.Generator().manual_seed(0)
    step, order = 0, []
    if checkpoint:
        step, order = checkpoint["step"], checkpoint["order"]
        generator.set_state(checkpoint["rng_state"])
    while step < 2 * STEPS:
        epoch, within = divmod(step, STEPS)
        if within == 0:
            order = torch.randperm(PICTURES, generator=generator).tolist()
        random_number = torch.rand(1, generator=generator).item()
        step += 1
        state = {"step": step, "order": order, "rng_state": generator.get_state()}
        yield Step(epoch + 1, order[within * BATCH_SIZE :][:BATCH_SIZE], random_number, state)


def table(draw: Drawing, words: dict[str, str]) -> None:
    draw.text(30, 38, words["checkpoint"], bold=True)
    draw.text(520, 38, words["without"], 14, ORANGE)
    lessons_own = {field.name for field in fields(Checkpoint)}
    for row, names in enumerate(HELD):
        assert lessons_own.issuperset(names), f"lesson 9's checkpoint has no {names}"
        key, top = names[-1], 50 + 37 * row
        draw.block(30, top, 152, 30, [", ".join(names)], PALE_GREEN, GREEN, code=True, size=12.5)
        draw.text(196, top + 20, words[key], 14)
        draw.text(520, top + 20, words[f"{key}_without"], 14, GREY)


def cells(draw: Drawing, x: float, y: float, shown: list[Step], lost: bool = False) -> float:
    """Draw steps one after another from x on, lost ones dashed. Returns where they end."""
    for step in shown:
        stroke, pale = ((BLUE, PALE_BLUE), (GREEN, PALE_GREEN))[step.epoch - 1]
        draw.rect(x, y, CELL - 4, 44, WHITE if lost else pale, GREY if lost else stroke, lost, radius=2)
        middle, colour = x + CELL / 2 - 2, GREY if lost else INK
        draw.text(middle, y + 19, ", ".join(map(str, step.pictures)), 14, colour, "middle")
        draw.text(middle, y + 37, f"{step.random_number:.2f}", 12, GREY, "middle")
        x += CELL
    return x


def file(draw: Drawing, x: float, y: float) -> None:
    """A small file, written when the steps at y have come to x."""
    draw.rect(x - 9, y + 51, 11, 14, ORANGE, ORANGE, radius=1)


def go_on(draw: Drawing, saved: float, checkpoint: dict, resumed: float, y: float) -> None:
    """From the file that was written at ``saved`` to the steps after --resume, which end with a file too."""
    draw.line([(saved + 7, y + 58), (resumed + CELL / 2, y + 58)], GREY, 2)
    draw.arrow(resumed + CELL / 2, y + 58, resumed + CELL / 2, y + 48)
    draw.text(resumed - 14, y + 27, "--resume", 12, ORANGE, "end", code=True)
    file(draw, cells(draw, resumed, y, list(train(checkpoint))), y)


def time_line(draw: Drawing, words: dict[str, str]) -> None:
    never_stopped = list(train())
    stopped = 2 * STEPS - 2  # in this step Ctrl-C is pressed, or the process is killed
    one_epoch, all_steps = 30 + STEPS * CELL, 30 + 2 * STEPS * CELL  # where these end
    for name, y in (("never", 387), ("ctrl_c", 481), ("killed", 575)):
        draw.text(30, y - 9, words[name], 14, GREY)
        cells(draw, 30, y, never_stopped[:STEPS])
        file(draw, one_epoch, y)

    y = 387
    cells(draw, one_epoch, y, never_stopped[STEPS:])
    file(draw, all_steps, y)

    y = 481
    saved = cells(draw, one_epoch, y, never_stopped[STEPS:stopped])
    draw.line([(saved - CELL / 2, y - 8), (saved - CELL / 2, y + 6)], ORANGE, 3)
    file(draw, saved, y)
    go_on(draw, saved, never_stopped[stopped - 1].checkpoint, saved + GAP, y)

    y = 575
    broken = cells(draw, one_epoch, y, never_stopped[STEPS : stopped - 1], lost=True)
    draw.rect(broken, y, CELL / 2, 44, WHITE, GREY, dashed=True, radius=2)
    draw.line([(broken + CELL / 2, y - 8), (broken + CELL / 2, y + 48)], ORANGE, 3)
    go_on(draw, one_epoch, never_stopped[STEPS - 1].checkpoint, broken + CELL / 2 + GAP, y)


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 701, words["title"])
    table(draw, words)
    draw.line([(30, 323), (790, 323)])
    draw.text(30, 351, words["line"], bold=True)
    time_line(draw, words)
    file(draw, 39, 613)
    draw.text(50, 676, words["written"], 14)
    draw.rect(190, 663, 22, 16, WHITE, GREY, dashed=True, radius=2)
    draw.text(220, 676, words["lost"], 14)
    draw.text(790, 676, words["same"], 14, GREEN, "end", bold=True)
    return draw
