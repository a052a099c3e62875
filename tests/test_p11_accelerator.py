import json

import pytest
import torch
from torch import nn
from torchvision.transforms import ToTensor
from torchvision.transforms.functional import to_tensor

from lessons import p11_accelerator
from lessons.course import CourseError, machine
from lessons.p08_train import choose_recipe, three_sets
from lessons.p11_accelerator import (
    LADDER,
    climb,
    held_on_device,
    new_training,
    pick_device,
    picture_by_picture,
    rungs_for,
    train,
    whole_batches,
)

CPU = torch.device("cpu")
RECIPE = choose_recipe("fast", ["mirror", "shift", "one_cycle"], batch_size=50)


@pytest.fixture
def data(small_pictures):
    return three_sets(str(small_pictures))[0]


def test_device():
    expected = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else CPU
    assert pick_device() == expected
    assert pick_device("cpu") == CPU


@pytest.mark.parametrize("name", ["qpu", "cuda:99", "meta"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(CourseError, match=f"cannot compute on '{name}' .*leave out --device"):
        pick_device(name)


@pytest.mark.parametrize("feed", {rung.feed for rung in LADDER})
def test_each_feed_brings_every_picture_once_an_epoch_and_goes_on(feed, data):
    expected = sorted((img.double().sum().item(), target) for img, target in data)
    batches, orders = feed(data, 64, CPU), []
    for _ in range(2):
        epoch = [next(batches) for _ in range(3)]  # 180 pictures: 64, 64 and 52
        assert [tuple(imgs.shape) for imgs, _ in epoch] == [(64, 3, 32, 32)] * 2 + [(52, 3, 32, 32)]
        assert {(imgs.dtype, targets.dtype) for imgs, targets in epoch} == {(torch.float32, torch.int64)}
        sums = torch.cat([imgs.double().sum(dim=(1, 2, 3)) for imgs, _ in epoch]).tolist()
        targets = torch.cat([targets for _, targets in epoch]).tolist()
        for ours, theirs in zip(sorted(zip(sums, targets, strict=True)), expected, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-5)
        orders.append(targets)
    assert orders[0] != orders[1]  # shuffled anew


def test_feeds_side_by_side_keep_their_ways(data, monkeypatch):
    converted = []  # the pictures that went through ToTensor one by one
    monkeypatch.setattr(ToTensor, "__call__", lambda self, picture: converted.append(1) or to_tensor(picture))
    one_by_one, whole = (feed(data, 20, CPU) for feed in (picture_by_picture, whole_batches))
    for _ in range(3):
        next(one_by_one)
        next(whole)
    assert len(converted) == 3 * 20  # each picture by itself, and none of the whole batches


def test_held_on_device_gives_the_numbers_of_to_tensor(data):
    torch.manual_seed(0)
    imgs, _ = next(held_on_device(data, 180, CPU))
    torch.manual_seed(0)
    order = torch.randperm(180).tolist()
    assert torch.equal(imgs, torch.stack([data[index][0] for index in order]))


def test_no_rung_trains_otherwise(data):
    """The same first weights and the same batches: the same weights after them, but for rounding."""
    imgs, targets = torch.rand(50, 3, 32, 32), torch.arange(50) % 10
    weights = []
    for rung in LADDER:
        if not (rung.bf16 or rung.compiled):
            torch.manual_seed(0)
            training = new_training(rung, RECIPE, data, CPU)
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

    monkeypatch.setattr(p11_accelerator, "train", fake_train)
    speeds = climb(list(LADDER[1:3]), RECIPE, data, CPU, steps=7)
    assert calls == [False, True] * 6
    assert speeds == {"whole batches": 30 / (2 * 3), "+ channels_last": 30 / 3}


@pytest.mark.parametrize("bf16", [True, False])
def test_lesson(bf16, small_pictures, events, monkeypatch, capsys):
    monkeypatch.setattr(p11_accelerator, "has_bf16", lambda device: bf16)
    seen = p11_accelerator.main(str(small_pictures), device="cpu", steps=1, batch_size=20)
    names = [rung.name for rung in LADDER if not rung.compiled and (bf16 or rung.name != "+ bf16")]
    assert list(seen["speeds"]) == names
    assert ("not measured: + bf16" in capsys.readouterr().out) == (not bf16)
    log = events(seen["run"])
    assert log.Tags()["images"] == ["pictures a second"]

    fastest = max(names[1:], key=seen["speeds"].get)
    trace = json.loads(seen["trace"].read_text())
    convolutions = [event for event in trace["traceEvents"] if event.get("name") == "aten::conv2d"]
    in_bf16 = bf16 and next(rung.bf16 for rung in LADDER if rung.name == fastest)
    assert len(convolutions) == 3 * 3 * (2 if in_bf16 else 1)  # layers, steps; autocast calls conv2d again
    costs = list(seen["costs"].values())
    assert len(costs) == 5 and costs == sorted(costs, reverse=True)
    assert set(seen["accuracies"]) == set(seen["epoch_seconds"]) == {names[0], fastest}
    assert min(seen["accuracies"].values()) > 0.1  # not worse than guessing, after one epoch of 10 steps


def test_compile_is_asked_for_on_a_cpu(data, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    for rung in LADDER:
        new_training(rung, RECIPE, data, CPU)
    assert len(compiled) == 1
    assert not any(rung.compiled for rung in rungs_for(CPU, compile=None))
    monkeypatch.setattr(p11_accelerator, "why_not_compiled", lambda device: None)
    assert any(rung.compiled for rung in rungs_for(CPU, compile=True))


def test_a_missing_compiler_costs_one_rung(monkeypatch, capsys):
    def no_compiler(function):
        def fail(*arguments):
            raise RuntimeError(
                "InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1"
            )

        return fail

    monkeypatch.setattr(torch, "compile", no_compiler)
    ladder = rungs_for(CPU, compile=True)
    assert [rung.name for rung in ladder][-1] == "+ data on the device"
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == (
        "not measured: + torch.compile, which does not work here: "
        "InvalidCxxCompiler: No working C++ compiler found"
    )


def test_bf16_is_a_matter_of_instructions(monkeypatch):
    for capabilities, expected in (({"avx512_bf16": True}, True), ({"avx2": True}, False), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False)
        assert machine.has_bf16() == expected
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # an older PyTorch
    assert not machine.has_bf16("cpu")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert not machine.has_bf16("cuda")
    assert machine.has_bf16("mps")
