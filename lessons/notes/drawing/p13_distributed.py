"""Lesson 13: two processes that take one step together, and test pictures that are counted once."""

import torch
import torch.nn.functional as F
from torch.utils.data import DistributedSampler

from lessons.notes.drawing.svg import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
)
from lessons.tudui import Tudui

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Two processes, one step", "两个进程，同一步"),
    "order": ("a batch of {0}, in the order of the epoch", "一批 {0} 张，按这一轮的顺序"),
    "process": ("process {0}", "进程 {0}"),
    "part": ("its part, and the same weights", "自己那一份，权重相同"),
    "own": ("its gradient", "自己的梯度"),
    "exchange": ("backward", "backward"),
    "mean": ("the mean, in both", "两边都拿到平均值"),
    "one": ("one process, all {0} pictures:", "一个进程，{0} 张全算："),
    "weight": ("the gradient of one weight", "同一个权重的梯度"),
    "step": ("the same step in both", "两边走同样的一步"),
    "test": ("{0} test pictures for two processes", "{0} 张测试图片，两个进程"),
    "sampler": ("DistributedSampler: as many for each", "DistributedSampler：每边一样多"),
    "lesson": ("the lesson: each picture once", "本课：每张只算一次"),
    "counted": ("{0} answers counted", "计入 {0} 个回答"),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 500, words["title"])
    colours = ((BLUE, PALE_BLUE), (ORANGE, PALE_ORANGE))  # of the two processes

    def pictures(numbers: list[int], x: float, y: float, processes: list[int], again: int = -1) -> None:
        for place, (number, process) in enumerate(zip(numbers, processes, strict=True)):
            stroke, pale = colours[process]
            draw.rect(x + 40 * place, y, 34, 34, pale, stroke, dashed=place == again)
            draw.text(x + 40 * place + 17, y + 23, number, anchor="middle")

    size = 8
    parts = [
        list(DistributedSampler(range(size), num_replicas=2, rank=rank, seed=0, drop_last=True))
        for rank in range(2)
    ]
    order = [number for pair in zip(*parts, strict=True) for number in pair]
    generator = torch.Generator().manual_seed(0)
    imgs, targets = torch.rand(size, 3, 32, 32, generator=generator), torch.arange(size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        tudui = Tudui()

    def gradient(numbers: list[int]) -> float:
        """As in the lesson's gradients_by_hand: of the mean loss over these pictures, for one weight."""
        tudui.zero_grad()
        F.cross_entropy(tudui(imgs[numbers]), targets[numbers]).backward()
        return tudui.head.bias.grad[0].item()

    draw.text(30, 38, words["order"].format(size), bold=True)
    pictures(order, 34, 52, [0, 1] * (size // 2))
    own = [gradient(part) for part in parts]
    for rank, (stroke, _) in enumerate(colours):
        y = 112 + 104 * rank
        draw.rect(30, y, 470, 88, WHITE, stroke, radius=8)
        draw.text(46, y + 26, words["process"].format(rank), 15, stroke, bold=True)
        draw.text(140, y + 26, words["part"], 13, GREY)
        pictures(parts[rank], 46, y + 40, [rank] * len(parts[rank]))
        draw.arrow(216, y + 57, 286, y + 57)
        draw.text(392, y + 26, words["own"], 13, GREY, "middle")
        draw.text(392, y + 64, f"{own[rank]:+.4f}", 18, anchor="middle")
        draw.arrow(506, y + 44, 566, 164 + 88 * rank)
    draw.text(538, 212, words["exchange"], 13, GREY, "middle", code=True)
    draw.rect(576, 140, 214, 136, PALE_GREEN, GREEN, radius=8)
    draw.text(683, 168, words["mean"], 14, GREEN, "middle", bold=True)
    draw.text(683, 206, f"{sum(own) / 2:+.4f}", 22, anchor="middle")
    draw.text(683, 234, words["weight"], 13, GREY, "middle")
    draw.text(683, 260, words["step"], 13, GREY, "middle")
    draw.text(576, 72, words["one"].format(size), 14, GREY)
    draw.text(576, 98, f"{gradient(order):+.4f}", 18)

    draw.line([(30, 332), (790, 332)])
    size = 7
    draw.text(30, 362, words["test"].format(size), bold=True)
    padded = [
        list(DistributedSampler(range(size), num_replicas=2, rank=rank, shuffle=False)) for rank in range(2)
    ]
    shares = [list(range(rank, size, 2)) for rank in range(2)]  # as in evaluate_together
    for x, name, split in ((34, "sampler", padded), (430, "lesson", shares)):
        draw.text(x, 388, words[name], 14, GREY)
        for rank, numbers in enumerate(split):
            again = len(numbers) - 1 if rank and len(numbers) > len(shares[rank]) else -1
            pictures(numbers, x, 400 + 42 * rank, [rank] * len(numbers), again)
        answers = sum(map(len, split))
        colour = GREEN if answers == size else ORANGE
        draw.text(x + 176, 440, words["counted"].format(answers), 14, colour, bold=True)
    return draw
