"""Lesson 6: three places for a new layer in VGG16, and what is frozen."""

import torch
from torch import nn
from torchvision.models import vgg16

from lessons.notes.drawing.svg import FROZEN, GREEN, GREY, ORANGE, PALE_GREEN, WHITE, Drawing
from lessons.p06_pretrained import freeze

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Three places for a new layer, and what is frozen", "新层的三个位置，以及冻结的部分"),
    "places": ("Where the new layer goes, and what comes out", "新层放在哪里，输出是什么形状"),
    "never": ("forward never calls it", "forward 从不调用它"),
    "frozen": ("Frozen, and the new layer that learns", "冻结的层，和学习的新层"),
    "features": ("features: convolutions, poolings", "features：卷积和池化"),
    "counts": (
        "{learns:,} of {total:,} numbers can learn",
        "{total:,} 个数里只有 {learns:,} 个会学习",
    ),
    "learns": ("learns", "会学习"),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 480, words["title"])
    with torch.device("meta"):  # shapes are enough here: half a gigabyte of weights would only cost time
        vgg = vgg16(weights=None)
        freeze(vgg)
        last = vgg.classifier[6]
        vgg.classifier[6] = new = nn.Linear(last.in_features, 10)
    old_layer = f"Linear({last.in_features}, {last.out_features})"
    add_linear = f"Linear({last.out_features}, {new.out_features})"
    new_layer = f"Linear({new.in_features}, {new.out_features})"

    draw.text(30, 36, words["places"], bold=True)
    for index, code in enumerate(
        (
            'vgg.add_module("add_linear", ...)',
            'vgg.classifier.add_module("add_linear", ...)',
            "vgg.classifier[6] = ...",
        )
    ):
        y = 54 + 92 * index
        draw.text(30, y + 14, f"{index + 1}  {code}", 13, code=True)
        box = y + 24
        draw.block(30, box, 96, 42, ["features"], FROZEN, GREY, code=True, size=13)
        draw.arrow(130, box + 21, 148, box + 21)
        draw.rect(152, box - 4, 398 if index == 1 else 258, 50, "none", GREY)
        draw.block(160, box, 86, 42, ["[0]...[5]"], FROZEN, GREY, code=True, size=13)
        if index == 2:
            draw.block(254, box, 148, 42, [new_layer], PALE_GREEN, GREEN, code=True, size=12)
        else:
            draw.block(254, box, 148, 42, [old_layer], FROZEN, GREY, code=True, size=12)
        if index == 1:
            draw.block(410, box, 132, 42, [add_linear], PALE_GREEN, GREEN, code=True, size=12)
        if index == 0:
            draw.block(428, box, 132, 42, [add_linear], WHITE, GREY, True, code=True, size=12)
            draw.text(494, box + 60, words["never"], 13, ORANGE, "middle")
        end = (414, 554, 414)[index]
        if index == 0:  # round the layer that is never called
            draw.line(
                [(412, box + 8), (420, box + 8), (420, box - 10), (568, box - 10), (568, box + 21)], GREY, 2
            )
            draw.arrow(568, box + 21, 636, box + 21)
        else:
            draw.arrow(end, box + 21, 636, box + 21)
        draw.text(
            648,
            box + 27,
            ("(N, 1000)", "(N, 10)", "(N, 10)")[index],
            17,
            (ORANGE, GREEN, GREEN)[index],
            bold=True,
        )

    draw.line([(30, 342), (790, 342)])
    draw.text(30, 370, words["frozen"], bold=True)
    for x, width, name in ((30, 276, words["features"]), (330, 188, "classifier[0]...[5]")):
        draw.rect(x, 386, width, 48, FROZEN, GREY)
        draw.lock(x + 10, 400)
        draw.text(x + 34, 415, name, 13 if x == 30 else 12, code=x != 30)
    draw.arrow(309, 410, 326, 410)
    draw.arrow(521, 410, 538, 410)
    draw.block(542, 386, 150, 48, [new_layer], PALE_GREEN, GREEN, code=True, size=13)
    draw.text(702, 415, words["learns"], 14, GREEN, bold=True)
    trainable = sum(parameter.numel() for parameter in vgg.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in vgg.parameters())
    draw.text(30, 461, words["counts"].format(learns=trainable, total=total), 14, GREY)
    return draw
