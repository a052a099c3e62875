"""What is said of a wrong input and of other weights, also when the learner has changed the network."""

import pytest
import torch
from torch import nn
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d

from lessons.course import CourseError
from lessons.course.shapes import explain_other_weights, explain_wrong_input
from lessons.tudui import Tudui

TAKES = (3, 32, 32)


@pytest.mark.parametrize(
    ("imgs", "parts"),
    [
        (torch.rand(3, 64, 64), ["(3, 64, 64)", "(1, 3, 64, 64)", "64x8x8 = 4096", "expects 1024"]),
        (torch.rand(2, 3, 40, 24), ["(2, 3, 40, 24)", "a 40x24 picture is 64x5x3 = 960"]),
        (torch.rand(2, 3, 4, 4), ["a 4x4 picture is too small for so many layers"]),
        (torch.rand(2, 1, 32, 32), ["expects 3 channels, not 1", "RGB"]),
        (torch.rand(2, 4, 32, 32), ["expects 3 channels, not 4", "alpha"]),
        (torch.rand(2, 32, 32, 3), ["channels come last", "movedim"]),
        (torch.rand(3072), ["this has 1"]),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), ["torch.uint8", "ToTensor"]),
        (torch.zeros(2, 3, 32, 32, dtype=torch.float64), ["torch.float64", ".to(torch.float32)"]),
    ],
)
def test_wrong_input_is_explained_in_numbers(imgs, parts):
    with pytest.raises(ValueError) as error:
        Tudui()(imgs)
    message = str(error.value)
    assert message.startswith(f"Tudui takes (N, 3, 32, 32); this is {tuple(imgs.shape)}: ")
    for part in parts:
        assert part in message


def test_the_advice_in_the_message_works():
    tudui = Tudui()
    assert tudui(torch.rand(3, 32, 32).unsqueeze(0)).shape == (1, 10)
    assert tudui(torch.rand(2, 32, 32, 3).movedim(-1, -3)).shape == (2, 10)
    assert tudui(torch.zeros(2, 3, 32, 32, dtype=torch.uint8).float() / 255).shape == (2, 10)


def changed(*layers: nn.Module) -> nn.Sequential:
    """The learner's own network."""
    return nn.Sequential(*layers)


def test_the_numbers_are_those_of_the_network_as_it_is_now():
    layers = changed(
        Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        MaxPool2d(2),
        nn.Dropout(0.5),
        Flatten(),
        Linear(1800, 4),
    )
    layers(torch.rand(2, 3, 32, 32))
    before = {name: value.clone() for name, value in layers.state_dict().items()}
    imgs = torch.rand(2, 3, 20, 20)
    random_numbers = torch.get_rng_state()
    with pytest.raises(ValueError, match=r"a 20x20 picture is 8x9x9 = 648 numbers, .* expects 1800"):
        explain_wrong_input(layers, imgs, TAKES)
    assert torch.equal(torch.get_rng_state(), random_numbers)
    for name, value in layers.state_dict().items():  # to explain is to look: no running mean has moved
        assert torch.equal(value, before[name]), name
    assert layers.training


def test_a_network_that_takes_any_size_is_left_alone():
    layers = changed(Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(4), Flatten(), Linear(128, 4))
    explain_wrong_input(layers, torch.rand(2, 3, 64, 64), TAKES)
    with pytest.raises(ValueError, match="expects 3 channels, not 1"):
        explain_wrong_input(layers, torch.rand(2, 1, 64, 64), TAKES)


# --- Weights


def weights_of(tudui: Tudui) -> dict:
    return dict(tudui.state_dict())


def test_weights_that_fit_are_left_alone():
    weights, tudui = weights_of(Tudui()), Tudui()
    before = {name: weight.clone() for name, weight in weights.items()}
    explain_other_weights(tudui, weights, "a.pth")
    tudui.load_state_dict(weights)  # as it does after that: they fit, and are what they were
    assert all(torch.equal(weight, before[name]) for name, weight in tudui.state_dict().items())


def test_other_weights_are_named():
    weights = weights_of(Tudui())
    first, *_, last = weights
    weights["extra"] = weights.pop(last)
    weights[first] = torch.zeros(16, 3, 5, 5)
    with pytest.raises(CourseError) as error:
        explain_other_weights(Tudui(), weights, "a.pth")
    message = str(error.value)
    assert message.startswith("a.pth holds the weights of another network")
    assert (
        f"it lacks {last}; it also has extra; {first} is (16, 3, 5, 5) there and (32, 3, 5, 5) here"
        in message
    )
    with pytest.raises(RuntimeError):  # what PyTorch would have said: it does not fit
        Tudui().load_state_dict(weights)


def test_a_long_list_is_cut_short():
    with pytest.raises(CourseError, match=r"it lacks (\S+, ){2}\S+ and 7 more\)"):
        explain_other_weights(Tudui(), {}, "a.pth")


NO_WEIGHTS = {  # what a state_dict may hold in place of a weight (2,): what is said of it
    "of type list": [1.0, 2.0],
    "sparse": torch.ones(2).to_sparse(),
    "complex": torch.ones(2, dtype=torch.complex64),
    "on the meta device": torch.ones(2, device="meta"),
    r"of shape \(2,\) with fewer numbers": torch.ones(1).expand(2),
    "partly nan or infinite": torch.tensor([0.0, torch.nan]),
    "torch.int64, and not floating-point": torch.ones(2, dtype=torch.int64),
}


@pytest.mark.parametrize("what", NO_WEIGHTS)
def test_what_is_no_weight_is_named(what):
    layer = nn.Linear(3, 2)
    weights = layer.state_dict() | {"bias": NO_WEIGHTS[what]}
    with pytest.raises(CourseError, match=f"^a.pth cannot be loaded: bias is {what}"):
        explain_other_weights(layer, weights, "a.pth")
