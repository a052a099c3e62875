"""Evaluation whose loss weighs each picture alike, whatever batch it is in."""

import torch
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lessons.practice import Write, Wrong


def network(seed: int) -> nn.Module:
    """A small network whose layers behave differently in a test; in training mode, as in an epoch."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(12, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 3)
    ).train()


def probe(learner, seed: int, pictures: int, batch_size: int) -> dict:
    """What evaluate gives back, and in which state it leaves the network."""
    model = network(seed)
    imgs, targets = torch.randn(pictures, 3, 2, 2), torch.randint(3, (pictures,))
    dataloader = DataLoader(TensorDataset(imgs, targets), batch_size)
    graphs = []
    model.register_forward_hook(lambda module, inputs, outputs: graphs.append(outputs.requires_grad))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss, accuracy = learner.evaluate(model, dataloader, nn.CrossEntropyLoss())
    after = model.state_dict()
    return {
        "loss": float(loss),
        "accuracy": float(accuracy),
        "batches with a graph": sum(graphs),
        "network changed": any(not torch.equal(before[name], after[name]) for name in before),
        "in training mode": all(module.training for module in model.modules()),
    }


cases = st.fixed_dictionaries(
    {
        "pictures": st.integers(4, 20),
        "batch_size": st.integers(2, 6),
        "seed": st.integers(1, 99),
    }
).filter(lambda case: case["pictures"] % case["batch_size"] != 1)  # BatchNorm trains on no single picture

exercise = Write(
    title=("Evaluate, each picture alike", "评估：每张图片一样重"),
    task=(
        """
        Write evaluate, which says how good a network is in the middle of its training:

        - It returns the mean loss per picture and the accuracy (0 to 1), over all pictures.
        - loss_fn gives the mean of a batch; the last batch may be smaller than the others.
        - The network has BatchNorm and Dropout. It comes in training mode, and so it must leave; nothing
          else in it may change, and no gradients are needed.
        """,
        """
        写出 evaluate，在训练中途看看网络有多好：

        - 返回平均每张图片的损失，以及准确率（0 到 1），都按全部图片算。
        - loss_fn 给出的是一批的平均；最后一批可能比别的小。
        - 网络里有 BatchNorm 和 Dropout。它进来时是训练模式，出去时也要是；除此之外什么都不能变，
          也不需要梯度。
        """,
    ),
    start="""
        import torch


        def evaluate(model, dataloader, loss_fn):
            for imgs, targets in dataloader:
                ...
            return loss, accuracy
        """,
    solution="""
        import torch


        @torch.no_grad()
        def evaluate(model, dataloader, loss_fn):
            model.eval()
            total_loss, correct, pictures = 0.0, 0, 0
            for imgs, targets in dataloader:
                outputs = model(imgs)
                total_loss += loss_fn(outputs, targets).item() * len(imgs)
                correct += (outputs.argmax(dim=1) == targets).sum().item()
                pictures += len(imgs)
            model.train()
            return total_loss / pictures, correct / pictures
        """,
    cases=cases,
    examples=20,
    probe=probe,
    hints=[
        (
            "7 pictures in batches of 4 and 3: how much of the mean over all pictures is the first batch's "
            "mean worth?",
            "7 张图片，一批 4 张，一批 3 张：在全部图片的平均里，第一批的平均该占多少？",
        ),
        (
            "Add up sums, not means: a batch's mean times its number of pictures is its sum. Divide once, at "
            "the end. And think of what comes before and after the loop.",
            "累加的要是总和，不是平均：一批的平均乘以它的张数，就是它的总和。最后只除一次。"
            "再想想循环前后各要做什么。",
        ),
        (
            "with torch.no_grad() around it, model.eval() before and model.train() after; in the loop "
            "total_loss += loss.item() * len(imgs), correct += (outputs.argmax(dim=1) == targets).sum().",
            "外面套 with torch.no_grad()，前面 model.eval()，后面 model.train()；循环里 total_loss += "
            "loss.item() * len(imgs)，correct += (outputs.argmax(dim=1) == targets).sum()。",
        ),
    ],
    wrong=[
        Wrong(
            {" * len(imgs)": "", "total_loss / pictures": "total_loss / len(dataloader)"},
            "Your loss is the mean of the batches' means: {got[loss]:.4f} instead of {wanted[loss]:.4f}. "
            "With {pictures} pictures in batches of {batch_size}, a picture in the last, smaller batch "
            "counts for more than another.",
            "你的损失是各批平均的平均：{got[loss]:.4f}，应为 {wanted[loss]:.4f}。{pictures} 张图片、批大小 "
            "{batch_size}，最后那个小批里的图片就比别的图片重了。",
        ),
        Wrong(
            {
                " * len(imgs)": "",
                "total_loss / pictures": "total_loss / len(dataloader)",
                ".sum().item()": ".float().mean().item()",
                "correct / pictures": "correct / len(dataloader)",
            },
            "Both are means of the batches' means. With {pictures} pictures in batches of {batch_size}, a "
            "picture in the last, smaller batch counts for more than another: loss {got[loss]:.4f} instead "
            "of {wanted[loss]:.4f}, accuracy {got[accuracy]:.3f} instead of {wanted[accuracy]:.3f}.",
            "两个都是各批平均的平均。{pictures} 张图片、批大小 {batch_size}，"
            "最后那个小批里的图片就比别的图片重了：损失 {got[loss]:.4f}，应为 {wanted[loss]:.4f}；准确率 "
            "{got[accuracy]:.3f}，应为 {wanted[accuracy]:.3f}。",
        ),
        Wrong(
            {" * len(imgs)": ""},
            "You add up the batches' means and divide by the {pictures} pictures: {got[loss]:.4f} instead of "
            "{wanted[loss]:.4f}. A mean has been divided already; times the pictures of its batch, it is a "
            "sum again.",
            "你把各批的平均加起来，再除以 {pictures} 张图片：{got[loss]:.4f}，应为 {wanted[loss]:.4f}。"
            "平均已经除过一次了，乘以这一批的张数，才变回总和。",
        ),
        Wrong(
            {" * len(imgs)": " * dataloader.batch_size"},
            "Every batch is weighed with {batch_size} pictures, also the last one, which has fewer of the "
            "{pictures}: {got[loss]:.4f} instead of {wanted[loss]:.4f}. len(imgs) is how many there are.",
            "每一批都按 {batch_size} 张算，连不满的最后一批也是（一共 {pictures} 张）：得到 {got[loss]:.4f}，"
            "应为 {wanted[loss]:.4f}。真正有几张，要看 len(imgs)。",
        ),
        Wrong(
            {" * len(imgs)": "", "total_loss / pictures": "total_loss"},
            "Your loss is the sum of the batches' means, {got[loss]:.4f}: it grows with the number of "
            "batches. Per picture it is {wanted[loss]:.4f}.",
            "你的损失是各批平均的和 {got[loss]:.4f}，批数越多它越大。平均每张图片是 {wanted[loss]:.4f}。",
        ),
        Wrong(
            {"    model.eval()\n": ""},
            "There is no eval(): Dropout strikes out numbers during the test, and BatchNorm uses the batch, "
            "and learns from it too, so that testing has changed the network.",
            "缺了 eval()：测试时 Dropout 还在去掉一些数，BatchNorm 用的是眼前这一批，还从中学了一点，"
            "所以测试一遍，网络就变了。",
        ),
        Wrong(
            {"@torch.no_grad()\n": ""},
            "The numbers are right, but {got[batches with a graph]} batches were worked out with the graph "
            "that a backward would need. eval() does not switch that off; torch.no_grad() does, and "
            "saves the memory.",
            "数都对，但有 {got[batches with a graph]} 批在计算时留下了供 backward 用的计算图。eval() "
            "不管这个；torch.no_grad() 才管，内存也省下来了。",
        ),
        Wrong(
            {"    model.train()\n": ""},
            "The numbers are right, but the network stays in test mode: from now on the training would go on "
            "without Dropout, and BatchNorm would learn nothing more.",
            "数都对，但网络停在了测试模式：接下来的训练就没有 Dropout 了，BatchNorm 也不再学。",
        ),
        Wrong(
            {"    model.eval()\n": "", "    model.train()\n": "", "@torch.no_grad()\n": ""},
            "The sums are right, but the network is tested as it is trained: Dropout strikes out numbers, "
            "BatchNorm learns from the test pictures, and all graphs are built. Three calls are missing: "
            "eval() before, train() after, no_grad() around.",
            "求和的方法对了，但测试时网络还在训练的状态：Dropout 去掉一些数，BatchNorm 从测试图片里学，"
            "计算图也都建了。缺三样：前面 eval()，后面 train()，外面 no_grad()。",
        ),
        Wrong(
            {
                ".sum().item()": ".float().mean().item()",
                "correct / pictures": "correct / len(dataloader)",
            },
            "The loss is right, but the accuracy is the mean of the batches' accuracies: {got[accuracy]:.3f} "
            "instead of {wanted[accuracy]:.3f}. Count the right answers, and divide once by {pictures}.",
            "损失对了，准确率却是各批准确率的平均：{got[accuracy]:.3f}，应为 {wanted[accuracy]:.3f}。"
            "应当数答对的张数，最后除一次 {pictures}。",
        ),
        Wrong(
            {"correct / pictures": "100 * correct / pictures"},
            "Your accuracy is in per cent, {got[accuracy]:.1f}; from 0 to 1 was asked: "
            "{wanted[accuracy]:.3f}. The % sign comes when it is printed: f'{{accuracy:.1%}}'.",
            "你的准确率是百分数 {got[accuracy]:.1f}，题目要的是 0 到 1 之间的 {wanted[accuracy]:.3f}。"
            "百分号等打印时再加：f'{{accuracy:.1%}}'。",
        ),
        Wrong(
            {"correct / pictures": "correct / len(dataloader)"},
            "Your accuracy is right answers per batch, {got[accuracy]:.3f}: it can be more than 1. Divide by "
            "the {pictures} pictures.",
            "你的准确率是平均每批答对几张：{got[accuracy]:.3f}，可能超过 1。应当除以 {pictures} 张图片。",
        ),
        Wrong(
            {"        pictures += len(imgs)\n": "        pictures = len(dataloader) * len(imgs)\n"},
            "You divide by the number of batches times the size of the last one. The batches are not all of "
            "one size: add up len(imgs), {pictures} in all.",
            "你除以的是“批数乘以最后一批的大小”。各批并不一样大：把每一批的 len(imgs) 加起来，一共是 "
            "{pictures} 张。",
        ),
    ],
    variants=[
        {
            "pictures += len(imgs)\n": "pass\n",
            "total_loss / pictures, correct / pictures": "total_loss / len(dataloader.dataset), correct / "
            "len(dataloader.dataset)",
        },
        """
        import torch

        def evaluate(net, loader, criterion):
            outputs, labels = [], []
            was_training = net.training
            net.train(False)
            with torch.inference_mode():
                for x, y in loader:
                    outputs.append(net(x))
                    labels.append(y)
                outputs, labels = torch.cat(outputs), torch.cat(labels)
                loss = criterion(outputs, labels)
                accuracy = (outputs.max(1).indices == labels).float().mean()
            net.train(was_training)
            return loss.item(), accuracy.item()
        """,
        """
        import torch

        def evaluate(model, dataloader, loss_fn):
            model.eval()
            sums = torch.zeros(3)
            for imgs, targets in dataloader:
                with torch.no_grad():
                    outputs = model(imgs)
                loss = loss_fn(outputs, targets) * targets.size(0)
                sums += torch.stack([loss, (outputs.argmax(1) == targets).sum(), torch.tensor(len(targets))])
            model.train()
            return sums[0] / sums[2], sums[1] / sums[2]
        """,
    ],
    learned=(
        "Right on {cases} sets; the last was {pictures} pictures in batches of {batch_size}, with a loss of "
        "{got[loss]:.4f}. Sums add up over batches of any size, means do not: so divide once, at the end. "
        "And an evaluation leaves no trace: the mode is as it was, BatchNorm has learnt nothing.",
        "{cases} 组都对了；最后一组是 {pictures} 张图片、批大小 {batch_size}，损失 {got[loss]:.4f}。"
        "不管批有多大，总和都可以累加，平均却不行，所以最后只除一次。评估也不该留下痕迹：模式还是原来的，"
        "BatchNorm 什么也没学。",
    ),
)
