"""The settings of whoever runs the tests change nothing."""

import os
import subprocess
import sys

from lessons.course import DATASET, torch_home
from lessons.course.notes import language


def test_no_setting_is_left(session_home, monkeypatch):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert DATASET == "sketch10"
    assert torch_home() == session_home / "models_saved" / "torch"
    assert language() == "en"


def test_settings_are_taken_away_before_anything_reads_them():
    inner = f"{__file__}::{test_no_setting_is_left.__name__}"
    settings = dict.fromkeys(("LESSONS_DATASET", "LESSONS_HOME", "TORCH_HOME"), "nonsense")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", inner],
        env={**os.environ, **settings, "LESSONS_LANG": "zh"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
