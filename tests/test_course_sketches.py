"""How the ten classes are drawn: the same each time, all different, and worth learning on."""

import hashlib
import os
import subprocess
import sys
from random import Random

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lessons.course import scenes, sketches
from lessons.course.pen import Pose, Sketch


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


def test_deterministic_in_another_process(drawn):
    imgs, labels = drawn[0]
    program = f"""
import hashlib
from lessons.course import sketches
print(hashlib.sha256(sketches.draw_pictures({labels[:50].tolist()}, seed=0).tobytes()).hexdigest())
"""
    for hash_seed in ("1", "2"):  # the order of a set or of hash() must not reach the pictures
        finished = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert finished.stdout.strip() == hashlib.sha256(imgs[:50].tobytes()).hexdigest()


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


# --- Snapshots


@pytest.fixture(scope="module")
def subjects():
    """300 subjects as (class, sketch, ground, snapshot)."""
    found = []
    for index in range(300):
        rng = Random(index)
        name = sketches.CLASSES[index % 10]
        draw_subject, ground_weights, _ = sketches.SUBJECTS[name]
        sketch = Sketch(lean=rng.uniform(-6, 6))
        draw_subject(sketch, rng)
        ground = rng.choices(scenes.GROUNDS, ground_weights)[0]
        found.append((name, sketch, ground, scenes.take_snapshot(sketch, ground, rng)))
    return found


def with_snapshots(share: float) -> dict:
    """SUBJECTS with the same share of snapshots in each class."""
    return {name: (draw, grounds, share) for name, (draw, grounds, _) in sketches.SUBJECTS.items()}


def test_about_one_picture_in_five_is_a_snapshot(drawn, monkeypatch):
    """The others do not change by it, and each class has its share."""
    shares = [share for _, _, share in sketches.SUBJECTS.values()]
    assert sum(shares) / 10 == pytest.approx(0.22)
    monkeypatch.setattr(sketches, "SUBJECTS", with_snapshots(0.0))
    changed = []
    for seed, (imgs, labels) in enumerate(drawn):
        posed = sketches.draw_pictures(labels, seed)
        changed += [(label, (a != b).any()) for label, a, b in zip(labels, imgs, posed, strict=True)]
    labels, snapshot = np.array(changed).T
    assert snapshot.mean() == pytest.approx(0.22, abs=0.03)  # of 1,100
    for label in range(10):
        assert snapshot[labels == label].mean() == pytest.approx(shares[label], abs=0.12)


def seen_share(sketch: Sketch, snapshot: scenes.Snapshot) -> float:
    """The share of the subject's area that is seen, counted in pixels on a canvas with room all around it."""
    size, shift = 3 * scenes.CANVAS, scenes.CANVAS

    def silhouette(shapes: Sketch, pose: Pose) -> np.ndarray:
        image = Image.new("1", (size, size))
        canvas = ImageDraw.Draw(image)
        for corners, _ in shapes.placed(pose):
            canvas.polygon([(x + shift, y + shift) for x, y in corners], fill=1)
        return np.asarray(image)

    subject = silhouette(sketch, snapshot.pose)
    in_picture = np.zeros((size, size), bool)
    in_picture[shift : 2 * shift, shift : 2 * shift] = True
    seen = subject & in_picture & ~silhouette(snapshot.front, snapshot.front_pose)
    return seen.sum() / subject.sum()


def test_snapshots_show_enough(subjects):
    """Never more than so much is hidden or cut off: of what tells a class, and of the plain area."""
    for name, sketch, _, snapshot in subjects:
        assert snapshot is not None, name
        size = snapshot.pose.height / (scenes.CANVAS / 2)
        assert scenes.SHOWN[0] <= snapshot.shown(sketch) <= scenes.SHOWN[1]
        assert snapshot.shown(sketch) * size >= scenes.SHOWN_SIZE
    areas = np.array([seen_share(sketch, snapshot) for _, sketch, _, snapshot in subjects])
    assert areas.min() > 0.2
    assert np.median(areas) < 0.9  # or nothing would be hidden


def test_snapshots_are_what_photographs_are(subjects):
    """Within the limits, and all of the range."""
    snapshots = [snapshot for *_, snapshot in subjects]
    half = scenes.CANVAS / 2
    for low, high, values in (
        (-0.45, 0.45, [snapshot.pose.x / half - 1 for snapshot in snapshots]),
        (-0.45, 0.45, [snapshot.pose.y / half - 1 for snapshot in snapshots]),
        (0.5, 0.95, [snapshot.pose.height / half for snapshot in snapshots]),
        (-20, 20, [snapshot.pose.tilt for snapshot in snapshots]),
        (0.35, 0.9, [snapshot.light for snapshot in snapshots]),
    ):
        assert low <= min(values) < low + 0.15 * (high - low)
        assert high - 0.15 * (high - low) < max(values) <= high


def test_shown_by_hand():
    whole = Pose(64, 64, 64, 64)
    sketch, nothing, post = Sketch(), Sketch(), Sketch()
    sketch.rectangle((255, 0, 0), -0.5, -0.5, 0.5, 0.5)
    post.rectangle((0, 0, 0), -0.6, -2, -0.4, 2)  # before the two corners on the left
    assert scenes.Snapshot(whole, nothing, light=1).shown(sketch) == 1
    assert scenes.Snapshot(whole, post, light=1).shown(sketch) == 0.5
    half_out = Pose(128, 64, 64, 64)  # the two corners on the right lie beside the picture
    assert scenes.Snapshot(half_out, nothing, light=1).shown(sketch) == 0.5


def test_a_subject_of_which_too_little_can_be_seen_is_posed(subjects, monkeypatch):
    monkeypatch.setattr(scenes, "SHOWN", (1.1, 1.2))
    _, sketch, ground, _ = subjects[0]
    assert scenes.take_snapshot(sketch, ground, Random(0)) is None
    monkeypatch.setattr(sketches, "SUBJECTS", with_snapshots(1.0))
    tried = sketches.draw_pictures([0, 1], seed=0)
    monkeypatch.setattr(sketches, "SUBJECTS", with_snapshots(0.0))
    assert np.array_equal(tried, sketches.draw_pictures([0, 1], seed=0))


def test_each_thing_in_front_hides_something():
    wall = Sketch()
    wall.rectangle((0, 0, 0), -0.9, -0.9, 0.9, 0.9)
    for draw in {draw for things in scenes.IN_FRONT.values() for draw in things}:
        front = Sketch()
        draw(front, Random(0), 0.0, 0.0)
        assert 0.05 < 1 - seen_share(wall, scenes.Snapshot(scenes.WHOLE_PICTURE, front, light=1)) < 0.6, draw
