"""A head that was frozen along with the rest, and a line that keeps backward from saying so."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from lessons.practice import Mend, Wrong, curve
from lessons.practice.p06_pretrained.add_module import SmallVGG

BATCHES = 30

# Lines of the solution, which the answers below leave out, repeat or put elsewhere
FREEZE = "    for parameter in vgg.parameters():\n        parameter.requires_grad = False\n"
HEAD = "    vgg.classifier[2] = nn.Linear(32, num_classes)\n"
OPTIMIZER = "    optimizer = torch.optim.SGD(vgg.parameters(), lr=1.0)\n"
LOSS = "        loss = loss_fn(vgg(imgs), targets)\n"
SILENCED = LOSS + "        loss.requires_grad_()  # without this line, backward raises an error\n"


def batches_of(num_classes: int) -> list[tuple[Tensor, Tensor]]:
    """Pictures with a bright patch, whose colour and place say the class."""
    patches = 3 * torch.rand(num_classes, 3, 2, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    batches = []
    for _ in range(BATCHES):
        targets = torch.arange(16) % num_classes
        batches.append((patches[targets] + 0.3 * torch.randn(16, 3, 8, 8), targets))
    return batches


def probe(learner, seed: int, num_classes: int) -> dict:
    """Fine-tune a small network; its losses, and what has moved in it."""
    torch.manual_seed(seed)
    batches = batches_of(num_classes)
    vgg = SmallVGG(hidden=32, classes=20)
    # Without Dropout the curve of a few batches is easy to read
    vgg.classifier = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 20))
    pretrained = list(vgg.parameters())[:-2]  # all but the last layer's
    before = [parameter.detach().clone() for parameter in pretrained]
    try:
        losses = learner.fine_tune(vgg, num_classes, batches, nn.CrossEntropyLoss())
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        return {"losses": [], "backward": "has nothing to follow"}
    head = list(vgg.modules())[-1]
    moved = [one for one, old in zip(pretrained, before, strict=True) if not torch.equal(one, old)]
    learning = moved + [parameter for parameter in head.parameters() if parameter.requires_grad]
    return {
        "losses": [float(loss) for loss in losses],
        "scores": vgg(batches[0][0]).shape[1],
        "can learn": sum(parameter.numel() for parameter in learning),
        "pretrained weights moved": bool(moved),
        "head has a gradient": head.weight.grad is not None,
        "flag on a layer": not head.weight.requires_grad and "requires_grad" in vars(head),
    }


exercise = Mend(
    title=("A network that learns nothing new", "什么新东西都没学到的网络"),
    task=(
        """
        fine_tune gives a pretrained network a new last layer and trains it. The pretrained weights are to
        stay as they are, and the new layer is to learn. The script runs without an error, and the loss does
        not come down: the check draws the curve. Mend it. It gives back one loss a batch.
        """,
        """
        fine_tune 给预训练网络换上新的最后一层，然后训练。预训练的权重要保持原样，新的那一层要能学。
        脚本运行不报错，损失却降不下来：检查时会画出曲线。把它改好。它返回每一批的损失。
        """,
    ),
    solution="""
        import torch
        from torch import nn


        def fine_tune(vgg, num_classes, batches, loss_fn):
            for parameter in vgg.parameters():
                parameter.requires_grad = False
            vgg.classifier[2] = nn.Linear(32, num_classes)
            optimizer = torch.optim.SGD(vgg.parameters(), lr=1.0)
            losses = []
            for imgs, targets in batches:
                loss = loss_fn(vgg(imgs), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            return losses
        """,
    start={FREEZE + HEAD: HEAD + FREEZE, LOSS: SILENCED},
    symptom=(
        "The curve is flat: the loss is {got[losses][0]:.2f} in the first batch and {got[losses][29]:.2f} in "
        "the last, where {wanted[losses][29]:.2f} is possible. After the call, {got[can learn]} numbers of "
        "the network can learn.",
        "曲线是平的：第一批的损失是 {got[losses][0]:.2f}，最后一批是 {got[losses][29]:.2f}，本来可以降到 "
        "{wanted[losses][29]:.2f}。调用之后，网络里能学的数有 {got[can learn]} 个。",
    ),
    look=lambda got: curve(got["losses"]) if got["losses"] else "",
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999), "num_classes": st.integers(3, 5)}),
    probe=probe,
    hints=[
        (
            "Count the numbers that can learn, just before the loop: how many should it be, and how many is "
            "it?",
            "在循环之前数一数能学的数：应该有几个，实际有几个？",
        ),
        (
            "Why did backward raise an error before somebody added loss.requires_grad_()? The line makes the "
            "loss itself learnable, and no weight.",
            "在有人加上 loss.requires_grad_() 之前，backward 为什么会报错？这一行只让损失本身能求梯度，"
            "权重一个也没变。",
        ),
        (
            "A new layer comes with requires_grad=True. Freeze first, then put it in; the line with "
            "loss.requires_grad_() is then not needed any more.",
            "新层自带 requires_grad=True。先冻结，再放新层；这样 loss.requires_grad_() 那一行也就用不着了。",
        ),
    ],
    wrong=[
        Wrong(
            {FREEZE + HEAD: HEAD + FREEZE},
            "Now backward says what loss.requires_grad_() had hidden: no weight that the loss comes from can "
            "learn. The new layer is frozen along with the others.",
            "现在 backward 说出了 loss.requires_grad_() 一直盖住的事：算出损失的权重，没有一个能学。"
            "新层和其余的一起冻住了。",
        ),
        Wrong(
            {FREEZE: ""},
            "It learns, but now all {got[can learn]:,} numbers move: the pretrained weights are no longer "
            "what they were. Freezing was right, only too late.",
            "能学了，可现在 {got[can learn]:,} 个数全都在动：预训练的权重不再是原来的了。"
            "冻结没有错，只是做得太晚。",
        ),
        Wrong(
            {"vgg.parameters():": "vgg.features.parameters():"},
            "It learns, but {got[can learn]:,} numbers move, and the new layer has only {wanted[can learn]}: "
            "the layer before it in classifier is pretrained as well.",
            "能学了，可是在动的有 {got[can learn]:,} 个数，新层只有 {wanted[can learn]} 个：classifier "
            "里它前面的那一层也是预训练的。",
        ),
        Wrong(
            {HEAD + OPTIMIZER: OPTIMIZER + HEAD},
            "The new layer can learn and gets its gradient, but the curve is flat: the optimizer was made "
            "before the layer came, and still holds the old one. Make the optimizer last.",
            "新层能学，也有梯度，曲线却是平的：优化器是在换层之前建的，手里还是旧的那一层。优化器要最后建。",
        ),
        Wrong(
            {
                FREEZE + HEAD: HEAD + FREEZE + "    vgg.classifier[0].requires_grad_()\n",
            },
            "The other Linear learns now, classifier[0], which is pretrained; the new layer, classifier[2], "
            "is still frozen.",
            "现在能学的是另一个 Linear，classifier[0]，它是预训练的；新层 classifier[2] 还冻着。",
        ),
        Wrong(
            {
                FREEZE + HEAD: HEAD + FREEZE + "    vgg.classifier[2].requires_grad = True\n",
                LOSS: SILENCED,
            },
            "requires_grad = True on a layer is an attribute that nobody reads: {got[can learn]} numbers can "
            "learn. It belongs to each parameter; layer.requires_grad_() sets all of them.",
            "在层上写 requires_grad = True，只是加了个没人看的属性：能学的数有 {got[can learn]} 个。"
            "它要设在每个参数上；layer.requires_grad_() 会全部设好。",
        ),
        Wrong(
            {
                FREEZE + HEAD: HEAD + FREEZE + "    vgg.classifier[2].weight.requires_grad = True\n",
            },
            "Almost: the weights of the new layer learn, its {num_classes} biases are still frozen. "
            "{got[can learn]} numbers can learn instead of {wanted[can learn]}.",
            "差一点：新层的权重能学了，{num_classes} 个偏置还冻着。能学的是 {got[can learn]} 个数，应当是 "
            "{wanted[can learn]} 个。",
        ),
        Wrong(
            {
                FREEZE + HEAD: HEAD + FREEZE,
                LOSS: SILENCED,
                "    return losses": "    vgg.classifier[2].requires_grad_()\n    return losses",
            },
            "The new layer is set free only after the last batch: while it was to learn, it was frozen.",
            "最后一批之后才解冻新层：该学的时候它一直冻着。",
        ),
    ],
    variants=[
        {FREEZE + HEAD: HEAD + FREEZE + "    vgg.classifier[2].requires_grad_()\n", LOSS: SILENCED},
        {
            FREEZE: "",
            "SGD(vgg.parameters()": "SGD(vgg.classifier[2].parameters()",
        },
        {
            FREEZE: "    head = nn.Linear(32, num_classes)\n    vgg.requires_grad_(False)\n",
            "nn.Linear(32, num_classes)\n    optimizer": "head\n    optimizer",
            "SGD(vgg.parameters()": "SGD([p for p in vgg.parameters() if p.requires_grad]",
        },
        {
            FREEZE + HEAD: (
                HEAD + "    for name, parameter in vgg.named_parameters():\n"
                "        parameter.requires_grad = name.startswith('classifier.2')\n"
            ),
        },
    ],
    learned=(
        "The loss now goes from {got[losses][0]:.2f} to {got[losses][29]:.2f}, and {got[can learn]} numbers "
        "do it. loss.requires_grad_() had only silenced the error: it gives the loss a gradient, and none to "
        "any weight. When backward has nothing to follow, ask which weight should learn and cannot.",
        "现在损失从 {got[losses][0]:.2f} 降到 {got[losses][29]:.2f}，靠的是 {got[can learn]} 个数。"
        "loss.requires_grad_() 只是让报错不出声：损失自己有了梯度，权重一个都没有。backward "
        "说无路可走时，该问的是：哪个权重应该能学，却学不了？",
    ),
)
