"""What a warm process has imported before a check is asked of it. Importing computes nothing."""

import gc

import hypothesis.core
import hypothesis.strategies
import torch.utils._python_dispatch
import torchvision.models

import lessons.practice

__all__ = ["hypothesis", "lessons", "torch", "torchvision"]

# A collection in a forked process, such as hypothesis's own at each start, would go through all of it: 0.25 s
gc.collect()
gc.freeze()
