"""Broken networks made from working ones, as scripts: what was broken is on record.

Each script builds a network, calls it and takes a loss. It works until one or two faults are put in.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n\n"


@dataclass
class Script:
    """A script in pieces, so that a fault can be put into one of them."""

    random: random.Random
    style: str  # sequential, class, nested, functional, residual, joined
    layers: dict[str, str] = field(default_factory=dict)  # name: the call that makes it
    flatten: str = "torch.flatten(x, 1)"
    before: str = ""  # lines between the network and its call
    imgs: str = ""
    targets: str = ""
    loss: str = "nn.CrossEntropyLoss()(outputs, targets)"
    joined: str = "torch.cat([a, b], dim=1)"
    kind: str = ""
    blames: set[str] = field(default_factory=set)  # names of layers, or input, targets, weights, view, ...
    batch: int = 4
    size: int = 16
    numbers: dict[str, int] = field(default_factory=dict)
    right: list[int] = field(default_factory=list)  # the numbers that the faults have replaced

    def path(self, name: str) -> str:
        """The attribute path of a layer in this style."""
        names = list(self.layers)
        if self.style == "sequential":
            return str(names.index(name)) if name in names else name
        if self.style == "nested" and name in names:
            cut = names.index("flatten")
            at = names.index(name)
            return f"features.{at}" if at < cut else f"classifier.{at - cut}"
        if self.style == "residual" and name in ("left", "right", "norm"):
            return f"block.{name}"
        return name

    def text(self) -> str:
        network = {
            "sequential": self._sequential,
            "nested": self._nested,
            "class": self._class,
            "functional": self._functional,
            "residual": self._residual,
            "joined": self._joined,
        }[self.style]()
        return (
            f"{HEAD}{network}\nmodel = {'network' if self.style == 'sequential' else 'Net()'}\n{self.before}"
            f"imgs = {self.imgs}\ntargets = {self.targets}\noutputs = model(imgs)\nloss = {self.loss}\n"
        )

    def _sequential(self) -> str:
        return (
            "network = nn.Sequential(\n" + "".join(f"    {call},\n" for call in self.layers.values()) + ")\n"
        )

    def _attributes(self, *names: str) -> str:
        lines = "".join(
            f"        self.{name} = {call}\n" for name, call in self.layers.items() if name in names
        )
        return f"    def __init__(self):\n        super().__init__()\n{lines}\n"

    def _nested(self) -> str:
        calls, names = list(self.layers.values()), list(self.layers)
        cut = names.index("flatten")
        rows = [f"        self.features = nn.Sequential({', '.join(calls[:cut])})\n"]
        rows.append("        self.classifier = nn.Sequential(\n")
        rows += [f"            {call},\n" for call in calls[cut:]] + ["        )\n"]
        return (
            "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
            + "".join(rows)
            + "\n    def forward(self, x):\n        return self.classifier(self.features(x))\n"
        )

    def _steps(self) -> str:
        lines = []
        for name in self.layers:
            lines.append(
                f"        x = {self.flatten}\n" if name == "flatten" else f"        x = self.{name}(x)\n"
            )
        return "    def forward(self, x):\n" + "".join(lines) + "        return x\n"

    def _class(self) -> str:
        names = [name for name in self.layers if name != "flatten"]
        return f"class Net(nn.Module):\n{self._attributes(*names)}{self._steps()}"

    def _functional(self) -> str:
        names = [name for name in self.layers if name in ("conv1", "conv2", "norm", "fc1", "fc2")]
        norm = "self.norm(self.conv1(x))" if "norm" in names else "self.conv1(x)"
        return (
            f"class Net(nn.Module):\n{self._attributes(*names)}"
            f"    def forward(self, x):\n        x = F.max_pool2d(F.relu({norm}), 2)\n"
            "        x = F.max_pool2d(F.relu(self.conv2(x)), 2)\n"
            f"        x = {self.flatten}\n        x = F.relu(self.fc1(x))\n        return self.fc2(x)\n"
        )

    def _residual(self) -> str:
        rest = ("conv1", "fc1")
        block = self._attributes("left", "right", "norm")
        return (
            f"class Block(nn.Module):\n{block}    def forward(self, x):\n"
            "        y = torch.relu(self.norm(self.left(x)))\n        y = self.right(y)\n"
            "        return y + x\n\n\n"
            "class Net(nn.Module):\n"
            + self._attributes(*rest).replace("\n\n", "\n        self.block = Block()\n\n")
            + "    def forward(self, x):\n        x = self.block(self.conv1(x))\n        x = x.mean((2, 3))\n"
            "        return self.fc1(x)\n"
        )

    def _joined(self) -> str:
        return (
            "class Net(nn.Module):\n"
            + self._attributes("conv1", "small", "large", "conv2", "fc1")
            + "    def forward(self, x):\n        x = torch.relu(self.conv1(x))\n        a = self.small(x)\n"
            "        b = self.large(x)\n"
            f"        x = {self.joined}\n        x = self.conv2(x)\n        return self.fc1(x.mean((2, 3)))\n"
        )


def working(random: random.Random, style: str) -> Script:
    """A script that runs, with numbers of its own."""
    batch, size = random.choice([2, 3, 4, 6]), random.choice([16, 20, 24])
    c1, c2, hidden = random.choice([6, 8, 10]), random.choice([12, 16, 20]), random.choice([18, 24, 30])
    classes = random.choice([3, 5, 10])
    script = Script(random, style, batch=batch, size=size)
    script.numbers = {"c1": c1, "c2": c2, "hidden": hidden, "classes": classes}
    if style == "residual":
        script.layers = {
            "left": f"nn.Conv2d({c1}, {c2}, 3, padding=1)",
            "norm": f"nn.BatchNorm2d({c2})",
            "right": f"nn.Conv2d({c2}, {c1}, 3, padding=1)",
            "conv1": f"nn.Conv2d(3, {c1}, 3, padding=1)",
            "fc1": f"nn.Linear({c1}, {classes})",
        }
    elif style == "joined":
        script.layers = {
            "conv1": f"nn.Conv2d(3, {c1}, 3, padding=1)",
            "small": f"nn.Conv2d({c1}, {c2}, 1)",
            "large": f"nn.Conv2d({c1}, {c1}, 3, padding=1)",
            "conv2": f"nn.Conv2d({c1 + c2}, {c2}, 3)",
            "fc1": f"nn.Linear({c2}, {classes})",
        }
    else:
        side = size // 4
        script.layers = {"conv1": f"nn.Conv2d(3, {c1}, 3, padding=1)"}
        if random.random() < 0.5:
            script.layers["norm"] = f"nn.BatchNorm2d({c1})"
        script.layers |= {
            "relu1": "nn.ReLU()",
            "pool1": "nn.MaxPool2d(2)",
            "conv2": f"nn.Conv2d({c1}, {c2}, 3, padding=1)",
            "pool2": "nn.MaxPool2d(2)",
            "flatten": "nn.Flatten()",
            "fc1": f"nn.Linear({c2} * {side} * {side}, {hidden})",
            "relu2": "nn.ReLU()",
            "fc2": f"nn.Linear({hidden}, {classes})",
        }
        script.flatten = random.choice(["torch.flatten(x, 1)", "x.view(x.size(0), -1)", "x.flatten(1)"])
    script.imgs = f"torch.rand({batch}, 3, {size}, {size})"
    script.targets = f"torch.arange({batch}) % {classes}"
    return script


# --- Faults: each changes a script, and returns what is to blame; None where the script has no such place

Fault = Callable[[Script], set[str] | None]
FAULTS: dict[str, tuple[Fault, tuple[str, ...]]] = {}
PLAIN = ("sequential", "class", "nested", "functional")
LAYERED = ("sequential", "class", "nested")
WRITTEN = ("class", "functional")


def fault(*styles: str) -> Callable[[Fault], Fault]:
    def register(function: Fault) -> Fault:
        FAULTS[function.__name__] = function, styles
        return function

    return register


def _other(script: Script, name: str, position: int, *avoid: int) -> None:
    """Another number at a position of a layer's call."""
    numbers = list(re.finditer(r"\d+", script.layers[name]))
    numbers = [match for match in numbers if script.layers[name][match.start() - 1] in "( "]
    match = numbers[position]
    number = script.random.choice(
        [n for n in (4, 7, 9, 14, 22, 28, 40) if n not in avoid and n != int(match[0])]
    )
    call = script.layers[name]
    script.right.append(int(match[0]))
    script.layers[name] = call[: match.start()] + str(number) + call[match.end() :]


