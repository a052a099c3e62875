"""Draws the figures of the notes: ``lessons/notes/figures/{en,zh}/pNN_name.svg``.

    python lessons/notes/make_figures.py

Each lesson's figure has a file of its own in ``lessons/notes/drawing/``, which is found by its name. What a
figure says of a lesson is the lesson's own, imported and computed; the exceptions are curves of trainings,
stored in ``drawing/p05_loss_optim.py`` and ``drawing/p08_train.py``. The same command writes the same bytes,
and a test compares them with the files, so a lesson that changes takes its figure along.
"""

from importlib import import_module

from lessons.course.notes import LANGUAGES, NOTES

FIGURES = NOTES / "figures"


def figures() -> dict[str, str]:
    """Every figure as SVG, by its path below ``lessons/notes/figures/``."""
    found = {}
    for path in sorted((NOTES / "drawing").glob("p[0-9][0-9]_*.py")):
        lesson = import_module(f"lessons.notes.drawing.{path.stem}")
        for number, language in enumerate(LANGUAGES):
            words = {name: translations[number] for name, translations in lesson.WORDS.items()}
            found[f"{language}/{path.stem}.svg"] = lesson.figure(words).svg()
    return found


def main() -> None:
    for name, svg in figures().items():
        path = FIGURES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(svg.encode())  # bytes: Windows would write other line ends
        print(f"{path}  {len(svg.encode()) / 1000:.1f} kB")


if __name__ == "__main__":
    main()
