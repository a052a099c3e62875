import re
import shutil
import sys
import types
from pathlib import Path

import pytest
import torch

from lessons import p07_save_load
from lessons.course import CourseError
from lessons.tudui import Tudui


@pytest.fixture(scope="module")
def lesson(small_pictures, tmp_path_factory):
    """The lesson, run once, in a course folder of its own: it writes 1.1 GB."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("course_p07")
        monkeypatch.setenv("LESSONS_HOME", str(folder))
        yield p07_save_load.main(dataset=str(small_pictures), steps=6), folder / "models_saved"
    shutil.rmtree(folder)


def test_sizes(lesson):
    seen, folder = lesson
    # a number is 4 bytes; names and the like come on top
    assert seen["sizes"]["vgg16_method2.pth"] == pytest.approx(138_357_544 * 4 / 1e6, rel=0.001)
    assert seen["sizes"]["vgg16_method1.pth"] == pytest.approx(138_357_544 * 4 / 1e6, rel=0.001)
    assert seen["sizes"]["tudui_method2.pth"] == pytest.approx(145_578 * 4 / 1e6, rel=0.02)
    # the checkpoint holds the weights, and one momentum for each
    assert seen["sizes"]["tudui_checkpoint.pth"] == pytest.approx(2 * 145_578 * 4 / 1e6, rel=0.02)
    assert not list(folder.glob("*.tmp"))


def test_each_way_of_loading_gives_the_saved_weights(lesson):
    _, folder = lesson
    whole = torch.load(folder / "vgg16_method1.pth", weights_only=False)
    weights = torch.load(folder / "vgg16_method2.pth", mmap=True)
    for name, value in whole.state_dict().items():
        assert torch.equal(weights[name], value), name


def test_a_class_that_has_moved(lesson):
    refused, lost = lesson[0]["messages"]
    assert refused.startswith("Weights only load failed")
    assert "Unsupported global: GLOBAL my_training_script.Net" in refused
    # a real module, of a script which is gone by now
    found = re.fullmatch(r"Can't get attribute 'Net' on <module 'my_training_script' from '(.+)'>", lost)
    assert Path(found[1]).name == "my_training_script.py"
    assert not Path(found[1]).parent.exists()


def test_losing_a_class_leaves_python_as_it_was(tmp_path, monkeypatch):
    p07_save_load.lose_a_class(tmp_path)  # the first torch.load of a process may import what it needs
    path, modules = sys.path.copy(), sys.modules.copy()
    p07_save_load.lose_a_class(tmp_path)
    assert sys.path == path
    assert sys.modules == modules

    def fail(*arguments, **options):
        raise OSError("cannot be read")

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(OSError):
        p07_save_load.lose_a_class(tmp_path)
    assert sys.path == path
    assert sys.modules == modules


def test_a_pickle_can_run_code_and_weights_only_refuses(lesson):
    safe, trusting = lesson[0]["code_that_ran"]
    assert safe == []
    assert trusting == ["a pickle ran this"]


def test_resumed_is_as_never_stopped(lesson, events):
    seen, _ = lesson
    in_one_go, resumed = seen["losses"]
    assert len(in_one_go) == 4  # 200 pictures in batches of 64
    assert resumed == in_one_go[2:]
    # one tag is one chart, and a sub-run each is a curve each
    curves = {way: events(seen["run"] / way) for way in ("in one go", "stopped and resumed")}
    assert all(log.Tags()["scalars"] == ["loss"] for log in curves.values())
    in_one_go, resumed = (
        [(event.step, event.value) for event in log.Scalars("loss")] for log in curves.values()
    )
    assert [step for step, _ in in_one_go] == [0, 1, 2, 3]
    assert resumed == in_one_go[2:]
    log = events(seen["run"])
    assert log.Tags()["scalars"] == []
    tables = {tag: log.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in log.Tags()["tensors"]}
    seconds = seen["seconds"]["save whole model"]
    assert tables["VGG16 in seconds/text_summary"].startswith(
        f"| VGG16 | seconds |\n| --- | --- |\n| save whole model | {seconds:.3f} |"
    )
    assert "| tudui_method2.pth | 0.58" in tables["file in MB/text_summary"]
    assert sorted(tables) == [
        "VGG16 in seconds/text_summary",
        "file in MB/text_summary",
        "note/text_summary",
        "reproducibility card/text_summary",
    ]


@pytest.fixture
def stop_and_resume(small_pictures, tmp_path):
    """The last part of the lesson alone: four steps, a stop after two. Returns the losses of both."""
    train_data = p07_save_load.open_dataset(
        str(small_pictures), train=True, transform=p07_save_load.ToTensor()
    )
    writer = types.SimpleNamespace(add_scalars=lambda *arguments: None)

    def run():
        torch.manual_seed(0)
        return p07_save_load.stop_and_resume(tmp_path, train_data, 4, writer)

    return run


def test_resuming_needs_the_optimizer_too(stop_and_resume, monkeypatch):
    """With the weights alone, momentum starts from nothing and the losses differ."""
    monkeypatch.setattr(torch.optim.SGD, "load_state_dict", lambda self, state: None)
    in_one_go, resumed = stop_and_resume()
    assert resumed != in_one_go[2:]


@pytest.mark.parametrize("changes", [{"BatchNorm2d"}, {"Dropout"}, {"BatchNorm2d", "Dropout"}])
def test_a_changed_network_resumes_bit_for_bit(changes, stop_and_resume, monkeypatch):
    class Changed(Tudui):
        def __init__(self, num_classes):
            super().__init__(num_classes)
            layers = []
            for layer in self.model1:
                layers.append(layer)
                if isinstance(layer, torch.nn.Conv2d) and "BatchNorm2d" in changes:
                    layers.append(torch.nn.BatchNorm2d(layer.out_channels))
                if isinstance(layer, torch.nn.Conv2d) and "Dropout" in changes:
                    layers.append(torch.nn.Dropout(0.5))
            self.model1 = torch.nn.Sequential(*layers)

    monkeypatch.setattr(p07_save_load, "Tudui", Changed)
    in_one_go, resumed = stop_and_resume()
    assert len(resumed) == 2
    assert resumed == in_one_go[2:]

    if "Dropout" in changes:  # because the random numbers go on as well
        monkeypatch.setattr(torch, "set_rng_state", lambda state: None)
        in_one_go, resumed = stop_and_resume()
        assert resumed != in_one_go[2:]


def test_a_crash_while_saving_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "tudui.pth"
    p07_save_load.save(Tudui().state_dict(), path)
    before = path.read_bytes()

    def crash(content, file):
        file.write(b"half a fi")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(OSError):
        p07_save_load.save({}, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]  # and no half file


def test_a_full_disk_is_said_before_anything_is_written(home, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=0.7e9))
    monkeypatch.setattr(p07_save_load, "open_dataset", lambda *_, **__: None)
    monkeypatch.setattr(p07_save_load, "RunWriter", None)  # would fail if it came that far
    with pytest.raises(CourseError, match=r"0\.7 GB are not enough"):
        p07_save_load.main()
