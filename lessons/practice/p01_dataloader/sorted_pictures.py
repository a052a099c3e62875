"""Pictures sorted by class, read in that order: each batch knows a single class."""

import torch
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import TensorDataset

from lessons.course.words import either
from lessons.practice import Mend, Wrong, curve

CLASSES, PER_CLASS = 4, 24
PICTURES = CLASSES * PER_CLASS


def probe(learner, seed: int, batch_size: int, epochs: int) -> dict:
    """Train on sorted pictures, and note which of them were in which batch.

    The losses are given only while the order is that of the data: a drawn order draws other losses.
    """
    torch.manual_seed(seed)
    targets = torch.arange(CLASSES).repeat_interleave(PER_CLASS)  # 0, 0, ..., 1, 1, ...
    imgs = torch.rand(PICTURES, 1, 4, 4)
    imgs[torch.arange(PICTURES), 0, targets] += 0.4  # in class c, row c is a little brighter
    number_of = {tuple(img.flatten().tolist()): number for number, img in enumerate(imgs)}
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, CLASSES))
    batches, losses, pairs_kept = [], [], True

    def loss_fn(outputs, batch_targets):
        nonlocal pairs_kept
        pairs_kept &= targets[batches[-1]].tolist() == batch_targets.tolist()
        loss = nn.functional.cross_entropy(outputs, batch_targets)
        losses.append(loss.item())
        return loss

    model.register_forward_pre_hook(
        lambda _, inputs: batches.append([number_of[tuple(img.flatten().tolist())] for img in inputs[0]])
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    learner.train(TensorDataset(imgs, targets), batch_size, epochs, model, loss_fn, optimizer)
    steps = len(batches)
    with torch.no_grad():
        predicted = model(imgs).argmax(1)
    missed = int((predicted != targets).sum())
    numbers = [number for batch in batches[:steps] for number in batch]
    orders = [numbers[start : start + PICTURES] for start in range(0, len(numbers), PICTURES)]
    in_order = [sorted(batch) for batch in batches[:steps]] == [
        list(range(start, start + batch_size)) for start in range(0, PICTURES, batch_size)
    ] * (steps * batch_size // PICTURES)
    return {
        "steps": steps,
        "batch sizes": sorted({len(batch) for batch in batches[:steps]}),
        "mixed": sum(len(set(targets[batch].tolist())) for batch in batches[:steps]) > 1.5 * steps,
        "each once": all(sorted(epoch) == list(range(PICTURES)) for epoch in orders),
        "different orders": len({tuple(epoch) for epoch in orders}),
        "pairs kept": pairs_kept,
        "missed": missed if missed > 0.3 * PICTURES else 0,  # a few more or fewer are the luck of the order
        "last said": int((predicted == CLASSES - 1).sum()) if in_order else 0,
        "losses": losses[:steps] if in_order else [],
        "classes": [[int(targets[number]) for number in batch] for batch in batches[: PICTURES // batch_size]]
        if in_order
        else [],
    }


def look(got: dict) -> str:
    if not got["losses"]:
        return ""
    row = " ".join("".join(map(str, sorted(set(batch)))) for batch in got["classes"])
    return (
        f"{either('classes in the batches of an epoch', '一轮里各批的类别')}: {row}\n{curve(got['losses'])}"
    )


exercise = Mend(
    title=("Sorted by class", "按类别排好的图片"),
    task=(
        """
        The pictures lie in the data set as the folders had them: first all of class 0, then all of
        class 1, and so on. This training runs without an error and learns badly: the check draws the
        curve of its loss and says which classes are in each batch.

        Mend it. Each epoch shows every picture once, in a new order, in batches of batch_size.
        """,
        """
        数据集里的图片还是文件夹的顺序：先是全部的类别 0，再是全部的类别 1，依此类推。
        这段训练运行时不报错，却学得很差：检查时会画出损失曲线，并列出每一批里有哪些类别。

        把它改好：每一轮每张图片都出现一次，每轮换一个新的顺序，每批 batch_size 张。
        """,
    ),
    solution="""
        from torch.utils.data import DataLoader


        def train(data, batch_size, epochs, model, loss_fn, optimizer):
            dataloader = DataLoader(data, batch_size=batch_size, shuffle=True)
            for epoch in range(epochs):
                for imgs, targets in dataloader:
                    outputs = model(imgs)
                    loss = loss_fn(outputs, targets)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
        """,
    start={", shuffle=True": ""},
    symptom=(
        "Each batch holds a single class, and the loss jumps whenever the next class comes: at the end of an "
        "epoch the network knows little but the last one. Of all 96 pictures it says class 3 for {got[last "
        "said]}, and {got[missed]} are wrong.",
        "每一批里只有一个类别，一换类别损失就跳上去：一轮结束时，网络差不多只记得最后那一类。96 张图片里，"
        "它把 {got[last said]} 张说成类别 3，一共错了 {got[missed]} 张。",
    ),
    look=look,
    cases=st.fixed_dictionaries(
        {"seed": st.integers(1, 999), "batch_size": st.sampled_from([4, 8]), "epochs": st.integers(4, 6)}
    ),
    probe=probe,
    hints=[
        (
            "Print targets in the loop. What does a step learn from a batch in which all targets are the "
            "same?",
            "在循环里打印 targets。一批的标签全都一样，这一步能学到什么？",
        ),
        (
            "The order is the DataLoader's business, not that of the data set: it decides which numbers it "
            "asks for, and when.",
            "顺序归 DataLoader 管，不归数据集：问哪些号、按什么顺序问，都由它决定。",
        ),
        (
            "DataLoader(..., shuffle=True) draws a new order at the beginning of each epoch.",
            "DataLoader(..., shuffle=True) 在每一轮开始时重新抽一个顺序。",
        ),
    ],
    wrong=[
        Wrong(
            {
                "from torch.utils.data import DataLoader\n": (
                    "import torch\nfrom torch.utils.data import DataLoader, Subset\n"
                ),
                "    dataloader = DataLoader(data, batch_size=batch_size, shuffle=True)": (
                    "    data = Subset(data, torch.randperm(len(data)).tolist())\n"
                    "    dataloader = DataLoader(data, batch_size=batch_size)"
                ),
            },
            "The classes are mixed now, but all epochs have the same order: the same pictures meet in the "
            "same batch each time. The order has to be drawn anew in each epoch.",
            "类别混开了，但每一轮的顺序都一样：每次都是同样的图片凑成同样的批。顺序要每一轮重新抽。",
        ),
        Wrong(
            {
                "from torch.utils.data import DataLoader\n": (
                    "import torch\nfrom torch.utils.data import DataLoader\n"
                ),
                ", shuffle=True": "",
                "            outputs = model(imgs)": (
                    "            order = torch.randperm(len(imgs))\n"
                    "            imgs, targets = imgs[order], targets[order]\n"
                    "            outputs = model(imgs)"
                ),
            },
            "You shuffle within a batch that has been put together already: its {batch_size} "
            "pictures are still of one class, and the mean over a batch does not care about their order. "
            "Shuffle before the batches are cut.",
            "你在已经凑好的一批里面打乱：这 {batch_size} 张仍然是同一类，而一批的平均值不在乎顺序。"
            "要在分批之前打乱。",
        ),
        Wrong(
            {
                "from torch.utils.data import DataLoader\n": (
                    "import random\n\nfrom torch.utils.data import DataLoader\n"
                ),
                ", shuffle=True": "",
                "        for imgs, targets in dataloader:": (
                    "        batches = list(dataloader)\n"
                    "        random.shuffle(batches)\n"
                    "        for imgs, targets in batches:"
                ),
            },
            "The batches come in a new order, but each of them still holds a single class: it is the "
            "pictures that must be shuffled, before they are cut into batches.",
            "批的顺序变了，可每一批里仍然只有一个类别：要打乱的是图片，而且要在分批之前。",
        ),
        Wrong(
            {"batch_size=batch_size, shuffle=True": "batch_size=len(data)"},
            "All classes are in the batch now because it holds all pictures: {got[steps]} steps in all "
            "instead of {wanted[steps]}. Keep batch_size, and mix the pictures.",
            "现在一批里各类都有了，因为你把所有图片放进了一批：一共只走了 {got[steps]} 步，而不是 "
            "{wanted[steps]} 步。batch_size 不要动，把图片混开。",
        ),
        Wrong(
            {", shuffle=True": "", "range(epochs)": "range(10 * epochs)"},
            "Ten times the epochs: {got[steps]} steps instead of {wanted[steps]}, and each batch still holds "
            "one class. With so much time the network forgets less, but the fault was the order.",
            "轮数多了十倍，走了 {got[steps]} 步（本该 {wanted[steps]} 步），每一批还是只有一个类别。"
            "时间一长忘得是少些，可毛病出在顺序上。",
        ),
        Wrong(
            {", shuffle=True": "", "loss.backward()": "(loss * 0.1).backward()"},
            "The steps are ten times shorter, so each class is forgotten more slowly; the order is still "
            "that of the folders, and each batch holds one class.",
            "步子缩短到十分之一，忘得慢一些；但顺序还是文件夹的顺序，每一批还是只有一个类别。",
        ),
        Wrong(
            {
                "from torch.utils.data import DataLoader\n": (
                    "from torch.utils.data import DataLoader, RandomSampler\n"
                ),
                "shuffle=True": "sampler=RandomSampler(data, replacement=True)",
            },
            "Each number is drawn as if none had been drawn before (replacement=True): in one epoch some "
            "pictures come twice and others not at all.",
            "每次抽号都把抽过的放了回去（replacement=True）：一轮里有的图片出现两次，有的一次也没有。",
        ),
        Wrong(
            {
                "from torch.utils.data import DataLoader\n": (
                    "import torch\nfrom torch.utils.data import DataLoader, TensorDataset\n"
                ),
                "    dataloader = DataLoader": (
                    "    imgs = torch.stack([img for img, _ in data])\n"
                    "    targets = torch.tensor([int(target) for _, target in data])\n"
                    "    data = TensorDataset(imgs, targets[torch.randperm(len(targets))])\n"
                    "    dataloader = DataLoader"
                ),
            },
            "Pictures and targets no longer belong together: the targets were shuffled without their "
            "pictures, and {got[missed]} of 96 are wrong. The DataLoader moves both as a pair.",
            "图片和标签对不上了：标签打乱时没有带着图片，96 张里错 {got[missed]} 张。DataLoader "
            "总是一对一对地取。",
        ),
    ],
    variants=[
        {"shuffle=True": "shuffle=True, drop_last=True"},
        {
            "import DataLoader": "import DataLoader, RandomSampler",
            "shuffle=True": "sampler=RandomSampler(data)",
        },
        {
            "from torch.utils.data import DataLoader": (
                "import torch\nfrom torch.utils.data import DataLoader, Subset"
            ),
            "    dataloader = DataLoader(data, batch_size=batch_size, shuffle=True)\n": "",
            "        for imgs, targets in dataloader:": (
                "        order = torch.randperm(len(data)).tolist()\n"
                "        for imgs, targets in DataLoader(Subset(data, order), batch_size=batch_size):"
            ),
        },
        """
        import random
        import torch

        def train(data, batch_size, epochs, model, loss_fn, optimizer):
            pairs = [data[i] for i in range(len(data))]
            for _ in range(epochs):
                random.shuffle(pairs)
                for first in range(0, len(pairs), batch_size):
                    batch = pairs[first : first + batch_size]
                    inputs = torch.stack([img for img, _ in batch])
                    labels = torch.stack([target for _, target in batch])
                    optimizer.zero_grad()
                    loss_fn(model(inputs), labels).backward()
                    optimizer.step()
        """,
    ],
    learned=(
        "The same {got[steps]} steps in mixed batches, and most pictures are right in the end. A step "
        "follows its batch alone, so a batch should look like the whole: with shuffle=True a new order is "
        "drawn in each epoch. Test pictures need none of this, since nothing is learnt from them.",
        "同样走 {got[steps]} 步，批混开之后，大多数图片都认对了。每一步只听自己这一批的，"
        "所以一批要像全体的缩影：shuffle=True 每一轮都重新抽顺序。测试图片用不着，因为不从它们身上学。",
    ),
)
