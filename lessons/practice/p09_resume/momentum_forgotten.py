"""A resume that loads the weights and forgets the optimizer: the curve has a kink."""

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.practice import Mend, Wrong, curve

BEFORE, AFTER = 10, 38  # steps


def probe(learner, seed: int) -> dict:
    """Train in one go with a checkpoint on the way, then go on from it; all losses of the second way."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(64, 4, generator=generator) * torch.tensor([2.0, 1.5, 1.0, 1.0])
    targets = inputs @ torch.randn(4, 1, generator=generator).sign() * 2  # (64, 1)
    loss_fn = nn.MSELoss()

    def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
        losses = []
        for _ in range(steps):
            loss = loss_fn(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    torch.manual_seed(seed)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9)
    before = train(model, optimizer, BEFORE)
    learner.save("last.pth", model, optimizer)
    expected = train(model, optimizer, AFTER)

    torch.manual_seed(seed + 1)  # another day
    model, optimizer = learner.resume("last.pth", lambda: nn.Linear(4, 1))
    first_weight = model.weight.detach().clone()
    after = train(model, optimizer, AFTER)
    same = [got == wanted for got, wanted in zip(after, expected, strict=True)]
    return {
        "losses": before + after,
        "after": after,
        "expected": expected,
        "first other": same.index(False) if False in same else AFTER,  # AFTER: none
        "moved": float((model.weight - first_weight).abs().max()),
    }


exercise = Mend(
    title=("A kink in the curve", "曲线突然拐了一下"),
    task=(
        f"""
        A training was stopped after {BEFORE} steps and resumed. The first loss after the stop is right, but
        then the curve has a kink: the training has lost its speed. The check draws it, {BEFORE} steps
        before and {AFTER} after the stop. Mend the code so that the losses are those of a training never
        stopped. resume gives back the network and its optimizer; new_model() makes a network with new
        weights.
        """,
        f"""
        一次训练走了 {BEFORE} 步后停下，再恢复。停下之后的第一个损失是对的，接着曲线却拐了一下：
        原来的势头没有了。检查时会画出来：停下之前 {BEFORE} 步，之后 {AFTER} 步。
        把代码改好，让损失和一次从没停过的训练一样。
        resume 返回网络和它的优化器；new_model() 建一个权重全新的网络。
        """,
    ),
    solution="""
        import torch


        def save(path, model, optimizer):
            torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)


        def resume(path, new_model):
            checkpoint = torch.load(path)
            model = new_model()
            model.load_state_dict(checkpoint["model"])
            optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9)
            optimizer.load_state_dict(checkpoint["optimizer"])
            return model, optimizer
        """,
    start={"""    optimizer.load_state_dict(checkpoint["optimizer"])\n""": ""},
    symptom=(
        "The first loss after the stop is {got[after][0]:.3f}, as it should be. Four steps later it is "
        "{got[after][4]:.3f}, where a training that was never stopped has {wanted[after][4]:.3f}: the "
        "weights set out from a standstill again.",
        "停下之后的第一个损失是 {got[after][0]:.3f}，没有错。再走四步是 {got[after][4]:.3f}，"
        "而从没停过的训练这时是 {wanted[after][4]:.3f}：权重又从静止重新起步了。",
    ),
    look=lambda got: curve(got["losses"]),
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "With momentum=0.9, what does a step depend on, besides the weights and the gradient? Who keeps "
            "it?",
            "momentum=0.9 时，一步除了权重和梯度还取决于什么？是谁记着它？",
        ),
        (
            "The optimizer keeps a number for each weight. It is in optimizer.state_dict(), and save has "
            "written it. Who reads it?",
            "优化器给每个权重记着一个数，就在 optimizer.state_dict() 里，save 也写进文件了。谁来读它？",
        ),
        (
            "In resume, after the optimizer has been made: optimizer.load_state_dict(checkpoint[...]), as "
            "for the network.",
            "在 resume 里建好优化器之后，和网络一样：optimizer.load_state_dict(checkpoint[...])。",
        ),
    ],
    wrong=[
        Wrong(
            {
                'lr=0.002, momentum=0.9)\n    optimizer.load_state_dict(checkpoint["optimizer"])\n': (
                    "lr=0.02, momentum=0.9)\n"
                )
            },
            "A ten times longer step is no memory of the steps before the stop, and every later step is too "
            "long as well: the second loss after the stop is {got[after][1]:.3f} instead of "
            "{wanted[after][1]:.3f}.",
            "步子放大十倍，并不等于记得停下之前的那些步，而且以后每一步都太长：停下之后的第二个损失是 "
            "{got[after][1]:.3f}，应为 {wanted[after][1]:.3f}。",
        ),
        Wrong(
            {'momentum=0.9)\n    optimizer.load_state_dict(checkpoint["optimizer"])\n': "momentum=0.99)\n"},
            "momentum=0.99 keeps more of each step, but there is no step yet to keep anything of: the "
            "second loss after the stop is still {got[after][1]:.3f} instead of {wanted[after][1]:.3f}. "
            "What is lost is not the setting.",
            "momentum=0.99 是每步多保留一些，可是现在还没有哪一步可以保留：停下之后的第二个损失仍是 "
            "{got[after][1]:.3f}，应为 {wanted[after][1]:.3f}。丢掉的不是这个设置。",
        ),
        Wrong(
            {'checkpoint["optimizer"]': 'checkpoint["model"]'},
            "A name was not found. An optimizer loads what optimizer.state_dict() gave, the whole dict with "
            "'state' and 'param_groups' in it: that is checkpoint['optimizer'], neither the network's "
            "weights nor a part of it.",
            "有个名字没找到。优化器加载的应当是 optimizer.state_dict() 给出的整个字典，里面有 'state' 和 "
            "'param_groups'，也就是 checkpoint['optimizer']；不是网络的权重，也不是其中的一部分。",
        ),
        Wrong(
            {
                '    optimizer.load_state_dict(checkpoint["optimizer"])\n': "    optimizer = "
                'checkpoint["optimizer"]\n'
            },
            "What is in the file is a dict of numbers, not an optimizer: it cannot step. Make the optimizer "
            "first, then let it load that dict.",
            "文件里的是一个装着数的字典，不是优化器，走不了步。先建好优化器，再让它加载这个字典。",
        ),
        Wrong(
            {"SGD(model.parameters()": "SGD(new_model().parameters()"},
            "No weight moves any more ({got[moved]:.3f}), and the loss stays at {got[after][37]:.3f}: the "
            "optimizer has the weights of another new_model(), not of the network that you give back.",
            "权重不再动了（{got[moved]:.3f}），损失停在 {got[after][37]:.3f}：优化器管的是另一个 new_model() "
            "的权重，不是你返回的那个网络的。",
        ),
        Wrong(
            {'    model.load_state_dict(checkpoint["model"])\n': ""},
            "The optimizer has its momentum, but the network has new weights: the first loss after the stop "
            "is {got[after][0]:.3f} instead of {wanted[after][0]:.3f}. Both belong together.",
            "优化器的动量有了，网络的权重却是新的：停下之后的第一个损失是 {got[after][0]:.3f}，应为 "
            "{wanted[after][0]:.3f}。两样缺一不可。",
        ),
    ],
    variants=[
        {
            '    optimizer.load_state_dict(checkpoint["optimizer"])\n': "    state = "
            'checkpoint["optimizer"]\n    optimizer.load_state_dict(state)\n'
        },
        {
            '    model.load_state_dict(checkpoint["model"])\n': "",
            "    return model, optimizer": '    model.load_state_dict(checkpoint["model"])\n'
            "    return model, optimizer",
        },
        """
        import torch

        def save(path, model, optimizer):
            torch.save((model.state_dict(), optimizer.state_dict()), path)

        def resume(path, new_model):
            weights, moving = torch.load(path)
            model = new_model()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.1)
            optimizer.load_state_dict(moving)  # brings lr and momentum along
            model.load_state_dict(weights)
            return model, optimizer
        """,
        """
        import torch

        def save(path, model, optimizer):
            momentum = [optimizer.state[p]["momentum_buffer"] for p in model.parameters()]
            torch.save({"model": model.state_dict(), "momentum": momentum}, path)

        def resume(path, new_model):
            checkpoint = torch.load(path)
            model = new_model()
            model.load_state_dict(checkpoint["model"])
            optimizer = torch.optim.SGD(model.parameters(), lr=0.002, momentum=0.9)
            for parameter, kept in zip(model.parameters(), checkpoint["momentum"]):
                optimizer.state[parameter]["momentum_buffer"] = kept
            return model, optimizer
        """,
    ],
    learned=(
        "All losses after the stop are those of a training never stopped, down to {got[after][37]:.4f}. The "
        "first one was right before, too: a loss is measured before its step, so a missing momentum shows "
        "one step later. Look at the second loss when you test a resume.",
        "停下之后的每个损失都和从没停过的训练一样，最后是 {got[after][37]:.4f}。第一个损失本来就对："
        "损失是走这一步之前算的，少了动量，要到下一个才看得出来。所以检验恢复，要看第二个损失。",
    ),
)
