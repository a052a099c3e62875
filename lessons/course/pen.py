"""Colours and flat shapes: what a drawing of Sketch10 is made of.

Shapes are written in *units*: x runs right and y down, the middle is (0, 0), and a subject fills about -1 to
1 both ways. A Pose says where on the canvas they lie. Colours are (red, green, blue), 0 to 255.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor under 1) or lighter (over 1)."""
    red, green, blue = (min(255, int(value * factor)) for value in colour)
    return red, green, blue


def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """The colour with a share (0 to 1) of another one mixed in."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def vary(rng: Random, palette: Sequence[Colour], spread: float = 14.0) -> Colour:
    """One colour of the palette, each value moved by at most `spread`."""
    red, green, blue = (int(min(255, max(0, v + rng.uniform(-spread, spread)))) for v in rng.choice(palette))
    return red, green, blue


def brightness(colour: Colour) -> float:
    """How bright the colour looks, 0 to 255 (luma of ITU-R BT.601)."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def with_brightness(colour: Colour, target: float) -> Colour:
    """The same hue at another brightness (0 to 255): mixed with black or with white."""
    current = brightness(colour)
    if target <= current:
        return shade(colour, target / max(current, 1.0))
    return blend(colour, (255, 255, 255), (target - current) / (255 - current))


def pick(rng: Random, **weights: float) -> str:
    """One of the named views; a view of weight 2 comes twice as often as one of weight 1."""
    return rng.choices(tuple(weights), tuple(weights.values()))[0]


def unit_circle(corners: int) -> list[Point]:
    return [(math.cos(math.tau * k / corners), math.sin(math.tau * k / corners)) for k in range(corners)]


CIRCLE = unit_circle(14)
SMALL_CIRCLE = unit_circle(8)  # enough corners for eyes and lamps, and faster


@dataclass(frozen=True)
class Pose:
    """Where a sketch lies on the canvas."""

    x: float  # where its (0, 0) is, in pixels of the canvas
    y: float
    width: float  # pixels to a unit across; below 0, the sketch is mirrored
    height: float  # pixels to a unit down
    tilt: float = 0.0  # degrees clockwise, after mirroring


class Sketch:
    """The flat shapes of one subject, in units, from the hindmost to the foremost.

    With pair=True a shape is drawn twice: as written, and mirrored at x = 0 (two eyes, two wings, two lamps).
    """

    def __init__(self, lean: float = 0.0) -> None:
        self.shapes: list[tuple[list[Point], Colour]] = []
        self.lean = lean  # degrees by which the whole subject is turned clockwise, before mirroring
        self.x, self.y, self.size = 0.0, 0.0, 1.0

    def part(self, x: float, y: float, size: float = 1.0) -> "Sketch":
        """A pen for a part of this sketch: its (0, 0) lies at our (x, y) and its unit is `size` of ours."""
        pen = Sketch()
        pen.shapes, pen.size = self.shapes, self.size * size
        pen.x, pen.y = self.x + self.size * x, self.y + self.size * y
        return pen

    def polygon(self, colour: Colour, *corners: Point, pair: bool = False) -> None:
        for side in (-1, 1) if pair else (1,):
            placed = [(self.x + side * self.size * x, self.y + self.size * y) for x, y in corners]
            self.shapes.append((placed, colour))

    def rectangle(
        self, colour: Colour, left: float, top: float, right: float, bottom: float, pair: bool = False
    ) -> None:
        self.polygon(colour, (left, top), (right, top), (right, bottom), (left, bottom), pair=pair)

    def trapezoid(
        self, colour: Colour, top: float, half_top: float, bottom: float, half_bottom: float
    ) -> None:
        """Upright around x = 0: `half_top` wide to either side at the height `top`, and so on at `bottom`."""
        self.polygon(colour, (-half_top, top), (half_top, top), (half_bottom, bottom), (-half_bottom, bottom))

    def ellipse(
        self,
        colour: Colour,
        x: float,
        y: float,
        radius_x: float,
        radius_y: float,
        tilt: float = 0.0,
        pair: bool = False,
    ) -> None:
        """An ellipse around (x, y); `tilt` turns it clockwise, in degrees."""
        cos, sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
        circle = CIRCLE if self.size * max(radius_x, radius_y) > 0.15 else SMALL_CIRCLE
        offsets = [(radius_x * u, radius_y * v) for u, v in circle]
        self.polygon(colour, *[(x + u * cos - v * sin, y + u * sin + v * cos) for u, v in offsets], pair=pair)

    def limb(
        self,
        colour: Colour,
        start: Point,
        end: Point,
        width: float,
        end_width: float = 0.0,
        pair: bool = False,
    ) -> None:
        """A bar from start to end, as wide as `width`; with an end_width it tapers (or widens) to that."""
        (start_x, start_y), (end_x, end_y) = start, end
        length = math.hypot(end_x - start_x, end_y - start_y)
        across_x, across_y = (start_y - end_y) / length, (end_x - start_x) / length
        near, far = width / 2, (end_width or width) / 2
        self.polygon(
            colour,
            (start_x + across_x * near, start_y + across_y * near),
            (end_x + across_x * far, end_y + across_y * far),
            (end_x - across_x * far, end_y - across_y * far),
            (start_x - across_x * near, start_y - across_y * near),
            pair=pair,
        )

    def brightness(self) -> float:
        """The mean brightness of the shapes, the larger ones counting more."""
        total = area_sum = 0.0
        for corners, colour in self.shapes:
            following = (*corners[1:], corners[0])
            area = abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(corners, following, strict=True)))
            total += area * brightness(colour)
            area_sum += area
        return total / area_sum

    def placed(self, pose: Pose) -> Iterator[tuple[list[Point], Colour]]:
        """Each shape with its corners where they lie on the canvas, in pixels."""
        cos, sin = math.cos(math.radians(self.lean)), math.sin(math.radians(self.lean))
        tilt_cos, tilt_sin = math.cos(math.radians(pose.tilt)), math.sin(math.radians(pose.tilt))
        for corners, colour in self.shapes:
            turned = [
                (pose.width * (x * cos - y * sin), pose.height * (x * sin + y * cos)) for x, y in corners
            ]
            yield (
                [
                    (pose.x + x * tilt_cos - y * tilt_sin, pose.y + x * tilt_sin + y * tilt_cos)
                    for x, y in turned
                ],
                colour,
            )

    def draw(self, canvas: ImageDraw.ImageDraw, pose: Pose) -> None:
        for corners, colour in self.placed(pose):
            canvas.polygon(corners, fill=colour)
