"""Pictures with transparency: four channels where a network expects three."""

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from lessons.course.words import either
from lessons.practice import Mend, Wrong

HIDDEN = (200, 30, 60)  # the colour of the file's transparent pixels, which nobody sees


def write_files(seed: int) -> dict[str, Path]:
    """Three pictures of 3x5: with transparency, in colour, and grey. In the first, the upper row is opaque,
    the middle one half transparent and the lower one transparent."""
    random = np.random.default_rng(seed)
    colours = random.integers(20, 236, (3, 5, 4), dtype=np.uint8)  # H, W, C
    colours[0, :, 3], colours[1, :, 3], colours[2] = 255, 128, (*HIDDEN, 0)
    arrays = {"RGBA": colours, "RGB": colours[:, :, :3].copy(), "L": colours[:, :, 0].copy()}
    paths = {}
    for mode, array in arrays.items():
        paths[mode] = Path(f"{mode}.png")
        Image.fromarray(array).save(paths[mode])
    return paths


def probe(learner, seed: int) -> dict:
    """What is loaded from each file, and what a convolution with three input channels says to it."""
    conv = nn.Conv2d(3, 3, 3)
    found = {}
    for mode, path in write_files(seed).items():
        try:
            img = learner.load(path)
        except (ValueError, IndexError, RuntimeError, OSError) as error:
            found[mode] = {"error": f"{type(error).__name__}: {error}", "img": None}
            continue
        try:
            said = f"takes {tuple(conv(img[None]).shape)}"
        except RuntimeError as error:
            said = str(error)
        found[mode] = {
            "error": "none",
            "img": img,
            "conv": said,
            "opaque": img[:, 0, 0].tolist(),
            "half": img[:, 1, 0].tolist(),
            "clear": img[:, 2, 0].tolist(),
        }
    return found


def look(got: dict) -> str:
    rows = []
    for mode, seen in got.items():
        if seen["img"] is None:
            rows.append(f"{mode}.png: {seen['error']}")
            continue
        rows.append(f"{mode}.png: {tuple(seen['img'].shape)}")
        if mode == "RGBA":
            rows += [
                f"    {words}: {' '.join(f'{number:.2f}' for number in seen[name])}"
                for name, words in (
                    ("opaque", either("opaque pixel          ", "不透明的像素")),
                    ("half", either("half transparent pixel", "半透明的像素")),
                    ("clear", either("transparent pixel     ", "全透明的像素")),
                )
            ]
    return "\n".join(rows)


