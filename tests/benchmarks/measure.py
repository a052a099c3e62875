"""The instrument: ways of doing one thing take turns, each in a process of its own."""

import functools
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

MB = 1e6


class Run(NamedTuple):
    seconds: float
    peak_mb: float | None = None  # the process's largest resident memory so far; None where nobody tells
    facts: dict[str, Any] = {}  # noqa: RUF012 what else the way has found out, such as its losses


class Apart:
    """A way of doing something, in a fresh process; a call does it once.

    So neither way finds memory, caches or settings that the other has left behind.

    Args:
        prepare: builds what is needed, untimed, and returns the function to time.
        arguments, options: for ``prepare``.
    """

    def __init__(
        self, prepare: Callable[..., Callable[[], dict | None]], *arguments: object, **options: object
    ) -> None:
        start_methods = multiprocessing.get_all_start_methods()
        context = multiprocessing.get_context("forkserver" if "forkserver" in start_methods else "spawn")
        if context.get_start_method() == "forkserver":  # import torch once, not in each process
            context.set_forkserver_preload([prepare.__module__])
        self.process = ProcessPoolExecutor(1, context)
        self.process.submit(_prepare, functools.partial(prepare, *arguments, **options)).result()

    def __call__(self) -> Run:
        return self.process.submit(_run).result()


_way: Callable[[], dict | None]  # in the other process: what Apart times


def _prepare(prepare: Callable[[], Callable[[], dict | None]]) -> None:
    global _way
    _way = prepare()


def _run() -> Run:
    start = time.perf_counter()
    facts = _way()
    return Run(time.perf_counter() - start, peak_mb(), facts or {})


class Command:
    """Python command lines as a way; a call runs them one after another, and fails when one fails."""

    def __init__(self, *lines: list[object], **environment: str) -> None:
        self.lines = [[sys.executable, *map(str, line)] for line in lines]
        self.environment = os.environ | environment

    def __call__(self) -> Run:
        start = time.perf_counter()
        for line in self.lines:
            subprocess.run(line, env=self.environment, capture_output=True, check=True)
        return Run(time.perf_counter() - start)


def take_turns(ways: dict[Any, Callable[[], Run]], rounds: int, warm_up: bool = True) -> dict[Any, list[Run]]:
    """Each way once, then each once again: what slows the machine for a while slows all of them."""
    for way in ways.values() if warm_up else ():
        way()
    runs = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            runs[name].append(way())
    for way in ways.values():
        if isinstance(way, Apart):
            way.process.shutdown()
    return runs


def spread(values: list[float]) -> dict[str, Any]:
    """``{"median", "min", "max", "of"}`` of the values, the last being how many they are."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "of": len(values)}


def ratios(runs: list[Run], others: list[Run]) -> list[float]:
    """How many times the others' seconds these took, turn by turn."""
    return [one.seconds / other.seconds for one, other in zip(runs, others, strict=True)]


def median_seconds(runs: list[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def peak_mb() -> float | None:
    """The largest resident memory of this process so far; None on Windows, which does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / MB if sys.platform == "darwin" else peak * 1024 / MB  # bytes there, KiB elsewhere


def resident_mb() -> float | None:
    """The resident memory of this process now; None where there is no /proc."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB if statm.exists() else None


def machine() -> dict[str, Any]:
    """What the figures hold for: processor, cores, system, versions."""
    processor, cpuinfo = platform.processor(), Path("/proc/cpuinfo")
    if cpuinfo.exists():  # where platform.processor() often has no more than x86_64
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = names[0].partition(":")[2].strip() if names else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchvision", "numpy", "pillow")},
    }
