import json

import numpy as np
import pytest
from benchmarks.__main__ import main
from benchmarks.cases import off_a_line, row
from benchmarks.measure import Run, ratios, spread, take_turns
from conftest import REPO
from PIL import Image

from lessons.course import CourseError


def test_ratios_are_taken_turn_by_turn():
    slow, fast = [Run(2.0), Run(9.0), Run(4.0)], [Run(1.0), Run(3.0), Run(1.0)]
    assert ratios(slow, fast) == [2, 3, 4]
    assert spread([4, 2, 3]) == {"median": 3, "min": 2, "max": 4, "of": 3}


def test_ways_take_turns():
    calls = []
    ways = {name: lambda name=name: calls.append(name) or Run(len(calls)) for name in "ab"}
    runs = take_turns(ways, rounds=2)
    assert calls == ["a", "b"] * 3  # the first is the warm-up
    assert runs == {"a": [Run(3), Run(5)], "b": [Run(4), Run(6)]}


@pytest.mark.parametrize(
    ("reach", "same", "reached"),
    [
        (">= 3", True, True),
        (">= 3.1", True, False),
        ("<= 3", True, True),
        ("<= 2.9", True, False),
        (">= 3", False, False),
    ],
)
def test_reached_when_the_median_is_and_the_results_agree(reach, same, reached):
    assert row("case", "against", reach, [1, 3, 100], same=same)["reached"] is reached


def test_distance_from_a_straight_line():
    assert off_a_line("s", "pictures", {10: 21, 20: 41, 40: 81, 100: 201})["median"] == pytest.approx(0)
    quadratic = off_a_line("s", "pictures", {10: 1, 20: 4, 40: 16, 100: 100})
    assert quadratic["median"] > 50 and not quadratic["reached"]


def test_a_case_from_the_command_line(run_script, small_pictures, tmp_path):
    folder = tmp_path / "figures"
    command = ("-m", "tests.benchmarks", "data", "--quick", "--threads", 1)
    done = run_script(*command, "--pictures", small_pictures, "--out", folder, PYTHONPATH=str(REPO))
    assert done.returncode == 0, done.stderr
    assert "| data alone | ToTensor one by one | >= 10 |" in done.stdout
    result = json.loads((folder / "benchmarks.json").read_text("utf-8"))
    assert result["machine"]["threads"] == 1 and "torch" in result["machine"]
    assert "200 training" in result["machine"]["pictures"] and result["work"]["train"] == 320
    [data] = result["rows"]
    assert data["of"] == 7 and np.median(np.divide(*data["seconds"])) == data["median"]
    assert len(data["pictures a second"]) == len(data["peak MB"]) == 2
    assert Image.open(folder / "benchmarks.png").size[0] > 500


def test_a_case_that_is_not_there():
    with pytest.raises(CourseError, match="no case trian: choose among train, limit"):
        main(["trian"])
