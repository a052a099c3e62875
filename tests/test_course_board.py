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

import pytest


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


@pytest.mark.parametrize("port", ["-3", "99999"])
def test_an_impossible_port(lessons_command, capsys, port):
    assert lessons_command("board", "--port", port) == 2
    assert "--port" in capsys.readouterr().err
