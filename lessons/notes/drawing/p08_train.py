"""Lesson 8: the learning rate, the three sets, where in a step each ingredient acts; what overfitting is."""

import inspect
import math

from lessons.course.datasets import Sketch10
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
from lessons.p08_train import Training, choose_recipe, main
from lessons.tudui import Classifier, Tudui

EPOCHS: int = inspect.signature(main).parameters["epochs"].default
STORED = len(Sketch10.train_list) * Sketch10.pictures_per_train_file
SETS = {  # sizes, as the lesson's three_sets divides Sketch10: one in ten is held back
    "train": STORED - STORED // 10,
    "validation": STORED // 10,
    "test": len(Sketch10.test_list) * Sketch10.pictures_per_test_file,
}

# Measured, not computed: what `lessons run 8` with these words printed (Sketch10, seed 0, CPU with bf16, one
# thread): the losses of each epoch on training and validation pictures, and what was right in the end, in
# percent of the training and of the test pictures. When the pictures or the lesson change, run both again
STORED_RUNS = {
    "lessons run 8": (
        (
            (1.859, 1.227),
            (1.012, 0.725),
            (0.685, 0.549),
            (0.573, 0.461),
            (0.472, 0.459),
            (0.426, 0.375),
            (0.375, 0.378),
            (0.334, 0.371),
            (0.332, 0.354),
            (0.313, 0.352),
        ),
        (96.3, 93.2),
    ),
    "lessons run 8 --without mirror --without shift": (
        (
            (1.785, 1.132),
            (0.843, 0.652),
            (0.512, 0.544),
            (0.349, 0.499),
            (0.244, 0.478),
            (0.177, 0.471),
            (0.143, 0.492),
            (0.132, 0.495),
            (0.125, 0.507),
            (0.124, 0.508),
        ),
        (100.0, 88.8),
    ),
}

WORDS: dict[str, tuple[str, str]] = {
    "title": (
        "The recipe: its learning rate, its three sets of pictures, its ingredients, and overfitting",
        "配方：学习率、三个图片集合、每一项技巧，还有过拟合",
    ),
    "rate": ("Learning rate over {0} epochs on Sketch10", "Sketch10 上 {0} 轮的学习率"),
    "constant": ("notes: always {0:g}", "notes：一直是 {0:g}"),
    "top": ("fast: up to {0:g}", "fast：最高 {0:g}"),
    "start": ("from {0:g}", "从 {0:g} 起"),
    "end": ("to almost 0", "降到几乎为 0"),
    "step": ("step", "步"),
    "sets": ("Three sets of pictures, three uses", "三个图片集合，三种用途"),
    "train": ("training set: to learn from", "训练集：用来学习"),
    "validation": ("validation set: to choose by", "验证集：用来挑选"),
    "test": ("test set: to test once", "测试集：只测一次"),
    "train_use": ("every step, mirrored and shifted", "每一步都用，先镜像、平移"),
    "validation_use": (
        "after each epoch: the best network, when to stop",
        "每轮之后：哪个网络最好，何时停下",
    ),
    "test_use": ("at the end, with the network that was chosen", "训练结束后，测挑出来的那个网络"),
    "where": ("Where in a step each ingredient acts", "每一项技巧在一步里的什么地方起作用"),
    "augment": ("pictures", "图片"),
    "prepare": ("input", "输入"),
    "network": ("network", "网络"),
    "loss": ("loss", "损失"),
    "gradient": ("gradient", "梯度"),
    "weights": ("weights", "权重"),
    "saved": ("saved as one", "一起保存"),
    "overfitting": ("Overfitting: two trainings and their losses", "过拟合：两次训练的损失"),
    "train_loss": ("training {0:.2f}", "训练 {0:.2f}"),
    "validation_loss": ("validation {0:.2f}", "验证 {0:.2f}"),
    "right": ("right: {0}% of training, {1}% of test pictures", "答对：训练图片 {0}%，测试图片 {1}%"),
    "epoch": ("epoch", "轮"),
}


