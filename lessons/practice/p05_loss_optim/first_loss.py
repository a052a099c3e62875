"""The loss before the first step, and how low it gets with a softmax too many."""

import math
from random import Random
from types import SimpleNamespace

import torch
from torch import nn

from lessons.practice import Predict, Wrong


def draw(random: Random) -> dict:
    classes = random.choice([number for number in range(3, 21) if number != 10])
    return {"classes": classes, "batch": random.choice([16, 32, 64, 128])}


def by_torch(q: SimpleNamespace) -> tuple[float, float]:
    """Both losses, of the same score for all classes and of what softmax gives at best."""
    targets = torch.arange(q.batch) % q.classes
    loss_fn = nn.CrossEntropyLoss()
    first = loss_fn(torch.zeros(q.batch, q.classes), targets)
    lowest = loss_fn(nn.functional.one_hot(targets, q.classes).float(), targets)
    return round(first.item(), 3), round(lowest.item(), 3)


def second_softmax(q: SimpleNamespace) -> float:
    """What the softmax inside the loss makes of a 1 for the right class and a 0 for each other."""
    return math.e / (math.e + q.classes - 1)


# What people take the two numbers for
FIRST = {
    "right": (lambda q: by_torch(q)[0], "", ""),
    "probability": (
        lambda q: 1 / q.classes,
        "1/{classes} is the probability that each class gets; the loss is minus its logarithm.",
        "1/{classes} 是每个类别分到的概率，损失是它的对数再取负号。",
    ),
    "mistakes": (
        lambda q: 1 - 1 / q.classes,
        "1 - 1/{classes} is how many answers in all will be wrong. The loss does not count mistakes: it "
        "looks at the probability of the right class.",
        "1 - 1/{classes} 是答错的比例。损失不数错了几个，看的是正确类别的概率。",
    ),
    "minus": (
        lambda q: -math.log(q.classes),
        "A minus got lost: log(1/{classes}) is negative, and the loss is minus that.",
        "丢了一个负号：log(1/{classes}) 是负的，损失要再取负。",
    ),
    "base 2": (
        lambda q: math.log2(q.classes),
        "For the first number you took the logarithm to base 2; the loss has the natural one, to base e.",
        "第一个数用了以 2 为底的对数，损失用的是以 e 为底的自然对数。",
    ),
    "base 10": (
        lambda q: math.log10(q.classes),
        "For the first number you took the logarithm to base 10; the loss has the natural one, math.log.",
        "第一个数用了以 10 为底的对数，损失用的是自然对数 math.log。",
    ),
    "ten classes": (
        lambda q: math.log(10),
        "2.303 is log 10, for ten classes. Here there are {classes}.",
        "2.303 是 log 10，十个类别时的起点，这里有 {classes} 个类别。",
    ),
    "sum": (
        lambda q: q.batch * math.log(q.classes),
        "The first number is the sum over {batch} pictures. CrossEntropyLoss gives their mean, so the size "
        "of the batch does not matter.",
        "第一个数是 {batch} 张图片的总和。CrossEntropyLoss 给的是平均值，和批的大小无关。",
    ),
}
LOWEST = {
    "right": (lambda q: by_torch(q)[1], "", ""),
    "zero": (
        lambda q: 0.0,
        "The loss gets near 0 only if the right score may grow as far as it likes. Behind a softmax no score "
        "is above 1 and none below 0.",
        "只有正确类别的得分能一直变大，损失才接近 0。过了 softmax，得分最大是 1，最小是 0。",
    ),
    "start": (
        lambda q: math.log(q.classes),
        "log {classes} is where it begins. With a softmax too many the network still learns: the right class "
        "can get a 1 and each other a 0.",
        "log {classes} 是起点。多了一个 softmax，网络还是能学：正确类别可以到 1，其余可以到 0。",
    ),
    "ten classes": (
        lambda q: math.log(math.e + 9) - 1,
        "1.461 is the floor for ten classes. Here there are {classes}.",
        "1.461 是十个类别时的下限，这里有 {classes} 个类别。",
    ),
    "half": (
        lambda q: math.log(math.e + q.classes - 1),
        "log(e + {classes} - 1) is only the second half of the formula: the score of the right class, 1, is "
        "still to be taken away.",
        "log(e + {classes} - 1) 只是公式的后一半：还要减去正确类别自己的得分 1。",
    ),
    "one too many": (
        lambda q: math.log(math.e + q.classes) - 1,
        "Of {classes} classes one is right, so only {classes} - 1 others add their exp(0) = 1 to the sum.",
        "{classes} 个类别里有一个是正确的，所以求和时只有其余 {classes} - 1 个各加上 exp(0) = 1。",
    ),
    "probability": (
        second_softmax,
        "The second number is the probability that the right class has after the second softmax; the loss is "
        "minus its logarithm.",
        "第二个数是经过两次 softmax 之后正确类别的概率，损失是它的对数再取负号。",
    ),
    "base 2": (
        lambda q: -math.log2(second_softmax(q)),
        "For the second number you took the logarithm to base 2; the loss has the natural one, to base e.",
        "第二个数用了以 2 为底的对数，损失用的是以 e 为底的自然对数。",
    ),
    "base 10": (
        lambda q: -math.log10(second_softmax(q)),
        "For the second number you took the logarithm to base 10; the loss has the natural one, math.log.",
        "第二个数用了以 10 为底的对数，损失用的是自然对数 math.log。",
    ),
}


