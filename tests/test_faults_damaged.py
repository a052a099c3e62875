"""Damaged files are noticed; in full by ``python -m tests.faults damaged``."""

from faults.damaged import damaged


def test_cut_short_and_flipped(tmp_path):
    outcome = damaged(40, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == 40
    assert outcome.refused > 10
