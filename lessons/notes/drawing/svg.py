"""What every figure is drawn with: the colours, the fonts, and a ``Drawing`` that becomes SVG.

A figure follows the reader's light or dark scheme. Each element carries the colour of the light scheme as an
attribute, and the stylesheet in the file replaces it where the scheme is dark: a viewer that knows no media
query shows the light one. A colour that is not in the table stays.
"""

import math
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

FONT = "Helvetica, Arial, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
CODE_FONT = "Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans CJK SC', 'Microsoft YaHei', monospace"

CARD, BORDER, WHITE, FROZEN = "#f8fafc", "#cbd5e1", "#ffffff", "#e2e8f0"
INK, GREY = "#1e293b", "#526077"
BLUE, PALE_BLUE, SKY = "#1d4ed8", "#dbeafe", "#bfdbfe"
ORANGE, PALE_ORANGE = "#b83b0a", "#ffedd5"
GREEN, PALE_GREEN, LEAF = "#12703a", "#dcfce7", "#bbf7d0"
ROSE = "#fecaca"
FRAME, BLACK = "#c2410c", "#000000"  # on pictures, whose pixels are the same in the dark
DARK = {  # what the stylesheet makes of each in the dark
    CARD: "#131a26",
    BORDER: "#4b5a70",
    WHITE: "#1f2937",
    FROZEN: "#374151",
    INK: "#e6edf3",
    GREY: "#a9b6c8",
    BLUE: "#79b8ff",
    PALE_BLUE: "#1e3a63",
    SKY: "#26508f",
    ORANGE: "#fb9a55",
    PALE_ORANGE: "#4f2c14",
    GREEN: "#5fd38a",
    PALE_GREEN: "#15422c",
    LEAF: "#17583a",
    ROSE: "#7f2a2a",
}


def pixel(red: int, green: int, blue: int) -> str:
    """A picture's own colour, 0 to 255, written as none of the table is: it stays, also where it is white."""
    return f"rgb({red},{green},{blue})"


def stylesheet(elements: str) -> str:
    """The dark form of each colour that the elements use."""
    rules = [
        f'[{what}="{light}"] {{{what}: {dark}}}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
        if f'{what}="{light}"' in elements
    ]
    return "\n".join(["<style>@media (prefers-color-scheme: dark) {", *rules, "}</style>\n"])


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
        extra = f' rx="{radius:g}"' if radius else ""
        extra += f' stroke="{stroke}" stroke-width="{line:g}"' if stroke != "none" else ""
        extra += ' stroke-dasharray="6 4"' if dashed else ""
        self.elements.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"{extra}/>'
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
        extra = f' text-anchor="{anchor}"' if anchor != "start" else ""
        extra += ' font-weight="bold"' if bold else ""
        extra += f' font-family="{CODE_FONT}"' if code else ""
        self.elements.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}"{extra}>'
            f"{escape(str(words))}</text>"
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, colour: str = GREY) -> None:
        """A line that ends with a head, its tip 3 behind (x2, y2)."""
        length = math.hypot(x2 - x1, y2 - y1)
        across, down = (x2 - x1) / length, (y2 - y1) / length

        def point(along: float, beside: float) -> str:
            return f"{x2 + along * across - beside * down:.1f} {y2 + along * down + beside * across:.1f}"

        self.elements.append(
            f'<path d="M{x1:g} {y1:g}L{point(-7, 0)}M{point(3, 0)}L{point(-8, -5)}L{point(-8, 5)}z" '
            f'fill="{colour}" stroke="{colour}" stroke-width="2"/>'
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

    def axes(
        self,
        left: float,
        bottom: float,
        width: float,
        height: float,
        across: Sequence[float],
        up: dict[float, str],
        name: str,
    ) -> tuple[Callable[[float], float], Callable[[float], float]]:
        """A chart's grid lines, one for each value in ``up``, with its words; the values ``across`` below.

        Both axes begin at 0 and end with their last value; ``name`` says what goes across. Returns the
        functions that say at which x and at which y of the drawing a value lies.
        """

        def x(value: float) -> float:
            return left + value * width / max(across)

        def y(value: float) -> float:
            return bottom - value / max(up) * height

        for value, words in up.items():
            self.line([(left, y(value)), (left + width, y(value))])
            self.text(left - 8, y(value) + 5, words, 13, GREY, "end")
        for value in across:
            self.text(x(value), bottom + 20, value, 13, GREY, "middle")
        self.text(left + width, bottom + 42, name, 13, GREY, "end")
        return x, y

    def svg(self) -> str:
        width, height = self.size
        card = Drawing(width, height, self.title)
        card.rect(1, 1, width - 2, height - 2, CARD, BORDER, radius=14, line=1)
        elements = "\n".join(card.elements + self.elements)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="{FONT}">\n<title>{escape(self.title)}</title>\n'
            f"{stylesheet(elements)}{elements}\n</svg>\n"
        )
