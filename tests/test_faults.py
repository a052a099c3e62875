"""The frame of the campaigns; what they find is in test_faults_*.py."""

import pytest
from faults import Outcome, __main__


def sawing(tries, seed, folder):
    """Branches sawn off, with somebody on them.

    More about it.
    """
    folder.joinpath("work").touch(exist_ok=False)  # each campaign begins in an empty folder
    return Outcome(tries, 1000, ["fell"] if seed else [], slowest=(1.26, "oak"))


@pytest.mark.parametrize(("seed", "lost"), [(0, 0), (1, 1)])
def test_a_row_for_each_campaign_and_the_losses_below(monkeypatch, capsys, seed, lost):
    monkeypatch.setattr(__main__, "CAMPAIGNS", {"saw": (sawing, 2000), "again": (sawing, 2000)})
    if lost:
        with pytest.raises(SystemExit, match="1"):
            __main__.main([], 0, seed)
    else:
        __main__.main(["saw", "again"], 0, seed)
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert (
        rows[:2]
        == [f"| Branches sawn off, with somebody on them | 2,000 | {lost} | 1,000 | 1.3 s (oak) |  |"] * 2
    )
    assert rows[2:] == ["", "saw: fell", "again: fell"][: 3 * lost]
