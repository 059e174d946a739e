"""Published weights, fetched once into torch's hub cache and checked against the hash in their names."""

import re
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

import torch

from pipeline.errors import StageError


def fetch(url: str, option: str) -> Path:
    """The file at ``url``, downloaded unless the cache has it.

    Raises StageError where it cannot be had or its sha256 does not begin with the 8 hex digits of its name; the text
    names ``option``, the parameter that takes a local path instead.
    """
    name = Path(urlparse(url).path).name
    found = re.search(r"-([0-9a-f]{8})[_.]", name)
    if found is None:
        raise ValueError(f"{name} carries no hash")
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
