"""The bare ``lessons`` command: what it shows, and how soon. Its commands are tested with what does them."""

import json
import os

import pytest

from lessons.course import cli


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


def test_table_shows_lessons_and_their_last_runs(fake, lessons_command, home, monkeypatch, capsys):
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
    assert lessons_command() == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Title 1: a test picture 1 in IMAGES. -" in said
    assert "Title 2: a test picture 2 in IMAGES. 02 Jan 10:00 failed new [x]" in said
    assert "old" not in said
    assert "next: lessons run 1" in said


def test_a_lesson_with_a_syntax_error_does_not_break_the_table(fake, lessons_command, capsys):
    fake({1: "pass", 2: "this is no Python"})
    assert lessons_command() == 0
    assert "Title 1" in capsys.readouterr().out
