"""Three ways to put a new layer into a network, of which one is never reached."""

from functools import cache
from itertools import product
from random import Random
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from lessons.practice import Predict, Wrong


class SmallVGG(nn.Module):
    """The network that the task shows, built as VGG16 is: features, avgpool, classifier."""

    def __init__(self, hidden: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.avgpool = nn.AdaptiveAvgPool2d(2)
        self.classifier = nn.Sequential(
            *(nn.Linear(32, hidden), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout()),
            nn.Linear(hidden, classes),
        )

    def forward(self, imgs: Tensor) -> Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(imgs)), 1))


def draw(random: Random) -> dict:
    classes = random.randint(8, 20)
    return {"hidden": random.choice([16, 24, 32]), "classes": classes, "new": random.randint(2, 6)}


@cache
def by_torch(hidden: int, classes: int, new: int) -> list[tuple[int, int]]:
    """For each way: how many scores a picture gets, and how many parameters came or went."""
    answer = []
    for way in "ABC":
        vgg = SmallVGG(hidden, classes)
        before = sum(parameter.numel() for parameter in vgg.parameters())
        if way == "A":
            vgg.add_module("add_linear", nn.Linear(classes, new))
        elif way == "B":
            vgg.classifier.add_module("add_linear", nn.Linear(classes, new))
        else:
            vgg.classifier[6] = nn.Linear(hidden, new)
        after = sum(parameter.numel() for parameter in vgg.parameters())
        answer.append((vgg(torch.zeros(1, 3, 8, 8)).shape[1], after - before))
    return answer


def right(q: SimpleNamespace) -> list[tuple[int, int]]:
    return by_torch(q.hidden, q.classes, q.new)


def added(q: SimpleNamespace, bias: int = 1) -> int:
    """The parameters of a Linear from the old classes to the new ones."""
    return (q.classes + bias) * q.new


def exchanged(q: SimpleNamespace, bias: int = 1) -> int:
    """The parameters of the new last layer less those of the old one."""
    return (q.hidden + bias) * (q.new - q.classes)


# What people expect of each way; the first of each is right
WAYS = {
    "A": [
        (lambda q: right(q)[0], "", ""),
        (
            lambda q: (q.new, added(q)),
            "A: forward calls features, avgpool and classifier, and knows nothing of add_linear. print(vgg) "
            "shows the layer, but no picture reaches it: {classes} scores, as before.",
            "A：forward 只调用 features、avgpool 和 classifier，不知道有 add_linear。print(vgg) 里看得到它，"
            "图片却到不了那里：还是 {classes} 个得分。",
        ),
        (
            lambda q: (q.classes, 0),
            "A: add_linear is never called, but it is part of the network: its {classes}*{new} + {new} "
            "parameters count, are saved and are given to the optimizer.",
            "A：add_linear 从没被调用，但它是网络的一部分：它的 {classes}*{new} + {new} "
            "个参数照样算数，会被保存，也会交给优化器。",
        ),
    ],
    "B": [
        (lambda q: right(q)[1], "", ""),
        (
            lambda q: (q.classes, added(q)),
            "B: classifier is a Sequential, and a Sequential calls all it holds, in order. The new layer "
            "comes last and gives {new} scores.",
            "B：classifier 是一个 Sequential，装了什么就依次调用什么。新层排在最后，给出 {new} 个得分。",
        ),
        (
            lambda q: (q.new, exchanged(q)),
            "B: add_module adds. The layer with {classes} scores stays, and the new one comes after it.",
            "B：add_module 是加一层。原来给 {classes} 个得分的那一层还在，新层接在它后面。",
        ),
    ],
    "C": [
        (lambda q: right(q)[2], "", ""),
        (
            lambda q: (q.new, (q.hidden + 1) * q.new),
            "C: the old layer goes when the new one takes its place, and with it go {hidden}*{classes} + "
            "{classes} parameters.",
            "C：新层占了旧层的位置，旧层就没有了，{hidden}*{classes} + {classes} 个参数也跟着走了。",
        ),
        (
            lambda q: (q.new, -exchanged(q)),
            "C: the sign. A layer with {new} scores is smaller than one with {classes}, so parameters go: "
            "the number is negative.",
            "C：符号反了。{new} 个得分的层比 {classes} 个得分的小，参数变少了，所以是负数。",
        ),
    ],
}


def together(ways: tuple) -> Wrong:
    """An answer for all three ways, and what there is to say about each."""
    return Wrong(
        lambda q: [way[0](q) for way in ways],
        " ".join(way[1] for way in ways if way[1]),
        "".join(way[2] for way in ways),
    )