def both(first: str, lowest: str) -> Wrong:
    """An answer of two numbers, and what there is to say about each."""
    return Wrong(
        lambda q: (FIRST[first][0](q), LOWEST[lowest][0](q)),
        f"{FIRST[first][1]} {LOWEST[lowest][1]}".strip(),
        FIRST[first][2] + LOWEST[lowest][2],
    )


exercise = Predict(
    title=("Where a loss curve begins and ends", "损失曲线的起点和下限"),
    task=(
        """
        A network that has learnt nothing yet gives all {classes} classes the same score. It sees a batch of
        {batch} pictures, and CrossEntropyLoss compares its scores with the targets.

        1. How large is the loss before the first step?
        2. In another script a softmax comes before CrossEntropyLoss. Trained as well as can be: how low can
           its loss get?

        Answer with a tuple of two numbers, to two decimals or more. math.log and math.exp may help.
        """,
        """
        一个还什么都没学的网络，给 {classes} 个类别同样的得分。它看一批 {batch} 张图片，
        由 CrossEntropyLoss 把得分和标签作比较。

        1. 走第一步之前，损失是多少？
        2. 另一个脚本在 CrossEntropyLoss 前面又加了一个 softmax。训练得再好，损失最低能到多少？

        答案写成两个数的元组，至少保留两位小数。可以用 math.log 和 math.exp。
        """,
    ),
    draw=draw,
    right=by_torch,
    tolerance=0.01,
    formula=(
        "The loss is -x_c + log(sum of exp(x_j)). All scores alike: log {classes}. One score 1 and the "
        "others 0: -1 + log(e + {classes} - 1). Together {right}.",
        "损失是 -x_c + log(sum of exp(x_j))。得分全都一样：log {classes}。正确的是 1、其余是 0：-1 + log(e + "
        "{classes} - 1)。合起来是 {right}。",
    ),
    hints=[
        (
            "Which probability does each class get, when all scores are alike? And what does the loss make "
            "of the probability of the right class?",
            "得分全都一样时，每个类别分到多大的概率？损失又拿正确类别的概率做了什么？",
        ),
        (
            "For the second: what does a softmax give at best, for the right class and for the others? These "
            "are the scores that CrossEntropyLoss gets, and it has a softmax of its own.",
            "第二问：softmax 最好的结果是什么，正确类别是多少，其余是多少？CrossEntropyLoss "
            "就把这些当作得分，而它自己里面还有一个 softmax。",
        ),
        (
            "Put into -x_c + log(sum of exp(x_j)): first the same score everywhere, then x_c = 1 and each of "
            "the others 0. exp(0) is 1, and math.log is the natural logarithm.",
            "代入 -x_c + log(sum of exp(x_j))：先让得分全都相同，再取 x_c = 1、其余为 0。exp(0) 是 1，"
            "math.log 就是自然对数。",
        ),
    ],
    wrong=[
        *(both("right", lowest) for lowest in LOWEST if lowest != "right"),
        *(both(first, "right") for first in FIRST if first != "right"),
        *(both(first, "zero") for first in FIRST if first != "right"),
        *(both(name, name) for name in FIRST if name != "right" and name in LOWEST),
    ],
    learned=(
        "Your {answer}: a curve over {classes} classes begins at log {classes}, whatever the batch; one that "
        "begins elsewhere has a fault before the first step. With a softmax too many it begins at the same "
        "place, so the start shows nothing: it stops falling at the second number, even if all answers are "
        "right.",
        "{answer}：{classes} 个类别的曲线从 log {classes} 出发，和批的大小无关；起点不在那里，"
        "说明第一步之前就有问题。多了一个 softmax，起点也一样，看不出毛病：只是降到第二个数就再也下不去，"
        "哪怕答案全对。",
    ),
)
