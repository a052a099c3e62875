"""``lessons board``: TensorBoard on this machine alone."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.utils.tensorboard import SummaryWriter

from lessons.course import board
from lessons.course.notes import LANGUAGES


def open_board(home, *words):
    """A ``lessons board`` that runs, and what it has said so far."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from lessons.course.cli import main; main()", "board", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LESSONS_HOME": str(home)},
    )
    lines = []
    while "TensorBoard: " not in "".join(lines):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return process, "".join(lines)


def log_a_run(home, lesson: str, run: str, **card: object) -> str:
    """A run with one loss; returns the name that TensorBoard has for it."""
    folder = home / "logs" / lesson / run
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(card))
    with SummaryWriter(str(folder)) as writer:
        writer.add_scalar("loss", 1.0, 0)
    return f"{lesson}/{run}"


def wait_for_runs(address: str, count: int) -> list[str]:
    """What TensorBoard shows once it shows so many runs: it reads the logs in the background."""
    deadline = time.monotonic() + 60
    runs = []
    while len(runs) < count and time.monotonic() < deadline:
        with urllib.request.urlopen(f"{address}data/runs", timeout=30) as answer:
            runs = json.load(answer)
        time.sleep(0.2)
    return sorted(runs)


ADDRESS = r"(http://127\.0\.0\.1:(\d+)/)(#\w+)?  "


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_board(ending, tmp_path):
    run = log_a_run(tmp_path, "p04_sequential", "2030-01-02_03-04-05")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process, said = open_board(tmp_path, "--port", str(port))
    try:
        assert f"Port {port} is taken" in said
        address = re.search(ADDRESS, said)
        assert int(address[2]) != port
        assert address[3] is None, "all lessons: TensorBoard begins where it likes"
        assert wait_for_runs(address[1], 1) == [run]
    finally:
        process.send_signal(ending)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "ended" in out
    assert "Traceback" not in err


def test_board_of_some_lessons(tmp_path):
    """These alone, under the names that they have among all, also those that come later; at the right tab."""
    home = tmp_path / "with a space, and a comma"
    images = ["SCALARS     loss", "IMAGES      input"]
    log_a_run(home, "p01_dataloader", "2030-01-01_00-00-00", started="2030-01-01T00:00:00")
    wanted = [
        log_a_run(home, "p02_conv2d", "2030-01-02_00-00-00", started="2030-01-02T00:00:00", look_at=images),
        log_a_run(home, "p05_loss_optim", "2030-01-01_00-00-00", started="2030-01-01T00:00:00", look_at=[]),
    ]
    with SummaryWriter(str(home / "logs" / wanted[0])) as writer:
        writer.add_embedding(torch.rand(4, 3), list("abcd"))
    process, said = open_board(home, "2-3,p05", "--port", "0")
    try:
        address = re.search(ADDRESS, said)
        assert address[3] == "#images", "the newest run is of lesson 2, which speaks of IMAGES"
        assert wait_for_runs(address[1], 2) == wanted
        wanted.insert(1, log_a_run(home, "p03_maxpool", "2030-01-03_00-00-00"))
        assert wait_for_runs(address[1], 3) == wanted
        with urllib.request.urlopen(f"{address[1]}data/plugin/projector/runs", timeout=30) as answer:
            assert json.load(answer) == [wanted[0]], "PROJECTOR finds its files, too"
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err


def test_two_boards_at_once(tmp_path):
    """On one port in one folder: one of them takes another port, and both show the run."""
    run = log_a_run(tmp_path, "p04_sequential", "2030-01-02_03-04-05")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with ThreadPoolExecutor(2) as both:
        boards = list(both.map(lambda _: open_board(tmp_path, "--port", str(port)), range(2)))
    try:
        addresses = [re.search(ADDRESS, said) for _, said in boards]
        assert len({address[2] for address in addresses} - {str(port)}) == 1
        assert sum(f"Port {port} is taken" in said for _, said in boards) == 1
        assert [wait_for_runs(address[1], 1) for address in addresses] == [[run], [run]]
    finally:
        for process, _ in boards:
            process.send_signal(signal.SIGINT)
        said = [process.communicate(timeout=60)[1] for process, _ in boards]
    assert [process.returncode for process, _ in boards] == [0, 0] and "Traceback" not in "".join(said)


@pytest.fixture
def quiet_board(monkeypatch):
    """``lessons board`` without TensorBoard; holds what it would have shown."""
    shown = []

    def start_board(logdir, port, only, host):
        shown.append(only)
        return "http://127.0.0.1:1/"

    monkeypatch.setattr(board, "start_board", start_board)
    monkeypatch.setattr(board, "wait_for_ctrl_c", lambda: None)
    return shown


@pytest.mark.parametrize(
    ("cards", "address"),
    [
        (
            {"2": {"status": "ok", "look_at": ["PR CURVES   a", "TEXT        note"]}},
            "#pr_curves ",
        ),
        ({"2": {"status": "running", "look_at": []}}, "#images "),  # the lesson speaks of IMAGES
        ({}, "#images "),
        ({"1": {"look_at": ["GRAPHS      a"]}, "2": {"look_at": ["TEXT        a"]}}, "#text "),
    ],
)
def test_the_tab_to_begin_with(
    cards, address, fake, quiet_board, lessons_command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    fake(dict.fromkeys((0, 1, 2), "pass"))
    for number, card in cards.items():
        run = tmp_path / "logs" / f"p0{number}_fake" / "run"
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"started": f"2030-01-0{number}T00:00:00", **card}))
    assert lessons_command("board", *(["1-2"] if len(cards) > 1 else ["2"])) == 0
    said = capsys.readouterr().out
    assert f"http://127.0.0.1:1/{address}" in said
    assert ("lessons run 2, in another terminal" in said) == (not cards)


@pytest.mark.parametrize(
    ("words", "only", "by_hand"),
    [
        ([], [], "logs"),
        (["all"], [], "logs"),
        (["0"], ["p00_fake"], "logs/p00_fake"),
        (["p02"], ["p02_fake"], "logs/p02_fake"),
        (["0-1"], ["p00_fake", "p01_fake"], None),
    ],
)
@pytest.mark.parametrize("lang", LANGUAGES)
def test_which_lessons(
    words, only, by_hand, lang, fake, quiet_board, lessons_command, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("LESSONS_LANG", lang)
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path))
    fake(dict.fromkeys((0, 1, 2), "pass"))
    assert lessons_command("board", *words) == 0
    assert quiet_board == [only]
    said = capsys.readouterr().out
    assert (f"tensorboard --logdir {tmp_path / by_hand}\n" if by_hand else "http") in said
    assert ("--logdir" in said) == bool(by_hand)
    assert ("另一个终端" in said) == (lang == "zh")


def test_no_such_lesson(quiet_board, lessons_command, capsys):
    assert lessons_command("board", "99") == 2
    assert "there is no lesson '99'" in capsys.readouterr().err
    assert quiet_board == []


@pytest.mark.parametrize("port", ["-3", "99999"])
def test_an_impossible_port(lessons_command, capsys, port):
    assert lessons_command("board", "--port", port) == 2
    assert "--port" in capsys.readouterr().err
