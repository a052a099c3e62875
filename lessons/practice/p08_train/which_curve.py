"""Five trainings, and which curve belongs to which."""

from collections.abc import Callable
from functools import cache
from random import Random
from types import SimpleNamespace

import torch
from torch import Tensor, nn

from lessons.course.practice.grids import side_by_side
from lessons.practice import Predict, Wrong, curve

EPOCHS = 30
HEALTHY, HIGH, LOW, OVERFIT, NO_ZERO_GRAD = CAUSES = 1, 2, 3, 4, 5


def pictures(seed: int, number: int) -> tuple[Tensor, Tensor]:
    """Noise with a pattern in it, (N, 40), and what class it is, which the pattern does not quite decide."""
    generator = torch.Generator().manual_seed(seed)
    imgs = torch.randn(number, 40, generator=generator)
    patterns = torch.randn(40, 3, generator=torch.Generator().manual_seed(5))
    return imgs, (imgs @ patterns + 3 * torch.randn(number, 3, generator=generator)).argmax(dim=1)


@cache
def train(cause: int, seed: int) -> tuple[list[float], list[float]]:
    """A training that has this fault: its training losses and its validation losses, one an epoch."""
    imgs, targets = pictures(seed, 30 if cause == OVERFIT else 600)
    val_imgs, val_targets = pictures(seed + 1000, 300)
    loss_fn, losses, val_losses = nn.CrossEntropyLoss(), [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Linear(40, 3)
        optimizer = torch.optim.SGD(model.parameters(), lr={HIGH: 20.0, LOW: 0.002}.get(cause, 0.2))
        for _ in range(EPOCHS):
            losses.append(0.0)
            for some in torch.randperm(len(imgs)).chunk(3):
                loss = loss_fn(model(imgs[some]), targets[some])
                if cause != NO_ZERO_GRAD:
                    optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses[-1] += loss.item() / 3
            with torch.no_grad():
                val_losses.append(loss_fn(model(val_imgs), val_targets).item())
    return losses, val_losses


def draw(random: Random) -> dict:
    order = random.sample(CAUSES, 5)
    drawn: dict = {"order": order}
    panels = []
    for letter, cause in zip("ABCDE", order, strict=True):
        losses, val_losses = train(cause, random.randint(1, 20))
        name = {HEALTHY: "healthy", HIGH: "high", LOW: "low", OVERFIT: "overfit", NO_ZERO_GRAD: "added"}[
            cause
        ]
        drawn |= {name: letter, f"{name}_first": f"{losses[0]:.2f}", f"{name}_last": f"{losses[-1]:.2f}"}
        drawn |= {f"{name}_low": f"{min(losses):.2f}", f"{name}_val_low": f"{min(val_losses):.2f}"}
        drawn |= {f"{name}_val_last": f"{val_losses[-1]:.2f}", f"{name}_top": f"{max(losses[5:]):.2f}"}
        left, right = (curve(values, width=EPOCHS, height=4).splitlines() for values in (losses, val_losses))
        width = max(map(len, left))
        panels.append(side_by_side([(f"{letter}:", [line.ljust(width) for line in left]), ("", right)]))
    return {**drawn, "curves": "\n".join(panels)}


def swapped(one: int, other: int) -> Callable[[SimpleNamespace], tuple[int, ...]]:
    """The answer of someone who takes these two for each other."""
    change = {one: other, other: one}
    return lambda q: tuple(change.get(cause, cause) for cause in q.order)


exercise = Predict(
    title=("Five trainings, five curves", "五次训练，五条曲线"),
    task=(
        """
        Five trainings of the same small network, 30 epochs each. On the left the training loss, on the
        right the validation loss; beside each curve its highest and lowest value.

        {curves}

        1: nothing is wrong               2: the learning rate is a hundred times too high
        3: it is a hundred times too low  4: 30 training pictures instead of 600: it overfits
        5: zero_grad is missing

        Which is which? Answer with five numbers, those of A, B, C, D and E: answer = (1, 2, 3, 4, 5)
        would mean that A is 1, B is 2, and so on. Each number comes once.
        """,
        """
        同一个小网络的五次训练，各 30 轮。左边是训练损失，右边是验证损失；曲线旁边写着最高值和最低值。

        {curves}

        1：一切正常              2：学习率大了一百倍
        3：学习率小了一百倍      4：训练图片只有 30 张，不是 600 张：过拟合
        5：漏了 zero_grad

        哪个对哪个？依次写出 A、B、C、D、E 的编号：answer = (1, 2, 3, 4, 5)
        的意思是 A 是 1，B 是 2，依此类推。每个编号用一次。
        """,
    ),
    draw=draw,
    right=lambda q: tuple(q.order),
    formula=(
        "{healthy} is healthy (1): both fall and flatten out. {high} jumps (2). {low} goes only from "
        "{low_first} to {low_last} (3). In {overfit} the left one falls and the right one rises (4). In "
        "{added} both fall and both rise again (5). So: {right}.",
        "{healthy} 正常（1）：两条都降，然后变平。{high} 乱跳（2）。{low} 只从 {low_first} 降到 "
        "{low_last}（3）。{overfit} 左边降、右边升（4）。{added} 两条都先降后升（5）。所以是 {right}。",
    ),
    hints=[
        (
            "Read the numbers beside the curves first: two that look alike need not go equally far.",
            "先看曲线旁边的数：样子差不多的两条，降的幅度可能差得远。",
        ),
        (
            "Where the two sides disagree, the network knows its own pictures better than others. Where both "
            "go up, it loses what it had learnt, on its own pictures too.",
            "左右两边不一致，说明网络对自己学过的图片比对别的更熟。两边都往上，"
            "说明学会的又丢了，连自己的图片也认不好了。",
        ),
        (
            "Too high a rate jumps from the first epochs on. Without zero_grad the steps grow: a smooth "
            "fall, through the bottom, and up again. Too low a rate has hardly moved.",
            "学习率太大，从头几轮就开始乱跳。没有 zero_grad，步子越来越大：平滑地降下去，冲过谷底，又升上来。"
            "学习率太小，几乎没动。",
        ),
    ],
    wrong=[
        Wrong(
            swapped(HEALTHY, LOW),
            "{low} looks as if it falls nicely, but the axis says from {low_first} to {low_last}: in 30 "
            "epochs it has hardly moved. {healthy} comes down to {healthy_last}. Read the numbers beside a "
            "curve before its shape.",
            "{low} 看上去降得很好，可坐标上写的是从 {low_first} 到 {low_last}：30 轮几乎没动。{healthy} "
            "降到了 {healthy_last}。先看曲线旁边的数，再看形状。",
        ),
        Wrong(
            swapped(HEALTHY, OVERFIT),
            "On the left {overfit} looks best of all, {overfit_last}. On the right its loss has risen from "
            "{overfit_val_low} to {overfit_val_last}: it knows its 30 pictures by heart, and the others "
            "worse and worse. In {healthy} both sides fall.",
            "只看左边，{overfit} 最好，降到 {overfit_last}；可右边从 {overfit_val_low} 升到了 "
            "{overfit_val_last}：那 30 张背得烂熟，别的图片越认越差。{healthy} 是两边都降。",
        ),
        Wrong(
            swapped(OVERFIT, NO_ZERO_GRAD),
            "On the right both rise after a while. The left tells them apart: {overfit} goes on falling, to "
            "{overfit_last}, and so it overfits; in {added} the training loss itself rises again, from "
            "{added_low} to {added_last}. That is no overfitting, but steps that have grown too large.",
            "右边，两个都是降一阵又升。要看左边：{overfit} 一直降到 {overfit_last}，这才是过拟合；{added} "
            "连训练损失也从 {added_low} 升回 {added_last}，那不是过拟合，是步子越来越大了。",
        ),
        Wrong(
            swapped(HIGH, NO_ZERO_GRAD),
            "{high} jumps up and down from the first epochs on: each single step is too large. {added} is "
            "smooth; it comes down to {added_low} and only then rises, because the old gradients are added "
            "to each new one and carry it past the bottom.",
            "{high} 从头几轮就上下乱跳：每一步都太大。{added} 是平滑的，先降到 {added_low} 才升："
            "以前的梯度都加在新的上面，把它带过了谷底。",
        ),
        Wrong(
            swapped(HIGH, OVERFIT),
            "{high} is restless on both sides, up to {high_top} even on its own pictures: it does not know "
            "them at all. To overfit is to learn those too well: {overfit}, with {overfit_last} on the left.",
            "{high} 左右两边都在乱跳，连自己的图片也高到 {high_top}：根本没学好。过拟合是把它们学得太好："
            "{overfit}，左边是 {overfit_last}。",
        ),
        Wrong(
            swapped(HIGH, LOW),
            "Too high and too low have changed places. Small steps give a smooth line that hardly goes "
            "anywhere: {low}, from {low_first} to {low_last}. Large ones jump across the bottom and back: "
            "{high}.",
            "太大和太小弄反了。步子小，线就平滑，却走不了多远：{low} 从 {low_first} 到 {low_last}。"
            "步子大，就在谷底两边跳来跳去：{high}。",
        ),
        Wrong(
            swapped(HEALTHY, NO_ZERO_GRAD),
            "{added} falls fast at first and then gives it back: {added_low} at its best, {added_last} at "
            "the end. A healthy curve flattens out where it is: {healthy}, with {healthy_last}.",
            "{added} 开始降得快，后来又还回去了：最低 {added_low}，最后 {added_last}。"
            "正常的曲线降下去就变平：{healthy}，最后 {healthy_last}。",
        ),
        Wrong(
            lambda q: tuple(q.order.index(cause) + 1 for cause in CAUSES),
            "You have matched them well, but written it the other way round: for each cause the place of its "
            "picture. Asked was, for A to E, the number of the cause.",
            "配对没有错，但写反了：你写的是每个原因对应第几张图。题目要的是 A 到 E 各是哪个原因。",
        ),
    ],
    learned=(
        "All five. What told them apart: the numbers on the axis ({low} fell by next to nothing), both sides "
        "together ({overfit} ends at {overfit_last} on the left and {overfit_val_last} on the right), and "
        "whether a curve jumps ({high}) or turns round ({added}). One curve alone would not have been "
        "enough.",
        "五个全对。区别在于：坐标上的数（{low} 几乎没降），左右对照（{overfit} 左边到 {overfit_last}，右边到 "
        "{overfit_val_last}），还有曲线是乱跳（{high}）还是掉头（{added}）。只看一条曲线是不够的。",
    ),
)
