"""The ``lessons`` command. Most tests use tiny lessons of their own, put where the command looks."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import lessons
from lessons.course import CourseError, cli

REPO = Path(__file__).resolve().parents[1]

LESSON = '''"""{number}. Title {number}: a test

About it.

You will see: picture {number}
in IMAGES.
"""

from lessons.course import CourseError
from lessons.course.cli import command_line

CALLS = []

def main(dataset: str = "sketch10", seed: int = 0, word: str = "none", image: list[str] = []) -> dict:
    CALLS.append((dataset, seed, word, image))
    {body}
    return {{}}

if __name__ == "__main__":
    command_line(main)
'''


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """``fake({1: "pass", ...})``: a course of lessons with these bodies; returns what each main was given."""
    folder = tmp_path / "package"
    folder.mkdir()
    monkeypatch.setattr(cli, "LESSONS_DIR", folder)
    monkeypatch.setattr(lessons, "__path__", [str(folder), *lessons.__path__])
    for name in [name for name in sys.modules if name.endswith("_fake")]:
        monkeypatch.delitem(sys.modules, name)

    def make(bodies: dict[int, str]):
        for number, body in bodies.items():
            (folder / f"p{number:02}_fake.py").write_text(LESSON.format(number=number, body=body))
        return lambda number: sys.modules[f"lessons.p{number:02}_fake"].CALLS

    yield make
    for name in [name for name in sys.modules if name.endswith("_fake")]:
        del sys.modules[name]


def lessons_command(monkeypatch, *words: str) -> int:
    """Run the command in this process, as its entry point does; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["lessons", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code or 0


# --- Without words


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_answers_without_the_heavy_imports(words, run_script):
    code = (
        "import sys; from lessons.course import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'torchvision', 'tensorboard', 'numpy'} & set(sys.modules)))"
    )
    done = run_script("-c", code, *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_table_shows_lessons_and_their_last_runs(fake, home, monkeypatch, capsys):
    fake({1: "pass", 2: "pass"})
    for name, status, result in (
        ("2024-01-01_10-00-00", "ok", "old"),
        ("2024-01-02_10-00-00", "failed", "new [x]"),
    ):
        run = home / "logs" / "p02_fake" / name
        run.mkdir(parents=True)
        card = {"started": "2024-01-02T10:00:00", "status": status, "result": result}
        (run / "run.json").write_text(json.dumps(card))
        stamp = 1_700_000_000 + len(result)
        os.utime(run / "run.json", (stamp, stamp))
    monkeypatch.setattr(cli.console, "width", 120)
    assert lessons_command(monkeypatch) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Title 1: a test picture 1 in IMAGES. -" in told
    assert "Title 2: a test picture 2 in IMAGES. 02 Jan 10:00 failed new [x]" in told
    assert "old" not in told
    assert "next: lessons run 1" in told


def test_a_lesson_with_a_syntax_error_does_not_break_the_table(fake, monkeypatch, capsys):
    fake({1: "pass", 2: "this is no Python"})
    assert lessons_command(monkeypatch) == 0
    assert "Title 1" in capsys.readouterr().out


def test_real_lessons_are_found_in_order():
    found = cli.find_lessons()
    assert list(found) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    for lesson in found.values():
        assert lesson.title and lesson.sees, lesson.name


# --- run


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], [1, 2, 3, 5]),
        (["all"], [1, 2, 3, 5]),
        (["3"], [3]),
        (["p03"], [3]),
        (["p03_fake"], [3]),
        (["lessons/p03_fake.py"], [3]),
        (["1-3"], [1, 2, 3]),
        (["5", "1"], [1, 5]),
        (["1,5"], [1, 5]),
        (["1,", "5"], [1, 5]),
    ],
)
def test_selection(fake, words, chosen):
    fake(dict.fromkeys((1, 2, 3, 5), "pass"))
    assert [lesson.number for lesson in cli.select_lessons(words, cli.find_lessons())] == chosen


