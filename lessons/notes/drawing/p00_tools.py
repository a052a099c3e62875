"""Lesson 0: one picture as PIL, NumPy and PyTorch have it; a number on its way; transforms in a row."""

from itertools import groupby

import numpy as np
from PIL import Image
from torchvision.transforms import ToTensor

from lessons.notes.drawing.svg import (
    BLACK,
    BLUE,
    FRAME,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_ORANGE,
    WHITE,
    Drawing,
    pixel,
)
from lessons.p00_tools import GRASS, NORMALIZE, draw_insect, one_at_a_time

WORDS: dict[str, tuple[str, str]] = {
    "title": ("One picture, three times; and transforms in a row", "一张图片的三种样子，以及连起来的变换"),
    "file": ("picture: width, height", "图片：宽，高"),
    "array": ("array: height, width, 3", "数组：高，宽，3"),
    "tensor": ("tensor: 3, height, width", "张量：3，高，宽"),
    "together": ("red, green, blue of a pixel together", "每个像素的红绿蓝放在一起"),
    "apart": ("a whole map for each colour", "每种颜色单独一整张"),
    "number": ("One number on its way", "跟着一个数走一遍"),
    "row": ("Compose: each takes what the one before gives", "Compose：后一个接过前一个的结果"),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 560, words["title"])
    img = draw_insect("bees", 0)
    coarse = np.asarray(img.resize((24, 18), Image.Resampling.NEAREST))  # as many pixels as a figure bears
    shown = coarse[8:10, 2:4]  # four of them, where the bee begins

    def picture(x: float, y: float, pixels: np.ndarray, cell: float) -> None:
        """Pixels (H, W, 3): the first one's colour all over, and a rectangle for what differs in a column."""
        height, width = pixels.shape[:2]
        columns = [[pixel(*colour) for colour in column] for column in pixels.swapaxes(0, 1).tolist()]
        draw.rect(x, y, width * cell, height * cell, columns[0][0], GREY, radius=0, line=1)
        for column, colours in enumerate(columns):
            row = 0
            for colour, run in groupby(colours):
                length = len(list(run))
                if colour != columns[0][0]:
                    draw.rect(
                        x + column * cell, y + row * cell, cell, length * cell, colour, "none", radius=0
                    )
                row += length

    # --- Three times the same picture
    draw.text(36, 38, words["file"], bold=True)
    picture(36, 52, coarse, 7)
    draw.rect(36 + 2 * 7, 52 + 8 * 7, 14, 14, "none", FRAME, radius=0, line=3)
    draw.text(36, 202, f"img.size = {img.size}", 14, code=True)
    draw.arrow(218, 115, 268, 115)

    draw.text(290, 38, words["array"], bold=True)
    picture(290, 52, shown, 63)
    draw.rect(290, 52, 126, 126, "none", FRAME, radius=0, line=3)
    for row, line in enumerate(shown.tolist()):
        for column, colour in enumerate(line):
            for index, number in enumerate(colour):
                x, y = 290 + column * 63 + 32, 52 + row * 63 + 20 + index * 18
                draw.text(x, y, number, 14, BLACK, "middle", code=True)
    draw.text(290, 202, f"{np.asarray(img).shape}", 14, code=True)
    draw.text(290, 224, words["together"], 13, GREY)
    draw.arrow(446, 115, 526, 115)
    draw.text(482, 102, "ToTensor", 13, anchor="middle", code=True)

    draw.text(546, 38, words["tensor"], bold=True)
    for channel, name in enumerate("RGB"):
        grey = np.repeat(coarse[:, :, channel : channel + 1], 3, axis=2)
        x, y = 546 + channel * 42, 52 + channel * 18
        picture(x, y, grey, 5)
        draw.rect(x + 2 * 5, y + 8 * 5, 10, 10, "none", FRAME, radius=0, line=2)
        draw.text(x + 124, y + 14, name, 13, GREY, code=True)
    draw.text(546, 202, f"{tuple(ToTensor()(img).shape)}", 14, code=True)
    draw.text(546, 224, words["apart"], 13, GREY)

    # --- One number
    draw.line([(30, 246), (790, 246)])
    draw.text(36, 276, words["number"], bold=True)
    red, mean, std = GRASS[0] / 255, NORMALIZE.mean[0], NORMALIZE.std[0]
    for x, number, limits, fill, stroke in (
        (36, f"{GRASS[0]}", "0 ... 255", PALE_ORANGE, ORANGE),
        (300, f"{red:.1f}", "0 ... 1", PALE_BLUE, BLUE),
        (620, f"{(red - mean) / std:.1f}", "-1 ... 1", PALE_BLUE, BLUE),
    ):
        draw.block(x, 292, 90, 40, [number], fill, stroke, size=17)
        draw.text(x + 45, 352, limits, 13, GREY, "middle")
    for left, right, name, formula in (
        (132, 294, "ToTensor", f"{GRASS[0]} / 255"),
        (396, 614, "Normalize", f"({red:.1f} - {mean}) / {std}"),
    ):
        draw.arrow(left, 312, right, 312)
        draw.text((left + right) / 2, 302, name, 13, anchor="middle", code=True)
        draw.text((left + right) / 2, 330, formula, 13, GREY, "middle", code=True)

    # --- Compose
    draw.line([(30, 372), (790, 372)])
    draw.text(36, 402, words["row"], bold=True)
    small, crop, _, normalised = one_at_a_time(img)
    after = f"{tuple(normalised.shape)}"
    middle, scale = 466, 1.1
    for x, shown_img in ((36, img), (240, small), (412, crop)):
        width, height = scale * shown_img.width, scale * shown_img.height
        draw.rect(x, middle - height / 2, width, height, WHITE, BLUE)
        draw.text(x + width / 2, 536, f"{shown_img.height}x{shown_img.width}", 14, anchor="middle", code=True)
    cut = scale * crop.width
    draw.rect(246, middle - cut / 2, cut, cut, "none", ORANGE, dashed=True, radius=0)
    for x in (546, 698):
        for offset in (0, 7, 14):
            draw.rect(x + offset, middle - cut / 2 - 7 + offset, cut, cut, WHITE, BLUE)
        draw.text(x + 7 + cut / 2, 536, after, 14, anchor="middle", code=True)
    for left, right, name in (
        (148, 234, f"Resize({small.height})"),
        (300, 406, f"RandomCrop({crop.width})"),
        (454, 540, "ToTensor"),
        (606, 692, "Normalize"),
    ):
        draw.arrow(left, middle, right, middle)
        draw.text((left + right) / 2 - 3, middle - 10, name, 12, anchor="middle", code=True)
    return draw
