"""A Sequential from a table of shapes: each layer's settings follow from what goes in and what comes out."""

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.course.words import either
from lessons.practice import Write, Wrong


@st.composite
def tables(draw) -> dict:
    """Shapes without the batch: pictures that shrink, then a row of numbers, then one score a class."""
    channels, side = draw(st.integers(1, 4)), draw(st.sampled_from([8, 12, 16]))
    shapes = [(channels, side, side)]
    for _ in range(draw(st.integers(1, 2))):
        channels = draw(st.integers(5, 9).filter(lambda number, before=channels: number != before))
        shapes.append((channels, side, side))  # a convolution keeps the size
        side //= 2
        shapes.append((channels, side, side))  # pooling halves it
    shapes.append((channels * side * side,))
    for _ in range(draw(st.integers(1, 2))):
        shapes.append((draw(st.integers(2, 20)),))
    return {"shapes": shapes, "batch": draw(st.integers(1, 3)), "kernel_size": draw(st.sampled_from([3, 5]))}


def probe(learner, shapes: list, batch: int, kernel_size: int) -> dict:
    """What the layers make of a batch, up to one that refuses it, and how many numbers each has learnt."""
    layers = learner.build(shapes, kernel_size)
    outputs = torch.rand(batch, *shapes[0])
    rows = []
    for layer in layers:
        before = tuple(outputs.shape)
        try:
            outputs = layer(outputs)
        except RuntimeError:
            rows.append([f"{layer} does not take {before}", 0])
            break
        rows.append([list(outputs.shape), sum(parameter.numel() for parameter in layer.parameters())])
    return {"rows": rows, "is Sequential": isinstance(layers, nn.Sequential)}


def table(got: dict) -> str:
    word = either("parameters", "个参数")
    return "\n".join(
        shape if isinstance(shape, str) else f"{tuple(shape)!s:<22} {numbers:>7,} {word}"
        for shape, numbers in got["rows"]
    )


