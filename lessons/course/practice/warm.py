"""What a warm process has imported before a check is asked of it. Importing computes nothing."""

import hypothesis.core
import hypothesis.strategies
import torch.utils._python_dispatch
import torchvision.models

import lessons.practice

__all__ = ["hypothesis", "lessons", "torch", "torchvision"]
