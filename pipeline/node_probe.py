"""What a node of a cluster is asked before a run, and how it finds out. Everything that travels is of plain types."""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import pickle
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import PipelineError
from pipeline.registry import DISTRIBUTION, make_current_folder_importable
from pipeline.store import Store
from pipeline.texts import byte_size, count

FREE = 10**9
"""Bytes that a node needs for Ray's own files and for downloads."""
GPU_ANSWER = 60.0
"""Seconds in which PyTorch must say how many GPUs it can use."""


class Lack(NamedTuple):
    """Something that a node lacks."""

    what: str
    """In a few words, for a table."""
    remedy: str


class Wanted(NamedTuple):
    """What jobs will need on every node."""

    folder: str
    """The one in which the run was started: paths may be relative to it."""
    places: Sequence[tuple[str, str]] = ()
    """Folders and URLs that all machines share, each with the name of a file that lies there."""
    files: Sequence[tuple[str, int | None]] = ()
    """Paths, with the size of those that parameters name."""
    stages: Sequence[tuple[str, bytes]] = ()
    """Map stages by name, each pickled with a few of its clips."""
    gpus: bool = False
    """Whether any stage wants a GPU."""


def look(wanted: Wanted, key: str, gpus: float) -> tuple[dict[str, str], int, list[Lack]]:
    """What this node says of itself: versions, free bytes, and what it lacks.

    key: the node's, which ends the names of the files that it leaves. gpus: how many Ray thinks it has.
    """
    if Path(wanted.folder).is_dir():
        os.chdir(wanted.folder)
    make_current_folder_importable()
    return versions(), free_bytes(), list(_lacks(wanted, key, gpus))


def versions() -> dict[str, str]:
    """What has to be the same on all machines, by name."""
    installed = {name: importlib.metadata.version(name) for name in (DISTRIBUTION, "ray", "pyarrow")}
    return {"Python": platform.python_version()} | installed | {"source code": _code()}


def free_bytes() -> int:
    """Room for the files that Ray and downloads make."""
    import psutil

    return psutil.disk_usage(tempfile.gettempdir()).free


def _code() -> str:
    """A digest of the source code of the engine, the stages and the network: versions may have the same number."""
    digest = hashlib.blake2b(digest_size=4)
    for package in ("pipeline", *importlib.import_module("stages").CODE):
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _lacks(wanted: Wanted, key: str, gpus: float) -> Iterator[Lack]:
    if free_bytes() < FREE:
        yield Lack("disk full", f"make room in {tempfile.gettempdir()}: {byte_size(FREE)} are needed")
    for url, probe in wanted.places:
        yield from _place(url, probe, key)
    yield from _files(wanted.files)
    for name, pickled in wanted.stages:
        yield from _stage(name, pickled)
    if wanted.gpus and gpus:
        yield from _gpus(gpus)


def not_shared(url: str) -> Lack:
    remedy = f"{url} must be the same folder on all machines: mount it there, or choose another folder or a URL"
    return Lack(f"other {url}", remedy)


def _place(url: str, probe: str, key: str) -> Iterator[Lack]:
    """See the file of the process that asks, and leave one for it."""
    try:
        store = Store(url)
        if store.has_arrived(f"{store.root}/{probe}"):
            store.filesystem.pipe_file(f"{store.root}/{probe}.{key}", b"seen")
        else:
            yield not_shared(url)
    except Exception as error:  # of clouds' libraries, too
        yield Lack(f"no access to {url}", f"let all machines read and write {url}: {error}")


def _files(files: Sequence[tuple[str, int | None]]) -> Iterator[Lack]:
    unreadable = [path for path, _ in files if not os.access(path, os.R_OK)]
    other = [path for path, size in files if size is not None and path not in unreadable and _size(path) != size]
    if unreadable:
        yield Lack(f"{count(len(unreadable), 'file')} not there", f"{unreadable[0]} must be readable on all machines")
    if other:
        yield Lack(f"{count(len(other), 'other file')}", f"{other[0]} must be the same file on all machines")


def _size(path: str) -> int:
    return Path(path).stat().st_size


def _stage(name: str, pickled: bytes) -> Iterator[Lack]:
    """What a stage says about its weights and packages here."""
    try:
        stage, clips = pickle.loads(pickled)
        texts = [problem.text for problem in stage.prepare(clips, False) if problem.fatal]
    except PipelineError as error:
        texts = [str(error)]
    except ImportError as error:
        texts = [f"{error}: install it on all machines, or put its module beside the manifest"]
    except Exception as error:  # of a plug-in
        texts = [f"{type(error).__name__}: {error}"]
    yield from (Lack(f"{name} cannot work", f"{name}: {text}") for text in texts)


def _gpus(gpus: float) -> Iterator[Lack]:
    """Ask PyTorch in a process of its own: this one is shown no GPU, and should not become large."""
    module, _, function = importlib.import_module("stages").USABLE_GPUS.partition(":")
    code = f"from {module} import {function}; print({function}())"
    environment = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    command = [sys.executable, "-c", code]
    try:
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=GPU_ANSWER)
        usable = int(run.stdout.split()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        usable = 0
    if usable < gpus:
        remedy = "install the GPU's driver and a PyTorch that fits it, or start Ray there with --num-gpus"
        yield Lack(f"PyTorch can use {usable} of {gpus:g} GPUs", f"{remedy} {usable}")
