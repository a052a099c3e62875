"""How Sketch10 is drawn: the ten classes of CIFAR-10 as 32x32 colour drawings.

One function a class draws its subject with pen.py's shapes; scenes.py puts the subject into a picture.
Subjects in profile look right; half of the pictures are mirrored.
"""

from collections.abc import Callable, Sequence
from random import Random

import numpy as np

from lessons.course.pen import Colour, Sketch, blend, pick, shade, vary
from lessons.course.scenes import GROUNDS, SEA, SIDE, draw_scene, take_snapshot

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DRAWING_VERSION = 3  # raise it whenever the pictures change: stored ones are then drawn again

PROGRESS_EVERY = 256  # pictures between two calls of `progress`

# Palettes. Most colours are bright, so that most grounds are dim: plain SGD learns such pictures soonest.
BLACK: Colour = (22, 20, 22)
GREY: Colour = (150, 152, 158)
CREAM: Colour = (248, 238, 220)
LAMP: Colour = (255, 246, 180)
TAIL_LAMP: Colour = (235, 45, 35)
TONGUE: Colour = (235, 100, 115)
GLASS = [(70, 105, 140), (50, 70, 95), (110, 150, 180)]
PAINT = [(235, 65, 55), (245, 205, 60), (245, 140, 50), (85, 160, 240), (80, 195, 105), (238, 238, 238)]
AIRLINER = [(242, 244, 248), (242, 244, 248), (205, 212, 222), (160, 200, 240), (52, 60, 82)]
CAR_PAINT = [(238, 60, 50), (238, 60, 50), (250, 205, 60), (90, 165, 240), (190, 196, 205), (45, 55, 80)]
HULL = [(225, 65, 55), (80, 135, 210), (70, 165, 140), (240, 160, 60), (205, 210, 215)]
SAIL = [(250, 248, 240), (245, 230, 190), (240, 110, 80), (215, 230, 250)]
CARGO = [(245, 245, 245), (245, 145, 50), (85, 150, 235), (90, 195, 120), (225, 70, 60)]
PLUMAGE = [(245, 140, 60), (100, 165, 245), (250, 215, 80), (240, 240, 240), (200, 110, 70), (45, 45, 58)]
BEAK = [(250, 175, 50), (235, 205, 90), (245, 110, 60)]
CAT_FUR = [(238, 150, 70), (180, 180, 190), (245, 240, 232), (150, 145, 150), (48, 44, 52)]
CAT_EYES = [(150, 210, 70), (240, 200, 60), (120, 195, 220)]
DOG_FUR = [(235, 205, 155), (246, 236, 216), (200, 160, 115), (185, 180, 178), (60, 52, 50)]
DEER_COAT = [(205, 130, 70), (190, 115, 60), (220, 160, 100), (160, 100, 60)]
ANTLER = [(240, 220, 180), (215, 185, 140)]
HORSE_COAT = [(185, 100, 55), (205, 130, 70), (220, 155, 90), (150, 90, 55), (80, 48, 36)]
MANE = [(245, 225, 175), (60, 40, 32), (30, 26, 28)]
FROG_SKIN = [(105, 195, 70), (150, 215, 85), (80, 165, 70), (185, 180, 80), (85, 190, 150)]
FROG_IRIS = [(250, 215, 60), (240, 110, 50), (250, 245, 225)]


def draw_airplane(sketch: Sketch, rng: Random) -> None:
    """An airliner, climbing or sinking in profile, from above, or coming straight on."""
    body, trim, glass = vary(rng, AIRLINER), vary(rng, PAINT), vary(rng, GLASS)
    wing = shade(body, 0.62)
    thick = rng.uniform(0.13, 0.17)
    view = pick(rng, side=5, above=3, front=2)
    if view == "side":
        sketch.lean = rng.uniform(-26, 10)
        span = rng.uniform(0.5, 0.66)
        sketch.polygon(wing, (0.0, -0.03), (0.28, -0.03), (-0.16, -span), (-0.36, -span))  # far wing
        sketch.polygon(trim, (-0.92, -0.04), (-0.56, -0.08), (-0.82, -0.56), (-1.0, -0.56))  # tail fin
        sketch.ellipse(body, 0.0, 0.0, 0.95, thick)
        sketch.polygon(glass, (0.68, -0.09), (0.82, -0.07), (0.86, -0.01), (0.68, -0.01))  # cockpit
        sketch.rectangle(glass, -0.62, -0.06, 0.52, 0.0)  # cabin windows
        sketch.polygon(wing, (-0.08, 0.04), (0.28, 0.04), (-0.2, span + 0.06), (-0.44, span + 0.06))
        sketch.polygon(trim, (-0.92, 0.0), (-0.66, 0.0), (-0.94, 0.2), (-1.04, 0.2))  # tailplane
        sketch.ellipse(trim, 0.06, 0.3, 0.17, 0.08)  # engine
    elif view == "above":  # drawn with its nose up, then turned
        sketch.lean = rng.uniform(35, 115)
        sweep = rng.uniform(0.0, 0.3)
        sketch.polygon(wing, (0, -0.34), (0, 0.06), (0.95, sweep + 0.1), (0.95, sweep - 0.06), pair=True)
        sketch.polygon(trim, (0, 0.58), (0, 0.84), (0.4, 0.98), (0.4, 0.84), pair=True)  # tailplane
        sketch.ellipse(trim, 0.4, -0.14, 0.07, 0.16, pair=True)  # engines
        sketch.ellipse(body, 0.0, 0.0, thick, 0.95)
        sketch.ellipse(glass, 0.0, -0.76, 0.09, 0.08)  # cockpit
    else:
        sketch.limb(trim, (0.0, 0.0), (0.0, -0.72), 0.14, 0.08)  # tail fin
        sketch.limb(wing, (-0.4, -0.32), (0.4, -0.32), 0.07)  # tailplane
        sketch.limb(wing, (0.0, 0.16), (1.0, rng.uniform(-0.06, 0.1)), 0.16, 0.06, pair=True)
        sketch.limb(GREY, (0.2, 0.2), (0.2, 0.5), 0.08, pair=True)  # landing gear
        sketch.ellipse(trim, 0.46, 0.22, 0.14, 0.14, pair=True)  # engines
        sketch.ellipse(BLACK, 0.46, 0.22, 0.08, 0.08, pair=True)
        sketch.ellipse(body, 0.0, 0.04, 0.25, 0.27)
        sketch.trapezoid(glass, -0.12, 0.1, 0.0, 0.17)  # windscreen


