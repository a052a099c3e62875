"""The disk full at any byte; in full by ``python -m tests.faults full-disk``."""

import sys

import pytest
from faults.full import full_disk


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit to the size of a file")
def test_full_at_any_byte(tmp_path):
    outcome = full_disk(6, 0, tmp_path)
    assert outcome.lost == []
    assert 0 < outcome.refused < outcome.tried == 6
