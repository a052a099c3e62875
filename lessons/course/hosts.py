"""Who can reach a server of the course: this machine alone, unless the learner opens it to others."""

import typer

from lessons.course import CourseError
from lessons.course.words import say

LOCAL = "127.0.0.1"  # this machine alone


def checked_host(host: str) -> str:
    """The address at which this machine's own browser reaches a server on ``host``.

    When that is not this machine alone, one line says what it means. CourseError for what is no address of
    this machine.
    """
    import ipaddress
    import socket

    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            address = ipaddress.ip_address(probe.getsockname()[0])
    except (OSError, ValueError, TypeError) as error:  # the last two: not even the form of a name
        reason = getattr(error, "strerror", None) or error
        raise CourseError(
            f"--host {host} is no address of this machine ({reason}): give {LOCAL} for this machine alone, "
            "or 0.0.0.0 for all its addresses"
        ) from error
    if not address.is_loopback:
        typer.echo(say("open to others", host))
    return LOCAL if address.is_unspecified else str(address)
