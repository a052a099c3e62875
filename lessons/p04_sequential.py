"""4. Sequential: nine layers become one network

Convolutions, pooling, a flatten and two linear layers make Tudui, the network of all that follows. You build
it twice, once layer by layer and once as Sequential, give both the same weights and get the same output; and
you walk through it with one batch to see every shape and every parameter.

You will see: the network as a graph in GRAPHS (double-click Tudui to open it).
"""

import warnings
from itertools import zip_longest

import torch
from torch import Tensor, nn

from lessons.course.logbook import RunWriter
from lessons.course.options import command_line
from lessons.tudui import Tudui, TuduiLayerByLayer


def same_padding(kernel_size: int) -> int:
    """The padding that keeps height and width, at stride 1: 2 * padding = kernel_size - 1.

    Raises:
        ValueError: for an even kernel, where the two sides would need different paddings.
    """
    if kernel_size % 2 == 0:
        raise ValueError(
            f"no padding keeps the size under an even kernel of {kernel_size}: 2 * padding would have to be "
            f"{kernel_size - 1}; take an odd kernel, or padding='same', which pads one side more"
        )
    return (kernel_size - 1) // 2


def walk(layers: nn.Sequential, imgs: Tensor) -> list[tuple[str, tuple[int, ...], int]]:
    """Send one batch through, layer by layer: (layer, shape of its output, its number of parameters).

    Raises:
        ValueError: when a layer refuses its input; says which one, what it got and what it expects.
    """
    rows = []
    outputs = imgs
    for index, layer in enumerate(layers):
        before = tuple(outputs.shape)
        try:
            outputs = layer(outputs)
        except RuntimeError as error:
            reason = f"layer {index}, {layer}, does not take {before}, which the layers before it make"
            if isinstance(layer, nn.Linear):
                reason += f": in_features={layer.in_features} would have to be {before[-1]}"
            elif isinstance(layer, nn.Conv2d):
                reason += f": in_channels={layer.in_channels} would have to be {before[1]}"
            raise ValueError(reason) from error
        parameters = sum(parameter.numel() for parameter in layer.parameters())
        rows.append((type(layer).__name__, tuple(outputs.shape), parameters))
    return rows


def first_difference(tudui: Tudui, layer_by_layer: TuduiLayerByLayer) -> str:
    """Where the two are not the same network any more, in a sentence; empty while they are."""
    both = zip_longest(map(repr, tudui.model1), map(repr, layer_by_layer.children()), fillvalue="nothing")
    for index, (one, other) in enumerate(both):
        if one != other:
            return f"layer {index} is {one} in Tudui and {other} in TuduiLayerByLayer: change both to compare"
    return ""


def main(batch_size: int = 64, seed: int = 0) -> dict:
    torch.manual_seed(seed)

    # --- The walk: what comes out of each layer, and how many numbers it has learnt
    tudui = Tudui()
    print(tudui)
    imgs = torch.ones((batch_size, 3, 32, 32))  # a batch of white pictures: enough to check the shapes
    rows = walk(tudui.model1, imgs)
    print(f"\n{'layer':<12} {'output':<20} {'parameters':>10}")
    for name, shape, parameters in rows:
        print(f"{name:<12} {shape!s:<20} {parameters:>10,}")
    total = sum(parameters for _, _, parameters in rows)
    print(f"{'':<12} {'together':<20} {total:>10,}")
    print(f"\nA 5x5 kernel keeps the size with padding {same_padding(5)}, a 3x3 with {same_padding(3)}.")

    # --- The same network twice. Sequential needs no forward of nine lines: it calls its layers in order
    layer_by_layer = TuduiLayerByLayer()
    outputs = tudui(imgs)  # (64, 3, 32, 32) -> (64, 10)
    print(f"imgs {tuple(imgs.shape)} -> outputs {tuple(outputs.shape)}")
    if difference := first_difference(tudui, layer_by_layer):
        same = False
        print(difference)
    else:
        # The names differ ("conv1.weight", "model1.0.weight"), the order does not: hand them over in order
        weights = dict(zip(layer_by_layer.state_dict(), tudui.state_dict().values(), strict=True))
        layer_by_layer.load_state_dict(weights)
        same = torch.equal(layer_by_layer(imgs), outputs)
        print(f"layer by layer, with the same weights, the same outputs: {same}")

    # --- The graph
    with RunWriter(__file__, seed=seed, batch_size=batch_size) as writer:
        with warnings.catch_warnings():  # add_graph works by torch.jit.trace, which is deprecated
            warnings.simplefilter("ignore")
            writer.add_graph(tudui, imgs)  # follows the batch through the network and draws each step
        writer.result = f"{total:,} parameters"

    return {
        "run": writer.folder,
        "same": same,
        "difference": difference,
        "outputs": tuple(outputs.shape),
        "rows": rows,
        "parameters": total,
    }


if __name__ == "__main__":
    command_line(main)
