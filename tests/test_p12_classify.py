import io
import math
import os
import pickle
import sys
import zipfile

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from lessons import p08_train, p12_classify
from lessons.course import CourseError, options
from lessons.course.datasets import open_dataset
from lessons.tudui import Classifier, Tudui

CLASSES = ["a", "b", "c", "d", "e", "f"]
MEAN, STD = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
RED, WHITE, GREY = (1.0, 0.0, 0.0), (1.0, 1.0, 1.0), (128 / 255,) * 3


def random_tudui(num_classes: int = len(CLASSES)) -> Tudui:
    """A Tudui whose answers differ clearly from class to class and from picture to picture."""
    torch.manual_seed(1)
    tudui = Tudui(num_classes)
    nn.init.normal_(tudui.head.weight, std=2.0)
    return tudui


def checkpoint_of_lesson_8() -> dict:
    about = {"classes": CLASSES, "dataset": "sketch10", "epoch": 3}
    return {"model": Classifier(random_tudui(), MEAN, STD).state_dict(), **about}


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """The lesson, run once on two pictures of the same name, with the newest of two checkpoints."""
    home = tmp_path_factory.mktemp("course_p12")
    paths = []
    for folder, colour in (("one", "orange"), ("two", "navy")):
        (home / folder).mkdir()
        image = Image.linear_gradient("L").convert("RGB")  # 256x256, from black to white
        image.paste(colour, (0, 0, 100, 150))
        image.save(home / folder / "photo.png")
        paths.append(str(home / folder / "photo.png"))
    for run in ("2030-01-02_03-04-05", "2030-01-01_03-04-05"):
        (home / "models_saved" / "p08_train" / run).mkdir(parents=True)
        torch.save(checkpoint_of_lesson_8(), home / "models_saved" / "p08_train" / run / "best.pth")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("LESSONS_HOME", str(home))
        monkeypatch.setattr(p12_classify, "open_dataset", None)  # all that it needs is in the checkpoint
        seen = p12_classify.main(image=paths)
    return seen, home, paths


# --- A picture of any kind


def transparent_palette() -> Image.Image:
    image = Image.new("P", (40, 20), 1)
    image.putpalette([0, 0, 255, 255, 0, 0])
    return image


PICTURES = {  # name of the file: (picture, what to save it with, what the network shall see in its middle)
    "rgb.png": (Image.new("RGB", (40, 20), "red"), {}, RED),
    "grey.jpg": (Image.new("L", (40, 20), 128), {}, GREY),
    "bits.png": (Image.new("1", (40, 20), 1), {}, WHITE),
    "16-bit.png": (Image.fromarray(np.full((20, 40), 128 * 257, dtype="<u2")), {}, GREY),
    "16-bit.tif": (Image.fromarray(np.full((20, 40), 128 * 257, dtype="<u2")), {}, GREY),
    "cmyk.jpg": (Image.new("CMYK", (40, 20), (0, 255, 255, 0)), {"quality": 100}, RED),
    "cmyk.tif": (Image.new("CMYK", (40, 20), (0, 255, 255, 0)), {}, RED),
    "palette.gif": (transparent_palette(), {}, RED),
    "palette.bmp": (transparent_palette(), {}, RED),
    "transparent palette.png": (transparent_palette(), {"transparency": 1}, WHITE),
    "transparent.png": (Image.new("RGBA", (40, 20), (255, 0, 0, 0)), {}, WHITE),
    "half transparent.png": (Image.new("RGBA", (40, 20), (255, 0, 0, 128)), {}, (1.0, 127 / 255, 127 / 255)),
    "transparent.webp": (Image.new("RGBA", (40, 20), (255, 0, 0, 0)), {"lossless": True}, WHITE),
    "transparent grey.png": (Image.new("LA", (40, 20), (0, 0)), {}, WHITE),
}


@pytest.mark.parametrize("name", PICTURES)
def test_each_kind_of_picture(name, tmp_path):
    image, options, expected = PICTURES[name]
    image.save(tmp_path / name, **options)
    img = p12_classify.read_picture(str(tmp_path / name))
    assert img.shape == (3, 32, 32) and img.dtype == torch.float32
    assert img[:, 16, 16].tolist() == pytest.approx(expected, abs=2 / 255)


