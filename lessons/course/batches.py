"""A whole batch at once for the DataLoader: the very numbers of ``ToTensor``, in a twentieth of the time.

The DataLoader asks a data set for the ``(img, target)`` pairs of a batch, and hands them to its
``collate_fn``. The usual one, ``default_collate``, joins them again; so here they are never taken apart,
unless another one wants to see them.
"""

from collections.abc import Callable, Sequence
from functools import wraps
from itertools import islice
from typing import Any

import numpy as np
import torch
import torchvision
from torch.utils.data._utils.collate import collate, collate_tensor_fn, default_collate_fn_map


class WholeBatches:
    """Gives the DataLoader a whole batch at once, for a data set with CIFAR-10's ``data`` and ``targets``.

    ``data.whole_batches = False`` lets the DataLoader take picture by picture, as it does with torchvision's
    data sets. It does so by itself wherever an item is made in another way than CIFAR10 with ``ToTensor``
    makes it: with another transform, with a target_transform, or in a subclass with its own ``__getitem__``.
    """

    whole_batches = True

    data: np.ndarray  # (N, 32, 32, 3) uint8
    targets: Sequence[Any]
    transform: Callable | None
    target_transform: Callable | None

    __getitem__ = torchvision.datasets.CIFAR10.__getitem__
    __len__ = torchvision.datasets.CIFAR10.__len__

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[Any, Any]]:
        """The pairs ``self[i]``; the DataLoader calls this for each batch, through Subset as well.

        ``data`` and ``targets`` are read at each call: a change to them shows from the next batch on.
        """
        if not (self.whole_batches and self._items_are_usual()):
            return [self[index] for index in indices]
        indices = list(indices)  # to NumPy, a tuple would be one index for each dimension
        return Batch(self.data[indices], tuple(self.targets[index] for index in indices))

    def _items_are_usual(self) -> bool:
        return (
            type(self).__getitem__ is WholeBatches.__getitem__
            and type(self.transform) is torchvision.transforms.ToTensor
            and self.target_transform is None
            and isinstance(self.data, np.ndarray)  # and not, say, grey pictures (N, 32, 32)
            and self.data.dtype == np.uint8
            and self.data.ndim == 4
        )


class Pair(tuple):
    """The first pair of a ``Batch``: ``default_collate`` looks up its type, and finds ``_collate_pairs``."""


class Batch(list[tuple[Any, Any]]):
    """The ``(img, target)`` pairs of one batch: a list like any other, but filled when it is first used.

    ``batch[0]``, asked once, is no use yet: ``default_collate`` does no more before it calls
    ``_collate_pairs``.
    """

    def __init__(self, pixels: np.ndarray, targets: tuple) -> None:
        super().__init__()
        self.pixels: np.ndarray | None = pixels  # (B, 32, 32, 3) uint8; None when the list is filled
        self.targets = targets
        self.imgs: torch.Tensor | None = None  # (B, 3, 32, 32), while batch[0] alone has been asked for

    def __getitem__(self, index: Any) -> Any:
        first_use = self.imgs is None and self.targets and isinstance(index, int) and index == 0
        if first_use and self.pixels is not None:
            self.imgs = _to_tensor(self.pixels)
            super().append(Pair((self.imgs[0], self.targets[0])))
        else:
            self.fill()
        return super().__getitem__(index)

    def fill(self) -> None:
        """Put the pairs in, each picture with memory of its own, as if each had been converted by itself."""
        if self.pixels is None:
            return
        pairs = zip(_to_tensor(self.pixels), self.targets, strict=True)
        missing = islice(pairs, super().__len__(), None)  # all, or all but the first
        super().extend((img.clone(), target) for img, target in missing)
        self.pixels = self.imgs = None

    def hand_over(self) -> torch.Tensor | None:
        """``imgs`` (B, 3, 32, 32) when the list is unused, else None; what becomes of it shows in no pair."""
        if self.imgs is not None:
            super().clear()
        imgs, self.imgs = self.imgs, None
        return imgs

    def __radd__(self, other: Any) -> Any:  # a list that is extended by another does not ask it for its items
        return other + list(self)

    def __reduce__(self) -> tuple:  # pickled, as on the way from a worker, and copied: an ordinary list
        return list, (list(self),)


def _after_filling(method: Callable) -> Callable:
    @wraps(method)
    def filled(batch: Batch, *arguments: Any, **options: Any) -> Any:
        batch.fill()
        return method(batch, *arguments, **options)

    return filled


for _name, _method in vars(list).items():
    if callable(_method) and _name not in {*vars(Batch), "__new__", "__getattribute__", "__class_getitem__"}:
        setattr(Batch, _name, _after_filling(_method))


def _to_tensor(pixels: np.ndarray) -> torch.Tensor:
    """(B, H, W, C) uint8 as (B, C, H, W) from 0 to 1, bit for bit as ``ToTensor`` converts each."""
    imgs = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return imgs.to(torch.get_default_dtype(), memory_format=torch.contiguous_format).div_(255)


def _collate_pairs(batch: Sequence[tuple], *, collate_fn_map: dict) -> list[Any]:
    """What ``default_collate`` makes of a list that begins with a Pair: ``[imgs, targets]``."""
    usual = collate_fn_map.get(torch.Tensor) is collate_tensor_fn  # nobody joins tensors in another way
    if usual and isinstance(batch, Batch) and (imgs := batch.hand_over()) is not None:
        return [imgs, collate(batch.targets, collate_fn_map=collate_fn_map)]
    return collate([tuple(pair) for pair in batch], collate_fn_map=collate_fn_map)


default_collate_fn_map[Pair] = _collate_pairs  # the way that default_collate's documentation names
