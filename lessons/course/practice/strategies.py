"""How exercises draw tensors: a few words over hypothesis, which is imported when a strategy is made."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy
    from torch import Tensor


def tensors(*sizes: "int | tuple[int, int]", low: int = -9, high: int = 9) -> "SearchStrategy[Tensor]":
    """Float tensors of small whole numbers, which are easy to read in a grid.

    ``tensors(1, (2, 7), (2, 7))`` draws shapes (1, 2..7, 2..7): a size is a number, or two limits.
    """
    import torch
    from hypothesis import strategies as st

    def make(shape: tuple[int, ...], seed: int) -> "Tensor":
        if seed == 0:  # the simplest, to which a failing case is made smaller: 1, 2, 3, ...
            counted = torch.arange(math.prod(shape)) + max(low, 1) - low
            return (counted % (high + 1 - low) + low).reshape(shape).float()
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(low, high + 1, shape, generator=generator).float()

    spans = [(size, size) if isinstance(size, int) else size for size in sizes]
    shape = st.tuples(*(st.integers(smallest, largest) for smallest, largest in spans))
    return st.builds(make, shape, st.integers(0, 2**16))