def learning_rates(draw: Drawing, words: dict[str, str]) -> None:
    notes, fast = choose_recipe("notes"), choose_recipe("fast")
    steps = EPOCHS * math.ceil(SETS["train"] / fast.batch_size)
    training = Training(Classifier(Tudui()), fast, steps)
    rates = training.scheduler.get_last_lr()
    for _ in range(steps - 1):
        training.optimizer.step()
        training.scheduler.step()
        rates += training.scheduler.get_last_lr()

    draw.text(30, 38, words["rate"].format(EPOCHS), bold=True)
    up = {tick * fast.learning_rate / 5: f"{tick * fast.learning_rate / 5:g}" for tick in range(6)}
    x, y = draw.axes(70, 282, 330, 200, range(0, steps + 1, steps // 5), up, words["step"])
    constant = notes.learning_rate
    draw.line([(x(0), y(constant)), (x(steps), y(constant))], ORANGE, 2.5)
    draw.text(140, y(constant) - 8, words["constant"].format(constant), 14, ORANGE)
    draw.line([(x(step), y(rate)) for step, rate in enumerate(rates)], BLUE, 2.5)
    highest = max(rates)
    draw.text(x(rates.index(highest)), y(highest) - 10, words["top"].format(highest), 14, BLUE, "middle")
    draw.text(90, y(0) - 5, words["start"].format(rates[0]), 14, BLUE)
    draw.text(400, y(highest * 0.3), words["end"], 14, BLUE, "end")


def three_sets(draw: Drawing, words: dict[str, str]) -> None:
    draw.rect(440, 22, 416, 302, WHITE, GREY, radius=8)
    draw.text(456, 50, words["sets"], bold=True)
    left = 456
    colours = ((BLUE, PALE_BLUE), (ORANGE, PALE_ORANGE), (GREEN, PALE_GREEN))
    for row, ((name, size), (stroke, pale)) in enumerate(zip(SETS.items(), colours, strict=True)):
        width = size * 372 / sum(SETS.values())  # all pictures to one scale
        draw.rect(left, 88, width, 34, pale, stroke, radius=2)
        draw.text(left + width / 2, 110, f"{size:,}", 13, anchor="middle")
        y = 166 + 56 * row
        draw.rect(456, y - 16, 20, 20, pale, stroke, radius=2)
        draw.text(486, y, words[name], 15, stroke, bold=True)
        draw.text(486, y + 22, words[f"{name}_use"], 14, GREY)
        if name == "train":
            draw.text(left, 78, "train=True, random_split", 13, GREY, code=True)
        if name == "test":
            draw.text(left + width, 78, "train=False", 13, GREY, "end", code=True)
        left += width + (12 if name == "validation" else 0)  # these two come from other files


def overfitting(draw: Drawing, words: dict[str, str]) -> None:
    """The losses of the recipe, and of the recipe without what keeps it from learning by heart."""
    draw.text(30, 562, words["overfitting"], bold=True)
    up = {value / 2: f"{value / 2:g}" for value in range(5)}
    for left, (command, (losses, right)) in zip((70, 500), STORED_RUNS.items(), strict=True):
        draw.text(left, 592, command, 12, code=True)
        x, y = draw.axes(left, 766, 330, 150, (1, 2, 4, 6, 8, 10), up, words["epoch"])
        draw.text(left, 832, words["right"].format(*right), 14)
        curves = zip(*losses, strict=True)
        named = zip(("train_loss", "validation_loss"), (BLUE, ORANGE), curves, strict=True)
        for row, (name, colour, curve) in enumerate(named):
            draw.line([(x(epoch), y(loss)) for epoch, loss in enumerate(curve, start=1)], colour, 2.5)
            draw.text(left + 330, 630 + 17 * row, words[name].format(curve[-1]), 14, colour, "end")


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(880, 850, words["title"])
    learning_rates(draw, words)
    three_sets(draw, words)

    draw.line([(30, 346), (850, 346)])
    draw.text(30, 374, words["where"], bold=True)
    fast = choose_recipe("fast")
    places = {
        "augment": (88, ["mirror", f"shift={fast.shift}"]),
        "prepare": (96, ["normalise"]),
        "network": (104, ["orthogonal"]),
        "loss": (166, [f"label_smoothing={fast.label_smoothing}"]),
        "gradient": (112, [f"max_norm={fast.max_norm}"]),
        "weights": (158, [f"momentum={fast.momentum}", f"weight_decay={fast.weight_decay}", "one_cycle"]),
    }
    draw.rect(130, 386, 236, 118, "none", GREEN, dashed=True, radius=8)
    draw.text(138, 497, "Classifier", 13, GREEN, bold=True, code=True)
    draw.text(358, 497, words["saved"], 13, GREEN, "end")
    left = 30
    for place, (width, ingredients) in places.items():
        draw.text(left + width / 2, 406, words[place], 14, GREY, "middle")
        draw.block(left, 414, width, 66, ingredients, PALE_BLUE, BLUE, code=True, size=12)
        left += width + 20
        if place != "weights":
            draw.arrow(left - 18, 447, left - 4, 447)
    draw.line([(30, 530), (850, 530)])
    overfitting(draw, words)
    return draw
