import math

import pytest
import torch
from torch import nn

from lessons.course import CourseError
from lessons.course.divergence import stop_if_diverged


def test_finite_numbers_are_no_divergence():
    stop_if_diverged(0.1, nn.Linear(2, 2), train=1e30, validation=0.0)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_loss_is_named(number):
    with pytest.raises(
        CourseError, match=f"^the test loss has become {number}: .*, try --learning-rate 0.03$"
    ):
        stop_if_diverged(0.3, nn.Linear(2, 2), train=1.0, test=number)


@pytest.mark.parametrize("number", [math.nan, -math.inf])
@pytest.mark.parametrize("spoilt", ["0.weight", "1.running_var"])  # a weight; a buffer, which tests alone use
def test_weights_are_looked_at_too(number, spoilt):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    with torch.no_grad():
        model.state_dict()[spoilt].view(-1)[1] = number
    with pytest.raises(CourseError, match=r"^the weights are no finite numbers .*--learning-rate 1e-05$"):
        stop_if_diverged(0.0001, model, train=1.0)
