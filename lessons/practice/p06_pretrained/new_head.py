"""A new head on a network whose weights are to stay as they are."""

import contextlib

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.practice import Write, Wrong
from lessons.practice.p06_pretrained.add_module import SmallVGG


def probe(learner, hidden: int, classes: int, num_classes: int) -> dict:
    """What the network is like afterwards, and what one step moves in it."""
    torch.manual_seed(hidden)
    vgg = SmallVGG(hidden, classes)
    pretrained = [parameter for parameter in vgg.parameters()][:-2]  # all but the last layer's
    before = [parameter.detach().clone() for parameter in pretrained]
    returned = learner.new_head(vgg, num_classes)
    vgg = vgg if returned is None else returned
    if not isinstance(vgg, nn.Module):
        return {"gives back": type(vgg).__name__}
    outputs = None
    with contextlib.suppress(RuntimeError):  # a layer that does not fit
        outputs = vgg(torch.rand(5, 3, 8, 8))  # (N, 3, 8, 8) -> (N, num_classes)
    of_now = list(vgg.parameters())
    learning = [parameter for parameter in of_now if parameter.requires_grad]
    seen = {
        "shape": "refused" if outputs is None else tuple(outputs.shape),
        "can learn": sum(parameter.numel() for parameter in learning),
        "in all": sum(parameter.numel() for parameter in of_now),
        "pretrained layers there": all(any(one is other for other in of_now) for one in pretrained),
        "Dropout layers": sum(isinstance(layer, nn.Dropout) for layer in vgg.modules()),
        "in training mode": vgg.training,
        "last layer": type(list(vgg.modules())[-1]).__name__,
    }
    if outputs is None:
        return seen
    moved = False
    if outputs.requires_grad:
        optimizer = torch.optim.SGD(learning, lr=0.5)
        nn.functional.cross_entropy(outputs, torch.arange(5) % 2).backward()
        optimizer.step()
        moved = any(not torch.equal(*pair) for pair in zip(pretrained, before, strict=True))
    return {**seen, "a step moves pretrained weights": moved}


