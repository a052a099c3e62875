"""How many numbers a convolution and a Linear learn: kernels, channels, biases, and the row after Flatten."""

from random import Random
from types import SimpleNamespace

from torch import nn

from lessons.practice import Predict, Wrong


def draw(random: Random) -> dict:
    kernel = random.choice([3, 5, 7])
    return {
        "batch": random.choice([16, 32, 64]),
        "channels": random.choice([3, 4, 6]),
        "size": random.choice([8, 12, 16, 20, 24]),
        "out": random.choice([8, 10, 12, 16]),
        "kernel": kernel,
        "padding": (kernel - 1) // 2,
        "classes": random.choice([5, 7, 9]),
    }


def by_torch(q: SimpleNamespace) -> tuple[int, ...]:
    layers = (
        nn.Conv2d(q.channels, q.out, q.kernel, padding=q.padding),
        nn.Linear(q.out * (q.size // 2) ** 2, q.classes),
    )
    return tuple(sum(parameter.numel() for parameter in layer.parameters()) for layer in layers)


def counts(q: SimpleNamespace, conv_bias: int = -1, linear_bias: int = -1, **changed: int) -> tuple[int, int]:
    """Both numbers as one works them out by hand, with some of the parts changed."""
    n = {"channels": q.channels, "area": q.kernel**2, "row": q.out * (q.size // 2) ** 2, **changed}
    conv = n["channels"] * q.out * n["area"] + (q.out if conv_bias < 0 else conv_bias)
    return conv, n["row"] * q.classes + (q.classes if linear_bias < 0 else linear_bias)


exercise = Predict(
    title=("How many numbers are learnt", "要学多少个数"),
    task=(
        """
        A batch of pictures, ({batch}, {channels}, {size}, {size}), goes through

            Sequential(
                Conv2d({channels}, {out}, {kernel}, padding={padding}),
                MaxPool2d(2),
                Flatten(),
                Linear(..., {classes}),
            )

        How many parameters (numbers to learn) has the Conv2d, and how many the Linear? Answer with a tuple
        of two numbers; a sum such as answer = (2 * 3 + 4, 5 * 6) may stand as it is.
        """,
        """
        一批图片，形状 ({batch}, {channels}, {size}, {size})，经过

            Sequential(
                Conv2d({channels}, {out}, {kernel}, padding={padding}),
                MaxPool2d(2),
                Flatten(),
                Linear(..., {classes}),
            )

        Conv2d 有多少个参数（要学的数）？Linear 呢？答案写成两个数的元组；
        写成算式也行，例如 answer = (2 * 3 + 4, 5 * 6)。
        """,
    ),
    draw=draw,
    right=by_torch,
    formula=(
        "Conv2d: {channels}*{out} kernels of {kernel}*{kernel}, and {out} biases. Linear: the row after "
        "Flatten has {out} * ({size}/2) * ({size}/2) numbers; times {classes}, and {classes} biases. So "
        "{right}.",
        "Conv2d：{channels}*{out} 个 {kernel}*{kernel} 的卷积核，加 {out} 个偏置。Linear：展平后的一行有 "
        "{out} * ({size}/2) * ({size}/2) 个数，乘以 {classes}，再加 {classes} 个偏置。所以是 {right}。",
    ),
    hints=[
        (
            "Which of the numbers in the task does neither answer need? The same network takes any batch.",
            "题目里哪个数两个答案都用不着？同一个网络，批多大都行。",
        ),
        (
            "A convolution has a kernel for each pair of input and output channel, and a bias for each "
            "output channel; the size of the picture is not in it. A Linear has a weight for each pair of "
            "input and output.",
            "卷积层里，每一对输入、输出通道有一个卷积核，每个输出通道有一个偏置，和图片大小无关。"
            "全连接层里，每一对输入、输出有一个权重。",
        ),
        (
            "Follow the shape: the padding keeps the size, pooling halves it, Flatten lays out * (size / 2) "
            "* (size / 2) numbers in a row. Conv2d: in * out * k * k + out. Linear: row * classes + classes.",
            "跟着形状走：填充让尺寸不变，池化减半，Flatten 把 输出通道 * (尺寸/2) * (尺寸/2) 个数排成一行。"
            "Conv2d：输入通道 * 输出通道 * k * k + 输出通道；Linear：行长 * 类别数 + 类别数。",
        ),
    ],
    wrong=[
        Wrong(
            lambda q: counts(q, conv_bias=0, linear_bias=0),
            "Both answers lack the biases: one for each of the {out} output channels, and one for each of "
            "the {classes} outputs of the Linear.",
            "两个答案都没有算偏置：{out} 个输出通道各一个，Linear 的 {classes} 个输出也各一个。",
        ),
        Wrong(
            lambda q: counts(q, conv_bias=0),
            "The Linear is right. The Conv2d has {out} biases besides its kernels, one for each output "
            "channel.",
            "Linear 对了。Conv2d 除了卷积核，还有 {out} 个偏置，每个输出通道一个。",
        ),
        Wrong(
            lambda q: counts(q, linear_bias=0),
            "The Conv2d is right. The Linear has {classes} biases besides its weights, one for each output.",
            "Conv2d 对了。Linear 除了权重，还有 {classes} 个偏置，每个输出一个。",
        ),
        Wrong(
            lambda q: counts(q, channels=1),
            "For the Conv2d you count one kernel for each of the {out} output channels. Each of them has a "
            "kernel on each of the {channels} input channels.",
            "Conv2d 那里，{out} 个输出通道你各算了一个卷积核。其实每个输出通道在 {channels} "
            "个输入通道上各有一个。",
        ),
        Wrong(
            lambda q: counts(q, conv_bias=q.channels * q.out),
            "In the Conv2d you give a bias to each kernel. There is one for each output channel only, added "
            "after the {channels} input channels have been added up: {out} biases.",
            "Conv2d 里你给每个卷积核都算了一个偏置。偏置是每个输出通道一个，{channels} "
            "个输入通道相加之后才加上：一共 {out} 个。",
        ),
        Wrong(
            lambda q: counts(q, conv_bias=1, linear_bias=1),
            "You count a single bias for each layer. Each output channel has its own ({out}), and each "
            "output of the Linear, too ({classes}).",
            "你每层只算了一个偏置。每个输出通道各有一个（{out} 个），Linear 的每个输出也各有一个（{classes} "
            "个）。",
        ),
        Wrong(
            lambda q: counts(q, area=q.kernel),
            "A kernel of {kernel} is a square: {kernel}*{kernel} numbers, not {kernel}.",
            "边长 {kernel} 的卷积核是个方块：有 {kernel}*{kernel} 个数，不是 {kernel} 个。",
        ),
        Wrong(
            lambda q: counts(q, row=q.out * q.size**2),
            "The Conv2d is right. Your row for the Linear is that before pooling: MaxPool2d(2) halves "
            "{size}x{size} in both directions.",
            "Conv2d 对了。Linear 那一行用的是池化之前的尺寸：MaxPool2d(2) 把 {size}x{size} 的两边都减半。",
        ),
        Wrong(
            lambda q: counts(q, row=q.out * q.size**2 // 2),
            "The Conv2d is right. You halve the picture once; MaxPool2d(2) halves height and width, so a "
            "quarter of {size}*{size} is left.",
            "Conv2d 对了。你只减了一次半；MaxPool2d(2) 把高和宽都减半，{size}*{size} 只剩四分之一。",
        ),
        Wrong(
            lambda q: counts(q, row=(q.size // 2) ** 2),
            "The Conv2d is right. Flatten lays all {out} channels in the row, not one of them.",
            "Conv2d 对了。Flatten 把 {out} 个通道全排进这一行，不只是其中一个。",
        ),
        Wrong(
            lambda q: counts(q, row=q.channels * (q.size // 2) ** 2),
            "The Conv2d is right. But the row has the {out} channels that the convolution gives, no longer "
            "the {channels} that went in.",
            "Conv2d 对了。但这一行里是卷积给出的 {out} 个通道，而不再是输入的 {channels} 个。",
        ),
        Wrong(
            lambda q: counts(q, row=q.out * ((q.size - q.kernel + 1) // 2) ** 2),
            "The Conv2d is right. For the row you let the convolution shrink the picture; with "
            "padding={padding} it stays {size}x{size}, then pooling halves it.",
            "Conv2d 对了。算行长时，你让卷积把图片变小了；有 padding={padding}，它还是 {size}x{size}，"
            "然后池化减半。",
        ),
        Wrong(
            lambda q: counts(q, row=q.batch * q.out * (q.size // 2) ** 2),
            "The Conv2d is right. The batch of {batch} does not belong in the row: Flatten makes a row of "
            "each picture, and the weights are the same for all.",
            "Conv2d 对了。批的 {batch} 不能算进这一行：Flatten 给每张图片各排一行，所有图片共用同样的权重。",
        ),
        Wrong(
            lambda q: (counts(q)[0] * q.size**2, counts(q)[1]),
            "The Linear is right. The Conv2d does not have its weights anew at each of the {size}*{size} "
            "places: the same kernels are used everywhere, that is what makes it small.",
            "Linear 对了。Conv2d 并不是在 {size}*{size} 个位置上各有一套权重：处处用的是同一组卷积核，"
            "所以它的参数才这么少。",
        ),
    ],
    learned=(
        "{answer}: with pictures twice as wide and high, the Conv2d would keep its number, and the Linear "
        "would have four times as many weights. That is why networks shrink the picture before the first "
        "Linear.",
        "{answer}：图片的高和宽加倍，Conv2d 的参数一个也不多，Linear 的权重却变成四倍。"
        "所以网络总是先把图片变小，再接第一个 Linear。",
    ),
)