def draw_wheels(sketch: Sketch, places: Sequence[float], y: float, radius: float) -> None:
    """Wheels seen from the side, one around each x in `places`."""
    for x in places:
        sketch.ellipse(BLACK, x, y, radius, radius)
        sketch.ellipse(GREY, x, y, radius * 0.5, radius * 0.5)


def draw_automobile(sketch: Sketch, rng: Random) -> None:
    """A car from the side (saloon or hatchback), from the front or from behind."""
    body, glass = vary(rng, CAR_PAINT), vary(rng, GLASS)
    dark = shade(body, 0.7)
    view = pick(rng, side=6, front=3, rear=1)
    if view == "side":
        roof = rng.uniform(-0.54, -0.42)
        back = rng.choice((-0.9, rng.uniform(-0.62, -0.48)))  # where the cabin starts: hatchback or saloon
        front = rng.uniform(0.25, 0.42)
        middle = (back + front) / 2
        sketch.polygon(body, (back, -0.08), (back + 0.2, roof), (front - 0.22, roof), (front + 0.12, -0.08))
        for left, right in ((back + 0.1, middle - 0.04), (middle + 0.04, front - 0.02)):  # the side windows
            top = (left + right) / 2
            sketch.polygon(
                glass, (left, -0.1), (top - 0.08, roof + 0.08), (top + 0.08, roof + 0.08), (right, -0.1)
            )
        sketch.polygon(
            body, (-0.95, -0.1), (front + 0.1, -0.12), (0.89, 0.0), (0.95, 0.1), (0.95, 0.3), (-0.95, 0.3)
        )
        sketch.rectangle(dark, -0.95, 0.2, 0.95, 0.3)  # sill
        sketch.rectangle(LAMP, 0.83, 0.0, 0.95, 0.1)
        sketch.rectangle(TAIL_LAMP, -0.95, -0.04, -0.86, 0.08)
        draw_wheels(sketch, (-0.56, 0.56), 0.3, rng.uniform(0.19, 0.24))
    else:
        wide = rng.uniform(0.7, 0.82)
        sketch.rectangle(BLACK, wide - 0.28, 0.3, wide - 0.04, 0.62, pair=True)  # tyres
        sketch.trapezoid(body, -0.55, wide - 0.26, -0.05, wide - 0.08)  # cabin
        sketch.trapezoid(glass, -0.45, wide - 0.32, -0.06, wide - 0.19)
        sketch.trapezoid(body, -0.06, wide - 0.08, 0.06, wide)
        sketch.rectangle(body, -wide, 0.06, wide, 0.44)
        sketch.rectangle(dark, -wide, 0.33, wide, 0.44)  # bumper
        if view == "front":
            sketch.rectangle(BLACK, -0.32, 0.12, 0.32, 0.27)  # grille
            sketch.ellipse(LAMP, wide - 0.18, 0.14, 0.15, 0.11, pair=True)
        else:
            sketch.rectangle(CREAM, -0.2, 0.12, 0.2, 0.25)  # number plate
            sketch.ellipse(TAIL_LAMP, wide - 0.18, 0.14, 0.15, 0.11, pair=True)


