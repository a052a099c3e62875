"""Saving and loading so that the file opens elsewhere, and the network is ready for use."""

import os
import pickle
from itertools import combinations
from pathlib import Path
from unittest.mock import patch

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.practice import Write, Wrong


class Payload:
    """What rebuilds it makes a folder."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("a_strange_file_ran_code",)


def network(inputs: int) -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5)),
        nn.Linear(8, 3),
    )


def train(net: nn.Module, imgs: torch.Tensor) -> None:
    """Two steps, which move the weights and what BatchNorm keeps."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    for _ in range(2):
        loss = nn.functional.cross_entropy(net.train()(imgs), torch.arange(len(imgs)) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def probe(learner, seed: int, inputs: int) -> dict:
    """Save a network, train on, and look at what was kept and what comes out of the file."""
    torch.manual_seed(seed)
    net, imgs = network(inputs), torch.rand(6, inputs)
    train(net, imgs)
    wanted = net.eval()(imgs).detach()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.train()
    learner.save(net, "net.pth")
    kept = learner.snapshot(net)
    train(net, imgs)
    seen = {
        "the file holds": what_is_in("net.pth"),
        "snapshot": what_is_kept(kept, before),
        **what_comes_out(learner, network(inputs), imgs, wanted),
    }
    seen |= {"a file from a GPU": "not tried", "a file with other names": "not tried"}
    if seen["the file holds"] == "tensors by name":
        weights = torch.load("net.pth")
        with patch("torch.serialization.location_tag", lambda _: "cuda:99"):  # as if saved on a GPU
            torch.save(weights, "from_a_gpu.pth")
        seen["a file from a GPU"] = opens(learner, network(inputs), "from_a_gpu.pth")
        torch.save({f"model1.{name}": tensor for name, tensor in weights.items()}, "other_names.pth")
        seen["a file with other names"] = opens(learner, network(inputs), "other_names.pth")
    torch.save(Payload(), "strange.pth")
    opens(learner, network(inputs), "strange.pth")
    seen["a strange file"] = "runs its code" if Path("a_strange_file_ran_code").exists() else "runs nothing"
    return seen


def what_is_in(path: str) -> str:
    try:
        content = torch.load(path)
    except pickle.UnpicklingError:
        return "a whole model"
    except Exception:
        return "nothing that torch.load reads" if Path(path).exists() else "nothing, it is not there"
    named = isinstance(content, dict) and all(isinstance(item, torch.Tensor) for item in content.values())
    return "tensors by name" if named else "something else"


def what_is_kept(kept: object, before: dict) -> str:
    if not isinstance(kept, dict):
        return f"is {type(kept).__name__}"
    if kept.keys() != before.keys():
        return f"has {len(kept)} names"
    same = all(torch.equal(kept[name], tensor) for name, tensor in before.items())
    return "as it was" if same else "has changed"


def what_comes_out(learner, net: nn.Module, imgs: torch.Tensor, wanted: torch.Tensor) -> dict:
    """What load gives back, and whether that answers as the saved network did."""
    try:
        loaded = learner.load(net, "net.pth")
    except Exception as error:
        return {"load": f"raises {type(error).__name__}", "in training mode": "", "outputs": "none"}
    seen = {"load": f"gives back {type(loaded).__name__}", "in training mode": "", "outputs": "none"}
    if isinstance(loaded, nn.Module):
        seen["in training mode"] = loaded.training
        outputs = loaded.eval()(imgs).detach()
        seen["outputs"] = outputs if torch.allclose(outputs, wanted) else "not those of the saved network"
    return seen


def opens(learner, net: nn.Module, path: str) -> str:
    try:
        learner.load(net, path)
    except Exception:
        return "does not open"
    return "opens"


# What is forgotten most often, one or several at once: the change, and what there is to say
HABITS = [
    (
        {"    net.eval()\n": ""},
        "The weights are right, but the network comes back in training mode: Dropout drops numbers, and "
        "BatchNorm uses whatever batch it sees. A network that is to answer needs eval().",
        "权重对了，但网络还在训练模式：Dropout 会丢数，BatchNorm 会用眼前这一批的统计量。"
        "拿来预测的网络要先 eval()。",
    ),
    (
        {', map_location="cpu"': ""},
        "A file that was saved on a GPU does not open on a machine without that GPU: say where its "
        "tensors should go, with map_location.",
        "在 GPU 上存的文件，到了没有那块 GPU 的机器上就打不开：要用 map_location 说明张量放到哪里。",
    ),
    (
        {"copy.deepcopy(net.state_dict())": "net.state_dict()"},
        "Your snapshot has changed with the training: state_dict() gives the network's own tensors, and "
        "dict(...) or .copy() around it copies the names alone. Each tensor needs a copy.",
        "你留的那一份跟着训练变了：state_dict() 给的就是网络自己的张量，外面套 dict(...) 或 .copy() "
        "只复制了名字。要复制的是每个张量。",
    ),
]

# Both with the network itself in the file; a file from a GPU is then not tried
WHOLE = [
    (
        {
            "torch.save(net.state_dict(), path)": "torch.save(net, path)",
            'net.load_state_dict(torch.load(path, map_location="cpu"))': (
                'net = torch.load(path, map_location="cpu", weights_only=False)'
            ),
        },
        "You save and load the whole model. Such a file opens only where its classes are found again, "
        "and weights_only=False lets any file run code: the check has opened one that did. Save the "
        "state_dict.",
        "你存取的是整个模型。这样的文件，要能重新找到里面的类才打得开；而 weights_only=False "
        "让任何文件都能运行代码：检查时打开的那个就运行了。改存 state_dict。",
    ),
    (
        {"torch.save(net.state_dict(), path)": "torch.save(net, path)"},
        "save writes the whole model, and load wants a state_dict: torch.load refuses what is not "
        "tensors. Save net.state_dict().",
        "save 存的是整个模型，load 要的却是 state_dict：不是张量的东西，torch.load 不肯读。应当存 "
        "net.state_dict()。",
    ),
]


def forgotten(habits: tuple) -> Wrong:
    changes = {old: new for change, *_ in habits for old, new in change.items()}
    return Wrong(changes, " ".join(habit[1] for habit in habits), "".join(habit[2] for habit in habits))


exercise = Write(
    title=("Save, load, and keep for later", "保存、加载，先留一份"),
    task=(
        """
        Three functions. The network has BatchNorm and Dropout.

        - save(net, path): into the file go the tensors of net by their names, and nothing else.
        - load(net, path): net has just been built; give it back with the weights of the file, ready to
          answer (not to train). A file from a machine with a GPU opens here too, whose names do not fit is
          refused, and no file may run code.
        - snapshot(net): the weights as they are now, by name, in memory. Training goes on, and must not
          change them.
        """,
        """
        写三个函数。网络里有 BatchNorm 和 Dropout。

        - save(net, path)：把 net 的张量按名字存进文件，别的都不存。
        - load(net, path)：net 是刚搭好的，把文件里的权重装进去再返回，随时可以拿来预测（不是训练）。
          有 GPU 的机器上存的文件，这里也要能打开；名字对不上的要拒绝；
          不管什么文件，都不许它运行代码。
        - snapshot(net)：把现在的权重按名字留一份在内存里。之后继续训练，这一份不能跟着变。
        """,
    ),
    start="""
        import torch


        def save(net, path):
            ...


        def load(net, path):
            ...


        def snapshot(net):
            ...
        """,
    solution="""
        import copy

        import torch


        def save(net, path):
            torch.save(net.state_dict(), path)


        def load(net, path):
            net.load_state_dict(torch.load(path, map_location="cpu"))
            net.eval()
            return net


        def snapshot(net):
            return copy.deepcopy(net.state_dict())
        """,
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999), "inputs": st.integers(4, 8)}),
    probe=probe,
    examples=6,
    hints=[
        (
            "Which one word of a network gives its tensors by name? Does it give copies?",
            "网络的哪个方法按名字给出它的张量？给的是副本吗？",
        ),
        (
            "state_dict() gives the network's own tensors: a copy of the dictionary still holds the same "
            "ones. torch.load can be told where the tensors should go: map_location. And BatchNorm and "
            "Dropout look at the switch that eval() turns.",
            "state_dict() 给的就是网络自己的张量：把字典复制一份，里面还是同样的张量。torch.load "
            "可以指定张量放到哪里：map_location。另外，BatchNorm 和 Dropout 要看 eval() 拨的那个开关。",
        ),
        (
            "torch.save(net.state_dict(), path); net.load_state_dict(torch.load(path, "
            'map_location="cpu")), net.eval(), return net; return copy.deepcopy(net.state_dict()).',
            "存：torch.save(net.state_dict(), path)。取：net.load_state_dict(torch.load(path, "
            'map_location="cpu"))、net.eval()、return net。留：return copy.deepcopy(net.state_dict())。',
        ),
    ],
    wrong=[
        *(forgotten(habits) for count in (1, 2, 3) for habits in combinations(HABITS, count)),
        *(forgotten((WHOLE[0], *habits)) for habits in ((), HABITS[:1], HABITS[2:], HABITS[::2])),
        *(forgotten((WHOLE[1], *habits)) for habits in ((), HABITS[2:])),
        Wrong(
            {'map_location="cpu"': 'map_location="cpu", weights_only=False'},
            "weights_only=False trusts every file: the one that the check opened has run its code, before "
            "load_state_dict could refuse it. A state_dict opens without it.",
            "weights_only=False 等于信任任何文件：检查时打开的那个，在 load_state_dict 拒绝它之前，"
            "代码已经运行了。打开 state_dict 用不着它。",
        ),
        Wrong(
            {
                "copy.deepcopy(net.state_dict())": (
                    "{name: parameter.detach().clone() for name, parameter in net.named_parameters()}"
                )
            },
            "The snapshot {got[snapshot]}, which are the parameters. What BatchNorm keeps of mean and "
            "variance is no parameter, but belongs to the network as well: state_dict() has it.",
            "留的那一份只有参数（{got[snapshot]}）。BatchNorm 记着的均值和方差不是参数，却也是网络的一部分："
            "state_dict() 里才有。",
        ),
        Wrong(
            {"copy.deepcopy(net.state_dict())": "copy.deepcopy(net)"},
            "The snapshot is a copy of the whole network. Asked for are its weights by name: "
            "copy.deepcopy(net.state_dict()).",
            "你留的是整个网络的副本。要的是按名字存的权重：copy.deepcopy(net.state_dict())。",
        ),
        Wrong(
            {"net.state_dict(), path": "dict(net.named_parameters()), path"},
            "Only the parameters are in the file. BatchNorm also keeps mean and variance, which are no "
            "parameters; load_state_dict misses them. state_dict() has all of it.",
            "文件里只有参数。BatchNorm 还记着均值和方差，它们不是参数，load_state_dict 找不到就报错。"
            "state_dict() 里全都有。",
        ),
        Wrong(
            {"    net.load_state_dict(": "    return net.load_state_dict("},
            "load_state_dict changes net and gives back only a note on which names fitted. Return net.",
            "load_state_dict 改的是 net，返回的只是一份名字是否对得上的说明。要返回 net。",
        ),
        Wrong(
            {'net.load_state_dict(torch.load(path, map_location="cpu"))': "return torch.load(path, 'cpu')"},
            "load gives back what the file holds, a dictionary of weights. They have to be poured into net, "
            "and net is what is wanted.",
            "load 返回的是文件里的东西，一个装着权重的字典。要把它装进 net，再返回 net。",
        ),
        Wrong(
            {'torch.load(path, map_location="cpu")': "path"},
            "load_state_dict takes a dictionary of tensors, not a path: torch.load(path) makes the one from "
            "the other.",
            "load_state_dict 要的是装着张量的字典，不是路径：先用 torch.load(path) 读出来。",
        ),
        Wrong(
            {'map_location="cpu")': 'map_location="cpu"), strict=False'},
            "strict=False takes any names: the file whose names do not fit has been opened, and the network "
            "kept its random weights without a word.",
            "strict=False 什么名字都收：名字对不上的文件也打开了，网络一声不吭地留着自己的随机权重。",
        ),
    ],
    variants=[
        {
            "copy.deepcopy(net.state_dict())": (
                "{name: tensor.clone() for name, tensor in net.state_dict().items()}"
            ),
            "    net.eval()\n    return net": "    return net.eval()",
        },
        {
            "copy.deepcopy(net.state_dict())": "copy.deepcopy(net).state_dict()",
            'map_location="cpu")': "map_location=torch.device('cpu'), weights_only=True), assign=True",
        },
        """
        import io
        import torch

        def save(net, path):
            with open(path, "wb") as file:
                torch.save(dict(net.state_dict()), file)

        def load(net, path):
            net.train(False)
            weights = torch.load(path, lambda storage, location: storage)
            net.load_state_dict(weights, strict=True)
            return net

        def snapshot(net):
            memory = io.BytesIO()
            save_to = torch.save(net.state_dict(), memory)
            memory.seek(0)
            return torch.load(memory)
        """,
    ],
    learned=(
        "The loaded network gives what the saved one gave, to the last digit: {got[outputs][0][0]:.4f} for "
        "the first score. The snapshot is {got[snapshot]}, though the network has trained on: without a "
        "copy, the best weights that you keep become the last ones.",
        "加载出来的网络和存的时候答得一模一样，第一个得分是 {got[outputs][0][0]:.4f}。网络又训练了几步，"
        "留的那一份没有变：不复制的话，你留着的最好的权重，到最后都变成最后一步的权重。",
    ),
)
