"""Pictures as whole numbers: pooling takes them, the convolution after it does not."""

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.course.words import either
from lessons.practice import Mend, Wrong

DTYPES = {"uint8": torch.uint8, "long": torch.int64}


def probe(learner, seed: int) -> dict:
    """For each kind of whole numbers: what arrived at both layers, and what came out or was said."""
    torch.manual_seed(seed)
    pool, conv = nn.MaxPool2d(2), nn.Conv2d(3, 2, 3)
    whole = torch.randint(
        0, 251, (2, 3, 8, 8)
    )  # the largest number is not 255: a picture need not be so bright
    whole[0, 0, 0, 0] = 250
    found = {}
    for name, dtype in DTYPES.items():
        seen = {"arrived": "nothing", "largest": 0.0, "pooled": "nothing", "said": "", "outputs": None}

        def note_pooled(_, inputs, output, seen=seen) -> None:
            seen["pooled"] = str(output.dtype).removeprefix("torch.")

        def note_arrived(_, inputs, seen=seen) -> None:
            seen["arrived"] = str(inputs[0].dtype).removeprefix("torch.")
            seen["largest"] = float(inputs[0].max())

        handles = [pool.register_forward_hook(note_pooled), conv.register_forward_pre_hook(note_arrived)]
        pictures = whole.to(dtype)
        try:
            seen["outputs"] = learner.outputs_of(pictures, pool, conv)
        except (RuntimeError, TypeError) as error:
            seen["said"] = str(error)
        seen["pictures kept"] = bool((pictures == whole).all())
        if not seen["said"]:
            seen["pooled"] = ""  # right answers may pool whole numbers or floats
        for handle in handles:
            handle.remove()
        found[name] = seen
    return found


def look(got: dict) -> str:
    rows = []
    for name, seen in got.items():
        arrived = (
            f"MaxPool2d -> {seen['arrived']}, {either('largest', '最大')} {seen['largest']:.4g} -> Conv2d: "
        )
        end = seen["said"] or tuple(seen["outputs"].shape)
        rows.append(f"{name:<5} -> {'' if seen['arrived'] == 'nothing' else arrived}{end}")
    return "\n".join(rows)