def draw_truck(sketch: Sketch, rng: Random) -> None:
    """A box lorry, a tanker or a loaded pick-up from the side, or a lorry from the front."""
    paint, load, glass = vary(rng, PAINT), vary(rng, CARGO), vary(rng, GLASS)
    view = pick(rng, box=4, tanker=2, pickup=3, front=3)
    if view in ("box", "tanker"):
        end = rng.uniform(0.28, 0.4)  # where the load ends and the cab starts
        roof = rng.uniform(-0.44, -0.32)  # of the cab
        sketch.rectangle(GREY, -0.96, 0.2, 0.94, 0.34)  # chassis
        if view == "box":
            sketch.rectangle(load, -0.96, rng.uniform(-0.74, -0.58), end, 0.24)
            sketch.rectangle(shade(load, 0.78), -0.96, 0.14, end, 0.24)
            if rng.random() < 0.5:
                sketch.rectangle(vary(rng, PAINT), -0.78, -0.34, end - 0.18, -0.1)  # sign
        else:
            middle = (end - 0.96) / 2
            sketch.ellipse(load, middle, -0.12, end - middle, 0.36)
            sketch.rectangle(shade(load, 0.78), -0.88, -0.1, end - 0.06, 0.02)  # painted stripe
        cab_back, window_top = end + 0.06, roof + 0.08
        sketch.polygon(paint, (cab_back, roof), (0.78, roof), (0.96, -0.02), (0.96, 0.32), (cab_back, 0.32))
        sketch.polygon(glass, (end + 0.2, window_top), (0.74, window_top), (0.88, -0.04), (end + 0.2, -0.04))
        sketch.rectangle(LAMP, 0.84, 0.12, 0.96, 0.22)
        draw_wheels(sketch, rng.choice(((-0.7, -0.34, 0.66), (-0.6, 0.66))), 0.36, rng.uniform(0.16, 0.2))
    elif view == "pickup":
        back, roof = rng.uniform(-0.04, 0.12), rng.uniform(-0.6, -0.48)  # the cab's rear wall and roof
        if rng.random() < 0.6:
            sketch.polygon(load, (-0.9, -0.1), (-0.66, roof), (-0.2, roof), (back - 0.04, -0.1))
        cab = sketch.part(back, 0.0)
        cab.polygon(paint, (0.0, 0.0), (0.0, roof), (0.42, roof), (0.6, 0.0))
        cab.polygon(glass, (0.1, -0.06), (0.1, roof + 0.1), (0.37, roof + 0.1), (0.48, -0.06))
        sketch.polygon(paint, (-0.96, -0.12), (back, -0.12), (0.94, 0.0), (0.96, 0.3), (-0.96, 0.3))
        sketch.rectangle(shade(paint, 0.7), -0.96, -0.12, back, -0.02)  # edge of the bed
        sketch.rectangle(LAMP, 0.84, 0.02, 0.96, 0.12)
        draw_wheels(sketch, (-0.56, 0.58), 0.32, rng.uniform(0.21, 0.26))
    else:
        wide = rng.uniform(0.56, 0.66)
        sketch.rectangle(BLACK, wide - 0.26, 0.6, wide - 0.02, 0.92, pair=True)  # tyres
        sketch.rectangle(GREY, wide + 0.04, -0.4, wide + 0.16, -0.08, pair=True)  # mirrors
        sketch.rectangle(load, -wide - 0.02, -0.95, wide + 0.02, 0.5)  # the box shows above the cab
        sketch.rectangle(paint, -wide, -0.62, wide, 0.72)
        sketch.rectangle(glass, -wide + 0.08, -0.52, wide - 0.08, -0.06)
        sketch.rectangle(BLACK, -wide + 0.14, 0.1, wide - 0.14, 0.36)  # grille
        sketch.rectangle(shade(paint, 0.65), -wide, 0.54, wide, 0.72)  # bumper
        sketch.ellipse(LAMP, wide - 0.14, 0.48, 0.12, 0.1, pair=True)


def draw_ship(sketch: Sketch, rng: Random) -> None:
    """A steamer, a container ship or a sailing boat, broadside on."""
    hull, trim = vary(rng, HULL), vary(rng, PAINT)
    keel, white = shade(hull, 0.65), vary(rng, [CREAM])
    view = pick(rng, steamer=5, container=3, sailing=3)
    if view == "sailing":
        sail, top = vary(rng, SAIL), rng.uniform(-0.92, -0.8)
        sketch.limb(GREY, (-0.05, 0.3), (-0.05, top - 0.06), 0.06)  # mast
        sketch.polygon(sail, (0.0, top), (rng.uniform(0.55, 0.78), 0.2), (0.0, 0.2))  # main sail
        sketch.polygon(shade(sail, 0.85), (-0.1, top + 0.1), (-0.1, 0.2), (rng.uniform(-0.7, -0.5), 0.2))
        sketch.polygon(hull, (-0.86, 0.28), (0.95, 0.24), (0.66, 0.62), (-0.64, 0.62))
        sketch.polygon(keel, (-0.74, 0.48), (0.77, 0.48), (0.66, 0.62), (-0.64, 0.62))
        return
    deck = rng.uniform(0.1, 0.2)
    if view == "steamer":
        stern, bow = rng.uniform(-0.72, -0.55), rng.uniform(0.15, 0.42)  # ends of the superstructure
        for funnel in rng.choice(((-0.2,), (-0.36, -0.02))):
            sketch.rectangle(trim, funnel - 0.1, -0.74, funnel + 0.1, -0.3)
            sketch.rectangle(BLACK, funnel - 0.1, -0.8, funnel + 0.1, -0.7)
        sketch.limb(GREY, (bow + 0.1, 0.1), (bow + 0.1, -0.7), 0.05)  # mast
        sketch.rectangle(white, stern + 0.15, -0.4, bow - 0.1, -0.12)
        sketch.rectangle(white, stern, -0.16, bow, deck + 0.02)
        for number in range(4):
            left = stern + 0.08 + number * (bow - stern - 0.1) / 4
            sketch.rectangle(keel, left, -0.07, left + 0.09, 0.02)  # windows
    else:
        for stack in range(4):
            for level in range(rng.randint(1, 3)):
                left, bottom = -0.42 + 0.27 * stack, deck + 0.02 - 0.19 * level
                sketch.rectangle(vary(rng, CARGO), left, bottom - 0.18, left + 0.25, bottom)
        sketch.rectangle(trim, -0.7, -0.74, -0.58, -0.5)  # funnel
        sketch.rectangle(white, -0.82, -0.58, -0.48, deck + 0.02)  # bridge
        sketch.rectangle(BLACK, -0.76, -0.48, -0.48, -0.38)
    sketch.polygon(hull, (-0.94, deck), (0.96, deck - 0.12), (0.74, 0.56), (-0.8, 0.56))
    sketch.polygon(keel, (-0.84, 0.42), (0.8, 0.42), (0.74, 0.56), (-0.8, 0.56))


