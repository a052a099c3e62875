"""Bad input in a few tries; in full by ``python -m tests.faults``."""

from faults import pictures


def test_pictures_end_in_an_answer_or_a_sentence(tmp_path):
    outcome = pictures.pictures(100, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried > 130 and 50 < outcome.refused < outcome.tried - 50
