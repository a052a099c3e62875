import math
import shutil
import signal

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons import p08_train
from lessons.course import CourseError, cli
from lessons.course.datasets import open_dataset
from lessons.p05_loss_optim import train_step
from lessons.p08_train import RECIPES, CtrlC, Recipe, Training, measure
from lessons.tudui import Tudui

PICTURES = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)


def training(recipe=RECIPES["notes"], pictures=PICTURES, total_steps=100, **switches):
    torch.manual_seed(0)
    return Training(recipe._replace(**switches), pictures, 10, total_steps)


@pytest.fixture
def learn(small_pictures, tmp_path, monkeypatch):
    """``learn(epochs=3)``: the lesson on 200 small pictures, 4 steps an epoch, in its own course folder."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setattr(p08_train, "report", lambda *arguments: None)  # takes longer than so few steps
    monkeypatch.setitem(RECIPES, "fast", RECIPES["fast"]._replace(batch_size=50))
    return lambda **options: p08_train.main(str(small_pictures), **options)


def press_ctrl_c(monkeypatch, at_step):
    """The learner presses Ctrl-C in the middle of this step; counted from 1, over all epochs."""
    step, calls = Training.step, []

    def pressed(self, imgs, targets):
        calls.append(1)
        if len(calls) == at_step:
            signal.raise_signal(signal.SIGINT)
        return step(self, imgs, targets)

    monkeypatch.setattr(Training, "step", pressed)


# --- The step and the recipe


def test_notes_recipe_is_the_step_of_lesson_5():
    imgs, targets = torch.rand(8, 3, 32, 32), torch.arange(8)
    ours = training()
    torch.manual_seed(0)
    theirs = Tudui()
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01)
    for _ in range(3):
        ours.step(imgs, targets)
        train_step(theirs, imgs, targets, nn.CrossEntropyLoss(), optimizer)
    for name, weight in theirs.state_dict().items():
        assert torch.equal(ours.model.state_dict()[name], weight), name


def test_channels_last_changes_the_layout_and_not_the_scores():
    imgs = torch.rand(4, 3, 32, 32)
    plain, last = training(), training(channels_last=True)
    assert last.model.model1[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert last.prepare(imgs).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last.forward(imgs), plain.forward(imgs), rtol=1e-4, atol=1e-5)


def test_bf16_computes_in_bf16_and_gives_scores_in_fp32():
    ours, seen, imgs = training(bf16=True), [], torch.rand(4, 3, 32, 32)
    ours.model.model1[0].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    scores = ours.forward(imgs)
    assert (seen, scores.dtype) == ([torch.bfloat16], torch.float32)
    torch.testing.assert_close(scores, training().forward(imgs), rtol=0.05, atol=0.01)


def test_normalised_training_pictures_have_mean_0_and_std_1():
    pictures = torch.randint(0, 256, (300, 32, 32, 3), dtype=torch.uint8)
    imgs = pictures.permute(0, 3, 1, 2) / 255  # (300, 3, 32, 32)
    prepared = training(pictures=pictures, normalise=True).prepare(imgs)
    assert prepared.mean(dim=(0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert prepared.std(dim=(0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)
    assert torch.equal(training(pictures=pictures).prepare(imgs), imgs)


def test_mirror_turns_about_half_of_the_pictures():
    imgs = torch.rand(200, 3, 32, 32)
    augmented = training(mirror=True).augment(imgs)
    turned = [torch.equal(after, before.flip(2)) for before, after in zip(imgs, augmented, strict=True)]
    left = [torch.equal(after, before) for before, after in zip(imgs, augmented, strict=True)]
    assert sum(turned) + sum(left) == 200
    assert 60 < sum(turned) < 140  # 100 on average, 7 the standard deviation


def test_shift_moves_by_so_many_pixels_at_most():
    imgs = torch.zeros(1, 3, 32, 32)
    imgs[0, :, 16, 16] = 1
    ours, places = training(shift=2), set()
    for _ in range(200):
        _, row, column = ours.augment(imgs)[0].nonzero()[0].tolist()
        places.add((row - 16, column - 16))
    assert places == {(row, column) for row in range(-2, 3) for column in range(-2, 3)}


def test_orthogonal_first_weights():
    weight = training(orthogonal=True).model.model1[8].weight  # (10, 64): ten directions of length 1
    torch.testing.assert_close(weight @ weight.T, torch.eye(10), atol=1e-5, rtol=0)


def test_max_norm_cuts_long_gradients():
    imgs, targets = 100 * torch.rand(8, 3, 32, 32), torch.arange(8)
    lengths = {}
    for max_norm in (0.0, 0.5):
        ours = training(max_norm=max_norm)
        ours.step(imgs, targets)
        squares = [parameter.grad.square().sum() for parameter in ours.model.parameters()]
        lengths[max_norm] = math.sqrt(sum(squares))
    assert lengths[0.0] > 1
    assert lengths[0.5] == pytest.approx(0.5, rel=1e-3)


def test_one_cycle_goes_up_for_a_fifth_and_then_down():
    ours = training(one_cycle=True, learning_rate=0.1, total_steps=100)
    rates = []
    for _ in range(100):
        rates.append(ours.scheduler.get_last_lr()[0])
        ours.optimizer.step()
        if len(rates) < 100:
            ours.scheduler.step()
    assert rates.index(max(rates)) == 19 and max(rates) == pytest.approx(0.1)
    assert rates[0] == pytest.approx(0.1 / 25) and rates[-1] < 1e-5


@pytest.mark.parametrize("total_steps", [1, 5, 6])
def test_one_cycle_of_few_steps(total_steps):
    ours = training(one_cycle=True, total_steps=total_steps)
    for _ in range(total_steps):
        ours.step(torch.rand(2, 3, 32, 32), torch.tensor([0, 1]))
    assert 0 < ours.scheduler.get_last_lr()[0] <= 0.01


def test_testing_does_not_train():
    ours, imgs = training(), torch.rand(4, 3, 32, 32)
    ours.model.model1.insert(1, nn.Dropout(0.9))
    loader = [(imgs, torch.arange(4))]
    assert torch.equal(ours.predict(loader), ours.predict(loader))
    assert ours.model.training


def test_the_optimizer_gets_the_recipe():
    ours = training(momentum=0.9, weight_decay=5e-4, learning_rate=0.2, label_smoothing=0.1)
    (group,) = ours.optimizer.param_groups
    assert (group["momentum"], group["nesterov"], group["weight_decay"], group["lr"]) == (
        0.9,
        True,
        5e-4,
        0.2,
    )
    assert ours.loss_fn.label_smoothing == 0.1
    assert not training().optimizer.param_groups[0]["nesterov"]


def test_measure_adds_up_over_batches():
    outputs, targets = torch.randn(7, 10), torch.arange(7)
    parts = measure(outputs[:4], targets[:4]) + measure(outputs[4:], targets[4:])
    torch.testing.assert_close(parts, measure(outputs, targets))
    loss, correct, pictures = parts.tolist()
    assert loss / 7 == pytest.approx(nn.CrossEntropyLoss()(outputs, targets).item(), rel=1e-5)
    assert (correct, pictures) == ((outputs.argmax(1) == targets).sum().item(), 7)


def test_each_ingredient_is_an_option():
    given = cli.parse_options(p08_train.main, ["--no-mirror", "--shift", "0", "--one-cycle"], "p08")
    assert (given["mirror"], given["shift"], given["one_cycle"], given["normalise"]) == (False, 0, True, None)
    assert set(Recipe._fields) <= set(given)


# --- The whole run


def test_lesson(small_pictures, events, picture_size):
    seen = p08_train.main(str(small_pictures), epochs=3, batch_size=50)
    history = seen["history"]
    assert history[-1]["loss/train"] < history[0]["loss/train"] < 3  # log(10) is 2.3
    assert history[-1]["accuracy/test"] > 0.3  # a guess would be right one time in ten

    test_data = open_dataset(str(small_pictures), train=False, transform=ToTensor())
    assert seen["confusion"].sum() == len(test_data) == 100
    assert seen["confusion"].sum(dim=1).tolist() == [10] * 10
    assert seen["confusion"].trace() / 100 == pytest.approx(history[-1]["accuracy/test"])

    log = events(seen["run"])
    for name in history[0]:
        logged = log.Scalars(name)
        assert [event.step for event in logged] == [1, 2, 3]
        assert [event.value for event in logged] == pytest.approx([h[name] for h in history], rel=1e-5)
    assert log.Tags()["images"] == ["confusion", "worst mistakes"]
    assert picture_size(log.Images("worst mistakes")[0]) == (600, 570)  # 4 by 3 pictures
    curves = [tag for tag in log.Tags()["tensors"] if tag.startswith("class/")]
    assert curves == [f"class/class{number}" for number in range(10)]
    (names,) = seen["run"].glob("*/default/metadata.tsv")
    assert names.read_text().split() == [f"class{number}" for number in range(10) for _ in range(10)]
    assert log.Scalars("hparam/test accuracy")[0].value == pytest.approx(history[-1]["accuracy/test"])


def test_the_best_network_is_kept_apart(learn, small_pictures):
    seen = learn(epochs=4)
    epoch, accuracy = seen["best"]
    best = torch.load(seen["checkpoints"] / "best.pth")
    assert accuracy == max(h["accuracy/test"] for h in seen["history"])
    assert best["epoch"] == epoch
    tudui = Tudui()
    tudui.load_state_dict(best["model"])
    mean, std = (torch.tensor(best[name]).view(3, 1, 1) for name in ("mean", "std"))
    imgs, targets = next(
        iter(DataLoader(open_dataset(str(small_pictures), False, ToTensor()), batch_size=100))
    )
    answers = tudui((imgs - mean) / std).argmax(dim=1)
    assert (answers == targets).double().mean() == pytest.approx(accuracy, abs=0.011)  # bf16 may turn one
    assert best["classes"] == [f"class{number}" for number in range(10)]


@pytest.mark.parametrize("at_step", [3, 6, 8])  # in epoch 1, in epoch 2, in the last step of epoch 2
def test_resumed_is_as_never_stopped(learn, monkeypatch, events, at_step, capsys):
    in_one_go = learn(epochs=3)
    with monkeypatch.context() as interrupted:
        press_ctrl_c(interrupted, at_step)
        with pytest.raises(KeyboardInterrupt):
            learn(epochs=3)
    assert "lessons run 8 --resume goes on" in capsys.readouterr().out
    torch.manual_seed(99)  # another day, other random numbers
    resumed = learn(resume=True)
    assert resumed["run"] != in_one_go["run"]
    for name, weight in in_one_go["model"].state_dict().items():
        assert torch.equal(resumed["model"].state_dict()[name], weight), name
    for ours, theirs in zip(resumed["history"], in_one_go["history"], strict=True):
        assert {**ours, "pictures a second": 0} == {**theirs, "pictures a second": 0}
    log = events(resumed["run"])
    assert [event.step for event in log.Scalars("loss/train")] == [1, 2, 3]
    with pytest.raises(CourseError, match="no interrupted run"):  # this one has come to its end
        learn(resume=True)


def test_a_run_that_was_killed_goes_on_after_its_last_whole_epoch(learn, monkeypatch):
    in_one_go = learn(epochs=3)

    step, calls = Training.step, []

    def step_or_die(self, imgs, targets):
        calls.append(1)
        if len(calls) == 7:
            raise MemoryError
        return step(self, imgs, targets)

    with monkeypatch.context() as unlucky:
        unlucky.setattr(Training, "step", step_or_die)
        with pytest.raises(MemoryError):
            learn(epochs=3)
    resumed = learn(resume=True)
    for name, weight in in_one_go["model"].state_dict().items():
        assert torch.equal(resumed["model"].state_dict()[name], weight), name


def test_going_on_with_other_settings_is_refused(learn, monkeypatch):
    with pytest.raises(CourseError, match="no interrupted run"):
        learn(resume=True)
    with monkeypatch.context() as interrupted:
        press_ctrl_c(interrupted, at_step=2)
        with pytest.raises(KeyboardInterrupt):
            learn(epochs=2, mirror=False)
    with pytest.raises(CourseError, match="leave out --epochs"):
        learn(resume=True, epochs=5)
    with pytest.raises(CourseError, match="leave out --one-cycle"):
        learn(resume=True, one_cycle=False)
    assert len(learn(resume=True, mirror=False)["history"]) == 2  # said again, the same


def test_stops_early_when_nothing_gets_better(learn):
    seen = learn(epochs=9, patience=2, learning_rate=1e-9)
    assert len(seen["history"]) == 3
    assert seen["best"][0] == 1


def test_runs_do_not_mix(learn):
    first, second = learn(epochs=1, recipe="notes"), learn(epochs=1, recipe="notes")
    assert first["checkpoints"] != second["checkpoints"]
    assert {path.name for path in first["checkpoints"].iterdir()} == {"last.pth", "best.pth"}


def test_a_training_that_diverges_says_what_to_do(learn, monkeypatch):
    step, calls = Training.step, []

    def step_or_explode(self, imgs, targets):
        calls.append(1)
        return step(self, imgs, targets) * (math.nan if len(calls) > 4 else 1)

    monkeypatch.setattr(Training, "step", step_or_explode)  # in its second epoch
    with pytest.raises(CourseError, match=r"become nan: .*--learning-rate 0\.01$"):
        learn(epochs=3)
    with pytest.raises(CourseError, match="no interrupted run"):  # it would only explode again
        learn(resume=True)


def test_ctrl_c_behind_the_last_step_is_not_lost(learn, monkeypatch):
    predict = Training.predict

    def pressed(self, loader):
        signal.raise_signal(signal.SIGINT)
        return predict(self, loader)

    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(Training, "predict", pressed)
        learn(epochs=1)


def test_pictures_that_have_changed(learn, small_pictures, tmp_path, monkeypatch):
    shutil.copytree(small_pictures, tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        press_ctrl_c(interrupted, at_step=2)
        p08_train.main("pictures", epochs=1)
    monkeypatch.chdir("/")  # the run knows its whole path
    (tmp_path / "pictures" / "train" / "class0" / "0.png").unlink()
    with pytest.raises(CourseError, match="the pictures have changed"):
        p08_train.main(resume=True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epochs": 0}, "--epochs"),
        ({"batch_size": 0}, "--batch-size"),
        ({"shift": 40}, "--shift"),
        ({"label_smoothing": 2.0}, "--label-smoothing"),
        ({"momentum": -1.0}, "Invalid momentum"),
    ],
)
def test_numbers_that_cannot_be(learn, options, told):
    with pytest.raises(CourseError, match=told):
        learn(**options)


def test_unknown_recipe(learn):
    with pytest.raises(CourseError, match="no recipe 'slow': choose notes or fast"):
        learn(recipe="slow")


def test_a_second_ctrl_c_breaks_off_at_once():
    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), CtrlC() as ctrl_c:
        signal.raise_signal(signal.SIGINT)
        assert ctrl_c.pressed
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is usual
