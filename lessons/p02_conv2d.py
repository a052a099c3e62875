"""2. Conv2d: a kernel slides over a picture

A convolution lays a small kernel of numbers on the picture, multiplies what lies on each other, adds it all
up to one number, and slides on. You do it with a loop on a 5x5 picture, see PyTorch do the same, work out
the size of the output, and then put a convolution into your first nn.Module.

You will see: input and output grids side by side in IMAGES, and each channel of a 6-channel output.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor

from lessons.course import DATASET
from lessons.course.datasets import open_dataset
from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.tudui import TuduiConv

PICTURE = torch.tensor(
    [[1, 2, 0, 3, 1], [0, 1, 2, 3, 1], [1, 2, 1, 0, 0], [5, 2, 3, 1, 1], [2, 1, 0, 1, 1]],
    dtype=torch.float32,  # (5, 5); not whole numbers: Conv2d's weights are floats, and both must match
)
KERNEL = torch.tensor([[1, 2, 1], [0, 1, 0], [2, 1, 0]], dtype=torch.float32)  # (3, 3)


def output_size(size: int, kernel_size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """Height or width after a convolution; the formula on the page of ``torch.nn.Conv2d``.

    ``dilation`` spreads the kernel: its outer numbers then lie ``dilation * (kernel_size - 1)`` apart.
    """
    return (size + 2 * padding - dilation * (kernel_size - 1) - 1) // stride + 1


def conv2d_by_hand(picture: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """One channel, with a loop: (H, W) and (K, K) in, (H_out, W_out) out. ``F.conv2d`` does this, fast."""
    picture = F.pad(picture, (padding, padding, padding, padding))  # a frame of zeros: (H + 2P, W + 2P)
    size = kernel.shape[0]
    height = output_size(picture.shape[0], size, stride)
    width = output_size(picture.shape[1], size, stride)
    output = torch.zeros(height, width)
    for row in range(height):
        for column in range(width):
            top, left = row * stride, column * stride
            window = picture[top : top + size, left : left + size]  # (K, K): what lies under the kernel
            output[row, column] = (window * kernel).sum()
    return output


def to_visible(outputs: Tensor) -> Tensor:
    """Stretch to [0, 1], black to white: a convolution's numbers can be negative, a picture's can't."""
    return (outputs - outputs.min()) / (outputs.max() - outputs.min())


def main(dataset: str = DATASET, batch_size: int = 64, steps: int = 8, seed: int = 0) -> dict:
    torch.manual_seed(seed)  # the kernels of a new Conv2d are random

    # --- By hand, and by PyTorch, which takes (C, H, W) or, as here, a batch of that: (N, C, H, W)
    examples = {}
    for stride, padding in ((1, 0), (2, 0), (1, 1)):
        by_hand = conv2d_by_hand(PICTURE, KERNEL, stride, padding)
        by_torch = F.conv2d(
            PICTURE.reshape(1, 1, 5, 5), KERNEL.reshape(1, 1, 3, 3), stride=stride, padding=padding
        )
        examples[stride, padding] = by_hand.tolist()
        print(f"stride {stride}, padding {padding}: 5x5 -> {by_hand.shape[0]}x{by_hand.shape[1]}")
        print(f"{by_hand.int().tolist()}, F.conv2d the same: {torch.equal(by_torch[0, 0], by_hand)}")

    # --- As a layer in a module: nn.Module, with the layers in __init__ and their order in forward.
    # The class is TuduiConv in lessons/tudui.py.
    tudui = TuduiConv()
    six_channels = TuduiConv(out_channels=6)
    print(tudui)
    for name, parameter in tudui.named_parameters():
        print(f"{name}: {tuple(parameter.shape)}")  # conv1.weight (3, 3, 3, 3): out, in, height, width

    test_data = open_dataset(dataset, train=False, transform=ToTensor())
    dataloader = DataLoader(test_data, batch_size=batch_size)
    with RunWriter(__file__, test_data=test_data, seed=seed, batch_size=batch_size, steps=steps) as writer:
        with torch.no_grad():  # we only look: nothing is learnt, so nothing needs to be kept for gradients
            for step, (imgs, _) in enumerate(dataloader):
                if step == steps:
                    break
                output = tudui(imgs)  # (64, 3, 32, 32) -> (64, 3, 30, 30): 32 - 3 + 1 = 30
                writer.add_images("input", imgs, step)
                writer.add_images("output", to_visible(output), step)

                if step == 0:
                    shapes = {"imgs": tuple(imgs.shape), "output": tuple(output.shape)}
                    output = six_channels(imgs)  # (64, 3, 32, 32) -> (64, 6, 30, 30)
                    shapes["six_channels"] = tuple(output.shape)
                    # A picture has 3 channels or 1, so 6 are shown one at a time. reshape(-1, 3, 30, 30)
                    # would run too, but it mixes channels and makes 128 pictures out of 64.
                    for channel in range(6):
                        one_channel = output[:, channel : channel + 1]  # (64, 1, 30, 30)
                        writer.add_images(f"six_channels/{channel}", to_visible(one_channel), step)
        print(f"imgs {shapes['imgs']} -> output {shapes['output']}, six channels {shapes['six_channels']}")
        writer.result = f"32x32 -> {output_size(32, 3)}x{output_size(32, 3)}"

    return {"run": writer.folder, "examples": examples, **shapes}


if __name__ == "__main__":
    command_line(main)
