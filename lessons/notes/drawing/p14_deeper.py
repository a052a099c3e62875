"""Lesson 14: the deeper network, every layer with its shape and parameters, and its shortcuts."""

import torch
from torch import nn

from lessons.notes.drawing.p04_sequential import shape_text, written
from lessons.notes.drawing.svg import (
    BORDER,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
)
from lessons.tudui import DeeperTudui, Shortcut

WORDS: dict[str, tuple[str, str]] = {
    "title": ("DeeperTudui: every layer, every shape, every parameter", "DeeperTudui：每一层的形状和参数"),
    "input": ("a batch of pictures", "一批图片"),
    "layer": ("layer", "层"),
    "shape": ("shape of its output", "输出的形状"),
    "parameters": ("parameters", "参数个数"),
    "look": ("first look", "第一眼"),
    "stage": ("stage", "阶段"),
    "answer": ("answer", "回答"),
    "shortcut": ("shortcut: + its input", "捷径：加上自己的输入"),
    "together": ("together", "合计"),
}
ROW = 27  # pixels from one layer to the next
COLOURS = {nn.Conv2d: PALE_BLUE, nn.MaxPool2d: PALE_ORANGE, nn.Linear: PALE_GREEN}

Row = tuple[nn.Module, tuple[int, ...]]


def layers_and_shapes(network: nn.Module, imgs: torch.Tensor) -> list[Row]:
    """Each layer that holds no other, in the order of the way through, with the shape of its output."""
    rows: list[Row] = []
    for layer in network.modules():
        if not list(layer.children()):
            layer.register_forward_hook(
                lambda layer, inputs, output: rows.append((layer, tuple(output.shape)))
            )
    network(imgs)
    return rows


def figure(words: dict[str, str]) -> Drawing:
    deeper, imgs = DeeperTudui(), torch.ones(1, 3, 32, 32)
    rows = layers_and_shapes(deeper.eval(), imgs)
    draw = Drawing(820, 150 + ROW * len(rows), words["title"])
    for x, name, anchor in ((128, "layer", "start"), (470, "shape", "start"), (770, "parameters", "end")):
        draw.text(x, 34, words[name], 13, GREY, anchor)
    draw.text(128, 62, words["input"])
    draw.text(470, 62, shape_text(imgs.shape), bold=True)

    tops: dict[nn.Module, float] = {}  # of each layer: where its row begins
    for index, (layer, shape) in enumerate(rows):
        y = tops[layer] = 76 + ROW * index
        draw.rect(120, y, 320, ROW - 4, COLOURS.get(type(layer), WHITE), BORDER)
        draw.text(132, y + 16, written(layer), 12, code=True)
        draw.text(470, y + 17, shape_text(shape), 14, bold=True)
        parameters = sum(weight.numel() for weight in layer.parameters())
        draw.text(770, y + 17, f"{parameters:,}", 14, INK if parameters else GREY, "end")

    for shortcut in deeper.modules():
        if isinstance(shortcut, Shortcut):
            first, last = tops[shortcut.layers[0]] - 2, tops[shortcut.layers[-1]] + ROW - 2
            draw.line([(440, first), (456, first), (456, last - 2)], ORANGE, 2)
            draw.arrow(456, last - 2, 443, last - 2, ORANGE)
    draw.text(440, 76 + ROW * len(rows) + 22, words["shortcut"], 13, ORANGE, "end")

    parts = [words["look"], *(f"{words['stage']} {number}" for number in (1, 2, 3)), words["answer"]]
    starts = [deeper.model1[0], *(stage[0] for stage in deeper.model1[2:5]), deeper.model1[5]]
    ends = [tops[start] for start in starts[1:]] + [76 + ROW * len(rows)]
    for part, start, end in zip(parts, starts, ends, strict=True):
        draw.line([(110, tops[start] + 1), (110, end - 5)], GREEN, 3)
        draw.text(100, (tops[start] + end) / 2 + 3, part, 14, GREEN, "end")

    y = 76 + ROW * len(rows)
    total = sum(weight.numel() for weight in deeper.parameters())
    draw.line([(670, y), (770, y)], INK)
    draw.text(770, y + 24, f"{total:,}", bold=True, anchor="end")
    draw.text(770, y + 46, words["together"], 13, GREY, "end")
    return draw
