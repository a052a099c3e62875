"""What is done beside the lessons: doctor, download, clean."""

import hashlib
import os
import re
import threading
import tomllib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from lessons.course import notes, upkeep
from lessons.course.datasets import CIFAR10
from lessons.course.fetch import alone, filled_beside

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def in_english(monkeypatch):
    monkeypatch.setenv("LESSONS_LANG", "en")


# --- doctor


def test_doctor(lessons_command, capsys, home):
    assert lessons_command("doctor") == 0
    said = capsys.readouterr().out
    packages = ("Python", "torch", "torchvision", "tensorboard", "hypothesis")
    for name in (*packages, "device", "free disk", "cifar10", "vgg16"):
        assert re.search(rf"^(ok|-) +{name} ", said, re.MULTILINE), name
    assert "lessons download vgg16" in said
    assert str(home) in said


def test_doctor_says_how_practice_is_had(lessons_command, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert lessons_command("doctor") == 0
    said = "-    hypothesis    lessons practice wants it: pip install"
    assert said in capsys.readouterr().out


def test_doctor_where_no_course_folder_is_yet(lessons_command, monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "not" / "there"))
    assert lessons_command("doctor") == 0


def test_doctor_explains_a_mismatched_pair(lessons_command, monkeypatch, capsys):
    import_module = upkeep.importlib.import_module

    def broken(name):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return import_module(name)

    monkeypatch.setattr(upkeep.importlib, "import_module", broken)
    assert lessons_command("doctor") == 1
    said = capsys.readouterr().out
    assert re.search(r"fix  torchvision +.*no pair.*pip install --force-reinstall torch torchvision", said)


def test_the_oldest_python_is_the_same_wherever_it_stands(monkeypatch):
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=")
    readme = (REPO / "README.md").read_text("utf-8")
    named = re.search(r"Python ([\d.]+) or newer \(([\d.]+) is the newest", readme)
    assert named and named[1] == oldest
    workflow = (REPO / ".github" / "workflows" / "readme.yml").read_text("utf-8")
    assert f'python: ["{oldest}", "{named[2]}"]' in workflow
    for page in notes.NOTES.glob("*/index.md"):
        assert re.findall(r"Python (3\.\d+)", page.read_text("utf-8")) == [oldest], page
    major, minor = map(int, oldest.split("."))
    for version, good in (((major, minor, 0), True), ((major, minor - 1, 9), False)):
        monkeypatch.setattr(upkeep.sys, "version_info", version)
        assert next(upkeep.check_packages()).good == good


@pytest.fixture
def installed(tmp_path) -> Callable[..., SimpleNamespace]:
    """``installed(cuda, gpu)``: as much of torch as the doctor asks, in a folder with what comes along."""
    megabytes = {"nvidia/cu13/lib/libcublas.so.13": 30, "triton/_C/libtriton.so": 10, "numpy/numpy.so": 50}
    megabytes |= {"torch/lib/libtorch_cuda.so": 20, "torch/lib/libtorch_cpu.so": 60, "torch/__init__.py": 0}
    for name, size in megabytes.items():
        path = tmp_path / "site-packages" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size * 10**6)

    def torch(cuda: str | None, gpu: bool) -> SimpleNamespace:
        return SimpleNamespace(
            __file__=str(tmp_path / "site-packages" / "torch" / "__init__.py"),
            version=SimpleNamespace(cuda=cuda),
            cuda=SimpleNamespace(is_available=lambda: gpu),
            accelerator=SimpleNamespace(is_available=lambda: gpu, current_accelerator=lambda: "cuda"),
            get_num_threads=lambda: 2,
        )

    return torch


def test_doctor_says_what_a_build_for_a_gpu_costs_where_there_is_none(installed):
    device, build = upkeep.check_device(installed("13.0", gpu=False))
    assert device.finding == "cpu, 2 threads"
    assert build.good is None, "nothing is broken"
    assert build.finding.startswith("0.06 GB for NVIDIA GPUs")
    command = 'uv venv --clear && uv pip install -e ".[test]" --torch-backend=cpu'
    assert build.finding.endswith(command)
    assert "pip: see README.md" in build.finding


@pytest.mark.parametrize("cuda, gpu", [("13.0", True), (None, False)])
def test_doctor_is_content_with_a_build_that_fits(cuda, gpu, installed):
    (device,) = upkeep.check_device(installed(cuda, gpu))
    assert device.good and ("cuda" in device.finding) == gpu


def test_doctor_in_chinese(lessons_command, monkeypatch, capsys, home, installed):
    monkeypatch.setenv("LESSONS_LANG", "zh")
    assert lessons_command("doctor") == 0
    said = capsys.readouterr().out
    assert f"ok   课程文件夹    {home}（" in said, "in line with the others: a character takes two columns"
    assert "没有，也不是必需的；下载：lessons download vgg16" in said
    _, build = upkeep.check_device(installed("13.0", gpu=False))
    assert "有 0.06 GB 只给 NVIDIA GPU 用" in build.finding


# --- download