def draw_bird(sketch: Sketch, rng: Random) -> None:
    """A bird on its legs, on the wing, or swimming."""
    body, beak = vary(rng, PLUMAGE), vary(rng, BEAK)
    wing, breast = shade(body, 0.66), blend(body, CREAM, 0.5)
    view = pick(rng, perched=5, flying=4, swimming=2)
    if view == "perched":
        sketch.lean = rng.uniform(-10, 10)
        droop = rng.uniform(0.16, 0.38)
        sketch.polygon(wing, (-0.4, 0.02), (-1.0, droop), (-0.9, droop + 0.2), (-0.28, 0.32))  # tail
        for leg in (-0.04, 0.16):
            sketch.limb(beak, (leg, 0.42), (leg + 0.02, 0.9), 0.08)
            sketch.limb(beak, (leg - 0.04, 0.9), (leg + 0.14, 0.9), 0.07)  # toes
        sketch.ellipse(body, 0.0, 0.14, 0.54, 0.36, -22)
        sketch.ellipse(breast, 0.18, 0.26, 0.3, 0.22, -22)
        sketch.ellipse(wing, -0.14, 0.1, 0.4, 0.19, -14)
        draw_bird_head(sketch.part(0.4, -0.36), body, beak)
    elif view == "flying":
        sketch.lean = rng.uniform(-22, 14)
        lift = rng.uniform(0.6, 0.92)  # how high the tip of the far wing stands
        sketch.polygon(wing, (0.3, 0.0), (-0.1, 0.0), (-0.58, -lift), (-0.3, -lift), (0.1, -0.55 * lift))
        sketch.polygon(wing, (-0.38, -0.04), (-0.98, -0.14), (-0.86, 0.04), (-0.98, 0.22), (-0.38, 0.14))
        sketch.ellipse(body, 0.02, 0.04, 0.54, 0.23)
        sketch.ellipse(breast, 0.1, 0.13, 0.36, 0.13)
        draw_bird_head(sketch.part(0.54, -0.06, 0.85), body, beak)
        near_wing, tip = blend(wing, body, 0.5), rng.choice((-0.9, 0.85)) * lift  # raised or lowered
        sketch.polygon(near_wing, (0.32, 0.0), (-0.14, 0.04), (-0.3, tip), (-0.02, tip), (0.26, 0.5 * tip))
    else:
        neck = rng.uniform(-0.5, -0.34)  # height of the head
        sketch.polygon(wing, (-0.5, 0.2), (-1.0, -0.12), (-0.6, 0.46))  # tail
        sketch.limb(body, (0.36, 0.26), (0.5, neck), 0.28, 0.24)
        sketch.ellipse(body, -0.06, 0.3, 0.66, 0.32)
        sketch.ellipse(wing, -0.16, 0.24, 0.42, 0.18, -10)
        draw_bird_head(sketch.part(0.52, neck, 0.9), body, beak)
        for wave in (-0.7, -0.1, 0.5):
            sketch.ellipse(blend(vary(rng, SEA), CREAM, 0.4), wave, 0.6, 0.34, 0.06)


def draw_bird_head(head: Sketch, body: Colour, beak: Colour) -> None:
    head.polygon(beak, (0.12, -0.12), (0.12, 0.1), (0.52, 0.06))
    head.ellipse(body, 0.0, 0.0, 0.26, 0.24)
    head.ellipse(BLACK, 0.08, -0.05, 0.07, 0.07)  # eye


def draw_legs(sketch: Sketch, coat: Colour, hoof: Colour, bottom: float, width: float, swing: float) -> None:
    """Four legs in profile, down to the height `bottom`; `swing` carries the feet forwards and backwards."""
    for number, hip in enumerate((-0.5, -0.36, 0.22, 0.37)):
        colour = shade(coat, 0.72) if number in (1, 2) else coat  # the far legs lie in the shade
        foot = hip + (swing if number % 2 else -swing)
        sketch.limb(colour, (hip, 0.14), (foot, bottom), width, width * 0.68)
        sketch.limb(hoof, (foot, bottom - 0.08), (foot + 0.02, bottom), width * 0.8)


