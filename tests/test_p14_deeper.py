import signal
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from lessons import p12_classify, p14_deeper
from lessons.course import CourseError
from lessons.p08_train import Training, choose_recipe, three_sets
from lessons.p14_deeper import WIDTHS, BothWays, EachShifted, arithmetic, ladder, new_training, whiten
from lessons.tudui import (
    DeeperTudui,
    Shortcut,
    StagedTudui,
    Tudui,
    batchnorm_stage,
    pair_stage,
    relu_stage,
)

STAGES = (relu_stage, batchnorm_stage, pair_stage)


def count(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


# --- The networks: shapes, parameters and arithmetic


def test_parameters_of_the_rungs():
    linears = (64 * 4 * 4 * 64 + 64) + (64 * 10 + 10)
    convolutions = (3 * 32 + 32 * 32 + 32 * 64) * 25  # without biases
    assert count(StagedTudui(stage=relu_stage)) == convolutions + 32 + 32 + 64 + linears == 145_578
    # BatchNorm has a weight and a bias a channel, where the convolution had a bias
    assert count(StagedTudui(stage=batchnorm_stage)) == convolutions + 2 * (32 + 32 + 64) + linears == 145_706
    pairs = 9 * (3 * 32 + 32 * 32 + 32 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    assert count(StagedTudui(stage=pair_stage)) == pairs + 4 * (32 + 32 + 64) + linears == 150_570


@pytest.mark.parametrize(("width", "expected"), [("small", 295_106), ("full", 1_972_802)])
def test_parameters_of_the_deeper_network(width, expected):
    first, second, third = WIDTHS[width]
    look = 24 * 3 * 2 * 2 + 24
    resizing = 9 * (24 * first + first * second + second * third)
    improving = 9 * (first * first + second * second + third * third)
    batchnorms = 2 * 2 * (first + second + third)
    linear = third * 10 + 10
    deeper = DeeperTudui(widths=WIDTHS[width])
    assert count(deeper) == look + resizing + improving + batchnorms + linear == expected


def test_two_small_convolutions_see_as_far_as_a_large_one_with_fewer_numbers():
    imgs = torch.zeros(1, 32, 32, 32, requires_grad=True)
    large = nn.Conv2d(32, 32, 5, padding=2, bias=False)
    small = nn.Sequential(*(nn.Conv2d(32, 32, 3, padding=1, bias=False) for _ in range(2)))
    seen = []
    for layers in (large, small):
        [gradient] = torch.autograd.grad(layers(imgs)[0, 0, 16, 16], imgs)
        seen.append(gradient.abs().sum(dim=(0, 1)).nonzero().tolist())
    assert seen[0] == seen[1] == [[row, column] for row in range(14, 19) for column in range(14, 19)]
    assert (count(large), count(small)) == (25 * 32 * 32, 18 * 32 * 32) == (25_600, 18_432)


@pytest.mark.parametrize("stage", STAGES)
def test_stages_halve_the_sides(stage):
    assert stage(3, 6)(torch.rand(2, 3, 32, 32)).shape == (2, 6, 16, 16)
    assert StagedTudui(7, stage)(torch.rand(2, 3, 32, 32)).shape == (2, 7)


def test_shapes_on_the_way():
    deeper, shapes = DeeperTudui(num_classes=7, widths=(8, 16, 24)), []
    for layer in deeper.model1:
        layer.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape)))
    deeper(torch.rand(2, 3, 32, 32))
    sides = [(2, 24, 31, 31), (2, 24, 31, 31), (2, 8, 15, 15), (2, 16, 7, 7), (2, 24, 3, 3)]
    assert shapes == [*sides, (2, 24, 1, 1), (2, 24), (2, 7)]
    assert deeper.features(torch.rand(2, 3, 32, 32)).shape == (2, 24)
    assert deeper.head.out_features == 7


def test_arithmetic_by_hand():
    # 2 operations for each weight at each place: forward, then for the weights' gradients and the inputs';
    # no one asks for the gradients of the pictures
    first = 2 * 3 * 32 * 25 * 32 * 32
    second, third = 2 * 32 * 32 * 25 * 16 * 16, 2 * 32 * 64 * 25 * 8 * 8
    linears = 2 * 1024 * 64 + 2 * 64 * 10
    assert arithmetic(Tudui()) == 2 * first + 3 * (second + third + linears) == 69_209_856


