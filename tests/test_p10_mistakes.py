import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons import p08_train, p10_mistakes
from lessons.course import CourseError
from lessons.course.datasets import open_dataset
from lessons.p08_train import three_sets
from lessons.p10_mistakes import occlusion_map
from lessons.tudui import Classifier, Tudui

CLASSES = [f"class{number}" for number in range(10)]


@pytest.fixture(scope="module")
def lesson(small_pictures, tmp_path_factory):
    """Lesson 8 for one epoch, and this lesson on the network that it leaves."""
    home = tmp_path_factory.mktemp("course_p10")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LESSONS_HOME", str(home))
        trained = p08_train.main(str(small_pictures), epochs=1, without=["bf16"])
        yield p10_mistakes.main(str(small_pictures)), trained


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text"])
def test_a_damaged_network_is_named(content, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    (tmp_path / "models_saved" / "p08_train" / "run").mkdir(parents=True)
    (tmp_path / "models_saved" / "p08_train" / "run" / "best.pth").write_bytes(content)
    with pytest.raises(CourseError, match=r"best\.pth cannot be read as a checkpoint"):
        p10_mistakes.find_network("sketch10")


# --- What it gets wrong


def test_it_looks_at_the_best_network_of_lesson_8(lesson, small_pictures):
    seen, trained = lesson
    data = open_dataset(str(small_pictures), train=False, transform=ToTensor())
    imgs, targets = next(iter(DataLoader(data, batch_size=100)))
    with torch.no_grad():
        torch.testing.assert_close(seen["scores"], trained["model"].eval()(imgs))
    counts = seen["confusion"]
    for row in range(10):
        for column in range(10):
            both = (targets == row) & (seen["scores"].argmax(dim=1) == column)
            assert counts[row, column] == both.sum()
    assert counts.trace() / 100 == pytest.approx(trained["final"]["test"])


def test_worst_mistakes_are_the_highest_losses(lesson, small_pictures):
    seen, _ = lesson
    data = open_dataset(str(small_pictures), train=False, transform=ToTensor())
    imgs, captions = seen["worst"]
    assert imgs.shape == (12, 3, 32, 32)
    losses = []  # minus the logarithm of the right class's probability, by hand
    for scores, target in zip(seen["scores"].tolist(), data.targets, strict=True):
        losses.append(math.log(sum(math.exp(score - scores[target]) for score in scores)))
    order = sorted(range(100), key=losses.__getitem__, reverse=True)
    for index, img, caption in zip(order, imgs, captions, strict=False):
        assert torch.equal(img, data[index][0])
        assert caption.startswith(f"{CLASSES[data.targets[index]]} {math.exp(-losses[index]):.1%}\nsaid ")


def test_what_is_shown(lesson, events, picture_size):
    seen, _ = lesson
    log = events(seen["run"])
    shown = ["seen", "stage 1", "stage 2", "stage 3"]
    expected = [f"worst {number}/{what}" for number in (1, 2, 3) for what in shown]
    assert sorted(log.Tags()["images"]) == sorted(["confusion", "mistakes", *expected])
    assert picture_size(log.Images("mistakes")[0]) == (600, 570)  # 4 by 3 pictures
    rows, side = {"stage 1": 4, "stage 2": 4, "stage 3": 8}, {"stage 1": 16, "stage 2": 8, "stage 3": 4}
    for tag in expected:
        what = tag.partition("/")[2]
        if what in rows:  # rows of 8 feature maps, with a line of 2 pixels around each
            step = side[what] + 2
            assert picture_size(log.Images(tag)[0]) == (8 * step + 2, rows[what] * step + 2), tag
    curves = [tag for tag in log.Tags()["tensors"] if tag.startswith("class/")]
    assert curves == [f"class/{name}" for name in CLASSES]
    (names,) = seen["run"].glob("*/default/metadata.tsv")
    assert names.read_text().split() == [name for name in CLASSES for _ in range(10)]
    (points,) = seen["run"].glob("*/default/tensors.tsv")
    assert len(points.read_text().splitlines()[0].split()) == 64  # what the last layer sees


def test_points_are_what_the_last_layer_sees(small_pictures):
    classifier = Classifier(Tudui()).eval()
    data = open_dataset(str(small_pictures), train=False, transform=ToTensor())
    scores, features = p10_mistakes.predict(classifier, data)
    with torch.no_grad():
        torch.testing.assert_close(classifier.network.head(features), scores)
    assert not classifier.network.head._forward_hooks  # or every later call would be kept as well


# --- Where it looks


class LooksAtOnePlace(nn.Module):
    """Its probability of class 1 is how bright 8x8 pixels are, from this row and column on."""

    def __init__(self, row: int, column: int) -> None:
        super().__init__()
        self.row, self.column = row, column

    def forward(self, imgs: torch.Tensor) -> torch.Tensor:
        place = imgs[:, :, self.row : self.row + 8, self.column : self.column + 8]
        bright = place.mean(dim=(1, 2, 3))
        return torch.stack([1 - bright, bright], dim=1).log()


@pytest.mark.parametrize(("row", "column"), [(16, 4), (0, 0), (24, 24)])  # in the corners too
def test_occlusion_map_finds_the_one_place_that_matters(row, column):
    img = torch.full((3, 32, 32), 0.9)
    heat = occlusion_map(LooksAtOnePlace(row, column), img)
    assert heat.shape == (1, 32, 32)
    hottest = torch.nonzero(heat[0] > heat.max() - 1e-5)  # (16, 2): rows and columns
    assert hottest.float().mean(dim=0).tolist() == [row + 3.5, column + 3.5]  # the middle of the place
    # The grey square takes 0.9 to 0.5 where it covers the place fully. A square that covers a pixel of the
    # middle lies up to 4 pixels beside the place, in each direction, and covers (8 - distance) / 8 of it
    share = sum(1 - abs(distance) / 8 for distance in (-4, -2, 0, 2)) / 4
    assert heat.max().item() == pytest.approx(0.4 * share * share, abs=1e-5)
    assert heat[0, row, column].item() == pytest.approx(heat[0, row + 7, column + 7].item(), abs=1e-6)
    out_of_reach = torch.ones(32, 32, dtype=torch.bool)
    out_of_reach[max(row - 8, 0) : row + 16, max(column - 8, 0) : column + 16] = False
    assert heat[0, out_of_reach].abs().max() < 1e-6


def test_the_picture_is_shown_beside_its_occlusion_map():
    colour = (51, 102, 204)
    img = (torch.tensor(colour) / 255).view(3, 1, 1).expand(3, 32, 32)
    file = io.BytesIO()
    p10_mistakes.seen_chart(LooksAtOnePlace(16, 4), img, "blue").savefig(file, dpi=200)
    left, right = np.array_split(np.asarray(Image.open(file).convert("RGB")).astype(int), 2, axis=1)
    assert abs(left - colour).max(axis=2).min() <= 1  # the picture as it is
    assert (right[..., 0] - right[..., 1:].max(axis=2)).max() > 150  # deep red
    assert abs(right - colour).max(axis=2).min() > 20  # the rest is grey


def test_occlusion_map_of_a_picture_of_another_size():
    heat = occlusion_map(LooksAtOnePlace(16, 40), torch.full((3, 32, 64), 0.9))
    hottest = torch.nonzero(heat[0] > heat.max() - 1e-5)
    assert hottest.float().mean(dim=0).tolist() == [19.5, 43.5]


def test_occlusion_map_follows_the_likeliest_class():
    """Here it is class 0: grey is brighter than the picture, and its probability falls."""
    heat = occlusion_map(LooksAtOnePlace(16, 4), torch.full((3, 32, 32), 0.1))
    assert heat.max() > 0.1


def test_feature_maps_are_what_leaves_each_stage():
    classifier, imgs = Classifier(Tudui(), [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]), torch.rand(2, 3, 32, 32)
    stages = p10_mistakes.feature_maps(classifier, imgs)
    assert [tuple(maps.shape) for maps in stages] == [(2, 32, 16, 16), (2, 32, 8, 8), (2, 64, 4, 4)]
    with torch.no_grad():
        outputs = (imgs - classifier.mean) / classifier.std
        for stage, end in enumerate((2, 4, 6)):
            torch.testing.assert_close(stages[stage], classifier.network.model1[:end](outputs))


def test_hooks_are_taken_off_again():
    classifier = Classifier(Tudui())
    maps = p10_mistakes.feature_maps(classifier, torch.rand(2, 3, 32, 32))
    classifier(torch.rand(2, 3, 32, 32))
    assert len(maps) == 3


# --- Which network


def test_without_lesson_8_it_trains_for_some_seconds(small_pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    seen = p10_mistakes.main(str(small_pictures))
    assert "lessons run 8 leaves a better one" in capsys.readouterr().out
    train_data, *_ = three_sets(str(small_pictures))
    imgs, targets = next(iter(DataLoader(train_data, batch_size=180)))
    with torch.no_grad():
        loss = nn.functional.cross_entropy(seen["classifier"](imgs), targets).item()
    assert loss < math.log(10) - 0.01  # log 10 is the loss of one that knows nothing
    assert not seen["classifier"].training


def checkpoint(home, run="run", classes=CLASSES, network=None, dataset="sketch10"):
    path = home / "models_saved" / "p08_train" / run / "best.pth"
    path.parent.mkdir(parents=True)
    classifier = Classifier(network or Tudui(len(classes)))
    torch.save({"model": classifier.state_dict(), "classes": classes, "dataset": dataset}, path)


def test_other_classes_are_said_before_anything_is_shown(small_pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    checkpoint(tmp_path, classes=["cat", "dog"])
    with pytest.raises(CourseError, match=r"knows other classes than .*: name its --dataset"):
        p10_mistakes.main(str(small_pictures))
    assert not (tmp_path / "logs").exists()


def test_other_pictures_are_said(small_pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    checkpoint(tmp_path)
    p10_mistakes.main(str(small_pictures))
    assert f"it has learnt from sketch10: expect little of it on {small_pictures}" in capsys.readouterr().out


def test_another_network_is_named(small_pictures, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    other = Tudui()
    other.model1.append(nn.Linear(10, 10))
    checkpoint(tmp_path, network=other)
    with pytest.raises(
        CourseError, match=r"best\.pth holds .*another network .*also has network\.model1\.9\.w"
    ):
        p10_mistakes.main(str(small_pictures))
