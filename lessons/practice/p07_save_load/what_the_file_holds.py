"""What a state_dict holds: which names, how many tensors, how many numbers, how many bytes."""

from functools import cache
from itertools import product
from random import Random
from types import SimpleNamespace

from torch import nn

from lessons.practice import Predict, Wrong


class Net(nn.Module):
    """The network that the task shows."""

    def __init__(self, first: int, second: int, kernel: int, classes: int) -> None:
        super().__init__()
        self.model1 = nn.Sequential(
            *(nn.Conv2d(3, first, kernel), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(first, second, kernel), nn.ReLU(), nn.AdaptiveAvgPool2d(1)),
            *(nn.Flatten(), nn.Linear(second, classes)),
        )


def draw(random: Random) -> dict:
    return {
        "first": random.choice([4, 6, 8]),
        "second": random.choice([10, 12, 16]),
        "kernel": random.choice([3, 5]),
        "classes": random.randint(4, 9),
    }


@cache
def by_torch(first: int, second: int, kernel: int, classes: int) -> tuple[str, int, int, int]:
    weights = Net(first, second, kernel, classes).state_dict()
    numbers = sum(tensor.numel() for tensor in weights.values())
    return list(weights)[-1], len(weights), numbers, sum(tensor.nbytes for tensor in weights.values())


def right(q: SimpleNamespace) -> tuple[str, int, int, int]:
    return by_torch(q.first, q.second, q.kernel, q.classes)


def sizes(numbers: int, bytes_each: float) -> tuple[int, int]:
    return numbers, int(numbers * bytes_each)


# What people take for the name, the number of tensors, and the numbers with their bytes; the first is right
NAMES = [
    (lambda q: right(q)[0], "", ""),
    (
        lambda q: "model1.2.bias",
        "The name: all layers are counted, those without weights as well. The Linear is the eighth, which is "
        "number 7.",
        "名字：没有权重的层也要数进去。Linear 是第八层，编号 7。",
    ),
    (
        lambda q: "model1.8.bias",
        "The name: a Sequential counts from 0, so the eighth layer is number 7.",
        "名字：Sequential 从 0 数起，第八层的编号是 7。",
    ),
    (
        lambda q: "7.bias",
        "The name begins with that of the attribute in which the Sequential lies, model1.",
        "名字前面要有 Sequential 所在的属性名 model1。",
    ),
]
TENSORS = [
    (lambda q: right(q)[1], "", ""),
    (
        lambda q: 3,
        "The tensors: three layers have weights, and each has a bias under a name of its own.",
        "张量个数：有权重的是三层，而每层的偏置另有一个名字。",
    ),
    (
        lambda q: 8,
        "The tensors: eight is the number of layers. ReLU, pooling and Flatten have learnt nothing and are "
        "not in the file; each of the others is there twice, with weight and bias.",
        "张量个数：8 是层数。ReLU、池化和 Flatten 没有学到什么，不在文件里；其余每层有两个：weight 和 bias。",
    ),
    (
        lambda q: 16,
        "The tensors: ReLU, pooling and Flatten have no weight and no bias. Two for each of the three "
        "others.",
        "张量个数：ReLU、池化和 Flatten 既没有 weight 也没有 bias。其余三层，每层两个。",
    ),
]
SIZES = [
    (lambda q: right(q)[2:], "", ""),
    (
        lambda q: sizes(right(q)[2] - q.first - q.second - q.classes, 4),
        "The numbers: the biases are missing, one for each channel that comes out, {first} + {second} + "
        "{classes}.",
        "数的个数：漏了偏置，每个输出通道一个，一共 {first} + {second} + {classes}。",
    ),
    (
        lambda q: sizes(right(q)[2] - (q.kernel - 1) * q.kernel * (3 + q.second) * q.first, 4),
        "The numbers: a kernel is {kernel} high and {kernel} wide, so {kernel}*{kernel} numbers for each "
        "pair of channels.",
        "数的个数：卷积核高 {kernel}、宽 {kernel}，每一对通道有 {kernel}*{kernel} 个数。",
    ),
    (
        lambda q: sizes(right(q)[2], 8),
        "The bytes: weights are float32, 32 bits or 4 bytes each. Eight would be Python's own float.",
        "字节数：权重是 float32，32 位，即 4 个字节。8 个字节的是 Python 自己的 float。",
    ),
    (
        lambda q: sizes(right(q)[2], 32),
        "The bytes: float32 has 32 bits, and eight bits are a byte.",
        "字节数：float32 是 32 位，8 位才是一个字节。",
    ),
]


