"""0. Tools: pictures, tensors, TensorBoard

What comes before the first network. You read picture files from a folder of each class, look at one as an
array and as a tensor, change it with transforms, one at a time and composed, and write curves and pictures
for TensorBoard. The first run draws the files: ants and bees.

You will see: in SCALARS a zig-zag beside two clean curves, and in IMAGES what each transform does.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torch.utils.data import Dataset
from torch.utils.tensorboard import SummaryWriter
from torchvision.transforms import Compose, Normalize, RandomCrop, Resize, ToTensor

from lessons.course import CourseError, course_dir
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line

CLASSES = ("ants", "bees")
GRASS = (204, 255, 153)  # red, green, blue, each from 0 to 255
NORMALIZE = Normalize(mean=[0.5, 0.5, 0.5], std=[0.5, 0.5, 0.5])  # (input - mean) / std, channel by channel


def draw_insect(name: str, number: int) -> Image.Image:
    """An ant or a bee from above. As with photographs, one is wider than the other."""
    img = Image.new("RGB", (96 + 8 * number, 72), GRASS)  # width, height
    pen, x, y = ImageDraw.Draw(img), img.width // 2, 36
    if name == "ants":
        for foot in (-26, 0, 26):
            pen.line((x + foot, y - 26, x, y, x + foot, y + 26), "black", width=3)
        for left, right, half in ((-36, -6, 12), (-8, 10, 8), (8, 30, 10)):  # back, middle, head
            pen.ellipse((x + left, y - half, x + right, y + half), "saddlebrown")
    else:
        for top in (y - 30, y + 4):
            pen.ellipse((x - 16, top, x + 10, top + 26), "aliceblue", "grey")
        pen.ellipse((x - 34, y - 15, x + 20, y + 15), "gold")
        for stripe in (-22, -9, 4):
            pen.rectangle((x + stripe, y - 12, x + stripe + 5, y + 12), "black")
        pen.ellipse((x + 14, y - 9, x + 32, y + 9), "black")
    return img.rotate(35 * number, fillcolor=GRASS)


def draw_files(root: Path, pictures_per_class: int = 4) -> None:
    """``root/ants/0.png`` and so on. A file that is there already, perhaps yours, stays as it is."""
    for name in CLASSES:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(pictures_per_class):
            path = root / name / f"{number}.png"
            if not path.exists():
                draw_insect(name, number).save(path)


class PictureFiles(Dataset):
    """The picture files in the folder of one class: pairs of a picture and its target."""

    def __init__(self, root: Path, class_name: str, transform: Callable | None = None) -> None:
        files = sorted((root / class_name).iterdir())  # no promise is made in which order a folder lists them
        self.paths = [path for path in files if path.suffix.lower() in (".png", ".jpg", ".jpeg")]
        self.target = CLASSES.index(class_name)  # a loss computes, so it wants the class's number
        self.transform = transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Image.Image | Tensor, int]:
        path = self.paths[index]  # opened only now: a folder may hold more than fits into memory
        try:
            img = Image.open(path).convert("RGB")  # grey pictures have 1 channel, and some PNGs have 4
        except Exception as error:  # a broken file makes PIL raise nearly anything
            raise CourseError(f"{path} is no readable picture ({error}): move it out of there") from error
        return self.transform(img) if self.transform else img, self.target


def as_array_and_tensor(img: Image.Image) -> tuple[np.ndarray, Tensor]:
    """The same picture three times: (width, height) in PIL, (H, W, C) in NumPy, (C, H, W) in PyTorch."""
    array = np.asarray(img)  # (72, 96, 3), uint8: height first, and the three colours of a pixel together
    tensor = ToTensor()(img)  # (3, 72, 96), float32: a whole map for each colour, 0..255 -> 0..1
    pixel = [round(number, 3) for number in tensor[:, 0, 0].tolist()]
    print(f"PIL {img.size}, {img.mode}")
    print(f"array {array.shape}, {array.dtype}; the upper left pixel is {array[0, 0].tolist()}")
    print(f"tensor {tuple(tensor.shape)}, {tensor.dtype}; the same pixel is {pixel}")
    return array, tensor


def one_at_a_time(img: Image.Image) -> tuple[Image.Image, Image.Image, Tensor, Tensor]:
    """Four transforms by hand. Each is an object: made with its settings, then called with a picture."""
    small = Resize(36)(img)  #         72x96 -> 36x48: the shorter side becomes 36, nothing is squeezed
    crop = RandomCrop(32)(small)  #    36x48 -> 32x32, from anywhere
    tensor = ToTensor()(crop)  #       32x32 -> (3, 32, 32), in [0, 1]
    normalised = NORMALIZE(tensor)  #  (3, 32, 32), now in [-1, 1]
    return small, crop, tensor, normalised


def write_pictures(writer: SummaryWriter, img: Image.Image) -> None:
    """What transforms do to a picture. add_image takes (C, H, W), unless dataformats says otherwise."""
    writer.add_image("picture", np.asarray(img), dataformats="HWC")  # (72, 96, 3)
    writer.add_image("Normalize", NORMALIZE(ToTensor()(img)))  # (3, 72, 96): all below 0 is black
    squeezed = Resize((32, 32))(img)  # 72x96 -> 32x32: what was round is narrow now
    writer.add_image("Resize to 32x32", ToTensor()(squeezed))  # (3, 32, 32)
    for step in range(10):
        crop = RandomCrop(32)(Resize(36)(img))  # 72x96 -> 36x48 -> 32x32
        writer.add_image("RandomCrop", ToTensor()(crop), step)  # (3, 32, 32), another piece at each step


def write_curve(folder: Path, tag: str, function: Callable[[int], float]) -> None:
    """What a script does that logs one curve, from its first line to its last."""
    with SummaryWriter(folder) as writer:  # adds a file to the folder, and leaves those that are there
        for x in range(100):
            writer.add_scalar(tag, function(x), x)  # the chart's name, how high, how far to the right


def main(seed: int = 0) -> dict:
    root = course_dir("data") / "insects"
    draw_files(root)

    # --- A Dataset of files. Without a transform it gives the pictures as PIL opens them
    ants = PictureFiles(root, "ants")
    img, target = ants[0]  # ants[0] calls ants.__getitem__(0)
    print(f"{len(ants)} ants; number 0 is {ants.paths[0]}, target {target}")
    array, tensor = as_array_and_tensor(img)

    # --- Normalize on paper: (input - mean) / std, here for the red of the upper left pixel
    red, normalised = tensor[0, 0, 0].item(), NORMALIZE(tensor)[0, 0, 0].item()
    mean, std = NORMALIZE.mean[0], NORMALIZE.std[0]
    on_paper = f"({red:.1f} - {mean}) / {std} = {(red - mean) / std:.1f}"
    print(f"Normalize on paper: {on_paper}; by torchvision: {normalised:.1f}")

    # --- Transforms by hand, and composed: each takes what the one before it gives
    torch.manual_seed(seed)  # RandomCrop draws where it cuts from torch's random numbers
    *_, by_hand = one_at_a_time(img)
    transform = Compose([Resize(36), RandomCrop(32), ToTensor(), NORMALIZE])
    torch.manual_seed(seed)
    composed = transform(img)  # 72x96 -> (3, 32, 32)
    print(f"composed: {tuple(composed.shape)}, the same as by hand: {torch.equal(composed, by_hand)}")

    # --- Two data sets added: the numbers of the second one go on where those of the first end
    insects = PictureFiles(root, "ants", transform) + PictureFiles(root, "bees", transform)
    targets = [target for _, target in insects]
    print(f"ants + bees: {len(insects)} pictures, targets {targets}")

    # --- TensorBoard. It draws a curve for each folder, so two runs into one folder become one curve
    with RunWriter(__file__, seed=seed) as writer:
        write_pictures(writer, img)
        for name, function in {"parabola": lambda x: x * x, "line": lambda x: 50 * x}.items():
            write_curve(writer.folder / "reused", "y/both into one folder", function)
            write_curve(writer.folder / name, "y/a folder for each", function)
        writer.result = f"{len(insects)} pictures of {tuple(composed.shape)}"

    return {
        "run": writer.folder,
        "paths": ants.paths,
        "size": img.size,
        "array": (array.shape, array.dtype, array[0, 0].tolist()),
        "tensor": (tuple(tensor.shape), tensor.dtype, tensor[:, 0, 0].tolist()),
        "normalize": (red, normalised),
        "composed": (tuple(composed.shape), torch.equal(composed, by_hand)),
        "targets": targets,
    }


if __name__ == "__main__":
    command_line(main)
