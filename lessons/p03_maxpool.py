"""3. MaxPool2d: keep the largest, drop the rest

Pooling lays a window on the picture, keeps the largest number in it and moves on by a whole window: a smaller
picture with the strongest answers. You do the 5x5 example with and without ceil_mode, see on pictures what is
kept and what is lost, and meet the other simple layer, the non-linearity.

You will see: input, pooled and "kept" grids in IMAGES (kept: only the winning pixels, in their places).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons.course import DATASET
from lessons.course.datasets import open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.p02_conv2d import PICTURE
from lessons.tudui import TuduiMaxPool


def pooled_size(
    size: int,
    kernel_size: int,
    stride: int | None = None,
    padding: int = 0,
    dilation: int = 1,
    ceil_mode: bool = False,
) -> int:
    """Height or width after pooling; the formula on the page of ``torch.nn.MaxPool2d``.

    ``stride`` is the kernel size when none is given. With ``ceil_mode`` a window may reach over the right or
    lower edge, as long as it starts inside the picture or its left padding.
    """
    stride = stride or kernel_size
    steps = (size + 2 * padding - dilation * (kernel_size - 1) - 1) / stride
    if not ceil_mode:
        return math.floor(steps) + 1
    count = math.ceil(steps) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def main(dataset: str = DATASET, batch_size: int = 64, steps: int = 10, seed: int = 0) -> dict:
    torch.manual_seed(seed)

    # --- The 5x5 example: a 3x3 window moves by 3, so the second one hangs over the edge
    imgs = PICTURE.reshape(1, 1, 5, 5)
    examples = {}
    for ceil_mode in (True, False):
        output = TuduiMaxPool(ceil_mode)(imgs)  # (1, 1, 5, 5) -> (1, 1, 2, 2) or (1, 1, 1, 1)
        examples[ceil_mode] = output[0, 0].tolist()
        size = pooled_size(5, kernel_size=3, ceil_mode=ceil_mode)
        print(f"ceil_mode={ceil_mode}: 5x5 -> {size}x{size}, {output[0, 0].int().tolist()}")

    # --- The non-linearities: one number in, one number out, no weights, no change of shape
    numbers = torch.tensor([[1.0, -0.5], [-1.0, 3.0]])
    relu, sigmoid = nn.ReLU(), nn.Sigmoid()
    print(f"ReLU    {numbers.tolist()} -> {relu(numbers).tolist()}")
    print(
        f"Sigmoid {numbers.tolist()} -> {[[round(n, 2) for n in row] for row in sigmoid(numbers).tolist()]}"
    )

    # --- On pictures
    tudui = TuduiMaxPool()
    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    dataloader = DataLoader(test_data, batch_size=batch_size)
    with RunWriter(__file__, test_data=test_data, seed=seed, batch_size=batch_size, steps=steps) as writer:
        for step, (imgs, _) in enumerate(dataloader):
            if step == steps:
                break
            output = tudui(imgs)  # (64, 3, 32, 32) -> (64, 3, 10, 10): floor((32 - 3) / 3) + 1 = 10
            writer.add_images("input", imgs, step)
            writer.add_images("pooled", output, step)

            # Where were the winners? return_indices says it, max_unpool2d puts them back, all else black
            winners, indices = F.max_pool2d(imgs, kernel_size=3, return_indices=True)
            kept = F.max_unpool2d(winners, indices, kernel_size=3, output_size=imgs.shape)  # (64, 3, 32, 32)
            writer.add_images("kept", kept, step)

            if step == 0:
                shapes = {"imgs": tuple(imgs.shape), "output": tuple(output.shape)}
                # A picture in [0, 1] has nothing below 0 for ReLU to cut, so move its middle to 0 first
                centred = imgs * 2 - 1  # (64, 3, 32, 32), now in [-1, 1]
                writer.add_images("non_linear/relu", relu(centred), step)
                writer.add_images("non_linear/sigmoid", sigmoid(centred), step)

        kept_share = output[0].numel() / imgs[0].numel()
        print(f"imgs {shapes['imgs']} -> output {shapes['output']}: {kept_share:.1%} of the numbers are left")
        writer.result = f"32x32 -> {output.shape[-2]}x{output.shape[-1]}, {kept_share:.1%} left"

    return {
        "run": writer.folder,
        "examples": examples,
        "relu": relu(numbers).tolist(),
        "sigmoid": sigmoid(numbers).tolist(),
        "kept_share": kept_share,
        **shapes,
    }


if __name__ == "__main__":
    command_line(main)
