"""Accuracy, precision and recall, read from a confusion matrix."""

from random import Random
from types import SimpleNamespace

import torch
from torch import Tensor

from lessons.practice import Predict, Wrong

CLASSES = ["bird", "cat", "deer", "dog", "frog", "ship"]


def draw(random: Random) -> dict:
    classes = random.sample(CLASSES, 3)
    counts = [[random.randint(1, 9) for _ in range(3)] for _ in range(3)]
    for number in range(3):
        counts[number][number] = random.randint(10, 30)
    asked = random.randrange(3)
    found = counts[asked][asked]
    return {
        "table": "\n".join(
            f"    {name:>6}" + "".join(f"{cell:>6}" for cell in cells)
            for name, cells in zip(["", *classes], [classes, *counts], strict=True)
        ),
        "counts": counts,
        "asked": asked,
        "name": classes[asked],
        "found": found,
        "missed": sum(counts[asked]) - found,
        "others": sum(row[asked] for row in counts) - found,
        "pictures": sum(map(sum, counts)),
        "diagonal": sum(counts[number][number] for number in range(3)),
    }


def accuracy(q: SimpleNamespace) -> float:
    return q.diagonal / q.pictures


def precisions(q: SimpleNamespace) -> Tensor:
    counts = torch.tensor(q.counts, dtype=torch.float64)
    return counts.diagonal() / counts.sum(dim=0)


def recalls(q: SimpleNamespace) -> Tensor:
    counts = torch.tensor(q.counts, dtype=torch.float64)
    return counts.diagonal() / counts.sum(dim=1)


def three(first: float, second: float, third: float) -> tuple[float, ...]:
    return tuple(round(float(number), 4) for number in (first, second, third))


def right(q: SimpleNamespace) -> tuple[float, ...]:
    return three(accuracy(q), precisions(q)[q.asked], recalls(q)[q.asked])


