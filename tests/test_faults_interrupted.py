"""Ctrl-C at any moment; in full by ``python -m tests.faults ctrl-c``."""

import sys

import pytest
from faults.interrupted import ctrl_c


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for how far a process has come")
def test_ctrl_c_at_any_moment(tmp_path):
    outcome = ctrl_c(4, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.refused == 4
