"""Bad input in a few tries; in full by ``python -m tests.faults``."""

from faults import checkpoints, folders, lines, pictures


def test_pictures_end_in_an_answer_or_a_sentence(tmp_path):
    outcome = pictures.pictures(100, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried > 130 and 50 < outcome.refused < outcome.tried - 50


def test_checkpoints_from_strangers_are_read_or_refused_and_run_nothing(tmp_path):
    outcome = checkpoints.checkpoints(70, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == 70 and 50 < outcome.refused < 65


def test_command_lines_with_something_wrong_end_before_anything_begins(tmp_path):
    outcome = lines.command_lines(60, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == outcome.refused == 60


def test_folders_of_any_make_work_or_are_refused_before_anything_begins(tmp_path):
    outcome = folders.folders(6, 0, tmp_path)
    assert outcome.lost == []
    assert outcome.tried == 6 and 0 < outcome.refused < 6
