"""Lesson 4: Tudui layer by layer, with the shape and the parameters of each."""

import torch
from torch import nn

from lessons.notes.drawing.svg import (
    BLUE,
    BORDER,
    GREEN,
    GREY,
    INK,
    PALE_BLUE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
)
from lessons.p04_sequential import walk
from lessons.tudui import Tudui

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Tudui: nine layers, every shape, every parameter", "Tudui：九层，每一层的形状和参数"),
    "input": ("a batch of pictures", "一批图片"),
    "layer": ("layer", "层"),
    "shape": ("shape of its output", "输出的形状"),
    "parameters": ("parameters", "参数个数"),
    "bar": ("side, and channels", "边长和通道数"),
    "together": ("together", "合计"),
    "scores": ("10 scores for each picture", "每张图片 10 个得分"),
}


def shape_text(shape: torch.Size | tuple[int, ...]) -> str:
    """``(N, 3, 32, 32)``: a shape whose batch size is left open."""
    return f"({', '.join(['N', *map(str, shape[1:])])})"


def written(layer: nn.Module) -> str:
    """The layer as tudui.py writes it."""
    match layer:
        case nn.Conv2d():
            sizes = f"{layer.in_channels}, {layer.out_channels}, {layer.kernel_size[0]}"
            padding = f", padding={layer.padding[0]}" if layer.padding[0] else ""
            return f"Conv2d({sizes}{padding}{'' if layer.bias is not None else ', bias=False'})"
        case nn.BatchNorm2d():
            return f"BatchNorm2d({layer.num_features})"
        case nn.MaxPool2d():
            return f"MaxPool2d({layer.kernel_size})"
        case nn.Linear():
            return f"Linear({layer.in_features}, {layer.out_features})"
    return f"{type(layer).__name__}()"


def figure(words: dict[str, str]) -> Drawing:
    tudui = Tudui()
    imgs = torch.ones(1, 3, 32, 32)
    rows = walk(tudui.model1, imgs)
    draw = Drawing(820, 130 + 44 * len(rows), words["title"])
    colours = {"Conv2d": PALE_BLUE, "MaxPool2d": PALE_ORANGE, "Linear": PALE_GREEN}

    def volume(shape: tuple[int, ...], y: float) -> None:
        """A bar: as long as the picture is wide, as thick as it has many channels."""
        if len(shape) == 4:
            draw.rect(640, y - 4 - shape[1] / 8, shape[3] * 4, 8 + shape[1] / 4, PALE_BLUE, BLUE, radius=2)
        else:
            draw.rect(640, y - 3, max(4.0, shape[1] / 8), 6, PALE_GREEN, GREEN, radius=2)

    for x, name, anchor in (
        (38, "layer", "start"),
        (330, "shape", "start"),
        (600, "parameters", "end"),
        (640, "bar", "start"),
    ):
        draw.text(x, 34, words[name], 13, GREY, anchor)
    draw.text(38, 62, words["input"])
    draw.text(330, 62, shape_text(imgs.shape), bold=True)
    volume(tuple(imgs.shape), 57)
    total = 0
    for index, (layer, (name, shape, parameters)) in enumerate(zip(tudui.model1, rows, strict=True)):
        y = 80 + 44 * index
        draw.rect(30, y, 270, 34, colours.get(name, WHITE), BORDER)
        draw.text(44, y + 22, f"{index}  {written(layer)}", 13, code=True)
        draw.arrow(304, y + 17, 322, y + 17)
        draw.text(330, y + 22, shape_text(shape), bold=True)
        draw.text(600, y + 22, f"{parameters:,}", colour=INK if parameters else GREY, anchor="end")
        volume(shape, y + 17)
        total += parameters
    y = 80 + 44 * len(rows)
    draw.line([(500, y), (600, y)], INK)
    draw.text(330, y + 26, words["scores"], 14, GREY)
    draw.text(600, y + 26, f"{total:,}", bold=True, anchor="end")
    draw.text(612, y + 26, words["together"], 14, GREY)
    return draw
