"""The size after pooling: the stride's default, padding, and the last window with ceil_mode."""

import math
from random import Random
from types import SimpleNamespace

import torch
from torch import nn

from lessons.practice import Predict, Wrong


def draw(random: Random) -> dict:
    return {
        "size": random.randint(20, 60),
        "kernel": random.randint(4, 6),
        "stride": random.randint(2, 3),
        "padding": random.randint(2, 3),
    }


def by_torch(q: SimpleNamespace) -> tuple[int, ...]:
    layers = (
        nn.MaxPool2d(q.kernel),
        nn.MaxPool2d(q.kernel, stride=q.stride, padding=q.padding),
        nn.MaxPool2d(q.kernel, stride=q.stride, ceil_mode=True),
        nn.MaxPool2d(q.kernel, padding=q.padding, ceil_mode=True),
    )
    picture = torch.zeros(1, 1, q.size, q.size)
    return tuple(layer(picture).shape[-1] for layer in layers)


UP = (False, False, True, True)  # ceil_mode of the four layers


def sizes(
    q: SimpleNamespace, default: int = 0, stride: int = 0, around: int = -1, up: tuple = UP, rule: bool = True
) -> tuple[int, ...]:
    """The four answers by the formulas, with some of their parts changed.

    ``around`` is the padding of both sides together; ``rule`` leaves out a window that starts too far right.
    """
    default, stride = default or q.kernel, stride or q.stride
    around = 2 * q.padding if around < 0 else around
    answers = []
    for step, padding, ceil_mode in zip(
        (default, stride, stride, default), (0, around, 0, around), up, strict=True
    ):
        steps = (q.size + padding - q.kernel) / step
        last = math.ceil(steps) if ceil_mode else math.floor(steps)
        if rule and last * step >= q.size + padding / 2:
            last -= 1
        answers.append(last + 1)
    return tuple(answers)