@pytest.mark.parametrize("word", ["9", "3-9", "1-99999999999", "4", "5-3", "p03_other", "x"])
def test_selection_of_what_does_not_exist(fake, word):
    fake(dict.fromkeys((1, 2, 3, 5), "pass"))
    with pytest.raises(CourseError, match=f"no lesson '{word}'.*p01_fake, p02_fake, p03_fake, p05_fake"):
        cli.select_lessons([word], cli.find_lessons())


def test_one_lesson_takes_its_own_options(fake, monkeypatch):
    calls = fake({1: "pass"})
    words = [
        "run",
        "1",
        "--dataset",
        "d",
        "--seed",
        "3",
        "--word",
        "w",
        "--image",
        "a.png",
        "--image",
        "b.png",
    ]
    assert lessons_command(monkeypatch, *words) == 0
    assert calls(1) == [("d", 3, "w", ["a.png", "b.png"])]


def test_several_lessons_share_dataset_and_seed(fake, monkeypatch):
    calls = fake({1: "pass", 2: "pass"})
    assert lessons_command(monkeypatch, "run", "1-2", "--dataset=d", "--seed", "4") == 0
    assert calls(1) == calls(2) == [("d", 4, "none", [])]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["1", "--wrod", "w"], "--wrod"),
        (["1", "--seed", "many"], "'--seed'"),
        (["1-2", "--word", "w"], "option of single lessons"),
        (["1-2", "--seed"], "--seed wants a value"),
        (["--seed", "3", "1"], "'1' comes too late"),
    ],
)
def test_wrong_options_stop_before_anything_runs(fake, monkeypatch, capsys, words, told):
    calls = fake({1: "pass", 2: "pass"})
    assert lessons_command(monkeypatch, "run", *words) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert calls(1) == []


def test_goes_on_after_a_lesson_that_fails(fake, monkeypatch, capsys):
    calls = fake({1: "raise CourseError('no pictures; put some there')", 2: "1 / 0", 3: "pass"})
    monkeypatch.setattr(cli.console, "width", 100)
    assert lessons_command(monkeypatch, "run") == 1
    told = capsys.readouterr()
    assert "Error: no pictures; put some there" in told.err
    assert "ZeroDivisionError" in told.err
    assert len(calls(3)) == 1
    assert re.search(r"p01_fake +[\d.]+ +wrong input", told.out)
    assert re.search(r"p02_fake +[\d.]+ +failed", told.out)


@pytest.mark.parametrize("options", [[], ["--seed", "3"]])
def test_goes_on_after_a_lesson_that_cannot_be_imported(fake, monkeypatch, capsys, options):
    calls = fake({1: "pass", 2: "this is no Python", 3: "raise SystemExit(0)", 4: "pass"})
    assert lessons_command(monkeypatch, "run", "all", *options) == 1
    told = capsys.readouterr()
    assert "SyntaxError" in told.err
    assert len(calls(1)) == len(calls(4)) == 1
    assert re.search(r"p02_fake +[\d.]+ +failed", told.out)
    assert re.search(r"p03_fake +[\d.]+ +failed", told.out)


@pytest.mark.parametrize(("body", "code"), [("raise CourseError('x')", 2), ("1 / 0", 1), ("pass", 0)])
def test_exit_code_of_one_lesson(fake, monkeypatch, body, code):
    fake({1: body})
    assert lessons_command(monkeypatch, "run", "1") == code


def test_ctrl_c_stops_and_still_shows_what_ran(fake, monkeypatch, capsys):
    fake({1: "pass", 2: "raise KeyboardInterrupt", 3: "pass"})
    assert lessons_command(monkeypatch, "run") == 130
    assert "lessons.p03_fake" not in sys.modules
    assert re.search(r"p02_fake +[\d.]+ +interrupted", capsys.readouterr().out)


