"""torch.flatten without start_dim: the batch becomes a part of the row."""

import torch
from hypothesis import strategies as st
from torch import nn

from lessons.practice import Mend, Wrong


def probe(learner, last: int, seed: int) -> dict:
    """What each batch becomes: the shape of the row and the answer, or the error; and whose answer it is."""
    torch.manual_seed(seed)
    tudui = learner.Tudui()
    rows = []
    for layer in tudui.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_pre_hook(lambda _, inputs: rows.append(list(inputs[0].shape)))
    found = {}
    for name, batch in {"single": 1, "batch": 64, "last": last}.items():
        imgs = torch.rand(batch, 3, 8, 8)
        rows.clear()
        seen = {"outputs": [], "row": [], "said": "", "own": False, "batch": batch}
        try:
            with torch.no_grad():
                outputs = tudui(imgs)
            seen["outputs"] = list(outputs.shape)
        except (RuntimeError, ValueError, IndexError) as error:
            seen["said"] = str(error)
        seen["row"] = rows[0][-1:] if rows and seen["outputs"] == [batch, 10] else (rows or [[]])[0]
        if seen["outputs"] == [batch, 10]:  # is a picture's answer the same among other pictures?
            with torch.no_grad():
                others = torch.cat([imgs[:1], torch.rand(batch - 1, 3, 8, 8)])
                seen["own"] = torch.allclose(tudui(others)[0], outputs[0], atol=1e-5)
        found[name] = seen
    return found


def look(got: dict) -> str:
    rows = []
    for seen in got.values():
        row = ", ".join(map(str, seen["row"]))
        before = "N, " if seen["outputs"] == [seen["batch"], 10] else ""
        said = seen["said"] or tuple(seen["outputs"])
        rows.append(f"({seen['batch']}, 3, 8, 8) -> ({before}{row}) -> Linear: {said}")
    return "\n".join(rows)


