"""A Dataset of picture files: a folder for each class, and its name is the target."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from lessons.practice import Write, Wrong

CHANNELS = {"RGB": 3, "L": 1, "RGBA": 4}

cases = st.fixed_dictionaries(
    {
        "folders": st.dictionaries(  # class -> the modes of its pictures
            st.sampled_from(["ship", "cat", "truck", "bird", "dog"]),
            st.lists(st.sampled_from(list(CHANNELS)), min_size=1, max_size=3),
            min_size=2,
            max_size=3,
        ),
        "stray_file": st.booleans(),  # something else beside the folders
        "seed": st.integers(0, 99),
    }
)


def write_files(root: Path, folders: dict, stray_file: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    for name, modes in folders.items():
        (root / name).mkdir(parents=True)
        for number, mode in enumerate(modes):
            numbers = random.integers(0, 256, (2, 3, CHANNELS[mode]), dtype=np.uint8)  # H, W, C
            Image.fromarray(numbers.squeeze()).save(root / name / f"{'bca'[number]}.png")
    if stray_file:
        (root / "notes.txt").write_text("where the pictures come from")


class Listed:
    """Entries of a folder as os.scandir gives them."""

    def __init__(self, entries: Iterable[os.DirEntry]) -> None:
        self.entries = iter(entries)

    def __iter__(self) -> Iterator[os.DirEntry]:
        return self.entries

    def __next__(self) -> os.DirEntry:
        return next(self.entries)

    def __enter__(self) -> "Listed":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.entries = iter(())


@contextmanager
def order_of_its_own() -> Iterator[None]:
    """A folder lists its files in some order. While this lasts it is a fixed one, the same everywhere."""
    listdir, scandir = os.listdir, os.scandir

    def names(path: str = ".") -> list[str]:
        return sorted(listdir(path), key=lambda name: name[::-1], reverse=True)

    def scan(path: str = ".") -> Listed:
        with scandir(path) as entries:
            return Listed(sorted(entries, key=lambda entry: entry.name[::-1], reverse=True))

    with patch("os.listdir", names), patch("os.scandir", scan):
        yield


def probe(learner, folders: dict, stray_file: bool, seed: int) -> dict:
    root = Path("pictures")
    write_files(root, folders, stray_file, seed)
    with order_of_its_own():
        data = learner.FolderOfPictures(root)
        pairs = [data[index] for index in range(len(data))]
    try:
        both = len(data + data)
    except TypeError:
        both = "+ is not known"
    return {
        "classes": data.classes,
        "len": len(data),
        "targets": [target.item() if isinstance(target, Tensor) else target for _, target in pairs],
        "imgs": [img for img, _ in pairs],
        "data + data": both,
    }


def table(got: dict) -> str:
    rows = [f"classes {got['classes']}, len {got['len']}"]
    for index, (img, target) in enumerate(zip(got["imgs"], got["targets"], strict=True)):
        what = img if isinstance(img, str) else f"{tuple(img.shape)}"
        rows.append(f"number {index}: {what}, target {target!r}")
    return "\n".join(rows)


exercise = Write(
    title=("A data set of picture files", "图片文件组成的数据集"),
    task=(
        """
        In the folder root (a pathlib.Path) lies a folder for each class, and in it the class's pictures:

            pictures/cat/a.png  pictures/cat/b.png  pictures/ship/a.png  ...

        Write the data set:
        - data.classes: the names of the folders as a list, sorted. Files beside the folders do not count.
        - len(data): the number of pictures.
        - data[i]: a pair (img, target). img is what ToTensor makes of the picture in RGB, whatever the
          file has (grey, transparent); target is the number of its class in data.classes.
        - The order: class after class, and within a class by file name.
        - data + more_data has to work, as with any data set of PyTorch.
        """,
        """
        文件夹 root（pathlib.Path）里，每个类别有一个子文件夹，里面是这个类别的图片：

            pictures/cat/a.png  pictures/cat/b.png  pictures/ship/a.png  ...

        写出这个数据集：
        - data.classes：各子文件夹的名字，排好序的列表。放在旁边的其他文件不算。
        - len(data)：图片的张数。
        - data[i]：一对 (img, target)。img 是图片转成 RGB 之后由 ToTensor 得到的张量，
          不管文件是灰度的还是带透明度的；target 是它的类别在 data.classes 里的编号。
        - 顺序：一个类别接一个类别，类别之内按文件名排。
        - data + more_data 要能用，和 PyTorch 的其他数据集一样。
        """,
    ),
    start="""
        from PIL import Image
        from torch.utils.data import Dataset
        from torchvision.transforms import ToTensor


        class FolderOfPictures:
            def __init__(self, root):
                ...

            def __len__(self):
                ...

            def __getitem__(self, index):
                ...
        """,
    solution="""
        from PIL import Image
        from torch.utils.data import Dataset
        from torchvision.transforms import ToTensor


        class FolderOfPictures(Dataset):
            def __init__(self, root):
                self.classes = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
                self.paths = [path for name in self.classes for path in sorted((root / name).iterdir())]
                self.to_tensor = ToTensor()

            def __len__(self):
                return len(self.paths)

            def __getitem__(self, index):
                path = self.paths[index]
                target = self.classes.index(path.parent.name)
                img = Image.open(path).convert("RGB")
                return self.to_tensor(img), target
        """,
    cases=cases,
    probe=probe,
    look=table,
    examples=15,
    hints=[
        (
            "Two methods answer the two questions of lesson 1: how many, and which is number i? Both are "
            "easy once __init__ has made one list of all picture files.",
            "两个方法回答第 1 课的两个问题：一共几张？第 i 张是哪张？只要 __init__ "
            "先把所有图片文件列成一张表，两个都好写。",
        ),
        (
            "root.iterdir() gives files and folders in no promised order: sort what you get, and ask "
            "is_dir(). path.parent.name is the class of a file.",
            "root.iterdir() 给出文件和文件夹，顺序没有保证：要自己排序，并用 is_dir() 判断。"
            "path.parent.name 就是这个文件的类别名。",
        ),
        (
            "class FolderOfPictures(Dataset), self.classes = sorted(folder.name for folder in root.iterdir() "
            'if folder.is_dir()), and in __getitem__ Image.open(path).convert("RGB") and '
            "self.classes.index(path.parent.name).",
            "class FolderOfPictures(Dataset)；self.classes = sorted(folder.name for folder in root.iterdir() "
            'if folder.is_dir())；__getitem__ 里用 Image.open(path).convert("RGB") 和 '
            "self.classes.index(path.parent.name)。",
        ),
    ],
    wrong=[
        Wrong(
            {"target = self.classes.index(path.parent.name)": "target = path.parent.name"},
            "Your targets are names: the first is {got[targets][0]!r}. A loss computes with them, so it "
            "wants the number of the class, its place in data.classes.",
            "你的标签是名字，第一个是 {got[targets][0]!r}。损失要拿标签来计算，所以要的是编号，"
            "也就是它在 data.classes 里的位置。",
        ),
        Wrong(
            {"target = self.classes.index(path.parent.name)": "target = index"},
            "Your targets are {got[targets]}: the number of the picture, not of its class. All pictures of a "
            "class have the same target.",
            "你的标签是 {got[targets]}：那是图片的编号，不是类别的编号。同一类别的图片，标签都一样。",
        ),
        Wrong(
            {
                "self.classes.index(path.parent.name)": (
                    "[folder.name for folder in path.parent.parent.iterdir() if folder.is_dir()]"
                    ".index(path.parent.name)"
                )
            },
            "data.classes is sorted, but your targets count the folders as they are listed: "
            "the first picture is of class {wanted[classes][0]!r}, and data.classes[{got[targets][0]}] is "
            "another. Take the target from data.classes.",
            "data.classes 排了序，你的标签数的却是文件夹列出来的顺序：第一张图片属于 {wanted[classes][0]!r}，"
            "而 data.classes[{got[targets][0]}] 是别的类别。标签要照 data.classes 来编。",
        ),
        Wrong(
            {"self.classes.index(path.parent.name)": "self.classes.index(path.parent.name) + 1"},
            "Your targets begin with 1, but classes are counted from 0, as Python does: for the first one, "
            "{wanted[classes][0]!r}, data.classes[target] would be another.",
            "你的标签从 1 开始，而类别和 Python 的列表一样从 0 数起：否则对第一个类别 "
            "{wanted[classes][0]!r}，data.classes[target] 就成了别的类别。",
        ),
        Wrong(
            {
                "sorted(folder.name for folder in root.iterdir() if folder.is_dir())": (
                    "[folder.name for folder in root.iterdir() if folder.is_dir()]"
                )
            },
            "Your classes come as the folder lists them: {got[classes]}. On another machine the order may be "
            "another one, and a saved network would mix the classes up. Sort them.",
            "你的类别顺序是文件夹列出来的顺序：{got[classes]}。换一台电脑顺序可能就变了，"
            "存好的网络会把类别张冠李戴。要排序。",
        ),
        Wrong(
            {"sorted((root / name).iterdir())": "(root / name).iterdir()"},
            "The classes are sorted, the files within a class are not: they come in the order in which the "
            "folder lists them, and that is promised nowhere.",
            "类别排了序，类别里的文件却没有：它们按文件夹列出来的顺序排着，而这个顺序没有任何保证。",
        ),
        Wrong(
            {" if folder.is_dir()": ""},
            "Something in root is no folder: notes.txt is taken for a class, and looking into it is an "
            "error. Ask is_dir() before you count it.",
            "root 里不全是文件夹：notes.txt 被当成了类别，再往里面看就报错了。先用 is_dir() 判断。",
        ),
        Wrong(
            {
                " if folder.is_dir()": "",
                "[path for name in self.classes for path in sorted((root / name).iterdir())]": (
                    'sorted(root.glob("*/*.png"))'
                ),
            },
            "The pictures are right, but data.classes is {got[classes]}: a file beside the folders has "
            "become a class, and the numbers of those after it may be shifted.",
            "图片都对，但 data.classes 是 {got[classes]}：放在旁边的文件也成了类别，"
            "排在它后面的类别编号都会错位。",
        ),
        Wrong(
            {'.convert("RGB")': ""},
            "Files keep the channels that they have: a grey picture gives 1, one with transparency 4. Then a "
            "batch cannot be stacked; convert each to RGB.",
            "文件是几个通道，你就给几个：灰度图 1 个，带透明度的 4 个。这样没法叠成一批；每张都要先转成 RGB。"
            "",
        ),
        Wrong(
            {"return self.to_tensor(img), target": "return img, target"},
            "The picture comes back as a Pillow image. A DataLoader stacks tensors: ToTensor makes one of "
            "it, (3, H, W) with numbers from 0 to 1.",
            "你返回的是 Pillow 的图片。DataLoader 叠的是张量：用 ToTensor 把它变成 (3, H, W)、0 到 1 "
            "之间的数。",
        ),
        Wrong(
            """
            import numpy as np
            import torch
            from PIL import Image
            from torch.utils.data import Dataset

            class FolderOfPictures(Dataset):
                def __init__(self, root):
                    self.classes = sorted(folder.name for folder in root.iterdir() if folder.is_dir())
                    self.paths = [path for name in self.classes for path in sorted((root / name).iterdir())]

                def __len__(self):
                    return len(self.paths)

                def __getitem__(self, index):
                    path = self.paths[index]
                    img = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
                    return img, self.classes.index(path.parent.name)
            """,
            "Your picture has the shape ({got[imgs][0].shape[0]}, {got[imgs][0].shape[1]}, "
            "{got[imgs][0].shape[2]}) and whole numbers up to 255, as the file has it. ToTensor puts the "
            "channels first and divides by 255.",
            "你的图片形状是 ({got[imgs][0].shape[0]}, {got[imgs][0].shape[1]}, {got[imgs][0].shape[2]})，"
            "还是文件里 0 到 255 的整数。ToTensor 会把通道放到最前面，再除以 255。",
        ),
        Wrong(
            {"return len(self.paths)": "return len(self.classes)"},
            "len(data) is {got[len]}, the number of classes: a DataLoader would ask for these few pictures "
            "alone. There are {wanted[len]} pictures.",
            "len(data) 是 {got[len]}，那是类别数：DataLoader 就只会要这么几张。图片一共有 {wanted[len]} 张。",
        ),
        Wrong(
            {"(Dataset)": ""},
            "All is right but data + data: + comes from torch.utils.data.Dataset, so the class has to "
            "inherit from it.",
            "其他都对，只是 data + data 不行：+ 是 torch.utils.data.Dataset 提供的，类要继承它。",
        ),
    ],
    variants=[
        {
            "[path for name in self.classes for path in sorted((root / name).iterdir())]": (
                'sorted(root.glob("*/*.png"))'
            ),
            "self.to_tensor(img)": "ToTensor()(img)",
        },
        """
        import os
        import torch
        from PIL import Image
        from torch.utils.data import Dataset
        from torchvision.transforms import functional

        class FolderOfPictures(Dataset):
            def __init__(self, root):
                names = os.listdir(root)
                self.classes = sorted(name for name in names if os.path.isdir(os.path.join(root, name)))
                self.samples = []
                for number, name in enumerate(self.classes):
                    for file in sorted(os.listdir(os.path.join(root, name))):
                        self.samples.append((os.path.join(root, name, file), number))

            def __len__(self):
                return len(self.samples)

            def __getitem__(self, i):
                path, number = self.samples[i]
                with Image.open(path) as picture:
                    return functional.to_tensor(picture.convert("RGB")), torch.tensor(number)
        """,
        """
        from torchvision.datasets import ImageFolder
        from torchvision.transforms import ToTensor

        class FolderOfPictures(ImageFolder):
            def __init__(self, root):
                super().__init__(root, transform=ToTensor())
        """,
        """
        import numpy as np
        import torch
        from PIL import Image
        from torch.utils.data import Dataset

        class FolderOfPictures(Dataset):
            def __init__(self, root):
                self.classes = sorted(f.name for f in root.iterdir() if f.is_dir())
                self.pairs = []
                for target, name in enumerate(self.classes):
                    for path in sorted(root.glob(name + "/*")):
                        array = np.asarray(Image.open(path).convert("RGB"), dtype=np.float32)
                        self.pairs.append((torch.from_numpy(array.transpose(2, 0, 1) / 255), target))

            def __len__(self):
                return len(self.pairs)

            def __getitem__(self, index):
                return self.pairs[index]
        """,
    ],
    learned=(
        "{cases} sets of files were read rightly; the last had {got[len]} pictures in {got[classes]}, "
        "with the targets {got[targets]}. Opening a file only when it is asked for lets a data set be larger "
        "than the memory. torchvision.datasets.ImageFolder does the same work.",
        "{cases} 组文件都读对了；最后一组有 {got[len]} 张图片，类别是 {got[classes]}，标签是 {got[targets]}。"
        "等到要用时才打开文件，数据集就可以比内存还大。torchvision.datasets.ImageFolder 做的就是这件事。",
    ),
)
