"""Lesson 3: a pooling window that hangs over the edge, with and without ceil_mode."""

import torch.nn.functional as F

from lessons.notes.drawing.svg import GREY, ORANGE, Drawing
from lessons.p02_conv2d import PICTURE
from lessons.p03_maxpool import pooled_size
from lessons.tudui import TuduiMaxPool

WORDS: dict[str, tuple[str, str]] = {
    "title": ("Pooling with a window that hangs over the edge", "池化：窗口伸出了边缘"),
    "picture": ("picture 5x5, window 3x3, stride 3", "图片 5x5，窗口 3x3，步长 3"),
    "ceil_mode=True": ("a window over the edge counts", "伸出边缘的窗口也算"),
    "ceil_mode=False": ("only whole windows count", "只算完整的窗口"),
    "largest": ("Each window keeps its largest number.", "每个窗口只留下最大的数。"),
    "outside": ("Dashed: what lies outside holds no number.", "虚线：图片外面没有数。"),
}


def figure(words: dict[str, str]) -> Drawing:
    draw = Drawing(820, 382, words["title"])
    cell, left, top = 42, 44, 60
    draw.text(left, 40, words["picture"], bold=True)
    _, indices = F.max_pool2d(PICTURE.reshape(1, 1, 5, 5), 3, ceil_mode=True, return_indices=True)
    winners = {divmod(int(index), 5) for index in indices.flatten()}
    draw.grid(left, top, PICTURE.int().tolist(), cell, winners)
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

    for ceil_mode, y in ((True, 60), (False, 204)):
        output = TuduiMaxPool(ceil_mode)(PICTURE.reshape(1, 1, 5, 5))[0, 0].int().tolist()
        size = pooled_size(5, kernel_size=3, ceil_mode=ceil_mode)
        draw.arrow(330, y + 42, 400, y + 42)
        draw.grid(
            430,
            y + (2 - size) * cell / 2,
            output,
            cell,
            {(row, column) for row in range(size) for column in range(size)},
        )
        draw.text(540, y + 28, f"ceil_mode={ceil_mode}", code=True, bold=True)
        draw.text(540, y + 52, f"5x5 → {size}x{size}")
        draw.text(540, y + 76, words[f"ceil_mode={ceil_mode}"], 14, GREY)
    return draw
