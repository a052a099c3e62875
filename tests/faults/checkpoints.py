"""Checkpoints as strangers send them: programs, bombs, and what is no weight."""

import io
import os
import pickle
import random
import struct
import subprocess
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from lessons.p12_classify import read_checkpoint
from lessons.tudui import Classifier, DeeperTudui, Tudui

from . import Outcome
from .watched import Seen, watch

SECONDS, MEGABYTES = 5, 1000


class Case(NamedTuple):
    """A file, and what the sentence must name; "" where it is to be read."""

    path: Path
    what: str
    names: str


def read(case: Case) -> None:
    read_checkpoint(str(case.path))


def checkpoints(tries: int, seed: int, folder: Path) -> Outcome:
    """Checkpoints from strangers for lesson 12: code in a pickle, bombs, and what is no weight of a Tudui.

    Each is refused in a sentence that names the file and the key or the code; right ones are read. No code in
    a file is run.
    """
    chance, trace = random.Random(seed), folder / "this ran"
    tried, refused, lost, slowest, largest = 0, 0, [], (0.0, ""), (0.0, "")
    made = files(chance, folder, trace)
    for case, seen in watch(read, islice(made, tries)):
        tried, refused = tried + 1, refused + bool(seen.sentence)
        slowest, largest = max(slowest, (seen.seconds, case.what)), max(largest, (seen.megabytes, case.what))
        if wrong := what_is_wrong(case, seen, trace):
            lost.append(f"{case.what}: {wrong}")
    return Outcome(tried, refused, lost, slowest, largest)


def what_is_wrong(case: Case, seen: Seen, trace: Path) -> str:
    """Empty where a case has ended as it should."""
    if trace.exists():
        return "its code has run"
    if seen.wrong or seen.said:
        return seen.wrong or f"it said {seen.said!r}"
    if seen.seconds > SECONDS or seen.megabytes > MEGABYTES:
        return f"it took {seen.seconds:.1f} s and {seen.megabytes:.0f} MB"
    if not case.names:
        return seen.sentence
    clear = "\n" not in seen.sentence and str(case.path) in seen.sentence and case.names in seen.sentence
    return "" if clear else f"the sentence is {seen.sentence!r}"


def files(chance: random.Random, folder: Path, trace: Path) -> Iterator[Case]:
    """First each kind once, then programs and wrong weights at random places, without an end."""
    path = folder / "stranger.pth"
    for what, content, names in right_ones():
        torch.save(content, path)
        yield Case(path, what, names)
    for what, content, names in bombs():
        path.write_bytes(content)
        yield Case(path, what, names)
    yield from no_files(folder)
    while True:
        make = chance.choice((program, program, wrong_weight))
        with warnings.catch_warnings(action="ignore"):  # of what has no future in PyTorch
            what, content, names = make(chance, trace)
        if chance.random() < 0.3 and "nested" not in what:  # which that format cannot hold
            what += ", old format"
            torch.save(content, path, _use_new_zipfile_serialization=False)
        else:
            torch.save(content, path)
        yield Case(path, what, names)


# --- What is right


def right_ones() -> Iterator[tuple[str, Any, str]]:
    weights = Tudui().state_dict()
    yield "a bare state_dict", weights, ""
    yield "lesson 14's", DeeperTudui(10).state_dict(), ""
    yield "as parameters", {name: nn.Parameter(weight) for name, weight in weights.items()}, ""
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn):
        yield f"as {dtype}", {name: weight.to(dtype) for name, weight in weights.items()}, ""
    yield "with mean and std", {"model": Classifier(Tudui(), [0.5] * 3, [0.2] * 3).state_dict()}, ""
    yield "std 0", {"model": Classifier(Tudui(), [0.5] * 3, [0.2, 0.0, 0.2]).state_dict()}, "std"
    wide = {f"{stage}.0.weight": torch.zeros(20_000) for stage in (2, 3, 4)}
    yield "layers in name only", {**DeeperTudui(10).model1.state_dict(), **wide}, "2.0.weight is (20000,)"
    yield "two means", {**weights, "mean": torch.zeros(2)}, "mean is (2,)"
    for content in (torch.zeros(3), [weights], {"model": [weights]}, {"model": None}, {5: weights}, "text"):
        yield f"{type(content).__name__}", content, "not hold the weights of a Tudui"
    yield "another network", nn.Linear(3, 3).state_dict(), "not hold the weights of a Tudui"


