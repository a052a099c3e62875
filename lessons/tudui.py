"""The course's network, ``Tudui``, and the small stages that single lessons look at.

Every lesson imports its network from here, so there is one definition to read and one to change.
A saved model also needs its class in a module that can be imported again (lesson 7 shows why).
"""

import torch
from torch import Tensor, nn
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d


class Tudui(nn.Module):
    """Three times convolution and pooling, then two linear layers: pictures in, one score a class out.

    Shapes: (N, 3, 32, 32) floating point in, (N, num_classes) out. The scores are logits: the larger, the
    likelier; ``CrossEntropyLoss`` takes them as they are. With ten classes it has 145,578 parameters.

    Raises:
        ValueError: when the input has another shape or dtype; the message works it out in numbers.
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.model1 = nn.Sequential(
            Conv2d(3, 32, 5, padding=2),  # (N,  3, 32, 32) -> (N, 32, 32, 32)
            MaxPool2d(2),  #                (N, 32, 32, 32) -> (N, 32, 16, 16)
            Conv2d(32, 32, 5, padding=2),  # (N, 32, 16, 16) -> (N, 32, 16, 16)
            MaxPool2d(2),  #                (N, 32, 16, 16) -> (N, 32, 8, 8)
            Conv2d(32, 64, 5, padding=2),  # (N, 32, 8, 8) -> (N, 64, 8, 8)
            MaxPool2d(2),  #                (N, 64, 8, 8) -> (N, 64, 4, 4)
            Flatten(),  #                   (N, 64, 4, 4) -> (N, 1024), 64*4*4 = 1024
            Linear(1024, 64),  #            (N, 1024) -> (N, 64)
            Linear(64, num_classes),  #     (N, 64) -> (N, num_classes)
        )

    def forward(self, imgs: Tensor) -> Tensor:
        explain_wrong_input(self.model1, imgs)
        return self.model1(imgs)


class TuduiLayerByLayer(nn.Module):
    """The same nine layers without ``Sequential``: each has a name and ``forward`` calls them one by one.

    Shapes as in :class:`Tudui`. The parameters come in the same order, so Tudui's weights fit (lesson 4).
    """

    def __init__(self, num_classes: int = 10) -> None:
        super().__init__()
        self.conv1 = Conv2d(3, 32, 5, padding=2)
        self.maxpool1 = MaxPool2d(2)
        self.conv2 = Conv2d(32, 32, 5, padding=2)
        self.maxpool2 = MaxPool2d(2)
        self.conv3 = Conv2d(32, 64, 5, padding=2)
        self.maxpool3 = MaxPool2d(2)
        self.flatten = Flatten()
        self.linear1 = Linear(1024, 64)
        self.linear2 = Linear(64, num_classes)

    def forward(self, imgs: Tensor) -> Tensor:
        outputs = self.conv1(imgs)  #       (N, 3, 32, 32) -> (N, 32, 32, 32)
        outputs = self.maxpool1(outputs)  # -> (N, 32, 16, 16)
        outputs = self.conv2(outputs)  #    -> (N, 32, 16, 16)
        outputs = self.maxpool2(outputs)  # -> (N, 32, 8, 8)
        outputs = self.conv3(outputs)  #    -> (N, 64, 8, 8)
        outputs = self.maxpool3(outputs)  # -> (N, 64, 4, 4)
        outputs = self.flatten(outputs)  #  -> (N, 1024)
        outputs = self.linear1(outputs)  #  -> (N, 64)
        return self.linear2(outputs)  #     -> (N, num_classes)


class TuduiConv(nn.Module):
    """One convolution (lesson 2): (N, 3, H, W) in, (N, out_channels, H-2, W-2) out."""

    def __init__(self, out_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels=3, out_channels=out_channels, kernel_size=3, stride=1, padding=0)

    def forward(self, imgs: Tensor) -> Tensor:
        return self.conv1(imgs)  # (64, 3, 32, 32) -> (64, out_channels, 30, 30)


class TuduiMaxPool(nn.Module):
    """One pooling (lesson 3): (N, C, 32, 32) in, (N, C, 10, 10) out, or 11 x 11 with ``ceil_mode``."""

    def __init__(self, ceil_mode: bool = False) -> None:
        super().__init__()
        self.maxpool = MaxPool2d(kernel_size=3, ceil_mode=ceil_mode)

    def forward(self, imgs: Tensor) -> Tensor:
        return self.maxpool(imgs)  # (N, C, 32, 32) -> (N, C, 10, 10)


def explain_wrong_input(layers: nn.Sequential, imgs: Tensor) -> None:
    """Check what goes into Tudui; say nothing when it fits.

    Two comparisons of Python values: next to the convolutions they cost nothing that can be measured, and
    ``torch.compile`` and ``torch.export`` turn them into facts that they check once.

    Raises:
        ValueError: what is wrong with the shape or dtype, what would happen to it inside the network, and
            what to do about it.
    """
    if torch.jit.is_tracing():  # add_graph: sizes are traced values there, and comparing them would warn
        return
    dtype = layers[0].weight.dtype
    fits = imgs.dtype == dtype or (imgs.is_floating_point() and torch.is_autocast_enabled(imgs.device.type))
    if imgs.ndim == 4 and imgs.shape[1:] == (3, 32, 32) and fits:
        return

    shape = tuple(imgs.shape)
    reasons = []
    if imgs.ndim == 3:
        reasons.append(f"there is no batch dimension, and imgs.unsqueeze(0) makes it {(1, *shape)}")
    elif imgs.ndim != 4:
        reasons.append(f"a batch of pictures has 4 dimensions, this has {imgs.ndim}")
    if imgs.ndim in (3, 4):
        channels, height, width = shape[-3:]
        if channels != 3 and shape[-1] == 3:
            reasons.append(
                "the channels come last, and imgs.movedim(-1, -3) puts them where PyTorch wants them"
            )
        else:
            if channels != 3:
                hint = {
                    1: "grey pictures need .convert('RGB')",
                    4: "pictures with alpha need .convert('RGB')",
                }
                told = hint.get(channels, "red, green and blue are 3")
                reasons.append(f"the first convolution expects 3 channels, not {channels}: {told}")
            if (height, width) != (32, 32):
                high, wide = height // 8, width // 8  # each of the three poolings halves, rounding down
                reasons.append(
                    f"after three poolings a {height}x{width} picture is "
                    f"64x{high}x{wide} = {64 * high * wide} "
                    f"numbers, but the first Linear expects {layers[7].in_features}: "
                    "torchvision's Resize((32, 32)) makes it fit"
                )
    if not fits:
        mend = f".to({dtype})" if imgs.is_floating_point() else "ToTensor(), or .float() / 255,"
        reasons.append(f"the weights are {dtype} and this is {imgs.dtype}: {mend} converts it")
    raise ValueError(f"Tudui takes (N, 3, 32, 32); this is {shape}: {'; '.join(reasons)}.")
