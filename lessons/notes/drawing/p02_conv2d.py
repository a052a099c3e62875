"""Lesson 2: a kernel slides over a picture; padding and dilation."""

from lessons.notes.drawing.svg import (
    BLUE,
    BORDER,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE_BLUE,
    PALE_GREEN,
    WHITE,
    Drawing,
)
from lessons.p02_conv2d import KERNEL, PICTURE, conv2d_by_hand, output_size

WORDS: dict[str, tuple[str, str]] = {
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


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 610, words["title"])
    window = {(row, column) for row in range(3) for column in range(3)}
    numbers = (PICTURE, KERNEL, conv2d_by_hand(PICTURE, KERNEL))
    picture, kernel, output = (tensor.int().tolist() for tensor in numbers)

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
    draw.grid(540, 70, output, fill=PALE_GREEN, marked={(0, 0)})
    draw.rect(540, 70, 36, 36, "none", GREEN, radius=0, line=3)
    draw.arrow(580, 196, 626, 196)
    draw.text(594, 220, words["slide"], 13, GREY, anchor="middle")

    sums = [
        " + ".join(f"{picture[row][column]}·{kernel[row][column]}" for column in range(3)) for row in range(3)
    ]
    draw.text(40, 290, words["first"], bold=True)
    draw.text(40, 316, f"({sums[0]}) + ({sums[1]}) + ({sums[2]}) = {output[0][0]}", 14, code=True)

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
