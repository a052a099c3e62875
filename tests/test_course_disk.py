"""A disk that is full, and a course folder that cannot be written: one sentence, and nothing lost."""

import errno
import json
import sys
import threading

import pytest

from lessons.course import CourseError, datasets, disk, site

# A lesson under a limit to the size of a file: Linux then refuses to write on, as on a full disk
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from lessons.course.cli import main
main()
"""

no_limits = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit to the size of a file")


@no_limits
def test_full_disk_in_the_middle_of_a_training(run_script, small_pictures, tmp_path):
    """A checkpoint of lesson 9 takes 1.2 MB; half of one, 0.6 MB, is written before the training."""
    words = ["run", "9", "--dataset", small_pictures, "--epochs", "2", "--batch-size", "50"]
    done = run_script("-c", LIMITED, 800_000, *words, LESSONS_HOME=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.count("Error: no room is left for") == 1
    assert "Traceback" not in done.stderr
    assert not [*tmp_path.rglob("*.tmp"), *tmp_path.rglob(".run.json*")]
    (card,) = tmp_path.glob("logs/*/*/run.json")
    assert json.loads(card.read_text("utf-8"))["status"] == "failed"


@no_limits
def test_full_disk_while_drawing_and_while_logging(run_script, tmp_path):
    done = run_script("-c", LIMITED, 1_000_000, "run", "1", LESSONS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert not list((tmp_path / "data").iterdir())  # no half data set
    done = run_script("-c", LIMITED, 4_000, "run", "4", LESSONS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr


@pytest.mark.parametrize("words", [["run", "1"], ["board", "1"], ["download", "cifar10"]], ids=" ".join)
def test_course_folder_that_is_a_file(words, lessons_command, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / "file"))
    assert lessons_command(*words) == 2
    assert "cannot be written (Not a directory): set LESSONS_HOME" in capsys.readouterr().err


@pytest.mark.parametrize("variable", ["LESSONS_HOME", "TORCH_HOME"])
@pytest.mark.parametrize("name", ["~nobody-of-this-name/x", "round"])
def test_a_name_of_no_folder(name, variable, lessons_command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "round").symlink_to("round")
    monkeypatch.setenv(variable, name)
    code, said = lessons_command("download", "vgg16"), capsys.readouterr().err
    assert code == 2 and said.startswith("Error: ") and said.count("\n") == 1


def test_a_name_of_bytes_that_are_no_characters(lessons_command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LESSONS_HOME", f"{tmp_path}/caf\udce9")
    assert lessons_command("run", "1") == 2
    assert "PYTHONUTF8=1" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["file", "file/below"])
def test_doctor_finds_a_folder_that_cannot_be_written(home, lessons_command, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("LESSONS_HOME", str(tmp_path / home))
    assert lessons_command("doctor") == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "LESSONS_HOME" in line]
    assert line.startswith("fix") and "Not a directory" in line


def refusal(number: int, name: str) -> OSError:
    return OSError(number, "no", name)


def test_which_errors_are_the_disks(home):
    below, beside = str(home / "logs" / "run"), str(home.parent / "photo.png")
    assert "no room" in disk.refused(refusal(errno.ENOSPC, beside))
    assert "LESSONS_HOME" in disk.refused(refusal(errno.EROFS, below))
    for error in (
        refusal(errno.EACCES, beside),  # somebody's picture
        refusal(errno.ENOENT, below),  # a file that a learner's change has forgotten to write
        RuntimeError("[enforce fail at inline_container.cc:672]"),  # with room on the disk
        KeyError("x"),
    ):
        assert disk.refused(error) is None
    round_again = ValueError("x")
    round_again.__cause__ = KeyError("y")
    round_again.__cause__.__context__ = round_again
    assert disk.refused(round_again) is None
    wrapped = RuntimeError("unexpected pos")
    wrapped.__context__ = refusal(errno.ENOSPC, below)
    assert "no room" in disk.refused(wrapped)


def test_pytorch_writer_on_a_full_disk(home, monkeypatch):
    monkeypatch.setattr(disk, "free_bytes", lambda path: 1000)
    assert "no room" in disk.refused(RuntimeError("[enforce fail at inline_container.cc:672]"))


def test_only_refusals_of_threads_are_kept_quiet(monkeypatch):
    printed = []
    monkeypatch.setattr(threading, "excepthook", lambda arguments: printed.append(arguments.exc_value))

    def fail_in_a_thread(error):
        def fail():
            raise error

        thread = threading.Thread(target=fail)
        thread.start()
        thread.join()

    other, refusals = CourseError("something else"), [refusal(errno.ENOSPC, "x") for _ in range(2)]
    with disk.said_once():
        fail_in_a_thread(refusals[0])
        fail_in_a_thread(other)
    fail_in_a_thread(refusals[1])  # nobody else says this one
    assert printed == [other, refusals[1]]


def test_full_disk_while_downloading(home, monkeypatch):
    def no_room(urls, path, md5):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(datasets, "fetch", no_room)
    with pytest.raises(CourseError, match="no room is left for"):
        datasets.CIFAR10(home / "empty", download=True)


@no_limits
def test_full_disk_in_the_practice(run_script, tmp_path):
    """Neither half an exercise nor half a progress; what was there stays."""
    home = {"LESSONS_HOME": str(tmp_path)}
    done = run_script("-c", LIMITED, 10**6, "practice", **home)
    assert done.returncode == 0, done.stderr
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept
    for words in (["reset", "1.1", "--yes"], ["solution", "1.2", "--give-up"]):
        done = run_script("-c", LIMITED, 40, "practice", *words, **home)
        assert done.returncode == 2 and done.stderr.count("Error: no room is left for") == 1, done.stderr
    left = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(left.values()) == sorted(kept.values())  # the file of 1.1 may have been moved aside


@no_limits
def test_full_disk_while_the_site_is_written(tmp_path, monkeypatch):
    import resource

    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)

    def build(place, site):
        site.mkdir()
        (site / "index.html").write_bytes(bytes(200_000))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited[1]))

    monkeypatch.setattr(site, "build", build)
    try:
        with pytest.raises(OSError, match="File too large"):
            site.write_site(tmp_path / "site")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    monkeypatch.setattr(site, "build", lambda place, whole: (whole.mkdir(), (whole / "index.html").touch()))
    site.write_site(tmp_path / "site")  # there is room again: it is made anew
    assert (tmp_path / "site" / "index.html").stat().st_size == 0
