"""A file of a whole model, and a class that has moved since."""

import os
import sys
from contextlib import suppress
from types import ModuleType

import torch
from hypothesis import strategies as st

from lessons.practice import Mend, Wrong

OLD_HOME = "my_training_script"


def probe(learner, seed: int) -> dict:
    """Save a network while its class lives in one module, load it when it lives in another."""
    renamed = sys.modules.pop(OLD_HOME, None)  # the file may have put something there
    torch.manual_seed(seed)
    net, imgs = learner.Net(), torch.rand(2, 6)
    wanted = net(imgs).detach()
    path = "net.pth"
    old_home = ModuleType(OLD_HOME)
    old_home.Net = learner.Net
    try:
        learner.Net.__module__, sys.modules[OLD_HOME] = OLD_HOME, old_home
        learner.save(net, path)
        seen = {"the file holds": what_is_in(path), "load": "", "outputs": "none"}
        learner.Net.__module__ = learner.__name__
        sys.modules.pop(OLD_HOME)
        if renamed:
            sys.modules[OLD_HOME] = renamed
        try:
            loaded = learner.load(path)
        except Exception as error:
            return {**seen, "load": f"{type(error).__name__}: {error}".splitlines()[0].partition(" (")[0]}
        seen["load"] = f"gives back {type(loaded).__name__}"
        if isinstance(loaded, torch.nn.Module):
            outputs = loaded(imgs).detach()
            seen["outputs"] = outputs if torch.equal(outputs, wanted) else "not those of the saved network"
        return seen
    finally:
        sys.modules.pop(OLD_HOME, None)


def what_is_in(path: str) -> str:
    """Numbers and names, or which other object; opened while the class is still where it was."""
    for weights_only in (True, False):
        with suppress(Exception):
            content = torch.load(path, weights_only=weights_only)
            return "numbers and names" if weights_only else f"a whole {type(content).__name__}"
    return "nothing that torch.load reads" if os.path.exists(path) else "nothing, it is not there"