def test_a_photo_is_turned_as_its_exif_data_says(tmp_path):
    image = Image.new("RGB", (400, 200), "white")
    image.paste("red", (0, 0, 200, 200))  # the left half
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned by 90 degrees, clockwise, which brings left to the top
    image.save(tmp_path / "turned.jpg", exif=exif)
    img = p12_classify.read_picture(str(tmp_path / "turned.jpg"))
    for column in (2, 29):
        assert img[:, 2, column].tolist() == pytest.approx(RED, abs=0.02)
        assert img[:, 29, column].tolist() == pytest.approx(WHITE, abs=0.02)


def test_a_picture_is_read_as_a_folder_of_pictures_is(tmp_path):
    """So that a network meets what it was trained on, also when a large picture is made small."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 100, 4), dtype=np.uint8)
    for place in ("train/cat", "train/dog", "test/cat", "test/dog"):
        (tmp_path / place).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / place / "0.png")
    data = open_dataset(str(tmp_path), train=False, transform=p12_classify.ToTensor())
    assert torch.equal(p12_classify.read_picture(str(tmp_path / "test" / "cat" / "0.png")), data[0][0])


# --- A checkpoint of any kind


def renamed(prefix: str) -> dict:
    return {f"{prefix}{name}": weight for name, weight in random_tudui().model1.state_dict().items()}


CHECKPOINTS = {
    "lesson 8": checkpoint_of_lesson_8(),
    "bare state_dict": random_tudui().state_dict(),
    "model.": renamed("model."),
    "module.model1.": nn.DataParallel(random_tudui()).state_dict(),
    "module.network.model1.": nn.DataParallel(Classifier(random_tudui(), MEAN, STD)).state_dict(),
    "a Sequential's own": renamed(""),
    "model and epoch": {"model": renamed("module."), "epoch": 3},
    **{key: {key: renamed("module."), "epoch": 3} for key in ("model_state_dict", "state_dict", "net")},
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_each_kind_of_checkpoint(kind, tmp_path):
    torch.save(CHECKPOINTS[kind], tmp_path / "it.pth")
    classifier, classes, learnt_from = p12_classify.read_checkpoint(str(tmp_path / "it.pth"))
    imgs = torch.rand(2, 3, 32, 32)
    normalised = imgs.clone()
    assert (classes, learnt_from) == ((CLASSES, "sketch10") if kind == "lesson 8" else (None, None))
    if kind in ("lesson 8", "module.network.model1."):
        for channel in range(3):
            normalised[:, channel] = (imgs[:, channel] - MEAN[channel]) / STD[channel]
    with torch.no_grad():
        torch.testing.assert_close(classifier(imgs), random_tudui()(normalised))


def test_module_prefix_is_the_one_of_the_issue():
    assert "module.model1.0.weight" in CHECKPOINTS["module.model1."]
    assert "model.0.weight" in CHECKPOINTS["model."]


def without_last_layer() -> dict:
    return dict(list(random_tudui().state_dict().items())[:-2])


def zipped(name: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr(name, b"hello")
    return memory.getvalue()


def half_a_checkpoint() -> bytes:
    memory = io.BytesIO()
    torch.save(random_tudui().state_dict(), memory)
    return memory.getvalue()[:100_000]


WRONG = {  # what lies in the file: what the learner is told
    "a whole model": (random_tudui(), "safe to open.*save the state_dict"),
    "text": (b"no checkpoint at all", "safe to open: it is a text file"),
    "an empty file": (b"", "safe to open: it is empty"),
    "half a file": (b"PK\x03\x04 and no more", "safe to open: it is cut short"),
    "half a checkpoint": (half_a_checkpoint(), "safe to open: it is cut short"),
    "a zip archive": (zipped("readme.txt"), "safe to open: it is a zip archive of other things"),
    "safetensors": (b"\x20\0\0\0\0\0\0\0" + b'{"a":{"dtype":"F32"}}', "it is a safetensors file"),
    "an old pickle": (pickle.dumps({"weight": [1.0]}, protocol=2)[:-3], "it is a pickle"),
    "a picture": (b"\xff\xd8\xff\xe0\x00\x10JFIF", "it is no file that torch.save writes"),
    "other shapes": (
        nn.Sequential(nn.Linear(2, 2)).state_dict(),
        r"another network .*0\.weight is \(2, 2\) there",
    ),
    "other convolutions": (
        {**renamed(""), "0.weight": torch.zeros(16, 3, 5, 5)},
        r"another network .*\(0\.weight is \(16, 3, 5, 5\) there and \(32, 3, 5, 5\) here\)",
    ),
    "another layer": (
        {"model.1.running_mean": torch.zeros(32), **renamed("model.")},
        r"another network .*\(it also has 1\.running_mean\)",
    ),
    "a missing layer": (
        {name: weight for name, weight in renamed("").items() if not name.startswith("2.")},
        r"another network .*\(it lacks 2\.weight, 2\.bias\)",
    ),
    "too few weights": (without_last_layer(), r"another network .*\(it lacks 8\.weight, 8\.bias\)"),
    "two networks": (
        {**renamed("model."), **renamed("ema.")},
        r"another network .*also has ema\.0\.weight, ema\.0\.bias, ema\.2\.weight and 7 more",
    ),
    "other names": ({"conv1.weight": torch.zeros(32, 3, 5, 5)}, "not hold the weights of a Tudui"),
    "no weights": ({}, "not hold the weights of a Tudui"),
    "a list": ([torch.zeros(3)], "not hold the weights of a Tudui"),
    "a tensor": (torch.zeros(3), "not hold the weights of a Tudui"),
    "numbers": ({"0.weight": 1, "8.bias": 2}, r"0\.weight is of type int"),
    "a missing file": (None, r"cannot be read \(No such file.*--checkpoint"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_checkpoint_is_explained_in_one_sentence(kind, tmp_path):
    content, told = WRONG[kind]
    path = tmp_path / "it.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CourseError, match=told) as caught:
        p12_classify.read_checkpoint(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_an_export_is_no_checkpoint(lesson, tmp_path):
    _, home, _ = lesson
    program = tmp_path / "program.pth"
    torch.jit.trace(random_tudui(), torch.rand(1, 3, 32, 32), check_trace=False).save(str(program))
    for path, found in (
        (home / "models_saved" / "tudui.pt2", "it is an exported program"),
        (home / "models_saved" / "tudui.onnx", "it looks like an ONNX file"),
        (program, "it is TorchScript"),
    ):
        with pytest.raises(CourseError, match=f"safe to open: {found}"):
            p12_classify.read_checkpoint(str(path))


def test_no_code_from_a_file_is_run(tmp_path):
    from lessons.p07_save_load import CODE_THAT_RAN, Payload

    CODE_THAT_RAN.clear()
    torch.save({**random_tudui().state_dict(), "payload": Payload()}, tmp_path / "it.pth")
    with pytest.raises(CourseError, match="safe to open"):
        p12_classify.read_checkpoint(str(tmp_path / "it.pth"))
    assert CODE_THAT_RAN == []


def test_a_whole_model_is_opened_when_asked(tmp_path, monkeypatch, capsys):
    """As a script of one's own leaves it, whose class lies in ``__main__``."""

    class Tudui(nn.Module):
        __module__, __qualname__ = "__main__", "Tudui"

        def __init__(self):
            super().__init__()
            self.model = random_tudui().model1

    own, main = str(tmp_path / "own.pth"), sys.modules["__main__"]
    monkeypatch.setattr(main, "Tudui", Tudui, raising=False)
    torch.save(Tudui(), own)
    monkeypatch.delattr(main, "Tudui")
    with pytest.raises(CourseError, match=r"__main__\.Tudui.*may run code.*--unsafe-pickle"):
        p12_classify.read_checkpoint(own)
    assert capsys.readouterr().out == ""
    classifier, *_ = p12_classify.read_checkpoint(own, unsafe_pickle=True)
    assert "may now run any code" in capsys.readouterr().out
    imgs = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(classifier(imgs), random_tudui()(imgs))