def draw_cat(sketch: Sketch, rng: Random) -> None:
    """A cat's face, or a cat sitting, walking or lying: round head, pointed ears, long raised tail."""
    fur, eyes, striped = vary(rng, CAT_FUR), vary(rng, CAT_EYES), rng.random() < 0.4
    dark, chest = shade(fur, 0.66), blend(fur, CREAM, 0.6)
    stripes: tuple[float, ...] = ()  # where the flank has stripes: x
    flank = 0.0  # the height at which they begin
    view = pick(rng, face=4, sitting=3, walking=3, lying=1)
    if view == "face":
        face = sketch.part(0.0, 0.14, 0.7)
    elif view == "sitting":
        sketch.limb(dark, (0.3, 0.82), (0.76, 0.6), 0.2)  # tail
        sketch.limb(dark, (0.74, 0.66), (0.7, 0.02), 0.19, 0.14)
        sketch.ellipse(fur, 0.0, 0.44, 0.44, 0.5)
        sketch.ellipse(chest, 0.0, 0.5, 0.22, 0.36)
        sketch.ellipse(chest, 0.2, 0.88, 0.17, 0.1, pair=True)  # paws
        face = sketch.part(0.0, -0.3, 0.46)
    elif view == "walking":
        sketch.limb(dark, (-0.6, 0.1), (-0.84, -0.34), 0.16)  # tail
        sketch.limb(dark, (-0.85, -0.28), (-0.7, -0.78), 0.16, 0.12)
        draw_legs(sketch, fur, fur, bottom=0.84, width=0.17, swing=rng.uniform(-0.12, 0.12))
        sketch.ellipse(fur, -0.08, 0.18, 0.62, 0.27)
        stripes, flank = (-0.42, -0.2, 0.02), -0.08
        face = sketch.part(0.52, -0.14, 0.4)
    else:
        sketch.limb(dark, (-0.6, 0.62), (0.3, 0.72), 0.18, 0.13)  # tail around the feet
        sketch.ellipse(fur, -0.18, 0.34, 0.76, 0.4)
        stripes, flank = (-0.62, -0.36, -0.1), 0.02
        face = sketch.part(0.42, 0.04, 0.46)
    for stripe in stripes if striped else ():
        sketch.limb(dark, (stripe, flank), (stripe, flank + 0.28), 0.1)

    face.polygon(dark, (0.98, -0.2), (0.9, -1.42), (0.16, -0.74), pair=True)  # ears
    face.polygon(TONGUE, (0.84, -0.5), (0.8, -1.16), (0.4, -0.76), pair=True)
    face.ellipse(fur, 0.0, 0.0, 1.05, 0.88)
    for stripe in (-0.3, 0.0, 0.3) if striped else ():
        face.limb(dark, (stripe, -0.86), (0.8 * stripe, -0.4), 0.15)
    face.ellipse(chest, 0.0, 0.42, 0.5, 0.34)  # muzzle
    face.ellipse(eyes, 0.46, -0.06, 0.27, 0.22, pair=True)
    face.limb(BLACK, (0.46, -0.26), (0.46, 0.14), 0.15, pair=True)  # slit pupils
    for tip in (0.18, 0.62):
        face.limb(CREAM, (0.34, 0.38), (1.34, tip), 0.07, pair=True)  # whiskers
    face.polygon(TONGUE, (-0.17, 0.18), (0.17, 0.18), (0.0, 0.42))  # nose


def draw_dog(sketch: Sketch, rng: Random) -> None:
    """A dog's face, or a dog sitting, standing or running: hanging ears, large nose, tail up."""
    fur, patched = vary(rng, DOG_FUR), rng.random() < 0.4
    ears = shade(fur, 0.55) if rng.random() < 0.75 else blend(fur, CREAM, 0.5)
    muzzle = blend(fur, CREAM, 0.5)
    view = pick(rng, face=4, sitting=3, standing=3, running=1)
    if view in ("standing", "running"):
        swing = rng.uniform(0.22, 0.3) if view == "running" else rng.uniform(-0.1, 0.1)
        sketch.limb(fur, (-0.58, 0.04), (-0.96, rng.uniform(-0.5, -0.2)), 0.18, 0.09)  # tail
        draw_legs(sketch, fur, muzzle, bottom=0.84, width=0.2, swing=swing)
        sketch.ellipse(fur, -0.08, 0.1, 0.62, 0.28)
        if patched:
            sketch.ellipse(ears, -0.2, 0.02, 0.27, 0.18)
        sketch.limb(fur, (0.36, 0.08), (0.54, -0.36), 0.4, 0.34)  # neck
        head = sketch.part(0.56, -0.4)
        head.ellipse(fur, 0.0, 0.0, 0.28, 0.25)
        head.limb(muzzle, (0.06, 0.06), (0.4, 0.12), 0.28, 0.2)
        head.ellipse(BLACK, 0.4, 0.06, 0.09, 0.08)  # nose
        head.ellipse(ears, -0.14, 0.1, 0.14, 0.3, 10)
        head.ellipse(BLACK, 0.1, -0.06, 0.06, 0.06)  # eye
        return
    if view == "sitting":
        sketch.limb(fur, (0.26, 0.76), (0.84, 0.38), 0.2, 0.1)  # tail
        sketch.ellipse(fur, 0.0, 0.46, 0.42, 0.46)
        sketch.ellipse(muzzle, 0.0, 0.5, 0.2, 0.34)
        sketch.limb(fur, (0.18, 0.4), (0.2, 0.92), 0.22, pair=True)  # forelegs
        face = sketch.part(0.0, -0.34, 0.52)
    else:
        face = sketch.part(0.0, -0.06, 0.82)
    face.ellipse(fur, 0.0, -0.06, 0.82, 0.9)
    if patched:
        face.ellipse(ears, -0.38, -0.26, 0.34, 0.4)
    face.ellipse(ears, 0.9, 0.06, 0.28, 0.68, -12, pair=True)
    face.ellipse(muzzle, 0.0, 0.42, 0.54, 0.46)
    face.ellipse(BLACK, 0.0, 0.2, 0.27, 0.18)  # nose
    face.ellipse(BLACK, 0.36, -0.24, 0.14, 0.15, pair=True)  # eyes
    if rng.random() < 0.6:
        face.ellipse(TONGUE, 0.0, 0.86, 0.19, 0.28)
    else:
        face.limb(BLACK, (-0.22, 0.64), (0.22, 0.64), 0.09)  # mouth