@pytest.fixture
def server():
    """A server on 127.0.0.1 that answers every request with ``content``; ``requests`` lists the paths."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests.append(self.path)
            self.send_response(200 if server.content else 404)
            self.send_header("Content-Length", str(len(server.content)))
            self.end_headers()
            self.wfile.write(server.content)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.content = [], b""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_download_vgg16(lessons_command, server, monkeypatch, tmp_path, capsys):
    content = b"weights" * 1000
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = f"http://127.0.0.1:{server.server_port}/vgg16.pth"
    monkeypatch.setattr(upkeep, "VGG16_URL", url)
    monkeypatch.setattr(upkeep, "VGG16_BYTES", len(content))
    monkeypatch.setattr(upkeep, "VGG16_SHA256", hashlib.sha256(content).hexdigest())
    file = tmp_path / "hub" / "checkpoints" / "vgg16.pth"

    for wrong in (b"", b"not the weights", bytes(len(content))):  # an answer of 404; wrong content
        server.content = wrong
        assert lessons_command("download", "vgg16") == 2
        error = capsys.readouterr().err
        assert url in error and str(file) in error and "Traceback" not in error
        assert list(file.parent.iterdir()) == []

    server.content = content
    assert lessons_command("download", "vgg16") == 0
    assert file.read_bytes() == content
    asked = len(server.requests)
    assert lessons_command("download", "vgg16") == 0
    assert "Already there" in capsys.readouterr().out
    assert len(server.requests) == asked


def test_vgg16_is_looked_for_where_torchvision_looks():
    from torchvision.models import VGG16_Weights

    assert VGG16_Weights.IMAGENET1K_V1.url == upkeep.VGG16_URL
    assert upkeep.VGG16_SHA256[:8] in upkeep.VGG16_URL  # as PyTorch names its files


def test_download_of_something_else(lessons_command, capsys):
    assert lessons_command("download", "imagenet") == 2
    assert "cifar10 or vgg16" in capsys.readouterr().err


# --- clean


def test_clean(lessons_command, monkeypatch, tmp_path, capsys):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("keep me")
    home = tmp_path / "home"
    for name in ("logs", "models_saved", "data"):
        (home / name / "deep").mkdir(parents=True)
        (home / name / ".gitkeep").touch()
        (home / name / "deep" / "file").write_bytes(bytes(1_500_000))
    (home / "logs" / "link").symlink_to(outside)
    monkeypatch.setenv("LESSONS_HOME", str(home))

    monkeypatch.setattr(upkeep.typer, "confirm", lambda question: False)
    assert lessons_command("clean", "logs") == 0
    assert re.search(r"logs +1\.5 MB in 2 files", capsys.readouterr().out)
    assert (home / "logs" / "deep" / "file").exists()

    monkeypatch.setattr(upkeep.typer, "confirm", lambda question: True)
    assert lessons_command("clean", "logs") == 0
    assert [entry.name for entry in (home / "logs").iterdir()] == [".gitkeep"]
    assert (outside / "precious").read_text() == "keep me"
    assert (home / "models_saved" / "deep" / "file").exists()

    assert lessons_command("clean", "--yes") == 0
    assert [entry.name for entry in home.rglob("*") if entry.is_file()] == [".gitkeep"] * 3
    assert lessons_command("clean", "everything") == 2
    capsys.readouterr()

    monkeypatch.setenv("LESSONS_LANG", "zh")
    assert lessons_command("clean", "logs") == 0
    assert re.search(r"logs +0\.0 MB 共 0 个文件：.+\n没有可删除的。", capsys.readouterr().out)


def test_clean_leaves_a_linked_folder_alone(lessons_command, monkeypatch, tmp_path, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "precious").touch()
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models_saved").symlink_to(disk, target_is_directory=True)
    assert lessons_command("clean", "models", "--yes") == 0
    assert f"is a link to {disk}" in capsys.readouterr().out
    assert (disk / "precious").exists()


@pytest.mark.parametrize("kind", ["cifar10", "vgg16"])
def test_clean_leaves_what_is_being_downloaded(kind, lessons_command, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    path = upkeep.vgg16_file() if kind == "vgg16" else tmp_path / "data" / CIFAR10.filename
    path.parent.mkdir(parents=True)
    part = Path(f"{path}.part")
    part.touch()
    with alone(path):
        assert lessons_command("clean", "--yes") == 2
        assert f"another process is at work in {path.parent}" in capsys.readouterr().err and part.exists()
    assert lessons_command("clean", "--yes") == 0
    assert not part.exists()


def test_clean_leaves_what_is_being_drawn(lessons_command, monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    with filled_beside(tmp_path / "data" / "pictures") as fresh:
        (fresh / "half").touch()
        assert lessons_command("clean", "--yes") == 0
        assert (fresh / "half").exists()
    assert (tmp_path / "data" / "pictures" / "half").exists()
    left = tmp_path / "data" / ".pictures-of-a-killed-process"
    left.mkdir()
    os.utime(left, (1, 1))
    assert lessons_command("clean", "--yes") == 0
    assert list((tmp_path / "data").iterdir()) == []
