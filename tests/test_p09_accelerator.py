import json

import pytest
import torch
from torch import nn
from torchvision.transforms import ToTensor

from lessons import p09_accelerator
from lessons.course import CourseError
from lessons.course.datasets import open_dataset
from lessons.p08_train import RECIPES
from lessons.p09_accelerator import (
    LADDER,
    climb,
    held_on_device,
    new_training,
    pick_device,
    picture_by_picture,
    train,
    whole_batches,
)

CPU = torch.device("cpu")
RECIPE = RECIPES["fast"]._replace(batch_size=50, mirror=False, shift=0, one_cycle=False)


@pytest.fixture
def data(small_pictures):
    return open_dataset(str(small_pictures), train=True, transform=ToTensor())


def test_device():
    expected = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else CPU
    assert pick_device() == expected
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["qpu", "cuda:99"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(CourseError, match=f"cannot compute on '{name}' .*leave out --device"):
        pick_device(name)


@pytest.mark.parametrize("feed", {rung.feed for rung in LADDER})
def test_each_feed_brings_every_picture_once_an_epoch_and_goes_on(feed, data):
    expected = sorted((img.double().sum().item(), target) for img, target in data)
    batches, orders = feed(data, 64, CPU), []
    for _ in range(2):
        epoch = [next(batches) for _ in range(4)]  # 200 pictures: 64, 64, 64 and 8
        assert [tuple(imgs.shape) for imgs, _ in epoch] == [(64, 3, 32, 32)] * 3 + [(8, 3, 32, 32)]
        assert {(imgs.dtype, targets.dtype) for imgs, targets in epoch} == {(torch.float32, torch.int64)}
        sums = torch.cat([imgs.double().sum(dim=(1, 2, 3)) for imgs, _ in epoch]).tolist()
        targets = torch.cat([targets for _, targets in epoch]).tolist()
        for ours, theirs in zip(sorted(zip(sums, targets, strict=True)), expected, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5)
        orders.append(targets)
    assert orders[0] != orders[1]  # shuffled anew


def test_feeds_side_by_side_keep_their_ways(data, monkeypatch):
    read, getitem = [], type(data).__getitem__
    monkeypatch.setattr(
        type(data), "__getitem__", lambda self, index: read.append(index) or getitem(self, index)
    )
    one_by_one, whole = (feed(data, 20, CPU) for feed in (picture_by_picture, whole_batches))
    for _ in range(3):
        next(one_by_one)
        next(whole)
    assert len(read) == 3 * 20  # each picture by itself, and none of the whole batches


def test_held_on_device_gives_the_numbers_of_to_tensor(data):
    torch.manual_seed(0)
    imgs, _ = next(held_on_device(data, 200, CPU))
    torch.manual_seed(0)
    order = torch.randperm(200).tolist()
    assert torch.equal(imgs, torch.stack([data[index][0] for index in order]))


def test_no_rung_trains_otherwise(data):
    """The same first weights and the same batches: the same weights after them, but for rounding."""
    imgs, targets = torch.rand(50, 3, 32, 32), torch.arange(50) % 10
    weights = []
    for rung in LADDER:
        if not (rung.bf16 or rung.compiled):
            torch.manual_seed(0)
            training = new_training(rung, RECIPE, data, 10, CPU)
            train(training, iter([(imgs, targets)] * 3), steps=3)
            weights.append(torch.cat([weight.flatten() for weight in training.model.parameters()]))
    assert len(weights) == 3
    for other in weights[1:]:
        torch.testing.assert_close(other, weights[0], rtol=1e-3, atol=1e-4)


def test_rungs_take_turns_and_the_first_round_does_not_count(data, monkeypatch):
    calls = []

    def fake_train(training, batches, steps):
        rung = training.recipe.channels_last
        calls.append(rung)
        seconds = [100, 2, 1, 4, 5, 3]  # of rounds 0 to 5
        return 30, seconds[calls.count(rung) - 1] * (1 if rung else 2)

    monkeypatch.setattr(p09_accelerator, "train", fake_train)
    speeds = climb(list(LADDER[1:3]), RECIPE, data, CPU, steps=7)
    assert calls == [False, True] * 6
    assert speeds == {"whole batches": 30 / (2 * 3), "+ channels_last": 30 / 3}


@pytest.mark.parametrize("bf16", [True, False])
def test_lesson(bf16, small_pictures, events, monkeypatch, capsys):
    monkeypatch.setattr(p09_accelerator, "multiplies_bf16", lambda: bf16)
    seen = p09_accelerator.main(str(small_pictures), device="cpu", steps=1, batch_size=20)
    names = [rung.name for rung in LADDER if not rung.compiled and (bf16 or rung.name != "+ bf16")]
    assert list(seen["speeds"]) == names
    assert ("not measured: + bf16" in capsys.readouterr().out) == (not bf16)
    log = events(seen["run"])
    assert log.Tags()["images"] == ["pictures a second"]
    table = log.Tensors("ladder/text_summary")[0].tensor_proto.string_val[0].decode()
    assert all(name in table for name in names)

    trace = json.loads(seen["trace"].read_text())
    convolutions = [event for event in trace["traceEvents"] if event.get("name") == "aten::conv2d"]
    assert len(convolutions) == 3 * 3  # three layers, three steps
    costs = list(seen["costs"].values())
    assert len(costs) == 5 and costs == sorted(costs, reverse=True)
    fastest = max(names[1:], key=seen["speeds"].get)
    assert set(seen["accuracies"]) == set(seen["epoch_seconds"]) == {names[0], fastest}
    assert min(seen["accuracies"].values()) > 0.1  # not worse than guessing, after one epoch of 10 steps


@pytest.mark.parametrize("options", [{"steps": 0}, {"epochs": 0}, {"batch_size": 0}])
def test_no_work_at_all(options, small_pictures):
    with pytest.raises(CourseError, match="must be at least 1"):
        p09_accelerator.main(str(small_pictures), device="cpu", **options)


def test_compile_is_asked_for_on_a_cpu(data, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    for rung in LADDER:
        new_training(rung, RECIPE, data, 10, CPU)
    assert len(compiled) == 1
