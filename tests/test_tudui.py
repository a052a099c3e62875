"""The shared model: its shapes, its parameters, and what it says to a wrong input."""

import pytest
import torch

from lessons.tudui import Tudui, TuduiLayerByLayer


def test_shapes_and_parameters():
    tudui = Tudui()
    assert tudui(torch.rand(5, 3, 32, 32)).shape == (5, 10)
    # weights + biases, layer by layer
    convolutions = (3 * 32 * 25 + 32) + (32 * 32 * 25 + 32) + (32 * 64 * 25 + 64)
    linears = (64 * 4 * 4 * 64 + 64) + (64 * 10 + 10)
    assert sum(p.numel() for p in tudui.parameters()) == convolutions + linears == 145_578


def test_other_number_of_classes():
    assert Tudui(num_classes=3)(torch.rand(2, 3, 32, 32)).shape == (2, 3)


def test_layer_by_layer_gives_the_same_with_the_same_weights():
    tudui, layers = Tudui(), TuduiLayerByLayer()
    layers.load_state_dict(dict(zip(layers.state_dict(), tudui.state_dict().values(), strict=True)))
    imgs = torch.rand(4, 3, 32, 32)
    assert torch.equal(layers(imgs), tudui(imgs))


@pytest.mark.parametrize(
    ("imgs", "told"),
    [
        (torch.rand(3, 64, 64), ["(3, 64, 64)", "(1, 3, 64, 64)", "64x8x8 = 4096", "expects 1024"]),
        (torch.rand(2, 3, 40, 24), ["(2, 3, 40, 24)", "a 40x24 picture is 64x5x3 = 960"]),
        (torch.rand(2, 1, 32, 32), ["expects 3 channels, not 1", "RGB"]),
        (torch.rand(2, 4, 32, 32), ["expects 3 channels, not 4", "alpha"]),
        (torch.rand(2, 32, 32, 3), ["channels come last", "movedim"]),
        (torch.rand(3072), ["this has 1"]),
        (torch.zeros(2, 3, 32, 32, dtype=torch.uint8), ["torch.uint8", "ToTensor"]),
        (torch.zeros(2, 3, 32, 32, dtype=torch.float64), ["torch.float64", ".to(torch.float32)"]),
    ],
)
def test_wrong_input_is_explained_in_numbers(imgs, told):
    with pytest.raises(ValueError) as error:
        Tudui()(imgs)
    message = str(error.value)
    assert message.startswith(f"Tudui takes (N, 3, 32, 32); this is {tuple(imgs.shape)}: ")
    for part in told:
        assert part in message


def test_the_advice_in_the_message_works():
    tudui = Tudui()
    assert tudui(torch.rand(3, 32, 32).unsqueeze(0)).shape == (1, 10)
    assert tudui(torch.rand(2, 32, 32, 3).movedim(-1, -3)).shape == (2, 10)
    assert tudui(torch.zeros(2, 3, 32, 32, dtype=torch.uint8).float() / 255).shape == (2, 10)


def test_the_check_allows_mixed_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert Tudui()(torch.rand(2, 3, 32, 32)).dtype == torch.bfloat16
    imgs = torch.rand(2, 3, 32, 32, dtype=torch.bfloat16)
    assert Tudui().to(torch.bfloat16)(imgs).dtype == torch.bfloat16


def test_the_check_survives_export_with_any_batch_size():
    tudui = Tudui().eval()
    exported = torch.export.export(
        tudui, (torch.rand(4, 3, 32, 32),), dynamic_shapes=({0: torch.export.Dim("N")},)
    ).module()
    imgs = torch.rand(7, 3, 32, 32)
    torch.testing.assert_close(exported(imgs), tudui(imgs))


def test_the_check_survives_compile_in_one_graph():
    tudui = Tudui().eval()
    # "aot_eager" captures the graph as the default does, without the minute of compiling C++
    compiled = torch.compile(tudui, fullgraph=True, backend="aot_eager")
    imgs = torch.rand(3, 3, 32, 32)
    torch.testing.assert_close(compiled(imgs), tudui(imgs))
