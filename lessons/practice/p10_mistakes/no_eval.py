"""BatchNorm and Dropout in a network that is asked without eval()."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lessons.practice import Mend, Wrong


def trained(seed: int) -> nn.Module:
    """A small network whose BatchNorm has seen some batches; in training mode, as after a training."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(96, 3)
    )
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(8, 3, 6, 6))
    return model.train()


def probe(learner, seed: int) -> dict:
    """The first picture's probabilities: twice in a batch, then in another one, and alone."""
    imgs = torch.rand(6, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    brighter = torch.cat([imgs[:1], imgs[1:] * 3])
    model = trained(seed)
    before = model[1].running_mean.clone()
    asked = [learner.predict(model, batch) for batch in (imgs, imgs, brighter, imgs[:1])]
    first, again, others, alone = (answers[0].detach() for answers in asked)
    return {
        "first": percent(first),
        "again": percent(again),
        "others": percent(others),
        "alone": percent(alone),
        "gradients": asked[0].requires_grad,
        "the network changed": not torch.equal(model[1].running_mean, before),
    }


def percent(probabilities: Tensor) -> list[float]:
    return (100 * probabilities).tolist()


def answers(got: dict) -> str:
    """The first picture's probabilities, a line each time that it was asked about."""
    names = {"first": "[0 1 2 3 4 5]", "again": "[0 1 2 3 4 5]", "others": "[0 a b c d e]", "alone": "[0]"}
    return "\n".join(
        f"{name:<14}" + "".join(f"{number:7.1f}%" for number in got[key]) for key, name in names.items()
    )


exercise = Mend(
    title=("Another answer each time", "每次问，答案都不同"),
    task=(
        """
        predict gives the probabilities of each picture of a batch. The network has just been trained, and
        has BatchNorm and Dropout in it. The check asks four times about the same picture 0: twice in the
        same batch, in a batch with other pictures, and alone. It gets four answers.
        Mend predict, so that the answer depends on nothing but the picture and what has been learnt.
        """,
        """
        predict 给出一批图片各自的概率。网络刚训练完，里面有 BatchNorm 和 Dropout。
        检查时问同一张图片（编号 0）四遍：同一批里问两遍，和别的图片放在一批里问一遍，单独再问一遍，
        结果得到四种答案。把 predict 改好，让答案只取决于图片本身和网络学到的东西。
        """,
    ),
    solution="""
        import torch


        @torch.no_grad()
        def predict(model, imgs):
            model.eval()
            outputs = model(imgs)
            return outputs.softmax(dim=1)
        """,
    start={"    model.eval()\n": ""},
    symptom=(
        "Picture 0, class 0: {got[first][0]:.1f}%, asked again {got[again][0]:.1f}%, beside other pictures "
        "{got[others][0]:.1f}%, alone {got[alone][0]:.1f}%. {wanted[first][0]:.1f}% would be right each "
        "time.",
        "图片 0 属于类别 0 的概率：{got[first][0]:.1f}%；再问一遍 {got[again][0]:.1f}%；旁边换了图片 "
        "{got[others][0]:.1f}%；单独问 {got[alone][0]:.1f}%。本来每次都应该是 {wanted[first][0]:.1f}%。",
    ),
    look=answers,
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "Which two layers of the network behave differently while it is trained? What does each of them "
            "do then?",
            "网络里有哪两层，在训练时的做法和平时不同？训练时它们各做什么？",
        ),
        (
            "In training mode, Dropout strikes out numbers at random, and BatchNorm uses the mean of the "
            "batch that it is given. Each module has a mode, and one call sets it for the whole network.",
            "在训练模式下，Dropout 随机去掉一些数，BatchNorm 用的是眼前这一批的均值。每个模块都有模式，"
            "一次调用就能给整个网络设好。",
        ),
        (
            "model.eval(), with its brackets, before the network is called. no_grad does something else, and "
            "stays.",
            "在调用网络之前写 model.eval()，括号不能少。no_grad 管的是另一件事，留着。",
        ),
    ],
    wrong=[
        Wrong(
            {"    model.eval()\n": "    torch.manual_seed(0)\n"},
            "The seed makes Dropout strike out the same numbers again, but it still strikes some out, and "
            "BatchNorm still looks at the batch: {got[again][0]:.1f}% twice, {got[others][0]:.1f}% beside "
            "other pictures.",
            "定了种子，Dropout 每次去掉的是同一些数，可还是在去；BatchNorm 也还是看眼前这一批：两次都是 "
            "{got[again][0]:.1f}%，旁边换了图片就成了 {got[others][0]:.1f}%。",
        ),
        Wrong(
            {
                "    model.eval()\n": "    for layer in model.modules():\n"
                "        if isinstance(layer, torch.nn.Dropout):\n            layer.eval()\n"
            },
            "Dropout is quiet now, so asking twice gives {got[again][0]:.1f}% twice. BatchNorm still uses "
            "the mean of the batch: beside other pictures it is {got[others][0]:.1f}%.",
            "Dropout 不再起作用，同一批问两遍都是 {got[again][0]:.1f}%。可 BatchNorm 用的还是这一批的均值："
            "旁边换了图片就是 {got[others][0]:.1f}%。",
        ),
        Wrong(
            {
                "    model.eval()\n": "    for layer in model.modules():\n"
                "        if isinstance(layer, torch.nn.BatchNorm2d):\n            layer.eval()\n"
            },
            "BatchNorm now uses what it has learnt, but Dropout still strikes out half of the numbers: "
            "{got[first][0]:.1f}% the first time, {got[again][0]:.1f}% the second.",
            "BatchNorm 现在用的是学来的均值，可 Dropout 还在随机去掉一半的数：第一次 {got[first][0]:.1f}%，"
            "第二次 {got[again][0]:.1f}%。",
        ),
        Wrong(
            {"    model.eval()\n": "", "    return": "    model.eval()\n    return"},
            "eval() comes too late, when the network has answered: the first answer is {got[first][0]:.1f}%, "
            "those after it {got[again][0]:.1f}%.",
            "eval() 写得太晚，网络已经答完了：第一次是 {got[first][0]:.1f}%，之后才是 {got[again][0]:.1f}%。",
        ),
        Wrong(
            {"@torch.no_grad()\n": ""},
            "The answers are right, but what comes back still carries the graph of its computation: eval() "
            "does not switch gradients off. That is what no_grad was there for.",
            "答案对了，但返回的张量还带着计算图：eval() 并不会关掉梯度，那是 no_grad 的事。",
        ),
        Wrong(
            {
                "    model.eval()\n    outputs = model(imgs)\n": "    outputs = torch.cat([model(img[None])"
                " for img in imgs])\n"
            },
            "One picture at a time, so the others cannot matter. But now BatchNorm uses the mean of that "
            "one picture instead of what it has learnt, and Dropout strikes out numbers as before: "
            "{got[first][0]:.1f}%, then {got[again][0]:.1f}%.",
            "一次只送一张，别的图片确实影响不到了。可 BatchNorm 用的成了这一张自己的均值，"
            "而不是学来的；Dropout 也照样随机去掉一些数：先是 {got[first][0]:.1f}%，再问是 "
            "{got[again][0]:.1f}%。",
        ),
        Wrong(
            {
                "    model.eval()\n    outputs = model(imgs)\n": "    outputs = sum(model(imgs) for _ in"
                " range(10)) / 10\n"
            },
            "A mean of ten answers swings less, {got[first][0]:.1f}% and {got[again][0]:.1f}%, but it is "
            "still drawn at random, and still depends on the rest of the batch: {got[others][0]:.1f}%.",
            "十次答案求平均，摆动小了，{got[first][0]:.1f}% 和 {got[again][0]:.1f}%，但仍然是随机的，"
            "也仍然取决于同一批的其他图片：{got[others][0]:.1f}%。",
        ),
        Wrong(
            {"softmax(dim=1)": "softmax(dim=0)"},
            "softmax(dim=0) shares 100% among the pictures of the batch instead of among the classes: alone, "
            "picture 0 gets {got[alone][0]:.0f}% for every class.",
            "softmax(dim=0) 是把 100% 分给一批里的各张图片，而不是各个类别：单独问时，图片 0 "
            "的每个类别都成了 {got[alone][0]:.0f}%。",
        ),
    ],
    variants=[
        {"model.eval()": "model.train(False)"},
        {"@torch.no_grad()\n": "@torch.inference_mode()\n", "    return": "    model.train()\n    return"},
        """
        import torch

        def predict(model, imgs):
            was_training = model.training
            model.eval()
            with torch.no_grad():
                probabilities = torch.nn.functional.softmax(model(imgs), 1)
            model.train(was_training)
            return probabilities
        """,
        {
            "    model.eval()\n": "    for layer in model.modules():\n        layer.training = False\n",
        },
    ],
    learned=(
        "Picture 0 now gets {got[first][0]:.1f}% for class 0, however often and in whatever company it is "
        "asked about. eval() changes the mode of two kinds of layers: Dropout lets all through, BatchNorm "
        "takes the mean that it has learnt. It switches no gradients off, and no_grad changes no mode: a "
        "test wants both.",
        "现在图片 0 属于类别 0 的概率总是 {got[first][0]:.1f}%，问几遍、和谁放在一起都一样。eval() "
        "改变的是两种层的模式：Dropout 全部放行，BatchNorm 改用学来的均值。它不关梯度，no_grad "
        "也不改模式：测试时两个都要。",
    ),
)
