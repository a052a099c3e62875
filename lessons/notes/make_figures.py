"""Draws the figures of the notes: ``lessons/notes/figures/{en,zh}/pNN_name.svg``.

    python lessons/notes/make_figures.py

The numbers in them are the lessons' own: imported and computed, not typed. The same command writes the same
bytes, and a test compares them with the files, so a lesson that changes takes its figure along.
"""

from pathlib import Path
from xml.sax.saxutils import escape

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DistributedSampler
from torchvision.models import vgg16

from lessons.p02_conv2d import KERNEL, PICTURE, conv2d_by_hand, output_size
from lessons.p03_maxpool import pooled_size
from lessons.p04_sequential import walk
from lessons.p06_pretrained import freeze
from lessons.p08_train import RECIPES, Training
from lessons.p09_accelerator import LADDER
from lessons.p10_classify import SQUARE, STRIDE, Classifier, feature_maps, occlusion_map
from lessons.tudui import Tudui, TuduiMaxPool

FIGURES = Path(__file__).resolve().parent / "figures"
LANGUAGES = ("en", "zh")
FONT = "Helvetica, Arial, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
CODE_FONT = "Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans CJK SC', 'Microsoft YaHei', monospace"

# On a light card of its own a figure looks the same on a white and on a black page
CARD, BORDER, INK, GREY, WHITE = "#f8fafc", "#cbd5e1", "#1e293b", "#64748b", "#ffffff"
BLUE, PALE_BLUE = "#2563eb", "#dbeafe"
ORANGE, PALE_ORANGE = "#c2410c", "#ffedd5"
GREEN, PALE_GREEN = "#15803d", "#dcfce7"
FROZEN = "#e2e8f0"

# Sketch10's sizes: 512 training and 100 test pictures of each of ten classes
TRAIN_PICTURES, TEST_PICTURES, BATCH_SIZE = 5120, 1000, 64

# What `lessons run 5` (Sketch10, seed 0, 20 epochs, CPU, two threads) prints: loss, test loss, accuracy
HISTORY = (
    (2.300, 2.291, 0.130),
    (2.281, 2.267, 0.139),
    (2.243, 2.201, 0.282),
    (2.123, 2.023, 0.340),
    (1.930, 1.819, 0.390),
    (1.743, 1.641, 0.418),
    (1.586, 1.458, 0.504),
    (1.429, 1.290, 0.554),
    (1.294, 1.168, 0.588),
    (1.145, 1.075, 0.623),
    (1.034, 0.938, 0.685),
    (0.907, 0.840, 0.719),
    (0.811, 0.736, 0.746),
    (0.718, 0.694, 0.763),
    (0.637, 0.568, 0.808),
    (0.550, 0.522, 0.827),
    (0.532, 0.463, 0.840),
    (0.432, 0.483, 0.829),
    (0.399, 0.387, 0.872),
    (0.340, 0.384, 0.864),
)


