"""Lesson 10: from scores to the worst mistakes; a grey square that finds where a network looks."""

import torch
import torch.nn.functional as F

from lessons.notes.drawing.svg import (
    BLACK,
    BLUE,
    FRAME,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE_GREEN,
    PALE_ORANGE,
    WHITE,
    Drawing,
    pixel,
)
from lessons.p10_mistakes import SQUARE, STRIDE, occlusion_map

PICTURE = 229  # of 255: how bright the picture is
CLASSES = ("cat", "dog", "ship")
TARGETS = torch.tensor([0, 0, 1, 1, 2, 2])
SCORES = torch.tensor(
    [[3.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 3.0, 2.0], [1.0, 2.0, 0.0], [0.0, 1.0, 4.0], [3.0, 0.0, 0.0]]
)

WORDS: dict[str, tuple[str, str]] = {
    "title": (
        "From scores to the worst mistakes, and where the network looks",
        "从得分找出最糟的错误，以及网络看哪里",
    ),
    "table": ("Six pictures and what the network says of them", "六张图片，和网络的回答"),
    "target": ("label", "标签"),
    "softmax": ("of the label", "标签的概率"),
    "argmax": ("answer", "回答"),
    "cross_entropy": ("loss", "损失"),
    "argsort": ("worst", "损失名次"),
    "matrix": ("The confusion matrix counts", "混淆矩阵：数一数"),
    "row": ("row: label", "行：标签"),
    "column": ("column: answer", "列：回答"),
    "right": ("{0} of {1} on the diagonal: right", "对角线上 {0} 张（共 {1} 张）：答对了"),
    "looks": ("A network that looks at one place only", "一个只看一处的网络"),
    "place": ("{0} when nothing is covered", "什么都不遮：{0}"),
    "square": ("A grey square slides over it: {0} places", "灰方块在上面滑动：{0} 个位置"),
    "falls": ("{0} where it covers the place", "遮住那一处：{0}"),
    "map": ("The occlusion map: how far it falls", "遮挡图：下降了多少"),
    "most": ("by {0:.1f} points in the middle", "中间下降 {0:.1f} 个百分点"),
}


def mistakes(draw: Drawing, words: dict[str, str]) -> None:
    probabilities, answers = SCORES.softmax(dim=1), SCORES.argmax(dim=1)
    losses = F.cross_entropy(SCORES, TARGETS, reduction="none")
    worst_first = losses.argsort(descending=True).tolist()

    draw.text(30, 38, words["table"], bold=True)
    draw.text(66, 80, words["target"], 13, GREY)
    draw.text(191, 63, "scores", 12, BLUE, "middle", code=True)
    for column, name in enumerate(CLASSES):
        draw.text(155 + 36 * column, 80, name, 13, GREY, "middle")
    for x, function, anchor in (
        (314, "softmax", "end"),
        (334, "argmax", "start"),
        (488, "cross_entropy", "end"),
        (552, "argsort", "end"),
    ):
        draw.text(x, 63, function, 12, BLUE, anchor, code=True)
        draw.text(x, 80, words[function], 13, GREY, anchor)
    for row, (target, answer) in enumerate(zip(TARGETS.tolist(), answers.tolist(), strict=True)):
        top = 88 + 32 * row
        wrong = target != answer
        draw.rect(30, top, 524, 27, PALE_ORANGE if wrong else WHITE, ORANGE if wrong else GREY, line=1)
        draw.text(46, top + 19, row, 13, GREY, "middle")
        draw.text(66, top + 19, CLASSES[target], 14, bold=True)
        for column, score in enumerate(SCORES[row].tolist()):
            highest = column == answer
            draw.text(155 + 36 * column, top + 19, f"{score:g}", 14, INK, "middle", bold=highest)
        draw.text(314, top + 19, f"{probabilities[row, target]:.1%}", 14, anchor="end")
        draw.text(334, top + 19, CLASSES[answer], 14, ORANGE if wrong else GREEN, bold=True)
        draw.text(488, top + 19, f"{losses[row]:.2f}", 14, anchor="end")
        rank = worst_first.index(row) + 1
        draw.text(536, top + 19, rank, 14, ORANGE if wrong else GREY, "middle", bold=wrong)

    draw.arrow(566, 184, 606, 184)
    draw.text(624, 38, words["matrix"], bold=True)
    draw.text(836, 64, words["column"], 13, GREY, "end")
    draw.text(624, 84, words["row"], 13, GREY)
    counts = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.int)
    for target, answer in zip(TARGETS.tolist(), answers.tolist(), strict=True):
        counts[target, answer] += 1
    for number, name in enumerate(CLASSES):
        draw.text(714 + 50 * number, 84, name, 13, anchor="middle")
        draw.text(680, 121 + 48 * number, name, 13, anchor="end")
        for column, count in enumerate(counts[number].tolist()):
            off, on = (PALE_ORANGE, ORANGE), (PALE_GREEN, GREEN)
            fill, colour = (on if number == column else off) if count else (WHITE, GREY)
            draw.rect(689 + 50 * column, 92 + 48 * number, 50, 48, fill, GREY, radius=0, line=1)
            draw.text(714 + 50 * column, 122 + 48 * number, count, 16, colour, "middle", bold=count > 0)
    right = counts.diagonal().sum().item()
    draw.text(836, 266, words["right"].format(right, len(TARGETS)), 14, GREEN, "end")


