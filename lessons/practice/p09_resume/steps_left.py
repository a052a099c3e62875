"""Where a training goes on after a power cut in the middle of an epoch."""

from functools import cache
from random import Random
from types import SimpleNamespace

import torch
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader

from lessons.practice import Predict, Wrong


def draw(random: Random) -> dict:
    batch_size = random.choice([32, 64, 128])
    per_epoch = random.randint(21, 45)
    pictures = (per_epoch - 1) * batch_size + random.randint(2, batch_size - 2)
    every = random.choice([20, 25, 30, 50])
    cut = random.randint(3 * per_epoch, 9 * per_epoch)
    return {
        "pictures": pictures,
        "batch_size": batch_size,
        "per_epoch": per_epoch,
        "every": every,
        "cut": cut,
        "kept": cut // every * every,  # steps that the newest checkpoint knows of
        "done": cut // every * every % per_epoch,  # of them in the epoch of the checkpoint
        "epochs": 10,
        "lr": random.choice([0.1, 0.2, 0.4]),
        "gamma": random.choice([0.1, 0.5]),
        "each": random.choice([2, 3]),
    }


def at(steps: int, per_epoch: int) -> tuple[int, int]:
    """The epoch after so many steps, and how many are left of it."""
    if steps % per_epoch == 0:
        raise ValueError("at the end of an epoch, two answers would be right")
    return steps // per_epoch + 1, per_epoch - steps % per_epoch


def rate(q: SimpleNamespace, epochs_done: int) -> float:
    return by_torch(q.lr, q.each, q.gamma, epochs_done)