def draw_deer(sketch: Sketch, rng: Random) -> None:
    """A deer standing or leaping, stag or doe, or a stag facing us: slender, pale rump, large ears."""
    coat = vary(rng, DEER_COAT)
    pale = blend(coat, CREAM, rng.uniform(0.4, 1.0))  # spots and belly show in some coats only
    stag = rng.random() < 0.5
    view = pick(rng, standing=5, leaping=2, face=2)
    if view == "face":
        draw_antlers(sketch.part(0.0, -0.3), vary(rng, ANTLER), rng.uniform(0.4, 0.56))
        sketch.trapezoid(coat, 0.3, 0.25, 1.0, 0.35)  # neck
        sketch.ellipse(pale, 0.0, 0.9, 0.2, 0.2)
        sketch.ellipse(coat, 0.5, -0.18, 0.3, 0.13, -20, pair=True)  # ears
        sketch.ellipse(pale, 0.52, -0.18, 0.18, 0.06, -20, pair=True)
        sketch.trapezoid(coat, -0.3, 0.36, 0.14, 0.3)  # brow, then the long nose
        sketch.trapezoid(coat, 0.14, 0.3, 0.6, 0.16)
        sketch.ellipse(pale, 0.0, 0.54, 0.19, 0.16)
        sketch.ellipse(BLACK, 0.0, 0.5, 0.13, 0.09)  # nose
        sketch.ellipse(BLACK, 0.24, -0.02, 0.08, 0.08, pair=True)  # eyes
        return
    swing = rng.uniform(-0.08, 0.08)
    if view == "leaping":
        sketch.lean = rng.uniform(-20, 4)
        swing = rng.uniform(0.2, 0.3)
    head_x, head_y = rng.uniform(0.5, 0.6), rng.uniform(-0.44, -0.3)
    head = sketch.part(head_x, head_y)
    if stag:
        draw_antlers(head.part(-0.02, -0.08), vary(rng, ANTLER), rng.uniform(0.22, 0.32))
    draw_legs(sketch, coat, BLACK, bottom=0.94, width=0.13, swing=swing)
    sketch.ellipse(coat, -0.08, 0.06, 0.55, 0.23)
    sketch.ellipse(pale, -0.6, -0.02, 0.12, 0.17)  # rump
    sketch.ellipse(blend(coat, pale, 0.7), -0.06, 0.22, 0.36, 0.08)  # belly
    for spot in range(rng.choice((0, 5))):
        sketch.ellipse(pale, -0.4 + spot * 0.14, -0.04 + 0.1 * (spot % 2), 0.045, 0.045)
    sketch.limb(coat, (0.3, 0.08), (head_x - 0.02, head_y), 0.3, 0.17)  # neck
    head.ellipse(pale, -0.2, -0.12, 0.19, 0.08, 25)  # ear
    if not stag:
        head.ellipse(coat, -0.02, -0.22, 0.09, 0.2, -10)  # the doe's other ear
    head.ellipse(coat, 0.1, 0.02, 0.26, 0.13, 20)
    head.ellipse(BLACK, 0.32, 0.1, 0.06, 0.06)  # nose
    head.ellipse(BLACK, 0.06, -0.03, 0.05, 0.05)  # eye


def draw_antlers(skull: Sketch, colour: Colour, spread: float) -> None:
    """Two forked antlers that grow from (0, 0), `spread` to either side."""
    skull.limb(colour, (0.05, 0.0), (spread, -0.24), 0.09, pair=True)
    skull.limb(colour, (spread, -0.2), (spread + 0.02, -0.52), 0.08, pair=True)
    skull.limb(colour, (spread * 0.6, -0.12), (spread * 0.4, -0.42), 0.08, pair=True)


