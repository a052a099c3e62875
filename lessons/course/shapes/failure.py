"""Where a shape error came from: which call of which module, loss or ``load_state_dict``, from a traceback.

Nothing watches a script while it runs. When it has failed, the traceback still holds every frame, and the
frames hold the modules and what they were called with.
"""

import re
import sys
import sysconfig
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import torch
from torch import nn

import lessons

TORCH = Path(torch.__file__).parent
COURSE = Path(lessons.__file__).parent
MODULE = str(TORCH / "nn" / "modules" / "module.py")
CHECKS = str(COURSE / "course" / "shapes" / "checks.py")  # where Tudui checks what it is called with
FUNCTIONAL = str(TORCH / "nn" / "functional.py")
LIBRARIES = [Path(sysconfig.get_paths()[name]) for name in ("stdlib", "platstdlib", "purelib", "platlib")]

# What PyTorch says when a shape, a dtype or a device does not fit
ABOUT_SHAPES = re.compile(
    r"shapes? cannot be multiplied|must have same reduction dim|size mismatch|must match|does ?n[o']t match"
    r"|to have \d+ channels|Given groups=|running_mean should contain|number of channels in input"
    r"|normalized_shape|input_size|embedding dimension|\d-?D \(|\d-?D (?:or \d-?D )?(?:input|tensor)"
    r"|Expected \dD|Expected \d-D|Expected (?:size|hidden|input|target|floating|more than 1 value|tensor)"
    r"|[Ee]xpected (?:target )?(?:scalar type|dtype|more than|m1 and m2|\d+D)|Found dtype|input dtype"
    r"|non-empty|Kernel size can't|[Oo]utput size|output size is too small|[Pp]ad(?:ding)? (?:size )?should"
    r"|same dtype|share same datatype|should be the same|not implemented for '|can't be cast"
    r"|same device|expected device|on the device|out of bounds|index out of range in self"
    r"|invalid for input of size|size is not compatible|same number of dimensions|expects each tensor"
    r"|Dimension out of range|dimension specified as|does not match the|doesn't match the broadcast"
    r"|expanded size|multi-target|spatial targets|[Tt]arget size|[Ii]nput size|multiply up to the size"
    r"|[Nn]umber of dimensions|divisible by|einsum\(\)|must be a \dD|loading state_dict|0D or 1D"
)


in_trial = ContextVar("in_trial", default=False)  # whether a copy runs, to find out what does not fit


