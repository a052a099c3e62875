"""The course's network, ``Tudui``; its deeper sister; and the small stages that single lessons look at.

Every lesson imports its network from here, so there is one definition to read and one to change. What a
lesson needs of it, such as its last layer, it asks the network for. A saved model also needs its class in a
module that can be imported again (lesson 7 shows why).
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU

from lessons.course.shapes import explain_wrong_input


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
        explain_wrong_input(self.model1, imgs, takes=(3, 32, 32))
        return self.model1(imgs)

    @property
    def features(self) -> nn.Sequential:
        """The layers that look at the picture, up to and with Flatten: a view of the same layers."""
        flatten = next(index for index, layer in enumerate(self.model1) if isinstance(layer, Flatten))
        return self.model1[: flatten + 1]  # (N, 3, 32, 32) -> (N, 1024)

    @property
    def head(self) -> Linear:
        """The last layer, which gives a score to each class."""
        return [layer for layer in self.model1 if isinstance(layer, Linear)][-1]


class Classifier(nn.Module):
    """A network behind the normalisation that it is trained with (lesson 8), so that both travel as one.

    Shapes: pictures (N, 3, 32, 32) in [0, 1] in, scores (N, num_classes) out. With the mean and std of the
    training pictures, one number a channel, the network sees mean 0 and standard deviation 1; without them,
    the pictures as they are.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        self.network = network
        # A buffer is saved, moved and exported like a weight, but no step changes it
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1))

    def forward(self, imgs: Tensor) -> Tensor:
        return self.network((imgs - self.mean) / self.std)


# --- The deeper sister (lesson 14): stages, each of which changes one thing in the one above it

Stage = Callable[[int, int], nn.Sequential]  # channels in and out; (N, in, H, W) -> (N, out, H/2, W/2)


def relu_stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """Tudui's stage with a bend in it. Pooled first, ReLU has a quarter of the work and the same result."""
    return nn.Sequential(Conv2d(in_channels, out_channels, 5, padding=2), MaxPool2d(2), ReLU())


def batchnorm_stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """A bias would be subtracted again with the mean, so the convolution has none."""
    return nn.Sequential(
        Conv2d(in_channels, out_channels, 5, padding=2, bias=False),
        MaxPool2d(2),
        BatchNorm2d(out_channels),
        ReLU(),
    )


def pair_stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two 3x3 convolutions see 5x5 pixels, as one of 5x5 does, with 18 numbers for its 25."""
    return nn.Sequential(
        Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        BatchNorm2d(out_channels),
        ReLU(),
        Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        MaxPool2d(2),
        BatchNorm2d(out_channels),
        ReLU(),
    )


class Shortcut(nn.Module):
    """What the layers make of the input, plus the input: they have to learn only what is to be changed.

    Both sides must have the same shape. Source: He et al., Deep Residual Learning, 2015.
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, imgs: Tensor) -> Tensor:
        return imgs + self.layers(imgs)


def residual_stage(in_channels: int, out_channels: int) -> nn.Sequential:
    """A convolution changes the size; one with a shortcut around it works on a quarter of the pixels."""
    return nn.Sequential(
        Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
        MaxPool2d(2),
        BatchNorm2d(out_channels),
        ReLU(),
        Shortcut(
            Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            BatchNorm2d(out_channels),
            ReLU(),
        ),
    )


class StagedTudui(Tudui):
    """Tudui with other stages, and with a ReLU between its two linear layers. Shapes as in :class:`Tudui`."""

    def __init__(self, num_classes: int = 10, stage: Stage = relu_stage) -> None:
        super().__init__(num_classes)
        self.model1 = nn.Sequential(
            stage(3, 32),  #    (N,  3, 32, 32) -> (N, 32, 16, 16)
            stage(32, 32),  #   (N, 32, 16, 16) -> (N, 32, 8, 8)
            stage(32, 64),  #   (N, 32, 8, 8)   -> (N, 64, 4, 4)
            Flatten(),  #       (N, 64, 4, 4)   -> (N, 1024)
            Linear(64 * 4 * 4, 64),  #          -> (N, 64)
            ReLU(),
            Linear(64, num_classes),  #         -> (N, num_classes)
        )


class DeeperTudui(Tudui):
    """A first look at 2x2 pixels, three stages of so many channels, and one linear layer.

    Shapes as in :class:`Tudui`. With ten classes and 32, 64 and 128 channels it has 295,106 parameters.
    """

    def __init__(self, num_classes: int = 10, widths: Sequence[int] = (32, 64, 128)) -> None:
        super().__init__(num_classes)
        first, second, third = widths
        self.model1 = nn.Sequential(
            Conv2d(3, 24, 2),  #                (N, 3, 32, 32)      -> (N, 24, 31, 31)
            ReLU(),
            residual_stage(24, first),  #       (N, 24, 31, 31)     -> (N, first, 15, 15)
            residual_stage(first, second),  #   (N, first, 15, 15)  -> (N, second, 7, 7)
            residual_stage(second, third),  #   (N, second, 7, 7)   -> (N, third, 3, 3)
            MaxPool2d(3),  #                    (N, third, 3, 3)    -> (N, third, 1, 1)
            Flatten(),  #                       (N, third, 1, 1)    -> (N, third)
            Linear(third, num_classes),  #      (N, third)          -> (N, num_classes)
        )


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
    """One pooling layer (lesson 3): (N, C, 32, 32) in, (N, C, 10, 10) out, or 11 x 11 with ``ceil_mode``."""

    def __init__(self, ceil_mode: bool = False) -> None:
        super().__init__()
        self.maxpool = MaxPool2d(kernel_size=3, ceil_mode=ceil_mode)

    def forward(self, imgs: Tensor) -> Tensor:
        return self.maxpool(imgs)  # (N, C, 32, 32) -> (N, C, 10, 10)
