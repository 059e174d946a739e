"""Writing files so that at any moment there is either the old file or the whole new one."""

import os
from pathlib import Path


def write_atomic(path: Path, content: bytes) -> None:
    """Write under a temporary name, bring it to the disk, then rename; makes the folder if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
