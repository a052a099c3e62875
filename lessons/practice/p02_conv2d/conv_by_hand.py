"""A convolution as a loop, with all that Conv2d has: batch, channels, bias, stride, padding, dilation."""

import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor

from lessons.practice import Write, Wrong, tensors


@st.composite
def convolutions(draw) -> dict:
    """Pictures and kernels that need not be square; the spread kernel fits into the padded picture."""
    batch, channels, kernels = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    dilation = draw(st.integers(1, 2))
    height, width = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    smallest = dilation * 2 + 1
    return {
        "imgs": draw(tensors(batch, channels, (smallest, 7), (smallest, 7), low=-5, high=5)),
        "weight": draw(tensors(kernels, channels, height, width, low=-2, high=2)),
        "bias": draw(st.one_of(st.none(), tensors(kernels))),
        "stride": draw(st.integers(1, 3)),
        "padding": draw(st.integers(0, 2)),
        "dilation": dilation,
    }


def by_torch(
    imgs: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int
) -> Tensor:
    return F.conv2d(imgs, weight, bias, stride, padding, dilation)


exercise = Write(
    title=("A convolution as a loop", "用循环写卷积"),
    task=(
        """
        Write a convolution with a loop. What comes back is the same as

            F.conv2d(imgs, weight, bias, stride, padding, dilation)

        - imgs: (N, C_in, H, W); neither pictures nor kernels need be square.
        - weight: (C_out, C_in, KH, KW), as in a Conv2d.
        - bias: (C_out,), or None.
        - stride, padding (zeros) and dilation: a whole number each, for both directions.
        """,
        """
        用循环写卷积，结果要和下面这句一样：

            F.conv2d(imgs, weight, bias, stride, padding, dilation)

        - imgs：(N, C_in, H, W)；图片和卷积核都不一定是正方形。
        - weight：(C_out, C_in, KH, KW)，和 Conv2d 的一样。
        - bias：(C_out,)，也可以是 None。
        - stride、padding（补零）、dilation：各是一个整数，两个方向通用。
        """,
    ),
    start="""
        import torch
        import torch.nn.functional as F


        def conv2d(imgs, weight, bias=None, stride=1, padding=0, dilation=1):
            ...
        """,
    solution="""
        import torch
        import torch.nn.functional as F


        def conv2d(imgs, weight, bias=None, stride=1, padding=0, dilation=1):
            kernel_h, kernel_w = weight.shape[2:]
            height = output_size(imgs.shape[2], kernel_h, stride, padding, dilation)
            width = output_size(imgs.shape[3], kernel_w, stride, padding, dilation)
            imgs = F.pad(imgs, (padding, padding, padding, padding))
            outputs = torch.zeros(len(imgs), len(weight), height, width)
            for row in range(height):
                for column in range(width):
                    top, left = row * stride, column * stride
                    window = imgs[
                        :,
                        :,
                        top : top + dilation * (kernel_h - 1) + 1 : dilation,
                        left : left + dilation * (kernel_w - 1) + 1 : dilation,
                    ]  # (N, C_in, KH, KW)
                    for number, kernel in enumerate(weight):
                        outputs[:, number, row, column] = (window * kernel).sum(dim=(1, 2, 3))
            if bias is not None:
                outputs += bias[:, None, None]
            return outputs


        def output_size(size, kernel, stride, padding, dilation):
            return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        """,
    cases=convolutions(),
    probe=lambda learner, **case: learner.conv2d(**case),
    reference=by_torch,
    without=("conv", "_conv", "slow_conv", "mkldnn_conv", "im2col"),
    examples=30,
    hints=[
        (
            "Begin with one picture of one channel and one kernel: lesson 2 does that with a loop. What has "
            "to be added up when there are several channels?",
            "先想一张单通道的图片和一个卷积核：第 2 课的循环做的就是它。有好几个通道时，还要把什么加起来？",
        ),
        (
            "Output channel o at (row, column) is the sum of window * weight[o] over all input channels and "
            "the whole kernel, and then bias[o] once. The window begins at row * stride, column * stride of "
            "the padded picture.",
            "输出通道 o 在 (row, column) 处的数，是 window * weight[o] 对所有输入通道和整个卷积核求和，"
            "再加一次 bias[o]。窗口从补过零的图片的 row * stride、column * stride 开始。",
        ),
        (
            "With dilation, window = imgs[:, :, top : top + dilation * (KH - 1) + 1 : dilation, left : left "
            "+ dilation * (KW - 1) + 1 : dilation]; outputs[:, o, row, column] = (window * "
            "weight[o]).sum(dim=(1, 2, 3)).",
            "有空洞时，window = imgs[:, :, top : top + dilation * (KH - 1) + 1 : dilation, left : left + "
            "dilation * (KW - 1) + 1 : dilation]；outputs[:, o, row, column] = (window * "
            "weight[o]).sum(dim=(1, 2, 3))。",
        ),
    ],
    wrong=[
        Wrong(
            {"(window * kernel)": "(window * kernel.flip(1, 2))"},
            "You turn the kernel by 180 degrees first. That is the convolution of mathematics; Conv2d lays "
            "the kernel down as it is.",
            "你先把卷积核转了 180 度。那是数学上的卷积；Conv2d 直接把卷积核放上去，不转。",
        ),
        Wrong(
            {"outputs += bias[:, None, None]": "pass"},
            "The bias is missing: each output channel has a number of its own that is added everywhere; here "
            "they are {bias}.",
            "少了偏置：每个输出通道有一个自己的数，处处都要加上，这里是 {bias}。",
        ),
        Wrong(
            {"if bias is not None:": "if bias:"},
            "`if bias:` asks whether the number in it is 0, and of two numbers it can't even ask. Whether "
            "there is a bias is asked with `is not None`.",
            "`if bias:` 问的是里面的数是不是 0，有两个数时连问都没法问。有没有偏置，要用 `is not None` "
            "来判断。",
        ),
        Wrong(
            {"outputs += bias[:, None, None]": "outputs += weight.shape[1] * bias[:, None, None]"},
            "The bias is added once for each of the {imgs.shape[1]} input channels. It belongs to the output "
            "channel: add it once, after the channels have been added up.",
            "{imgs.shape[1]} 个输入通道，每个都加了一次偏置。偏置属于输出通道：各通道求和之后只加一次。",
        ),
        Wrong(
            {"(window * kernel).sum(dim=(1, 2, 3))": "(window[:, 0] * kernel[0]).sum(dim=(1, 2))"},
            "Only the first input channel is used. A kernel has a layer for each of the {imgs.shape[1]} "
            "channels, and the results are added up.",
            "只用了第一个输入通道。卷积核在 {imgs.shape[1]} 个输入通道上各有一层，结果要相加。",
        ),
        Wrong(
            {"(window * kernel).sum(dim=(1, 2, 3))": "(window * kernel).sum(dim=(2, 3)).mean(dim=1)"},
            "You take the mean over the input channels; a convolution adds them up. Here your numbers are "
            "those of Conv2d divided by {imgs.shape[1]}, but for the bias.",
            "你对输入通道取了平均；卷积是把它们相加。除偏置以外，你的数是 Conv2d 的 {imgs.shape[1]} 分之一。",
        ),
        Wrong(
            {"return outputs\n\n": "return outputs[0]\n\n"},
            "The batch is gone: ({got.shape[0]}, {got.shape[1]}, {got.shape[2]}) instead of "
            "({wanted.shape[0]}, {wanted.shape[1]}, {wanted.shape[2]}, {wanted.shape[3]}). It stays in front "
            "even when it has one picture only.",
            "批不见了：形状是 ({got.shape[0]}, {got.shape[1]}, {got.shape[2]})，应为 ({wanted.shape[0]}, "
            "{wanted.shape[1]}, {wanted.shape[2]}, {wanted.shape[3]})。哪怕只有一张图片，"
            "批这一维也要留在最前面。",
        ),
        Wrong(
            {"(padding, padding, padding, padding)": "(padding, padding)"},
            "F.pad counts from the last dimension: two numbers pad left and right alone. Above and below, "
            "too, the picture has to grow by {padding}: four numbers.",
            "F.pad 从最后一维数起：只写两个数，就只补了左右。上下也要各补 {padding} 行零，所以要写四个数。",
        ),
        Wrong(
            {
                "size + 2 * padding -": "size + padding -",
                "(padding, padding, padding, padding)": "(padding, 0, padding, 0)",
            },
            "You pad on one side only. padding={padding} surrounds the picture: left and right, above and "
            "below.",
            "你只补了一边。padding={padding} 是把图片围起来：左右、上下都要补。",
        ),
        Wrong(
            {
                "top : top + dilation * (kernel_h - 1) + 1 : dilation": "top : top + kernel_h",
                "left : left + dilation * (kernel_w - 1) + 1 : dilation": "left : left + kernel_w",
                "- dilation * (kernel - 1) - 1": "- kernel",
            },
            "dilation={dilation} is not used: the numbers of the kernel should lie {dilation} pixels apart, "
            "and so the output becomes smaller, too.",
            "没有用到 dilation={dilation}：卷积核里的数在图片上要相隔 {dilation} 个像素，输出也会因此变小。",
        ),
        Wrong(
            {
                "top : top + dilation * (kernel_h - 1) + 1 : dilation": "top : top + kernel_h",
                "left : left + dilation * (kernel_w - 1) + 1 : dilation": "left : left + kernel_w",
            },
            "The size counts dilation={dilation}, the window does not: it takes pixels that touch each "
            "other, instead of lying {dilation} apart.",
            "算尺寸时用了 dilation={dilation}，取窗口时却没有：窗口里的像素应当每 {dilation} 个取一个，"
            "而不是紧挨着。",
        ),
        Wrong(
            {"top, left = row * stride, column * stride": "top, left = row, column"},
            "The number of places is right, but the kernel moves by 1 from one to the next instead of by "
            "{stride}.",
            "位置的个数对了，但卷积核每次只挪 1 格，而不是 {stride} 格。",
        ),
        Wrong(
            {"// stride + 1": "// stride"},
            "One row and one column are missing: the + 1 is the kernel's first place, before it has moved.",
            "少了一行一列：公式最后的 + 1，是卷积核还没有挪动时的那个位置。",
        ),
        Wrong(
            {"kernel_h, kernel_w = weight.shape[2:]": "kernel_h = kernel_w = weight.shape[2]"},
            "You take KH for both sides of the kernel. Here it is {weight.shape[2]} high and "
            "{weight.shape[3]} wide: the width is weight.shape[3].",
            "卷积核的两边你都用了 KH。这里它高 {weight.shape[2]}、宽 {weight.shape[3]}：宽是 "
            "weight.shape[3]。",
        ),
        Wrong(
            {"kernel_h, kernel_w = weight.shape[2:]": "kernel_h = kernel_w = weight.shape[3]"},
            "You take KW for both sides of the kernel. Here it is {weight.shape[2]} high and "
            "{weight.shape[3]} wide: the height is weight.shape[2].",
            "卷积核的两边你都用了 KW。这里它高 {weight.shape[2]}、宽 {weight.shape[3]}：高是 "
            "weight.shape[2]。",
        ),
        Wrong(
            {"output_size(imgs.shape[3], kernel_w,": "output_size(imgs.shape[2], kernel_w,"},
            "You work out the output's width from the height of the picture. Here the picture is "
            "{imgs.shape[2]} high and {imgs.shape[3]} wide.",
            "输出的宽你是用图片的高算的。这里图片高 {imgs.shape[2]}、宽 {imgs.shape[3]}。",
        ),
        Wrong(
            {"return outputs\n\n": "return outputs.mT\n\n"},
            "Height and width have changed places. On a square picture the shape would hide it.",
            "高和宽弄反了。图片是正方形时，从形状上看不出来。",
        ),
    ],
    variants=[
        {
            "for number, kernel in enumerate(weight):": "if True:",
            "outputs[:, number, row, column] = (window * kernel).sum(dim=(1, 2, 3))": (
                'outputs[:, :, row, column] = torch.einsum("nchw,ochw->no", window, weight)'
            ),
        },
        """
        import torch

        def conv2d(imgs, weight, bias=None, stride=1, padding=0, dilation=1):
            N, C, H, W = imgs.shape
            O, _, KH, KW = weight.shape
            padded = torch.zeros(N, C, H + 2 * padding, W + 2 * padding)
            padded[:, :, padding : padding + H, padding : padding + W] = imgs
            out_h = (H + 2 * padding - dilation * (KH - 1) - 1) // stride + 1
            out_w = (W + 2 * padding - dilation * (KW - 1) - 1) // stride + 1
            result = torch.zeros(N, O, out_h, out_w) if bias is None else bias.view(1, O, 1, 1).repeat(
                N, 1, out_h, out_w
            )
            for i in range(KH):  # a loop over the kernel instead of the picture
                for j in range(KW):
                    shifted = padded[:, :, i * dilation :, j * dilation :][:, :, ::stride, ::stride]
                    shifted = shifted[:, :, :out_h, :out_w]
                    result += torch.tensordot(shifted, weight[:, :, i, j], dims=([1], [1])).permute(0, 3, 1,
                    2)
            return result
        """,
        """
        import numpy as np
        import torch

        def conv2d(imgs, weight, bias=None, stride=1, padding=0, dilation=1):
            x = np.pad(imgs.numpy(), ((0, 0), (0, 0), (padding, padding), (padding, padding)))
            w = weight.numpy()
            n, c, h, width = x.shape
            o, _, kh, kw = w.shape
            rows = range(0, h - dilation * (kh - 1), stride)
            columns = range(0, width - dilation * (kw - 1), stride)
            y = np.zeros((n, o, len(rows), len(columns)), dtype=np.float32)
            for p in range(n):
                for k in range(o):
                    for a, top in enumerate(rows):
                        for b, left in enumerate(columns):
                            total = 0.0 if bias is None else float(bias[k])
                            for i in range(kh):
                                for j in range(kw):
                                    piece = x[p, :, top + i * dilation, left + j * dilation]
                                    total += float((piece * w[k, :, i, j]).sum())
                            y[p, k, a, b] = total
            return torch.from_numpy(y)
        """,
        """
        import torch

        def conv2d(imgs, weight, bias=None, stride=1, padding=0, dilation=1):
            padded = torch.nn.functional.pad(imgs, [padding] * 4)
            KH, KW = weight.shape[-2:]
            span_h, span_w = dilation * (KH - 1) + 1, dilation * (KW - 1) + 1
            windows = padded.unfold(2, span_h, stride).unfold(3, span_w, stride)[..., ::dilation, ::dilation]
            outputs = (windows[:, None] * weight[None, :, :, None, None]).sum(dim=(2, 5, 6))
            return outputs if bias is None else outputs + bias.reshape(-1, 1, 1)
        """,
    ],
    learned=(
        "Your loop agrees with F.conv2d on {cases} settings; in the last one ({imgs.shape[0]}, "
        "{imgs.shape[1]}, {imgs.shape[2]}, {imgs.shape[3]}) with kernels ({weight.shape[0]}, "
        "{weight.shape[1]}, {weight.shape[2]}, {weight.shape[3]}), stride={stride}, padding={padding}, "
        "dilation={dilation} became ({got.shape[0]}, {got.shape[1]}, {got.shape[2]}, {got.shape[3]}). Every "
        "output number has seen all input channels, but only a small piece of the picture; and PyTorch's own "
        "does just this, only fast.",
        "你的循环在 {cases} 种设置下都和 F.conv2d 一致；最后一种是 ({imgs.shape[0]}, {imgs.shape[1]}, "
        "{imgs.shape[2]}, {imgs.shape[3]}) 配 ({weight.shape[0]}, {weight.shape[1]}, {weight.shape[2]}, "
        "{weight.shape[3]}) 的卷积核，stride={stride}、padding={padding}、dilation={dilation}，得到 "
        "({got.shape[0]}, {got.shape[1]}, {got.shape[2]}, {got.shape[3]})。"
        "输出里的每个数都看遍了所有输入通道，却只看图片的一小块；PyTorch 做的就是这件事，只是快得多。",
    ),
)
