"""Which page in which language, where it is shown, and what becomes of its formulas there."""

import json
import sys

import pytest

from lessons.course import cli
from lessons.course.logbook import RunWriter
from lessons.course.notes import language, page_path, plain_formulas, plain_page


@pytest.fixture
def locale(monkeypatch):
    """``locale(LANG="zh_CN.UTF-8")``: the system's language, and nothing else that says one."""

    def set_locale(**variables: str) -> None:
        for name in ("LESSONS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_locale


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_US.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LESSONS_LANG": "en"}, "en"),
        ({"LANG": "en_US.UTF-8", "LESSONS_LANG": "zh"}, "zh"),
        ({"LANG": "zh_TW", "LESSONS_LANG": "klingon"}, "zh"),
    ],
)
def test_language(locale, variables, expected):
    locale(**variables)
    assert language() == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"$2p = k - 1$", "`2p = k - 1`"),
        (r"$$\left\lfloor \frac{n - 1}{s} \right\rfloor + 1$$", "`⌊ (n - 1) / (s) ⌋ + 1`"),
        (r"$w \leftarrow w - \eta \frac{\partial L}{\partial w}$", "`w ← w - η (∂ L) / (∂ w)`"),
        (r"$10^6 \text{ bytes}$", "`10^6 bytes`"),
        ("```sh\necho $HOME $PATH\n```", "```sh\necho $HOME $PATH\n```"),
    ],
)
def test_formulas_as_plain_text(formula, expected):
    assert plain_formulas(formula) == expected


def test_a_page_without_pictures_and_folds():
    page = "![a cat](cat.png) [next](../zh/p03.md) [far](https://x.org)\n\n<details><summary>Why?</summary>\n\nBecause.\n\n</details>\n"
    assert plain_page(page).split() == ["*a", "cat*", "next", "[far](https://x.org)", "**Why?**", "Because."]


@pytest.mark.parametrize(("lang", "title"), [("en", "Conv2d: a kernel slides"), ("zh", "Conv2d：卷积核在")])
def test_the_command_speaks_the_language(lang, title, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_LANG", lang)
    monkeypatch.setattr(cli.console, "width", 200)
    for words in ([], ["notes", "2"]):
        monkeypatch.setattr(sys, "argv", ["lessons", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        assert not end.value.code
        assert title in capsys.readouterr().out


@pytest.mark.parametrize("words", [["notes", "2", "--lang", "fr"], ["notes", "99"]])
def test_notes_that_do_not_exist(words, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lessons", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("Error: there ")


@pytest.mark.parametrize(("lang", "heading"), [("en", "## The idea"), ("zh", "## 核心想法")])
def test_the_note_goes_into_the_text_tab(lang, heading, monkeypatch, events, capsys):
    monkeypatch.setenv("LESSONS_LANG", lang)
    with RunWriter("p02_conv2d.py") as writer:
        pass
    text = events(writer.folder).Tensors("note/text_summary")[0].tensor_proto.string_val[0].decode("utf-8")
    assert text == plain_page(page_path("p02_conv2d", lang).read_text("utf-8"))
    assert heading in text
    assert json.loads((writer.folder / "run.json").read_text("utf-8"))["look_at"] == [
        "TEXT        note, reproducibility card"
    ]
    assert ("里 p02_conv2d/" in capsys.readouterr().out) == (lang == "zh")
