"""An accuracy that is too good: the test pictures are among the training pictures."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lessons.practice import Mend, Wrong

PICTURES = 60


def some_pictures(seed: int, number: int) -> tuple[Tensor, Tensor]:
    """Noise with a faint pattern for each of three classes, sorted by class: (N, 3, 6, 6) and (N,)."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(number) * 3 // number
    patterns = torch.randn(3, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return torch.randn(number, 3, 6, 6, generator=generator) + 0.2 * patterns[targets], targets


def learn(imgs: Tensor, targets: Tensor) -> nn.Module:
    """A network that has as many weights as it takes to know these pictures by heart."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(108, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(imgs), targets).backward()
        optimizer.step()
    return model


def accuracy(model: nn.Module, imgs: Tensor, targets: Tensor) -> float:
    return (model(imgs).argmax(dim=1) == targets).double().mean().item()


def probe(learner, seed: int) -> dict:
    """How the pictures were divided, and what accuracy that leads to where it is no honest one."""
    imgs, targets = some_pictures(seed, PICTURES)
    (train_imgs, train_targets), (test_imgs, test_targets) = learner.split(imgs, targets)
    train, test = numbers(train_imgs, imgs), numbers(test_imgs, imgs)
    both = set(train) & set(test)
    new = accuracy(learn(imgs[::2], targets[::2]), *some_pictures(1000 + seed, 300))
    claimed = 100 * accuracy(learn(train_imgs, train_targets), test_imgs, test_targets) if both else None
    return {
        "train": len(train),
        "test": len(test),
        "in both": len(both),
        "in neither": len(imgs) - len(set(train) | set(test)),
        "targets belong": torch.equal(train_targets, targets[train])
        and torch.equal(test_targets, targets[test]),
        "shuffled": sorted(test) != list(range(min(test, default=0), max(test, default=0) + 1)),
        "new": 100 * new,
        "claimed": claimed,  # None for an honest one, which is another with each order of the pictures
    }


def numbers(some: Tensor, imgs: Tensor) -> list[int]:
    """Which of the pictures these are."""
    return [(imgs == img).all(dim=3).all(dim=2).all(dim=1).nonzero().item() for img in some]


exercise = Mend(
    title=("Too good to be true", "好得不像真的"),
    task=(
        """
        split divides pictures at random: four fifths to learn from, one fifth to test with. A network that
        learns from the first and is tested with the second seems to be very good. With really new pictures,
        it is not. Mend split, so that each picture is in exactly one of the two sets. The pictures come
        sorted by class. split gives back (imgs, targets) to learn from, and (imgs, targets) to test with.
        """,
        """
        split 把图片随机分成两份：五分之四用来学习，五分之一用来测试。用前一份学、后一份测，
        网络看上去很好；换成真正的新图片，就不行了。把 split 改好，让每张图片正好在其中一份里。
        传进来的图片是按类别排好的。split 返回学习用的 (imgs, targets) 和测试用的 (imgs, targets)。
        """,
    ),
    solution="""
        import torch


        def split(imgs, targets):
            count = len(imgs) * 4 // 5
            order = torch.randperm(len(imgs))
            train = order[:count]
            test = order[count:]
            return (imgs[train], targets[train]), (imgs[test], targets[test])
        """,
    start={
        "    order = torch.randperm(len(imgs))\n": "",
        "order[:count]": "torch.randperm(len(imgs))[:count]",
        "order[count:]": "torch.randperm(len(imgs))[count:]",
    },
    symptom=(
        "{got[claimed]:.0f}% of the test pictures right, but of new pictures of the same kind a network that "
        "learns from so few gets about {got[new]:.0f}% right. {got[in both]} of the {got[test]} test "
        "pictures were learnt from.",
        "测试图片答对 {got[claimed]:.0f}%，可是只学这么几张图片的网络，遇到同一类的新图片只能答对大约 "
        "{got[new]:.0f}%。{got[test]} 张测试图片里有 {got[in both]} 张是学过的。",
    ),
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "Print train and test for ten pictures. Is there a number in both? Is there one in neither?",
            "用十张图片试试，打印 train 和 test。有没有哪个编号两边都有？有没有哪个两边都没有？",
        ),
        (
            "Each torch.randperm draws an order of its own. The end of one is not what the beginning of "
            "another has left over.",
            "每次 torch.randperm 都会抽出一个新的顺序。一个顺序的末尾，并不是另一个顺序的开头剩下的。",
        ),
        (
            "Draw one order, keep it in a variable, and cut it: order[:count] and order[count:].",
            "只抽一次顺序，存进一个变量，再切成两段：order[:count] 和 order[count:]。",
        ),
    ],
    wrong=[
        Wrong(
            {"torch.randperm(len(imgs))": "torch.arange(len(imgs))"},
            "No picture is in both, but nothing is shuffled any more, and the pictures come sorted: the "
            "{got[test]} test pictures are all of the last class. Such a test says nothing of the others.",
            "两边没有重复了，可是也不再打乱。图片是按类别排好的：{got[test]} 张测试图片全是最后一类，"
            "别的类别学得怎样，一点也看不出来。",
        ),
        Wrong(
            {"test = order[count:]": "test = train[: len(imgs) - count]"},
            "Now all {got[in both]} test pictures are training pictures, and {got[in neither]} pictures are "
            "not used at all.",
            "这样 {got[in both]} 张测试图片全都是学过的，还有 {got[in neither]} 张图片哪边都没有。",
        ),
        Wrong(
            {"train = order[:count]": "train = order"},
            "The network learns from all {got[train]} pictures, so also from the {got[test]} of the test. "
            "order[:count] must end where the test begins.",
            "网络学的是全部 {got[train]} 张，测试用的 {got[test]} 张也在里面。训练的那段要在测试开始的地方"
            "结束：order[:count]。",
        ),
        Wrong(
            {
                "test = order[count:]": "test = torch.tensor([i for i in torch.randperm(len(imgs))[count:]"
                " if i not in train], dtype=torch.long)"
            },
            "You throw out of the test set what was learnt from, and {got[test]} pictures are left to test "
            "with: {got[in neither]} others are in neither set. One order, cut in two, loses none.",
            "你把学过的从测试集里剔掉了，于是只剩 {got[test]} 张可以测，另外 {got[in neither]} "
            "张哪边都没有。只抽一次顺序再切成两段，一张也不会丢。",
        ),
        Wrong(
            {
                "train = order[:count]\n    test = order[count:]": "test = order[count:]\n    train = "
                "torch.tensor([i for i in torch.randperm(len(imgs))[:count] if i not in test])"
            },
            "You throw out of the training set what is in the test set: no picture is in both, but only "
            "{got[train]} are left to learn from, and {got[in neither]} are in neither set.",
            "你把测试用的从训练集里剔掉了：两边不重复了，但只剩 {got[train]} 张可学，还有 {got[in neither]} "
            "张哪边都没有。",
        ),
        Wrong(
            {"targets[train]": "targets[:count]", "targets[test]": "targets[count:]"},
            "The pictures are shuffled and the targets are not: most pictures have another one's target now.",
            "图片打乱了，标签却没有跟着打乱：现在大多数图片配的是别人的标签。",
        ),
        Wrong(
            {"order[:count]": "order[count:]", "order[count:]": "order[:count]"},
            "No picture is in both, but the sets have changed places: {got[train]} to learn from and "
            "{got[test]} to test with.",
            "两边不重复了，但两份弄反了：学习用的只有 {got[train]} 张，测试用的倒有 {got[test]} 张。",
        ),
    ],
    variants=[
        {"torch.randperm(len(imgs))": "torch.randperm(len(imgs), generator=torch.Generator())"},
        {
            "train = order[:count]\n    test = order[count:]": "test, train = order[: len(imgs) - count], "
            "order[len(imgs) - count :]"
        },
        """
        import torch
        from torch.utils.data import TensorDataset, random_split

        def split(imgs, targets):
            parts = random_split(TensorDataset(imgs, targets), [0.8, 0.2])
            return tuple((imgs[part.indices], targets[part.indices]) for part in parts)
        """,
        """
        import numpy as np
        import torch

        def split(imgs, targets):
            for_test = np.zeros(len(imgs), dtype=bool)
            for_test[np.random.choice(len(imgs), len(imgs) // 5, replace=False)] = True
            for_test = torch.from_numpy(for_test)
            return (imgs[~for_test], targets[~for_test]), (imgs[for_test], targets[for_test])
        """,
    ],
    learned=(
        "Now {got[train]} pictures are learnt from and {got[test]} others tested with. A network that knows "
        "its pictures by heart gets nearly 100% of those right; what it is worth is near the "
        "{got[new]:.0f}% of new ones. The overlap raised no error: only a check of the numbers, or new "
        "pictures, shows it.",
        "现在学 {got[train]} 张，测的是另外 {got[test]} 张。背下来的图片，网络几乎能全对；"
        "它真正的水平要看新图片，大约 {got[new]:.0f}%。两份有重复时什么错都不报，只有核对编号，"
        "或者换上新图片，才看得出来。",
    ),
)
