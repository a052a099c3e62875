"""Bad input in a few tries; in full by ``python -m tests.faults``."""

from faults import checkpoints, pictures


def test_pictures_end_in_an_answer_or_a_sentence(tmp_path):
    outcome = pictures.pictures(100, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried > 130 and 50 < outcome.refused < outcome.tried - 50


def test_checkpoints_from_strangers_are_read_or_refused_and_run_nothing(tmp_path):
    outcome = checkpoints.checkpoints(70, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == 70 and 50 < outcome.refused < 65
