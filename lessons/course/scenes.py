"""How a subject of Sketch10 stands in its picture: the ground behind it, its place, what hides it, the light.

Most pictures are posed: the whole subject, large, in the middle, in good light. These carry lesson 5's plain
SGD over its plateau at 10 %. One in five is a snapshot, as photographs are: cut off at the edge, far away,
tilted, half hidden, in poor light. These leave a network something to get wrong. Snapshots that show too
little for a person to tell what it is are taken again.

Everything is drawn four times too large and then averaged down, for soft edges.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from lessons.course.pen import Colour, Pose, Sketch, shade, vary, with_brightness

SIDE = 32  # pixels along each side of a finished picture
OVERSAMPLING = 4  # shapes are drawn this many times larger, then averaged down
CANVAS = SIDE * OVERSAMPLING
# How far colours are spread away from middle grey: flat pictures leave plain SGD at 10 % for long
CONTRAST = 1.65
MIDDLE_GREY = 110.0
DUSK = 60.0  # the grey that all colours near in poor light
NOISE = 5.0  # largest change of one colour value by noise

# Of a subject in a snapshot so much is seen: the share of its shapes' corners that lie in the picture and
# behind nothing. Corners, not area: eyes, ears and wheels are small and say most. With less, a person could
# not tell what it is; with more, a network could hardly fail.
SHOWN = 0.36, 0.58
SHOWN_SIZE = 0.3  # the least share times size: what is far away must not be hidden as well
THINGS_IN_FRONT = 1, 2, 2  # so many, each as often
TRIES = 200  # snapshots of one subject before it is posed after all

SKY = [(110, 175, 240), (150, 195, 235), (190, 205, 220), (240, 190, 145), (130, 140, 190)]
SEA = [(40, 105, 170), (50, 130, 160), (35, 110, 125)]
ROAD = [(125, 125, 128), (105, 105, 112), (165, 155, 140)]
GRASS = [(95, 150, 60), (120, 155, 70), (170, 155, 95), (80, 120, 55)]
LEAVES = [(60, 110, 50), (85, 125, 60), (120, 100, 60)]
WALL = [(200, 180, 150), (175, 180, 190), (150, 105, 85), (120, 145, 165), (140, 160, 140), (175, 140, 165)]
IRON = [(70, 74, 78), (92, 96, 100), (60, 74, 66)]
BARK = [(104, 84, 66), (120, 96, 74), (96, 88, 80)]
PICKET = [(196, 190, 178), (140, 112, 86), (112, 96, 84)]
LAMPLIGHT: Colour = (235, 225, 170)

GROUNDS = ("sky", "sea", "road", "field", "room")


def draw_ground(
    canvas: ImageDraw.ImageDraw, rng: Random, kind: str, subject_brightness: float, tilt: float
) -> None:
    """Fill the canvas with sky, sea, road, field or room, all clearly darker or lighter than the subject.

    `tilt` turns the horizon clockwise, in degrees.
    """
    if subject_brightness > 100:
        tone = rng.uniform(56, min(subject_brightness - 45, 98))
    else:
        tone = rng.uniform(min(subject_brightness + 75, 150), 175)

    def colour(palette: Sequence[Colour], spread: float = 14.0) -> Colour:
        return with_brightness(vary(rng, palette, 20), tone + rng.uniform(-spread, spread))

    def anywhere(low: float = 0.0, high: float = 1.0) -> float:
        return rng.uniform(low * CANVAS, high * CANVAS)

    horizon = anywhere(0.42, 0.74)
    slope = rng.uniform(-5, 5) - CANVAS / 2 * math.tan(math.radians(tilt))
    above, below = {
        "sky": (SKY, SKY),
        "sea": (SKY, SEA),
        "road": (SKY, ROAD),
        "field": (SKY if rng.random() < 0.6 else LEAVES, GRASS),
        "room": (WALL, WALL),
    }[kind]
    canvas.rectangle((0, 0, CANVAS, CANVAS), fill=colour(above))
    for _ in range(rng.randint(0, 3)):
        x, wide, high = anywhere(), anywhere(0.07, 0.2), anywhere(0.05, 0.16)
        if kind in ("sky", "sea"):  # clouds
            y = anywhere(0.0, 1.0 if kind == "sky" else 0.4)
            canvas.ellipse((x - wide, y - high / 2, x + wide, y + high / 2), fill=colour(above, 24))
        elif kind == "field":  # trees and bushes
            canvas.ellipse((x - wide, horizon - 2 * high, x + wide, horizon + high), fill=colour(LEAVES, 20))
        else:  # houses, pictures on the wall
            bottom = horizon if kind == "road" else horizon - high
            canvas.rectangle((x - wide, bottom - 2 * high, x + wide, bottom), fill=colour(WALL, 20))
    if kind == "sky":
        return
    canvas.polygon(
        [(0, horizon + slope), (CANVAS, horizon - slope), (CANVAS, CANVAS), (0, CANVAS)], fill=colour(below)
    )
    for _ in range(rng.randint(0, 3)):  # waves, road markings, tufts, floor boards
        x, y, wide = anywhere(), rng.uniform(horizon + 6, CANVAS), anywhere(0.06, 0.3)
        canvas.rectangle((x - wide, y, x + wide, y + rng.uniform(2, 5)), fill=colour(below, 24))


# Where each pixel lies, -1 to 1 across (1, 32, 1) and down (32, 1, 1).
ACROSS = np.linspace(-1, 1, SIDE, dtype=np.float32).reshape(1, SIDE, 1)
DOWN = ACROSS.reshape(SIDE, 1, 1)


def posed(rng: Random) -> Pose:
    """Large and in the middle, half of the time mirrored."""
    x, y = (CANVAS / 2 * (1 + rng.uniform(-0.18, 0.18)) for _ in range(2))
    height = CANVAS / 2 * rng.uniform(0.82, 0.98)
    width = height * rng.uniform(0.9, 1.1) * rng.choice((-1, 1))
    return Pose(x, y, width, height)


# --- Snapshots. What stands in front is written in units too: the whole picture is -1 to 1 both ways.

WHOLE_PICTURE = Pose(CANVAS / 2, CANVAS / 2, CANVAS / 2, CANVAS / 2)


def draw_lamp_post(front: Sketch, rng: Random, x: float, y: float) -> None:
    """A street lamp around x, from below the picture to above its subject."""
    iron, side = vary(rng, IRON, 6), rng.choice((-1, 1))
    top = min(y - 0.3, rng.uniform(-1.1, -0.5))
    front.limb(iron, (x, top), (x, 2), rng.uniform(0.13, 0.2), 0.24)
    front.limb(iron, (x - 0.05 * side, top), (x + 0.4 * side, top - 0.06), 0.1)
    front.ellipse(LAMPLIGHT, x + 0.4 * side, top + 0.02, 0.16, 0.1)


def draw_trunk(front: Sketch, rng: Random, x: float, y: float) -> None:
    """A tree trunk from bottom to top, darker on one side, with a bough."""
    bark, side = vary(rng, BARK, 8), rng.choice((-1, 1))
    wide, drift = rng.uniform(0.26, 0.46), rng.uniform(-0.15, 0.15)
    front.limb(bark, (x + drift, -2), (x - drift, 2), wide * 0.85, wide * 1.15)
    front.limb(shade(bark, 0.75), (x + drift + wide / 4, -2), (x - drift + wide / 4, 2), wide * 0.3)
    bough = rng.uniform(-0.9, -0.4)
    front.limb(bark, (x, bough), (x + 0.9 * side, bough - 0.6), 0.18, 0.06)


def draw_fence(front: Sketch, rng: Random, x: float, y: float) -> None:
    """A picket fence across the picture, as high as the lower half of the subject."""
    wood = vary(rng, PICKET, 8)
    top = y + rng.uniform(-0.2, 0.3)
    wide, gap = rng.uniform(0.1, 0.16), rng.uniform(0.14, 0.24)
    for rail in (top + 0.2, top + 0.6):
        front.limb(shade(wood, 0.8), (-2, rail), (2, rail), 0.1)
    left = -1.6 + rng.uniform(0, wide + gap)
    while left < 1.6:
        right = left + wide
        front.polygon(
            wood, (left, 2), (left, top), ((left + right) / 2, top - 0.08), (right, top), (right, 2)
        )
        left = right + gap


def draw_bush(front: Sketch, rng: Random, x: float, y: float) -> None:
    """A bush around x that reaches up to the middle of the subject."""
    leaves = with_brightness(vary(rng, LEAVES, 12), rng.uniform(65, 105))
    top, wide = y + rng.uniform(-0.25, 0.25), rng.uniform(0.4, 0.7)
    front.ellipse(shade(leaves, 0.8), x, top + 1.0, wide, 0.75)
    for place, high in ((-0.6, 0.25), (0.55, 0.2), (-0.15, 0.0), (0.25, 0.1), (-0.4, 0.6), (0.4, 0.5)):
        light = shade(leaves, rng.uniform(0.85, 1.2))
        front.ellipse(light, x + place * wide, top + high + 0.3, wide * 0.5, 0.32)


# What can stand before each ground: a plant or a stair gate in a room, reeds at the sea
IN_FRONT: dict[str, Sequence[Callable[[Sketch, Random, float, float], None]]] = {
    "sky": (draw_lamp_post, draw_trunk, draw_bush),
    "sea": (draw_lamp_post, draw_trunk, draw_bush),
    "road": (draw_lamp_post, draw_trunk, draw_fence, draw_bush),
    "field": (draw_trunk, draw_fence, draw_bush),
    "room": (draw_lamp_post, draw_fence, draw_bush),
}


@dataclass(frozen=True)
class Snapshot:
    """A subject's place in a picture taken in passing, what stands in front of it, and the light."""

    pose: Pose
    front: Sketch
    light: float  # share of the contrast that is left

    @property
    def front_pose(self) -> Pose:
        return replace(WHOLE_PICTURE, tilt=self.pose.tilt)  # the camera is tilted, and all with it

    def shown(self, sketch: Sketch) -> float:
        """The share of the corners of the sketch's shapes that lie in the picture and behind nothing."""
        hidden = Image.new("L", (CANVAS, CANVAS))
        canvas = ImageDraw.Draw(hidden)
        for corners, _ in self.front.placed(self.front_pose):
            canvas.polygon(corners, fill=1)
        points = np.concatenate([corners for corners, _ in sketch.placed(self.pose)]).astype(int)  # (N, 2)
        x, y = points[((points >= 0) & (points < CANVAS)).all(axis=1)].T
        return float((np.asarray(hidden)[y, x] == 0).sum() / len(points))


