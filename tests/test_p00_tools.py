import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms import Compose, Resize, ToTensor

from lessons import p00_tools
from lessons.course import CourseError
from lessons.p00_tools import GRASS, PictureFiles, draw_files, write_curve


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    return tmp_path


def test_lesson(own_home, events, picture_size):
    seen = p00_tools.main()
    assert [path.relative_to(own_home).as_posix() for path in seen["paths"]] == [
        f"data/insects/ants/{number}.png" for number in range(4)
    ]
    assert seen["size"] == (96, 72)
    assert seen["array"] == ((72, 96, 3), np.uint8, list(GRASS))
    shape, dtype, pixel = seen["tensor"]
    assert (shape, dtype) == ((3, 72, 96), torch.float32)
    assert pixel == pytest.approx([204 / 255, 255 / 255, 153 / 255])
    assert seen["normalize"] == pytest.approx((204 / 255, (0.8 - 0.5) / 0.5))
    assert seen["composed"] == ((3, 32, 32), True)
    assert seen["targets"] == [0] * 4 + [1] * 4

    log = events(seen["run"])
    shown = {tag: [picture_size(event) for event in log.Images(tag)] for tag in log.Tags()["images"]}
    assert shown == {
        "picture": [(96, 72)],
        "Normalize": [(96, 72)],
        "Resize to 32x32": [(32, 32)],
        "RandomCrop": [(32, 32)] * 10,
    }
    crops = {event.encoded_image_string for event in log.Images("RandomCrop")}
    assert len(crops) > 5, "another piece at each step"

    curves = {}
    for folder in ("parabola", "line", "reused"):
        of_run = events(seen["run"] / folder)
        (tag,) = of_run.Tags()["scalars"]
        curves[folder] = [(event.step, event.value) for event in of_run.Scalars(tag)]
    assert curves["parabola"] == [(x, x * x) for x in range(100)]
    assert curves["line"] == [(x, 50 * x) for x in range(100)]
    both_orders = (curves["parabola"] + curves["line"], curves["line"] + curves["parabola"])
    assert curves["reused"] in both_orders, "one curve: there, back to 0, and there again"


def test_same_seed_same_crop(own_home, events):
    def first_crops(seed):
        images = events(p00_tools.main(seed=seed)["run"]).Images("RandomCrop")
        return [event.encoded_image_string for event in images]

    assert first_crops(0) == first_crops(0) != first_crops(1)


def test_what_a_learner_put_there_stays(own_home):
    root = own_home / "data" / "insects"
    (root / "ants").mkdir(parents=True)
    Image.new("RGB", (50, 40), "red").save(root / "ants" / "0.png")
    Image.new("L", (40, 50), 128).save(root / "ants" / "grey.JPG")  # one channel
    Image.new("RGBA", (40, 50), (0, 0, 255, 0)).save(root / "ants" / "transparent.png")
    (root / "ants" / "notes.txt").write_text("not a picture")
    before = {path: path.read_bytes() for path in (root / "ants").iterdir()}
    seen = p00_tools.main()
    assert {path: path.read_bytes() for path in before} == before
    assert [path.name for path in seen["paths"]] == [
        "0.png",
        "1.png",
        "2.png",
        "3.png",
        "grey.JPG",
        "transparent.png",
    ]
    assert seen["size"] == (50, 40)
    assert seen["targets"] == [0] * 6 + [1] * 4


def test_what_is_missing_is_drawn_again(own_home):
    draw_files(own_home)
    drawn = {path: path.read_bytes() for path in own_home.glob("*/*.png")}
    assert len(drawn) == 8
    shutil.rmtree(own_home / "bees")
    draw_files(own_home)
    assert {path: path.read_bytes() for path in own_home.glob("*/*.png")} == drawn


def test_a_broken_file_is_named(own_home):
    draw_files(own_home)
    broken = own_home / "bees" / "1.png"
    broken.write_bytes(broken.read_bytes()[:100])
    bees = PictureFiles(own_home, "bees")
    assert bees[0][1] == 1
    with pytest.raises(CourseError, match=r"bees.1\.png is no readable picture \(.+\): move it out of there"):
        bees[1]


def test_pictures_of_several_sizes_want_a_resize_to_be_a_batch(own_home):
    draw_files(own_home)
    ants = PictureFiles(own_home, "ants", ToTensor())
    assert [tuple(img.shape) for img, _ in ants] == [(3, 72, 96 + 8 * number) for number in range(4)]
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        next(iter(DataLoader(ants, batch_size=4)))
    same_size = PictureFiles(own_home, "bees", Compose([Resize((32, 32)), ToTensor()]))
    imgs, targets = next(iter(DataLoader(same_size, batch_size=4)))
    assert imgs.shape == (4, 3, 32, 32)
    assert targets.tolist() == [1] * 4


def test_a_curve_is_on_disk_when_write_curve_has_ended(tmp_path, events):
    write_curve(tmp_path / "one", "y", lambda x: -x)
    curve = events(tmp_path / "one").Scalars("y")
    assert [(event.step, event.value) for event in curve] == [(x, -x) for x in range(100)]
