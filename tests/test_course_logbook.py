import json
from datetime import datetime

import pytest

from lessons.course import logbook
from lessons.course.logbook import RunWriter, new_run_folder


def read_card(folder):
    return json.loads((folder / "run.json").read_text("utf-8"))


def test_two_runs_in_the_same_second_do_not_mix(home, monkeypatch):
    class Clock(datetime):
        @classmethod
        def now(cls):
            return cls(2030, 1, 2, 3, 4, 5)

    monkeypatch.setattr(logbook, "datetime", Clock)
    folders = [new_run_folder("p00_test") for _ in range(3)]
    assert [folder.name for folder in folders] == [
        "2030-01-02_03-04-05",
        "2030-01-02_03-04-05-2",
        "2030-01-02_03-04-05-3",
    ]
    assert folders[0].parent == home / "logs" / "p00_test"


def test_card_and_what_to_look_at(events, capsys):
    with RunWriter("somewhere/p00_test.py", seed=7, epochs=2) as writer:
        assert read_card(writer.folder)["status"] == "running"
        for step in range(3):
            writer.add_scalar("loss/train", 1 / (step + 1), step)
        writer.add_text("note", "hello")
        writer.result = "loss 0.3"

    card = read_card(writer.folder)
    assert card["status"] == "ok"
    assert card["result"] == "loss 0.3"
    assert card["lesson"] == "p00_test"
    assert card["settings"] == {"seed": "7", "epochs": "2"}
    assert set(card["versions"]) == {"python", "system", "torch", "torchvision", "tensorboard", "numpy"}
    assert card["look_at"] == [
        "SCALARS     loss/train (3 steps)",
        "TEXT        note, reproducibility card",
    ]
    told = capsys.readouterr().out
    assert all(line in told for line in card["look_at"])

    log = events(writer.folder)
    table = log.Tensors("reproducibility card/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| settings | seed 7, epochs 2 |" in table
    assert f"torch {card['versions']['torch']}" in table


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt, "interrupted"), (ValueError, "failed"), (SystemExit, "failed")]
)
def test_a_run_that_breaks_off_keeps_what_it_had(events, error, status):
    with pytest.raises(error), RunWriter("p00_test.py") as writer:
        writer.add_scalar("loss", 1.0, 0)
        raise error
    assert read_card(writer.folder)["status"] == status
    assert [event.value for event in events(writer.folder).Scalars("loss")] == [1.0]