class Site(NamedTuple):
    """A place in a program: an instruction of a function, and the function's global names."""

    code: CodeType
    instruction: int
    names: Mapping[str, Any]
    known: tuple[int, int, int, int] | None = None  # the span, where no instruction says it

    @property
    def file(self) -> str:
        return self.code.co_filename

    @property
    def span(self) -> tuple[int, int, int, int] | None:
        """First line and column, last line and column of what was evaluated there; columns in bytes."""
        if self.known is not None:
            return self.known
        positions = list(self.code.co_positions())[self.instruction // 2]
        line, last, column, last_column = positions
        if line is None or last is None or column is None or last_column is None:
            return None
        return line, column, last, last_column

    @property
    def line(self) -> int:
        return self.span[0] if self.span else self.code.co_firstlineno


@dataclass
class Call:
    """A call of a module that did not come back."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    site: Site | None = None  # in the learner's file, or in whatever called it
    frames: list[FrameType] = field(default_factory=list)  # of the learner, from the call outwards


@dataclass
class Failure:
    """What failed, and how it was called: ``kind`` is ``forward``, ``loss`` or ``load_state_dict``."""

    error: BaseException
    kind: str
    calls: list[Call]  # the outermost module first; for load_state_dict the one module
    function: str = ""  # a loss that is a function, such as cross_entropy
    own_check: bool = False  # whether the network itself said what it takes


def is_learners(file: str) -> bool:
    """Whether a source file is the learner's: no library's, and none of the rooms behind the course."""
    path = Path(file)
    if path.is_relative_to(COURSE):
        return not path.is_relative_to(COURSE / "course")
    if file.startswith("<") and "ipython" not in file:
        return False
    return not any(path.is_relative_to(library) for library in (TORCH, *LIBRARIES))


def frames_of(error: BaseException) -> list[tuple[FrameType, int]]:
    """The frames of its traceback, outermost first, each with the instruction that was under way."""
    found, entry = [], error.__traceback__
    while entry is not None:
        found.append((entry.tb_frame, entry.tb_lasti))
        entry = entry.tb_next
    outer = found[0][0].f_back if found else None
    while outer is not None:  # where it was caught inside a function that still runs
        found.insert(0, (outer, outer.f_lasti))
        outer = outer.f_back
    return found


def find_failure(error: BaseException) -> Failure | None:
    """The failure behind an exception, or None when it is about something else than shapes."""
    frames = frames_of(error)
    about = frames and (
        frames[-1][0].f_code.co_filename == CHECKS
        or (
            isinstance(error, RuntimeError | ValueError | IndexError | AssertionError | TypeError)
            and ABOUT_SHAPES.search(str(error))
            and not _raised_by_hand(*frames[-1])
        )
    )
    if about:
        return _failure(error, frames)
    if error.__cause__ is None:
        return None
    inner = frames_of(error.__cause__)  # they begin where it was caught, which the outer ones lead to
    meet = next((n for n, (frame, _) in enumerate(frames) if inner and frame is inner[0][0]), 0)
    cause = find_failure(error.__cause__)
    for call in cause.calls if cause else []:
        call.frames += [
            frame for frame, _ in reversed(frames[:meet]) if is_learners(frame.f_code.co_filename)
        ]
    return cause


def _failure(error: BaseException, frames: list[tuple[FrameType, int]]) -> Failure | None:
    calls: list[Call] = []
    callers: list[tuple[FrameType, int]] = []
    for frame, instruction in frames:
        code, names = frame.f_code, frame.f_locals
        if code.co_filename == MODULE and code.co_name == "load_state_dict":
            return Failure(
                error, "load_state_dict", [_call(names["self"], (names["state_dict"],), {}, callers)]
            )
        if code.co_filename == MODULE and code.co_name == "_call_impl":
            calls.append(_call(names["self"], names["args"], names["kwargs"], callers))
        if code.co_filename == FUNCTIONAL and {"input", "target"} <= names.keys() and not calls:
            both = names["input"], names["target"]
            return Failure(error, "loss", [_call(nn.Identity(), both, {}, callers)], code.co_name)
        callers.append((frame, instruction))
    if not calls:
        return None
    outer = calls[0].module
    is_loss = type(outer).__module__ == "torch.nn.modules.loss"
    own_check = frames[-1][0].f_code.co_filename == CHECKS
    return Failure(error, "loss" if is_loss else "forward", calls, own_check=own_check)


def _raised_by_hand(frame: FrameType, instruction: int) -> bool:
    """Whether the learner's own ``raise`` or ``assert`` ended it, whatever its words are."""
    code = frame.f_code
    if not is_learners(code.co_filename):
        return False
    import dis

    names = {step.offset: step.opname for step in dis.get_instructions(code)}
    return names.get(instruction) in ("RAISE_VARARGS", "RERAISE")


def _call(module: nn.Module, args: tuple, kwargs: dict, callers: list[tuple[FrameType, int]]) -> Call:
    own = [(frame, at) for frame, at in reversed(callers) if is_learners(frame.f_code.co_filename)]
    site = Site(own[0][0].f_code, own[0][1], own[0][0].f_globals) if own else None
    return Call(module, tuple(args), dict(kwargs), site, [frame for frame, _ in own])


def calling_site() -> Site | None:
    """Where the function of torch that runs was called from; None when a layer of torch called it itself."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((f"{TORCH}", f"{COURSE / 'course' / 'shapes'}")):
            return Site(frame.f_code, frame.f_lasti, frame.f_globals)
        if file == MODULE:
            return None
        frame = frame.f_back
    return None