exercise = Write(
    title=("A Sequential from a table of shapes", "照形状表搭一个 Sequential"),
    task=(
        """
        shapes lists what a picture becomes, without the batch, such as

            [(3, 16, 16), (8, 16, 16), (8, 8, 8), (512,), (10,)]

        Build the nn.Sequential that does this, one layer for each step from a shape to the next:
        Conv2d with kernel_size where the channels change and the size stays (stride 1), MaxPool2d where
        the size is halved, Flatten, and Linear. kernel_size is odd. It must take a batch of any size.
        """,
        """
        shapes 列出一张图片依次变成的形状（不含批），例如

            [(3, 16, 16), (8, 16, 16), (8, 8, 8), (512,), (10,)]

        搭出对应的 nn.Sequential，从一个形状到下一个形状正好一层：通道变而大小不变的是 Conv2d
        （卷积核大小 kernel_size，步长 1），大小减半的是 MaxPool2d，还有 Flatten 和 Linear。
        kernel_size 是奇数。批的大小任意。
        """,
    ),
    start="""
        from torch import nn


        def build(shapes, kernel_size):
            layers = []
            for before, after in zip(shapes, shapes[1:]):
                ...
            return nn.Sequential(*layers)
        """,
    solution="""
        from torch import nn


        def build(shapes, kernel_size):
            layers = []
            for before, after in zip(shapes, shapes[1:]):
                if len(before) == 1:
                    layers.append(nn.Linear(before[0], after[0]))
                elif len(after) == 1:
                    layers.append(nn.Flatten())
                elif after[1] < before[1]:
                    layers.append(nn.MaxPool2d(2))
                else:
                    padding = (kernel_size - 1) // 2
                    layers.append(nn.Conv2d(before[0], after[0], kernel_size, padding=padding))
            return nn.Sequential(*layers)
        """,
    cases=tables(),
    probe=probe,
    look=table,
    hints=[
        (
            "Four kinds of steps: how do you see from two shapes which one it is? Begin with their lengths.",
            "一共四种步骤：怎样从两个形状看出是哪一种？先看它们的长度。",
        ),
        (
            "A convolution that keeps the size at stride 1 needs 2 * padding = kernel_size - 1 (lesson 4).",
            "步长为 1 时要保持大小，卷积需要 2 * padding = kernel_size - 1（第 4 课）。",
        ),
        (
            "len(before) == 1: Linear(before[0], after[0]). len(after) == 1: Flatten(). after[1] < "
            "before[1]: MaxPool2d(2). Else Conv2d(before[0], after[0], kernel_size, padding=(kernel_size - "
            "1) // 2).",
            "len(before) == 1：Linear(before[0], after[0])；len(after) == 1：Flatten()；after[1] < "
            "before[1]：MaxPool2d(2)；其余是 Conv2d(before[0], after[0], kernel_size, padding=(kernel_size - "
            "1) // 2)。",
        ),
    ],
    wrong=[
        Wrong(
            {", padding=padding)": ")"},
            "Your convolution has no padding, so each side loses {kernel_size} - 1, and a later layer "
            "does not fit. A kernel of {kernel_size} keeps the size with padding ({kernel_size} - 1) / "
            "2.",
            "卷积没有填充，每边少了 {kernel_size} - 1，后面的层就接不上了。大小为 {kernel_size} "
            "的卷积核要填充 ({kernel_size} - 1) / 2 才能保持大小。",
        ),
        Wrong(
            {"(kernel_size - 1) // 2": "kernel_size - 1"},
            "padding={kernel_size} - 1 is too much by half: padding lies on both sides, so the picture "
            "grows.",
            "padding={kernel_size} - 1 多了一倍：填充两边都有，图片反而变大了。",
        ),
        Wrong(
            {"nn.Flatten()": "nn.Flatten(0)"},
            "Flatten(0) flattens the batch as well: of {batch} pictures one long row is left.",
            "Flatten(0) 把批也摊平了：{batch} 张图片成了一长排。",
        ),
        Wrong(
            {"nn.MaxPool2d(2)": "nn.MaxPool2d(2, stride=1)"},
            "With stride=1 the pooling window moves by one, and the size is not halved: its default, the "
            "size of the window, is right.",
            "stride=1 时池化窗口一格一格地挪，大小没有减半：用默认值（窗口的大小）才对。",
        ),
        Wrong(
            {"layers.append(nn.Flatten())": "continue"},
            "There is no Flatten: Linear gets pictures instead of rows of numbers.",
            "缺了 Flatten：Linear 拿到的是图片，而不是一排数。",
        ),
        Wrong(
            {"nn.Conv2d(before[0], after[0]": "nn.Conv2d(after[0], before[0]"},
            "The channels of the convolution have changed places: in_channels comes first, then "
            "out_channels.",
            "卷积的通道数写反了：先 in_channels，后 out_channels。",
        ),
        Wrong(
            {"return nn.Sequential(*layers)": "return layers"},
            "The layers are right, but that is a list of them: nn.Sequential(*layers) makes one network "
            "of it, with parameters() and state_dict().",
            "层都对，但这只是一个列表：nn.Sequential(*layers) 才是一个网络，有 parameters() 和 "
            "state_dict()。",
        ),
    ],
    variants=[
        {"padding = (kernel_size - 1) // 2": "padding = 'same'"},
        {
            "nn.Linear(before[0], after[0])": "nn.LazyLinear(after[0])",
            "nn.Flatten()": "nn.Flatten(start_dim=1)",
        },
        """
        from collections import OrderedDict
        import torch

        def build(shapes, kernel_size):
            named = OrderedDict()
            for number in range(1, len(shapes)):
                named[f"layer{number}"] = layer(*shapes[number - 1 : number + 1], kernel_size)
            return torch.nn.Sequential(named)

        def layer(old, new, k):
            match len(old), len(new):
                case 3, 3 if old[0] != new[0]:
                    return torch.nn.Conv2d(old[0], new[0], (k, k), padding=k // 2)
                case 3, 3:
                    return torch.nn.MaxPool2d(kernel_size=2, stride=2)
                case 3, 1:
                    return torch.nn.Flatten()
            return torch.nn.Linear(*old, *new)
        """,
    ],
    learned=(
        "{cases} tables, and each layer does its step. In the last one {shapes} ended with {got[rows][0][1]} "
        "parameters in the first convolution, whatever the size of the picture: only a Linear counts its "
        "pixels.",
        "{cases} 张表，每一层都对上了。最后一张 {shapes} 里，第一层卷积有 {got[rows][0][1]} 个参数，"
        "和图片大小无关：只有 Linear 的参数数目随像素变。",
    ),
)
