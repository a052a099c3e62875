"""The ``lessons`` command, also as ``python -m lessons``."""

from lessons.course.interrupt import at_once


def main() -> None:
    """Entry point; what it does is in ``lessons.course.cli``."""
    with at_once():
        from lessons.course import cli
    cli.main()


if __name__ == "__main__":
    main()