exercise = Mend(
    title=("Whole numbers", "整数图片"),
    task=(
        """
        pictures is a batch as it comes from files: whole numbers from 0 to 255, (N, 3, H, W), as uint8
        or as long. It goes through pooling and then a convolution. The check shows how far it gets.

        Mend outputs_of, so that the convolution gets float32 numbers from 0 to 1, as ToTensor would make
        them (255 becomes 1), from both kinds of whole numbers. Leave pool, conv and pictures as they are.
        """,
        """
        pictures 是刚从文件读出来的一批：0 到 255 的整数，(N, 3, H, W)，类型是 uint8 或 long。
        它先过池化，再过卷积。检查时会显示它走到了哪一步。

        把 outputs_of 改好：不管来的是哪种整数，卷积拿到的都是 float32、0 到 1 之间的数，
        和 ToTensor 的结果一样（255 变成 1）。pool、conv 和 pictures 本身不要动。
        """,
    ),
    solution="""
        import torch


        def outputs_of(pictures, pool, conv):
            imgs = pictures.to(torch.float32) / 255
            imgs = pool(imgs)  # (N, 3, H, W) -> (N, 3, H/2, W/2)
            return conv(imgs)
        """,
    start={"pictures.to(torch.float32) / 255": "pictures"},
    symptom=(
        "MaxPool2d took the whole numbers and gave whole numbers ({got[long][pooled]}). Only the layer after "
        "it stops: {got[long][said]}. A convolution multiplies with weights, and those are float32.",
        "MaxPool2d 接受了整数，给出的也是整数（{got[long][pooled]}）。后面那一层才报错：{got[long][said]}。"
        "卷积要拿它们去乘权重，而权重是 float32。",
    ),
    look=look,
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "What does a convolution do with a number that pooling does not? What type are its weights "
            "(conv.weight.dtype)?",
            "卷积拿到数要做一件池化不做的事，是什么？它的权重是什么类型（conv.weight.dtype）？",
        ),
        (
            "Two things are needed: another type, and another range. In lesson 1, picture_to_tensor does "
            "both in one line.",
            "要做两件事：换类型，换范围。第 1 课的 picture_to_tensor 一行就做完了。",
        ),
        (
            "pictures.to(torch.float32) / 255, before the pooling or after it: first the type, then the "
            "division.",
            "pictures.to(torch.float32) / 255，放在池化之前或之后都行：先换类型，再做除法。",
        ),
    ],
    wrong=[
        Wrong(
            {" / 255": ""},
            "The error is gone, but numbers up to {got[uint8][largest]:.0f} arrive at the convolution. From "
            "0 to 1 means: divide by 255 as well.",
            "不报错了，可是到达卷积的数最大有 {got[uint8][largest]:.0f}。要在 0 到 1 之间，还得除以 255。",
        ),
        Wrong(
            {"pictures.to(torch.float32) / 255": "pictures // 255"},
            "What arrives are whole numbers still ({got[uint8][arrived]}), and none is above "
            "{got[uint8][largest]:.0f}: cut to a whole number, all that lies between 0 and 1 is 0, so the "
            "picture is black. // divides like that.",
            "到达卷积的还是整数（{got[uint8][arrived]}），最大的只有 {got[uint8][largest]:.0f}：0 和 1 "
            "之间的数一取整全是 0，图片就全黑了。// 做的正是这样的整除。",
        ),
        Wrong(
            {"pictures.to(torch.float32) / 255": "(pictures // 255).to(torch.float32)"},
            "The type is right, but // has divided whole numbers first: all below 255 became "
            "{got[uint8][largest]:.0f}, a black picture without any error. First the type, then the "
            "division.",
            "类型对了，但 // 先做了整除：255 以下的全成了 {got[uint8][largest]:.0f}，图片全黑，却不报错。"
            "先换类型，再除。",
        ),
        Wrong(
            {"torch.float32": "torch.float64"},
            "float64 can hold fractions too, but it is not the type of the weights: {got[uint8][said]}. Both "
            "have to be float32.",
            "float64 也有小数，但和权重的类型不同：{got[uint8][said]}。两边都得是 float32。",
        ),
        Wrong(
            {
                "pictures.to(torch.float32) / 255": "pictures.to(torch.float32)",
                "return conv(imgs)": "return conv(imgs) / 255",
            },
            "You divide what comes out of the convolution: numbers up to {got[uint8][largest]:.0f} went in, "
            "and its bias has been divided, too. Divide the pictures.",
            "你除的是卷积的输出：送进去的数最大还有 {got[uint8][largest]:.0f}，偏置也被除了。要除的是图片。",
        ),
        Wrong(
            {"pictures.to(torch.float32) / 255": "pictures.to(torch.float32) / pictures.max()"},
            "You divide by the largest number of this batch, so it becomes {got[uint8][largest]:.0f}. A "
            "batch of dark pictures would be made bright: the same picture, other numbers in another batch. "
            "Divide by 255 always.",
            "你除的是这一批里最大的数，所以它成了 {got[uint8][largest]:.0f}。一批暗的图片就会被调亮："
            "同一张图，换一批数就变了。要固定除以 255。",
        ),
        Wrong(
            {" / 255": " / 127.5 - 1"},
            "You move the numbers to -1..1: what is 0 in the file arrives as -1. That is done as well, with "
            "a network that has learnt so; here 0 is to stay 0 and 255 to become 1.",
            "你把数挪到了 -1 到 1：文件里的 0 到了卷积就成了 -1。也有网络是这样训练的；这里要的是 0 还是 0，"
            "255 变成 1。",
        ),
        Wrong(
            {" / 255": " / 256"},
            "256 kinds of brightness, but the largest is 255: that one is to become 1. With 256 it stays "
            "below.",
            "亮度有 256 种，最大的却是 255：它才应当变成 1。除以 256 就到不了。",
        ),
        Wrong(
            {"    imgs = pictures.to(torch.float32) / 255": "    pictures /= 255\n    imgs = pictures"},
            "/= writes into the tensor that is there, and that one holds whole numbers: {got[uint8][said]}. "
            "Make a new tensor instead.",
            "/= 是往原来的张量里写，而它只装得下整数：{got[uint8][said]}。另做一个新的张量。",
        ),
        Wrong(
            {
                "import torch\n": "from torchvision.transforms.functional import convert_image_dtype\n",
                "pictures.to(torch.float32) / 255": "convert_image_dtype(pictures)",
            },
            "That is right for uint8. For long, this function takes the largest number that a long can hold "
            "for white, not 255: the largest that arrives is {got[long][largest]:.3g}.",
            "对 uint8 是对的。对 long，这个函数把 long 能装下的最大数当成白色，而不是 255："
            "到达卷积的最大数是 {got[long][largest]:.3g}。",
        ),
        Wrong(
            {
                "pictures.to(torch.float32) / 255": "pictures",
                "return conv(imgs)": "return conv.to(imgs.dtype)(imgs)",
            },
            "You want to make the network whole as well: {got[uint8][said]}. Weights are learnt in small "
            "steps, so they need fractions; change the pictures.",
            "你想把网络也变成整数：{got[uint8][said]}。权重是一小步一小步学出来的，必须有小数；要改的是图片。"
            "",
        ),
    ],
    variants=[
        {"pictures.to(torch.float32) / 255": "pictures / 255"},
        {
            "pictures.to(torch.float32) / 255": "pictures",
            "return conv(imgs)": "return conv(imgs.float() / 255)",
        },
        """
        import torchvision.transforms.functional as functional
        import torch

        def outputs_of(pictures, pool, conv):
            small = pool(pictures).type(torch.uint8)
            return conv(functional.convert_image_dtype(small, torch.float32))
        """,
        """
        def outputs_of(batch, pool, conv):
            numbers = batch.clone().to(conv.weight.dtype)
            numbers.mul_(1 / 255)
            return conv(pool(numbers))
        """,
    ],
    learned=(
        "The largest number that arrives is {got[uint8][largest]:.3f} now (250 / 255), for uint8 and long "
        "alike. Comparing works with whole numbers, so pooling takes them; weights have a fraction, and both "
        "sides of a multiplication need one type. Large numbers run without an error, but they make large "
        "steps.",
        "现在到达卷积的最大数是 {got[uint8][largest]:.3f}（250 / 255），uint8 和 long 都一样。"
        "比大小用整数就行，所以池化不在乎；权重是小数，相乘的两边类型必须一致。不除以 255 也不报错，"
        "可是数大了，训练时步子也跟着大。",
    ),
)