# --- Code


class Program:
    """Its pickle says: to rebuild me, call this."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


def program(chance: random.Random, trace: Path) -> tuple[str, Any, str]:
    """A whole model, or a call that leaves a trace, somewhere deep in an innocent checkpoint."""
    calls: dict[str, tuple] = {
        "system": (os.system, (f"touch '{trace}'",)),
        "mkdir": (os.mkdir, (str(trace),)),
        "exec": (exec, (f"open({str(trace)!r}, 'w')",)),
        "eval": (eval, (f"open({str(trace)!r}, 'w')",)),
        "call": (subprocess.call, (["touch", str(trace)],)),
    }
    if chance.random() < 0.1:
        return "a whole model", {"model": Tudui()}, "lessons.tudui.Tudui"
    name = chance.choice(list(calls))
    inner: Any = Program(*calls[name])
    for _ in range(chance.randrange(5)):
        around = chance.choice(("list", "tuple", "dict", "ordered", "key"))
        inner = {
            "list": lambda inner=inner: [0, inner],
            "tuple": lambda inner=inner: (inner, "x"),
            "dict": lambda inner=inner: {"a": 1.5, "b": inner},
            "ordered": lambda inner=inner: OrderedDict(b=inner),
            "key": lambda inner=inner: [{1: inner}],
        }[around]()
    place = chance.choice(("optimizer", "0.extra", "classes", "model"))
    content = {"model": Tudui().state_dict(), place: inner}
    return f"{name} in {place}", dict(chance.sample(sorted(content.items()), len(content))), name


# --- No weights


def wrong_weight(chance: random.Random, trace: Path) -> tuple[str, Any, str]:
    """A state_dict in which one entry is not what it should be; the sentence names its key."""
    weights = Tudui().model1.state_dict()
    name = chance.choice(list(weights))
    weight, spot = weights[name], chance.randrange(weights[name].numel())
    flat = weight.flatten()
    kinds: dict[str, Any] = {
        "nan": lambda: torch.where(torch.arange(len(flat)) == spot, torch.nan, flat).view(weight.shape),
        "infinite": lambda: torch.where(torch.arange(len(flat)) == spot, -torch.inf, flat).view(weight.shape),
        "complex": lambda: weight.to(torch.complex64),
        "int64": lambda: weight.long(),
        "bool": lambda: weight.bool(),
        "sparse": lambda: weight.to_sparse(),
        "meta": lambda: weight.to("meta"),
        "quantized": lambda: torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8),
        "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
        "shape": lambda: torch.zeros(*weight.shape, 2),
        "no numbers": lambda: torch.zeros(0),
        "with fewer numbers": lambda: torch.zeros(1).expand(10 ** chance.randrange(7, 13)),
        "list": lambda: weight.tolist(),
        "NoneType": lambda: None,
        "str": lambda: "weights",
        "missing": lambda: None,
        "more": lambda: weight,
    }
    kind = chance.choice(list(kinds))
    weights[name] = kinds[kind]()
    if kind == "missing":
        del weights[name]
    if kind == "more":
        name = f"{chance.randrange(9)}.running_mean"
        weights[name] = weight
    prefix = chance.choice(("", "model1.", "module.network.model1."))
    renamed = {prefix + key: value for key, value in weights.items()}
    what = f"{kind} at {name}"
    first_is_lost = name == "0.weight" and kind == "missing"
    return what, renamed, "weights of a Tudui" if first_is_lost else name


# --- Bombs


def archive(pickled: bytes, how: int = zipfile.ZIP_STORED, **others: bytes) -> bytes:
    """As torch.save writes it, but for what is in it."""
    memory = io.BytesIO()
    content = {"data.pkl": pickled, "byteorder": b"little", "version": b"3\n", **others}
    with zipfile.ZipFile(memory, "w", how) as file:
        for name, record in content.items():
            file.writestr(f"archive/{name}", record)
    return memory.getvalue()


def integer(value: int) -> bytes:
    return pickle.LONG1 + b"\x08" + struct.pack("<q", value)


def text(value: str) -> bytes:
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def called(name: str, *arguments: bytes) -> bytes:
    module, _, function = name.rpartition(".")
    what = pickle.GLOBAL + f"{module}\n{function}\n".encode()
    return what + pickle.MARK + b"".join(arguments) + pickle.TUPLE + pickle.REDUCE


def tensor(storage: int, size: int) -> bytes:
    """A state_dict of one vector with so many numbers, on a storage that says it has so many."""
    kind = pickle.GLOBAL + b"torch\nFloatStorage\n"
    place = text("storage") + kind + text("0") + text("cpu") + integer(storage)
    vector = called(
        "torch._utils._rebuild_tensor_v2",
        *(pickle.MARK + place + pickle.TUPLE + pickle.BINPERSID, integer(0)),
        *(pickle.MARK + integer(number) + pickle.TUPLE for number in (size, 1)),
        *(pickle.NEWFALSE, called("collections.OrderedDict")),
    )
    return (
        pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + text("0.weight") + vector + pickle.SETITEM + pickle.STOP
    )


def bombs() -> Iterator[tuple[str, bytes, str]]:
    begin, size = pickle.PROTO + b"\x02", 200_000_000
    unpacked = {"data/0": bytes(size)}
    yield "numbers unpacked", archive(tensor(size // 4, 1), zipfile.ZIP_DEFLATED, **unpacked), "200 MB"
    yield "a pickle unpacked", archive(begin + bytes(size), zipfile.ZIP_DEFLATED), "200 MB"
    lists = begin + pickle.EMPTY_LIST * 5_000_000 + pickle.STOP
    yield "a list after a list", archive(lists[:-4_000_000] + pickle.STOP), "weights of a Tudui"
    yield "more of them", archive(lists), "5 MB are no numbers"
    yield "more of them, old format", lists, "5 MB are no numbers"
    yield "a bytearray", archive(begin + called("builtins.bytearray", integer(3 * 10**9)) + b"."), "bytearray"
    yield "a Tensor", archive(begin + called("torch.Tensor", integer(10**12)) + b"."), "mislead"
    for storage, numbers in ((10**12, 10**12), (4, 10**6), (10**6, 10**6)):
        what = f"a vector of {numbers:,} on {storage:,} numbers in 16 bytes"
        yield what, archive(tensor(storage, numbers), **{"data/0": bytes(16)}), "mislead"
    itself = begin + b"}q\x00" + text("model") + b"h\x00s."
    yield "a state_dict within itself", archive(itself), "weights of a Tudui"
    script = {"constants.pkl": begin + b").", "code/__torch__.py": b"print('ran')"}
    yield "TorchScript", archive(begin + b"}.", **script), "TorchScript"


def no_files(folder: Path) -> Iterator[Case]:
    """Names behind which there is no file, or none that ends."""
    (folder / "folder.pth").mkdir()
    os.mkfifo(folder / "pipe.pth")
    (folder / "text.pth").write_text("no checkpoint")
    (folder / "empty.pth").touch()
    (folder / "safetensors.pth").write_bytes(struct.pack("<Q", 40) + b'{"0.weight":{"dtype":"F32"}}')
    links = {"loop": "loop link.pth", "endless": "/dev/zero", "broken": "nowhere"}
    for name, target in links.items():
        (folder / f"{name} link.pth").symlink_to(target)
    (folder / "8 GB.pth").touch()
    os.truncate(folder / "8 GB.pth", 8 * 10**9)
    for path in [*folder.glob("*.pth"), folder / ("n" * 300), folder / "nul\0.pth"]:
        if path.name != "stranger.pth":
            yield Case(path, repr(path.name)[:40], ".pth" if path.name.isprintable() else "cannot")