exercise = Mend(
    title=("The class has moved", "类搬家了"),
    task=(
        """
        Net was written in my_training_script.py, and save wrote a file from there. Since then Net has
        moved into this file, and load does not open that one any more: the check shows the message. Mend
        save and load, so that a file of today opens wherever Net lives tomorrow. load gives back a Net
        with the saved weights.
        """,
        """
        Net 原来写在 my_training_script.py 里，当时用 save 存了一个文件。后来 Net 搬到了现在这个文件，
        load 就打不开它了：检查时会显示报错。把 save 和 load 改好，让今天存的文件，
        不管以后 Net 搬到哪里都能打开。load 返回一个 Net，权重就是存下来的那些。
        """,
    ),
    solution="""
        import torch
        from torch import nn


        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.model1 = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))

            def forward(self, imgs):
                return self.model1(imgs)


        def save(net, path):
            torch.save(net.state_dict(), path)


        def load(path):
            net = Net()
            net.load_state_dict(torch.load(path))
            return net
        """,
    start={
        "net.state_dict()": "net",
        "    net = Net()\n    net.load_state_dict(torch.load(path))\n    return net\n": (
            "    return torch.load(path, weights_only=False)\n"
        ),
    },
    symptom=(
        "load fails: {got[load]}. The file names the class and the module in which it was, "
        "my_training_script, and Net is not there any more.",
        "load 失败：{got[load]}。文件里记的是类的名字和它当时所在的模块 my_training_script，而 Net "
        "已经不在那里了。",
    ),
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "What does the file hold, if opening it needs a module that does not appear in load?",
            "load 里根本没写那个模块，打开文件却要用到它：那么文件里存的是什么？",
        ),
        (
            "Save what needs no class: names and tensors. Then load needs a Net to pour them into.",
            "存那些不需要类的东西：名字和张量。这样 load 就得先有一个 Net，再把它们装进去。",
        ),
        (
            "torch.save(net.state_dict(), path); and in load: net = Net(), "
            "net.load_state_dict(torch.load(path)), return net.",
            "torch.save(net.state_dict(), path)；load 里依次是 net = Net()、"
            "net.load_state_dict(torch.load(path))、return net。",
        ),
    ],
    wrong=[
        Wrong(
            {
                "net.state_dict()": "net",
                "    net = Net()\n    net.load_state_dict(torch.load(path))\n    return net\n": (
                    "    return torch.load(path)\n"
                ),
            },
            "PyTorch refuses the file, since it holds more than tensors: save still writes the whole "
            "network, and with it the old name of its class. What has to change is what save writes.",
            "PyTorch 不肯打开，因为文件里不只有张量：save 写进去的还是整个网络，连同类的旧名字。"
            "要改的是 save 写什么。",
        ),
        Wrong(
            {
                "import torch\n": "import sys\nimport torch\n",
                "net.state_dict()": "net",
                "    net = Net()\n    net.load_state_dict(torch.load(path))\n    return net\n": (
                    "    sys.modules['my_training_script'] = sys.modules[__name__]\n"
                    "    return torch.load(path, weights_only=False)\n"
                ),
            },
            "It opens, because the old name leads to this file now. But the file is still the whole network: "
            "with the next move you need one more such line. This opens an old file once; then save the "
            "state_dict.",
            "打得开了，因为旧名字现在指向这个文件。可存的还是整个网络：下次再搬，又得添这样一行。"
            "用它把旧文件打开一次可以，然后就该改存 state_dict。",
        ),
        Wrong(
            {
                "    net = Net()\n    net.load_state_dict(torch.load(path))\n    return net\n": (
                    "    return torch.load(path)\n"
                )
            },
            "The file is right now. But what comes out of it is the dictionary of weights, not a network: "
            "make a Net() and pour them in with load_state_dict.",
            "文件对了。可取出来的是装着权重的字典，不是网络：先建一个 Net()，再用 load_state_dict 装进去。",
        ),
        Wrong(
            {
                "    net.load_state_dict(torch.load(path))\n    return net\n": (
                    "    return net.load_state_dict(torch.load(path))\n"
                )
            },
            "load_state_dict changes the network and gives back only a note on which names fitted. Return "
            "the network itself.",
            "load_state_dict 改的是网络，返回的只是一份名字是否对得上的说明。要返回的是网络。",
        ),
        Wrong(
            {"    return net\n": ""},
            "The weights are in the network, but load does not give it back.",
            "权重装进网络了，但 load 没有把它返回。",
        ),
        Wrong(
            {
                "    net.load_state_dict(torch.load(path))\n": (
                    "    weights = net.state_dict()\n    weights = torch.load(path)\n"
                )
            },
            "A Net comes back, but with random weights of its own: what was read from the file has to go "
            "into it, with net.load_state_dict(...).",
            "返回的是 Net，但权重是它自己的随机数：从文件里读出来的，要用 net.load_state_dict(...) 装进去。",
        ),
        Wrong(
            {
                "net.state_dict()": "net",
                "    net = Net()\n    net.load_state_dict(torch.load(path))\n    return net\n": (
                    "    try:\n        return torch.load(path, weights_only=False)\n"
                    "    except Exception:\n        return Net()\n"
                ),
            },
            "No error any more, and no saved weights either: where the file does not open, you give back a "
            "new network with random ones, and nobody is told.",
            "不报错了，存下的权重也没有了：文件打不开时，你返回的是权重随机的新网络，而且一声不吭。",
        ),
        Wrong(
            {"net.state_dict()": "net.state_dict"},
            "The brackets are missing: net.state_dict is the method, and with it the whole network goes into "
            "the file. net.state_dict() is the dictionary.",
            "少了括号：net.state_dict 是方法，存它就把整个网络也存进去了。net.state_dict() 才是那个字典。",
        ),
    ],
    variants=[
        {
            "net.state_dict()": '{"weights": net.state_dict()}',
            "torch.load(path)": 'torch.load(path)["weights"]',
        },
        {"torch.load(path)": 'torch.load(path, map_location="cpu", weights_only=True), assign=True'},
        """
        import torch

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model1 = torch.nn.Sequential(
                    torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3)
                )

            def forward(self, imgs):
                return self.model1(imgs)

        def save(net, path):
            with open(path, "wb") as file:
                torch.save(dict(net.named_parameters()), file)

        def load(path):
            weights = torch.load(path, mmap=True)
            net = Net().eval()
            with torch.no_grad():
                for name, parameter in net.named_parameters():
                    parameter.copy_(weights[name])
            return net
        """,
    ],
    learned=(
        "The first score of the first picture is {got[outputs][0][0]:.3f}, before the move and after it: the "
        "file holds {got[the file holds]}, and nobody needs to find Net under its old name. A whole model is "
        "fine for a minute; what is to open next year is a state_dict.",
        "第一张图片的第一个得分，搬家前后都是 {got[outputs][0][0]:.3f}：文件里只有名字和数，"
        "谁也不必按旧名字去找 Net。整个模型存一会儿没关系；明年还要打开的，就存 state_dict。",
    ),
)
