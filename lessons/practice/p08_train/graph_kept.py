"""running_loss += loss keeps the graph of every batch until the epoch ends."""

import weakref

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lessons.practice import Mend, Wrong, curve


class Token:
    """Lives as long as the graph that it belongs to."""


class Marked(torch.autograd.Function):
    """Changes nothing; its place in the graph holds a token, so that graphs can be counted."""

    @staticmethod
    def forward(ctx, numbers: Tensor, alive: weakref.WeakSet) -> Tensor:
        ctx.token = Token()
        alive.add(ctx.token)
        return numbers.view_as(numbers)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple:
        return grad, None


class Counting(nn.Module):
    """A network that notes, each time it is called, how many graphs of earlier calls are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        self.alive: weakref.WeakSet = weakref.WeakSet()
        self.graphs: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        self.graphs.append(len(self.alive))
        return Marked.apply(self.layers(inputs), self.alive)


def probe(learner, seed: int, batches: int) -> dict:
    """Train for an epoch: how many graphs were in memory at each batch, and what came back."""
    torch.manual_seed(seed)
    model = Counting()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    data = [(torch.randn(8, 6), torch.randint(3, (8,))) for _ in range(batches)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    returned = learner.train_epoch(model, data, nn.CrossEntropyLoss(), optimizer)
    return {
        "loss": float(returned),
        # The batch before may be there or not: its loss still has a name. So 1 and 0 are the same here
        "graphs": [max(1, number) for number in model.graphs],
        "most": max(1, *model.graphs),
        "afterwards": len(model.alive),
        "moved": any(not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)),
    }


exercise = Mend(
    title=("The memory that grows", "越占越多的内存"),
    task=(
        """
        train_epoch trains for an epoch and gives back the mean of the batches' losses. The training is
        right, but memory grows from batch to batch. The check counts how many batches still have their
        graph, the record that backward follows, in memory when the next batch comes, and draws it.
        Mend train_epoch, so that no graph is kept longer than its batch. The mean stays the same.
        """,
        """
        train_epoch 训练一轮，返回各批损失的平均。训练没有错，可是内存一批比一批占得多。
        检查时会数：下一批来的时候，还有几批的计算图（backward 沿着它往回走）留在内存里，并画成曲线。
        把 train_epoch 改好，让每张计算图都不比自己那一批留得更久。返回的平均值不变。
        """,
    ),
    solution="""
        def train_epoch(model, dataloader, loss_fn, optimizer):
            running_loss = 0.0
            for imgs, targets in dataloader:
                outputs = model(imgs)
                loss = loss_fn(outputs, targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                running_loss += loss.item()
            return running_loss / len(dataloader)
        """,
    start={"loss.item()": "loss"},
    symptom=(
        "The curve climbs by one with each batch: when the last of {batches} batches came, {got[most]} "
        "earlier ones still had their graph in memory. One, that of the batch just done, would be enough.",
        "曲线每过一批就高 1：{batches} 批里的最后一批来的时候，前面还有 {got[most]} "
        "批的计算图留在内存里。本来有刚走完的那一批就够了。",
    ),
    look=lambda got: curve(got["graphs"], height=4),
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999), "batches": st.integers(16, 40)}),
    probe=probe,
    hints=[
        (
            "Print running_loss after the second batch. What stands behind the number?",
            "在第二批之后打印 running_loss。数字后面还跟着什么？",
        ),
        (
            "grad_fn is where a tensor came from: a sum of losses remembers every loss in it, and each loss "
            "its whole batch. A sum of plain numbers remembers nothing.",
            "grad_fn 说的是张量从哪里算来：把损失加起来，和就记着其中每个损失，每个损失又记着自己的整个批。"
            "普通的数加起来，就什么也不记。",
        ),
        (
            "Add a number instead of a tensor, and in each batch, not at the end: loss.item().",
            "加进去的要是数，不是张量；而且每一批都要这样做，不能等到最后：loss.item()。",
        ),
    ],
    wrong=[
        Wrong(
            {
                "loss.item()": "loss",
                "return running_loss / len(dataloader)": "return (running_loss / len(dataloader)).item()",
            },
            "What comes back is a plain number now, and afterwards all graphs are gone. But during the "
            "epoch they still pile up, {got[most]} of them: .item() comes too late. Take the number out in "
            "each batch.",
            "现在返回的是普通的数，结束之后计算图也都没了。可是这一轮里它们照样越积越多，到了 {got[most]} "
            "张：.item() 来得太晚，每一批都该取。",
        ),
        Wrong(
            {
                "outputs = model(imgs)\n        loss = loss_fn(outputs, targets)": "with torch.no_grad():\n"
                "            outputs = model(imgs)\n            loss = loss_fn(outputs, targets)",
                "def train_epoch": "import torch\n\n\ndef train_epoch",
            },
            "Now there is no graph at all, so backward has nothing to go back through: no_grad, or detach "
            "before backward, is for a test. A training needs the graph of its batch, until its step.",
            "现在根本没有计算图，backward 就无路可走：测试才用 no_grad，backward 之前也不能 detach。"
            "训练时，每一批的计算图要留到走完这一步。",
        ),
        Wrong(
            {
                "loss_fn(outputs, targets)": "loss_fn(outputs, targets).item()",
                "+= loss.item()": "+= loss",
            },
            "loss is a plain number before backward now, and a number has no graph. Keep the tensor for "
            "backward, and take the number out where it is added.",
            "还没有 backward，loss 就成了普通的数，而数没有计算图。backward 用张量，累加的时候再把数取出来。",
        ),
        Wrong(
            {"running_loss += loss.item()": "running_loss = loss.item()"},
            "No graph is kept, but = instead of += keeps only the last loss as well: divided by {batches} "
            "batches it is {got[loss]:.3f} instead of {wanted[loss]:.3f}.",
            "计算图不再留着，可是把 += 写成 =，留下的也只有最后一个损失：除以 {batches} 批之后是 "
            "{got[loss]:.3f}，应为 {wanted[loss]:.3f}。",
        ),
        Wrong(
            {"loss.item()": "loss.item() * len(imgs)"},
            "No graph is kept, but the losses are multiplied by the pictures of the batch and divided by the "
            "{batches} batches: {got[loss]:.3f} instead of {wanted[loss]:.3f}. Weigh with the pictures in "
            "both places, or in neither.",
            "计算图不再留着，但损失乘的是这一批的图片数，除的却是批数 {batches}：得到 {got[loss]:.3f}，应为 "
            "{wanted[loss]:.3f}。要按图片算就两处都按图片，要么都不按。",
        ),
        Wrong(
            {"running_loss / len(dataloader)": "running_loss"},
            "No graph is kept, but what comes back is the sum of {batches} losses, {got[loss]:.3f}, not "
            "their mean.",
            "计算图不再留着，但返回的是 {batches} 个损失的和 {got[loss]:.3f}，不是平均。",
        ),
        Wrong(
            {"        loss.backward()\n        optimizer.step()\n": ""},
            "Few graphs are kept, but nothing is learnt any more: backward and step are gone. The graph is "
            "there for backward; only running_loss must not keep it.",
            "计算图留得不多了，网络却什么也没学：backward 和 step 没有了。计算图就是给 backward 用的，"
            "只是不该让 running_loss 一直拿着。",
        ),
    ],
    variants=[
        {"loss.item()": "loss.detach()"},
        {"loss.item()": "float(loss)", "        running_loss": "        del outputs\n        running_loss"},
        {
            "        running_loss += loss.item()": "        with torch.no_grad():\n            running_loss "
            "+= loss",
            "def train_epoch": "import torch\n\n\ndef train_epoch",
        },
        """
        import torch

        def train_epoch(network, batches, criterion, optim):
            losses = []
            for x, y in batches:
                optim.zero_grad()
                loss = criterion(network(x), y)
                loss.backward()
                optim.step()
                losses.append(loss.tolist())
                del loss
            return torch.tensor(losses).mean()
        """,
    ],
    learned=(
        "In {batches} batches, never more than {got[most]} graph was left over. A loss is a tensor that "
        "knows where it came from; add two, and the sum knows both. For a chart, a mean or a message take "
        "the number: loss.item().",
        "{batches} 批里，留下的计算图从来不超过 {got[most]} 张。损失是张量，记着自己从哪里算来；"
        "两个相加，和就记着两个。画图、求平均、打印，都只取它的数：loss.item()。",
    ),
)
