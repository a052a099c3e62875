"""A shape error in a learner's script: the right layer is named, and each change that is offered runs."""

import ast
import linecache
import os
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from broken_networks import broken_scripts
from torch import nn

from lessons.course.notes import LANGUAGES
from lessons.course.shapes import explain, explain_error, why
from lessons.course.shapes.call_changes import Convert, Keyword, Mode, Swap
from lessons.course.shapes.changes import Rewrite
from lessons.course.shapes.explain import Explanation
from lessons.course.shapes.failure import find_failure

SEED, COUNT = 0, 300


def failure_of(path: Path) -> Exception | None:
    """How a script ends, run in this process."""
    torch.manual_seed(0)
    linecache.checkcache()
    try:
        runpy.run_path(str(path), run_name="__main__")
    except Exception as error:
        return error
    return None


def explained(folder: Path, source: str) -> Explanation:
    path = folder / "script.py"
    path.write_text(source, "utf-8")
    error = failure_of(path)
    assert error is not None
    failure = find_failure(error)
    assert failure is not None, error
    return Explanation(failure)


def named(explanation: Explanation) -> set[str]:
    """What an explanation blames: where it stops, and what its first two remedies change."""
    step = explanation.outcome.fault
    found = {step.path or step.name} if step is not None else set()
    found |= {"flatten"} if found & {"view", "reshape", "ravel"} else set()
    sides = {"loss": "targets", "load_state_dict": "weights"}.get(explanation.failure.kind, "input")
    for remedy in explanation.remedies[:2]:
        for change in remedy.changes:
            found.add(change.path)
            if isinstance(change, Convert | Swap | Keyword):
                found.add(sides if remedy.trial.scene is explanation.scene else "input")
            elif isinstance(change, Rewrite):
                words = ast.unparse(change.node) + change.text
                found.add(
                    "flatten" if any(word in words for word in ("flatten", "view", "reshape")) else "cat"
                )
            elif isinstance(change, Mode):
                found.add("device")
    return found | ({sides} - {"input"})


@pytest.fixture(scope="module")
def judged(tmp_path_factory) -> list[tuple]:
    """For each broken network: (its script, its explanation, which remedies ran when typed in)."""
    folder = tmp_path_factory.mktemp("broken")
    rows = []
    for number, script in enumerate(broken_scripts(COUNT, SEED)):
        path = folder / f"network{number}.py"
        path.write_text(script.text(), "utf-8")
        error = failure_of(path)
        assert error is not None, f"{script.kind} does not fail"
        failure = find_failure(error)
        explanation = Explanation(failure) if failure else None
        ran = []
        for remedy in explanation.remedies if explanation else ():
            for file, text in remedy.trial.texts.final().items():
                (folder / "mended.py").write_text(text, "utf-8")
                assert file == str(path)
            after = failure_of(folder / "mended.py")
            later = find_failure(after) if after else None
            # a script with two faults may go on to the second, in its loss
            ran.append(after is None or bool("+" in script.kind and later and later.kind != failure.kind))
        rows.append((script, explanation, ran))
    return rows


def test_the_right_layer_is_named(judged):
    wrong = [
        (script.kind, script.style)
        for script, explanation, _ in judged
        if explanation is None or not {script.path(name) for name in script.blames} & named(explanation)
    ]
    assert len(wrong) <= 0.05 * len(judged), Counter(wrong)
    assert len({script.kind for script, _, _ in judged}) > 50


