"""The ``lessons`` command, also as ``python -m lessons``."""

import signal

from lessons.course.interrupt import at_once


def main() -> None:
    """Entry point; what it does is in ``lessons.course.cli``."""
    with at_once():
        from lessons.course import cli
    try:
        cli.main()
    finally:  # all has been said: Ctrl-C while Python clears up just ends it
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
