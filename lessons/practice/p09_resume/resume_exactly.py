"""A checkpoint with which a training goes on bit for bit."""

import torch
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from lessons.practice import Write, Wrong

STEPS, BATCH_SIZE = 8, 4


class Parts:
    """A tiny training: what moves, and where it stands in the order of its pictures."""

    def __init__(self) -> None:
        self.model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 3))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.scheduler = OneCycleLR(self.optimizer, 0.3, total_steps=20, cycle_momentum=False)

    def train(self, imgs, targets, order, step: int, end: int) -> list[float]:
        """From ``step`` to ``end``; one loss a step."""
        losses = []
        for number in range(step, end):
            some = order[number * BATCH_SIZE : (number + 1) * BATCH_SIZE]
            loss = nn.functional.cross_entropy(self.model(imgs[some]), targets[some])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            losses.append(loss.item())
        return losses


def probe(learner, seed: int, done: int) -> dict:
    """Stop after ``done`` steps and go on once without a stop, once from the file: how far they agree."""
    torch.manual_seed(seed)
    imgs, targets = torch.randn(STEPS * BATCH_SIZE, 5), torch.randint(3, (STEPS * BATCH_SIZE,))
    training, order = Parts(), torch.randperm(len(imgs))
    training.train(imgs, targets, order, 0, done)
    learner.save("last.pth", training.model, training.optimizer, training.scheduler, order, done)
    expected = training.train(imgs, targets, order, done, STEPS)

    torch.manual_seed(seed + 1000)  # another day: other weights, other random numbers
    resumed = Parts()
    new_order, step = learner.restore("last.pth", resumed.model, resumed.optimizer, resumed.scheduler)
    losses = resumed.train(imgs, targets, new_order, step, STEPS)
    same = [got == wanted for got, wanted in zip(losses, expected, strict=False)]
    weights = zip(training.model.parameters(), resumed.model.parameters(), strict=True)
    return {
        "step": step,
        "losses": losses,
        "last loss": losses[-1] if losses else None,
        "first other": done + same.index(False) if False in same else None,
        "same weights": all(torch.equal(*pair) for pair in weights),
    }


def losses_line(got: dict) -> str:
    return "after the stop: " + "  ".join(f"{loss:.4f}" for loss in got["losses"])


