"""Charts of classes that other people have named."""

import warnings

import pytest
import torch

from lessons.course import charts
from lessons.course.logbook import RunWriter

ODD_NAMES = ["$1_$5", "$5_$10", "a\\b{", "%s", "x^2"]  # price classes: to matplotlib, a formula between two $


@pytest.mark.parametrize(
    "draw",
    [
        lambda names: charts.confusion_chart(torch.eye(len(names), dtype=torch.long), names),
        lambda names: charts.captioned_chart(torch.rand(len(names), 3, 32, 32), names),
    ],
    ids=["confusion", "captions"],
)
def test_a_dollar_sign_is_a_dollar_sign(draw, tmp_path):
    figure = draw(ODD_NAMES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(tmp_path / "chart.png")
    written = {text.get_text() for axes in figure.axes for text in (*axes.get_yticklabels(), axes.title)}
    assert written >= set(ODD_NAMES)


def test_a_confusion_chart_of_many_classes_stays_small(monkeypatch):
    """1,000 names and a million numbers would make 45,000 x 45,000 pixels."""
    monkeypatch.setattr("matplotlib.axes.Axes.text", None)  # a million of them would take minutes
    figure = charts.confusion_chart(torch.eye(1000, dtype=torch.long), [f"class {n}" for n in range(1000)])
    assert max(figure.get_size_inches()) < 20
    assert figure.axes[0].images[0].get_array().shape == (1000, 1000)


def test_characters_without_a_font_are_mentioned_once(monkeypatch, capsys):
    monkeypatch.setitem(charts.AS_WRITTEN, "fontfamily", ["DejaVu Sans"])  # has no Chinese characters
    with warnings.catch_warnings(), RunWriter("p00_test.py") as writer:
        warnings.simplefilter("error")
        for names in (["cat"], ["猫 咪", "狗"], ["鸟"]):
            writer.add_figure(names[0], charts.captioned_chart(torch.rand(len(names), 3, 32, 32), names))
            assert capsys.readouterr().out.count("boxes stand for") == (names == ["猫 咪", "狗"])
