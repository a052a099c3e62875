import signal
import threading

import pytest

from lessons.course.interrupt import CtrlC, at_once


def press():
    signal.raise_signal(signal.SIGINT)


def test_the_first_ctrl_c_is_noted_and_raised_at_the_end():
    usual, went_on = signal.getsignal(signal.SIGINT), False
    with pytest.raises(KeyboardInterrupt), CtrlC() as ctrl_c:
        press()
        assert ctrl_c.pressed
        went_on = True
    assert went_on
    assert signal.getsignal(signal.SIGINT) is usual


def test_a_second_ctrl_c_breaks_off_at_once():
    usual, went_on = signal.getsignal(signal.SIGINT), False
    with pytest.raises(KeyboardInterrupt), CtrlC():
        press()
        press()
        went_on = True
    assert not went_on
    assert signal.getsignal(signal.SIGINT) is usual


def test_without_ctrl_c_nothing_happens():
    usual = signal.getsignal(signal.SIGINT)
    with CtrlC() as ctrl_c:
        pass
    assert not ctrl_c.pressed
    assert signal.getsignal(signal.SIGINT) is usual


def test_another_error_is_not_hidden():
    with pytest.raises(ValueError, match="mine"), CtrlC():
        press()
        raise ValueError("mine")


SLOW_IMPORT = """
import signal
from lessons.course.interrupt import at_once
with at_once():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        pass  # as C code does in the middle of an import
    print("half made")
"""


def test_ctrl_c_in_an_import_ends_at_once(run_script):
    done = run_script("-c", SLOW_IMPORT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped.\n")


def test_the_usual_ctrl_c_comes_back_after_an_import():
    usual = signal.getsignal(signal.SIGINT)
    with at_once():
        assert signal.getsignal(signal.SIGINT) is not usual
    assert signal.getsignal(signal.SIGINT) is usual


def test_imports_in_a_thread_set_no_handler():
    done = []

    def work():
        with at_once():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done


def test_in_a_thread_it_lets_the_block_run():
    """A notebook's own thread, say: Ctrl-C reaches the main thread alone, and no handler can be set here."""
    went_on = []

    def work():
        with CtrlC() as ctrl_c:
            went_on.append(ctrl_c.pressed)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert went_on == [False]
