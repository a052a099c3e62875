import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_data import fill_folder, picture
from torchvision.transforms import Resize, ToTensor

from lessons.course import CourseError
from lessons.course.datasets import dataset_line
from lessons.course.pictures import PictureFolder, open_picture, to_rgb

# --- Any picture as RGB

RED, WHITE, GREY, LIGHT = (255, 0, 0), (255, 255, 255), (128, 128, 128), (200, 200, 200)


def palette_picture(transparent: int | bytes | None) -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 255, 255, 0, 0])
    image.putdata([0, 1])
    if transparent is not None:
        image.info["transparency"] = transparent
    return image


def with_transparent(image: Image.Image, colour: object) -> Image.Image:
    image.info["transparency"] = colour
    return image


def grey16(dtype: str, value: int) -> Image.Image:
    return Image.fromarray(np.full((1, 1), value, dtype=dtype))


RGB_OF = {  # name: (picture, the colour of its first pixel as RGB)
    "RGB": (Image.new("RGB", (1, 1), RED), RED),
    "L": (Image.new("L", (1, 1), 128), GREY),
    "1": (Image.new("1", (1, 1), 1), WHITE),
    "CMYK": (Image.new("CMYK", (1, 1), (0, 255, 255, 0)), RED),
    "P": (palette_picture(None), (0, 0, 255)),
    "P, one colour transparent": (palette_picture(0), WHITE),
    "P, alpha of each colour": (palette_picture(b"\x80\xff"), (127, 127, 255)),
    "PA": (palette_picture(None).convert("PA"), (0, 0, 255)),
    "RGBA opaque": (Image.new("RGBA", (1, 1), (255, 0, 0, 255)), RED),
    "RGBA transparent": (Image.new("RGBA", (1, 1), (255, 0, 0, 0)), WHITE),
    "RGBA half": (Image.new("RGBA", (1, 1), (255, 0, 0, 128)), (255, 127, 127)),
    "LA transparent": (Image.new("LA", (1, 1), (0, 0)), WHITE),
    "LA opaque": (Image.new("LA", (1, 1), (128, 255)), GREY),
    "RGB, one colour transparent": (with_transparent(Image.new("RGB", (1, 1), RED), RED), WHITE),
    "L, one value transparent": (with_transparent(Image.new("L", (1, 1), 128), 128), WHITE),
    "I;16": (grey16("<u2", 200 * 257), LIGHT),
    "I;16 brightest": (grey16("<u2", 65535), WHITE),
    "I;16B": (grey16(">u2", 200 * 257), LIGHT),
    "I": (grey16("<i4", 200 * 257), LIGHT),
    "I beyond 16 bit": (grey16("<i4", 1_000_000), WHITE),
}


@pytest.mark.parametrize("name", RGB_OF)
def test_to_rgb(name):
    image, expected = RGB_OF[name]
    assert image.mode == re.split(r"[ ,]", name)[0]
    result = to_rgb(image)
    assert result.mode == "RGB" and result.size == image.size and result.getpixel((0, 0)) == expected


def test_to_rgb_16_bit_png(tmp_path):
    grey16("<u2", 128 * 257).save(tmp_path / "16.png")
    assert to_rgb(Image.open(tmp_path / "16.png")).getpixel((0, 0)) == GREY


def test_to_rgb_turns_as_exif_says(tmp_path):
    image = Image.new("RGB", (3, 2))
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned by 90 degrees, clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    turned = to_rgb(Image.open(tmp_path / "turned.png"))
    assert turned.size == (2, 3) and turned.getpixel((1, 0)) == RED


# --- A picture file


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize(
    ("name", "image", "expected"),
    [
        ("rgb.png", Image.new("RGB", (40, 20), RED), RED),
        ("grey.jpg", Image.new("L", (40, 20), 128), GREY),
        ("16-bit.tif", grey16("<u2", 128 * 257).resize((40, 20)), GREY),
        ("cmyk.tif", Image.new("CMYK", (40, 20), (0, 255, 255, 0)), RED),
        ("palette.gif", Image.new("P", (40, 20), 1), WHITE),
        ("transparent.png", Image.new("RGBA", (40, 20), (255, 0, 0, 0)), WHITE),
        ("transparent.webp", Image.new("RGBA", (40, 20), (255, 0, 0, 0)), WHITE),
    ],
)
def test_open_picture_of_any_kind(tmp_path, kind, name, image, expected):
    if image.mode == "P":
        image.putpalette([0, 0, 255, *WHITE])
    image.save(tmp_path / name)
    opened = open_picture(kind(tmp_path / name))
    assert opened.mode == "RGB" and opened.size == (40, 20)
    assert np.abs(np.subtract(opened.getpixel((20, 10)), expected)).max() <= 2
    (tmp_path / name).unlink()  # closed, and read whole
    assert opened.resize((32, 32), Image.Resampling.BILINEAR).getpixel((16, 16)) == opened.getpixel((20, 10))


