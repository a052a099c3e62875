"""Max pooling as a loop, with stride, padding and ceil_mode as MaxPool2d has them."""

import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor

from lessons.practice import Write, Wrong, tensors

cases = st.fixed_dictionaries(
    {
        "picture": tensors((3, 8), (3, 8)),
        "kernel_size": st.integers(2, 3),
        "stride": st.one_of(st.none(), st.integers(1, 4)),
        "padding": st.integers(0, 1),
        "ceil_mode": st.booleans(),
    }
)


def by_torch(picture: Tensor, kernel_size: int, stride: int | None, padding: int, ceil_mode: bool) -> Tensor:
    return F.max_pool2d(picture[None, None], kernel_size, stride, padding, ceil_mode=ceil_mode)[0, 0]


exercise = Write(
    title=("Max pooling as a loop", "用循环写最大池化"),
    task=(
        """
        Write max pooling with a loop. picture is (H, W); what comes back is (H_out, W_out), the same as

            F.max_pool2d(picture[None, None], kernel_size, stride, padding, ceil_mode=ceil_mode)[0, 0]

        - stride None means: as far as the kernel is large.
        - padding surrounds the picture, but never wins, even where all numbers are negative.
        - ceil_mode lets the last window hang over the right and lower edge; but a window that would start
          in the padding there, or beyond it, is left out.
        """,
        """
        用循环写最大池化。picture 的形状是 (H, W)，返回 (H_out, W_out)，结果要和下面这句一样：

            F.max_pool2d(picture[None, None], kernel_size, stride, padding, ceil_mode=ceil_mode)[0, 0]

        - stride 为 None 时，步长等于窗口的大小。
        - padding 把图片围起来，但永远不会胜出，哪怕数全是负的。
        - ceil_mode 允许最后一个窗口伸出右边和下边；但起点落在那一侧填充里或更外面的窗口不要。
        """,
    ),
    start="""
        import math

        import torch


        def max_pool(picture, kernel_size, stride=None, padding=0, ceil_mode=False):
            ...
        """,
    solution="""
        import math

        import torch


        def max_pool(picture, kernel_size, stride=None, padding=0, ceil_mode=False):
            stride = stride or kernel_size
            height, width = (windows(size, kernel_size, stride, padding, ceil_mode) for size in picture.shape)
            output = torch.empty(height, width)
            for row in range(height):
                for column in range(width):
                    top, left = row * stride - padding, column * stride - padding
                    window = picture[max(top, 0) : top + kernel_size, max(left, 0) : left + kernel_size]
                    output[row, column] = window.max()  # of what lies inside the picture
            return output


        def windows(size, kernel_size, stride, padding, ceil_mode):
            steps = (size + 2 * padding - kernel_size) / stride
            count = (math.ceil(steps) if ceil_mode else math.floor(steps)) + 1
            if (count - 1) * stride >= size + padding:  # the last one would start outside
                count -= 1
            return count
        """,
    cases=cases,
    probe=lambda learner, **case: learner.max_pool(**case),
    reference=by_torch,
    without=("max_pool", "adaptive_max_pool", "_adaptive", "im2col"),
    hints=[
        (
            "First the size: how many windows fit side by side? The formula of lesson 3 says it for height "
            "and width alike.",
            "先算大小：横着能放几个窗口？第 3 课的公式对高和宽都适用。",
        ),
        (
            "Window (row, column) begins at row * stride - padding. A begin below 0 means: the padding is in "
            "it. Cut the slice at 0 and take the largest of what is left.",
            "第 (row, column) 个窗口从 row * stride - padding 开始。小于 0 说明含有填充：从 0 切起，"
            "取剩下的最大值。",
        ),
        (
            "With ceil_mode, count = ceil((size + 2 * padding - kernel_size) / stride) + 1, and one less "
            "when (count - 1) * stride >= size + padding.",
            "ceil_mode 时 count = ceil((size + 2 * padding - kernel_size) / stride) + 1；"
            "如果 (count - 1) * stride >= size + padding，再减 1。",
        ),
    ],
    wrong=[
        Wrong(
            {"math.ceil(steps) if ceil_mode else math.floor(steps)": "math.floor(steps)"},
            "ceil_mode is not used: with ceil_mode=True the number of steps is rounded up, and the last "
            "window may hang over the edge. Here {wanted.shape[0]}x{wanted.shape[1]} windows were "
            "wanted.",
            "没有用到 ceil_mode：它为 True 时步数要向上取整，最后一个窗口可以伸出边缘。"
            "这里应该有 {wanted.shape[0]}x{wanted.shape[1]} 个窗口。",
        ),
        Wrong(
            {"math.ceil(steps) if ceil_mode else math.floor(steps)": "math.ceil(steps)"},
            "You always round up. Without ceil_mode, a window that does not fit any more is left out.",
            "总是向上取整了。没有 ceil_mode 时，放不下的窗口就不要。",
        ),
        Wrong(
            {"count -= 1": "pass"},
            "One window too many, and there is nothing in it to take the largest of: with ceil_mode too, "
            "a window must start inside the picture ({picture.shape[0]}x{picture.shape[1]}) or its left "
            "padding.",
            "多了一个窗口，里面一个数都没有，取不出最大值：即使 ceil_mode，窗口也必须从图片"
            "（{picture.shape[0]}x{picture.shape[1]}）里或左侧填充里开始。",
        ),
        Wrong(
            {
                "count -= 1": "pass",
                "window.max()": "window.max() if window.numel() else -torch.inf",
            },
            "One window too many: it holds padding alone, so its largest number is minus infinity. With "
            "ceil_mode too, a window must start inside the picture or its left padding.",
            "多了一个窗口：里面只有填充，最大值是负无穷。即使 ceil_mode，"
            "窗口也必须从图片里或左侧填充里开始。",
        ),
        Wrong(
            {"stride = stride or kernel_size": "stride = stride or 1"},
            "Without a stride you move by 1. A convolution does so; pooling moves by a whole window, "
            "here {kernel_size}.",
            "没有给步长时你一格一格地挪。卷积是这样，池化却每次挪一整个窗口，这里是 {kernel_size}。",
        ),
        Wrong(
            {"stride = stride or kernel_size": "stride = kernel_size"},
            "stride={stride} is not used: you always move by the kernel's {kernel_size}.",
            "没有用到 stride={stride}：你总是挪一个窗口的大小 {kernel_size}。",
        ),
        Wrong(
            """
            import math
            import torch
            import torch.nn.functional as F

            def max_pool(picture, kernel_size, stride=None, padding=0, ceil_mode=False):
                stride = stride or kernel_size
                size = picture.shape
                picture = F.pad(picture, (padding, padding + 3 * stride, padding, padding + 3 * stride))
                height, width = (windows(s, kernel_size, stride, padding, ceil_mode) for s in size)
                output = torch.empty(height, width)
                for i in range(height):
                    for j in range(width):
                        top, left = i * stride, j * stride
                        output[i, j] = picture[top : top + kernel_size, left : left + kernel_size].max()
                return output

            def windows(size, kernel_size, stride, padding, ceil_mode):
                steps = (size + 2 * padding - kernel_size) / stride
                count = (math.ceil(steps) if ceil_mode else math.floor(steps)) + 1
                return count - 1 if (count - 1) * stride >= size + padding else count
            """,
            "Your frame is made of zeros, and a zero wins where all numbers are negative. Padding of a "
            "maximum is minus infinity: it never wins.",
            "你补的是零，窗口里全是负数时零就胜出了。求最大值时，填充应当是负无穷：永远不会胜出。",
        ),
        Wrong(
            {"row * stride - padding, column * stride - padding": "row * stride, column * stride"},
            "The number of windows is right, but the first one should begin {padding} outside the "
            "picture: padding shifts all windows up and to the left.",
            "窗口个数对了，但第一个应当从图片外 {padding} 格开始：填充让所有窗口往左上移。",
        ),
        Wrong(
            {"window.max()": "window.mean()"},
            "That is the mean of each window: average pooling.",
            "你取的是每个窗口的平均值：那是平均池化。",
        ),
        Wrong(
            {"return output": "return output.T"},
            "Height and width have changed places: row goes with shape[0], column with shape[1]. On a "
            "square picture this is easy to miss.",
            "高和宽弄反了：row 对应 shape[0]，column 对应 shape[1]。图片是正方形时看不出来。",
        ),
    ],
    variants=[
        {"window.max()": "torch.amax(window)", "torch.empty": "torch.zeros", "math.floor": "int"},
        """
        import torch

        def max_pool(picture, kernel_size, stride=None, padding=0, ceil_mode=False):
            if stride is None:
                stride = kernel_size
            H, W = picture.shape
            padded = torch.full((H + 2 * padding + stride, W + 2 * padding + stride), -torch.inf)
            padded[padding : padding + H, padding : padding + W] = picture

            def starts(size):
                end = size + 2 * padding - kernel_size
                found = list(range(0, end + 1, stride))
                if ceil_mode and end % stride and found[-1] + stride < size + padding:
                    found.append(found[-1] + stride)
                return found

            return torch.stack([
                torch.stack([padded[i : i + kernel_size, j : j + kernel_size].max() for j in starts(W)])
                for i in starts(H)
            ])
        """,
        """
        import numpy as np
        import torch

        def max_pool(picture, kernel_size, stride=None, padding=0, ceil_mode=False):
            step = stride or kernel_size
            far = kernel_size + step
            frame = np.pad(picture.numpy(), ((padding, padding + far),) * 2, constant_values=-np.inf)
            rows = []
            for top in range(0, picture.shape[0] + padding, step):
                if top + kernel_size > picture.shape[0] + 2 * padding and not ceil_mode:
                    break
                if rows and top - step + kernel_size >= picture.shape[0] + 2 * padding:
                    break
                row = []
                for left in range(0, picture.shape[1] + padding, step):
                    if left + kernel_size > picture.shape[1] + 2 * padding and not ceil_mode:
                        break
                    if row and left - step + kernel_size >= picture.shape[1] + 2 * padding:
                        break
                    row.append(frame[top : top + kernel_size, left : left + kernel_size].max())
                rows.append(row)
            return torch.tensor(np.array(rows))
        """,
    ],
    learned=(
        "Your loop agrees with F.max_pool2d on {cases} settings; the last was a picture of "
        "{picture.shape[0]}x{picture.shape[1]} with kernel_size={kernel_size}, stride={stride}, "
        "padding={padding}, ceil_mode={ceil_mode}, which left {got.shape[0]}x{got.shape[1]} numbers. Two "
        "things make pooling differ from a convolution: it moves by a whole window unless a stride is given, "
        "and its padding can never win.",
        "你的循环在 {cases} 种设置下都和 F.max_pool2d 一致；最后一种是 {picture.shape[0]}x{picture.shape[1]} "
        "的图片，kernel_size={kernel_size}、stride={stride}、padding={padding}、ceil_mode={ceil_mode}，"
        "剩下 {got.shape[0]}x{got.shape[1]} 个数。池化和卷积有两点不同：不另外说明时每次挪一整个窗口；"
        "填充永远不会胜出。",
    ),
)