exercise = Write(
    title=("Go on, bit for bit", "接着走，一位不差"),
    task=(
        f"""
        Write save and restore, so that a training that is stopped in the middle of an epoch goes on with
        the same losses, bit for bit. The network has Dropout, SGD has momentum, and the scheduler sets
        another learning rate after each step.

        - save(path, ...) writes all that the next step depends on. order is this epoch's order of the
          pictures, a tensor; step says how many batches of it are done.
        - restore(path, ...) gets a new network, optimizer and scheduler, puts them where the old ones
          were, and returns order and step. The epoch has {STEPS} steps.
        """,
        f"""
        写出 save 和 restore，让一次在一轮中间停下的训练接着走下去，损失一位不差。
        网络里有 Dropout，SGD 带动量，scheduler 每一步之后都换学习率。

        - save(path, ...) 把下一步取决于的东西全部写进文件。order 是这一轮图片的顺序，是张量；
          step 是其中已经走完几批。
        - restore(path, ...) 拿到的是新建的网络、优化器和 scheduler，把它们恢复到原来的样子，
          再返回 order 和 step。这一轮一共 {STEPS} 步。
        """,
    ),
    start="""
        import torch


        def save(path, model, optimizer, scheduler, order, step):
            ...


        def restore(path, model, optimizer, scheduler):
            ...
            return order, step
        """,
    solution="""
        import torch


        def save(path, model, optimizer, scheduler, order, step):
            checkpoint = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "rng_state": torch.get_rng_state(),
                "order": order,
                "step": step,
            }
            torch.save(checkpoint, path)


        def restore(path, model, optimizer, scheduler):
            checkpoint = torch.load(path)
            model.load_state_dict(checkpoint["model"])
            optimizer.load_state_dict(checkpoint["optimizer"])
            scheduler.load_state_dict(checkpoint["scheduler"])
            torch.set_rng_state(checkpoint["rng_state"])
            return checkpoint["order"], checkpoint["step"]
        """,
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999), "done": st.integers(2, 4)}),
    examples=8,
    tolerance=1e-7,
    probe=probe,
    look=losses_line,
    hints=[
        (
            "Go through a step and ask of each line what it depends on. Six things belong into the file.",
            "把一步从头走到尾，每一行都问一句：它取决于什么？要写进文件的一共六样。",
        ),
        (
            "Network, optimizer and scheduler each have state_dict() and load_state_dict(). Two more are "
            "given to save as they are. And what does Dropout draw from?",
            "网络、优化器、scheduler 都有 state_dict() 和 load_state_dict()；另有两样本来就传给了 save。"
            "还有一样：Dropout 的随机数从哪里来？",
        ),
        (
            "torch.save one dict with all six; the sixth is torch.get_rng_state(). In restore, "
            "torch.set_rng_state(...) comes last, so that nothing draws from it before the next step.",
            "用 torch.save 存一个字典，六样都放进去，第六样是 torch.get_rng_state()。在 restore 里，"
            "torch.set_rng_state(...) 放在最后，免得下一步之前又有谁抽走随机数。",
        ),
    ],
    wrong=[
        Wrong(
            {'    optimizer.load_state_dict(checkpoint["optimizer"])\n': ""},
            "The optimizer is not restored. The loss of the first step is right, since a loss is measured "
            "before its step; from step {got[first other]} on the missing momentum shows.",
            "优化器没有恢复。停下之后的第一个损失是对的，因为损失是走这一步之前算的；从编号 "
            "{got[first other]} 的那一步起，就看得出少了动量。",
        ),
        Wrong(
            {'    scheduler.load_state_dict(checkpoint["scheduler"])\n': ""},
            "The scheduler is not restored. The optimizer has brought the learning rate of the next step "
            "along, so the first losses are right; then the new scheduler goes on counting from 0, and the "
            "losses differ from step {got[first other]} on.",
            "scheduler 没有恢复。下一步的学习率，优化器已经带来了，所以最前面的损失是对的；"
            "之后全新的 scheduler 从 0 数起，从编号 {got[first other]} 的那一步起损失就不同了。",
        ),
        Wrong(
            {
                '    optimizer.load_state_dict(checkpoint["optimizer"])\n': "",
                '    scheduler.load_state_dict(checkpoint["scheduler"])\n': "",
            },
            "Neither optimizer nor scheduler is restored: no momentum, and a learning rate as at the "
            "beginning of the training. Only the first loss is right.",
            "优化器和 scheduler 都没有恢复：没有动量，学习率又回到训练开头的值。只有第一个损失是对的。",
        ),
        Wrong(
            {'    torch.set_rng_state(checkpoint["rng_state"])\n': ""},
            "The state of the random numbers is not restored: Dropout strikes out other numbers, so already "
            "the loss of step {got[first other]}, the first, differs.",
            "随机数的状态没有恢复：Dropout 去掉的是另一些数，所以停下之后的第一步（编号 "
            "{got[first other]}）损失就不同。",
        ),
        Wrong(
            {
                '    optimizer.load_state_dict(checkpoint["optimizer"])\n': "",
                '    scheduler.load_state_dict(checkpoint["scheduler"])\n': "",
                '    torch.set_rng_state(checkpoint["rng_state"])\n': "",
            },
            "Only the weights and the place in the order are restored. That is enough to use a network, not "
            "to go on training it: optimizer, scheduler and the random numbers of Dropout are missing.",
            "只恢复了权重和走到哪里。拿网络来用，这就够了；要接着训练还不够：缺优化器、scheduler 和 Dropout "
            "用的随机数。",
        ),
        Wrong(
            {
                '    scheduler.load_state_dict(checkpoint["scheduler"])\n': "",
                '    torch.set_rng_state(checkpoint["rng_state"])\n': "",
            },
            "Network and optimizer are restored, as in many tutorials. Missing are the scheduler, which "
            "counts from 0 again, and the state of the random numbers that Dropout draws: the losses "
            "differ from step {got[first other]} on.",
            "恢复了网络和优化器，许多教程也只做到这一步。还缺 scheduler，它又从 0 数起；也缺 Dropout "
            "用的随机数的状态。从编号 {got[first other]} 的那一步起损失就不同了。",
        ),
        Wrong(
            {
                '    optimizer.load_state_dict(checkpoint["optimizer"])\n': "",
                '    torch.set_rng_state(checkpoint["rng_state"])\n': "",
            },
            "Network and scheduler are restored, but not the optimizer, which holds the momentum, and not "
            "the state of the random numbers that Dropout draws.",
            "网络和 scheduler 恢复了，优化器没有，动量就在它那里；Dropout 用的随机数的状态也没有恢复。",
        ),
        Wrong(
            {'torch.set_rng_state(checkpoint["rng_state"])': "torch.manual_seed(0)"},
            "A seed begins a row of random numbers anew. Dropout was in the middle of its row at the stop: "
            "get_rng_state keeps that place, set_rng_state goes back to it.",
            "定种子是让随机数从头再来。可停下时 Dropout 正抽到半路：get_rng_state 记下这个位置，"
            "set_rng_state 再回到那里。",
        ),
        Wrong(
            {'checkpoint["order"], checkpoint["step"]': 'checkpoint["order"], 0'},
            "It goes on at step {got[step]} of the order, so the {done} batches that were done come twice.",
            "又从顺序里的第 {got[step]} 步走起，已经走过的 {done} 批会看第二遍。",
        ),
        Wrong(
            {'checkpoint["step"]\n': 'checkpoint["step"] + 1\n'},
            "It goes on at step {got[step]}, so one batch is never seen: {done} batches are done, counted "
            "from 0, and the next one has just this number.",
            "从编号 {got[step]} 的那一步接着走，有一批就漏掉了：编号从 0 数起，走完 {done} 批，"
            "下一批的编号正好是 {done}。",
        ),
        Wrong(
            {
                'torch.set_rng_state(checkpoint["rng_state"])\n': "order = torch.randperm(len(checkpoint["
                '"order"]))\n    torch.set_rng_state(checkpoint["rng_state"])\n',
                'return checkpoint["order"]': "return order",
            },
            "A new order is drawn in the middle of the epoch: some pictures come twice in it, others not at "
            "all. The old order belongs into the file.",
            "一轮走到一半又抽了新的顺序：有的图片会看两遍，有的一遍也看不到。原来的顺序应当存进文件。",
        ),
        Wrong(
            {'"model": model.state_dict()': '"model": model'},
            "The network itself is in the file: a pickle, which torch.load does not open, since it could run "
            "code. Save its state_dict (lesson 7).",
            "存进文件的是网络对象本身，也就是 pickle，可能执行代码，所以 torch.load 不肯打开。要存它的 "
            "state_dict（第 7 课）。",
        ),
        Wrong(
            {'    model.load_state_dict(checkpoint["model"])\n': ""},
            "Everything comes back but the weights: the new network still has those that it was made with, "
            "and the first loss already differs. torch.load alone changes no network.",
            "什么都恢复了，只差权重：新网络还是刚建好时的那些，第一个损失就不同。光 torch.load "
            "不会改动任何网络。",
        ),
        Wrong(
            {'return checkpoint["order"]': 'return torch.randperm(len(checkpoint["order"]))'},
            "A new order is drawn after the stop. The rest of the epoch then shows pictures that it has had "
            "already and leaves others out: the order belongs into the file and comes from there.",
            "停下之后又抽了一个新的顺序。这一轮剩下的部分，就会重复一些看过的图片，漏掉另一些："
            "顺序要存进文件，也要从文件里取。",
        ),
    ],
    variants=[
        """
        import torch

        def save(path, *parts):
            *movers, order, step = parts
            states = [mover.state_dict() for mover in movers]
            torch.save([states, order.tolist(), step, torch.random.get_rng_state()], path)

        def restore(path, *movers):
            states, order, step, rng_state = torch.load(path)
            for mover, state in zip(movers, states):
                mover.load_state_dict(state)
            torch.random.set_rng_state(rng_state)
            return torch.tensor(order), step
        """,
        {
            "checkpoint = torch.load(path)\n": "checkpoint = torch.load(path)\n"
            '    torch.set_rng_state(checkpoint["rng_state"])\n',
            '    torch.set_rng_state(checkpoint["rng_state"])\n    return': "    return",
        },
        """
        import torch

        def save(path, model, optimizer, scheduler, order, step):
            torch.save(
                dict(
                    weights=model.state_dict(),
                    rate=scheduler.state_dict(),
                    momentum=optimizer.state_dict(),
                    dropout=torch.default_generator.get_state(),
                    left=order,
                    at=step,
                ),
                path,
            )

        def restore(path, model, optimizer, scheduler):
            found = torch.load(path, weights_only=False)
            scheduler.load_state_dict(found["rate"])
            optimizer.load_state_dict(found["momentum"])
            model.load_state_dict(found["weights"])
            torch.default_generator.set_state(found["dropout"])
            return found["left"], found["at"]
        """,
    ],
    learned=(
        "{cases} trainings, and after the stop every loss is the same to the last bit; the last one was "
        "stopped after {done} steps and ended at {got[last loss]:.4f}. Had one of the six parts been "
        "missing, no error would have come: only the comparison with a training that was never stopped shows "
        "it.",
        "{cases} 次训练，停下之后的损失一位不差；最后一次走了 {done} 步停下，最后的损失是 "
        "{got[last loss]:.4f}。六样里少了任何一样都不会报错，只有和一次从没停过的训练对照才看得出来。",
    ),
)
