"""Who writes a file: a part of its name, by which others can tell whether its writer is still alive.

A process number means something only on the machine, and in the container, that gave it. Two containers may have the
same host name, and the same store. So a writer's name says where its number counts. Where it does not, which includes
other machines, all that can be seen is how long ago the writer was last heard of.
"""

import functools
import hashlib
import os
import socket
import time
import uuid
from pathlib import Path

SILENCE = 24 * 3600.0
"""Seconds without a word after which a writer that cannot be asked is taken for dead: longer than clips take, than
clocks of machines differ, and than a network is down."""


def writer_name() -> str:
    """A name for this process that nothing else has: ``PLACE@PID.RANDOM``."""
    return f"{_place()}@{os.getpid()}.{uuid.uuid4().hex[:8]}"


def is_alive(name: str, heard: float) -> bool:
    """Whether the process by which a file is named may still be running.

    name: the file's, which ends with the writer's. heard: when that was last heard of, in seconds since 1970.
    """
    place, _, rest = name.rpartition("@")
    pid = rest.partition(".")[0]
    if pid.isdigit() and f".{place}".endswith(f".{_place()}"):
        return _is_running(int(pid), heard)
    return time.time() - heard < SILENCE


@functools.cache
def _place() -> str:
    """Host name and, where Linux tells, a hash of what distinguishes containers: the start of the system, and the
    namespace that gives out the process numbers."""
    try:
        system = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = f"{system} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115, it is no path
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}-{hashlib.blake2b(space.encode(), digest_size=4).hexdigest()}"


def _is_running(pid: int, heard: float) -> bool:
    """Whether the process is still running. Its number may have been given to another one."""
    import psutil

    try:
        process = psutil.Process(pid)
        # Killed, but not yet waited for by its parent: it still has its number, but no longer writes.
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        # Start times of processes and times of files may come from slightly different clocks.
        return process.create_time() < heard + 60
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
