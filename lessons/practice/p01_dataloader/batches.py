"""How many batches a DataLoader gives, how large the last one is, and what drop_last changes."""

from random import Random
from types import SimpleNamespace

from torch.utils.data import DataLoader

from lessons.practice import Predict, Wrong


def draw(random: Random) -> dict:
    pictures, size = random.randint(150, 900), random.choice([12, 16, 20, 32, 50, 64])
    full, rest = divmod(pictures, size)
    return {
        "pictures": pictures,
        "size": size,
        "full": full,
        "rest": rest,
        "epochs": random.randint(3, 8),
    }


def by_torch(q: SimpleNamespace) -> tuple[int, ...]:
    pictures = range(q.pictures)  # whatever has a length and an order is a data set
    whole, dropped = (
        [
            len(numbers)
            for numbers in DataLoader(pictures, batch_size=q.size, drop_last=drop_last).batch_sampler
        ]
        for drop_last in (False, True)
    )
    return len(whole), whole[-1], len(dropped), dropped[-1], q.epochs * len(dropped)


def answer(q: SimpleNamespace, **changed: int) -> tuple[int, ...]:
    """The five numbers, some of them changed: batches, last, dropped, last_dropped, steps."""
    numbers = {"batches": q.full + 1, "last": q.rest, "dropped": q.full, "last_dropped": q.size}
    return tuple({**numbers, "steps": q.epochs * q.full, **changed}.values())


