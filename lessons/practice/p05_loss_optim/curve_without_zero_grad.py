"""A training loop without zero_grad: the curve gives it away."""

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.practice import Mend, Wrong, curve

STEPS = 60


def probe(learner, seed: int) -> dict:
    """Train a layer that is to find the three weights of a sum; its losses, and how its weights moved."""
    torch.manual_seed(seed)
    inputs = torch.randn(64, 3)
    targets = inputs @ torch.tensor([[2.0], [-1.0], [1.0]]) + 0.1 * torch.randn(64, 1)  # (64, 1)
    batches = [(inputs[i::4], targets[i::4]) for i in range(4)] * (STEPS // 4)
    model = nn.Linear(3, 1)
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.03)
    steps = []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    losses = [float(loss) for loss in learner.train(model, batches, nn.MSELoss(), optimizer)]
    moved = float((model.weight - before).abs().max())
    return {
        "losses": losses,
        "late": max(losses[-20:]),
        "moved": moved,
        "steps": len(steps),
        "left over": moved == 0 and model.weight.grad is not None,  # a gradient with which nothing was done
    }


exercise = Mend(
    title=("A curve that swings", "来回摆动的曲线"),
    task=(
        """
        This loop trains a small network and runs without an error. Its loss comes down at first, but
        does not stay there: the check draws the curve. Mend the loop, so that each step goes down the
        slope of its own batch and of nothing else. train gives back one loss a batch.
        """,
        """
        这个循环训练一个小网络，运行时不报错。损失先降下去，却留不住：检查时会画出曲线。
        把循环改好，让每一步只沿着当前这一批的梯度往下走。train 返回每一批的损失。
        """,
    ),
    solution="""
        def train(model, batches, loss_fn, optimizer):
            losses = []
            for inputs, targets in batches:
                outputs = model(inputs)
                loss = loss_fn(outputs, targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            return losses
        """,
    start={"        optimizer.zero_grad()\n": ""},
    symptom=(
        "The loss swings: it begins at {got[losses][0]:.2f} and among the last 20 steps it still reaches "
        "{got[late]:.2f}, where {wanted[late]:.3f} would be possible. Each step repeats the steps before it.",
        "损失来回摆动：从 {got[losses][0]:.2f} 开始，最后 20 步里还会升到 {got[late]:.2f}，本来可以在 "
        "{wanted[late]:.3f} 以下。每一步都把以前的各步又走了一遍。",
    ),
    look=lambda got: curve(got["losses"]),
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "Print model.weight.grad after backward, in the first two batches. What is in the second?",
            "在前两批的 backward 之后打印 model.weight.grad。第二次里有什么？",
        ),
        (
            "backward adds. Somebody has to make the gradients empty, once a batch.",
            "backward 是累加的。每一批都得有人把梯度清空一次。",
        ),
        (
            "optimizer.zero_grad() empties them. After the last step of the batch before, and before "
            "backward.",
            "optimizer.zero_grad() 把梯度清空：放在上一批的 step 之后、这一批的 backward 之前。",
        ),
    ],
    wrong=[
        Wrong(
            {
                "        optimizer.zero_grad()\n": "",
                "loss.backward()\n": "loss.backward()\n        optimizer.zero_grad()\n",
            },
            "Now the curve is that of a network that learns nothing: its weights moved by "
            "{got[moved]:.3f}. zero_grad stands between backward and step, so there is no gradient left "
            "to step with.",
            "现在网络什么也没学：权重移动了 {got[moved]:.3f}。zero_grad 夹在 backward 和 step 之间，"
            "到 step 时梯度已经没了。",
        ),
        Wrong(
            {
                "        optimizer.zero_grad()\n": "",
                "        losses.append": "        if len(losses) % 2:\n            optimizer.zero_grad()\n   "
                "     losses.append",
            },
            "The gradients are emptied at every second batch only: the batches between still get the one "
            "before added.",
            "隔一批才清空一次：中间那一批的梯度里还加着上一批的。",
        ),
        Wrong(
            {"        optimizer.step()\n": ""},
            "The gradients are worked out and never used: step was called {got[steps]} times, and the "
            "weights moved by {got[moved]:.3f}.",
            "梯度算出来了却没有用：step 调用了 {got[steps]} 次，权重移动了 {got[moved]:.3f}。",
        ),
        Wrong(
            {"loss.backward()\n        optimizer.step()": "optimizer.step()\n        loss.backward()"},
            "step comes before backward: it finds gradients that zero_grad has just emptied, and moves "
            "the weights by {got[moved]:.3f}.",
            "step 在 backward 前面：它拿到的是刚被 zero_grad 清空的梯度，权重移动了 {got[moved]:.3f}。",
        ),
        Wrong(
            {
                "        optimizer.zero_grad()\n": "        for group in optimizer.param_groups:\n           "
                " group['lr'] = 0.003\n"
            },
            "The steps are ten times shorter now, and gradients still pile up: the curve looks better "
            "for a while, for another reason. The learning rate was not the fault.",
            "步子缩短到十分之一，梯度却还在累积：曲线好看了一阵，原因却不对。学习率没有错。",
        ),
        Wrong(
            {"losses.append(loss.item())": "losses.append(loss.item() / len(inputs))"},
            "The training is right, but the losses are divided by the batch once more: MSELoss is a mean "
            "already.",
            "训练对了，但损失又除了一次批的大小：MSELoss 本来就是平均值。",
        ),
    ],
    variants=[
        {"optimizer.zero_grad()": "model.zero_grad()"},
        {
            "        optimizer.zero_grad()\n": "",
            "        losses.append": "        optimizer.zero_grad()\n        losses.append",
        },
        {"optimizer.zero_grad()": "for p in model.parameters():\n            p.grad = None"},
        {"optimizer.zero_grad()": "optimizer.zero_grad(set_to_none=False)"},
    ],
    learned=(
        "The loss now goes from {got[losses][0]:.2f} to {got[losses][59]:.3f}. Without zero_grad, backward "
        "adds each batch's gradient to all those before: like a momentum that never fades. That it adds is "
        "meant: so can a large batch be worked out in pieces.",
        "现在损失从 {got[losses][0]:.2f} 降到 {got[losses][59]:.3f}。没有 zero_grad 时，"
        "每一批的梯度都加在以前所有的上面，好像永不衰减的动量。累加是有意的设计：这样一大批可以拆成几份来算。"
        "",
    ),
)