def test_arithmetic_leaves_the_network_as_it_was():
    deeper = DeeperTudui(widths=(4, 4, 4))
    before = {name: value.clone() for name, value in deeper.state_dict().items()}
    arithmetic(deeper)
    assert all(torch.equal(before[name], value) for name, value in deeper.state_dict().items())
    assert all(weight.grad is None for weight in deeper.parameters())


# --- ReLU, BatchNorm, shortcuts: what they compute


def test_relu_after_pooling_is_the_same_as_before():
    outputs = torch.randn(4, 3, 8, 8)
    pool = nn.MaxPool2d(2)
    assert torch.equal(pool(outputs).relu(), pool(outputs.relu()))


def test_two_linear_layers_with_nothing_between_are_one():
    one, other, inputs = nn.Linear(6, 4), nn.Linear(4, 3), torch.rand(5, 6)
    together = nn.Linear(6, 3)
    with torch.no_grad():
        together.weight.copy_(other.weight @ one.weight)
        together.bias.copy_(other.weight @ one.bias + other.bias)
    torch.testing.assert_close(other(one(inputs)), together(inputs))
    assert not torch.allclose(other(one(inputs).relu()), together(inputs))


def test_batchnorm_by_hand():
    torch.manual_seed(0)
    layer, imgs = nn.BatchNorm2d(3), 5 + 2 * torch.randn(4, 3, 6, 6)
    nn.init.uniform_(layer.weight)
    nn.init.uniform_(layer.bias)

    def by_hand(mean, variance):
        normal = (imgs - mean.view(3, 1, 1)) / (variance.view(3, 1, 1) + 1e-5).sqrt()
        return normal * layer.weight.view(3, 1, 1) + layer.bias.view(3, 1, 1)

    variance, mean = torch.var_mean(imgs, dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(layer(imgs), by_hand(mean, variance))
    # A tenth of what is new; the running variance takes the unbiased one
    unbiased = imgs.var(dim=(0, 2, 3))
    torch.testing.assert_close(layer.running_mean, 0.1 * mean)
    torch.testing.assert_close(layer.running_var, 0.9 * torch.ones(3) + 0.1 * unbiased)
    layer.eval()
    torch.testing.assert_close(layer(imgs), by_hand(layer.running_mean, layer.running_var))


def test_a_bias_before_batchnorm_changes_nothing():
    convolution, layer, imgs = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), torch.rand(2, 3, 8, 8)
    before = layer(convolution(imgs))
    with torch.no_grad():
        convolution.bias += 100
    torch.testing.assert_close(layer(convolution(imgs)), before, rtol=1e-3, atol=1e-3)


def test_a_shortcut_around_nothing_is_the_identity():
    convolution, imgs = nn.Conv2d(3, 3, 3, padding=1, bias=False), torch.randn(2, 3, 8, 8)
    block = Shortcut(convolution, nn.BatchNorm2d(3), nn.ReLU())
    assert not torch.equal(block(imgs), imgs)
    nn.init.zeros_(convolution.weight)
    assert torch.equal(block(imgs), imgs)


# --- What goes wrong here


def test_eval_forgotten():
    """The answer to a picture depends on the others in its batch, and asking changes the network."""
    torch.manual_seed(0)
    deeper, imgs = DeeperTudui(widths=(4, 4, 4)), torch.rand(8, 3, 32, 32)
    before = deeper.model1[2][2].running_mean.clone()
    alone, among_others = deeper(imgs[:1]), deeper(imgs)[:1]
    assert not torch.allclose(alone, among_others, atol=1e-2)
    assert not torch.equal(deeper.model1[2][2].running_mean, before)
    deeper.eval()
    torch.testing.assert_close(deeper(imgs[:1]), deeper(imgs)[:1])