exercise = Write(
    title=("A new head, and the rest frozen", "换上新的输出层，其余冻结"),
    task=(
        """
        vgg is a small network with pretrained weights, built as VGG16 is: features, avgpool and

            classifier = Sequential(Linear, ReLU, Dropout, Linear, ReLU, Dropout, Linear)

        The last Linear gives scores to classes that you do not need. Make the network answer with
        num_classes scores: one new layer in the place of the last one, and it alone can learn. All other
        weights stay as they are. Give the network back, in training mode as it came.
        """,
        """
        vgg 是一个带预训练权重的小网络，结构和 VGG16 一样：features、avgpool，以及

            classifier = Sequential(Linear, ReLU, Dropout, Linear, ReLU, Dropout, Linear)

        最后的 Linear 给出的类别不是你要的。让网络给出 num_classes 个得分：用一个新层换掉最后一层，
        而且只有它能学，其余权重保持原样。返回这个网络；它来时处在训练模式，返回时也一样。
        """,
    ),
    start="""
        from torch import nn


        def new_head(vgg, num_classes):
            ...
            return vgg
        """,
    solution="""
        from torch import nn


        def new_head(vgg, num_classes):
            for parameter in vgg.parameters():
                parameter.requires_grad = False
            in_features = vgg.classifier[6].in_features
            vgg.classifier[6] = nn.Linear(in_features, num_classes)
            return vgg
        """,
    cases=st.fixed_dictionaries(
        {"hidden": st.integers(6, 12), "classes": st.integers(14, 20), "num_classes": st.integers(2, 5)}
    ),
    probe=probe,
    examples=20,
    hints=[
        (
            "Two things are asked: a layer is exchanged, and the others are frozen. Does it matter which you "
            "do first?",
            "要做两件事：换一层，冻结其余的。先做哪一件，有区别吗？",
        ),
        (
            "A new layer comes with requires_grad=True. How many numbers it takes in, the old layer knows: "
            "in_features.",
            "新层自带 requires_grad=True。它的输入有多少个数，旧层知道：in_features。",
        ),
        (
            "First parameter.requires_grad = False for each in vgg.parameters(), then vgg.classifier[6] = "
            "nn.Linear(vgg.classifier[6].in_features, num_classes).",
            "先对 vgg.parameters() 里的每一个写 parameter.requires_grad = False，再写 vgg.classifier[6] = "
            "nn.Linear(vgg.classifier[6].in_features, num_classes)。",
        ),
    ],
    wrong=[
        Wrong(
            """
            from torch import nn

            def new_head(vgg, num_classes):
                vgg.classifier[6] = nn.Linear(vgg.classifier[6].in_features, num_classes)
                for parameter in vgg.parameters():
                    parameter.requires_grad = False
                return vgg
            """,
            "The new layer has been frozen along with the rest: 0 of {got[in all]:,} numbers can learn. "
            "First freeze, then put the new layer in.",
            "新层和其余的一起冻住了：{got[in all]:,} 个数里能学的是 0 个。先冻结，再放新层。",
        ),
        Wrong(
            {"vgg.parameters()": "vgg.features.parameters()"},
            "Only features is frozen. Of {got[can learn]:,} numbers that can learn, the new layer has "
            "{wanted[can learn]:,}: the others are in the layers of classifier before it, which are "
            "pretrained too.",
            "只冻结了 features。能学的有 {got[can learn]:,} 个数，其中新层只有 {wanted[can learn]:,} 个："
            "其余在 classifier 前面的几层里，它们也是预训练的。",
        ),
        Wrong(
            {"    for parameter in vgg.parameters():\n        parameter.requires_grad = False\n": ""},
            "Nothing is frozen: all {got[can learn]:,} numbers can learn. Freezing sets requires_grad, so "
            "spelled, of each parameter; of a module or under another name it is an attribute that nobody "
            "reads.",
            "什么都没冻结：{got[can learn]:,} 个数全都能学。冻结要在每个参数上设 requires_grad，"
            "名字一个字母都不能差；设在模块上，或者拼错了，都没有人去看它。",
        ),
        Wrong(
            {
                "    for parameter in vgg.parameters():\n        parameter.requires_grad = False\n": (
                    "    vgg.eval()\n"
                )
            },
            "eval() freezes nothing: it turns Dropout off, and all {got[can learn]:,} numbers can still "
            "learn. Freezing is requires_grad = False for each parameter.",
            "eval() 不是冻结：它只是关掉了 Dropout，{got[can learn]:,} 个数照样都能学。冻结要对每个参数写 "
            "requires_grad = False。",
        ),
        Wrong(
            {"    return vgg": "    vgg.eval()\n    return vgg"},
            "The right layer can learn, but the network is in evaluation mode: the two Dropout layers of "
            "classifier drop nothing while it learns.",
            "能学的层是对的，但网络成了测试模式：classifier 里的两个 Dropout 在训练时什么也不丢。",
        ),
        Wrong(
            {
                "vgg.classifier[6] = nn.Linear(in_features, num_classes)": (
                    'vgg.add_module("head", nn.Linear(vgg.classifier[6].out_features, num_classes))'
                )
            },
            "forward does not know the layer that you added to vgg: the output still has {classes} scores. "
            "It belongs into classifier.",
            "加在 vgg 上的那一层，forward 并不知道：输出还是 {classes} 个得分。要放进 classifier 里。",
        ),
        Wrong(
            {
                "vgg.classifier[6] = nn.Linear(in_features, num_classes)": (
                    'vgg.classifier.add_module("head", nn.Linear(vgg.classifier[6].out_features, '
                    "num_classes))"
                )
            },
            "There are {num_classes} scores now, but the old last layer is still there, and your layer "
            "learns from its {classes} scores instead of from {hidden} features. Exchange it: classifier[6] "
            "= ...",
            "得分是 {num_classes} 个了，可旧的最后一层还在，新层学的是它那 {classes} 个得分，而不是 {hidden} "
            "个特征。应当换掉它：classifier[6] = ...",
        ),
        Wrong(
            {
                "vgg.classifier[6] = nn.Linear(in_features, num_classes)": (
                    "vgg.classifier[6].out_features = num_classes"
                )
            },
            "out_features is only a note on the layer: its weights still give {classes} scores. A layer of "
            "another size is a new layer.",
            "out_features 只是层上的一个记录：它的权重还是给出 {classes} 个得分。大小不同，就得是一个新的层。"
            "",
        ),
        Wrong(
            {"in_features = vgg.classifier[6].in_features": "in_features = 4096"},
            "4096 is what VGG16 has. This network gives {hidden} numbers to its last layer: "
            "vgg.classifier[6].in_features knows it.",
            "4096 是 VGG16 的数。这个网络交给最后一层的是 {hidden} 个：vgg.classifier[6].in_features 里就有。"
            "",
        ),
        Wrong(
            """
            from torch import nn

            def new_head(vgg, num_classes):
                for parameter in vgg.parameters():
                    parameter.requires_grad = False
                vgg.classifier = nn.Linear(vgg.classifier[0].in_features, num_classes)
                return vgg
            """,
            "Your layer takes the place of the whole classifier: its two pretrained Linear layers and both "
            "Dropout layers are gone. Only the last layer, classifier[6], goes.",
            "你的层把整个 classifier 都换掉了：里面两个预训练的 Linear 和两个 Dropout 都没了。"
            "要换的只是最后一层 classifier[6]。",
        ),
        Wrong(
            """
            from torch import nn

            def new_head(vgg, num_classes):
                for parameter in vgg.parameters():
                    parameter.requires_grad = False
                first, hidden = vgg.classifier[0].in_features, vgg.classifier[0].out_features
                vgg.classifier = nn.Sequential(
                    nn.Linear(first, hidden), nn.ReLU(), nn.Dropout(),
                    nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(),
                    nn.Linear(hidden, num_classes),
                )
                return vgg
            """,
            "You built the whole classifier anew, and {got[can learn]:,} numbers begin at random. What its "
            "first two Linear layers have learnt is lost: one layer was to be exchanged.",
            "你把整个 classifier 重新搭了一遍，{got[can learn]:,} 个数从随机开始。前两个 Linear "
            "学到的东西就丢了：要换的只有一层。",
        ),
        Wrong(
            {
                "nn.Linear(in_features, num_classes)": (
                    "nn.Sequential(nn.Linear(in_features, num_classes), nn.Softmax(dim=1))"
                )
            },
            "The head ends with a softmax, so the outputs of a picture sum to 1. CrossEntropyLoss wants "
            "scores, and has a softmax inside.",
            "输出层后面多了一个 softmax，每张图片的输出加起来是 1。CrossEntropyLoss 要的是得分，"
            "它里面已经有 softmax 了。",
        ),
        Wrong(
            {"    return vgg": "    return vgg.classifier[6]"},
            "The network is as it should be, but you give back only its last layer.",
            "网络改对了，但返回的只是它的最后一层。",
        ),
        Wrong(
            """
            from torch import nn

            def new_head(vgg, num_classes):
                for parameter in vgg.parameters():
                    parameter.requires_grad = False
                vgg.classifier[6].out_features = num_classes
                for parameter in vgg.classifier[6].parameters():
                    parameter.requires_grad = True
                return vgg
            """,
            "out_features only says how large the layer was made: its weights are the old ones, and so the "
            "network still gives {got[shape][1]} scores. A layer of another size is a new layer.",
            "out_features 只是记录建层时的大小：权重还是原来的，所以网络给出的仍是 {got[shape][1]} 个得分。"
            "要换大小，就得换一个新层。",
        ),
    ],
    variants=[
        {
            "    for parameter in vgg.parameters():\n        parameter.requires_grad = False\n": (
                "    vgg.requires_grad_(False)\n"
            ),
            "classifier[6]": "classifier[-1]",
        },
        """
        import torch

        def new_head(vgg, num_classes):
            *kept, last = vgg.classifier
            head = torch.nn.Linear(last.in_features, num_classes)
            vgg.classifier = torch.nn.Sequential(*kept, head)
            for name, parameter in vgg.named_parameters():
                parameter.requires_grad_(name.startswith("classifier.6"))
            return vgg
        """,
        """
        from torch import nn

        def new_head(vgg, num_classes):
            vgg.classifier[6] = nn.Linear(vgg.classifier[3].out_features, num_classes)
            for part in (vgg.features, vgg.classifier[:6]):
                for parameter in part.parameters():
                    parameter.requires_grad = False
            return vgg
        """,
        {"nn.Linear(in_features, num_classes)": "nn.LazyLinear(num_classes)"},
    ],
    learned=(
        "{got[can learn]:,} of {got[in all]:,} numbers can learn: {hidden}*{num_classes} weights and "
        "{num_classes} biases of one layer. A step moves no other weight, and its backward pass ends at the "
        "new layer, so it is cheap, too.",
        "{got[in all]:,} 个数里能学的有 {got[can learn]:,} 个：一层的 {hidden}*{num_classes} 个权重和 "
        "{num_classes} 个偏置。走一步，别的权重都不动；反向传播走到新层就停，所以也省时间。",
    ),
)
