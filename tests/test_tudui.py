"""The shared model: its shapes and parameters, and that its check of the input is in nobody's way."""

import torch

from lessons.tudui import Classifier, Tudui, TuduiLayerByLayer


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


def test_features_and_head_are_the_networks_own_layers():
    tudui, imgs = Tudui(num_classes=7), torch.rand(2, 3, 32, 32)
    features = tudui.features(imgs)
    assert features.shape == (2, 64 * 4 * 4)
    assert tudui.head(tudui.model1[-2](features)).shape == (2, 7)
    torch.testing.assert_close(tudui.head(tudui.model1[-2](features)), tudui(imgs))
    assert next(tudui.features.parameters()) is next(tudui.parameters())  # a view, not a copy


def test_classifier_is_the_network_behind_its_normalisation():
    mean, std, tudui, imgs = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6], Tudui(), torch.rand(2, 3, 32, 32)
    classifier = Classifier(tudui, mean, std)
    by_hand = torch.stack([(imgs[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)
    torch.testing.assert_close(classifier(imgs), tudui(by_hand))
    assert torch.equal(Classifier(tudui)(imgs), tudui(imgs))  # without numbers, the pictures as they are
    assert len(list(classifier.parameters())) == len(list(tudui.parameters()))  # no step moves the two
    other = Classifier(Tudui())
    other.load_state_dict(classifier.state_dict())
    assert torch.equal(other(imgs), classifier(imgs))


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
