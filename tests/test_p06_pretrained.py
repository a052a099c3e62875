import shutil

import pytest
import torch
from quick_lessons import SmallVGG
from torch import nn
from torch.utils.data import Subset
from torchvision.models import vgg16

from lessons import p06_pretrained
from lessons.course import CourseError
from lessons.p06_pretrained import classes_of, freeze, renumbered
from lessons.tudui import Tudui

SHAPES = {
    "as it comes": (2, 1000),
    "vgg.add_module": (2, 1000),  # never called
    "vgg.classifier.add_module": (2, 10),
    "vgg.classifier[6] =": (2, 10),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the lesson asked the network")

    monkeypatch.setattr("urllib.request.urlopen", refuse)


def test_freeze_stops_learning():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    freeze(model[0])
    model(torch.ones(1, 2)).sum().backward()
    assert model[0].weight.grad is None
    assert model[1].weight.grad is not None


def test_classes_of():
    class Data:
        targets = (0, 1, 2, 1, 2, 2, 0)

        def __getitem__(self, index):
            return self.targets[index]

    assert classes_of(Data(), 1, 3).indices == [1, 3, 2, 4, 5]
    assert classes_of(Data(), 1, 3, per_class=1).indices == [1, 2]


def test_renumbered():
    data = [(torch.full((3, 32, 32), number), number) for number in range(5)]
    imgs, targets = renumbered(Subset(data, [4, 2, 3]), 2).tensors
    assert imgs[:, 0, 0, 0].tolist() == [4, 2, 3]
    assert targets.tolist() == [2, 0, 1]


def test_lesson_without_weights(events, capsys, monkeypatch):
    monkeypatch.delenv("TORCH_HOME", raising=False)
    seen = p06_pretrained.main()
    assert not seen["pretrained"]
    assert "random weights" in capsys.readouterr().out
    assert seen["shapes"] == SHAPES
    # only classifier[6] is new: 4096 weights and a bias for each of 10 classes. VGG16 has 138,357,544
    # numbers, of which the old classifier[6] was 4096 * 1000 + 1000
    new_head = 4096 * 10 + 10
    assert (
        seen["trainable"]
        == (new_head, 138_357_544 - (4096 * 1000 + 1000) + new_head)
        == (40_970, 134_301_514)
    )
    assert len(seen["vgg_losses"]) == 5

    # what six classes taught helps with four others: not by a hair
    assert seen["accuracies"]["features reused"] > seen["accuracies"]["from scratch"] + 0.05
    # one tag is one chart, and a sub-run each is a curve each
    assert events(seen["run"]).Tags()["scalars"] == []
    for way in ("features reused", "from scratch"):
        log = events(seen["run"] / way)
        assert log.Tags()["scalars"] == ["accuracy"]
        assert [event.step for event in log.Scalars("accuracy")] == list(range(10, 101, 10))
        assert log.Scalars("accuracy")[-1].value == pytest.approx(seen["accuracies"][way])


def test_lesson_with_weights_where_torchvision_looks(tmp_path, monkeypatch, small_pictures, capsys):
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    with torch.device("meta"):
        model = vgg16(weights=None)
    weights = {name: torch.full(value.shape, 0.001) for name, value in model.state_dict().items()}
    torch.save(weights, checkpoints / "vgg16-397923af.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(CourseError, match="is damaged: remove it"):  # their name says that they are others
        p06_pretrained.build_vgg16()
    monkeypatch.setattr(p06_pretrained, "check_hash", lambda file: None)

    vgg, pretrained = p06_pretrained.build_vgg16()
    assert pretrained
    assert str(checkpoints) in capsys.readouterr().out
    assert (vgg.features[0].weight == 0.001).all()
    del vgg, weights

    seen = p06_pretrained.main(dataset=str(small_pictures), steps=5)
    assert seen["pretrained"]
    assert seen["shapes"] == SHAPES


def test_vgg_gets_pictures_as_its_weights_expect_them(monkeypatch):
    # ImageNet's mean and one standard deviation above it, at it, and below it: 1, 0 and -1
    img = torch.tensor([0.485 + 0.229, 0.456, 0.406 - 0.225]).reshape(3, 1, 1).expand(3, 32, 32)
    seen = []

    def look(vgg, imgs, *_):
        seen.append(imgs)
        return torch.tensor(0.0)

    monkeypatch.setattr(p06_pretrained, "train_step", look)
    p06_pretrained.fine_tune(nn.Linear(1, 1), [(img, 0)] * 40)
    assert seen[0].shape == (32, 3, 32, 32)
    for channel, expected in enumerate((1, 0, -1)):
        assert torch.allclose(seen[0][:, channel], torch.tensor(float(expected)), atol=1e-5)


# --- Data and networks of the learner's own


@pytest.fixture
def small_vgg(monkeypatch):
    monkeypatch.setattr(p06_pretrained, "build_vgg16", lambda: (SmallVGG(), False))


def with_classes(count, small_pictures, folder):
    """The small pictures, ``count`` classes of them."""
    for split in ("train", "test"):
        (folder / split).mkdir()
        for place in sorted((small_pictures / split).iterdir())[:count]:
            shutil.copytree(place, folder / split / place.name)
    return str(folder)


@pytest.mark.parametrize("count", [2, 3])
def test_too_few_classes_are_refused_before_anything_is_trained(count, small_pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(p06_pretrained, "build_vgg16", None)  # would fail if it came that far
    monkeypatch.setattr(p06_pretrained, "train_step", None)
    dataset = with_classes(count, small_pictures, tmp_path)
    with pytest.raises(CourseError) as refused:
        p06_pretrained.main(dataset=dataset, steps=1)
    message = str(refused.value)
    assert f"has {count} classes and this lesson needs at least 4" in message
    assert "a network with one class is always right" in message
    assert "\n" not in message
    assert not list(tmp_path.glob("home/logs/*"))


def test_four_classes_are_two_for_each_network(small_pictures, tmp_path, monkeypatch, small_vgg):
    sizes = []

    class Recorded(Tudui):
        def __init__(self, num_classes):
            super().__init__(num_classes)
            sizes.append(num_classes)

    monkeypatch.setattr(p06_pretrained, "Tudui", Recorded)
    p06_pretrained.main(dataset=with_classes(4, small_pictures, tmp_path), steps=1)
    assert sizes == [2, 2, 2]  # a teacher and two students


def test_dropout_and_batchnorm_rest_while_a_network_is_scored(small_pictures, monkeypatch, small_vgg):
    modes = []

    class Changed(Tudui):
        def __init__(self, num_classes):
            super().__init__(num_classes)
            layers = []
            for layer in self.model1:
                layers.append(layer)
                if isinstance(layer, nn.Conv2d):
                    layers += [nn.BatchNorm2d(layer.out_channels), nn.Dropout(0.5)]
            self.model1 = nn.Sequential(*layers)

        def forward(self, imgs):
            modes.append((torch.is_grad_enabled(), self.training))
            outputs = super().forward(imgs)
            if not torch.is_grad_enabled():  # it is scored: again, it says the same
                assert torch.equal(super().forward(imgs), outputs)
            return outputs

    monkeypatch.setattr(p06_pretrained, "Tudui", Changed)
    p06_pretrained.main(dataset=str(small_pictures), steps=3, pictures_per_class=1)
    learning, scored = (True, True), (False, False)
    assert set(modes) == {learning, scored}
    assert modes[-1] == scored and learning in modes[modes.index(scored) :]  # it learns on afterwards
