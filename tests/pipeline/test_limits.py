import subprocess
import sys
import time

import pytest

from pipeline.limits import time_limit, without_limit


def test_slow_python_is_interrupted() -> None:
    with pytest.raises(TimeoutError, match=r"took longer than 0\.05 s"), time_limit(0.05):
        time.sleep(5)


def test_quick_work_is_left_alone() -> None:
    with time_limit(0.05):
        pass
    time.sleep(0.1)


def test_an_inner_limit_does_not_suspend_the_outer_one() -> None:
    with pytest.raises(TimeoutError, match=r"0\.2 s"), time_limit(0.2):
        with time_limit(5):
            pass
        time.sleep(5)


def test_what_does_not_count_suspends_a_limit() -> None:
    with pytest.raises(TimeoutError, match=r"0\.3 s"), time_limit(0.3):
        with without_limit():
            time.sleep(0.5)
        time.sleep(5)
    with without_limit():
        pass


def test_native_code_that_hangs_ends_the_worker() -> None:
    """With signals blocked, as in native code that never returns to Python, only the watchdog thread can end it."""
    code = """
import signal, time
import pipeline.limits as limits
limits.GRACE = 0.2
limits.allow_hard_exit()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
with limits.time_limit(0.2):
    time.sleep(30)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert "Timeout" in done.stderr
