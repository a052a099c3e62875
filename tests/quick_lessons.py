"""All lessons in seconds: on few pictures, in few steps, and without the 138 million weights of VGG16."""

import importlib
import inspect
from pathlib import Path

import pytest
import torch
from torch import nn

import lessons
from lessons.course.catalogue import find_lessons


class SmallVGG(nn.Module):
    """Where VGG16 would take seconds: the same parts and sizes of answers, hardly any weights."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Flatten()
        middle = [nn.Identity() for _ in range(5)]
        self.classifier = nn.Sequential(nn.Linear(3 * 32 * 32, 4096), *middle, nn.Linear(4096, 1000))

    def forward(self, imgs: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(imgs))


def make_quick(monkeypatch: pytest.MonkeyPatch, pictures: Path) -> None:
    """Give each ``main`` other defaults: these pictures, one epoch or two steps, one process more at most."""
    for lesson in find_lessons().values():
        main = importlib.import_module(f"lessons.{lesson.name}").main
        small = {"dataset": str(pictures), "epochs": 1, "steps": 2, "batch_size": 20}
        small |= {"pictures_per_class": 3, "processes": 1}
        defaults = {
            key: small.get(key, parameter.default)
            for key, parameter in inspect.signature(main).parameters.items()
        }
        monkeypatch.setattr(main, "__defaults__", tuple(defaults.values()))
    seconds = {"build, load_state_dict": 1.0, "meta, mmap, assign": 0.1}
    monkeypatch.setattr(lessons.p07_save_load, "save_and_load_vgg16", lambda folder: seconds)
    monkeypatch.setattr(lessons.p06_pretrained, "build_vgg16", lambda: (SmallVGG(), False))
