"""Two commands at once; more of them by ``python -m tests.faults at-once``."""

from faults.together import at_once


def test_two_commands_at_once(tmp_path):
    outcome = at_once(3, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == 3
