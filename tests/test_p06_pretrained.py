import pytest
import torch
from torch import nn
from torchvision.models import vgg16

from lessons import p06_pretrained
from lessons.p06_pretrained import classes_of, freeze

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


def test_lesson_without_weights(events, capsys, monkeypatch):
    monkeypatch.delenv("TORCH_HOME", raising=False)
    seen = p06_pretrained.main(steps=240)
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
    assert seen["accuracies"]["features reused"] > seen["accuracies"]["from scratch"] + 0.02
    log = events(seen["run"])
    assert sorted(log.Tags()["scalars"]) == ["accuracy/features reused", "accuracy/from scratch"]
    assert [event.step for event in log.Scalars("accuracy/from scratch")] == list(range(10, 101, 10))


def test_lesson_with_weights_where_torchvision_looks(tmp_path, monkeypatch, small_pictures, capsys):
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    with torch.device("meta"):
        model = vgg16(weights=None)
    weights = {name: torch.full(value.shape, 0.001) for name, value in model.state_dict().items()}
    torch.save(weights, checkpoints / "vgg16-397923af.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    vgg, pretrained = p06_pretrained.build_vgg16()
    assert pretrained
    assert str(checkpoints) in capsys.readouterr().out
    assert (vgg.features[0].weight == 0.001).all()
    del vgg, weights

    seen = p06_pretrained.main(dataset=str(small_pictures), steps=5)
    assert seen["pretrained"]
    assert seen["shapes"] == SHAPES