def test_what_is_offered_runs(judged):
    failed = [(script.kind, script.style) for script, _, ran in judged if not all(ran)]
    assert not failed, Counter(failed)
    without = Counter(script.kind for script, _, ran in judged if not ran)
    assert without.total() <= 0.1 * len(judged), without


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_report_can_be_read(judged, lang, monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", lang)
    for script, explanation, _ in judged:
        report = explanation.text
        assert report.count("\n") < 60 and "Fake" not in report and "GIVEN" not in report, script.kind
        assert any("一" <= letter <= "鿿" for letter in report) == (lang == "zh")


NET = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(8 * 4 * 4, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(self.conv(x), 2)
        x = torch.flatten(x)
        return self.fc(self.drop(x))

net = Net()
"""


def test_the_report(tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    monkeypatch.chdir(tmp_path)
    report = explained(tmp_path, NET + "outputs = net(torch.rand(2, 3, 16, 16))\n").text
    for part in (
        "net.fc (Linear) does not take what arrives.",
        "built   script.py, line 10:  self.fc = nn.Linear(8 * 4 * 4, 10)",
        "called  script.py, line 15:  return self.fc(self.drop(x))",
        "What does not fit",
        "(2, 3, 16, 16) -> (2, 8, 16, 16)",
        "The batch is gone: flatten makes (1024,) of (2, 8, 8, 8)",
        "+ self.fc = nn.Linear(8 * 8 * 8, 10)",
        "+ x = torch.flatten(x, 1)",
    ):
        assert part in report, report


def test_nothing_is_left_behind(tmp_path):
    """No hook, no changed function, no moved running mean, no random number drawn."""
    path = tmp_path / "script.py"
    path.write_text(
        NET + "imgs = torch.rand(2, 3, 16, 16)\nnet.register_buffer('n', torch.ones(2))\n", "utf-8"
    )
    names = runpy.run_path(str(path))
    net, code = names["net"], names["Net"].forward.__code__
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.get_rng_state()
    report = explain(net, names["imgs"])
    assert "torch.flatten(x, 1)" in report
    assert torch.equal(torch.get_rng_state(), state)
    assert names["Net"].forward.__code__ is code
    for module in net.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks and module.training
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert not nn.modules.module._global_forward_hooks and not nn.modules.module._global_forward_pre_hooks


class Noisy(nn.Module):
    """Draws random numbers in each run, and fails only with real numbers."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 4)

    def forward(self, x):
        return nn.functional.dropout(self.words(x) + torch.rand(4), 0.5)


def test_no_random_number_is_drawn(monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    net = Noisy()
    state = torch.get_rng_state()
    assert "an Embedding of 5 rows takes 0 to 4" in " ".join(explain(net, torch.tensor([[1, 7]])).split())
    assert torch.equal(torch.get_rng_state(), state)


def test_explain_says_the_way_of_a_network_that_runs(monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    report = explain(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.rand(5, 3, 4))
    assert report.startswith("It runs: (5, 3, 4) in, (5, 2) out.") and "(5, 12)" in report


def test_why_puts_the_report_below_the_traceback(monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    layer = nn.Linear(3, 2)
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught, why():
        layer(torch.rand(4, 5))
    assert "layer (Linear) does not take what arrives." in caught.value.__notes__[0]
    with pytest.raises(KeyError) as caught, why():
        {}["x"]
    assert not hasattr(caught.value, "__notes__")


# --- Networks of other kinds

VGG16 = """
import torch, torchvision
from torch import nn
with torch.device("meta"):
    vgg = torchvision.models.vgg16(weights=None)
    vgg.classifier[6] = nn.Linear(1000, 10)
vgg(torch.zeros(2, 3, 224, 224, device="meta"))
"""
BY_HAND = """
import torch
from torch import nn
layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(5, 4, 3))
def walk(net, imgs):
    outputs = imgs
    for layer in net:
        outputs = layer(outputs)
walk(layers, torch.rand(2, 3, 8, 8))
"""
LAST_BATCH = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
loader = DataLoader(TensorDataset(torch.rand(9, 6)), batch_size=4)
model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))
for (imgs,) in loader:
    model(imgs)
"""
WORDS = """
import torch
from torch import nn
model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 2))
model(torch.tensor([[1, 12]]))
"""
ATTENTION = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 4, batch_first=True)
    def forward(self, x):
        return self.attention(x, x, x)[0]
net = Net()
net(torch.rand(2, 7, 10))
"""
WRAPPED = NET.replace("net = Net()", "net = nn.DataParallel(Net())") + "net(torch.rand(2, 3, 16, 16))\n"
COMPILED = (
    NET.replace("net = Net()", "net = torch.compile(Net(), backend='eager')")
    + "net(torch.rand(2, 3, 16, 16))\n"
)
CHECKPOINT = """
import torch
from torch import nn
def network(classes):
    return nn.Sequential(nn.Linear(4, 6), nn.Linear(6, classes))
saved = {"epoch": 3, "state_dict": nn.DataParallel(network(10)).state_dict()}
new = network(5)
new.load_state_dict(saved)
"""
AUTOENCODER = """
import torch
from torch import nn
down = nn.Conv2d(1, 4, 3, stride=2, padding=1)
up = nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1)
model = nn.Sequential(down, up)
imgs = torch.rand(2, 1, 28, 28)
outputs = model(imgs)
loss = nn.functional.mse_loss(outputs, imgs)
"""
ALPHA = """
import torch
model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)).eval()
model(torch.rand(4, 9, 9))
"""
TWO_SIDES = """
import torch
from torch import nn
model = nn.Linear(3, 1)
loss = nn.BCEWithLogitsLoss()(model(torch.rand(4, 3)), torch.tensor([0, 1, 1, 0]))
"""
IN_A_LOOP = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self, widths):
        super().__init__()
        self.body = nn.Sequential()
        for one, next_one in zip(widths, widths[1:]):
            self.body.append(nn.Conv2d(one, one, 3))
    def forward(self, x):
        return self.body(x)
