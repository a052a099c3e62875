"""Charts for TensorBoard's IMAGES tab: what ``writer.add_figure`` takes.

Plain ``matplotlib.figure.Figure`` objects, not pyplot: nothing opens a window, and no figure stays in memory.
"""

import math
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from torch import Tensor

# Fonts with Chinese characters, as Linux, Windows and macOS bring them. matplotlib's own has none.
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti TC",
    "Arial Unicode MS",
)

# For names that are not ours, such as the classes of a folder. A dollar sign begins no formula, and a
# character that the first font lacks is taken from the next one.
AS_WRITTEN: dict[str, Any] = {
    "parse_math": False,
    "fontfamily": ["DejaVu Sans", *(name for name in CHINESE_FONTS if name in fontManager.get_font_names())],
}


def confusion_chart(counts: Tensor, classes: list[str]) -> Figure:
    """How often pictures of each class (rows) were called what (columns): (C, C) counts.

    Of more than 40 classes in colour alone: with names and numbers, 1,000 would make 2 gigapixels.
    """
    size = len(classes)
    shown = min(size, 40)
    figure = Figure(figsize=(1.5 + 0.45 * shown, 1.2 + 0.45 * shown), layout="constrained")
    axes = figure.subplots()
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)  # of each row, so that rows compare
    axes.imshow(shares.numpy(), cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("the network says")
    axes.set_ylabel("the picture is")
    if size > shown:
        return figure
    axes.set_xticks(range(size), classes, rotation=45, ha="right", **AS_WRITTEN)
    axes.set_yticks(range(size), classes, **AS_WRITTEN)
    for row in range(size):
        for column in range(size):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(
                column, row, str(int(counts[row, column])), ha="center", va="center", color=colour, size=8
            )
    return figure


def captioned_chart(imgs: Tensor, captions: list[str], columns: int = 8) -> Figure:
    """Pictures (N, 3, H, W) or (N, 1, H, W) in [0, 1], each with its caption above, ``columns`` in a row."""
    columns = min(columns, len(imgs))
    rows = math.ceil(len(imgs) / columns)
    figure = Figure(figsize=(1.5 * columns, 1.9 * rows), layout="constrained")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.axis("off")
    for axes, img, caption in zip(figure.axes, imgs, captions, strict=False):
        img = img.detach().float().cpu().clamp(0, 1).permute(1, 2, 0)  # (H, W, C), as matplotlib wants it
        axes.imshow(img.numpy(), cmap="gray", vmin=0, vmax=1)
        axes.set_title(caption, size=8, **AS_WRITTEN)
    return figure


def bar_chart(values: dict[str, float], label: str, fmt: str = "{:,.0f}") -> Figure:
    """A bar for each name, from top to bottom, with its value; ``label`` says what it is, in which unit."""
    figure = Figure(figsize=(8, 0.8 + 0.45 * len(values)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(values), list(values.values()))
    axes.bar_label(bars, fmt=fmt, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel(label)
    return figure
