"""Lessons 9 and 14 survive being killed; in full by ``python -m tests.faults sigkill``."""

import sys

import pytest
from faults.killed import sigkill


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for how far a process has come")
def test_killed_at_any_moment(tmp_path):
    outcome = sigkill(6, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == 6