def take_snapshot(sketch: Sketch, ground: str, rng: Random) -> Snapshot | None:
    """A snapshot that shows neither too little of the sketch nor too much; None when there was no such one.

    Most are near the middle and not far away, which the cubes are for: what stands in front of a subject is
    what the fast recipe overfits to, and a subject in another place is what lesson 5's plain SGD fails at.
    """
    for _ in range(TRIES):
        x, y = (0.45 * rng.uniform(-1, 1) ** 3 for _ in range(2))
        size = 0.95 - 0.45 * rng.random() ** 3
        height = CANVAS / 2 * size
        width = height * rng.uniform(0.9, 1.1) * rng.choice((-1, 1))
        pose = Pose(CANVAS / 2 * (1 + x), CANVAS / 2 * (1 + y), width, height, tilt=rng.uniform(-20, 20))
        front = Sketch()
        for draw in rng.sample(IN_FRONT[ground], rng.choice(THINGS_IN_FRONT)):
            draw(front, rng, x + size * rng.uniform(-0.7, 0.7), y)
        snapshot = Snapshot(pose, front, light=rng.triangular(0.35, 0.9, 0.9))
        shown = snapshot.shown(sketch)
        if SHOWN[0] <= shown <= SHOWN[1] and shown * size >= SHOWN_SIZE:
            return snapshot
    return None


