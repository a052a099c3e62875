"""Faults caused on purpose, many times over: what a campaign is, and what came of it.

A campaign is a function ``(tries, seed, folder) -> Outcome`` in a module of this package by its subject. It
causes ``tries`` faults, chosen by ``seed``, and works in ``folder``, which is empty. The first line of its
docstring says what is tried. The tests run each over few tries, ``python -m tests.faults`` in full.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

sys.path.append(str(Path(__file__).parents[1]))  # pictures and servers of the tests, as pytest finds them


class Outcome(NamedTuple):
    """What came of a campaign."""

    tried: int
    refused: int  # how many ended in one clear sentence, rightly
    lost: list[str]  # a line for each thing that went wrong
    slowest: tuple[float, str] = (0.0, "")  # seconds, which case
    largest: tuple[float, str] = (0.0, "")  # MB of memory at the peak, which case; where it is measured


Campaign: TypeAlias = Callable[[int, int, Path], Outcome]
