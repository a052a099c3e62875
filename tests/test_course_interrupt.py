import signal

import pytest

from lessons.course.interrupt import CtrlC


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
