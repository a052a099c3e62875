"""The shape after a convolution: each term of lesson 2's formula counts."""

from random import Random
from types import SimpleNamespace

import torch
from torch import nn

from lessons.practice import Predict, Wrong


def draw(random: Random) -> dict:
    return {
        "batch": random.choice([16, 32, 64]),
        "size": random.randint(24, 40),
        "out": random.choice([6, 8, 12]),
        "kernel": random.choice([3, 5, 7]),
        "stride": random.choice([2, 3]),
        "padding": random.randint(2, 5),
        "dilation": random.choice([2, 3]),
    }


def after(q: SimpleNamespace, **changed: int) -> int:
    """The side of the output by the formula, with some of the numbers changed."""
    n = {**vars(q), **changed}
    return (n["size"] + 2 * n["padding"] - n["dilation"] * (n["kernel"] - 1) - 1) // n["stride"] + 1


def shape(q: SimpleNamespace, side: int) -> tuple[int, ...]:
    return q.batch, q.out, side, side


def by_torch(q: SimpleNamespace) -> tuple[int, ...]:
    layer = nn.Conv2d(3, q.out, q.kernel, stride=q.stride, padding=q.padding, dilation=q.dilation)
    return tuple(layer(torch.zeros(q.batch, 3, q.size, q.size)).shape)


exercise = Predict(
    title=("The shape after a convolution", "卷积之后的形状"),
    task=(
        """
        A batch of pictures, ({batch}, 3, {size}, {size}), goes through

            Conv2d(3, {out}, kernel_size={kernel}, stride={stride}, padding={padding}, dilation={dilation})

        Which shape comes out? Answer with a tuple of four numbers, worked out with a pencil.
        """,
        """
        一批图片，形状 ({batch}, 3, {size}, {size})，经过

            Conv2d(3, {out}, kernel_size={kernel}, stride={stride}, padding={padding}, dilation={dilation})

        输出是什么形状？动笔算一算，答案写成四个数的元组。
        """,
    ),
    draw=draw,
    right=by_torch,
    formula=(
        "floor((n + 2p - d (k - 1) - 1) / s) + 1 = floor(({size} + 2*{padding} - {dilation}*({kernel} - 1) - "
        "1) / {stride}) + 1, and so the shape is {right}.",
        "floor((n + 2p - d (k - 1) - 1) / s) + 1 = floor(({size} + 2*{padding} - {dilation}*({kernel} - 1) - "
        "1) / {stride}) + 1，所以形状是 {right}。",
    ),
    hints=[
        (
            "Two of the four numbers need no formula: which ones does a convolution take over as they are?",
            "四个数里有两个不用公式：卷积会原样照搬哪些？",
        ),
        (
            "The formula of lesson 2 has five numbers in it: size, kernel, stride, padding, dilation.",
            "第 2 课的公式里有五个数：尺寸、卷积核、步长、填充、空洞。",
        ),
        (
            "Padding counts on both sides. Dilation d spreads a kernel of k over d (k - 1) + 1 pixels. "
            "Divide by the stride, round down, add 1.",
            "填充两边都要算。空洞为 d 时，大小为 k 的卷积核占 d (k - 1) + 1 个像素。除以步长，向下取整，再加 "
            "1。",
        ),
    ],
    wrong=[
        Wrong(
            lambda q: shape(q, after(q, padding=0)),
            "Your {answer} comes out without padding: {padding} rings of zeros make the picture "
            "{size} + 2*{padding} wide before the kernel slides over it.",
            "不算填充才会得到 {answer}：卷积核滑动之前，图片外面补了 {padding} 圈零，宽度先变成 {size} + "
            "2*{padding}。",
        ),
        Wrong(
            lambda q: shape(q, (q.size + q.padding - q.dilation * (q.kernel - 1) - 1) // q.stride + 1),
            "Your {answer} counts the padding on one side only: {padding} is added left and right, "
            "above and below, so 2*{padding}.",
            "{answer} 只算了一边的填充：左右、上下各补 {padding}，一共是 2*{padding}。",
        ),
        Wrong(
            lambda q: shape(q, after(q, dilation=1)),
            "Your {answer} is the shape with dilation 1. With dilation={dilation} the numbers of the "
            "kernel lie {dilation} pixels apart, and it covers {dilation}*({kernel} - 1) + 1 of them.",
            "{answer} 是 dilation=1 时的形状。dilation={dilation} 时，卷积核的数彼此隔 {dilation} "
            "个像素，一共占 {dilation}*({kernel} - 1) + 1 个。",
        ),
        Wrong(
            lambda q: shape(q, after(q, stride=1)),
            "Your {answer} is the shape at stride 1: the kernel moves {stride} pixels at a time, so "
            "divide by it.",
            "{answer} 是步长为 1 的形状：卷积核每次挪 {stride} 个像素，要除以步长。",
        ),
        Wrong(
            lambda q: shape(
                q, -(-(q.size + 2 * q.padding - q.dilation * (q.kernel - 1) - 1) // q.stride) + 1
            ),
            "Your {answer} is rounded up. A convolution rounds down: where the last step of {stride} "
            "does not fit any more, there is no output (ceil_mode is for pooling).",
            "{answer} 是向上取整的结果。卷积向下取整：最后一步放不下 {stride} 格，就没有输出（ceil_mode "
            "是池化才有的）。",
        ),
        Wrong(
            lambda q: shape(q, after(q) - 1),
            "Your {answer} lacks the + 1 at the end: the kernel has a first place before it moves at all.",
            "{answer} 少了最后的 + 1：卷积核还没有挪动时，就已经有一个位置了。",
        ),
        Wrong(
            lambda q: (q.batch, 3, after(q), after(q)),
            "Height and width are right. The channels are not: {out} kernels give {out} channels, "
            "whatever came in.",
            "高和宽对了，通道数不对：{out} 个卷积核给出 {out} 个通道，和输入的通道数无关。",
        ),
        Wrong(
            lambda q: (q.out, q.batch, after(q), after(q)),
            "The numbers are right, but pictures and channels have changed places: the batch comes first.",
            "数都对，但图片数和通道数写反了：批在最前面。",
        ),
        Wrong(
            lambda q: (q.out, after(q), after(q)),
            "That is the shape of one picture's output: a convolution gives the batch of {batch} back as "
            "well.",
            "这是一张图片的输出形状：批的 {batch} 也要写上。",
        ),
        Wrong(
            lambda q: (q.batch, after(q), after(q), q.out),
            "The numbers are right, but PyTorch has the channels second: (N, C, H, W).",
            "数都对，但 PyTorch 的通道在第二位：(N, C, H, W)。",
        ),
    ],
    learned=(
        "Your {answer} is what Conv2d gives. Of the {size}x{size} pixels, the stride of {stride} alone "
        "leaves about one in {stride}*{stride}; padding {padding} and dilation {dilation} move the rim. The "
        "batch of {batch} goes through unchanged, and the channels are as many as there are kernels.",
        "{answer} 和 Conv2d 的结果一致。光是步长 {stride}，就让 {size}x{size} 个像素大约只剩 "
        "{stride}*{stride} 分之一；填充 {padding} 和空洞 {dilation} 影响的是边缘。批的 {batch} 原样通过，"
        "有几个卷积核就有几个通道。",
    ),
)
