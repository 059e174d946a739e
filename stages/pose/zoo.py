"""Published weights: downloaded once into torch's hub cache, and checked against the hash in their names."""

import re
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch

from pipeline.errors import StageError


def fetch(url: str, option: str) -> Path:
    """The file at ``url``, whose name holds the first 8 hex digits of its sha256; downloaded unless the cache has it.

    Raises StageError if it cannot be downloaded or has another hash. The message names ``option``, the parameter that
    takes a local path instead.
    """
    name = Path(urlparse(url).path).name
    found = re.search(r"-([0-9a-f]{8})[_.]", name)
    if found is None:
        raise ValueError(f"{name} has no hash in its name")
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=found[1], progress=False)
        except (URLError, OSError) as error:
            raise StageError(
                f"could not download {url}: {error}. Without a network, copy that file to {path}, "
                f"or give its path as {option}"
            ) from error
        except RuntimeError as error:  # the hash differs
            raise StageError(f"{url} arrived damaged or was replaced: {error}. Try again, or give {option}") from error
    return path