def together(name: tuple, tensors: tuple, size: tuple) -> Wrong:
    """An answer of four parts, and what there is to say about each."""
    return Wrong(
        lambda q: (name[0](q), tensors[0](q), *size[0](q)),
        " ".join(part[1] for part in (name, tensors, size) if part[1]),
        "".join(part[2] for part in (name, tensors, size)),
    )


exercise = Predict(
    title=("What a state_dict holds", "state_dict 里有什么"),
    task=(
        """
        A network of eight layers:

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.model1 = Sequential(
                        Conv2d(3, {first}, {kernel}), ReLU(), MaxPool2d(2),
                        Conv2d({first}, {second}, {kernel}), ReLU(), AdaptiveAvgPool2d(1),
                        Flatten(), Linear({second}, {classes}),
                    )

        In Net().state_dict(): under which name is the bias of the Linear, how many tensors are there, how
        many numbers do they hold together, and how many bytes do these numbers take?
        answer = ("name", tensors, numbers, bytes)
        """,
        """
        一个八层的网络：

            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.model1 = Sequential(
                        Conv2d(3, {first}, {kernel}), ReLU(), MaxPool2d(2),
                        Conv2d({first}, {second}, {kernel}), ReLU(), AdaptiveAvgPool2d(1),
                        Flatten(), Linear({second}, {classes}),
                    )

        在 Net().state_dict() 里：Linear 的偏置叫什么名字？一共有几个张量？合起来有多少个数？
        这些数占多少字节？
        answer = ("名字", 张量个数, 数的个数, 字节数)
        """,
    ),
    draw=draw,
    right=right,
    formula=(
        "weight and bias of three layers: {first}*3*{kernel}*{kernel} + {first}, "
        "{second}*{first}*{kernel}*{kernel} + {second}, {classes}*{second} + {classes}; 4 bytes each. So it "
        "is {right}.",
        "三层各有 weight 和 bias：{first}*3*{kernel}*{kernel} + {first}，{second}*{first}*{kernel}*{kernel} "
        "+ {second}，{classes}*{second} + {classes}；每个数 4 字节。所以是 {right}。",
    ),
    hints=[
        (
            "Which of the eight layers have something to remember? Only they are in the file.",
            "八层里哪几层有东西要记？文件里只有它们。",
        ),
        (
            "A name is the way to the tensor: attribute, number in the Sequential from 0, weight or bias, "
            "with dots between.",
            "名字就是找到那个张量的路：属性名、在 Sequential 里的编号（从 0 起）、weight 或 bias，"
            "中间用点隔开。",
        ),
        (
            "model1.0, model1.3 and model1.7 have a weight and a bias each. Conv2d(a, b, k) has b*a*k*k "
            "weights and b biases, Linear(a, b) has b*a and b. A float32 takes 4 bytes.",
            "model1.0、model1.3 和 model1.7 各有一个 weight、一个 bias。Conv2d(a, b, k) 有 b*a*k*k 个权重和 "
            "b 个偏置，Linear(a, b) 有 b*a 个和 b 个。一个 float32 占 4 字节。",
        ),
    ],
    wrong=[
        *[together(*parts, SIZES[0]) for parts in product(NAMES, TENSORS)][1:],
        *(together(NAMES[0], TENSORS[0], size) for size in SIZES[1:]),
        *(together(name, TENSORS[0], SIZES[1]) for name in NAMES[1:]),
    ],
    learned=(
        "Your {answer}: names and numbers, and not a line of code. So any network fits that has the same "
        "names and shapes. The numbers of the layers are part of the names: put one more layer in front, and "
        "the old file does not fit.",
        "{answer}：只有名字和数，一行代码也没有。所以名字和形状相同的网络都装得进去。层的编号是名字的一部分："
        "在前面多加一层，旧文件就对不上了。",
    ),
)
