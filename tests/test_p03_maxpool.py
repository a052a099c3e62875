import io
import itertools
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import MaxPool2d

from lessons import p03_maxpool
from lessons.p03_maxpool import pooled_size


def test_pooled_size_against_layers():
    compared = 0
    for size, kernel, stride, padding, dilation, ceil_mode in itertools.product(
        (5, 6, 7, 32), (2, 3, 5), (None, 1, 2, 3), (0, 1), (1, 2), (True, False)
    ):
        if padding > kernel // 2 or size + 2 * padding < dilation * (kernel - 1) + 1:
            continue  # the layer refuses
        layer = MaxPool2d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        expected = layer(torch.zeros(1, 1, size, size)).shape[-1]
        assert pooled_size(size, kernel, stride, padding, dilation, ceil_mode) == expected
        compared += 1
    assert compared > 250


def test_pooling_by_two_quarters_the_area():
    assert pooled_size(32, 2) ** 2 == 32**2 / 4


def test_lesson(events, picture_size):
    seen = p03_maxpool.main(steps=2)
    assert seen["examples"] == {True: [[2, 3], [5, 1]], False: [[2]]}
    assert seen["relu"] == [[1, 0], [0, 3]]
    for row, numbers in zip(seen["sigmoid"], [[1, -0.5], [-1, 3]], strict=True):
        assert row == pytest.approx([1 / (1 + math.exp(-number)) for number in numbers])
    assert seen["output"] == (64, 3, 10, 10)
    assert seen["kept_share"] == pytest.approx(100 / 1024)

    log = events(seen["run"])
    tags = ["input", "kept", "non_linear/relu", "non_linear/sigmoid", "pooled"]
    assert sorted(log.Tags()["images"]) == tags
    assert [len(log.Images(tag)) for tag in tags] == [2, 2, 1, 1, 2]
    assert picture_size(log.Images("pooled")[0]) == (8 * 10, 8 * 10)

    # "kept" shows each winner in its place and black elsewhere
    def decode(tag):
        return np.array(Image.open(io.BytesIO(log.Images(tag)[0].encoded_image_string))).astype(int)

    before, kept = decode("input"), decode("kept")
    assert kept.shape == before.shape
    assert ((kept == 0) | (abs(kept - before) <= 1)).all()
    first_picture = kept[:32, :32]
    assert 0 < np.count_nonzero(first_picture) <= 10 * 10 * 3
    assert not first_picture[30:].any()  # rows 30 and 31 lie under no window: lost
