"""Lesson 1: a data set, shuffled and cut into batches."""

import inspect

from lessons.course.datasets import Sketch10
from lessons.notes.drawing.svg import BLUE, GREY, LEAF, PALE_BLUE, ROSE, SKY, WHITE, Drawing
from lessons.p01_dataloader import main

BATCH_SIZE: int = inspect.signature(main).parameters["batch_size"].default
TEST_PICTURES = len(Sketch10.test_list) * Sketch10.pictures_per_test_file

WORDS: dict[str, tuple[str, str]] = {
    "title": ("A data set, shuffled, in batches", "数据集：打乱，再分成批"),
    "dataset": ("Dataset: answers len(dataset) and dataset[3]", "Dataset：回答 len(dataset) 和 dataset[3]"),
    "shuffle": ("shuffle=True: a new order each epoch", "shuffle=True：每一轮换一个新顺序"),
    "batch": ("DataLoader with batch_size=4: stacks them", "DataLoader，batch_size=4：把图片叠成一批"),
    "last": ("the last batch is smaller;", "最后一批比较小；"),
    "drop": ("drop_last=True leaves it out", "drop_last=True 会丢掉它"),
    "lesson": (
        "In the lesson, batch_size={0}, one batch is",
        "本课里 batch_size={0}，一批就是",
    ),
    "images": ("pictures", "图片"),
    "channels": ("channels", "通道"),
    "height": ("height", "高"),
    "width": ("width", "宽"),
    "test": (
        "{pictures:,} test pictures: {whole} full batches and a last one with {last}",
        "{pictures:,} 张测试图片：{whole} 个满批，最后一批 {last} 张",
    ),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 452, words["title"])
    colours = (ROSE, LEAF, SKY)  # of PlainColours' three classes
    order = (7, 2, 9, 4, 0, 5, 1, 8, 3, 6)

    def pictures(numbers: tuple[int, ...], x: float, y: float) -> None:
        for place, number in enumerate(numbers):
            draw.rect(x + place * 50, y, 42, 42, colours[number % 3], GREY)
            draw.text(x + place * 50 + 21, y + 27, number, anchor="middle")

    draw.text(30, 38, words["dataset"], bold=True)
    pictures(tuple(range(10)), 34, 52)
    draw.arrow(50, 104, 50, 134)
    draw.text(68, 126, words["shuffle"], bold=True)
    pictures(order, 34, 146)
    draw.arrow(50, 198, 50, 228)
    draw.text(68, 220, words["batch"], bold=True)
    for first, x in ((0, 34), (4, 256), (8, 478)):
        batch = order[first : first + 4]
        draw.rect(
            x - 6, 240, len(batch) * 50 + 4, 54, PALE_BLUE if len(batch) == 4 else WHITE, BLUE, len(batch) < 4
        )
        pictures(batch, x, 246)
    draw.text(592, 263, words["last"], 14, GREY)
    draw.text(592, 283, words["drop"], 14, GREY)

    draw.line([(30, 318), (790, 318)])
    draw.text(30, 348, words["lesson"].format(BATCH_SIZE), bold=True)
    draw.text(48, 382, "imgs", code=True)
    for place, (size, name) in enumerate(
        ((BATCH_SIZE, "images"), (3, "channels"), (32, "height"), (32, "width")),
    ):
        x = 128 + place * 84
        draw.text(x, 382, f"{'(' if not place else ''}{size}{',' if place < 3 else ')'}", 17, anchor="middle")
        draw.text(x, 402, words[name], 12, GREY, anchor="middle")
    draw.text(510, 382, "targets", code=True)
    draw.text(590, 382, f"({BATCH_SIZE},)", 17)
    full, last = divmod(TEST_PICTURES, BATCH_SIZE)
    draw.text(30, 432, words["test"].format(pictures=TEST_PICTURES, whole=full, last=last))
    return draw
