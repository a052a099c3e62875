"""Damaged checkpoints: torch.load takes a flipped bit for a weight, and the course does not."""

import zipfile

import pytest
import torch

from lessons.course import CourseError
from lessons.course.checkpoints import check_whole, opened_safely, what_is_in
from lessons.tudui import Tudui


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "tudui.pth"
    torch.save({"model": Tudui().state_dict(), "epoch": 3}, path)
    return path


def test_a_flipped_bit_in_a_weight_is_noticed(saved):
    content = bytearray(saved.read_bytes())
    check_whole(saved)
    content[len(content) // 2] ^= 1
    saved.write_bytes(content)
    torch.load(saved)  # says nothing: this is why
    with pytest.raises(zipfile.BadZipFile, match=r"data/\d+ has changed"):
        check_whole(saved)
    assert what_is_in(saved) == "it is cut short or damaged: copy or save it again"
    with pytest.raises(CourseError, match="it is cut short or damaged"), opened_safely(saved):
        torch.load(saved)


def test_other_files_are_left_to_torch_load(saved, tmp_path):
    old = tmp_path / "old.pth"
    torch.save(torch.load(saved), old, _use_new_zipfile_serialization=False)
    (tmp_path / "text.pth").write_text("PK is not all")
    compressed = tmp_path / "compressed.pth"
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.pkl", bytes(10**6))
    compressed.write_bytes(compressed.read_bytes().replace(bytes(20), bytes(19) + b"x"))  # nobody unpacks it
    for name in ("old", "text", "compressed"):
        check_whole(tmp_path / f"{name}.pth")


def test_an_archive_with_a_name_that_is_none(saved):
    saved.write_bytes(saved.read_bytes().replace(b"tudui/", b"tud\x9di/"))
    assert what_is_in(saved) == "it is cut short or damaged: copy or save it again"