def test_end_table_says_where_and_what(monkeypatch, capsys, home):
    monkeypatch.setattr(cli.console, "width", 160)
    assert lessons_command(monkeypatch, "run", "4") == 0
    told = capsys.readouterr().out
    row = re.search(r"p04_sequential +[\d.]+ +(\S+) +GRAPHS the network", told)
    assert (home / row[1] / "run.json").is_file()


def test_help_of_a_lesson_says_what_it_teaches(fake, monkeypatch, capsys):
    fake({1: "1 / 0"})
    assert lessons_command(monkeypatch, "run", "1", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "About it." in told
    assert "--dataset <str> sketch10, cifar10, or a folder" in told or "--dataset TEXT" in told


# --- A lesson's own command line


@pytest.mark.parametrize(
    ("lesson", "options"),
    [
        ("p01_dataloader", ["--steps", 1]),
        ("p02_conv2d", ["--steps", 1]),
        ("p03_maxpool", ["--steps", 1]),
        ("p04_sequential", ["--batch-size", 2]),
        ("p05_loss_optim", ["--epochs", 1]),
        ("p06_pretrained", ["--steps", 2]),
        ("p07_save_load", ["--steps", 2]),
        ("p08_train", ["--epochs", 1, "--no-mirror"]),
        ("p09_accelerator", ["--steps", 1, "--device", "cpu"]),
        ("p10_classify", []),
        ("p11_distributed", ["--epochs", 1]),
    ],
)
def test_each_lesson_is_a_command(lesson, options, run_script, small_pictures, tmp_path):
    """As a script and as a module in turn, from a folder that is not the checkout."""
    script = ["-m", f"lessons.{lesson}"] if int(lesson[2]) % 2 else [REPO / "lessons" / f"{lesson}.py"]
    dataset = [] if lesson == "p04_sequential" else ["--dataset", small_pictures]
    home = tmp_path / "home"
    done = run_script(*script, *dataset, *options, LESSONS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert f"run {lesson}/" in done.stdout
    (card,) = home.glob(f"logs/{lesson}/*/run.json")
    assert json.loads(card.read_text())["status"] == "ok"
    shutil.rmtree(home)  # lesson 7 leaves 1.1 GB


def test_what_a_learner_can_cause_has_no_traceback(run_script):
    done = run_script(REPO / "lessons" / "p01_dataloader.py", "--dataset", "no/such/folder")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "no/such/folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", cli.find_lessons())
def test_help_of_each_real_lesson(number, monkeypatch, capsys):
    lesson = cli.find_lessons()[number]
    assert lessons_command(monkeypatch, "run", str(number), "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert lesson.title in told
    assert "--seed" in told


# --- board


def start_board(home, *words):
    process = subprocess.Popen(
        [sys.executable, "-c", "from lessons.course.cli import main; main()", "board", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LESSONS_HOME": str(home)},
    )
    lines = []
    while "by hand" not in "".join(lines):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return process, "".join(lines)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_board(ending, tmp_path):
    run = tmp_path / "logs" / "p04_sequential" / "2030-01-02_03-04-05"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run)) as writer:
        writer.add_scalar("loss", 1.0, 0)

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process, told = start_board(tmp_path, "--port", str(port))
    try:
        assert f"Port {port} is taken" in told
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", told)
        assert int(address[1]) != port
        deadline = time.monotonic() + 60
        runs = []
        while not runs and time.monotonic() < deadline:  # it reads the logs in the background
            with urllib.request.urlopen(f"{address[0]}data/runs", timeout=30) as answer:
                runs = json.load(answer)
            time.sleep(0.2)
        assert runs == ["p04_sequential/2030-01-02_03-04-05"]
    finally:
        process.send_signal(ending)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ended" in out
    assert "Traceback" not in err


# --- doctor, download, clean


def test_doctor(monkeypatch, capsys, home):
    assert lessons_command(monkeypatch, "doctor") == 0
    told = capsys.readouterr().out
    for name in ("Python", "torch", "torchvision", "tensorboard", "device", "free disk", "cifar10", "vgg16"):
        assert re.search(rf"^(ok|-) +{name} ", told, re.MULTILINE), name
    assert "lessons download vgg16" in told
    assert str(home) in told


def test_doctor_where_no_course_folder_is_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "not" / "there"))
    assert lessons_command(monkeypatch, "doctor") == 0


