"""What every figure is drawn with: the colours, the fonts, and a ``Drawing`` that becomes SVG."""

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

FONT = "Helvetica, Arial, 'Noto Sans CJK SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"
CODE_FONT = "Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans CJK SC', 'Microsoft YaHei', monospace"

# On a light card of its own a figure looks the same on a white and on a black page
CARD, BORDER, INK, GREY, WHITE = "#f8fafc", "#cbd5e1", "#1e293b", "#64748b", "#ffffff"
BLUE, PALE_BLUE = "#2563eb", "#dbeafe"
ORANGE, PALE_ORANGE = "#c2410c", "#ffedd5"
GREEN, PALE_GREEN = "#15803d", "#dcfce7"
FROZEN = "#e2e8f0"


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
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" font-family="{FONT}">\n<title>{escape(self.title)}</title>\n'
            '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
            f'<path d="M0 0 L8 4 L0 8 z" fill="{GREY}"/></marker></defs>\n'
            f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="14" fill="{CARD}" '
            f'stroke="{BORDER}"/>\n'
        )
        return head + "\n".join(self.elements) + "\n</svg>\n"