def test_a_class_that_is_gone_is_named(tmp_path, monkeypatch):
    class Net(nn.Module):
        __module__, __qualname__ = "__main__", "Net"

    path, main = str(tmp_path / "own.pth"), sys.modules["__main__"]
    monkeypatch.setattr(main, "Net", Net, raising=False)
    torch.save(Net(), path)
    monkeypatch.delattr(main, "Net")
    with pytest.raises(CourseError, match=r"cannot be opened.*'Net'.*save the state_dict"):
        p12_classify.read_checkpoint(path, unsafe_pickle=True)


# --- What the lesson says and shows


def test_top_five_are_the_largest_of_a_softmax_by_hand(lesson):
    seen, _, paths = lesson
    assert seen["classes"] == CLASSES
    for index, path in enumerate(paths):
        img = p12_classify.read_picture(path)
        for channel in range(3):
            img[channel] = (img[channel] - MEAN[channel]) / STD[channel]
        with torch.no_grad():
            scores = random_tudui()(img.unsqueeze(0))[0].tolist()
        exponentials = [math.exp(score - max(scores)) for score in scores]
        by_hand = {name: value / sum(exponentials) for name, value in zip(CLASSES, exponentials, strict=True)}
        best = sorted(by_hand, key=by_hand.get, reverse=True)[:5]
        top = seen["top"]
        assert [CLASSES[number] for number in top.indices[index]] == best
        assert top.values[index].tolist() == pytest.approx([by_hand[name] for name in best], abs=1e-5)


