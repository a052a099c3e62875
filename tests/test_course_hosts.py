"""Who can reach ``lessons board`` and ``lessons read``."""

import os
import re
import socket
import subprocess
import sys

import pytest

from lessons.course import CourseError, hosts
from lessons.course.notes import LANGUAGES


def test_this_machine_alone_needs_no_words(capsys):
    assert [hosts.checked_host(host) for host in ("127.0.0.1", "localhost")] == ["127.0.0.1"] * 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("host", ["0.0.0.0", ""], ids=["0.0.0.0", "empty"])
def test_what_lets_others_in_is_said(host, lang, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_LANG", lang)
    assert hosts.checked_host(host) == "127.0.0.1", "where a browser here finds it"
    said = capsys.readouterr().out
    assert f"--host {host}" in said and ("over the network" in said) == (lang == "en")


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "::1", "a\0b", "a" * 300, "1.2.3.4.5"])
@pytest.mark.parametrize("command", ["board", "read"])
def test_what_is_no_address_of_this_machine(command, host, lessons_command, capsys):
    assert lessons_command(command, "--host", host) == 2
    assert "no address of this machine" in capsys.readouterr().err
    with pytest.raises(CourseError):
        hosts.checked_host(host)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, 127.0.0.2 is no address of the machine")
@pytest.mark.parametrize("host", [None, "0.0.0.0"])
@pytest.mark.parametrize("command", [["board"], ["read", "--no-browser"]], ids=["board", "read"])
def test_who_is_answered(command, host, home):
    """127.0.0.2 stands for another machine: a server that listens to 127.0.0.1 alone does not hear it."""
    words = [*command, "--port", "0", *(["--host", host] if host else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", "lessons.course.cli", *words],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    )
    said = ""
    try:
        while not (address := re.search(r"http://127\.0\.0\.1:(\d+)/", said)):
            line = process.stdout.readline()
            assert line, said
            said += line
        assert ("whoever can reach this machine" in said) == (host is not None)
        socket.create_connection(("127.0.0.1", int(address[1])), timeout=30).close()
        if host:
            socket.create_connection(("127.0.0.2", int(address[1])), timeout=30).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", int(address[1])), timeout=30)
    finally:
        process.kill()
        process.communicate()
