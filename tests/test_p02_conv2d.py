import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.nn import Conv2d

from lessons import p02_conv2d
from lessons.p02_conv2d import KERNEL, PICTURE, conv2d_by_hand, output_size, to_visible


def test_first_number_of_the_example_on_paper():
    # the picture's upper left 3x3 under the kernel:
    #   1 2 0     1 2 1
    #   0 1 2  x  0 1 0   = 1 + 4 + 0  +  0 + 1 + 0  +  2 + 2 + 0 = 10
    #   1 2 1     2 1 0
    assert conv2d_by_hand(PICTURE, KERNEL)[0, 0] == 1 + 4 + 0 + 0 + 1 + 0 + 2 + 2 + 0 == 10


@pytest.mark.parametrize(("stride", "padding"), list(itertools.product((1, 2, 3), (0, 1, 2))))
def test_loop_equals_torch(stride, padding):
    random = torch.Generator().manual_seed(stride * 10 + padding)
    picture = torch.randint(-9, 9, (7, 9), generator=random).float()
    kernel = torch.randint(-3, 3, (3, 3), generator=random).float()
    expected = F.conv2d(picture[None, None], kernel[None, None], stride=stride, padding=padding)[0, 0]
    assert torch.equal(conv2d_by_hand(picture, kernel, stride, padding), expected)


def test_output_size_against_layers():
    compared = 0
    for size, kernel, stride, padding, dilation in itertools.product(
        (5, 8, 32), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2, 3)
    ):
        if size + 2 * padding < dilation * (kernel - 1) + 1:
            continue  # the kernel is larger than the picture, and the layer refuses
        layer = Conv2d(1, 1, kernel, stride=stride, padding=padding, dilation=dilation)
        expected = layer(torch.zeros(1, 1, size, size)).shape[-1]
        assert output_size(size, kernel, stride, padding, dilation) == expected
        compared += 1
    assert compared > 250


def test_to_visible_spans_black_to_white():
    visible = to_visible(torch.tensor([[-3.0, 1.0], [0.0, 5.0]]))
    assert visible.tolist() == [[0, 0.5], [0.375, 1]]


def test_lesson(events, picture_size):
    seen = p02_conv2d.main(steps=2)
    assert seen["examples"][1, 0] == [[10, 12, 12], [18, 16, 16], [13, 9, 3]]
    assert seen["examples"][2, 0] == [[10, 12], [13, 3]]  # every second number of the one above
    assert len(seen["examples"][1, 1]) == 5 + 2 * 1 - 3 + 1 == 5
    assert [row[1:4] for row in seen["examples"][1, 1][1:4]] == seen["examples"][1, 0]
    assert seen["imgs"] == (64, 3, 32, 32)
    assert seen["output"] == (64, 3, 30, 30)
    assert seen["six_channels"] == (64, 6, 30, 30)

    log = events(seen["run"])
    channels = [f"six_channels/{channel}" for channel in range(6)]
    assert sorted(log.Tags()["images"]) == ["input", "output", *channels]
    assert len(log.Images("input")) == len(log.Images("output")) == 2
    assert picture_size(log.Images("input")[0]) == (8 * 32, 8 * 32)
    assert picture_size(log.Images("output")[0]) == (8 * 30, 8 * 30)
    pictures = {log.Images(tag)[0].encoded_image_string for tag in channels}
    assert len(pictures) == 6  # each channel looks for something else