exercise = Predict(
    title=("Where a new layer ends up", "新加的层在哪里"),
    task=(
        """
        A small network, built as VGG16 is:

            self.features = Sequential(Conv2d(3, 8, 3, padding=1), ReLU(), MaxPool2d(2))
            self.avgpool = AdaptiveAvgPool2d(2)
            self.classifier = Sequential(
                Linear(32, {hidden}), ReLU(), Dropout(),
                Linear({hidden}, {hidden}), ReLU(), Dropout(),
                Linear({hidden}, {classes}),
            )

            def forward(self, imgs):
                outputs = self.avgpool(self.features(imgs))
                return self.classifier(torch.flatten(outputs, 1))

        Each of these changes a fresh copy of it:

            A   vgg.add_module("add_linear", Linear({classes}, {new}))
            B   vgg.classifier.add_module("add_linear", Linear({classes}, {new}))
            C   vgg.classifier[6] = Linear({hidden}, {new})

        For each: how many scores does a picture get afterwards, and by how much does the number of
        parameters change (negative: fewer)? answer = ((scores, change), (scores, change), (scores, change))
        """,
        """
        一个小网络，结构和 VGG16 一样：

            self.features = Sequential(Conv2d(3, 8, 3, padding=1), ReLU(), MaxPool2d(2))
            self.avgpool = AdaptiveAvgPool2d(2)
            self.classifier = Sequential(
                Linear(32, {hidden}), ReLU(), Dropout(),
                Linear({hidden}, {hidden}), ReLU(), Dropout(),
                Linear({hidden}, {classes}),
            )

            def forward(self, imgs):
                outputs = self.avgpool(self.features(imgs))
                return self.classifier(torch.flatten(outputs, 1))

        下面每一行各改一个全新的网络：

            A   vgg.add_module("add_linear", Linear({classes}, {new}))
            B   vgg.classifier.add_module("add_linear", Linear({classes}, {new}))
            C   vgg.classifier[6] = Linear({hidden}, {new})

        对每一种：改完之后一张图片得到几个得分？参数个数变化多少（减少写负数）？
        answer = ((得分个数, 变化), (得分个数, 变化), (得分个数, 变化))
        """,
    ),
    draw=draw,
    right=right,
    formula=(
        "A and B add {classes}*{new} + {new}, but only B is called. C takes {hidden}*{classes} + {classes} "
        "away and brings {hidden}*{new} + {new}. So it is {right}.",
        "A 和 B 都多出 {classes}*{new} + {new}，但只有 B 会被调用。C 拿走 {hidden}*{classes} + {classes}，"
        "换来 {hidden}*{new} + {new}。所以是 {right}。",
    ),
    hints=[
        (
            "Read forward: which names does it call? Follow a picture through each of the three networks.",
            "看看 forward：它调用了哪几个名字？在三个网络里各跟着一张图片走一遍。",
        ),
        (
            "A Sequential calls all it holds, in order. A module that you have written calls what its "
            "forward says. Parameters are counted in both cases, called or not.",
            "Sequential 装了什么就依次调用什么；自己写的模块只调用 forward 里写的。参数则不管用没用到，"
            "都算在内。",
        ),
        (
            "Linear(a, b) has a*b weights and b biases. In A and B one such layer comes to the others; in C "
            "one comes and one goes. The number of scores is that of the last layer that is called.",
            "Linear(a, b) 有 a*b 个权重、b 个偏置。A 和 B 是多了一层；C 是来一层、走一层。"
            "得分个数由最后一个被调用的层决定。",
        ),
    ],
    wrong=[
        *[together(ways) for ways in product(*WAYS.values())][1:],
        Wrong(
            lambda q: [(q.classes, added(q, 0)), (q.new, added(q, 0)), (q.new, exchanged(q, 0))],
            "The scores are right, but the biases are missing: a Linear has one for each of its outputs.",
            "得分个数都对，但没有算偏置：Linear 的每个输出还有一个偏置。",
        ),
        Wrong(
            lambda q: [(q.new, added(q, 0)), (q.new, added(q, 0)), (q.new, exchanged(q, 0))],
            "Two things. The biases are missing: a Linear has one for each of its outputs. And A still gives "
            "{classes} scores, since forward never calls add_linear.",
            "两处不对。没有算偏置：Linear 的每个输出还有一个偏置。另外，A 还是给 {classes} 个得分，因为 "
            "forward 从不调用 add_linear。",
        ),
    ],
    learned=(
        "Your {answer} is what PyTorch counts. A and B look alike in print(vgg), and their parameters are as "
        "many; only the {classes} and {new} scores tell them apart. C is the usual way: no detour through "
        "{classes} old classes.",
        "{answer} 和 PyTorch 数出来的一样。A 和 B 用 print(vgg) 看都差不多，参数也一样多，只有得分个数 "
        "{classes} 和 {new} 分得出来。平时用的是 C：不必绕道原来的 {classes} 个类别。",
    ),
)
