"""Published weights: downloaded once into torch's hub cache, and checked against the hash in their names."""

import re
import socket
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlparse

from pipeline.errors import StageError

CONNECTION_SECONDS = 5.0


class Published(NamedTuple):
    """Weights that can be downloaded."""

    url: str
    """The file's name holds the first 8 hex digits of its sha256."""
    megabytes: float
    """About; for people."""

    @property
    def hash(self) -> str:
        """The beginning of the file's sha256. Raises ValueError if the name holds none."""
        found = re.search(r"-([0-9a-f]{8})[_.]", self.url.rpartition("/")[2])
        if found is None:
            raise ValueError(f"{self.url} has no hash in its name")
        return found[1]

    @property
    def path(self) -> Path:
        """Where the file is kept once it has been downloaded."""
        import torch

        return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(self.url).path).name


def fetch(published: Published, option: str) -> Path:
    """The file, downloaded unless it is there.

    Raises StageError if it cannot be downloaded or has another hash. The message names ``option``, the parameter that
    takes a local path instead.
    """
    url, path = published.url, published.path
    if path.is_file():
        return path
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    print(f"downloading {path.name}, {published.megabytes:.0f} MB", file=sys.stderr, flush=True)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=published.hash, progress=False)
    except (URLError, OSError) as error:
        raise StageError(unavailable(published, option, str(error))) from error
    except RuntimeError as error:  # the hash differs
        raise StageError(f"{url} arrived damaged or was replaced: {error}. Try again, or give {option}") from error
    return path


def unavailable(published: Published, option: str, reason: str) -> str:
    """What to say of weights that cannot be downloaded, and the remedy."""
    return (
        f"could not download {published.url} ({published.megabytes:.0f} MB): {reason}. Without a network, copy that "
        f"file to {published.path}, or give its path as {option}"
    )


def why_unreachable(published: Published) -> str | None:
    """Why the file's server cannot be reached from here, or None if it can. Downloads nothing."""
    address = urlparse(published.url)
    try:
        socket.create_connection((address.hostname, address.port or 443), CONNECTION_SECONDS).close()
    except OSError as error:
        return str(error)
    return None
