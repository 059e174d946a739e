"""Starts Ray without its log output and with little memory, on this machine unless an address of a cluster is given."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import StageError

OBJECT_STORE_BYTES = 200 * 1024 * 1024
"""Only keys and rows of the index travel through Ray."""

ANSWER = 10.0
"""Seconds in which a cluster must answer."""


def start_ray(address: str | None = None, modules: Sequence[str] = ()) -> bool:
    """Start Ray on this machine, or connect to the cluster at ``address``; False if this process has already done so.

    modules: files and folders of modules that a cluster's machines get, for as long as this process is connected.

    Raises StageError if Ray does not start.
    """
    # Otherwise, Ray would rebuild the environment of "uv run" for every worker.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # A worker without a GPU must see none, or all of them would use the first.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "1")
    # The schedule reports dead workers; Ray's own messages would disturb the progress display.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
    if address and "ray" not in sys.modules and _has_token():  # Ray reads this as it is imported
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # its head uses a token that is there; this would not
    import ray

    if ray.is_initialized():
        return False
    local = {"object_store_memory": OBJECT_STORE_BYTES, "include_dashboard": False}
    travels: dict[str, Any] = {"runtime_env": {"py_modules": list(modules)}} if modules else {}
    options = {"address": address} | travels if address else {"address": "local"} | local
    on_termination = signal.getsignal(signal.SIGTERM)
    if address:
        _check_reachable(address)
    try:
        ray.init(**options, log_to_driver=False, logging_level="ERROR", configure_logging=True)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_termination)  # Ray's own would end the program without a message
    except (Exception, SystemExit) as error:  # Ray itself exits where a cluster does not answer
        if address:
            raise StageError(f"cannot use the Ray cluster at {address}: {_refusal(error)}") from error
        raise StageError(
            f"Ray does not start on this machine: {error} (--executor local and data_parallel: 1 work without Ray)"
        ) from error
    return True


def queue_here() -> Any:
    """A queue of Ray on this machine, so that it survives when other machines are lost."""
    import ray
    from ray.util.queue import Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    return Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})


def _refusal(error: BaseException) -> str:
    """Why a cluster did not let this process in, and what to do."""
    text = " ".join(str(error).split())
    if "Version mismatch" in text:
        return f"{text}. Install the same Python and the same Ray on all machines, this one included"
    cause: BaseException | None = error
    while cause is not None and "InvalidAuthToken" not in str(cause):
        cause = cause.__cause__ or cause.__context__
    if cause is not None:
        return (
            "it asks for a token. Copy ~/.ray/auth_token from its head to this machine and to all others, and set "
            "RAY_AUTH_MODE=token for each ray start --address"
        )
    return text


def _has_token() -> bool:
    """Whether there is a token for clusters that ask for one. To all others, it does no harm."""
    given = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(given) or Path("~/.ray/auth_token").expanduser().is_file()


def _check_reachable(address: str) -> None:
    """Raises StageError at once where nothing answers at HOST:PORT, for which Ray would wait a minute and more."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return  # such as "auto"
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER).close()
    except OSError as error:
        raise StageError(
            f"nothing answers at the Ray address {address}: {error.strerror or error}. Start the cluster (ray start "
            "--head), and give the address that this printed, HOST:6379, or ray://HOST:10001 from outside of it"
        ) from error


@contextmanager
def ray_session(address: str | None = None, modules: Sequence[str] = ()) -> Iterator[None]:
    """Ray runs inside the block. If it was started or connected to for the block, that is ended."""
    started = start_ray(address, modules)
    import ray

    try:
        yield
    finally:
        if started:
            ray.shutdown()
