"""Which lessons there are, which of them words name, and what is known of their last run."""

import json
import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from lessons.course import CourseError
from lessons.course.catalogue import (
    Lesson,
    filled_tabs,
    find_lessons,
    last_run,
    named_tabs,
    read_card,
    select_lessons,
    words_for,
)


def test_real_lessons_are_found_in_order():
    found = find_lessons()
    assert list(found) == list(range(15))
    for lesson in found.values():
        assert lesson.title and lesson.sees, lesson.name


def test_what_a_lesson_says_of_itself(fake):
    fake({3: "pass"})
    (lesson,) = find_lessons().values()
    assert lesson[2:] == ("Title 3: a test", "picture 3 in IMAGES.")
    assert (lesson.number, lesson.name, lesson.path.name) == (3, "p03_fake", "p03_fake.py")


def test_a_lesson_with_a_syntax_error_is_still_listed(fake):
    fake({1: "pass", 2: "this is no Python"})
    broken = find_lessons()[2]
    assert broken.title == "p02_fake"
    assert broken.sees.startswith("this file is no Python at the moment (invalid syntax")


def test_last_run(fake, home):
    fake({7: "pass"})
    (lesson,) = find_lessons().values()
    assert last_run(lesson) == (None, {})
    for stamp, name, card in (
        (1_700_000_000, "b_older", json.dumps({"status": "ok"})),
        (1_700_000_001, "a_newer", json.dumps({"status": "failed"})),
        (1_700_000_002, "killed_while_it_wrote", '{"status": '),
    ):
        run = home / "logs" / "p07_fake" / name
        run.mkdir(parents=True)
        (run / "run.json").write_text(card)
        os.utime(run / "run.json", (stamp, stamp))
    damaged, card = last_run(lesson)
    assert (damaged.name, card["status"]) == ("killed_while_it_wrote", "damaged")
    assert datetime.fromisoformat(card["started"]).timestamp() == 1_700_000_002
    shutil.rmtree(damaged)
    assert last_run(lesson) == (home / "logs" / "p07_fake" / "a_newer", {"status": "failed"})


@pytest.mark.parametrize("content", ["[1, 2]", "7", '{"status": "ok", "checksum": 1}', "\xff"])
def test_a_card_that_is_none(home, content):
    path = home / "run.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError):
        read_card(path)


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], [1, 2, 3, 5]),
        (["all"], [1, 2, 3, 5]),
        (["3"], [3]),
        (["p03"], [3]),
        (["p03_fake"], [3]),
        (["lessons/p03_fake.py"], [3]),
        (["1-3"], [1, 2, 3]),
        (["5", "1"], [1, 5]),
        (["1,5"], [1, 5]),
        (["1,", "5"], [1, 5]),
    ],
)
def test_selection(fake, words, chosen):
    fake(dict.fromkeys((1, 2, 3, 5), "pass"))
    assert [lesson.number for lesson in select_lessons(words, find_lessons())] == chosen


@pytest.mark.parametrize("word", ["9", "3-9", "1-99999999999", "4", "5-3", "p03_other", "x"])
def test_selection_of_what_does_not_exist(fake, word):
    fake(dict.fromkeys((1, 2, 3, 5), "pass"))
    with pytest.raises(CourseError, match=f"no lesson '{word}'.*p01_fake, p02_fake, p03_fake, p05_fake"):
        select_lessons([word], find_lessons())


@pytest.mark.parametrize(
    ("words", "chosen"), [("0", [0]), ("p00", [0]), ("p00_fake", [0]), ("0-2", [0, 1, 2]), ("2,0", [0, 2])]
)
def test_selection_of_lesson_0(fake, words, chosen):
    fake(dict.fromkeys((0, 1, 2), "pass"))
    assert [lesson.number for lesson in select_lessons([words], find_lessons())] == chosen


@pytest.mark.parametrize("words", ["0", "3", "0-1", "1-3", "1,5", "0,2,3", ""])
def test_words_for_a_selection(fake, words):
    fake(dict.fromkeys((0, 1, 2, 3, 5), "pass"))
    assert words_for(select_lessons([words] if words else [], find_lessons())) == words


@pytest.mark.parametrize(
    ("sees", "look_at", "tabs"),
    [
        ("bars in IMAGES", ["SCALARS     a", "IMAGES      b", "TEXT        note"], ["IMAGES", "SCALARS"]),
        ("PR CURVES, then IMAGES", ["IMAGES      b", "PR CURVES   c"], ["PR CURVES", "IMAGES"]),
        ("sizes in TEXT", ["SCALARS     a", "TEXT        note"], ["TEXT", "SCALARS"]),
        ("nothing", ["TEXT        note"], ["TEXT"]),
        ("a graph in GRAPHS", ["SCALARS     a  b"], ["SCALARS"]),
        ("a graph in GRAPHS", [], []),
    ],
)
def test_tabs_of_a_run(sees, look_at, tabs):
    assert filled_tabs(Lesson(5, Path("p05_x.py"), "title", sees), {"look_at": look_at}) == tabs


def test_each_real_lesson_names_a_tab():
    """It is where ``lessons board 5`` begins while the first run is not over."""
    assert all(named_tabs(lesson) for lesson in find_lessons().values())
