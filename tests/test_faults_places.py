"""Some commands in odd places; all of them by ``python -m tests.faults places``."""

import sys

import pytest
from faults import places

TRIED = [  # each has gone wrong before
    ("a course folder that cannot be", "practice"),
    ("a HOME that cannot be", "run 1"),
    ("a C locale without UTF-8", "run 1"),
    (f"a dumb terminal of {places.WIDTH} columns", ""),
    (f"a dumb terminal of {places.WIDTH} columns", "doctor"),
    ("python -W error", "board 1 --port 0"),
]


@pytest.mark.skipif(sys.platform != "linux", reason="Windows has no such terminals, nor modes of folders")
def test_commands_in_odd_places(tmp_path):
    cases = [places.Case(*what, tmp_path / str(number)) for number, what in enumerate(TRIED)]
    outcome = places.try_all(cases)
    assert outcome.lost == []
    assert (outcome.tried, outcome.refused) == (len(TRIED), 3)