exercise = Mend(
    title=("Four channels", "四个通道"),
    task=(
        """
        load reads a picture file for a network that begins with Conv2d(3, ...). With a screenshot that has
        transparent parts, the network stops with an error; the check shows it.

        Mend load so that each picture gives (3, H, W) with numbers from 0 to 1. A picture with
        transparency is to look as it does on a white page: white where it is transparent, and a mixture
        where it is half so. Pictures in colour stay as they are, and grey ones (mode L) get three channels.
        """,
        """
        load 为一个以 Conv2d(3, ...) 开头的网络读取图片文件。遇到带透明部分的截图，网络就报错停下：
        检查时会显示出来。

        把 load 改好，让每张图片都变成 (3, H, W)、0 到 1 之间的数。带透明度的图片要像放在白纸上那样：
        全透明的地方是白的，半透明的地方是两者的混合。彩色图片保持原样，灰度图（模式 L）变成三个通道。
        """,
    ),
    solution="""
        from PIL import Image
        from torchvision.transforms import ToTensor


        def load(path):
            picture = Image.open(path).convert("RGBA")
            page = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(page, picture).convert("RGB")
            return ToTensor()(picture)
        """,
    start={
        '.convert("RGBA")\n    page = Image.new("RGBA", picture.size, "white")\n'
        '    picture = Image.alpha_composite(page, picture).convert("RGB")\n': "\n"
    },
    symptom=(
        "The convolution says: {got[RGBA][conv]}. The file's fourth channel is its transparency; ToTensor "
        "takes over as many channels as the file has.",
        "卷积报错：{got[RGBA][conv]}。文件的第四个通道是透明度；文件里有几个通道，ToTensor 就给几个。",
    ),
    look=look,
    cases=st.fixed_dictionaries({"seed": st.integers(1, 999)}),
    probe=probe,
    tolerance=0.05,
    hints=[
        (
            "What colour does the file store for a pixel that nobody sees? Look at the four numbers of one: "
            "red, green, blue and alpha, which is 0 there.",
            "对一个谁也看不见的像素，文件里存的是什么颜色？看看它的四个数：红、绿、蓝，还有 alpha，在那里是 "
            "0。",
        ),
        (
            "With alpha from 0 to 1, what one sees on white is alpha * colour + (1 - alpha) * 1. Pillow can "
            "do that sum for you, when both pictures have the mode RGBA.",
            "alpha 从 0 到 1 时，放在白纸上看到的是 alpha * 颜色 + (1 - alpha) * 1。两张图的模式都是 RGBA "
            "时，Pillow 可以替你算。",
        ),
        (
            'picture = Image.open(path).convert("RGBA"), page = Image.new("RGBA", picture.size, "white"), '
            'then Image.alpha_composite(page, picture).convert("RGB").',
            'picture = Image.open(path).convert("RGBA")，page = Image.new("RGBA", picture.size, "white")，'
            '再用 Image.alpha_composite(page, picture).convert("RGB")。',
        ),
    ],
    wrong=[
        Wrong(
            """
            from PIL import Image
            from torchvision.transforms import ToTensor

            def load(path):
                return ToTensor()(Image.open(path).convert("RGB"))
            """,
            "The shape is right now, but the transparency has only been dropped: where the picture is "
            "transparent you get {got[RGBA][clear][0]:.2f}, {got[RGBA][clear][1]:.2f}, "
            "{got[RGBA][clear][2]:.2f}, a colour that the file stores and nobody sees. On white it is 1, 1, "
            "1.",
            "形状对了，但透明度只是被丢掉了：透明的地方得到 {got[RGBA][clear][0]:.2f}、"
            "{got[RGBA][clear][1]:.2f}、{got[RGBA][clear][2]:.2f}，那是文件里存着、谁也看不见的颜色。"
            "放在白纸上应当是 1、1、1。",
        ),
        Wrong(
            """
            from PIL import Image
            from torchvision.transforms import ToTensor

            def load(path):
                return ToTensor()(Image.open(path))[:3]
            """,
            "[:3] cuts the fourth channel off: what is transparent shows a hidden colour "
            "({got[RGBA][clear][0]:.2f}, {got[RGBA][clear][1]:.2f}, {got[RGBA][clear][2]:.2f}) instead of "
            "white, and the grey picture still has a single channel.",
            "[:3] 把第四个通道切掉了：透明的地方露出了藏着的颜色（{got[RGBA][clear][0]:.2f}、"
            "{got[RGBA][clear][1]:.2f}、{got[RGBA][clear][2]:.2f}），而不是白色；灰度图也仍然只有一个通道。",
        ),
        Wrong(
            {'"white"': '"black"'},
            "What is transparent is black now ({got[RGBA][clear][0]:.2f}), and what is half transparent is "
            "too dark: the page under the picture has to be white.",
            "透明的地方成了黑色（{got[RGBA][clear][0]:.2f}），半透明的地方也太暗：垫在下面的纸应当是白的。",
        ),
        Wrong(
            """
            from PIL import Image
            from torchvision.transforms import ToTensor

            def load(path):
                img = ToTensor()(Image.open(path).convert("RGBA"))
                colours, alpha = img[:3], img[3]
                colours[:, alpha == 0] = 1
                return colours
            """,
            "Transparent pixels are white now, but a half transparent one keeps its whole colour: "
            "{got[RGBA][half][0]:.2f} instead of {wanted[RGBA][half][0]:.2f} in red. There the colour and "
            "the white are to be mixed, as alpha says.",
            "全透明的像素是白的了，半透明的却还是原来的颜色：红色是 {got[RGBA][half][0]:.2f}，应为 "
            "{wanted[RGBA][half][0]:.2f}。那里要按 alpha 把颜色和白色混合。",
        ),
        Wrong(
            {'Image.open(path).convert("RGBA")': "Image.open(path)"},
            "The picture with transparency is right, but for one in colour: {got[RGB][error]}. Pillow lays "
            "only RGBA on RGBA, so turn every picture into that first.",
            "带透明度的图片对了，普通的彩色图片却报错：{got[RGB][error]}。Pillow 只能把 RGBA 叠在 RGBA 上，"
            "所以每张图片都要先转成这个模式。",
        ),
        Wrong(
            """
            from PIL import Image
            from torchvision.transforms import ToTensor

            def load(path):
                img = ToTensor()(Image.open(path))
                colours, alpha = img[:3], img[3:]
                return colours * alpha + (1 - alpha)
            """,
            "The picture with transparency is right. But one in colour has no fourth channel: img[3:] is "
            "empty there, and the sum fails or gives nothing. Turn every picture into RGBA first.",
            "带透明度的图片对了。但普通的彩色图片没有第四个通道：img[3:] 是空的，这一步就算不成。"
            "每张图片都要先转成 RGBA。",
        ),
        Wrong(
            {'.convert("RGB")': '.convert("L").convert("RGB")'},
            "Three channels, but all the same: by way of L (grey) the colours are lost. An opaque pixel has "
            "{got[RGBA][opaque][0]:.2f} in each of them.",
            "有三个通道，却全都一样：经过 L（灰度），颜色就丢了。不透明的像素三个通道都是 "
            "{got[RGBA][opaque][0]:.2f}。",
        ),
        Wrong(
            {'.convert("RGB")': '.convert("L")'},
            "L is grey, a single channel: the convolution wants three. It says: {got[RGBA][conv]}.",
            "L 是灰度，只有一个通道，卷积要的是三个。它报错：{got[RGBA][conv]}。",
        ),
        Wrong(
            {'.convert("RGB")': ""},
            "The picture lies on white now, but it still has its fourth channel, {got[RGBA][clear][3]:.0f} "
            'everywhere: .convert("RGB") takes it away.',
            "图片已经放在白纸上了，但第四个通道还在，处处都是 {got[RGBA][clear][3]:.0f}：用 "
            '.convert("RGB") 去掉它。',
        ),
    ],
    variants=[
        {
            'Image.new("RGBA", picture.size, "white")': 'Image.new("RGB", picture.size, (255, 255, 255))',
            'picture = Image.alpha_composite(page, picture).convert("RGB")': (
                "page.paste(picture, mask=picture)"
            ),
            "ToTensor()(picture)": "ToTensor()(page)",
        },
        """
        from PIL import Image
        from torchvision.transforms import ToTensor

        def load(path):
            img = ToTensor()(Image.open(path).convert("RGBA"))
            alpha = img[3:]
            return img[:3] * alpha + (1 - alpha)
        """,
        """
        import numpy as np
        import torch
        from PIL import Image

        def load(path):
            with Image.open(path) as picture:
                if picture.mode != "RGBA":
                    array = np.array(picture.convert("RGB"))
                else:
                    array = np.array(picture).astype(np.float32)
                    share = array[:, :, 3:] / 255
                    array = array[:, :, :3] * share + 255 * (1 - share)
            return torch.from_numpy(array).permute(2, 0, 1).float() / 255
        """,
        """
        from PIL import Image
        from torchvision.transforms import functional

        def load(path):
            picture = Image.open(path)
            if "A" in picture.mode:
                white = Image.new("RGB", picture.size, "white")
                picture = Image.composite(picture.convert("RGB"), white, picture.getchannel("A"))
            return functional.to_tensor(picture.convert("RGB"))
        """,
    ],
    learned=(
        "All three files give ({got[RGBA][img].shape[0]}, {got[RGBA][img].shape[1]}, "
        "{got[RGBA][img].shape[2]}). A pixel that was half transparent has "
        '{got[RGBA][half][0]:.2f} in red: its colour mixed with white. convert("RGB") alone stops the '
        "error as well, but then a network sees colours that no person sees.",
        "三个文件都得到 ({got[RGBA][img].shape[0]}, {got[RGBA][img].shape[1]}, {got[RGBA][img].shape[2]})。"
        "半透明的那个像素，红色是 {got[RGBA][half][0]:.2f}："
        '它的颜色和白色混在了一起。只写 convert("RGB") 也不报错，可网络看到的就是人看不见的颜色了。',
    ),
)