net = Net([3, 5, 7])
net(torch.rand(2, 3, 16, 16))
"""


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (
            CHECKPOINT,
            ["removeprefix('module.')", "saved['state_dict']", "keeps the numbers that it began with"],
        ),
        (AUTOENCODER, ["nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1)"]),
        (ALPHA, ["model(torch.rand(4, 9, 9).unsqueeze(0)[:, :3])", "no batch dimension in (4, 9, 9)"]),
        (TWO_SIDES, ["model(torch.rand(4, 3)).squeeze(1), torch.tensor([0, 1, 1, 0]).float())"]),
    ],
    ids=["checkpoint", "autoencoder", "alpha", "two sides"],
)
def test_what_two_or_three_changes_mend(source, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    explanation = explained(tmp_path, source)
    report = " ".join(explanation.text.split())
    for part in parts:
        assert part in report, explanation.text
    for text in explanation.remedies[0].trial.texts.final().values():
        (tmp_path / "changed.py").write_text(text, "utf-8")
    assert failure_of(tmp_path / "changed.py") is None


@pytest.mark.parametrize(
    ("source", "path", "parts"),
    [
        (VGG16, "classifier.6", ["vgg.classifier[6] = nn.Linear(4096, 10)", "more"]),
        (BY_HAND, "2", ["layers.2 (Conv2d)", "nn.Conv2d(4, 4, 3)", "(2, 3, 8, 8)"]),
        (LAST_BATCH, "1", ["batch_size=4, drop_last=True)", "9 is a multiple of 4 and one more"]),
        (WORDS, "0", ["nn.Embedding(13, 4)", "largest index that arrives is 12"]),
        (ATTENTION, "attention", ["nn.MultiheadAttention(10, 2, batch_first=True)"]),
        (WRAPPED, "fc", ["torch.flatten(x, 1)", "DataParallel runs the network in its own way"]),
        (COMPILED, "fc", ["torch.flatten(x, 1)", "OptimizedModule runs the network in its own way"]),
        (IN_A_LOOP, "body.1", ["net.body[1] = nn.Conv2d(3, 5, 3)"]),
    ],
    ids=["vgg16", "by hand", "last batch", "words", "attention", "wrapped", "compiled", "in a loop"],
)
def test_other_networks(source, path, parts, tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    explanation = explained(tmp_path, source)
    assert explanation.outcome.fault.path == path
    report = explanation.text
    for part in parts:
        assert part in " ".join(report.split()), report


# --- What is not about shapes keeps its own traceback

IN_FORWARD = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 2)
    def forward(self, x):
        {body}
        return self.fc(x)
Net()(torch.rand(3, 4))
"""
OTHERS = [
    "open('nowhere.txt')",
    "{}['x']",
    "[][3]",
    "1 / 0",
    "int('many')",
    "None.shape",
    "undefined",
    "import no_such_module",
    "raise RuntimeError('size mismatch, says my own check')",
    "raise ValueError('Expected input batch_size (3) to match target batch_size (4)')",
    "assert False, 'shapes must match'",
    "raise StopIteration",
    "'a' + 1",
    "(1)[0]",
    "float('x')",
    "max([])",
    "print(len(5))",
    "raise NotImplementedError('embedding dimension')",
    "type('A', (), {})().x",
    "torch.load('nowhere.pth')",
    "torch.tensor('x')",
    "torch.zeros(2).backward()",
    "self.missing(x)",
    "self.fc.weight.no_such()",
    "x.item()",
]
ANYWHERE = [line for line in OTHERS if "self" not in line and "x." not in line]
PLAIN = [f"import torch\nfrom torch import nn\n{line}\n" for line in ANYWHERE]
PLAIN += [
    "import torch\nx = torch.rand(3, requires_grad=True)\ny = (x * x).sum()\ny.backward()\ny.backward()\n",
    "import torch\nx = torch.rand(3, requires_grad=True)\nx += 1\n",
    "from torch import nn\nnn.Linear(3)\n",
    "from torch import nn\nnn.Conv2d(3, 8)\n",
    "import torch\ntorch.rand(3).numpy()[7]\n",
    "import torch\ntorch.optim.SGD([], 0.1)\n",
]


