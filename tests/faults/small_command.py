"""The ``lessons`` command with small lessons and servers that end at once: ``<this file> PICTURES WORD ...``.

A script of its own: it starts under any options of Python, also those that pass ``PYTHONPATH`` over.
"""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS)]


def main(pictures: Path, words: list[str]) -> None:
    """Ends the process as the command does."""
    if words[:1] == ["run"]:
        import pytest
        from quick_lessons import make_quick

        make_quick(pytest.MonkeyPatch(), pictures)
    from lessons.__main__ import main
    from lessons.course import interrupt

    interrupt.wait_for_ctrl_c = lambda: None  # before the servers import it

    sys.argv = ["lessons", *words]
    main()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
