import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons import p01_dataloader
from lessons.p01_dataloader import PlainColours, picture_to_tensor


def test_own_dataset():
    colours = PlainColours(pictures_per_class=4)
    assert len(colours) == 3 * 4
    img, target = colours[5]
    assert target == 5 % 3 == 2
    assert img.shape == (3, 32, 32)
    assert img.mean(dim=(1, 2)).tolist() == [0, 0, 1]  # blue, and nothing else
    imgs, targets = next(iter(DataLoader(colours, batch_size=12)))
    assert imgs.shape == (12, 3, 32, 32)
    assert targets.tolist() == [0, 1, 2] * 4


def test_picture_to_tensor_is_totensor():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    by_hand = picture_to_tensor(picture)
    assert torch.equal(by_hand, ToTensor()(picture))
    assert by_hand[2, 3, 4] == np.float32(picture[3, 4, 2]) / np.float32(255)


def test_lesson_on_sketch10(events, picture_size):
    seen = p01_dataloader.main(steps=3)
    assert seen["own_dataset"] == (12, (3, 32, 32), "green")
    assert seen["transform_equal"]
    assert seen["imgs"] == (64, 3, 32, 32)
    assert seen["targets"] == (64,)
    assert seen["batches"] == (16, 15, 1000 - 15 * 64)

    # the shuffle: another order each epoch, the same two orders with the same seed
    first, second = seen["first_targets"]
    assert first != second
    assert p01_dataloader.main(steps=1)["first_targets"] == [first, second]
    assert p01_dataloader.main(steps=1, seed=1)["first_targets"] != [first, second]

    log = events(seen["run"])
    assert sorted(log.Tags()["images"]) == ["epoch_1", "epoch_2"]
    for tag in ("epoch_1", "epoch_2"):
        grids = log.Images(tag)
        assert [grid.step for grid in grids] == [0, 1, 2]
        assert picture_size(grids[0]) == (8 * 32, 8 * 32)  # 64 pictures, 8 a row
    assert log.Images("epoch_1")[0].encoded_image_string != log.Images("epoch_2")[0].encoded_image_string


@pytest.mark.parametrize(("pictures", "batches", "last"), [(5_120, 80, 64), (5_000, 79, 8), (1_000, 16, 40)])
def test_how_many_pictures_the_last_batch_has(pictures, batches, last):
    loaded = list(DataLoader(range(pictures), batch_size=64))
    assert (len(loaded), len(loaded[-1])) == (batches, last)


def test_drop_last_with_a_folder(small_pictures):
    seen = p01_dataloader.main(dataset=str(small_pictures), batch_size=32, steps=1)
    assert seen["batches"] == (4, 3, 100 - 3 * 32)
    assert seen["imgs"] == (32, 3, 32, 32)
