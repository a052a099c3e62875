"""Numbers as pictures in a terminal: grids side by side, and curves."""

import math
from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

BLOCKS = "▁▂▃▄▅▆▇█"


def grid(numbers: Any) -> list[str]:
    """The lines of a table of numbers, (H, W) or what can be squeezed to it, each column as wide as it must.

    Raises:
        ValueError: for more than two dimensions, or more numbers than a terminal has room for.
    """
    while numbers.dim() > 2 and numbers.shape[0] == 1:
        numbers = numbers[0]
    if numbers.dim() > 2 or max(numbers.shape, default=1) > 14:
        raise ValueError(f"{tuple(numbers.shape)} is too large for a grid")
    rows = numbers.reshape(-1, numbers.shape[-1] if numbers.dim() else 1).tolist()
    cells = [[short(number) for number in row] for row in rows]
    width = max((len(cell) for row in cells for cell in row), default=1)
    return [" ".join(cell.rjust(width) for cell in row) for row in cells] or ["(empty)"]


def short(number: float) -> str:
    """A number in few characters: 3, -0.25, 1.5e+06."""
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def side_by_side(panels: Sequence[tuple[str, list[str]]]) -> str:
    """Blocks of lines beside each other, each under its heading; a Chinese character takes two columns."""
    height = max(len(lines) for _, lines in panels)
    rows = [""] * (height + 1)
    for heading, lines in panels:
        block = [heading, *lines, *[""] * (height - len(lines))]
        width = max(map(cell_len, block))
        rows = [
            row + line + " " * (width - cell_len(line) + 4) for row, line in zip(rows, block, strict=True)
        ]
    return "\n".join(row.rstrip() for row in rows)


def curve(values: Sequence[float], width: int = 48, height: int = 6) -> str:
    """A curve in the terminal, with its highest and lowest value; what is not finite is an ``x``."""
    values = [float(value) for value in values]
    if not values:
        return "(no values)"
    if len(values) > width:  # the last value of each stretch, so that the curve ends where it ends
        values = [values[math.ceil((i + 1) * len(values) / width) - 1] for i in range(width)]
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    labels = {height - 1: f"{high:.3g}", 0: f"{low:.3g}"}
    margin = max(map(len, labels.values()))
    steps = [
        round((value - low) / (high - low or 1) * (8 * height - 1)) if math.isfinite(value) else None
        for value in values
    ]
    lines = []
    for row in reversed(range(height)):
        cells = "".join("x" if step is None and row == 0 else block(step, row) for step in steps)
        lines.append(f"{labels.get(row, ''):>{margin}} |{cells}")
    return "\n".join(lines)


def block(step: int | None, row: int) -> str:
    """The character of a column that reaches ``step`` eighths high, in one row of the picture."""
    eighths = -1 if step is None else step - 8 * row
    return " " if eighths < 0 else BLOCKS[min(eighths, 7)]