@cache
def by_torch(lr: float, each: int, gamma: float, epochs_done: int) -> float:
    """What StepLR has made of the learning rate after so many of its steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = StepLR(optimizer, step_size=each, gamma=gamma)
    for _ in range(epochs_done):
        optimizer.step()
        scheduler.step()
    return float(f"{scheduler.get_last_lr()[0]:.6g}")  # 0.01, not 0.010000000000000002


def place(q: SimpleNamespace, steps: int, per_epoch: int) -> tuple[int, int, float]:
    epoch, left = at(steps, per_epoch)
    return epoch, left, rate(q, epoch - 1)


def right(q: SimpleNamespace) -> tuple[int, int, float]:
    return place(q, q.kept, len(DataLoader(range(q.pictures), q.batch_size)))


exercise = Predict(
    title=("Where the training goes on", "从哪里接着走"),
    task=(
        """
        A training over {epochs} epochs, counted from 1: {pictures} pictures in batches of {batch_size},
        lr={lr} at first, and at the end of each epoch one step of StepLR(step_size={each}, gamma={gamma}).
        After every {every} steps, counted over all epochs, a checkpoint is written with everything in it.

        The power fails when {cut} steps are done. Then the training is resumed from the newest checkpoint.
        Answer with a tuple: the epoch in which it goes on, how many steps are left of that epoch,
        and the learning rate of the next step.
        """,
        """
        训练 {epochs} 轮，从第 1 轮数起：{pictures} 张图片，批大小 {batch_size}，开始时 lr={lr}，
        每轮结束时走一次 StepLR(step_size={each}, gamma={gamma})。
        步数从头累计，每走 {every} 步写一个检查点，该存的都存了。

        走完 {cut} 步时停电了，然后从最新的检查点恢复。
        答案依次写成三项的元组：在第几轮接着走、这一轮还剩几步、下一步的学习率。
        """,
    ),
    draw=draw,
    right=right,
    tolerance=1e-6,
    formula=(
        "An epoch has ceil({pictures} / {batch_size}) = {per_epoch} steps. The newest checkpoint knows of "
        "{kept} steps, so {done} of its epoch are done, and the learning rate has been multiplied by {gamma} "
        "once for every {each} finished epochs: {right}.",
        "一轮有 ceil({pictures} / {batch_size}) = {per_epoch} 步。最新的检查点记到第 {kept} "
        "步，也就是这一轮已经走了 {done} 步；每走完 {each} 轮，学习率乘一次 {gamma}：{right}。",
    ),
    hints=[
        (
            "Which step does the newest checkpoint stand at? And how many steps has an epoch: what becomes "
            "of the last few pictures?",
            "最新的检查点停在第几步？一轮又有几步：最后剩下的几张图片怎么办？",
        ),
        (
            "Steps an epoch: pictures / batch size, rounded up. Divide the checkpoint's step by it: the "
            "whole part counts finished epochs, the remainder the steps of the one that has begun.",
            "一轮的步数：图片数 / 批大小，向上取整。用检查点的步数除以它：商是走完的轮数，"
            "余数是新一轮里已经走的步数。",
        ),
        (
            "kept = cut // every * every; epoch = kept // steps + 1; left = steps - kept % steps; learning "
            "rate = lr * gamma ** ((epoch - 1) // step_size).",
            "kept = cut // every * every；epoch = kept // steps + 1；left = steps - kept % steps；学习率 = "
            "lr * gamma ** ((epoch - 1) // step_size)。",
        ),
    ],
    wrong=[
        Wrong(
            lambda q: place(q, q.cut, q.per_epoch),
            "You go on from step {cut}, where the power failed. Nobody wrote that down: the newest "
            "checkpoint is of step {kept}, and what came after it is done again.",
            "你从停电时的第 {cut} 步接着走。可是那时的状态没有存下来：最新的检查点是第 {kept} 步的，"
            "之后的几步要重走。",
        ),
        Wrong(
            lambda q: place(q, q.kept, q.per_epoch - 1),
            "You count {per_epoch} - 1 steps an epoch. {pictures} / {batch_size} is no whole number, and the "
            "pictures that are left over make one more, smaller batch.",
            "你把一轮算成了 {per_epoch} - 1 步。{pictures} / {batch_size} 除不尽，"
            "剩下的图片还要凑成一个小一点的批。",
        ),
        Wrong(
            lambda q: (right(q)[0], q.done, right(q)[2]),
            "{done} steps of this epoch are done. Asked was how many are left: {per_epoch} - {done}.",
            "{done} 是这一轮已经走了的步数。题目问还剩几步：{per_epoch} - {done}。",
        ),
        Wrong(
            lambda q: (right(q)[0], q.per_epoch, right(q)[2]),
            "You begin the epoch anew, with all {per_epoch} steps. The checkpoint knows that {done} of them "
            "are done, and in which order the pictures come: those {done} batches must not come twice.",
            "你把这一轮的 {per_epoch} 步从头走起。检查点里记着已经走了 {done} 步，也记着图片的顺序，那 "
            "{done} 批不该再看一遍。",
        ),
        Wrong(
            lambda q: (right(q)[0], q.epochs * q.per_epoch - q.kept, right(q)[2]),
            "That is what is left of all {epochs} epochs. Asked was the epoch in which it goes on: "
            "{per_epoch} - {done}.",
            "这是全部 {epochs} 轮还剩的步数。题目问的是接着走的那一轮：{per_epoch} - {done}。",
        ),
        Wrong(
            lambda q: (right(q)[0] - 1, *right(q)[1:]),
            "That many epochs are finished: {kept} steps, {per_epoch} in each. It goes on in the one after "
            "them, since they are counted from 1.",
            "这是已经走完的轮数：一共 {kept} 步，每轮 {per_epoch} 步。轮数从 1 数起，接着走的是下一轮。",
        ),
        Wrong(
            lambda q: (*right(q)[:2], q.lr),
            "The learning rate begins at {lr} again only if the scheduler is forgotten. Here everything is "
            "in the checkpoint, also how often the scheduler has stepped.",
            "只有漏掉了 scheduler，学习率才会又从 {lr} 开始。这里检查点什么都存了，scheduler "
            "走过几次也在里面。",
        ),
        Wrong(
            lambda q: (*right(q)[:2], rate(q, right(q)[0])),
            "One step of the scheduler too many: it steps at the end of an epoch, and the epoch that goes on "
            "has not ended yet.",
            "scheduler 多走了一次：它在一轮结束时才走，而接着走的这一轮还没有结束。",
        ),
        Wrong(
            lambda q: (*right(q)[:2], float(f"{q.lr * q.gamma ** (right(q)[0] - 1):.6g}")),
            "You multiply by {gamma} after every epoch. step_size={each} means: after every {each} of them.",
            "你每轮都乘了一次 {gamma}。step_size={each} 的意思是每 {each} 轮才乘一次。",
        ),
    ],
    learned=(
        "Your {answer}. The power cut cost {cut} - {kept} steps, which are done again and give the same "
        "numbers. An epoch of {per_epoch} steps was cut at {done}; that the rest of it has the right "
        "pictures and the right learning rate is because the checkpoint holds order, step and scheduler.",
        "{answer}。停电损失了 {cut} - {kept} 步，重走一遍，数字还是一样。一轮 {per_epoch} 步，在第 {done} "
        "步断开；余下的图片对得上、学习率也对，是因为检查点里有顺序、步数和 scheduler。",
    ),
)