exercise = Predict(
    title=("How many batches", "一共有几批"),
    task=(
        """
        A data set has {pictures} pictures. Two DataLoaders read it, both with batch_size={size}:

            whole = DataLoader(data, batch_size={size})
            dropped = DataLoader(data, batch_size={size}, drop_last=True)

        Answer with a tuple of five numbers, worked out with a pencil:
        - batches in one epoch of whole, and pictures in its last batch;
        - batches in one epoch of dropped, and pictures in its last batch;
        - training steps (one a batch) in {epochs} epochs of dropped, all together.
        """,
        """
        数据集有 {pictures} 张图片，两个 DataLoader 都用 batch_size={size} 来读：

            whole = DataLoader(data, batch_size={size})
            dropped = DataLoader(data, batch_size={size}, drop_last=True)

        动笔算一算，答案写成五个数的元组：
        - whole 一轮有几批，最后一批有几张；
        - dropped 一轮有几批，最后一批有几张；
        - 用 dropped 训练 {epochs} 轮，每批走一步，一共走几步。
        """,
    ),
    draw=draw,
    right=by_torch,
    formula=(
        "{pictures} = {full}*{size} + {rest}: {full} whole batches, and one of {rest}, which drop_last=True "
        "leaves out. Each epoch begins afresh, so there are {epochs}*{full} steps. The answer is {right}.",
        "{pictures} = {full}*{size} + {rest}：{full} 个整批，再加一批 {rest} 张的，drop_last=True 就不要它。"
        "每一轮都从头开始，所以一共 {epochs}*{full} 步。答案是 {right}。",
    ),
    hints=[
        (
            "How many whole batches fit into the pictures, and how many pictures are left over? Python's // "
            "and % are these two questions.",
            "这些图片能分成几个整批？还剩几张？Python 的 // 和 % 问的就是这两件事。",
        ),
        (
            "What is left over becomes a batch of its own, or with drop_last=True none at all. What remains "
            "then is whole batches only.",
            "剩下的图片自成一批；drop_last=True 时就不要它，留下来的全是整批。",
        ),
        (
            "With n, rest = divmod(pictures, batch_size) the answer is (n + 1, rest, n, batch_size, epochs * "
            "n): the pictures left over in one epoch are not kept for the next.",
            "设 n, rest = divmod(图片数, 批大小)，答案是 (n + 1, rest, n, 批大小, 轮数 * n)："
            "一轮里剩下的图片不会留到下一轮。",
        ),
    ],
    wrong=[
        Wrong(
            lambda q: answer(q, batches=q.full),
            "The batches of whole lack the last one: a smaller batch is a batch too, and whole keeps it.",
            "whole 少算了最后一批：小一些的批也是一批，whole 会留着它。",
        ),
        Wrong(
            lambda q: answer(q, last=q.size),
            "In whole, you have the last batch filled up to {size}. The DataLoader shows each picture once "
            "an epoch and repeats none: the last batch has what is left over.",
            "你把 whole 的最后一批补满到 {size} 张了。DataLoader 一轮里每张图片只给一次，不会重复："
            "最后一批只有剩下的那几张。",
        ),
        Wrong(
            lambda q: answer(q, batches=q.full, last=q.size),
            "Your whole drops the rest as well. That happens with drop_last=True alone: the default keeps "
            "the last, smaller batch.",
            "你的 whole 把剩下的也扔掉了。只有写了 drop_last=True 才会这样：默认会留下最后那个较小的批。",
        ),
        Wrong(
            lambda q: answer(q, last=q.size - q.rest),
            "For the last batch of whole you give how many pictures it lacks to be {size}, not the {rest} "
            "that it has.",
            "whole 的最后一批，你写的是还差几张满 {size}，而不是有几张。",
        ),
        Wrong(
            lambda q: answer(q, last_dropped=q.rest),
            "In dropped, the smaller batch is gone. So the last one that is left is a whole one, with {size} "
            "pictures.",
            "dropped 里那个较小的批已经不要了，剩下的最后一批是整批，有 {size} 张。",
        ),
        Wrong(
            lambda q: answer(q, last_dropped=0),
            "In dropped, the last batch is not an empty one: the smaller batch is left out altogether, and "
            "the last that comes has {size} pictures.",
            "dropped 的最后一批不是空的：较小的那一批干脆不出现，最后出来的一批有 {size} 张。",
        ),
        Wrong(
            lambda q: (
                q.full,
                q.size,
                q.full + 1,
                q.rest,
                q.epochs * (q.full + 1),
            ),
            "The two DataLoaders have changed places: drop_last=True drops the last, smaller batch, and the "
            "default (False) keeps it.",
            "两个 DataLoader 弄反了：drop_last=True 是不要最后那个较小的批，默认的 False 才留着它。",
        ),
        Wrong(
            lambda q: answer(q, steps=q.epochs * q.pictures // q.size),
            "For the steps you cut {epochs}*{pictures} pictures as one long row. But an epoch ends when its "
            "pictures are used up: what it leaves over is not carried into the next one.",
            "算步数时，你把 {epochs}*{pictures} 张图片当成一长排来切。其实图片用完，一轮就结束了："
            "剩下的不会带进下一轮。",
        ),
        Wrong(
            lambda q: answer(q, steps=q.epochs * (q.full + 1)),
            "The steps are those of whole: dropped makes one step fewer in each of the {epochs} epochs.",
            "你算的是 whole 的步数：{epochs} 轮里，dropped 每一轮都少一步。",
        ),
        Wrong(
            lambda q: answer(q, steps=q.full),
            "The steps are those of a single epoch: there are {epochs} of them.",
            "你写的是一轮的步数，一共有 {epochs} 轮。",
        ),
        Wrong(
            lambda q: answer(q, steps=q.epochs * q.pictures),
            "For the steps you count pictures. A step is made with a whole batch: {size} pictures, one step.",
            "步数那里你数的是图片。一步用的是一整批：{size} 张图片走一步。",
        ),
    ],
    learned=(
        "{answer}: with drop_last=True an epoch is a little shorter, and each of its batches has {size} "
        "pictures. Tests keep the last batch, since each picture counts; in training a small one would pull "
        "its step by a few pictures. With shuffle=True others are left out in each epoch.",
        "{answer}：drop_last=True 时一轮短一点，每一批都正好 {size} 张。测试时要留着最后一批，"
        "因为每张图片都要算；训练时小批会让那一步被几张图片牵着走。有 shuffle=True 时，"
        "每轮漏掉的图片都不一样。",
    ),
)