def test_a_batch_of_one():
    with pytest.raises(ValueError, match="Expected more than 1 value per channel when training"):
        nn.BatchNorm2d(4)(torch.rand(1, 4, 1, 1))
    assert nn.BatchNorm2d(4).eval()(torch.rand(1, 4, 1, 1)).shape == (1, 4, 1, 1)


def test_a_shortcut_whose_sides_differ():
    block = Shortcut(nn.Conv2d(3, 6, 3, padding=1))
    with pytest.raises(RuntimeError, match=r"size of tensor a \(3\) must match the size of tensor b \(6\)"):
        block(torch.rand(2, 3, 8, 8))


def test_frozen_weights_do_not_freeze_batchnorm():
    layer, imgs = nn.BatchNorm2d(3), torch.rand(4, 3, 8, 8)
    layer.requires_grad_(False)
    layer(imgs)
    assert not torch.equal(layer.running_mean, torch.zeros(3))  # still taking notes of the new pictures
    frozen = nn.BatchNorm2d(3).requires_grad_(False).eval()
    frozen(imgs)
    assert torch.equal(frozen.running_mean, torch.zeros(3))


# --- What the lesson adds


def test_whitened_patches_are_uncorrelated_with_variance_1():
    torch.manual_seed(0)
    imgs = 10 * nn.functional.avg_pool2d(torch.rand(200, 3, 34, 34), 3, stride=1)  # neighbours look alike
    convolution = nn.Conv2d(3, 24, 2)
    whiten(convolution, imgs)
    outputs = convolution(imgs)[:, :12].transpose(0, 1).flatten(1)  # (12, patches)
    torch.testing.assert_close(outputs.cov(), torch.eye(12), rtol=0, atol=0.1)
    torch.testing.assert_close(convolution.weight[12:], -convolution.weight[:12])
    assert not convolution.weight.requires_grad and convolution.bias.requires_grad


def test_both_ways_treats_a_picture_and_its_mirror_image_alike():
    tudui, imgs = Tudui(), torch.rand(2, 3, 32, 32)
    both = BothWays(tudui)
    torch.testing.assert_close(both(imgs), both(imgs.flip(3)))
    torch.testing.assert_close(both(imgs), (tudui(imgs) + tudui(imgs.flip(3))) / 2)


def test_each_picture_is_shifted_by_itself(small_pictures):
    """One picture 500 times over: all 25 shifts by up to two pixels come up, and nothing else."""
    picture = torch.rand(3, 32, 32)
    padded = nn.functional.pad(picture, [2] * 4, "reflect")
    all_shifts = torch.stack([padded[:, i : i + 32, j : j + 32] for i in range(5) for j in range(5)])
    recipe = SimpleNamespace(**vars(choose_recipe("fast", without=["mirror"])), device="cpu")
    train_data = three_sets(str(small_pictures))[0]
    training = new_training(ladder((4, 4, 4))[-1], recipe, train_data, 10)
    augmented = training.augment(picture.expand(500, 3, 32, 32))
    assert augmented.shape == (500, 3, 32, 32)
    which = [(all_shifts == one).flatten(1).all(dim=1).nonzero().tolist() for one in augmented]
    assert all(len(found) == 1 for found in which)
    assert len({found[0][0] for found in which}) == 25


# --- The ladder


def layers_of(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.modules() if not list(layer.children())]


def test_each_rung_changes_what_its_name_says():
    names = [rung.name for rung in ladder(WIDTHS["small"])]
    tudui, relu, batchnorm, pairs, deeper, helped = (
        layers_of(rung.network(10)) for rung in ladder(WIDTHS["small"])
    )
    assert names[0] == "Tudui" and tudui == layers_of(Tudui())
    assert names[1] == "+ ReLU" and [name for name in relu if name != "ReLU"] == tudui
    assert names[2] == "+ BatchNorm" and [name for name in batchnorm if name != "BatchNorm2d"] == relu
    more = Counter(pairs) - Counter(batchnorm)
    assert names[3] == "3x3 pairs" and more == {"Conv2d": 3, "BatchNorm2d": 3, "ReLU": 3}
    assert deeper == helped
    assert [rung.helped for rung in ladder(WIDTHS["small"])] == [False] * 5 + [True]