@pytest.mark.parametrize("port", ["-3", "99999"])
def test_board_at_an_impossible_port(monkeypatch, capsys, port):
    assert lessons_command(monkeypatch, "board", "--port", port) == 2
    assert "--port" in capsys.readouterr().err


def test_doctor_explains_a_mismatched_pair(monkeypatch, capsys):
    import_module = cli.importlib.import_module

    def broken(name):
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist")
        return import_module(name)

    monkeypatch.setattr(cli.importlib, "import_module", broken)
    assert lessons_command(monkeypatch, "doctor") == 1
    told = capsys.readouterr().out
    assert re.search(r"mend torchvision +.*no pair.*pip install --force-reinstall torch torchvision", told)


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


def test_download_vgg16(server, monkeypatch, tmp_path, capsys):
    import hashlib

    content = b"weights" * 1000
    digest = hashlib.sha256(content).hexdigest()[:8]
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = f"http://127.0.0.1:{server.server_port}/vgg16-{digest}.pth"
    monkeypatch.setattr(cli, "VGG16_URL", url)
    file = tmp_path / "hub" / "checkpoints" / f"vgg16-{digest}.pth"

    for wrong in (b"", b"not the weights"):  # an answer of 404; wrong content
        server.content = wrong
        assert lessons_command(monkeypatch, "download", "vgg16") == 2
        error = capsys.readouterr().err
        assert url in error and str(file) in error and "Traceback" not in error
        assert list(file.parent.iterdir()) == []

    server.content = content
    assert lessons_command(monkeypatch, "download", "vgg16") == 0
    assert file.read_bytes() == content
    asked = len(server.requests)
    assert lessons_command(monkeypatch, "download", "vgg16") == 0
    assert "Already there" in capsys.readouterr().out
    assert len(server.requests) == asked


def test_vgg16_is_looked_for_where_torchvision_looks():
    from torchvision.models import VGG16_Weights

    assert VGG16_Weights.IMAGENET1K_V1.url == cli.VGG16_URL


def test_download_of_something_else(monkeypatch, capsys):
    assert lessons_command(monkeypatch, "download", "imagenet") == 2
    assert "cifar10 or vgg16" in capsys.readouterr().err


def test_clean(monkeypatch, tmp_path, capsys):
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

    monkeypatch.setattr(cli.typer, "confirm", lambda question: False)
    assert lessons_command(monkeypatch, "clean", "logs") == 0
    assert re.search(r"logs +1\.5 MB in 2 files", capsys.readouterr().out)
    assert (home / "logs" / "deep" / "file").exists()

    monkeypatch.setattr(cli.typer, "confirm", lambda question: True)
    assert lessons_command(monkeypatch, "clean", "logs") == 0
    assert [entry.name for entry in (home / "logs").iterdir()] == [".gitkeep"]
    assert (outside / "precious").read_text() == "keep me"
    assert (home / "models_saved" / "deep" / "file").exists()

    assert lessons_command(monkeypatch, "clean", "--yes") == 0
    assert [entry.name for entry in home.rglob("*") if entry.is_file()] == [".gitkeep"] * 3
    assert lessons_command(monkeypatch, "clean", "everything") == 2


def test_clean_leaves_a_linked_folder_alone(monkeypatch, tmp_path, capsys):
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "precious").touch()
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models_saved").symlink_to(disk, target_is_directory=True)
    assert lessons_command(monkeypatch, "clean", "models", "--yes") == 0
    assert f"is a link to {disk}" in capsys.readouterr().out
    assert (disk / "precious").exists()