def test_two_pictures_of_one_name_do_not_mix(lesson, events):
    seen, _, _ = lesson
    log = events(seen["run"])
    assert sorted(log.Tags()["images"]) == ["1 photo.png", "2 photo.png"]
    for tag, colour in (("1 photo.png", (255, 165, 0)), ("2 photo.png", (0, 0, 128))):
        image = Image.open(io.BytesIO(log.Images(tag)[0].encoded_image_string)).convert("RGB")
        left, right = np.array_split(np.asarray(image).astype(int), 2, axis=1)
        assert abs(left - colour).max(axis=2).min() <= 2  # the orange or navy part of the photo
        assert (right[..., 0] - right[..., 1:].max(axis=2)).max() > 150  # deep red


# --- Exports


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_exports_agree_with_the_original(batch_size, lesson, monkeypatch):
    seen, home, _ = lesson
    monkeypatch.setitem(sys.modules, "lessons.tudui", None)  # the files need no class Tudui
    assert list(seen["differences"]) == ["tudui.pt2", "tudui.onnx"]
    assert max(seen["differences"].values()) < 1e-4
    torch.manual_seed(2)
    imgs = torch.rand(batch_size, 3, 32, 32)
    with torch.no_grad():
        outputs = seen["classifier"](imgs)
        assert outputs.std() > 1  # 1e-4 says something
        program = torch.export.load(home / "models_saved" / "tudui.pt2").module()
        assert (program(imgs) - outputs).abs().max() < 1e-4
    session = onnxruntime.InferenceSession(home / "models_saved" / "tudui.onnx")
    assert session.get_inputs()[0].shape == ["batch", 3, 32, 32]  # this is what the file tells others
    (again,) = session.run(["outputs"], {"imgs": imgs.numpy()})
    assert again.shape == (batch_size, len(CLASSES))
    assert np.abs(again - outputs.numpy()).max() < 1e-4


def test_a_difference_would_be_seen(tmp_path, monkeypatch):
    """The comparison is with what the file holds: a file with other weights differs."""
    classifier = Classifier(random_tudui())
    imgs = torch.rand(2, 3, 32, 32)
    save = torch.export.save

    def save_another(program, path):
        program.state_dict["network.model1.8.bias"].data.add_(0.25)
        save(program, path)
        program.state_dict["network.model1.8.bias"].data.sub_(0.25)

    monkeypatch.setattr(torch.export, "save", save_another)
    differences = p12_classify.export(classifier, imgs, tmp_path)
    assert differences["tudui.pt2"] == pytest.approx(0.25, abs=1e-4)
    assert differences["tudui.onnx"] < 1e-4


