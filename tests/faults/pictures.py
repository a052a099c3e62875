"""Picture files as strangers send them: whole, damaged, lying about their size, or no pictures at all."""

import io
import os
import random
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lessons.course.pictures import SIZE, PictureFolder
from lessons.p12_classify import read_picture

from . import Outcome
from .watched import Seen, watch

SECONDS, MEGABYTES = 5, 1000  # for one picture, of whatever kind
ORIENTATION = 0x0112  # of EXIF


class Case(NamedTuple):
    """A file, and the answer where it must be this one."""

    path: str
    what: str
    expected: np.ndarray | None = None  # (32, 32, 3)
    tolerance: int = 0  # by which a number of it may differ
    in_data_set: bool = False  # read as the only picture of a class, and not by lesson 12


def read(case: Case) -> np.ndarray:
    """The picture as (32, 32, 3) uint8, through lesson 12 or through a folder data set."""
    if case.in_data_set:
        return PictureFolder(Path(case.path).parents[2]).data[0]
    return (read_picture(case.path) * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)


def pictures(tries: int, seed: int, folder: Path) -> Outcome:
    """Picture files whole, damaged, lying about their size, or no pictures, for lesson 12 and as a data set.

    Each must end in a right answer or in one sentence that names it. With other bytes than it had, a file may
    be any picture: few kinds have checksums.
    """
    cases = chain(no_pictures(folder), lying(folder), variants(tries, random.Random(seed), folder))
    if tries >= 1000:
        cases = chain(cases, growing(folder), largest_allowed(folder))
    tried, refused, lost, slowest, largest = 0, 0, [], (0.0, ""), (0.0, "")
    for case, seen in watch(read, cases):
        tried, refused = tried + 1, refused + bool(seen.sentence)
        slowest, largest = max(slowest, (seen.seconds, case.what)), max(largest, (seen.megabytes, case.what))
        if wrong := what_is_wrong(case, seen):
            lost.append(f"{case.what}: {wrong}")
    return Outcome(tried, refused, lost, slowest, largest)


def what_is_wrong(case: Case, seen: Seen) -> str:
    """Empty where a case has ended as it should."""
    if seen.wrong:
        return seen.wrong
    if seen.seconds > SECONDS or seen.megabytes > MEGABYTES:
        return f"it took {seen.seconds:.1f} s and {seen.megabytes:.0f} MB"
    if seen.said and ".tif" not in case.what:  # libtiff has its own say
        return f"it said {seen.said!r}"
    if seen.sentence:
        clear = "\n" not in seen.sentence and os.path.dirname(case.path) in seen.sentence
        whole = case.what.endswith("whole")
        return "" if clear and not whole else f"refused: {seen.sentence}"
    if case.expected is None:
        return ""
    difference = np.abs(seen.answer.astype(int) - case.expected).max()
    return f"its answer is {difference} away" if difference > case.tolerance else ""


# --- A corpus, of which the right answers are known