def occlusion(draw: Drawing, words: dict[str, str], top: float) -> None:
    """The occlusion map of a network that is simple enough to know where it looks."""
    rows, columns = slice(16, 16 + SQUARE), slice(8, 8 + SQUARE)

    def one_place(imgs: torch.Tensor) -> torch.Tensor:
        bright = imgs[:, :, rows, columns].mean(dim=(1, 2, 3))
        return torch.stack([1 - bright, bright], dim=1).log()  # softmax gives the two numbers back

    def probability(img: torch.Tensor) -> str:
        return f"{one_place(img.unsqueeze(0)).softmax(dim=1)[0, 1]:.0%}"

    img = torch.full((3, 32, 32), 0.9)
    covered = img.clone()
    covered[:, rows, columns] = 0.5
    heat = occlusion_map(one_place, img)[0]
    places = len(range(STRIDE - SQUARE, 32, STRIDE)) ** 2
    cell = 6
    for x, heading, below in (
        (40, words["looks"], words["place"].format(probability(img))),
        (320, words["square"].format(places), words["falls"].format(probability(covered))),
        (600, words["map"], words["most"].format(100 * heat.max())),
    ):
        draw.text(x, top - 14, heading, 13, bold=True)
        draw.rect(x, top, 32 * cell, 32 * cell, pixel(PICTURE, PICTURE, PICTURE), GREY, radius=0)
        draw.text(x, top + 32 * cell + 24, below, 14, GREY)
    for row in range(0, 32, STRIDE):  # pixels side by side are covered by the same squares
        for column in range(0, 32, STRIDE):
            share = round((heat[row, column] / heat.max()).item(), 4)
            if share > 0:
                pale = PICTURE - int(200 * share)
                x, y, side = 600 + column * cell, top + row * cell, STRIDE * cell
                colour = pixel(PICTURE, pale, pale)
                draw.rect(x, y, side, side, colour, colour, radius=0, line=0)
    side = SQUARE * cell
    draw.rect(320, top, side, side, pixel(128, 128, 128), GREY, radius=0)
    draw.arrow(374, top + side / 2, 410, top + side / 2, BLACK)
    for x in (40, 320, 600):
        draw.rect(x + 8 * cell, top + 16 * cell, side, side, "none", FRAME, radius=0, line=2.5)
    draw.arrow(248, top + 96, 300, top + 96)
    draw.arrow(528, top + 96, 580, top + 96)


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(860, 574, words["title"])
    mistakes(draw, words)
    draw.line([(24, 296), (836, 296)])
    occlusion(draw, words, top=344)
    return draw