class Drawing:
    """An SVG under construction: every method adds one element to it."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.size = (width, height)
        self.title = title
        self.elements: list[str] = []

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = WHITE,
        stroke: str = BORDER,
        dashed: bool = False,
        radius: float = 4,
        line: float = 1.5,
    ) -> None:
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="{line:g}"{dash}/>'
        )

    def text(
        self,
        x: float,
        y: float,
        words: object,
        size: float = 15,
        colour: str = INK,
        anchor: str = "start",
        bold: bool = False,
        code: bool = False,
    ) -> None:
        """Words on the baseline ``y``; ``anchor`` is start, middle or end."""
        extra = ' font-weight="bold"' if bold else ""
        extra += f' font-family="{CODE_FONT}"' if code else ""
        self.elements.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}" text-anchor="{anchor}"{extra}>'
            f"{escape(str(words))}</text>"
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, colour: str = GREY) -> None:
        self.elements.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{colour}" stroke-width="2" '
            'marker-end="url(#head)"/>'
        )

    def line(self, points: list[tuple[float, float]], colour: str = BORDER, width: float = 1) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self.elements.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def lock(self, x: float, y: float) -> None:
        """A padlock, 14 x 18, with its upper left corner at (x, y)."""
        self.elements.append(
            f'<path d="M{x + 3:g} {y + 8:g} v-3 a4 4 0 0 1 8 0 v3" fill="none" stroke="{GREY}" '
            'stroke-width="2"/>'
        )
        self.rect(x, y + 8, 14, 10, GREY, GREY, radius=2)

    def grid(
        self,
        x: float,
        y: float,
        numbers: list[list[int]],
        cell: float = 36,
        marked: set[tuple[int, int]] | None = None,
        fill: str = PALE_ORANGE,
        stroke: str = BORDER,
    ) -> None:
        """Numbers in cells; the marked cells, as (row, column), are coloured."""
        for row, line in enumerate(numbers):
            for column, number in enumerate(line):
                colour = fill if (row, column) in (marked or set()) else WHITE
                left, top = x + column * cell, y + row * cell
                self.rect(left, top, cell, cell, colour, stroke, radius=0, line=1)
                self.text(left + cell / 2, top + cell / 2 + 5, number, anchor="middle")

    def block(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        lines: list[str],
        fill: str = WHITE,
        stroke: str = BORDER,
        dashed: bool = False,
        code: bool = False,
        size: float = 14,
    ) -> None:
        """A rectangle with lines of text in its middle."""
        self.rect(x, y, width, height, fill, stroke, dashed)
        first = y + height / 2 + size * 0.35 - (len(lines) - 1) * (size + 5) / 2
        for index, words in enumerate(lines):
            self.text(x + width / 2, first + index * (size + 5), words, size=size, anchor="middle", code=code)

    def svg(self) -> str:
        width, height = self.size
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="{FONT}">\n<title>{escape(self.title)}</title>\n'
            '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/></marker></defs>\n'
            f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="14" fill="{CARD}" '
            f'stroke="{BORDER}"/>\n'
        )
        return head + "\n".join(self.elements) + "\n</svg>\n"


def whole(numbers: torch.Tensor) -> list[list[int]]:
    return [[int(number) for number in row] for row in numbers]


def shape_text(shape: torch.Size | tuple[int, ...], batch: str = "N") -> str:
    """``(N, 3, 32, 32)``: a shape whose batch size is left open."""
    return f"({', '.join([batch, *map(str, shape[1:])])})"


# --- Lesson 1

# The words of a figure: English, Chinese
P01 = {
    "title": ("A data set, shuffled, in batches", "数据集：打乱，再分成批"),
    "dataset": ("Dataset: answers len(dataset) and dataset[3]", "Dataset：回答 len(dataset) 和 dataset[3]"),
    "shuffle": ("shuffle=True: a new order each epoch", "shuffle=True：每一轮换一个新顺序"),
    "batch": ("DataLoader with batch_size=4: stacks them", "DataLoader，batch_size=4：把图片叠成一批"),
    "last": ("the last batch is smaller;", "最后一批比较小；"),
    "drop": ("drop_last=True leaves it out", "drop_last=True 会丢掉它"),
    "lesson": (
        "In the lesson, batch_size=64, one batch is",
        "本课里 batch_size=64，一批就是",
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


def p01_dataloader(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 452, words["title"])
    colours = ("#fecaca", "#bbf7d0", "#bfdbfe")  # of PlainColours' three classes
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
    draw.text(30, 348, words["lesson"], bold=True)
    draw.text(48, 382, "imgs", code=True)
    for place, (size, name) in enumerate(
        ((64, "images"), (3, "channels"), (32, "height"), (32, "width")),
    ):
        x = 128 + place * 84
        draw.text(x, 382, f"{'(' if not place else ''}{size}{',' if place < 3 else ')'}", 17, anchor="middle")
        draw.text(x, 402, words[name], 12, GREY, anchor="middle")
    draw.text(510, 382, "targets", code=True)
    draw.text(590, 382, f"({BATCH_SIZE},)", 17)
    full, last = divmod(TEST_PICTURES, BATCH_SIZE)
    draw.text(30, 432, words["test"].format(pictures=TEST_PICTURES, whole=full, last=last))
    return draw


# --- Lesson 2

P02 = {
    "title": ("A kernel slides over a picture", "卷积核在图片上滑动"),
    "picture": ("picture, 5x5", "图片，5x5"),
    "kernel": ("kernel, 3x3", "卷积核，3x3"),
    "output": ("output, 3x3", "输出，3x3"),
    "first": ("The first number of the output:", "输出的第一个数："),
    "slide": ("then one to the right (stride 1)", "然后向右滑一格（步长 1）"),
    "padding": ("padding=1: a frame of zeros", "padding=1：四周补一圈 0"),
    "dilation": ("dilation=2: the kernel spreads", "dilation=2：卷积核张开"),
    "size": ("output {0}x{0}", "输出 {0}x{0}"),
}


def p02_conv2d(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 610, words["title"])
    window = {(row, column) for row in range(3) for column in range(3)}
    output = conv2d_by_hand(PICTURE, KERNEL)
    picture, kernel = whole(PICTURE), whole(KERNEL)

    draw.text(130, 38, words["picture"], bold=True, anchor="middle")
    draw.grid(40, 52, picture, marked=window)
    draw.rect(40, 52, 108, 108, "none", ORANGE, radius=0, line=3)
    draw.text(255, 130, "×", 26, anchor="middle")
    draw.text(354, 38, words["kernel"], bold=True, anchor="middle")
    draw.grid(300, 70, kernel, fill=PALE_BLUE, marked=window)
    draw.rect(300, 70, 108, 108, "none", BLUE, radius=0, line=3)
    draw.text(354, 206, "KERNEL", 13, GREY, anchor="middle", code=True)
    draw.text(130, 252, "PICTURE", 13, GREY, anchor="middle", code=True)
    draw.arrow(440, 124, 500, 124)
    draw.text(594, 38, words["output"], bold=True, anchor="middle")
    draw.grid(540, 70, whole(output), fill=PALE_GREEN, marked={(0, 0)})
    draw.rect(540, 70, 36, 36, "none", GREEN, radius=0, line=3)
    draw.arrow(580, 196, 626, 196)
    draw.text(594, 220, words["slide"], 13, GREY, anchor="middle")

    sums = [
        " + ".join(f"{picture[row][column]}·{kernel[row][column]}" for column in range(3)) for row in range(3)
    ]
    draw.text(40, 290, words["first"], bold=True)
    draw.text(40, 316, f"({sums[0]}) + ({sums[1]}) + ({sums[2]}) = {int(output[0, 0])}", 14, code=True)

    draw.line([(30, 338), (790, 338)])
    cell, left, top = 28, 60, 376
    draw.text(left, 364, words["padding"], bold=True)
    draw.rect(left, top, 7 * cell, 7 * cell, WHITE, GREY, dashed=True, radius=0)
    for row in range(7):
        for column in range(7):
            inside = 0 < row < 6 and 0 < column < 6
            x, y = left + column * cell, top + row * cell
            if inside:
                draw.rect(x, y, cell, cell, WHITE, BORDER, radius=0, line=1)
            draw.text(
                x + cell / 2,
                y + cell / 2 + 5,
                picture[row - 1][column - 1] if inside else 0,
                13,
                INK if inside else GREY,
                anchor="middle",
            )
    draw.rect(left, top, 3 * cell, 3 * cell, "none", ORANGE, radius=0, line=3)
    draw.text(left, 595, words["size"].format(output_size(5, 3, padding=1)), 14, GREY)

    left, top, cell = 480, 376, 36
    draw.text(left, 364, words["dilation"], bold=True)
    draw.grid(
        left, top, picture, cell, {(row, column) for row in range(0, 5, 2) for column in range(0, 5, 2)}
    )
    draw.rect(left, top, 5 * cell, 5 * cell, "none", ORANGE, radius=0, line=3)
    draw.text(left, 595, words["size"].format(output_size(5, 3, dilation=2)), 14, GREY)
    return draw


# --- Lesson 3

P03 = {
    "title": ("Pooling with a window that hangs over the edge", "池化：窗口伸出了边缘"),
    "picture": ("picture 5x5, window 3x3, stride 3", "图片 5x5，窗口 3x3，步长 3"),
    "true": ("a window over the edge counts", "伸出边缘的窗口也算"),
    "false": ("only whole windows count", "只算完整的窗口"),
    "largest": ("Each window keeps its largest number.", "每个窗口只留下最大的数。"),
    "outside": ("Dashed: what lies outside holds no number.", "虚线：图片外面没有数。"),
}


def p03_maxpool(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 372, words["title"])
    cell, left, top = 42, 44, 60
    draw.text(left, 40, words["picture"], bold=True)
    _, indices = F.max_pool2d(PICTURE.reshape(1, 1, 5, 5), 3, ceil_mode=True, return_indices=True)
    winners = {divmod(int(index), 5) for index in indices.flatten()}
    draw.grid(left, top, whole(PICTURE), cell, winners)
    for row in range(2):
        for column in range(2):
            hanging = row + column > 0
            x, y = left + column * 3 * cell, top + row * 3 * cell
            inset = 3  # so that neighbouring windows stay apart
            draw.rect(
                x + inset,
                y + inset,
                3 * cell - 2 * inset,
                3 * cell - 2 * inset,
                "none",
                GREY if hanging else ORANGE,
                hanging,
                line=2.5,
            )
    draw.text(left, 338, words["largest"], 14)
    draw.text(left, 358, words["outside"], 14, GREY)

    for ceil_mode, y, told in ((True, 60, "true"), (False, 204, "false")):
        output = whole(TuduiMaxPool(ceil_mode)(PICTURE.reshape(1, 1, 5, 5))[0, 0])
        size = pooled_size(5, kernel_size=3, ceil_mode=ceil_mode)
        draw.arrow(330, y + 42, 400, y + 42)
        draw.grid(430, y, output, cell, {(row, column) for row in range(size) for column in range(size)})
        draw.text(540, y + 28, f"ceil_mode={ceil_mode}", code=True, bold=True)
        draw.text(540, y + 52, f"5x5 → {size}x{size}")
        draw.text(540, y + 76, words[told], 14, GREY)
    return draw


# --- Lesson 4

P04 = {
    "title": ("Tudui: nine layers, every shape, every parameter", "Tudui：九层，每一层的形状和参数"),
    "input": ("a batch of pictures", "一批图片"),
    "layer": ("layer", "层"),
    "shape": ("shape of its output", "输出的形状"),
    "parameters": ("parameters", "参数个数"),
    "together": ("together", "合计"),
    "scores": ("10 scores for each picture", "每张图片 10 个得分"),
}


def p04_sequential(words: dict[str, str]) -> Drawing:
    tudui = Tudui()
    imgs = torch.ones(1, 3, 32, 32)
    rows = walk(tudui.model1, imgs)
    draw = Drawing(820, 130 + 44 * len(rows), words["title"])
    details = {
        nn.Conv2d: lambda layer: (
            f"Conv2d({layer.in_channels}, {layer.out_channels}, {layer.kernel_size[0]}, "
            f"padding={layer.padding[0]})"
        ),
        nn.MaxPool2d: lambda layer: f"MaxPool2d({layer.kernel_size})",
        nn.Flatten: lambda layer: "Flatten()",
        nn.Linear: lambda layer: f"Linear({layer.in_features}, {layer.out_features})",
    }
    colours = {"Conv2d": PALE_BLUE, "MaxPool2d": PALE_ORANGE, "Flatten": WHITE, "Linear": PALE_GREEN}

    def volume(shape: tuple[int, ...], y: float) -> None:
        """A bar: as long as the picture is wide, as thick as it has many channels."""
        if len(shape) == 4:
            draw.rect(640, y - 4 - shape[1] / 8, shape[3] * 4, 8 + shape[1] / 4, PALE_BLUE, BLUE, radius=2)
        else:
            draw.rect(640, y - 3, max(4.0, shape[1] / 8), 6, PALE_GREEN, GREEN, radius=2)

    for x, name, anchor in ((38, "layer", "start"), (330, "shape", "start"), (600, "parameters", "end")):
        draw.text(x, 34, words[name], 13, GREY, anchor)
    draw.text(38, 62, words["input"])
    draw.text(330, 62, shape_text(imgs.shape), bold=True)
    volume(tuple(imgs.shape), 57)
    total = 0
    for index, (layer, (name, shape, parameters)) in enumerate(zip(tudui.model1, rows, strict=True)):
        y = 80 + 44 * index
        draw.rect(30, y, 270, 34, colours[name], BORDER)
        draw.text(44, y + 22, f"{index}  {details[type(layer)](layer)}", 13, code=True)
        draw.arrow(304, y + 17, 322, y + 17)
        draw.text(330, y + 22, shape_text(shape), bold=True)
        draw.text(600, y + 22, f"{parameters:,}", colour=INK if parameters else GREY, anchor="end")
        volume(shape, y + 17)
        total += parameters
    y = 80 + 44 * len(rows)
    draw.line([(500, y), (600, y)], INK)
    draw.text(330, y + 26, words["scores"], 14, GREY)
    draw.text(600, y + 26, f"{total:,}", bold=True, anchor="end")
    draw.text(612, y + 26, words["together"], 14, GREY)
    return draw


# --- Lesson 5

P05 = {
    "title": ("Loss and accuracy in 20 epochs on Sketch10", "Sketch10 上 20 轮的损失和准确率"),
    "loss": ("loss", "损失"),
    "accuracy": ("accuracy on test pictures", "测试图片上的准确率"),
    "train": ("train", "训练"),
    "test": ("test", "测试"),
    "epoch": ("epoch", "轮"),
    "guess": ("guessing among ten", "十类里随机猜"),
}


def p05_loss_optim(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 360, words["title"])
    epochs = range(1, len(HISTORY) + 1)

    def axes(left: float, heading: str, top_value: float, ticks: dict[float, str]) -> tuple:
        def x(epoch: float) -> float:
            return left + epoch * 300 / len(HISTORY)

        def y(value: float) -> float:
            return 300 - value / top_value * 230

        draw.text(left, 40, heading, bold=True)
        for value, told in ticks.items():
            draw.line([(left, y(value)), (left + 300, y(value))])
            draw.text(left - 8, y(value) + 5, told, 13, GREY, "end")
        for epoch in (1, 5, 10, 15, 20):
            draw.text(x(epoch), 320, epoch, 13, GREY, "middle")
        draw.text(left + 300, 342, words["epoch"], 13, GREY, "end")
        return x, y

    x, y = axes(70, words["loss"], 2.5, {value / 2: f"{value / 2:.1f}" for value in range(6)})
    for column, name, colour in ((0, "train", BLUE), (1, "test", ORANGE)):
        draw.line([(x(epoch), y(HISTORY[epoch - 1][column])) for epoch in epochs], colour, 2.5)
        draw.line([(270, 66 + 22 * column), (296, 66 + 22 * column)], colour, 2.5)
        draw.text(304, 71 + 22 * column, f"{words[name]}  {HISTORY[-1][column]:.3f}", 14, colour)
    x, y = axes(470, words["accuracy"], 1.0, {share / 5: f"{share * 20} %" for share in range(6)})
    guess = y(0.1)
    draw.line([(470, guess), (770, guess)], GREY, 1.5)
    draw.text(766, guess - 6, words["guess"], 13, GREY, "end")
    draw.line([(x(epoch), y(HISTORY[epoch - 1][2])) for epoch in epochs], GREEN, 2.5)
    draw.text(766, y(HISTORY[-1][2]) - 12, f"{HISTORY[-1][2]:.1%}", 15, GREEN, "end", bold=True)
    return draw


# --- Lesson 6

P06 = {
    "title": ("Three places for a new layer, and what is frozen", "新层的三个位置，以及冻结的部分"),
    "places": ("Where the new layer goes, and what comes out", "新层放在哪里，输出是什么形状"),
    "never": ("forward never calls it", "forward 从不调用它"),
    "frozen": ("Frozen, and the new layer that learns", "冻结的层，和学习的新层"),
    "features": ("features: convolutions, poolings", "features：卷积和池化"),
    "counts": (
        "{learns:,} of {total:,} numbers can learn",
        "{total:,} 个数里只有 {learns:,} 个会学习",
    ),
    "learns": ("learns", "会学习"),
}


def p06_pretrained(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 480, words["title"])
    with torch.device("meta"):  # shapes are enough here: half a gigabyte of weights would only cost time
        vgg = vgg16(weights=None)
        freeze(vgg)
        last = vgg.classifier[6]
        vgg.classifier[6] = new = nn.Linear(last.in_features, 10)
    old_layer = f"Linear({last.in_features}, {last.out_features})"
    add_linear = f"Linear({last.out_features}, {new.out_features})"
    new_layer = f"Linear({new.in_features}, {new.out_features})"

    draw.text(30, 36, words["places"], bold=True)
    for index, code in enumerate(
        (
            'vgg.add_module("add_linear", ...)',
            'vgg.classifier.add_module("add_linear", ...)',
            "vgg.classifier[6] = ...",
        )
    ):
        y = 54 + 92 * index
        draw.text(30, y + 14, f"{index + 1}  {code}", 13, code=True)
        box = y + 24
        draw.block(30, box, 96, 42, ["features"], FROZEN, GREY, code=True, size=13)
        draw.arrow(130, box + 21, 148, box + 21)
        draw.rect(152, box - 4, 398 if index == 1 else 258, 50, "none", GREY)
        draw.block(160, box, 86, 42, ["[0]...[5]"], FROZEN, GREY, code=True, size=13)
        if index == 2:
            draw.block(254, box, 148, 42, [new_layer], PALE_GREEN, GREEN, code=True, size=13)
        else:
            draw.block(254, box, 148, 42, [old_layer], FROZEN, GREY, code=True, size=13)
        if index == 1:
            draw.block(410, box, 132, 42, [add_linear], PALE_GREEN, GREEN, code=True, size=12)
        if index == 0:
            draw.block(428, box, 132, 42, [add_linear], WHITE, GREY, True, code=True, size=12)
            draw.text(494, box + 60, words["never"], 13, ORANGE, "middle")
        end = (414, 554, 414)[index]
        if index == 0:  # round the layer that is never called
            draw.line(
                [(412, box + 8), (420, box + 8), (420, box - 10), (568, box - 10), (568, box + 21)], GREY, 2
            )
            draw.arrow(568, box + 21, 636, box + 21)
        else:
            draw.arrow(end, box + 21, 636, box + 21)
        draw.text(
            648,
            box + 27,
            ("(N, 1000)", "(N, 10)", "(N, 10)")[index],
            17,
            (ORANGE, GREEN, GREEN)[index],
            bold=True,
        )

    draw.line([(30, 342), (790, 342)])
    draw.text(30, 370, words["frozen"], bold=True)
    for x, width, name in ((30, 276, words["features"]), (330, 188, "classifier[0]...[5]")):
        draw.rect(x, 386, width, 48, FROZEN, GREY)
        draw.lock(x + 10, 400)
        draw.text(x + 34, 415, name, 13 if x == 30 else 12, code=x != 30)
    draw.arrow(309, 410, 326, 410)
    draw.arrow(521, 410, 538, 410)
    draw.block(542, 386, 150, 48, [new_layer], PALE_GREEN, GREEN, code=True, size=13)
    draw.text(702, 415, words["learns"], 14, GREEN, bold=True)
    trainable = sum(parameter.numel() for parameter in vgg.parameters() if parameter.requires_grad)
    total = sum(parameter.numel() for parameter in vgg.parameters())
    draw.text(30, 461, words["counts"].format(learns=trainable, total=total), 14, GREY)
    return draw


# --- Lesson 7

P07 = {
    "title": ("Three things to save", "可以保存的三种东西"),
    "whole": ("the whole model", "整个模型"),
    "weights": ("a state_dict", "state_dict"),
    "checkpoint": ("a checkpoint", "检查点"),
    "whole_holds": ("a pickle: the class's name and the weights", "pickle：类的名字和权重"),
    "weights_holds": ("names → tensors, nothing else", "名字 → 张量，别的没有"),
    "checkpoint_holds": ("all that the training needs to go on", "接着训练需要的一切"),
    "class_name": ("name of your class, not its code", "类的名字，没有类的代码"),
    "all_weights": ("weights", "权重"),
    "more": ("... and {0} more", "…… 还有 {0} 个"),
    "momentum": ("momentum", "动量"),
    "to_load": ("To load it", "加载时"),
    "whole_needs": ("needs: the class, in its old place", "需要：类还在原来的位置"),
    "whole_risk": ("and trust: it may run any code", "还要信任它：能运行任意代码"),
    "weights_needs": ("needs: a model built by your code", "需要：先用代码建好模型"),
    "weights_risk": ("runs no code", "不运行代码"),
    "checkpoint_needs": ("needs: model and optimizer, built", "需要：建好模型和优化器"),
    "checkpoint_risk": ("the losses go on as without a stop", "损失接着走，像没停过一样"),
}


def p07_save_load(words: dict[str, str]) -> Drawing:
    draw = Drawing(880, 440, words["title"])
    state = Tudui().state_dict()
    columns = ((24, "whole", ORANGE, PALE_ORANGE), (306, "weights", BLUE, PALE_BLUE))
    for x, name, colour, pale in (*columns, (588, "checkpoint", GREEN, PALE_GREEN)):
        draw.rect(x, 24, 268, 392, WHITE, colour, radius=8)
        draw.text(x + 16, 54, words[name], 17, colour, bold=True)
        draw.text(x + 16, 78, words[f"{name}_holds"], 12.5, GREY)
        draw.rect(x + 14, 94, 240, 170, pale, colour)
        draw.text(x + 16, 292, words["to_load"], 14, bold=True)
        load = {
            "whole": ["torch.load(path,", "    weights_only=False)"],
            "weights": ["model.load_state_dict(", "    torch.load(path))"],
            "checkpoint": ['model: checkpoint["model"]', 'optimizer: checkpoint["optimizer"]'],
        }[name]
        for index, line in enumerate(load):
            draw.text(x + 16, 316 + 20 * index, line.replace("    ", "\u00a0" * 4), 11.5, code=True)
        draw.text(x + 16, 368, words[f"{name}_needs"], 14)
        draw.text(x + 16, 392, words[f"{name}_risk"], 14, colour)

    draw.block(52, 108, 212, 44, ["my_training_script.Net"], WHITE, ORANGE, code=True, size=13)
    draw.text(158, 172, words["class_name"], 13, GREY, "middle")
    draw.block(52, 190, 212, 56, [words["all_weights"]], WHITE, ORANGE)
    shown = 5
    for index, (name, weight) in enumerate(list(state.items())[:shown]):
        draw.text(330, 120 + 25 * index, name, 12, code=True)
        draw.text(554, 120 + 25 * index, str(tuple(weight.shape)), 12, anchor="end")
    draw.text(330, 120 + 25 * shown, words["more"].format(len(state) - shown), 13, GREY)
    for index, (key, told) in enumerate(
        (('"model"', "state_dict"), ('"optimizer"', f"state_dict ({words['momentum']})"), ('"step"', "20"))
    ):
        draw.text(614, 132 + 50 * index, key, 13, code=True)
        draw.block(708, 110 + 50 * index, 128, 34, [told], WHITE, GREEN, size=11)
    return draw


# --- Lesson 8

P08 = {
    "title": (
        "The recipe: its learning rate, its ingredients and its checkpoint",
        "配方：学习率、配料和检查点",
    ),
    "rate": ("Learning rate over 10 epochs on Sketch10", "Sketch10 上 10 轮的学习率"),
    "constant": ("notes: always {0:g}", "notes：一直是 {0:g}"),
    "top": ("fast: up to {0:g}", "fast：最高 {0:g}"),
    "start": ("from {0:g}", "从 {0:g} 起"),
    "end": ("to almost 0", "降到几乎为 0"),
    "step": ("step", "步"),
    "checkpoint": ("A checkpoint: all that the next step depends on", "检查点：下一步取决于什么，就存什么"),
    "model": ("the weights", "权重"),
    "optimizer": ("the momentum of each weight", "每个权重的动量"),
    "scheduler": ("where on the curve on the left", "走到左边曲线的哪里"),
    "order": ("which pictures are still to come", "还有哪些图片没看"),
    "sums": ("the epoch's figures so far", "这一轮到现在的统计"),
    "rng_state": ("the next mirrors and shifts", "接下来怎样镜像、平移"),
    "where": ("Where in a step each ingredient acts", "每样配料在一步里的什么地方起作用"),
    "augment": ("pictures", "图片"),
    "prepare": ("input", "输入"),
    "network": ("network", "网络"),
    "loss": ("loss", "损失"),
    "gradient": ("gradient", "梯度"),
    "weights": ("weights", "权重"),
}


def p08_train(words: dict[str, str]) -> Drawing:
    draw = Drawing(880, 500, words["title"])
    notes, fast = RECIPES["notes"], RECIPES["fast"]
    steps = 10 * TRAIN_PICTURES // fast.batch_size
    training = Training(fast, torch.zeros(1, 32, 32, 3), 10, total_steps=steps)
    rates = [training.scheduler.get_last_lr()[0]]
    for _ in range(steps - 1):
        training.optimizer.step()
        training.scheduler.step()
        rates += training.scheduler.get_last_lr()

    def x(step: float) -> float:
        return 70 + step * 330 / steps

    def y(rate: float) -> float:
        return 282 - rate / fast.learning_rate * 200

    draw.text(30, 38, words["rate"], bold=True)
    for rate in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1):
        draw.line([(70, y(rate)), (400, y(rate))])
        draw.text(62, y(rate) + 5, f"{rate:g}", 13, GREY, "end")
    for step in range(0, steps + 1, steps // 5):
        draw.text(x(step), 302, step, 13, GREY, "middle")
    draw.text(400, 322, words["step"], 13, GREY, "end")
    draw.line([(x(0), y(notes.learning_rate)), (x(steps), y(notes.learning_rate))], ORANGE, 2.5)
    draw.text(140, y(notes.learning_rate) - 8, words["constant"].format(notes.learning_rate), 14, ORANGE)
    draw.line([(x(step), y(rate)) for step, rate in enumerate(rates)], BLUE, 2.5)
    draw.text(
        x(rates.index(max(rates))), y(max(rates)) - 10, words["top"].format(max(rates)), 14, BLUE, "middle"
    )
    draw.text(90, y(0) - 5, words["start"].format(rates[0]), 14, BLUE)
    draw.text(400, y(0.03), words["end"], 14, BLUE, "end")

    draw.rect(440, 22, 416, 300, WHITE, GREEN, radius=8)
    draw.text(456, 50, words["checkpoint"], bold=True)
    keys = [*list(training.state_dict())[:3], "order", "sums", "rng_state"]
    for index, key in enumerate(keys):
        top = 66 + 41 * index
        shown = {"order": "order, step", "sums": "sums, history"}.get(key, key)
        draw.block(456, top, 138, 32, [shown], PALE_GREEN, GREEN, code=True, size=12.5)
        draw.text(606, top + 21, words[key], 14)

    draw.line([(30, 344), (850, 344)])
    draw.text(30, 372, words["where"], bold=True)
    places = {
        "augment": ["mirror", f"shift={fast.shift}"],
        "prepare": ["normalise"],
        "network": ["orthogonal"],
        "loss": [f"label_smoothing={fast.label_smoothing}"],
        "gradient": [f"max_norm={fast.max_norm}"],
        "weights": [f"momentum={fast.momentum}", f"weight_decay={fast.weight_decay}", "one_cycle"],
    }
    left = 30
    for index, (place, ingredients) in enumerate(places.items()):
        width = (88, 96, 104, 166, 112, 158)[index]
        draw.text(left + width / 2, 400, words[place], 14, GREY, "middle")
        draw.block(left, 410, width, 66, ingredients, PALE_BLUE, BLUE, code=True, size=12)
        left += width
        if index < 5:
            draw.arrow(left + 2, 443, left + 16, 443)
        left += 20
    return draw


# --- Lesson 9

P09 = {
    "title": ("Who waits for whom: host and device over time", "谁在等谁：主机和设备的时间线"),
    "host": ("host", "主机"),
    "device": ("device", "设备"),
    "plain": (
        "{0}: the device waits for the host",
        "{0}：设备在等主机",
    ),
    "batches": (
        "{0}, pinned, non_blocking: the host works ahead",
        "{0}，锁页内存，non_blocking：主机走在前面",
    ),
    "held": (
        "{0}: nothing left to prepare or to copy",
        "{0}：不用准备，也不用复制",
    ),
    "copied": ("{0:.1f} MB are copied for each batch of {1}", "每批 {1} 张，要复制 {0:.1f} MB"),
    "once": (
        "{0:.2f} GB are copied once: CIFAR-10, as bytes",
        "只复制一次，{0:.2f} GB：CIFAR-10，按字节存",
    ),
    "prepare": ("prepare", "准备"),
    "copy": ("copy", "复制"),
    "hand over": ("hand over", "下达任务"),
    "wait": ("waits", "等待"),
    "train": ("training step", "训练一步"),
    "time": ("time", "时间"),
    "drawn": (
        "Lengths are chosen to show the idea; they are not measured.",
        "长度只为说明道理，不是测出来的。",
    ),
}


def lanes(prepare: float, copy: float, step: float, blocking: bool, until: float) -> list[tuple]:
    """What host and device do: (lane, what, start, end), until the time is over.

    The host prepares a batch, hands its copy over and then the step. With ``blocking`` it waits for the end
    of the copy. The device does what it was handed, in order.
    """
    hand_over = 1.0
    spans, host, device = [], 0.0, 0.0
    while host < until:
        spans.append(("host", "prepare", host, host + prepare))
        host += prepare
        copied = max(host, device) + copy
        spans.append(("device", "copy", copied - copy, copied))
        if blocking:
            spans.append(("host", "wait", host, copied))
            host = copied
        spans.append(("host", "hand over", host, host + hand_over))
        begin = max(copied, host)
        device = begin + step
        spans.append(("device", "train", begin, device))
        host += hand_over
    return [
        (lane, what, start, min(end, until))
        for lane, what, start, end in spans
        if start < end and start < until
    ]


def p09_accelerator(words: dict[str, str]) -> Drawing:
    draw = Drawing(880, 478, words["title"])
    colours = {
        "prepare": (PALE_ORANGE, ORANGE),
        "copy": (PALE_BLUE, BLUE),
        "hand over": (FROZEN, GREY),
        "wait": (WHITE, GREY),
        "train": (PALE_GREEN, GREEN),
    }
    until = 36.0
    batch_size = RECIPES["fast"].batch_size
    batch_mb = batch_size * 3 * 32 * 32 * 4 / 1e6  # float32
    all_gb = 50_000 * 3 * 32 * 32 / 1e9  # uint8
    plain, batches, *_, held, _ = LADDER
    copied = words["copied"].format(batch_mb, batch_size)
    timelines = (
        (plain, "plain", copied, (6, 1, 3, True)),
        (batches, "batches", copied, (1.6, 0.8, 3, False)),
        (held, "held", words["once"].format(all_gb), (0, 0, 3, False)),
    )
    for index, (rung, heading, below, durations) in enumerate(timelines):
        top = 24 + 128 * index
        draw.text(30, top + 14, words[heading].format(rung.name.removeprefix("+ ")), bold=True)
        draw.text(850, top + 14, below, 13, GREY, "end")
        for lane, y in (("host", top + 26), ("device", top + 64)):
            draw.text(84, y + 21, words[lane], 14, GREY, "end")
            draw.rect(94, y, 756, 32, WHITE, BORDER, radius=0, line=1)
        for lane, what, start, end in lanes(*durations, until=until):
            left, width = 94 + start * 756 / until, (end - start) * 756 / until
            fill, stroke = colours[what]
            y = top + (26 if lane == "host" else 64)
            draw.rect(left, y + 3, width, 26, fill, stroke, dashed=what == "wait", radius=2, line=1)
    draw.arrow(94, 402, 846, 402)
    draw.text(850, 422, words["time"], 13, GREY, "end")
    left = 94
    for what, (fill, stroke) in colours.items():
        draw.rect(left, 412, 20, 16, fill, stroke, dashed=what == "wait", radius=2, line=1)
        draw.text(left + 27, 425, words[what], 14)
        left += 136
    draw.text(94, 456, words["drawn"], 14, GREY)
    return draw


# --- Lesson 10

P10 = {
    "title": (
        "From a file to the top five, and where the network looks",
        "从图片文件到前五名，以及网络看哪里",
    ),
    "file": ("any size, any mode", "任何大小、任何模式"),
    "picture": ("RGB, 32x32", "RGB，32x32"),
    "stage": ("stage {0}", "第 {0} 级"),
    "linear": ("linear", "全连接"),
    "top": ("top five", "前五名"),
    "exported": (
        "exported together: pictures in [0, 1] go in, scores come out",
        "一起导出：进去的是 [0, 1] 的图片，出来的是得分",
    ),
    "looks": ("A network that looks at one place only", "一个只看一处的网络"),
    "place": ("{0} when nothing is covered", "什么都不遮：{0}"),
    "square": ("A grey square slides over it: {0} places", "灰方块在上面滑动：{0} 个位置"),
    "falls": ("{0} where it covers the place", "遮住那一处：{0}"),
    "map": ("The occlusion map: how far it falls", "遮挡图：下降了多少"),
    "most": ("by {0} in the middle", "中间下降 {0}"),
}


def p10_classify(words: dict[str, str]) -> Drawing:
    draw = Drawing(860, 478, words["title"])

    # The way of a picture
    stages = feature_maps(Classifier(Tudui()), torch.zeros(1, 3, 32, 32))
    draw.block(24, 62, 96, 64, ["photo.png"], WHITE, GREY, code=True, size=13)
    draw.text(72, 146, words["file"], 12, GREY, "middle")
    draw.arrow(122, 94, 138, 94)
    draw.block(142, 62, 82, 64, ["to_rgb", "resize"], WHITE, GREY, code=True, size=13)
    draw.text(183, 146, words["picture"], 12, GREY, "middle")
    draw.arrow(226, 94, 250, 94)
    draw.rect(246, 24, 456, 138, "none", GREEN, dashed=True, radius=8)
    draw.text(258, 46, "Classifier", 14, GREEN, bold=True, code=True)
    draw.text(690, 46, words["exported"], 12, GREEN, "end")
    draw.block(256, 62, 108, 64, ["(imgs - mean)", "/ std"], PALE_GREEN, GREEN, code=True, size=12)
    for index, maps in enumerate(stages):
        x = 382 + 82 * index
        channels, side, _ = maps.shape[1:]
        draw.arrow(x - 16, 94, x - 2, 94)
        draw.block(x + 2, 62, 62, 64, [f"{channels} x", f"{side}x{side}"], PALE_BLUE, BLUE, size=14)
        draw.text(x + 33, 146, words["stage"].format(index + 1), 12, GREY, "middle")
    draw.arrow(612, 94, 626, 94)
    draw.block(630, 62, 64, 64, [words["linear"]], PALE_BLUE, BLUE, size=13)
    draw.arrow(704, 94, 722, 94)
    draw.block(726, 62, 110, 64, ["softmax", "topk"], WHITE, GREY, code=True, size=13)
    draw.text(781, 146, words["top"], 12, GREY, "middle")
    draw.line([(24, 184), (836, 184)])

    # The occlusion map of a network that is simple enough to know where it looks
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
    top, pixel = 228, 6
    for x, heading, below in (
        (40, words["looks"], words["place"].format(probability(img))),
        (
            320,
            words["square"].format(len(range(STRIDE - SQUARE, 32, STRIDE)) ** 2),
            words["falls"].format(probability(covered)),
        ),
        (600, words["map"], words["most"].format(f"{heat.max():.1%}")),
    ):
        draw.text(x, top - 14, heading, 13, bold=True)
        draw.rect(x, top, 32 * pixel, 32 * pixel, "#e5e5e5", GREY, radius=0)
        draw.text(x, top + 32 * pixel + 24, below, 14, GREY)
    for row in range(0, 32, STRIDE):  # pixels side by side are covered by the same squares
        for column in range(0, 32, STRIDE):
            share = round((heat[row, column] / heat.max()).item(), 4)
            if share > 0:
                pale = 229 - int(200 * share)
                x, y, side = 600 + column * pixel, top + row * pixel, STRIDE * pixel
                colour = f"rgb(229,{pale},{pale})"
                draw.rect(x, y, side, side, colour, colour, radius=0, line=0)
    side = SQUARE * pixel
    draw.rect(320, top, side, side, "#808080", GREY, radius=0)
    draw.arrow(374, top + side / 2, 410, top + side / 2)
    for x in (40, 320, 600):
        draw.rect(x + 8 * pixel, top + 16 * pixel, side, side, "none", ORANGE, radius=0, line=2.5)
    draw.arrow(248, top + 96, 300, top + 96)
    draw.arrow(528, top + 96, 580, top + 96)
    return draw


# --- Lesson 11

P11 = {
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
    "counted": ("{0} answers counted", "算了 {0} 个回答"),
}


def p11_distributed(words: dict[str, str]) -> Drawing:
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
        return tudui.model1[8].bias.grad[0].item()

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


PAGES = {
    "p01_dataloader": (p01_dataloader, P01),
    "p02_conv2d": (p02_conv2d, P02),
    "p03_maxpool": (p03_maxpool, P03),
    "p04_sequential": (p04_sequential, P04),
    "p05_loss_optim": (p05_loss_optim, P05),
    "p06_pretrained": (p06_pretrained, P06),
    "p07_save_load": (p07_save_load, P07),
    "p08_train": (p08_train, P08),
    "p09_accelerator": (p09_accelerator, P09),
    "p10_classify": (p10_classify, P10),
    "p11_distributed": (p11_distributed, P11),
}


def figures() -> dict[str, str]:
    """Every figure as text, by its path below ``lessons/notes/figures/``."""
    return {
        f"{language}/{name}.svg": draw(
            {key: translations[number] for key, translations in words.items()}
        ).svg()
        for name, (draw, words) in PAGES.items()
        for number, language in enumerate(LANGUAGES)
    }


def main() -> None:
    for name, svg in figures().items():
        path = FIGURES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(svg.encode())  # bytes: Windows would write other line ends
        print(f"{path}  {len(svg.encode()) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
