"""The bare ``lessons`` command: what it shows, and how soon. Its commands are tested with what does them."""

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from lessons.course import cli, screen
from lessons.course.catalogue import Lesson, find_lessons
from lessons.course.notes import LANGUAGES


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


def test_table_shows_lessons_their_last_runs_and_practice(fake, lessons_command, home, monkeypatch, capsys):
    fake({0: "pass", 1: "pass", 2: "pass"})
    monkeypatch.setattr(cli, "done_by_lesson", lambda: {1: "0/3", 2: "3/3"})
    for lesson, name, started, status, result in (
        ("p00_fake", "2024-01-01_10-00-00", "2024-01-01T10:00:00", "ok", ""),
        ("p02_fake", "2024-01-01_10-00-00", "2024-01-01T10:00:00", "ok", "old"),
        ("p02_fake", "2024-01-02_10-00-00", "2024-01-02T10:00:00", "failed", "new [x]"),
    ):
        run = home / "logs" / lesson / name
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({"started": started, "status": status, "result": result}))
        stamp = 1_700_000_000 + len(result)
        os.utime(run / "run.json", (stamp, stamp))
    monkeypatch.setattr(cli.console, "width", 120)
    assert lessons_command() == 0
    said = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert said[:4] == [
        "lesson ran result practice",
        "0 Title 0: a test 01 Jan ok",
        "1 Title 1: a test - 0/3",
        "2 Title 2: a test 02 Jan failed 3/3",
    ]
    assert "In lesson 1 you will see: picture 1 in IMAGES." in said
    assert said[-3].startswith("next: lessons run 1 ")
    assert said[-2].startswith("then: lessons board 1 ")


@pytest.mark.parametrize(
    ("lang", "numbers"), [(lang, numbers) for lang in LANGUAGES for numbers in ({0: "pass"}, {3: "pass"})]
)
def test_where_to_begin(lang, numbers, fake, lessons_command, monkeypatch, capsys):
    """Lesson 0 is a lesson like the others, although 0 is false."""
    monkeypatch.setenv("LESSONS_LANG", lang)
    fake(numbers)
    monkeypatch.setattr(cli, "last_run", lambda lesson: (None, {}))
    assert lessons_command() == 0
    assert f"lessons run {min(numbers)} " in capsys.readouterr().out


def card(status: str, result: str, started: str = "2024-11-24T10:00:00") -> dict:
    return {"started": started, "status": status, "result": result}


TODAY = datetime.now().isoformat(timespec="seconds")
CARDS = [
    {},
    card("ok", "test accuracy 86.6%, validation 88.2%"),
    card("ok", "VGG16 is ready 70 times sooner with mmap, which reads at the first use", TODAY),
    card("running", "", TODAY),
    card("interrupted", ""),
    card("failed", "something", TODAY),
    card("ok", "结果 " * 20),
]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "title", ["How a title goes on and on " * 4, "一课的标题也可以很长很长" * 5, "Short"]
)
def test_fifteen_lessons_fit_a_screen(title, lang, lessons_command, monkeypatch, capsys):
    """24 lines of 80 columns, one of which is the prompt's. A Chinese character takes two columns."""
    monkeypatch.setenv("LESSONS_LANG", lang)
    sees = "the confusion matrix, the worst mistakes and where the network looked in IMAGES; PR CURVES" * 2
    made = {n: Lesson(n, Path(f"p{n:02}_name.py"), title, sees) for n in range(15)}
    monkeypatch.setattr(cli, "find_lessons", lambda: made)
    monkeypatch.setattr(cli, "last_run", lambda lesson: (None, CARDS[lesson.number % len(CARDS)]))
    monkeypatch.setattr(cli.console, "width", 80)
    assert lessons_command() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 23
    assert max(map(cell_len, lines)) <= 80
    rows = lines[1:16]
    assert [int(row[:2]) for row in rows] == list(range(15))
    assert all((f"{title[:8]}" in row) and ("…" in row) for row in rows if title != "Short")
    for number, status in ((3, "running 运行中"), (4, "interrupted 已中断"), (5, "failed 出错")):
        assert any(word in rows[number] for word in status.split()), rows[number]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_real_lessons_fit_a_screen(lang, lessons_command, monkeypatch, capsys):
    """Whichever comes next, and when all are done. Titles end at their colon at worst; whole before a run."""
    monkeypatch.setenv("LESSONS_LANG", lang)
    monkeypatch.setattr(cli.console, "width", 80)
    found = find_lessons()
    for following in [*found, None]:
        cards = {number: {} if number == following or following == 0 else CARDS[1] for number in found}
        monkeypatch.setattr(cli, "last_run", lambda lesson, cards=cards: (None, cards[lesson.number]))
        assert lessons_command() == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) + 15 - len(found) <= 23, lines
        assert max(map(cell_len, lines)) <= 80, lines
        titles = [re.split("[:：]", lesson.title)[0] for lesson in found.values()]
        if following == 0:
            titles = [lesson.title for lesson in found.values()]
        rows = lines[1 : len(found) + 1]
        assert all(f"{title} " in row for title, row in zip(titles, rows, strict=True)), rows
        if following is not None:
            assert found[following].sees.replace(" ", "") in re.sub(r"\s", "", "".join(lines))


def test_a_lesson_with_a_syntax_error_does_not_break_the_table(fake, lessons_command, capsys):
    fake({1: "pass", 2: "this is no Python"})
    assert lessons_command() == 0
    assert "Title 1" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "gbk"])
@pytest.mark.parametrize("words", [[], ["notes", "2"], ["run", "五"]], ids=" ".join)
def test_any_encoding_takes_any_character(words, encoding, tmp_path):
    """What Windows does with output that goes into a file: ``?`` for a character that its encoding lacks."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LESSONS_LANG": "zh", "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "lessons.course.cli", *words]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True)
    assert done.returncode == (2 if "run" in words else 0), done.stderr
    assert b"Traceback" not in done.stderr
    shown = done.stdout or done.stderr
    assert len(shown) > 100


@pytest.mark.parametrize(
    ("system", "typed"), [("linux", "tensorboard '/a b/它'"), ("win32", 'tensorboard "/a b/它"')]
)
def test_commands_are_quoted_as_the_shell_wants_it(system, typed, monkeypatch):
    monkeypatch.setattr(sys, "platform", system)
    assert screen.as_typed(["tensorboard", "/a b/它"]) == typed
