"""One training step: which lines, in which order, and what comes back."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lessons.practice import Write, Wrong


class Watched(nn.CrossEntropyLoss):
    """Notes whether it got scores, and whether what it gave out can be sent backward."""

    scores = graph = True

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.scores = outputs.is_floating_point()
        loss = super().forward(outputs, targets)
        self.graph = loss.requires_grad
        return loss


def probe(learner, seed: int, batch: int, evaluated: bool) -> dict:
    """Two steps with a network that has Dropout and an optimizer with momentum, and what they did."""
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.5)
    loss_fn = Watched()
    steps, backward, training = [], [], []
    optimizer.register_step_post_hook(lambda *_: steps.append(1))
    model[1].weight.register_hook(lambda _: backward.append(1))
    model[3].register_forward_hook(lambda dropout, *_: training.append(dropout.training))
    before = model[1].weight.detach().clone()
    returned, seen = [], {}
    for _ in range(2):
        model.train(not evaluated)  # an evaluation has left it so, or not
        imgs, targets = torch.rand(batch, 3, 4, 4), torch.arange(batch) % 4  # (N, 3, 4, 4), (N,)
        try:
            loss = learner.train_step(model, imgs, targets, loss_fn, optimizer)
        except RuntimeError as error:
            if not loss_fn.scores:
                return {"loss": "gets whole numbers"}
            if not loss_fn.graph:
                return {"backward": "has no graph to follow"}
            if "modified by an inplace operation" in str(error):
                return {"backward": "finds weights that step has changed"}
            raise
        returned.append(None if loss is None else float(loss))
        seen["returns"] = what_it_is(loss)
    moved = float((model[1].weight - before).abs().max())
    return {
        **seen,
        "losses": returned,
        "in training mode": training,
        "times backward": len(backward),
        "times step": len(steps),
        "moved": moved,
        "gradient unused": moved == 0 and model[1].weight.grad is not None,
        "weights": model[1].weight,
    }


def what_it_is(loss: object) -> str:
    if loss is None:
        return "nothing"
    return "a loss with its graph" if getattr(loss, "requires_grad", False) else "a number"


SWITCH = Wrong(
    {"    model.train()\n": ""},
    "After an evaluation the network is not in training mode, and Dropout drops nothing: model.train() turns "
    "the switch back.",
    "做完测试，网络不在训练模式，Dropout 什么也不丢：要用 model.train() 把开关拨回来。",
)

# Each of these is made with the switch forgotten as well
MISTAKES = [
    Wrong(
        {"    optimizer.zero_grad()\n": ""},
        "There is no zero_grad: backward adds to the gradients of the batch before, so your second step "
        "follows two batches at once.",
        "没有 zero_grad：backward 把新梯度加在上一批的上面，所以第二步跟着走的是两批混在一起的方向。",
    ),
    Wrong(
        {
            "    optimizer.zero_grad()\n": "",
            "loss.backward()\n": "loss.backward()\n    optimizer.zero_grad()\n",
        },
        "zero_grad stands between backward and step: it throws away what step was to use, and the "
        "weights moved by {got[moved]:.1f}.",
        "zero_grad 夹在 backward 和 step 之间，把 step 要用的梯度扔掉了：权重移动了 {got[moved]:.1f}。",
    ),
    Wrong(
        {"loss.backward()\n    optimizer.step()": "optimizer.step()\n    loss.backward()"},
        "step comes before backward: the gradients that it would use have just been emptied, and those "
        "of this batch come too late. The weights moved by {got[moved]:.1f}.",
        "step 在 backward 前面：要用的梯度刚被清空，这一批的梯度又来得太晚。权重移动了 {got[moved]:.1f}。",
    ),
    Wrong(
        {"    optimizer.step()\n": ""},
        "The gradients are worked out and nobody uses them: without optimizer.step() no weight moves.",
        "梯度算出来了，却没人用：没有 optimizer.step()，权重一个也不会动。",
    ),
    Wrong(
        {"    loss.backward()\n": ""},
        "Without loss.backward() there are no gradients, and step passes over every weight.",
        "没有 loss.backward() 就没有梯度，step 会跳过所有权重。",
    ),
    Wrong(
        {"loss_fn(outputs, targets)": "loss_fn(torch.softmax(outputs, dim=1), targets)"},
        "There is a softmax before the loss. CrossEntropyLoss has one inside and wants the scores as "
        "they are: your first loss is {got[losses][0]:.3f}, of the scores it is {wanted[losses][0]:.3f}.",
        "损失前面多了一个 softmax。CrossEntropyLoss 里面已经有了，它要的是得分本身：你的第一个损失是 "
        "{got[losses][0]:.3f}，用得分来算是 {wanted[losses][0]:.3f}。",
    ),
    Wrong(
        {"return loss.item()": "return loss"},
        "What comes back is the loss with its graph. Whoever collects it keeps "
        "the graph in memory as well: loss.item() is the number alone.",
        "返回的损失还带着计算图。谁把它收集起来，计算图也就留在内存里了：loss.item() 才只是那个数。",
    ),
    Wrong(
        {"    return loss.item()\n": ""},
        "Nothing comes back: return the loss.",
        "什么也没返回：要返回损失。",
    ),
    Wrong(
        {"return loss.item()": "return loss.item() / len(imgs)"},
        "The loss that comes back is divided by the {batch} pictures once more: CrossEntropyLoss "
        "is a mean already.",
        "返回的损失又除了一次 {batch} 张图片：CrossEntropyLoss 本来就是平均值。",
    ),
]


def with_switch(mistake: Wrong) -> Wrong:
    return Wrong(
        {**SWITCH.answer, **mistake.answer},
        f"{mistake.english} {SWITCH.english}",
        mistake.chinese + SWITCH.chinese,
    )


exercise = Write(
    title=("One training step", "训练的一步"),
    task=(
        """
        One step of training on one batch. The first of its lines is there; write the others.

        imgs (N, 3, 4, 4) and targets (N,) are the batch, and model gives four scores a picture. Give back
        the loss of this batch, as a number that keeps nothing else in memory.

        model has a Dropout layer. It may come straight from an evaluation, where model.eval() was called.
        """,
        """
        在一批图片上训练一步。第一行已经写好，其余的由你来写。

        imgs (N, 3, 4, 4) 和 targets (N,) 是这一批，model 给每张图片四个得分。返回这一批的损失：
        只要一个数，不要让它把别的东西留在内存里。

        model 里有 Dropout 层。它可能刚做完测试，在那里调用过 model.eval()。
        """,
    ),
    start="""
        import torch


        def train_step(model, imgs, targets, loss_fn, optimizer):
            outputs = model(imgs)  # (N, 4)
            ...
        """,
    solution="""
        import torch


        def train_step(model, imgs, targets, loss_fn, optimizer):
            model.train()
            outputs = model(imgs)  # (N, 4)
            loss = loss_fn(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()
        """,
    cases=st.fixed_dictionaries(
        {"seed": st.integers(1, 999), "batch": st.integers(2, 6), "evaluated": st.booleans()}
    ),
    probe=probe,
    examples=12,
    hints=[
        (
            "Five things in the order in which they need each other: the loss needs the scores, backward "
            "needs the loss, and what does step need?",
            "按谁需要谁来排：损失需要得分，backward 需要损失，那么 step 需要什么？",
        ),
        (
            "Gradients of the batch before must be gone before backward adds to them. And Dropout looks at "
            "a switch that eval() has turned off.",
            "上一批的梯度要在 backward 累加之前清掉。另外，Dropout 要看一个开关，eval() 把它关掉了。",
        ),
        (
            "model.train() at the top; after the scores: loss = loss_fn(outputs, targets), "
            "optimizer.zero_grad(), loss.backward(), optimizer.step(). The number itself is loss.item().",
            "最上面 model.train()；得分之后依次是 loss = loss_fn(outputs, targets)、optimizer.zero_grad()、"
            "loss.backward()、optimizer.step()。损失这个数本身是 loss.item()。",
        ),
    ],
    wrong=[
        SWITCH,
        *MISTAKES,
        *map(with_switch, MISTAKES),
        Wrong(
            {
                "    optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()": (
                    "    optimizer.step()\n    optimizer.zero_grad()\n    loss.backward()"
                )
            },
            "step comes before backward. In the second batch it finds the gradients of the first and moves "
            "the weights, and backward then refuses: it needs the weights as they were when the loss was "
            "worked out. First backward, then step.",
            "step 排在 backward 前面。到第二批，它拿着第一批的梯度移动了权重，backward 就不干了："
            "它要的是算损失时的那些权重。应当先 backward，再 step。",
        ),
        Wrong(
            {"model.train()": "model.eval()"},
            "model.eval() is for testing: with it, Dropout drops nothing while you train. A training step "
            "wants model.train().",
            "model.eval() 是测试用的：有了它，训练时 Dropout 什么也不丢。训练一步要的是 model.train()。",
        ),
        Wrong(
            {"outputs = model(imgs)": "with torch.no_grad():\n        outputs = model(imgs)"},
            "Under torch.no_grad() the network leaves no record of what it did, and backward has nothing to "
            "follow. That is for testing alone.",
            "在 torch.no_grad() 里，网络不记录自己做了什么，backward 无路可走。那只用于测试。",
        ),
        Wrong(
            {"loss_fn(outputs, targets)": "loss_fn(outputs.argmax(dim=1), targets)"},
            "argmax is for counting right answers. The loss wants the four scores of each picture, not the "
            "number of the best one: that number says nothing of how the weights should move.",
            "argmax 是数对了几个时用的。损失要的是每张图片的四个得分，不是最高分的编号："
            "从编号看不出权重该往哪里动。",
        ),
        Wrong(
            {"loss_fn(outputs, targets)": "loss_fn(outputs, targets) / len(imgs)"},
            "The loss is divided by the {batch} pictures of the batch, but loss_fn has taken the mean "
            "already: {got[losses][0]:.3f} instead of {wanted[losses][0]:.3f}, and the steps are {batch} "
            "times too short.",
            "损失又除了一次这一批的 {batch} 张，而 loss_fn 给的已经是平均值：得到 {got[losses][0]:.3f}，应为 "
            "{wanted[losses][0]:.3f}；步子也短到 {batch} 分之一。",
        ),
    ],
    variants=[
        {
            "    optimizer.zero_grad()\n": "",
            "    model.train()\n": "    model.train()\n    optimizer.zero_grad()\n",
            "loss.item()": "loss.detach()",
        },
        {
            "    optimizer.zero_grad()\n": "",
            "optimizer.step()\n": "optimizer.step()\n    optimizer.zero_grad()\n",
            "loss.item()": "float(loss)",
        },
        {"optimizer.zero_grad()": "model.zero_grad()", "model.train()": "model.train(mode=True)"},
        """
        import torch.nn.functional as F

        def train_step(model, imgs, targets, loss_fn, optimizer):
            for parameter in model.parameters():
                parameter.grad = None
            model.training or model.train()
            scores = model.forward(imgs)
            loss = F.cross_entropy(scores, targets)
            number = loss.detach().numpy()
            loss.backward()
            optimizer.step()
            return number
        """,
    ],
    learned=(
        "In two steps the weights moved by {got[moved]:.3f} at most, as they should, and the first loss, "
        "{got[losses][0]:.3f}, lies about log 4 = 1.386. zero_grad may stand anywhere but between backward "
        "and step. Two switches are easily mixed up: train() and eval() are for layers such as Dropout, "
        "no_grad is for gradients.",
        "两步之后，权重最多移动了 {got[moved]:.3f}，正该如此；第一个损失 {got[losses][0]:.3f} 在 log 4 = "
        "1.386 附近。zero_grad 放在哪里都行，只是不能夹在 backward 和 step 之间。有两个开关容易混："
        "train() 和 eval() 管的是 Dropout 这样的层，no_grad 管的是梯度。",
    ),
)