@pytest.mark.parametrize("missing", ["onnxruntime", "onnxscript"])
def test_without_the_extra_it_says_so_in_one_line(missing, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, missing, None)
    differences = p12_classify.export(Classifier(random_tudui()), torch.rand(1, 3, 32, 32), tmp_path)
    assert list(differences) == ["tudui.pt2"]
    told = capsys.readouterr().out
    assert told.count("\n") == 1 and 'pip install -e ".[onnx]"' in told
    assert not (tmp_path / "tudui.onnx").exists()


# --- With and without options


@pytest.fixture
def no_exports(monkeypatch):
    """Where the exports are not looked at: they take seconds."""
    monkeypatch.setattr(p12_classify, "export", lambda classifier, imgs, folder: {})


def test_without_anything_it_trains_and_takes_test_pictures(
    no_exports, small_pictures, tmp_path, monkeypatch, events, capsys
):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    seen = p12_classify.main(dataset=str(small_pictures))
    assert "lessons run 8 leaves a better one" in capsys.readouterr().out
    assert seen["classes"] == [f"class{number}" for number in range(10)]
    assert seen["probabilities"].shape == (3, 10) and seen["top"].values.shape == (3, 5)
    shown = events(seen["run"]).Tags()["images"]
    assert shown == ["1 class0 (test)", "2 class3 (test)", "3 class6 (test)"]


def test_the_newest_checkpoint_of_lesson_8_is_used(no_exports, small_pictures, tmp_path, monkeypatch, capsys):
    """A real one: classes, mean and std come along, and the scores are those that lesson 8 computes."""
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    trained = p08_train.main(dataset=str(small_pictures), epochs=1, without=["bf16"])
    other = trained["best_file"].parent.with_name("zzz") / "best.pth"
    other.parent.mkdir()
    torch.save({}, other)
    os.utime(other, (0, 0))  # older, although its folder's name comes later
    path = small_pictures / "test" / "class0" / "0.png"
    seen = p12_classify.main(image=[str(path)])
    assert str(trained["best_file"]) in capsys.readouterr().out
    assert seen["classes"] == [f"class{number}" for number in range(10)]
    with torch.no_grad():
        img = p12_classify.read_picture(str(path))
        expected = trained["model"].eval()(img.unsqueeze(0)).softmax(dim=1)
    torch.testing.assert_close(seen["probabilities"], expected)
    again = p12_classify.main(image=[str(path)], checkpoint=str(trained["best_file"]))
    torch.testing.assert_close(again["probabilities"], expected)


@pytest.mark.parametrize("dataset", ["sketch10", "cifar10"])
def test_a_network_that_knows_drawings_says_so(
    no_exports, dataset, small_pictures, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    torch.save(checkpoint_of_lesson_8() | {"dataset": dataset}, tmp_path / "it.pth")
    path = small_pictures / "test" / "class0" / "0.png"
    p12_classify.main(image=[str(path)], checkpoint=str(tmp_path / "it.pth"))
    said = "only ever seen drawings" in capsys.readouterr().out
    assert said == (dataset == "sketch10")


@pytest.mark.parametrize(("num_classes", "first"), [(10, "class0"), (4, "class 0")])
def test_names_for_a_bare_state_dict(no_exports, num_classes, first, small_pictures, tmp_path):
    """The data set's own where their number fits, else numbers; and all there are when fewer than five."""
    torch.save(random_tudui(num_classes).state_dict(), tmp_path / "bare.pth")
    path = small_pictures / "test" / "class0" / "0.png"
    seen = p12_classify.main(
        dataset=str(small_pictures), image=[str(path)], checkpoint=str(tmp_path / "bare.pth")
    )
    assert len(seen["classes"]) == num_classes and seen["classes"][0] == first
    assert seen["top"].values.shape == (1, min(5, num_classes))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--image", "no/such.png"], "there is no picture no/such.png"),
        (["--image", "."], "there is no picture ."),
        (["--image", __file__], "is no readable picture"),
        (["--checkpoint", "no/such.pth"], "no/such.pth cannot be read"),
        (["--checkpoint", __file__], "safe to open"),
        (["--image"], "--image"),
    ],
)
def test_errors_on_the_command_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["p12_classify.py", *words])
    with pytest.raises(SystemExit) as end:
        options.command_line(p12_classify.main)
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert told in error and "Traceback" not in error and error.count("\n") == 1
    assert not (tmp_path / "logs").exists()  # found out before a run begins