def test_open_picture_turns_as_exif_says(tmp_path):
    image = Image.new("RGB", (400, 200), "white")
    image.paste("red", (0, 0, 200, 200))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned by 90 degrees, clockwise, which brings left to the top
    image.save(tmp_path / "turned.jpg", exif=exif)
    small = open_picture(tmp_path / "turned.jpg").resize((32, 32), Image.Resampling.BILINEAR)
    for column in (2, 29):
        assert np.abs(np.subtract(small.getpixel((column, 2)), RED)).max() <= 5
        assert np.abs(np.subtract(small.getpixel((column, 29)), WHITE)).max() <= 5


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000), (800, 600), (130, 129), (40, 20)])
def test_open_picture_decodes_large_jpegs_at_a_fraction(tmp_path, size):
    smooth = picture("RGB", (8, 6)).resize(size, Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "large.jpg")
    opened = open_picture(tmp_path / "large.jpg")
    fraction = size[0] // opened.width
    assert fraction == max(each for each in (1, 2, 4, 8) if each == 1 or min(size) >= 128 * each)
    exact = np.asarray(Resize((32, 32))(Image.open(tmp_path / "large.jpg"))).astype(int)
    assert abs(np.asarray(Resize((32, 32))(opened)) - exact).max() <= 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text.png", "text.png is no readable picture"),
        ("empty.jpg", "empty.jpg is no readable picture"),
        ("half.png", "half.png is no readable picture"),
        ("nowhere.png", "there is no picture .*nowhere.png"),
        ("", "there is no picture"),  # a folder
        ("n" * 300, "there is no picture"),  # Path raises for it
        ("nul\0", "there is no picture"),
        ("float.tif", "float.tif is no readable picture .*which of them is white"),
    ],
)
def test_open_picture_says_in_one_sentence_what_is_wrong(tmp_path, name, message):
    (tmp_path / "text.png").write_text("text")
    (tmp_path / "empty.jpg").touch()
    Image.new("F", (4, 4), 0.5).save(tmp_path / "float.tif")
    picture("RGB").save(tmp_path / "half.png")
    os.truncate(tmp_path / "half.png", 300)
    with pytest.raises(CourseError, match=message) as caught:
        open_picture(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and "\n" not in str(caught.value)


def png_of_size(width: int, height: int) -> bytes:
    """The beginning of a PNG: all that is looked at before anything is decoded."""
    header = struct.pack(">4sIIBBBBB", b"IHDR", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + b"\0\0\0\r" + header + checksum + b"\0\0\1\0IDAT"


def test_open_picture_reads_a_large_photograph_small(tmp_path):
    """16,320 x 12,240 pixels: Pillow's own limit lies at 178,956,970."""
    grey = Image.new("L", (16_320, 12_240), 128)
    grey.save(tmp_path / "photo.jpg")
    limit = Image.MAX_IMAGE_PIXELS
    small = open_picture(tmp_path / "photo.jpg")
    assert max(small.size) <= 2040 and small.getpixel((0, 0)) == GREY
    assert limit == Image.MAX_IMAGE_PIXELS


def test_open_picture_says_how_large_is_too_large(tmp_path):
    (tmp_path / "huge.png").write_bytes(png_of_size(16_320, 12_240))
    with pytest.raises(CourseError, match=r"huge\.png is too large \(.*199756800.*60000000 pixels\): make"):
        open_picture(tmp_path / "huge.png")


def test_open_picture_names_an_error_without_words(tmp_path, monkeypatch):
    def fail(path, formats):
        raise EOFError

    (tmp_path / "photo.png").touch()
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(CourseError, match=r"no readable picture \(EOFError\)"):
        open_picture(tmp_path / "photo.png")


# --- Folders of pictures


@pytest.fixture
def pictures(tmp_path) -> Path:
    return fill_folder(tmp_path)


def test_folder_holds_what_open_picture_shows(pictures):
    """So that a network meets what it was trained on, also when a large picture is made small."""
    place = pictures / "train" / "cat"
    picture("RGBA", (100, 60)).save(place / "2.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    picture("RGB", (900, 700)).save(place / "3.jpg", exif=exif)
    data = PictureFolder(pictures, transform=ToTensor())
    for index in range(4):
        (path,) = place.glob(f"{index}.*")
        img = ToTensor()(open_picture(path).resize((32, 32), Image.Resampling.BILINEAR))
        assert torch.equal(img, data[index][0]), path


def test_folder_is_read_like_cifar10(pictures):
    place = pictures / "train" / "cat"
    picture("RGBA", (9, 70)).save(place / "b.png")
    picture("CMYK", (32, 32)).save(place / "a.JPG")
    picture("L", (300, 200)).save(place / "c.webp")
    (place / "notes.txt").write_text("no picture")
    (place / ".hidden.png").write_text("no picture")
    (place / "nested.png").mkdir()
    picture("RGB").save(place / "nested.png" / "x.png")
    (pictures / "train" / ".ipynb_checkpoints").mkdir()
    (pictures / "train" / "read me.txt").write_text("no class")
    train, test = PictureFolder(pictures), PictureFolder(str(pictures), train=False)
    assert train.classes == ["cat", "dog"] and train.class_to_idx == {"cat": 0, "dog": 1}
    assert train.targets == [0, 0, 0, 0, 0, 1, 1] and test.targets == [0, 1]
    assert train.data.shape == (7, 32, 32, 3) and train.data.dtype == np.uint8
    for index, name in enumerate(["0.png", "1.png", "a.JPG", "b.png", "c.webp"]):
        expected = Resize((32, 32))(to_rgb(Image.open(place / name)))
        assert np.array_equal(train.data[index], expected), name
    img, target = train[6]
    assert img.mode == "RGB" and img.size == (32, 32) and target == 1
    assert train.name == str(pictures) and "Split: Train" in repr(train)
    assert dataset_line(train, test) == f"{pictures}: 7 training and 2 test pictures of 2 classes"


def test_folder_says_what_it_passes_over(pictures, capsys):
    place = pictures / "train" / "cat"
    for name in ("a.gif", "b.jfif", "c.jpe", "d.apng"):
        picture("RGB").convert("P").convert("RGB").save(
            place / name, format=None if name[2] != "a" else "PNG"
        )
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    frames[0].save(place / "a.gif", save_all=True, append_images=frames[1:])
    for name in ("x.heic", "y.heic", "notes.txt", "README", ".hidden", "Thumbs.db"):
        (place / name).write_text("no picture that Pillow reads")
    (place / "more").mkdir()
    data = PictureFolder(pictures)
    assert len(data) == 4 + 4 and data.data[2, 16, 16].tolist() == [255, 0, 0]  # a.gif's first picture
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"passed over in {pictures / 'train'}: 2 .heic, ")
    assert all(kind in line for kind in ("1 .txt", "1 without an ending", "1 folder(s)"))
    PictureFolder(pictures)  # nothing has changed: nothing is read, and nothing said, again
    PictureFolder(pictures, train=False)
    assert capsys.readouterr().out == ""


def test_folder_large_jpegs_are_read_almost_exactly(pictures):
    path = pictures / "train" / "cat" / "large.jpg"
    smooth = picture("RGB", (8, 6)).resize((800, 600), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    smooth.save(path, exif=exif)
    exact = np.asarray(Resize((32, 32))(to_rgb(Image.open(path)))).astype(int)
    data = PictureFolder(pictures)
    assert abs(data.data[2] - exact).max() <= 3


def test_folder_is_read_once_until_it_changes(pictures, monkeypatch):
    first = PictureFolder(pictures)
    opened = []
    image_open = Image.open
    monkeypatch.setattr(
        Image, "open", lambda path, **options: opened.append(path) or image_open(path, **options)
    )
    monkeypatch.chdir(pictures.parent)
    assert PictureFolder(pictures.name).data is first.data and opened == []
    path = pictures / "train" / "dog" / "1.png"
    Image.new("RGB", (5, 5), "red").save(path, format="BMP")
    changed = PictureFolder(pictures)
    assert len(opened) == 4 and changed.data[3, 0, 0].tolist() == [255, 0, 0]
    stat = path.stat()
    Image.new("RGB", (5, 5), "lime").save(path, format="BMP")  # as many bytes: only the time tells
    assert path.stat().st_size == stat.st_size
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))
    assert PictureFolder(pictures).data[3, 0, 0].tolist() == [0, 255, 0]
    path.unlink()
    assert len(PictureFolder(pictures)) == 3
    assert len(PictureFolder(pictures, train=False)) == 2


def break_folder(pictures: Path, how: str) -> None:
    match how:
        case "no root":
            pictures.rename(pictures.with_name("away"))
        case "no test":
            (pictures / "test").rename(pictures / "tests")
        case "no classes":
            for split in ("train", "test"):
                for name in ("cat", "dog"):
                    (pictures / split / name).rename(pictures / f"{split}-{name}")
        case "one class":
            for split in ("train", "test"):
                (pictures / split / "dog").rename(pictures / f"{split}-dog")
        case "empty class":
            for path in (pictures / "train" / "dog").iterdir():
                path.rename(path.with_suffix(".txt"))
        case "train lacks":
            (pictures / "test" / "bird").mkdir()
        case "test lacks":
            (pictures / "train" / "bird").mkdir()
        case "no picture":
            (pictures / "train" / "cat" / "1.png").write_text("text")
        case "truncated":
            os.truncate(pictures / "train" / "cat" / "1.png", 300)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("no root", r"There is no .*train.*train/<class>/ and test/<class>/"),
        ("no test", r"There is no .*test: .*train/<class>/ and test/<class>/"),
        ("no classes", "two classes"),
        ("one class", "two classes"),
        ("empty class", r"train.dog holds no picture: .*\.jpg.*\.png"),
        ("train lacks", "train lacks classes that test has: bird"),
        ("test lacks", "test lacks classes that train has: bird"),
        ("no picture", r"cat.1\.png is no readable picture"),
        ("truncated", r"cat.1\.png is no readable picture"),
    ],
)
def test_folder_errors(pictures, how, message):
    break_folder(pictures, how)
    with pytest.raises(CourseError, match=message):
        PictureFolder(pictures)
