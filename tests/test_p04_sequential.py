import pytest
import torch
from torch import nn
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d

from lessons import p04_sequential
from lessons.p04_sequential import same_padding, walk


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_same_padding_keeps_the_size(kernel_size):
    layer = Conv2d(3, 4, kernel_size, padding=same_padding(kernel_size))
    assert layer(torch.zeros(1, 3, 32, 32)).shape == (1, 4, 32, 32)


def test_same_padding_of_an_even_kernel():
    with pytest.raises(ValueError, match="even kernel of 4"):
        same_padding(4)


def test_walk_names_the_layer_that_does_not_fit():
    layers = nn.Sequential(Conv2d(3, 64, 5, padding=2), MaxPool2d(8), Flatten(), Linear(576, 10))
    with pytest.raises(
        ValueError, match=r"layer 3.*Linear.*\(2, 1024\).*in_features=576 would have to be 1024"
    ):
        walk(layers, torch.zeros(2, 3, 32, 32))
    with pytest.raises(ValueError, match=r"layer 0.*in_channels=3 would have to be 1"):
        walk(layers, torch.zeros(2, 1, 32, 32))


def test_lesson(events):
    seen = p04_sequential.main()
    assert seen["same"]
    assert seen["outputs"] == (64, 10)
    assert seen["rows"] == [
        ("Conv2d", (64, 32, 32, 32), 2_432),  # 32 * (3 * 5 * 5) + 32
        ("MaxPool2d", (64, 32, 16, 16), 0),
        ("Conv2d", (64, 32, 16, 16), 25_632),  # 32 * (32 * 5 * 5) + 32
        ("MaxPool2d", (64, 32, 8, 8), 0),
        ("Conv2d", (64, 64, 8, 8), 51_264),  # 64 * (32 * 5 * 5) + 64
        ("MaxPool2d", (64, 64, 4, 4), 0),
        ("Flatten", (64, 1024), 0),  # 64 * 4 * 4
        ("Linear", (64, 64), 65_600),  # 64 * 1024 + 64
        ("Linear", (64, 10), 650),  # 10 * 64 + 10
    ]
    assert seen["parameters"] == 145_578

    log = events(seen["run"])
    assert log.Tags()["graph"]
    nodes = [node.name for node in log.Graph().node]
    assert any("Sequential[model1]" in name and "Linear[8]" in name for name in nodes)