exercise = Predict(
    title=("The size after pooling", "池化之后的尺寸"),
    task=(
        """
        A picture of {size}x{size} goes through each of these layers (not one after the other):

            MaxPool2d({kernel})
            MaxPool2d({kernel}, stride={stride}, padding={padding})
            MaxPool2d({kernel}, stride={stride}, ceil_mode=True)
            MaxPool2d({kernel}, padding={padding}, ceil_mode=True)

        How high is the output of each? Answer with a tuple of four numbers, worked out with a pencil.
        """,
        """
        一张 {size}x{size} 的图片，分别经过下面四层（各算各的，不是一层接一层）：

            MaxPool2d({kernel})
            MaxPool2d({kernel}, stride={stride}, padding={padding})
            MaxPool2d({kernel}, stride={stride}, ceil_mode=True)
            MaxPool2d({kernel}, padding={padding}, ceil_mode=True)

        每层的输出各有多高？动笔算一算，答案写成四个数的元组。
        """,
    ),
    draw=draw,
    right=by_torch,
    formula=(
        "floor(({size} - {kernel}) / {kernel}) + 1; floor(({size} + 2*{padding} - {kernel}) / {stride}) + 1; "
        "ceil(({size} - {kernel}) / {stride}) + 1; and ceil(({size} + 2*{padding} - {kernel}) / {kernel}) + "
        "1, less the last window, which would start in the padding on the right. So {right}.",
        "第一层 floor(({size} - {kernel}) / {kernel}) + 1；第二层 floor(({size} + 2*{padding} - {kernel}) / "
        "{stride}) + 1；第三层 ceil(({size} - {kernel}) / {stride}) + 1；第四层 ceil(({size} + 2*{padding} - "
        "{kernel}) / {kernel}) + 1，最后一个窗口会从右边的填充里开始，要去掉。所以是 {right}。",
    ),
    hints=[
        (
            "Which stride has a layer to which none is given? It is another one than a convolution's.",
            "没有写步长的层，步长是多少？和卷积的默认值不一样。",
        ),
        (
            "The formula is that of lesson 3: rounded down without ceil_mode, up with it. Padding counts on "
            "both sides.",
            "公式在第 3 课：没有 ceil_mode 时向下取整，有就向上取整。填充两边都要算。",
        ),
        (
            "With ceil_mode, look at where the last window starts: (count - 1) * stride, counted from the "
            "left end of the padding. From size + padding on it lies in the padding on the right, and is "
            "dropped.",
            "有 ceil_mode 时，看看最后一个窗口从哪里开始：从左边填充的起点数，是 (个数 - 1) * 步长。"
            "达到 尺寸 + 填充，就落进了右边的填充里，不算。",
        ),
    ],
    wrong=[
        Wrong(
            lambda q: sizes(q, default=1),
            "Where no stride is given you move by 1, as a convolution does. Pooling moves by its whole "
            "window: {kernel}.",
            "没有写步长的地方，你像卷积那样一格一格地挪。池化每次挪一整个窗口：{kernel}。",
        ),
        Wrong(
            lambda q: sizes(q, stride=q.kernel),
            "In the second and third layer you move by the window's {kernel}. There a stride is given: "
            "{stride}.",
            "第二、第三层里你按窗口的大小 {kernel} 挪了。那里写了步长：{stride}。",
        ),
        Wrong(
            lambda q: sizes(q, up=(False,) * 4),
            "You always round down. With ceil_mode=True the last window may hang over the edge: the third "
            "layer has one more.",
            "你总是向下取整。ceil_mode=True 时最后一个窗口可以悬在边外：第三层要多一个。",
        ),
        Wrong(
            lambda q: sizes(q, up=(True,) * 4),
            "You always round up. The first two layers have no ceil_mode: a window that does not fit any "
            "more is left out there.",
            "你总是向上取整。前两层没有 ceil_mode：放不下的窗口就不要。",
        ),
        Wrong(
            lambda q: sizes(q, up=(False, True, False, False)),
            "ceil_mode has changed places: padding alone does not round up, ceil_mode does.",
            "取整的方向弄反了：光有填充并不向上取整，有 ceil_mode 才向上。",
        ),
        Wrong(
            lambda q: sizes(q, rule=False),
            "One rule is missing in the fourth layer: a window must start inside the picture or its left "
            "padding. The last one would start in the padding on the right, with nothing in it.",
            "第四层漏了一条规则：窗口的起点必须在图片里，或者在左边的填充里。"
            "最后一个窗口要从右边的填充里开始，里面什么也没有，所以不算。",
        ),
        Wrong(
            lambda q: sizes(q, around=0),
            "The padding is missing in the second and fourth layer: {padding} on the left and on the right "
            "make {size} + 2*{padding}.",
            "第二、第四层没有算填充：左右各补 {padding}，宽度是 {size} + 2*{padding}。",
        ),
        Wrong(
            lambda q: sizes(q, around=q.padding),
            "The padding counts on both sides: {size} + 2*{padding}, not {size} + {padding}.",
            "填充两边都要算：是 {size} + 2*{padding}，不是 {size} + {padding}。",
        ),
        Wrong(
            lambda q: tuple(size - 1 for size in sizes(q)),
            "The + 1 is missing everywhere: the window has a first place before it has moved.",
            "四层都少了最后的 + 1：窗口还没有挪动时，就已经有一个位置了。",
        ),
    ],
    learned=(
        "{answer}, as MaxPool2d has it. Nothing would have warned you of another number: a network only "
        "stops at its first Linear. Where you may choose, take a size that the window divides, and ceil_mode "
        "makes no difference.",
        "{answer}，和 MaxPool2d 一样。算错了也不会有提醒，要到第一个 Linear 才报错。能自己选的时候，"
        "选一个窗口除得尽的尺寸，有没有 ceil_mode 就都一样了。",
    ),
)