exercise = Mend(
    title=("Where is the batch?", "批到哪里去了"),
    task=(
        """
        This small network was tried with a single picture, and no error came. With a batch of 64 it stops;
        the check shows where.

        Mend it: a batch of any size, (N, 3, 8, 8), gives (N, 10), ten scores for each picture, which do not
        depend on the other pictures of the batch. Linear(128, 10) keeps its size.
        """,
        """
        这个小网络只用一张图片试过，没有报错。换成 64 张一批就停下了：检查时会显示停在哪里。

        把它改好：不管一批多大，(N, 3, 8, 8) 都得到 (N, 10)，每张图片十个得分，
        而且和同一批里的其他图片无关。Linear(128, 10) 的大小不变。
        """,
    ),
    solution="""
        import torch
        from torch import nn


        class Tudui(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
                self.maxpool1 = nn.MaxPool2d(2)
                self.linear1 = nn.Linear(128, 10)

            def forward(self, imgs):
                outputs = self.maxpool1(self.conv1(imgs))  # (N, 3, 8, 8) -> (N, 8, 4, 4)
                outputs = torch.flatten(outputs, start_dim=1)
                return self.linear1(outputs)
        """,
    start={", start_dim=1": ""},
    symptom=(
        "With one picture it only looks right: {got[single][outputs]} comes out, without the batch. With 64: "
        "{got[batch][said]}. torch.flatten made a single row of {got[batch][row][0]} numbers of them.",
        "只有一张图片时，只是看上去没事：得到的是 {got[single][outputs]}，批已经不见了。64 张时报错："
        "{got[batch][said]}。torch.flatten 把它们排成了一整行，共 {got[batch][row][0]} 个数。",
    ),
    look=look,
    cases=st.fixed_dictionaries({"last": st.integers(2, 63), "seed": st.integers(1, 999)}),
    probe=probe,
    hints=[
        (
            "Print outputs.shape before and after torch.flatten, with a batch of 64. Which of the four "
            "numbers should have stayed?",
            "用 64 张的一批，在 torch.flatten 前后各打印一次 outputs.shape。四个数里，哪一个本该留下？",
        ),
        (
            "Dimension 0 is the batch. Flattening has to begin with dimension 1: channels, height and width.",
            "第 0 维是批。展平要从第 1 维开始：通道、高、宽。",
        ),
        (
            "torch.flatten(outputs, start_dim=1), or a layer nn.Flatten(), whose default is 1.",
            "torch.flatten(outputs, start_dim=1)，或者用 nn.Flatten() 这一层，它默认就从第 1 维开始。",
        ),
    ],
    wrong=[
        Wrong(
            {"torch.flatten(outputs, start_dim=1)": "outputs.reshape(64, -1)"},
            "The 64 is written into the network now. The last batch of an epoch has {last} pictures: "
            "{got[last][said]}. Leave the batch open: start_dim=1.",
            "现在 64 写死在网络里了。一轮的最后一批只有 {last} 张：{got[last][said]}。"
            "批的大小不要写死：用 start_dim=1。",
        ),
        Wrong(
            {", start_dim=1": "", "nn.Linear(128, 10)": "nn.Linear(64 * 128, 10)"},
            "The Linear takes the row of all 64 pictures now and gives {got[batch][outputs]}: one answer "
            "for the whole batch, and none for another batch. Its size was right.",
            "Linear 现在吃下了 64 张图片排成的一整行，得到 {got[batch][outputs]}：整批只有一个答案，"
            "批的大小一变就报错。它原来的大小没有错。",
        ),
        Wrong(
            {"start_dim=1": "start_dim=2"},
            "start_dim=2 leaves the channels as a dimension of their own: {got[batch][row]} comes to the "
            "Linear, 16 numbers a channel instead of 128 a picture. Dimension 1 has to go into the row as "
            "well.",
            "start_dim=2 把通道单独留成了一维：到 Linear 的是 {got[batch][row]}，每个通道 16 个数，"
            "而不是每张图片 128 个。第 1 维也要展平。",
        ),
        Wrong(
            {"torch.flatten(outputs, start_dim=1)": "torch.flatten(outputs, end_dim=1)"},
            "end_dim=1 joins the first two dimensions, pictures and channels: {got[batch][row]} comes to the "
            "Linear. Flatten from dimension 1 on, not up to it.",
            "end_dim=1 合并的是最前面两维，也就是图片和通道：到 Linear 的是 {got[batch][row]}。"
            "要从第 1 维开始展平，而不是到第 1 维为止。",
        ),
        Wrong(
            {"torch.flatten(outputs, start_dim=1)": "torch.flatten(outputs).unsqueeze(0)"},
            "A batch dimension of 1 was put in front again, so one picture is right. But 64 pictures are "
            "still in one row: {got[batch][said]}. Don't flatten the batch in the first place.",
            "你在前面又补了大小为 1 的一维，所以一张图片时对了。可 64 张仍然排在一行里："
            "{got[batch][said]}。一开始就不要把批展平。",
        ),
        Wrong(
            {"torch.flatten(outputs, start_dim=1)": "outputs.reshape(128, -1).T"},
            "The shape is right and no error comes, but the pictures are mixed: in the batch of 64, the "
            "answer to the first picture changes with the others. A row of 128 takes its numbers from many "
            "pictures now. Keep dimension 0 where it is.",
            "形状对了，也不报错，可图片混在了一起：64 张的那一批里，别的图片一换，第一张的答案就变。"
            "现在一行 128 个数来自许多张图片。第 0 维不要动。",
        ),
        Wrong(
            {"outputs = torch.flatten(outputs, start_dim=1)\n": "pass\n"},
            "Without flattening, pictures come to the Linear: {got[batch][row]}. It looks at the last "
            "dimension alone and finds 4 numbers instead of 128.",
            "不展平，到 Linear 的还是图片：{got[batch][row]}。它只看最后一维，那里是 4 个数，不是 128 个。",
        ),
        Wrong(
            {"torch.flatten(outputs, start_dim=1)": "torch.flatten(outputs[:1], start_dim=1)"},
            "Only the first picture is answered: {got[batch][outputs]} comes out of a batch of 64.",
            "只算了第一张图片：64 张的一批只得到 {got[batch][outputs]}。",
        ),
    ],
    variants=[
        {"torch.flatten(outputs, start_dim=1)": "outputs.reshape(len(imgs), -1)"},
        {"torch.flatten(outputs, start_dim=1)": "outputs.view(-1, 128)"},
        {
            "self.linear1 = nn.Linear(128, 10)": (
                "self.flatten = nn.Flatten()\n        self.linear1 = nn.Linear(128, 10)"
            ),
            "torch.flatten(outputs, start_dim=1)": "self.flatten(outputs)",
        },
        """
        from torch import nn

        class Tudui(nn.Module):
            def __init__(self):
                super().__init__()
                self.model1 = nn.Sequential(
                    nn.Conv2d(3, 8, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)
                )

            def forward(self, imgs):
                return self.model1(imgs)
        """,
        {
            "outputs = torch.flatten(outputs, start_dim=1)\n        return self.linear1(outputs)": (
                "return torch.stack([self.linear1(torch.flatten(output)) for output in outputs])"
            ),
        },
    ],
    learned=(
        "1, 64 and {last} pictures give {got[single][outputs]}, {got[batch][outputs]} and "
        "{got[last][outputs]}. A single picture hid the mistake, so try a new network with a batch of two "
        "or more. And look whether each row is one picture's: a right shape does not prove it.",
        "1 张、64 张、{last} 张分别得到 {got[single][outputs]}、{got[batch][outputs]}、"
        "{got[last][outputs]}。只用一张图片，这个错就看不出来，所以新网络至少要用两张一批来试。"
        "还要看每一行是不是来自同一张图片：形状对了并不能证明这一点。",
    ),
)