def smooth(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A picture without edges, so that what a lossy kind changes stays small."""
    colours = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return Image.fromarray(colours).resize(size, Image.Resampling.BICUBIC)


def small(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BILINEAR))


def grey16(dtype: str) -> Image.Image:
    return Image.fromarray((np.asarray(smooth().convert("L")).astype(dtype) * 257).astype(dtype))


def half_transparent() -> Image.Image:
    image = smooth()
    image.putalpha(128)
    return image


def on_white(image: Image.Image) -> Image.Image:
    """What of a half transparent picture is to be seen."""
    return Image.blend(image, Image.new(image.mode, image.size, "white"), 127 / 255)


def inverted() -> Image.Image:
    """As CMYK without black, which is the rest of each colour to 255."""
    return Image.merge(
        "CMYK", [*Image.eval(smooth(), lambda value: 255 - value).split(), Image.new("L", (64, 48))]
    )


def corpus() -> Iterator[tuple[str, bytes, np.ndarray, int]]:
    """Names, contents, right answers and by how much the kind may miss them: all that a learner may have."""
    rgb, grey = small(smooth()), small(smooth().convert("L"))
    faded = small(on_white(smooth()))
    palette, bits = smooth().quantize(64), smooth().convert("1")
    frames = {"save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}
    kinds: list[tuple[str, Image.Image, dict, np.ndarray, int]] = [
        ("rgb.png", smooth(), {}, rgb, 1),
        ("grey.png", smooth().convert("L"), {}, grey, 1),
        ("bits.png", bits, {}, small(bits), 1),
        ("palette.png", palette, {}, small(palette), 1),
        ("16-bit.png", grey16("<u2"), {}, grey, 2),
        ("alpha.png", half_transparent(), {}, faded, 2),
        ("grey alpha.png", half_transparent().convert("LA"), {}, small(on_white(smooth().convert("L"))), 2),
        ("animated.png", smooth(), frames, rgb, 1),
        ("rgb.jpg", smooth(), {"quality": 95}, rgb, 12),
        ("grey.jpg", smooth().convert("L"), {"quality": 95}, grey, 8),
        ("progressive.jpg", smooth(), {"quality": 95, "progressive": True}, rgb, 12),
        ("cmyk.jpg", inverted(), {"quality": 95}, rgb, 12),
        ("palette.gif", palette, {}, small(palette), 1),
        ("animated.gif", palette, frames, small(palette), 2),
        ("lossless.webp", smooth(), {"lossless": True}, rgb, 1),
        ("lossy.webp", smooth(), {"quality": 90}, rgb, 12),
        ("alpha.webp", half_transparent(), {"lossless": True}, faded, 2),
        ("animated.webp", smooth(), frames | {"lossless": True}, rgb, 2),
        ("rgb.bmp", smooth(), {}, rgb, 1),
        ("palette.bmp", palette, {}, small(palette), 1),
        ("bits.bmp", bits, {}, small(bits), 1),
        ("rgb.tif", smooth(), {}, rgb, 1),
        ("16-bit.tif", grey16("<u2"), {}, grey, 2),
        ("32-bit.tif", grey16("<i4"), {}, grey, 2),
        ("cmyk.tif", inverted(), {}, rgb, 2),
        ("alpha.tif", half_transparent(), {}, faded, 2),
        ("fax.tif", bits, {"compression": "group4"}, small(bits), 1),
        ("jpeg.tif", smooth(), {"compression": "jpeg"}, rgb, 12),
        *(
            (f"{how}.tif", smooth(), {"compression": f"tiff_{how}"}, rgb, 1)
            for how in ("lzw", "adobe_deflate")
        ),
        ("rgb.avif", smooth(), {"quality": 90}, rgb, 12),
        ("rgb.ppm", smooth(), {}, rgb, 1),
        ("16-bit.pgm", grey16("<u2"), {}, grey, 2),
        ("rgb.jp2", smooth(), {}, rgb, 4),
        ("rgb.tga", smooth(), {"compression": "tga_rle"}, rgb, 1),
        ("icon.ico", smooth((64, 64)), {"sizes": [(64, 64)]}, small(smooth((64, 64))), 1),
        ("1x1.png", Image.new("RGB", (1, 1), "red"), {}, small(Image.new("RGB", (1, 1), "red")), 0),
        (
            "1x100000.png",
            Image.new("RGB", (1, 100_000), "red"),
            {},
            small(Image.new("RGB", (1, 1), "red")),
            0,
        ),
        ("100000x1.tif", Image.new("L", (100_000, 1), 128), {}, small(Image.new("L", (1, 1), 128)), 0),
        ("1x65500.jpg", Image.new("RGB", (1, 65_500), "white"), {}, small(Image.new("L", (1, 1), 255)), 0),
        ("65500x1.gif", Image.new("L", (65_500, 1), 255), {}, small(Image.new("L", (1, 1), 255)), 0),
    ]
    for name, image, options, answer, tolerance in kinds:
        memory = io.BytesIO()
        kind = Image.registered_extensions()[Path(name).suffix]
        if kind in Image.SAVE:  # AVIF and JPEG 2000 are not in every Pillow
            image.save(memory, format=kind, **options)
            yield name, memory.getvalue(), answer, tolerance
    turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF's numbers, and the same in Pillow's
    for orientation, turn in turns.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        memory = io.BytesIO()
        smooth().save(memory, format="PNG", exif=exif)
        yield f"turned {orientation}.png", memory.getvalue(), small(smooth().transpose(turn)), 1


# --- Damage


def damaged(content: bytes, chance: random.Random) -> tuple[str, bytes]:
    """The content with something wrong in it, and what that is."""
    where, length = chance.randrange(len(content)), chance.randrange(1, 9)
    at_start = chance.randrange(min(len(content), 64))  # where sizes, modes and counts stand
    noise = chance.randbytes(length)
    match chance.randrange(8):
        case 0:
            return f"cut after {where} bytes", content[:where]
        case 1:
            bit = 1 << chance.randrange(8)
            return f"a bit of byte {where} flipped", put(content, where, bytes([content[where] ^ bit]))
        case 2:
            return f"{length} other bytes at {where}", put(content, where, noise)
        case 3:
            return f"{length} other bytes at {at_start}", put(content, at_start, noise)
        case 4:
            return f"{length} bytes 255 at {at_start}", put(content, at_start, b"\xff" * length)
        case 5:
            return f"{length} bytes 0 at {at_start}", put(content, at_start, bytes(length))
        case 6:
            return f"{length} bytes missing at {where}", content[:where] + content[where + length :]
        case _:
            return f"{length} bytes too many at {where}", content[:where] + noise + content[where:]


def put(content: bytes, where: int, others: bytes) -> bytes:
    return content[:where] + others + content[where + len(others) :]


def variants(tries: int, chance: random.Random, folder: Path) -> Iterator[Case]:
    """The whole pictures first, then damaged ones; what has been cut may be read, but only as the whole."""
    whole = list(corpus())
    for number in range(tries):
        name, content, answer, tolerance = whole[number % len(whole)]
        what = "whole"
        expected: np.ndarray | None = answer
        if number >= len(whole):
            what, content = damaged(content, chance)
            expected = answer if what.startswith("cut") else None
            if chance.random() < 0.1:  # named as another kind
                name += chance.choice((".png", ".jpg", ".gif", ".tif", ".webp"))
        path = folder / str(number) / "train" / "a" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        for place in ("train/b", "test/a", "test/b"):
            (path.parents[2] / place).mkdir(parents=True)
            (path.parents[2] / place / "1.png").write_bytes(whole[0][1])
        yield Case(str(path), f"{name}, {what}", expected, tolerance, in_data_set=number % 4 == 3)


# --- What is no picture, and what is more than it seems


def no_pictures(folder: Path) -> Iterator[Case]:
    """Names behind which there is no picture, or nothing that ends."""
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "text.png").write_text("no picture")
    (folder / "empty.png").touch()
    (folder / "vector.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "program.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n")
    links = {"broken": "nowhere", "loop": "loop link.png", "endless": "/dev/zero", "pipe": "pipe.png"}
    for name, target in links.items():
        (folder / f"{name} link.png").symlink_to(target)
    for name in (*os.listdir(folder), "nowhere.png", "n" * 300, "nul\0.png"):
        yield Case(str(folder / name), repr(name)[:40])


def lying(folder: Path) -> Iterator[Case]:
    """Pictures that say they are larger than any is, in numbers or in bytes."""
    whole = {name: content for name, content, *_ in corpus()}
    sizes = {"<ii": "bmp", ">II": "png jp2", "<HH": "gif tga", ">HH": "jpg"}
    for order, kinds in sizes.items():
        for name in [name for name in whole if name.startswith(("rgb.", "palette.")) and name[-3:] in kinds]:
            old, new = struct.pack(order, 64, 48), struct.pack(order, 65_000, 65_000)
            if name == "rgb.jpg":
                old = struct.pack(order, 48, 64)
            whole[f"65000x65000 {name}"] = whole[name].replace(old, new)
    whole["65000x65000 rgb.ppm"] = whole["rgb.ppm"].replace(b"64 48", b"65000 65000")
    entries = struct.unpack("<I", whole["rgb.tif"][4:8])[0] + 2  # the first two are width and height
    wide = put(whole["rgb.tif"], entries + 8, struct.pack("<I", 65_000))
    whole["65000x65000 rgb.tif"] = put(wide, entries + 12 + 8, struct.pack("<I", 65_000))
    whole["16384x16384 rgb.webp"] = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + b"\xff" * 4 + b"\0" * 9
    directory = struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 64, 0, 0, 1, 32, 10**6, 22)
    whole["a huge PNG within an icon.ico"] = directory + white_png(20_000, 20_000)
    for name, content in whole.items():
        if " rgb" in name or "palette." in name or "huge" in name:
            (folder / name).write_bytes(content)
            yield Case(str(folder / name), name)
        if name.startswith(("rgb", "lossless", "palette")):
            path = folder / f"8 GB {name}"
            path.write_bytes(content)
            os.truncate(path, 8 * 10**9)  # zeros that take no room on the disk
            yield Case(str(path), path.name)
            path.unlink()


def white_png(width: int, height: int, colour_type: int = 0) -> bytes:
    """A PNG that is small as a file and takes its whole size when it is opened."""
    channels = {0: 1, 6: 4}[colour_type]
    packer = zlib.compressobj(1)
    row = b"\0" + b"\xff" * width * channels
    packed = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    )


def growing(folder: Path) -> Iterator[Case]:
    """Files of which the second half arrives while they are read."""
    for name, content, answer, tolerance in corpus():
        path = folder / f"growing {name}"
        path.write_bytes(content[: len(content) // 2])
        thread = threading.Thread(target=append_slowly, args=(path, content[len(content) // 2 :]))
        thread.start()
        yield Case(str(path), path.name, answer, tolerance)
        thread.join()


def append_slowly(path: Path, content: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        for start in range(0, len(content), len(content) // 20 + 1):
            file.write(content[start : start + len(content) // 20 + 1])
            time.sleep(0.001)


def largest_allowed(folder: Path) -> Iterator[Case]:
    """Pictures just within the limits: they must be read, and in time."""
    white = np.full((*SIZE, 3), 255, dtype=np.uint8)
    (folder / "60 MP alpha.png").write_bytes(white_png(7740, 7740, colour_type=6))
    grey16 = Image.fromarray(np.full((7740, 7740), 65_535, dtype="<u2"))
    grey16.save(folder / "60 MP 16-bit.tif", compression="tiff_adobe_deflate")
    Image.new("L", (14_140, 14_140), 255).save(folder / "200 MP.jpg")
    Image.new("RGB", (9990, 9990), "white").save(
        folder / "100 MP progressive.jpg", progressive=True, subsampling=0
    )
    Image.new("RGB", (7740, 7740), "white").save(folder / "60 MP.webp", method=0)
    Image.new("P", (7740, 7740)).save(folder / "60 MP.gif", transparency=0)
    for path in sorted(folder.glob("* MP*")):
        yield Case(str(path), f"{path.name}, whole", white)