def test_other_failures_keep_their_traceback(tmp_path):
    sources = [IN_FORWARD.format(body=body) for body in OTHERS] + PLAIN
    assert len(sources) >= 50
    explained_all = []
    for number, source in enumerate(sources):
        path = tmp_path / f"other{number}.py"
        path.write_text(source)
        error = failure_of(path)
        assert error is not None, source
        if explain_error(error) is not None:
            explained_all.append((source, error))
    assert not explained_all


# --- The command


def lessons_why(folder: Path, *words: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "lessons.course.cli", "why", *map(str, words)],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_script_that_does_not_fail_runs_as_under_python(tmp_path):
    script = tmp_path / "fine.py"
    script.write_text(
        "import sys, torch\nfrom helper import twice\ntorch.manual_seed(1)\n"
        "if __name__ == '__main__':\n    print(sys.argv[1:], __file__, twice(torch.rand(3)))\n"
        "    sys.exit(3)\n"
    )
    (tmp_path / "helper.py").write_text("def twice(x):\n    return 2 * x\n")
    arguments = ["--lr", "0.1", "--help"]
    plain = subprocess.run(
        [sys.executable, script, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    done = lessons_why(tmp_path, script, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (plain.returncode, plain.stdout, plain.stderr)
    assert done.returncode == 3


def test_the_command_explains_and_shows_the_traceback_when_asked(tmp_path):
    script = tmp_path / "broken.py"
    script.write_text(NET + "net(torch.rand(2, 3, 16, 16))\n")
    done = lessons_why(tmp_path, "broken.py", LESSONS_LANG="en")
    assert done.returncode == 1
    assert "net.fc (Linear) does not take what arrives." in done.stderr
    assert "Traceback (most recent" not in done.stderr and "--traceback broken.py" in done.stderr
    done = lessons_why(tmp_path, "--traceback", "broken.py", LESSONS_LANG="zh")
    assert done.returncode == 1
    assert done.stderr.index("net.fc（Linear）") < done.stderr.index("Traceback (most recent")
    assert "run_script" not in done.stderr


def test_the_command_leaves_other_failures_alone(tmp_path):
    script = tmp_path / "other.py"
    script.write_text("import torch\n\ndef f():\n    return {}['x']\n\nf()\n")
    plain = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    done = lessons_why(tmp_path, script)
    assert (done.returncode, done.stderr) == (plain.returncode, plain.stderr) and done.returncode == 1
    assert lessons_why(tmp_path, "nowhere.py").returncode == 2


def test_what_tudui_refuses_is_explained_with_tudui_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")
    call = "import torch\nfrom lessons.tudui import Tudui\nTudui()(torch.zeros(3, 64, 64))\n"
    report = explained(tmp_path, call).text
    assert "There is no batch dimension in (3, 64, 64)" in report
    first = report.partition("1. ")[2].partition("2. ")[0]
    assert ".unsqueeze(0), size=(32, 32)))" in first and "tudui.py" not in first


def test_a_changed_lesson_that_fails_is_explained(fake, lessons_command, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_LANG", "en")
    fake({1: "import torch; layer = torch.nn.Linear(3, 2); layer(torch.zeros(2, 5))", 2: "pass"})
    assert lessons_command("run") == 1
    said = capsys.readouterr()
    assert "layer (Linear) does not take what arrives." in said.err
    assert "Traceback (most recent" not in said.err and "--traceback" in said.err