def draw_horse(sketch: Sketch, rng: Random) -> None:
    """A horse standing, galloping or grazing, or its head: stout, with a mane and a long tail."""
    coat, mane = vary(rng, HORSE_COAT), vary(rng, MANE)
    muzzle = shade(coat, 0.7)
    view = pick(rng, standing=4, galloping=3, grazing=1, head=2)
    if view == "head":
        sketch.polygon(coat, (-0.9, 1.0), (-0.3, -0.5), (0.1, -0.5), (0.2, 0.1), (0.1, 1.0))  # neck
        sketch.limb(coat, (-0.06, -0.4), (0.6, 0.38), 0.5, 0.32)
        sketch.ellipse(muzzle, 0.62, 0.4, 0.2, 0.19)
        sketch.polygon(coat, (-0.26, -0.5), (-0.14, -0.94), (0.06, -0.52))  # ear
        sketch.polygon(mane, (-0.02, -0.6), (-0.4, -0.7), (-1.0, 1.0), (-0.66, 1.0), (-0.26, -0.2))
        sketch.ellipse(BLACK, 0.14, -0.22, 0.08, 0.08)  # eye
        return
    if view == "galloping":
        sketch.lean = rng.uniform(-14, 4)
        swing = rng.uniform(0.24, 0.32)
        sketch.limb(mane, (-0.56, -0.06), (-1.0, rng.uniform(-0.24, 0.1)), 0.16, 0.26)  # flying tail
    else:
        swing = rng.uniform(-0.1, 0.1)
        sketch.limb(mane, (-0.58, -0.04), (-0.86, 0.12), 0.17)  # hanging tail
        sketch.limb(mane, (-0.82, 0.05), (-0.88, rng.uniform(0.35, 0.6)), 0.24, 0.14)
    draw_legs(sketch, coat, BLACK, bottom=0.94, width=0.19, swing=swing)
    sketch.ellipse(coat, -0.06, 0.06, 0.6, 0.3)
    if rng.random() < 0.25:
        sketch.rectangle(vary(rng, PAINT), -0.24, -0.28, 0.08, 0.0)  # saddle cloth
    if view == "grazing":
        sketch.limb(coat, (0.34, -0.02), (0.84, 0.4), 0.4, 0.22)  # neck
        sketch.limb(mane, (0.3, -0.2), (0.92, 0.3), 0.16)
        sketch.polygon(coat, (0.8, 0.36), (0.98, 0.2), (0.94, 0.44))  # ear
        sketch.limb(coat, (0.86, 0.34), (0.74, 0.82), 0.26, 0.17)
        sketch.ellipse(muzzle, 0.73, 0.84, 0.11, 0.1)
        return
    head_x, head_y = rng.uniform(0.54, 0.64), rng.uniform(-0.62, -0.46)
    sketch.limb(coat, (0.28, 0.04), (head_x - 0.04, head_y + 0.05), 0.5, 0.3)  # neck
    head = sketch.part(head_x, head_y)
    head.polygon(coat, (-0.12, -0.12), (-0.02, -0.38), (0.06, -0.1))  # ear
    head.limb(coat, (-0.08, -0.02), (0.26, 0.3), 0.33, 0.22)
    head.ellipse(muzzle, 0.26, 0.3, 0.12, 0.1)
    head.polygon(mane, (0.02, -0.24), (-0.2, -0.22), (-0.6, 0.32), (-0.5, 0.58), (-0.14, 0.06))
    head.ellipse(BLACK, 0.06, 0.02, 0.05, 0.05)  # eye