def test_all_rungs_are_trained_alike(small_pictures):
    train_data = three_sets(str(small_pictures))[0]
    recipe = SimpleNamespace(**vars(choose_recipe("fast")), device="cpu")
    trainings = [new_training(rung, recipe, train_data, 10) for rung in ladder((4, 4, 4))]
    assert [type(training) for training in trainings] == [Training] * 5 + [EachShifted]
    assert all(training.recipe is recipe for training in trainings)
    frozen = [
        [name for name, weight in training.model.named_parameters() if not weight.requires_grad]
        for training in trainings
    ]
    assert frozen == [[]] * 5 + [["network.model1.0.weight"]]


def test_lesson(small_pictures, events, capsys):
    seen = p14_deeper.main(str(small_pictures), epochs=2, batch_size=60)
    names = [rung.name for rung in ladder(WIDTHS["small"])]
    assert list(seen["ladder"]) == names
    printed = capsys.readouterr().out
    for name, figures in seen["ladder"].items():
        curve = [event.value for event in events(seen["run"] / name).Scalars("validation accuracy")]
        assert curve == pytest.approx(figures["accuracies"]) and len(curve) == 2
        assert f"{figures['parameters']:,} parameters" in printed
    log = events(seen["run"])
    assert log.Tags()["images"] == ["ladder"]
    assert "ladder/text_summary" in log.Tags()["tensors"]


def test_a_width_that_is_not_there():
    with pytest.raises(CourseError, match="no width 'fill': choose small, medium, full"):
        p14_deeper.main(width="fill")


# --- The long way


@pytest.fixture
def learn(small_pictures, tmp_path, monkeypatch):
    """``learn(epochs=2)``: the long way on 180 small pictures, 3 steps an epoch, in its own course folder."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setitem(WIDTHS, "small", (4, 8, 8))

    def lesson(resume=False, **options):
        if resume:
            return p14_deeper.main(str(small_pictures), resume=True)
        return p14_deeper.main(str(small_pictures), width="small", batch_size=60, **options)

    return lesson


def stop_at_step(monkeypatch, number):
    step, calls = Training.step, []

    def step_with_ctrl_c(self, imgs, targets):
        calls.append(1)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return step(self, imgs, targets)

    monkeypatch.setattr(Training, "step", step_with_ctrl_c)


@pytest.mark.parametrize("number", [2, 4])  # in the first epoch and in the second
def test_resumed_is_as_never_stopped(learn, monkeypatch, number):
    in_one_go = learn(epochs=2)
    said = pytest.raises(KeyboardInterrupt, match="lessons run 14 --resume goes on")
    with monkeypatch.context() as interrupted, said:
        stop_at_step(interrupted, number)
        learn(epochs=2)
    torch.manual_seed(99)
    resumed = learn(resume=True)
    one, other = (torch.load(seen["checkpoints"] / "last.pth") for seen in (in_one_go, resumed))
    for name, weight in one["model"].items():  # with the running means and variances
        assert torch.equal(other["model"][name], weight), name
    assert in_one_go["history"] == resumed["history"]
    assert in_one_go["final"] == resumed["final"]
    with pytest.raises(CourseError, match="no interrupted run to go on with: lessons run 14"):
        learn(resume=True)


def test_lesson_12_reads_and_exports_its_checkpoint(learn, small_pictures):
    seen = learn(epochs=1)
    path = seen["checkpoints"] / "best.pth"
    read = p12_classify.main(str(small_pictures), checkpoint=str(path))
    classifier, test_data = read["classifier"], three_sets(str(small_pictures))[2]
    assert isinstance(classifier.network, DeeperTudui)
    assert read["classes"] == list(test_data.classes)
    assert set(read["differences"]) == {"tudui.pt2", "tudui.onnx"}
    assert max(read["differences"].values()) < 1e-4
    imgs, _ = next(iter(DataLoader(test_data, 10)))
    weights = torch.load(path)["model"]
    assert torch.equal(classifier.state_dict()["network.model1.7.bias"], weights["network.model1.7.bias"])
    assert classifier(imgs).shape == (10, 10)
