"""Lesson 12: the way of a picture through the classifier, and the two files that it is exported to."""

import torch

from lessons.notes.drawing.svg import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
)
from lessons.p10_mistakes import feature_maps
from lessons.tudui import Classifier, Tudui

WORDS: dict[str, tuple[str, str]] = {
    "title": (
        "From a file to the top five, and two files that leave the course",
        "从图片文件到前五名，以及两种导出的文件",
    ),
    "photo": ("of any kind", "任何格式和大小"),
    "picture": ("RGB, 32x32", "RGB，32x32"),
    "stage": ("stage {0}", "第 {0} 级"),
    "linear": ("linear", "全连接"),
    "top": ("top five", "前五名"),
    "exported": (
        "exported as one: pictures in [0, 1] go in, scores come out",
        "一起导出：进去的是 [0, 1] 的图片，出来的是得分",
    ),
    "exports": ("Two exports, each run again from its file", "两种导出，各从自己的文件再运行一遍"),
    "example": ("follows an example", "跟着一个样例走"),
    "write": ("write", "写入"),
    "file": ("file", "文件"),
    "again": ("run again", "再运行"),
    "pt2_needs": ("needs torch, but no class Tudui", "需要 torch，不需要 Tudui 这个类"),
    "onnx_needs": ("needs no torch", "不需要 torch"),
    "same": ("the same scores?", "得分一样吗？"),
}


def way_of_a_picture(draw: Drawing, words: dict[str, str]) -> None:
    stages = feature_maps(Classifier(Tudui()), torch.zeros(1, 3, 32, 32))
    draw.block(24, 62, 86, 64, ["photo.png"], WHITE, GREY, code=True, size=13)
    draw.text(67, 146, words["photo"], 12, GREY, "middle")
    draw.arrow(112, 94, 126, 94)
    draw.block(130, 62, 98, 64, ["open_picture", "resize"], WHITE, GREY, code=True, size=12)
    draw.text(179, 146, words["picture"], 12, GREY, "middle")
    draw.arrow(230, 94, 252, 94)
    draw.rect(246, 24, 456, 138, "none", GREEN, dashed=True, radius=8)
    draw.text(258, 46, "Classifier", 14, GREEN, bold=True, code=True)
    draw.text(690, 46, words["exported"], 12, GREEN, "end")
    draw.block(256, 62, 108, 64, ["(imgs - mean)", "/ std"], PALE_GREEN, GREEN, code=True, size=12)
    for index, maps in enumerate(stages):
        x = 382 + 82 * index
        channels, side, _ = maps.shape[1:]
        draw.arrow(x - 16, 94, x - 2, 94)
        draw.block(x + 2, 62, 62, 64, [f"{channels} x", f"{side}x{side}"], PALE_BLUE, BLUE, size=14)
        draw.text(x + 33, 146, words["stage"].format(index + 1), 12, GREY, "middle")
    draw.arrow(612, 94, 626, 94)
    draw.block(630, 62, 64, 64, [words["linear"]], PALE_BLUE, BLUE, size=13)
    draw.arrow(704, 94, 722, 94)
    draw.block(726, 62, 110, 64, ["softmax", "topk"], WHITE, GREY, code=True, size=13)
    draw.text(781, 146, words["top"], 12, GREY, "middle")


def two_exports(draw: Drawing, words: dict[str, str]) -> None:
    draw.text(24, 218, words["exports"], bold=True)
    for name, x in (("write", 330), ("file", 472), ("again", 614)):
        draw.text(x, 246, words[name], 13, GREY, "middle")
    draw.block(24, 290, 92, 66, ["Classifier"], PALE_GREEN, GREEN, code=True, size=13)
    draw.arrow(118, 323, 134, 323)
    draw.block(138, 290, 96, 66, ["torch.export", ".export"], PALE_BLUE, BLUE, code=True, size=12)
    draw.text(186, 376, words["example"], 13, GREY, "middle")
    for y, write, file, again, needs in (
        (258, "torch.export.save", "tudui.pt2", "torch.export.load", "pt2_needs"),
        (342, "torch.onnx.export", "tudui.onnx", "onnxruntime", "onnx_needs"),
    ):
        draw.arrow(236, 323 + (y - 300) / 5, 256, y + 22)
        draw.block(260, y, 140, 44, [write], PALE_BLUE, BLUE, code=True, size=12)
        draw.arrow(402, y + 22, 418, y + 22)
        draw.block(422, y, 100, 44, [file], PALE_ORANGE, ORANGE, code=True, size=13)
        draw.arrow(524, y + 22, 540, y + 22)
        draw.block(544, y, 140, 44, [again], WHITE, GREY, code=True, size=12)
        draw.text(684, y + 61, words[needs], 13, GREY, "end")
        draw.arrow(686, y + 22, 712, 323 + (y - 300) / 5)
    draw.block(716, 290, 120, 66, [words["same"]], PALE_GREEN, GREEN, size=13)


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(860, 428, words["title"])
    way_of_a_picture(draw, words)
    draw.line([(24, 184), (836, 184)])
    two_exports(draw, words)
    return draw
