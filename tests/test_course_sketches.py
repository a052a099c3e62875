"""How the ten classes are drawn: the same each time, all different, and worth learning on."""

import numpy as np
import pytest

from lessons.course import sketches


@pytest.fixture(scope="module")
def drawn():
    """800 training and 300 test pictures as (imgs, labels) pairs; imgs (N, 32, 32, 3) uint8."""
    labels = np.arange(800) % 10, np.arange(300) % 10
    return [(sketches.draw_pictures(split, seed), split) for seed, split in enumerate(labels)]


def test_shape_and_classes(drawn):
    imgs, labels = drawn[0]
    assert imgs.shape == (800, 32, 32, 3)
    assert imgs.dtype == np.uint8
    assert len(sketches.CLASSES) == len(set(labels.tolist())) == 10


def test_deterministic_for_a_seed(drawn):
    imgs, labels = drawn[0]
    assert np.array_equal(sketches.draw_pictures(labels[:50], seed=0), imgs[:50])  # also: the first of many
    assert not np.array_equal(sketches.draw_pictures(labels[:50], seed=1), imgs[:50])


def test_no_two_pictures_are_alike(drawn):
    imgs, _ = drawn[0]
    flat = imgs.reshape(len(imgs), -1).astype(np.int32)
    nearest = min(
        abs(flat - flat[index]).mean(axis=1)[np.arange(len(flat)) != index].min() for index in range(60)
    )
    assert nearest > 5  # of 255, a number


@pytest.mark.parametrize("labels", [[10], [-1], [[1, 2]]])
def test_wrong_labels(labels):
    with pytest.raises(ValueError, match="label"):
        sketches.draw_pictures(labels, seed=0)


def test_progress_adds_up():
    seen = []
    sketches.draw_pictures(np.zeros(70, int), seed=0, progress=seen.append)
    assert sum(seen) == 70


def test_the_subject_stands_out(drawn):
    """The middle, where the subject is, differs from the frame around it by more than the noise does."""
    imgs, labels = drawn[0]
    grey = imgs.mean(axis=3)
    frame = np.ones((32, 32), bool)
    frame[4:-4, 4:-4] = False
    middle = ~frame
    spread = np.array([abs(img[middle] - np.median(img[frame])).mean() for img in grey])
    for label, name in enumerate(sketches.CLASSES):
        assert np.median(spread[labels == label]) > 25, name


def accuracy_of_linear_classifier(train, test, features, strength):
    """Ridge regression on the classes' one-hot vectors, in closed form: no torch, no luck."""
    (x, y), (x_test, y_test) = (
        (features(imgs.astype(np.float64) / 255), labels) for imgs, labels in (train, test)
    )
    mean = x.mean(axis=0)
    x, x_test = (np.c_[part - mean, np.ones(len(part))] for part in (x, x_test))
    weights = np.linalg.solve(x.T @ x + strength * np.eye(x.shape[1]), x.T @ np.eye(10)[y])
    return ((x_test @ weights).argmax(axis=1) == y_test).mean()


def test_colour_alone_does_not_give_the_class_away(drawn):
    assert accuracy_of_linear_classifier(*drawn, lambda imgs: imgs.mean(axis=(1, 2)), 0.01) < 0.35


def test_pixels_tell_something_but_not_all(drawn):
    accuracy = accuracy_of_linear_classifier(*drawn, lambda imgs: imgs.reshape(len(imgs), -1), 100)
    assert 0.3 < accuracy < 0.8