@fault(*PLAIN)
def linear_after_flatten(script: Script) -> set[str]:
    side, hidden = script.random.choice([3, 7, 8]), script.numbers["hidden"]
    side = side if side != script.size // 4 else side + 1
    script.right.append(script.numbers["c2"] * (script.size // 4) ** 2)
    script.layers["fc1"] = f"nn.Linear({script.numbers['c2']} * {side} * {side}, {hidden})"
    return {"fc1", "input"}


@fault(*PLAIN)
def linear_after_linear(script: Script) -> set[str]:
    _other(script, "fc2", 0)
    return {"fc2"}


@fault(*PLAIN)
def channels(script: Script) -> set[str]:
    _other(script, "conv2", 0)
    return {"conv2"}


@fault(*PLAIN)
def channels_out(script: Script) -> set[str] | None:
    if "norm" in script.layers:
        return None
    _other(script, "conv1", 1)
    return {"conv1"}


@fault(*PLAIN)
def norm_channels(script: Script) -> set[str] | None:
    if "norm" not in script.layers:
        return None
    _other(script, "norm", 0)
    return {"norm"}


@fault(*PLAIN)
def first_channels(script: Script) -> set[str]:
    script.layers["conv1"] = script.layers["conv1"].replace("(3,", "(1,")
    return {"conv1", "input"}


@fault(*PLAIN)
def grey_pictures(script: Script) -> set[str]:
    script.imgs = script.imgs.replace(", 3, ", f", {script.random.choice([1, 4])}, ")
    return {"input"}


@fault(*PLAIN)
def no_batch(script: Script) -> set[str]:
    script.imgs = f"torch.rand(3, {script.size}, {script.size})"
    script.targets = "torch.tensor([1])"
    return {"input"}


@fault(*PLAIN, "residual", "joined")
def channels_last(script: Script) -> set[str]:
    script.imgs = f"torch.rand({script.batch}, {script.size}, {script.size}, 3)"
    return {"input"}


@fault(*PLAIN, "residual", "joined")
def dtype(script: Script) -> set[str]:
    script.imgs += script.random.choice([".double()", ".long()", ".mul(255).to(torch.uint8)"])
    return {"input"}


@fault(*PLAIN, "residual")
def device(script: Script) -> set[str]:
    script.imgs += ".to('meta')"
    script.targets = f"({script.targets}).to('meta')"
    return {"input", "device"}


@fault(*LAYERED)
def kernel_too_large(script: Script) -> set[str]:
    call = script.layers["conv2"]
    script.layers["conv2"] = re.sub(r", 3, padding=1\)", f", {script.random.choice([15, 17])})", call)
    return {"conv2", "input"}


@fault(*LAYERED)
def pool_too_large(script: Script) -> set[str]:
    script.layers["pool2"] = f"nn.MaxPool2d({script.size})"
    return {"pool2", "input"}


@fault("sequential", "nested")
def no_flatten(script: Script) -> set[str]:
    script.layers["flatten"] = "nn.Identity()"
    return {"flatten", "fc1"}


@fault("sequential", "nested")
def flatten_of_all(script: Script) -> set[str]:
    script.layers["flatten"] = "nn.Flatten(0)"
    return {"flatten"}


@fault(*WRITTEN)
def flatten_line_of_all(script: Script) -> set[str]:
    script.flatten = script.random.choice(["torch.flatten(x)", "x.flatten()", "x.view(-1)", "x.reshape(-1)"])
    return {"flatten"}


@fault(*WRITTEN)
def flatten_line_missing(script: Script) -> set[str]:
    script.flatten = "x"
    return {"fc1"}


@fault(*WRITTEN)
def view_does_not_divide(script: Script) -> set[str]:
    right = script.numbers["c2"] * (script.size // 4) ** 2
    script.flatten = (
        f"x.{script.random.choice(['view', 'reshape'])}(-1, {right + script.random.choice([1, 7])})"
    )
    return {"flatten"}


@fault(*WRITTEN)
def view_mixes_the_batch(script: Script) -> set[str]:
    right = script.numbers["c2"] * (script.size // 4) ** 2
    script.flatten = f"x.view(-1, {right // 4})"
    script.layers["fc1"] = f"nn.Linear({right // 4}, {script.numbers['hidden']})"
    return {"flatten"}


@fault(*WRITTEN)
def last_smaller_batch(script: Script) -> set[str]:
    script.flatten = f"x.view({script.batch}, -1)"
    script.before = f"model({script.imgs})\n"
    less = script.batch - 1
    script.imgs = script.imgs.replace(f"({script.batch},", f"({less},")
    script.targets = script.targets.replace(f"({script.batch})", f"({less})")
    return {"flatten"}


@fault(*LAYERED)
def batch_of_one(script: Script) -> set[str]:
    names = list(script.layers)
    layers, hidden = {}, script.numbers["hidden"]
    for name in names:
        layers[name] = script.layers[name]
        if name == "fc1":
            layers["norm1"] = f"nn.BatchNorm1d({hidden})"
    script.layers = layers
    script.imgs = f"torch.rand(1, 3, {script.size}, {script.size})"
    script.targets = "torch.tensor([1])"
    return {"norm1"}


@fault(*LAYERED)
def norm_of_other_dimensions(script: Script) -> set[str] | None:
    if "norm" not in script.layers:
        return None
    script.layers["norm"] = script.layers["norm"].replace("BatchNorm2d", "BatchNorm1d")
    return {"norm"}


@fault("residual")
def residual_channels(script: Script) -> set[str]:
    _other(script, "right", 1)
    return {"right"}


@fault("residual")
def residual_size(script: Script) -> set[str]:
    call = script.layers["right"]
    script.layers["right"] = call.replace(
        "padding=1", script.random.choice(["padding=0", "padding=1, stride=2"])
    )
    return {"right"}


@fault("residual")
def residual_inside(script: Script) -> set[str]:
    _other(script, "right", 0)
    return {"right"}


@fault("joined")
def joined_wrong_dimension(script: Script) -> set[str]:
    script.joined = script.random.choice(
        ["torch.cat([a, b], dim=2)", "torch.cat([a, b], 0)", "torch.cat((a, b))"]
    )
    return {"cat"}


@fault("joined")
def joined_sizes(script: Script) -> set[str]:
    script.layers["large"] = script.layers["large"].replace("padding=1", "padding=0")
    return {"large"}


@fault("joined")
def joined_channels(script: Script) -> set[str]:
    _other(script, "conv2", 0, 0)
    return {"conv2"}


# --- Faults of the loss


@fault(*PLAIN)
def one_hot(script: Script) -> set[str]:
    script.targets = f"F.one_hot({script.targets}, {script.numbers['classes']})"
    return {"targets"}


@fault(*PLAIN)
def target_column(script: Script) -> set[str]:
    script.targets = f"({script.targets}).unsqueeze(1)"
    return {"targets"}


@fault(*PLAIN)
def target_dtype(script: Script) -> set[str]:
    script.targets = f"({script.targets}).{script.random.choice(['float()', 'int()'])}"
    return {"targets"}


@fault(*PLAIN)
def other_length(script: Script) -> set[str]:
    script.targets = script.targets.replace(f"({script.batch})", f"({script.batch + 1})")
    return {"targets"}


@fault(*PLAIN)
def classes_out_of_range(script: Script) -> set[str]:
    script.targets = f"torch.full(({script.batch},), {script.numbers['classes']})"
    return {"fc2", "targets"}


@fault(*PLAIN)
def classes_from_one(script: Script) -> set[str]:
    classes = script.numbers["classes"]
    script.targets = f"torch.tensor([1] + [{classes}] * {script.batch - 1})"
    return {"targets", "fc2"}


@fault(*PLAIN)
def swapped(script: Script) -> set[str]:
    script.loss = "nn.CrossEntropyLoss()(targets, outputs)"
    return {"targets"}


@fault("class", "nested")
def binary_column(script: Script) -> set[str]:
    script.layers["fc2"] = f"nn.Linear({script.numbers['hidden']}, 1)"
    script.targets = f"(torch.arange({script.batch}) % 2).float()"
    name = script.random.choice(["nn.BCEWithLogitsLoss()", "F.binary_cross_entropy_with_logits"])
    script.loss = f"{name}(outputs, targets)"
    return {"targets"}


@fault("class", "sequential")
def regression_width(script: Script) -> set[str]:
    script.targets = f"torch.rand({script.batch}, {script.numbers['classes'] + 1})"
    script.loss = "nn.MSELoss()(outputs, targets)"
    return {"targets"}


# --- Faults of load_state_dict

LOAD = "model.load_state_dict(weights)\n"


@fault(*PLAIN)
def weights_with_prefix(script: Script) -> set[str]:
    script.before = "weights = {'module.' + k: v for k, v in model.state_dict().items()}\n" + LOAD
    return {"weights"}


@fault(*PLAIN)
def weights_in_a_checkpoint(script: Script) -> set[str]:
    script.before = "saved = {'model': model.state_dict(), 'epoch': 3}\nmodel.load_state_dict(saved)\n"
    return {"weights"}


@fault(*PLAIN)
def weights_of_other_size(script: Script) -> set[str]:
    path = script.path("fc2")
    script.before = (
        "weights = model.state_dict()\n"
        f"weights['{path}.weight'] = torch.zeros(17, {script.numbers['hidden']})\n"
        f"weights['{path}.bias'] = torch.zeros(17)\nmodel.load_state_dict(weights)\n"
    )
    return {"fc2"}


@fault(*PLAIN)
def weights_missing(script: Script) -> set[str]:
    path = script.path("fc2")
    script.before = (
        f"weights = {{k: v for k, v in model.state_dict().items() if not k.startswith('{path}.')}}\n"
        "model.load_state_dict(weights)\n"
    )
    return {"weights"}


@fault(*PLAIN)
def weights_besides(script: Script) -> set[str]:
    script.before = "weights = model.state_dict()\nweights['extra.weight'] = torch.zeros(3)\n" + LOAD
    return {"weights"}


# --- Layers of other kinds


def _in_front(script: Script, name: str, call: str, imgs: str, last: str) -> set[str]:
    script.layers = {name: call, "last": last}
    script.imgs = imgs
    return {name}


@fault("class", "sequential")
def transposed_channels(script: Script) -> set[str]:
    n = script.batch
    script.targets = f"torch.rand({n}, 2, 8, 8)"
    script.loss = "nn.MSELoss()(outputs, targets)"
    call = "nn.ConvTranspose2d(9, 6, 2, stride=2)"
    return _in_front(script, "up", call, f"torch.rand({n}, 5, 4, 4)", "nn.Conv2d(6, 2, 1)")


@fault("class", "sequential")
def pooling_of_a_row(script: Script) -> set[str]:
    script.layers = {"pool": "nn.AdaptiveAvgPool2d(1)", "flatten": "nn.Flatten()", "fc1": "nn.Linear(6, 3)"}
    script.imgs = f"torch.rand({script.batch}, 6)"
    script.targets = f"torch.arange({script.batch}) % 3"
    script.flatten = "torch.flatten(x, 1)"
    return {"pool"}


@fault("class")
def lstm_input(script: Script) -> set[str]:
    script.layers = {"lstm": "nn.LSTM(9, 6, batch_first=True)"}
    script.imgs, script.before = f"torch.rand({script.batch}, 7, 5)", ""
    script.loss = "nn.MSELoss()(outputs[0], targets)"
    script.targets = f"torch.rand({script.batch}, 7, 6)"
    return {"lstm"}


@fault("class")
def attention_width(script: Script) -> set[str]:
    script.layers = {"proj": "nn.Linear(5, 12)", "norm": "nn.LayerNorm(10)"}
    script.imgs = f"torch.rand({script.batch}, 7, 5)"
    script.loss, script.targets = "nn.MSELoss()(outputs, targets)", f"torch.rand({script.batch}, 7, 12)"
    return {"norm"}


ONE_CALL = {"lstm_input", "attention_width", "transposed_channels", "pooling_of_a_row"}
# Two of these may be in one script: they are in different places
TOGETHER = [
    ("linear_after_linear", "channels"),
    ("linear_after_flatten", "linear_after_linear"),
    ("channels", "linear_after_flatten"),
    ("norm_channels", "channels"),
    ("flatten_line_of_all", "channels"),
    ("flatten_line_of_all", "linear_after_flatten"),
    ("channels_last", "linear_after_linear"),
    ("dtype", "channels"),
    ("no_batch", "linear_after_linear"),
    ("channels", "one_hot"),
    ("linear_after_linear", "classes_out_of_range"),
    ("flatten_of_all", "linear_after_linear"),
    ("view_does_not_divide", "channels"),
    ("first_channels", "linear_after_flatten"),
]


def broken_scripts(count: int, seed: int) -> Iterator[Script]:
    """So many scripts, all kinds in turn, a third of them with two faults."""
    chance = random.Random(seed)
    kinds: list[tuple[str, ...]] = [(name,) for name in FAULTS]
    made = turn = 0
    while made < count:
        pairs = turn % 3 == 2
        several = chance.choice(TOGETHER) if pairs else kinds[(turn - turn // 3) % len(kinds)]
        turn += 1
        styles = set.intersection(*(set(FAULTS[name][1]) for name in several))
        script = working(chance, chance.choice(sorted(styles)))
        found = [FAULTS[name][0](script) for name in several]
        if not all(found):
            continue
        script.kind = " + ".join(several)
        script.blames = set().union(*found)
        made += 1
        yield script