def draw_scene(sketch: Sketch, ground: str, rng: Random, snapshot: Snapshot | None = None) -> np.ndarray:
    """The sketch before a ground, posed or as the snapshot has it: (32, 32, 3) uint8."""
    image = Image.new("RGB", (CANVAS, CANVAS))
    canvas = ImageDraw.Draw(image)
    draw_ground(canvas, rng, ground, sketch.brightness(), snapshot.pose.tilt if snapshot else 0.0)
    pose = posed(rng)
    sketch.draw(canvas, snapshot.pose if snapshot else pose)
    if snapshot:
        snapshot.front.draw(canvas, snapshot.front_pose)
    pixels = np.asarray(image.reduce(OVERSAMPLING), dtype=np.float32)
    pixels = (pixels - MIDDLE_GREY) * CONTRAST + MIDDLE_GREY
    if snapshot:
        pixels = (pixels - DUSK) * snapshot.light + DUSK
    # The light is stronger in some pictures than in others, and falls off from one side to the other.
    pixels *= rng.uniform(0.9, 1.1) + rng.uniform(-0.12, 0.12) * ACROSS + rng.uniform(-0.12, 0.12) * DOWN
    noise = np.frombuffer(rng.randbytes(pixels.size), dtype=np.uint8).reshape(pixels.shape)
    pixels += (noise - np.float32(127.5)) * np.float32(NOISE / 127.5)
    return pixels.clip(0, 255).astype(np.uint8)