def draw_frog(sketch: Sketch, rng: Random) -> None:
    """A frog facing us, crouching in profile, or swimming seen from above: bulging eyes, folded legs."""
    skin, iris = vary(rng, FROG_SKIN), vary(rng, FROG_IRIS)
    dark, belly, mouth = shade(skin, 0.66), blend(skin, CREAM, 0.55), shade(skin, 0.3)
    view = pick(rng, facing=5, crouching=3, swimming=2)
    if view == "facing":
        sketch.lean = rng.uniform(-10, 10)
        wide = rng.uniform(0.9, 1.05)
        sketch.ellipse(dark, 0.62, 0.38, 0.36, 0.28, 28, pair=True)  # thighs
        sketch.limb(dark, (0.5, 0.68), (0.98, 0.74), 0.18, 0.1, pair=True)  # hind feet
        sketch.limb(skin, (0.3, 0.3), (0.42, 0.72), 0.2, 0.16, pair=True)
        sketch.ellipse(skin, 0.42, 0.76, 0.18, 0.07, pair=True)  # fore feet
        sketch.ellipse(skin, 0.0, 0.26, 0.56 * wide, 0.45)
        sketch.ellipse(belly, 0.0, 0.42, 0.37, 0.27)
        sketch.ellipse(skin, 0.0, -0.12, 0.66 * wide, 0.34)  # head
        sketch.polygon(mouth, (-0.52, -0.08), (0.0, 0.02), (0.52, -0.08), (0.26, 0.07), (-0.26, 0.07))
        eye_x, eye_y = 0.4, -0.44
    elif view == "crouching":
        sketch.limb(dark, (-0.5, 0.66), (0.1, 0.76), 0.16)  # hind foot
        sketch.limb(skin, (0.4, 0.3), (0.46, 0.76), 0.2, 0.15)
        sketch.ellipse(skin, 0.5, 0.78, 0.18, 0.07)  # fore foot
        sketch.ellipse(skin, -0.1, 0.22, 0.72, 0.36, -24)
        sketch.ellipse(belly, 0.2, 0.34, 0.4, 0.2, -30)
        sketch.ellipse(skin, 0.48, -0.08, 0.42, 0.28, 6)  # head
        sketch.ellipse(dark, -0.5, 0.42, 0.42, 0.26, -20)  # folded thigh
        sketch.limb(mouth, (0.5, 0.06), (0.9, -0.02), 0.08)
        eye_x, eye_y = 0.5, -0.36
    else:
        sketch.lean = rng.uniform(-60, 60)
        sketch.limb(dark, (0.24, 0.36), (0.72, 0.2), 0.22, 0.18, pair=True)  # thighs
        sketch.limb(dark, (0.7, 0.18), (0.56, 0.72), 0.17, 0.12, pair=True)
        sketch.limb(dark, (0.56, 0.7), (0.78, 0.96), 0.12, 0.24, pair=True)  # webbed feet
        sketch.limb(skin, (0.34, -0.2), (0.74, -0.56), 0.16, 0.14, pair=True)  # arms
        sketch.ellipse(skin, 0.0, 0.06, 0.44, 0.52)
        sketch.ellipse(skin, 0.0, -0.4, 0.42, 0.34)  # head
        sketch.limb(belly, (0.0, -0.3), (0.0, 0.5), 0.12)  # stripe along the back
        eye_x, eye_y = 0.32, -0.6
    both = view != "crouching"
    sketch.ellipse(skin, eye_x, eye_y, 0.23, 0.22, pair=both)
    sketch.ellipse(iris, eye_x, eye_y - 0.02, 0.17, 0.16, pair=both)
    sketch.ellipse(BLACK, eye_x, eye_y - 0.02, 0.09, 0.09, pair=both)


# What draws each class; how often it stands before each of GROUNDS (all classes share all grounds, so that no
# ground gives its class away); and the share of its pictures that are snapshots: 22 in 100 of all, more of
# what runs or drives past.
SUBJECTS: dict[str, tuple[Callable[[Sketch, Random], None], tuple[int, ...], float]] = {
    "airplane": (draw_airplane, (60, 6, 20, 8, 6), 0.11),
    "automobile": (draw_automobile, (4, 5, 55, 20, 16), 0.242),
    "bird": (draw_bird, (36, 12, 6, 32, 14), 0.11),
    "cat": (draw_cat, (4, 4, 16, 28, 48), 0.264),
    "deer": (draw_deer, (6, 6, 8, 66, 14), 0.374),
    "dog": (draw_dog, (4, 6, 16, 38, 36), 0.264),
    "frog": (draw_frog, (4, 20, 10, 42, 24), 0.11),
    "horse": (draw_horse, (6, 6, 10, 63, 15), 0.374),
    "ship": (draw_ship, (10, 76, 6, 4, 4), 0.11),
    "truck": (draw_truck, (5, 5, 56, 20, 14), 0.242),
}


def draw_picture(label: int, seed: int, index: int) -> np.ndarray:
    """One picture of the class `label`, as (32, 32, 3) uint8."""
    draw_subject, ground_weights, snapshots = SUBJECTS[CLASSES[label]]
    rng = Random(f"{seed} {index}")
    sketch = Sketch(lean=rng.uniform(-6, 6))
    draw_subject(sketch, rng)
    ground = rng.choices(GROUNDS, ground_weights)[0]
    # A generator of its own: whether a picture is a snapshot changes nothing else in it
    camera = Random(f"{seed} {index} camera")
    snapshot = take_snapshot(sketch, ground, camera) if camera.random() < snapshots else None
    return draw_scene(sketch, ground, rng, snapshot)


def draw_pictures(
    labels: Sequence[int] | np.ndarray, seed: int, progress: Callable[[int], None] | None = None
) -> np.ndarray:
    """Draw one picture for each label.

    labels: (N,) class numbers, 0 to 9, in the order of CLASSES.
    seed: another seed gives other pictures. Picture i depends on the seed, on i and on its own label only, so
        the first pictures of a longer run are those of a shorter one.
    progress: called now and then with the number of pictures finished since the call before.

    Returns (N, 32, 32, 3) uint8, red, green, blue. Raises ValueError for labels that are no class numbers.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or (labels.size and not np.issubdtype(labels.dtype, np.integer)):
        raise ValueError("labels must be a flat list of whole numbers, one class number a picture.")
    wrong = labels[(labels < 0) | (labels >= len(CLASSES))]
    if wrong.size:
        raise ValueError(
            f"labels must be 0 to {len(CLASSES) - 1}, one for each class, but {wrong[0]} is among them."
        )
    pictures = np.empty((len(labels), SIDE, SIDE, 3), dtype=np.uint8)
    reported = 0
    for i, label in enumerate(labels):
        pictures[i] = draw_picture(int(label), seed, i)
        if progress and (i + 1 - reported == PROGRESS_EVERY or i + 1 == len(labels)):
            progress(i + 1 - reported)
            reported = i + 1
    return pictures
