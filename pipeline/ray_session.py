"""Ray as this project starts it: quiet, small, and on this machine unless there is a cluster to connect to."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import StageError

OBJECT_STORE_BYTES = 200 * 1024 * 1024
"""Only keys and rows of the index travel through Ray."""


def start_ray(address: str | None = None) -> bool:
    """Start Ray on this machine, or connect to the cluster at ``address``; False where this process has it already.

    Raises StageError where Ray does not start.
    """
    # Ray would otherwise rebuild the environment of "uv run" for every worker.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # A worker that has asked for no GPU must see none, or all of them would take the first.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    # A dead worker is reported by the schedule, in plain words; Ray's own messages stay out of the display.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    import ray

    if ray.is_initialized():
        return False
    local = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    options = {"address": address} if address else {"address": "local"} | local
    on_termination = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**options, log_to_driver=False, logging_level="ERROR", configure_logging=True)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_termination)  # Ray's own would end the program without a word
    except Exception as error:
        where = f"the cluster at {address}" if address else "on this machine"
        raise StageError(
            f"Ray does not start {where}: {error} (--executor local and data_parallel: 1 do without)"
        ) from error
    return True


@contextmanager
def ray_session() -> Iterator[None]:
    """Ray runs inside the block, and ends with it if it was started for it."""
    started = start_ray()
    import ray

    try:
        yield
    finally:
        if started:
            ray.shutdown()
