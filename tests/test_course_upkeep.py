"""What is done beside the lessons: doctor, download, clean."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from lessons.course import upkeep

# --- doctor


def test_doctor(lessons_command, capsys, home):
    assert lessons_command("doctor") == 0
    said = capsys.readouterr().out
    for name in ("Python", "torch", "torchvision", "tensorboard", "device", "free disk", "cifar10", "vgg16"):
        assert re.search(rf"^(ok|-) +{name} ", said, re.MULTILINE), name
    assert "lessons download vgg16" in said
    assert str(home) in said


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
    digest = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = f"http://127.0.0.1:{server.server_port}/vgg16-{digest}.pth"
    monkeypatch.setattr(upkeep, "VGG16_URL", url)
    file = tmp_path / "hub" / "checkpoints" / f"vgg16-{digest}.pth"

    for wrong in (b"", b"not the weights"):  # an answer of 404; wrong content
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