exercise = Predict(
    title=("Precision and recall", "精确率与召回率"),
    task=(
        """
        A confusion matrix. Rows are the classes of the pictures, columns what the network answered:

        {table}

        What is the accuracy on all {pictures} pictures, and what are precision and recall of "{name}"?
        Answer with a tuple of three numbers from 0 to 1; two decimals are enough.
        """,
        """
        一张混淆矩阵。行是图片的类别，列是网络的回答：

        {table}

        在全部 {pictures} 张图片上，准确率是多少？“{name}”这一类的精确率和召回率又是多少？
        答案依次写成三个数的元组，每个数在 0 到 1 之间，两位小数就够了。
        """,
    ),
    draw=draw,
    right=right,
    tolerance=0.02,
    formula=(
        "accuracy = {diagonal} / {pictures}, precision = {found} / ({found} + {others}), recall = {found} / "
        "({found} + {missed}): {right}.",
        "准确率 = {diagonal} / {pictures}，精确率 = {found} / ({found} + {others})，召回率 = {found} / "
        "({found} + {missed})，也就是 {right}。",
    ),
    hints=[
        (
            "Where in the table are the right answers? And where are the pictures of the class, where the "
            "answers that name it?",
            "表里哪些格子是答对的？这一类的图片在哪里？说成这一类的回答又在哪里？",
        ),
        (
            "Accuracy: the diagonal, of all pictures. Recall asks the pictures of a class: how many were "
            "found? Precision asks the answers: how many of them are true?",
            "准确率：对角线上的，占全部图片的多少。召回率问的是图片：这一类的图片找到了多少？"
            "精确率问的是回答：这样回答的有多少是对的？",
        ),
        (
            "The number on the diagonal, divided by the sum of its column, is the precision; divided by the "
            "sum of its row, the recall.",
            "对角线上的那个数，除以它那一列的和是精确率，除以它那一行的和是召回率。",
        ),
    ],
    wrong=[
        Wrong(
            lambda q: three(accuracy(q), recalls(q)[q.asked], precisions(q)[q.asked]),
            "Precision and recall have changed places. Rows are the pictures here: of the {found} + "
            "{missed} in the row of {name}, {found} were found, and that is the recall.",
            "精确率和召回率弄反了。这里行是图片：{name} 那一行有 {found} + {missed} 张，找到了 {found} 张，"
            "这才是召回率。",
        ),
        Wrong(
            lambda q: three(*(100 * number for number in right(q))),
            "The right numbers, in per cent. From 0 to 1 was asked, as PyTorch works them out: 1 would be "
            "all right.",
            "数都对，但写成了百分数。题目要的是 0 到 1 之间的数，和 PyTorch 算出来的一样：1 就是全对。",
        ),
        Wrong(
            lambda q: three(
                (q.pictures - q.missed - q.others) / q.pictures,
                precisions(q)[q.asked],
                recalls(q)[q.asked],
            ),
            "Your accuracy only asks: {name} or not? Then a picture of another class counts as right even "
            "where it was taken for a third one. Right are the {diagonal} on the diagonal.",
            "你的准确率只问“是不是 {name}”。这样一来，别的类别的图片就算被认成第三类，也会算作答对。"
            "真正答对的只有对角线上的 {diagonal} 张。",
        ),
        Wrong(
            lambda q: three(recalls(q)[q.asked], precisions(q)[q.asked], recalls(q)[q.asked]),
            "Your accuracy is that of {name} alone, its recall once more. Accuracy counts all classes: "
            "{diagonal} of {pictures}.",
            "你的准确率只算了 {name} 这一类，那其实就是它的召回率。准确率要算上所有类别：{pictures} 张里对了 "
            "{diagonal} 张。",
        ),
        Wrong(
            lambda q: three(recalls(q).mean(), precisions(q)[q.asked], recalls(q)[q.asked]),
            "Your accuracy is the mean of the three recalls. It would be the accuracy if all classes had "
            "equally many pictures; the rows here are not equal. Divide all {diagonal} right ones by all "
            "{pictures}.",
            "你的准确率是三个召回率的平均。只有每类图片一样多时，它才等于准确率，而这里各行的和并不相等。"
            "应当用答对的 {diagonal} 张除以全部 {pictures} 张。",
        ),
        Wrong(
            lambda q: three(accuracy(q), precisions(q).mean(), recalls(q).mean()),
            "Your precision and recall are means over all three classes. {name} alone was asked: its "
            "column and its row.",
            "你的精确率和召回率是三个类别的平均。题目只问 {name} 一类：看它那一列和那一行。",
        ),
        Wrong(
            lambda q: three(accuracy(q), q.found / q.pictures, q.found / q.pictures),
            "You divide the {found} by all {pictures} pictures, twice. Precision divides by what was called "
            "{name}, recall by what is one.",
            "你两次都用 {found} 除以全部 {pictures} 张。精确率除以被说成 {name} 的张数，召回率除以真正是 "
            "{name} 的张数。",
        ),
        Wrong(
            lambda q: three(accuracy(q), q.found / q.others, q.found / q.missed),
            "You divide the {found} right ones by the wrong ones, {others} and {missed}. The right ones "
            "belong below the line as well: {found} + {others}, {found} + {missed}.",
            "你用答对的 {found} 张去除以错的 {others} 张和 {missed} 张。分母里也要有答对的：{found} + "
            "{others}，{found} + {missed}。",
        ),
        Wrong(
            lambda q: three(accuracy(q), q.others / (q.found + q.others), q.missed / (q.found + q.missed)),
            "These are the shares of what went wrong: {others} in the column, {missed} in the row. Precision "
            "and recall count what went right.",
            "这是错的那部分所占的比例：列里的 {others} 张和行里的 {missed} 张。精确率和召回率算的是对的部分。"
            "",
        ),
    ],
    learned=(
        "Your {answer}: of the {found} + {others} pictures that were called {name}, {found} are one, and of "
        "its {found} + {missed} pictures {found} were found. Both begin from the same {found}; only what you "
        "divide by differs. The accuracy, {diagonal} / {pictures}, says nothing of which class pays for it.",
        "{answer}：被说成 {name} 的 {found} + {others} 张里，{found} 张说对了；它自己的 {found} + {missed} "
        "张里，找到了 {found} 张。分子都是 {found}，不同的只是除以什么。准确率 {diagonal} / {pictures} "
        "看不出错误都落在哪一类头上。",
    ),
)
