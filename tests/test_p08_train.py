import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons import p08_train
from lessons.course import CourseError
from lessons.course.datasets import open_dataset
from lessons.p05_loss_optim import evaluate, train_step
from lessons.p08_train import INGREDIENTS, Training, choose_recipe, measure, new_classifier, three_sets
from lessons.tudui import Classifier, Tudui


def training(total_steps=100, name="notes", **own) -> Training:
    torch.manual_seed(0)
    return Training(Classifier(Tudui()), choose_recipe(name, **own), total_steps)


@pytest.fixture
def learn(small_pictures, tmp_path, monkeypatch):
    """``learn(epochs=3)``: the lesson on 180 small pictures, 4 steps an epoch, in its own course folder."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    return lambda **options: p08_train.main(str(small_pictures), **{"batch_size": 50} | options)


# --- The recipe


def test_each_ingredient_can_be_left_out_and_nothing_else_changes():
    fast, notes = vars(choose_recipe("fast")), vars(choose_recipe("notes"))
    for name in INGREDIENTS:
        without = vars(choose_recipe("fast", [name]))
        assert without == fast | {name: notes[name]}
    assert vars(choose_recipe("fast", list(INGREDIENTS))) == notes
    assert fast["momentum"] == 0.9 and notes["momentum"] == 0.0
    own = choose_recipe("fast", ["mirror"], learning_rate=0.05, batch_size=None)
    assert (own.learning_rate, own.batch_size, own.mirror) == (0.05, 128, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipe": "slow"}, "no recipe 'slow': choose notes or fast"),
        ({"without": ["mirror", "sugar"]}, "no recipe has 'sugar': leave out batch_size, .*mirror.*bf16"),
    ],
)
def test_what_is_no_recipe(learn, options, message):
    with pytest.raises(CourseError, match=message):
        learn(**options)


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
        assert torch.equal(ours.model.network.state_dict()[name], weight), name


def test_channels_last_changes_the_layout_and_not_the_scores():
    imgs = torch.rand(4, 3, 32, 32)
    plain, last = training(), training(channels_last=True)
    layouts = []
    for layer in last.model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, output: layouts.append(output))
    scores = last.model(imgs)
    assert len(layouts) == 3
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in layouts)
    torch.testing.assert_close(scores, plain.model(imgs), rtol=1e-4, atol=1e-5)


def test_bf16_computes_in_bf16_and_gives_scores_in_fp32():
    ours, seen, imgs = training(bf16=True), [], torch.rand(4, 3, 32, 32)
    ours.model.network.head.register_forward_hook(
        lambda layer, inputs, output: seen.append(output.dtype) if layer.training else None
    )
    expected = ours.model(imgs).detach()
    seen.clear()
    scores = ours.step(imgs, torch.arange(4))
    assert (seen, scores.dtype) == ([torch.bfloat16], torch.float32)
    torch.testing.assert_close(scores, expected, rtol=0.05, atol=0.01)


def test_normalised_training_pictures_have_mean_0_and_std_1(small_pictures):
    train_data, *_ = three_sets(str(small_pictures))
    imgs, _ = next(iter(DataLoader(train_data, batch_size=len(train_data))))
    classifier = new_classifier(choose_recipe("fast"), train_data)
    seen = []
    classifier.network.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    classifier(imgs)
    assert seen[0].mean(dim=(0, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert seen[0].std(dim=(0, 2, 3)).tolist() == pytest.approx([1, 1, 1], abs=1e-4)
    assert set(classifier.state_dict()) >= {"mean", "std"}  # they travel with the weights
    plain = new_classifier(choose_recipe("fast", ["normalise"]), train_data)
    assert torch.equal(plain(imgs), plain.network(imgs))


def test_a_channel_that_is_the_same_all_over_is_not_divided_by_zero():
    black = SimpleNamespace(data=torch.zeros(20, 32, 32, 3, dtype=torch.uint8).numpy(), classes=["a", "b"])
    subset = SimpleNamespace(dataset=black, indices=list(range(20)))
    assert new_classifier(choose_recipe("fast"), subset)(torch.zeros(1, 3, 32, 32)).isfinite().all()


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


def test_orthogonal_first_weights(small_pictures):
    train_data, *_ = three_sets(str(small_pictures))
    weight = new_classifier(choose_recipe("fast"), train_data).network.head.weight  # (10, 64): ten directions
    torch.testing.assert_close(weight @ weight.T, torch.eye(10), atol=1e-5, rtol=0)  # of length 1


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


def test_the_optimizer_gets_the_recipe():
    ours = training(momentum=0.9, weight_decay=5e-4, learning_rate=0.2, label_smoothing=0.1)
    (group,) = ours.optimizer.param_groups
    names = ("momentum", "nesterov", "weight_decay", "lr")
    assert [group[name] for name in names] == [0.9, True, 5e-4, 0.2]
    assert ours.loss_fn.label_smoothing == 0.1
    assert not training().optimizer.param_groups[0]["nesterov"]


def test_measure_adds_up_over_batches():
    outputs, targets = torch.randn(7, 10), torch.arange(7)
    parts = measure(outputs[:4], targets[:4]) + measure(outputs[4:], targets[4:])
    torch.testing.assert_close(parts, measure(outputs, targets))
    loss, correct, pictures = parts.tolist()
    assert loss / 7 == pytest.approx(nn.CrossEntropyLoss()(outputs, targets).item(), rel=1e-5)
    assert (correct, pictures) == ((outputs.argmax(1) == targets).sum().item(), 7)


# --- The three sets


def test_three_sets_do_not_meet_and_are_always_the_same(small_pictures):
    torch.manual_seed(1)
    train_data, val_data, test_data = three_sets(str(small_pictures))
    assert (len(train_data), len(val_data), len(test_data)) == (180, 20, 100)
    assert not set(train_data.indices) & set(val_data.indices)
    assert set(train_data.indices) | set(val_data.indices) == set(range(200))
    torch.manual_seed(2)
    again = three_sets(str(small_pictures))
    assert (again[0].indices, again[1].indices) == (train_data.indices, val_data.indices)


def test_three_sets_of_sketch10():
    assert [len(data) for data in three_sets("sketch10")] == [4_608, 512, 1_000]


def test_too_few_pictures_to_hold_any_back(small_pictures, tmp_path):
    for split in ("train", "test"):
        for name in ("class0", "class1"):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            for index in range(4):
                picture = (small_pictures / "test" / name / f"{index}.png").read_bytes()
                (place / f"{index}.png").write_bytes(picture)
    with pytest.raises(CourseError, match="has 8 training pictures: to hold back one in ten, add some"):
        three_sets(str(tmp_path))


# --- The whole run


def test_lesson(learn, events, small_pictures):
    seen = learn(epochs=3)
    history = seen["history"]
    assert history[-1]["loss"]["train"] < history[0]["loss"]["train"] < 3  # log(10) is 2.3
    assert history[-1]["accuracy"]["validation"] > 0.3  # a guess would be right one time in ten
    for name in ("train", "validation"):  # one chart a tag, with a curve for each set
        log = events(seen["run"] / name)
        assert sorted(log.Tags()["scalars"]) == ["accuracy", "loss"]
        for tag in ("accuracy", "loss"):
            assert [event.step for event in log.Scalars(tag)] == [1, 2, 3]
            logged = [event.value for event in log.Scalars(tag)]
            assert logged == pytest.approx([figures[tag][name] for figures in history], rel=1e-5)
    log = events(seen["run"])
    _, best_accuracy = seen["best"]
    assert log.Scalars("hparam/validation accuracy")[0].value == pytest.approx(best_accuracy)
    assert not [tag for tag in log.Tags()["scalars"] if "test" in tag]  # nothing is chosen by it
    assert len(log.Scalars("learning rate")) == 3

    test_data = open_dataset(str(small_pictures), train=False, transform=ToTensor())
    _, accuracy = evaluate(seen["model"], DataLoader(test_data, batch_size=30), nn.CrossEntropyLoss())
    assert seen["final"]["test"] == pytest.approx(accuracy)
    assert seen["final"]["validation"] == pytest.approx(best_accuracy)


def test_the_test_pictures_are_looked_at_once_at_the_end(learn, monkeypatch):
    looked_at = []
    real = p08_train.evaluate

    def evaluate_and_note(model, dataloader, loss_fn):
        looked_at.append(len(dataloader.dataset))
        return real(model, dataloader, loss_fn)

    monkeypatch.setattr(p08_train, "evaluate", evaluate_and_note)
    learn(epochs=3)
    assert looked_at == [20, 20, 20, 180, 20, 100]  # validation each epoch; then all three, test last


def test_the_best_network_is_kept_apart(learn, small_pictures):
    seen = learn(epochs=4, seed=3)
    epoch, accuracy = seen["best"]
    best = torch.load(seen["best_file"])
    assert accuracy == max(figures["accuracy"]["validation"] for figures in seen["history"])
    assert seen["history"][epoch - 1]["accuracy"]["validation"] == accuracy
    assert best["epoch"] == epoch
    assert best["classes"] == [f"class{number}" for number in range(10)]
    assert best["dataset"] == str(small_pictures.resolve())
    classifier = Classifier(Tudui())
    classifier.load_state_dict(best["model"])  # with its mean and std
    _, val_data, _ = three_sets(str(small_pictures))
    imgs, targets = next(iter(DataLoader(val_data, batch_size=20)))
    answers = classifier(imgs).argmax(dim=1)
    assert (answers == targets).double().mean() == pytest.approx(accuracy)
    for name, weight in classifier.state_dict().items():
        assert torch.equal(seen["model"].state_dict()[name], weight), name


def test_stops_early_when_nothing_gets_better(learn, capsys):
    seen = learn(epochs=9, patience=2, learning_rate=1e-9)
    assert len(seen["history"]) == 3
    assert seen["best"][0] == 1
    assert "no better for 2 epochs: stopped early" in capsys.readouterr().out


def test_runs_do_not_mix(learn):
    first, second = learn(epochs=1, recipe="notes"), learn(epochs=1, recipe="notes")
    assert first["best_file"] != second["best_file"]
    assert [path.name for path in first["best_file"].parent.iterdir()] == ["best.pth"]


def test_the_same_seed_gives_the_same_numbers(learn):
    assert learn(epochs=1)["history"] == learn(epochs=1)["history"] != learn(epochs=1, seed=1)["history"]


def test_a_training_that_diverges_says_what_to_do_and_keeps_no_nan(learn, tmp_path):
    with pytest.raises(CourseError, match=r"become (nan|inf): .*--learning-rate 100$"):
        learn(epochs=2, learning_rate=1000.0, without=["max_norm", "one_cycle"])
    for path in tmp_path.glob("models_saved/p08_train/*/best.pth"):
        assert all(weight.isfinite().all() for weight in torch.load(path)["model"].values())


def test_weights_spoilt_by_the_last_step_of_an_epoch(learn, monkeypatch, tmp_path):
    step, calls = Training.step, []

    def step_or_explode(self, imgs, targets):
        outputs = step(self, imgs, targets)
        calls.append(1)
        if len(calls) == 4:  # after the loss of the epoch's last batch was measured
            with torch.no_grad():
                self.model.network.head.bias[0] = math.nan
        return outputs

    monkeypatch.setattr(Training, "step", step_or_explode)
    with pytest.raises(CourseError, match=r"the validation loss has become nan: .*--learning-rate 0\.01$"):
        learn(epochs=2)
    assert not list(tmp_path.glob("models_saved/p08_train/*/best.pth"))
