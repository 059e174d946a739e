"""Time limits inside a worker: a soft one that raises, and a hard one that ends a process that hangs in native code."""

import faulthandler
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

GRACE = 5.0
"""Seconds between the soft limit and the hard one."""

_hard_exit = False


def allow_hard_exit() -> None:
    """Called by worker processes, which may be ended, but not by the process that a person started."""
    global _hard_exit
    _hard_exit = True


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in the block after ``seconds``.

    Python code is interrupted by SIGALRM. If native code does not return within ``GRACE`` after that, faulthandler's
    watchdog thread ends the whole process; the engine then finds out which clip it hung on (see ``pipeline.jobs``).
    Limits nest: inside an inner limit, the outer one still applies. Signals reach only the main thread, so in other
    threads the block runs without a limit.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expire(signum: int, frame: object) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    started = time.monotonic()
    outer = signal.getitimer(signal.ITIMER_REAL)[0]
    previous = signal.signal(signal.SIGALRM, expire)
    _arm(min(seconds, outer) if outer else seconds)
    try:
        yield
    finally:
        _arm(0)
        signal.signal(signal.SIGALRM, previous)
        if outer:
            _arm(max(outer - (time.monotonic() - started), 0.001))


@contextmanager
def without_limit() -> Iterator[None]:
    """What takes place in the block does not count for the limits around it."""
    is_main = threading.current_thread() is threading.main_thread()
    left = signal.getitimer(signal.ITIMER_REAL)[0] if is_main else 0
    if not left:
        yield
        return
    _arm(0)
    try:
        yield
    finally:
        _arm(left)


def _arm(seconds: float) -> None:
    """Start both alarms; 0 stops them."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if _hard_exit and seconds:
        faulthandler.dump_traceback_later(seconds + GRACE, exit=True, file=2)  # sys.stderr may be closed
    elif _hard_exit:
        faulthandler.cancel_dump_traceback_later()
