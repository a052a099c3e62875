"""A whole batch at once for the DataLoader: the very numbers of ``ToTensor``, in a small part of the time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torchvision


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
        imgs = torch.from_numpy(self.data[indices]).permute(0, 3, 1, 2)  # (B, 3, 32, 32) uint8
        imgs = imgs.to(torch.get_default_dtype(), memory_format=torch.contiguous_format).div_(255)  # 0 to 1
        return [(img, self.targets[index]) for img, index in zip(imgs, indices, strict=True)]

    def _items_are_usual(self) -> bool:
        return (
            type(self).__getitem__ is WholeBatches.__getitem__
            and type(self.transform) is torchvision.transforms.ToTensor
            and self.target_transform is None
            and isinstance(self.data, np.ndarray)  # and not, say, grey pictures (N, 32, 32)
            and self.data.dtype == np.uint8
            and self.data.ndim == 4
        )
