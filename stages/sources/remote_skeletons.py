"""Skeleton files at URLs: which there are, and their states. Each folder is listed once, however many files it has."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from stages.places import Found, files_below
from stages.skeletons.versions import VERSIONS


class RemoteSkeletons:
    """What is at URLs, as far as it matters for skeletons."""

    def __init__(self) -> None:
        self._listed: list[str] = []
        """Of these folders, all is known that is below."""
        self._looked_into: set[str] = set()
        """Of these, what is right in them or in a folder there."""
        self._states: dict[str, str] = {}
        self._frames: defaultdict[str, list[Found]] = defaultdict(list)
        """The JSON files of each folder: if OpenPose wrote them, they are the frames of a clip."""
        self._layouts: defaultdict[str, list[Found]] = defaultdict(list)
        """The YAML files of each folder, which may define layouts of files beside them."""

    def add(self, folder: str, files: Iterable[Found]) -> None:
        """Take all that ``files_below`` has found below a URL."""
        self._listed.append(f"{folder.rstrip('/')}/")
        self._take(files)

    def _take(self, files: Iterable[Found]) -> None:
        for file in files:
            self._states[file.url] = file.state
            extension = file.url.rpartition(".")[2].lower()
            if extension == "json":
                self._frames[_folder(file.url)].append(file)
            elif extension in ("yaml", "yml"):
                self._layouts[_folder(file.url)].append(file)

    def is_file(self, url: str) -> bool:
        self._list(url)
        return url in self._states

    def has_frames(self, url: str) -> bool:
        """Whether there is a folder with JSON files."""
        self._list(url)
        return url in self._frames

    def state(self, url: str) -> str:
        """What decides what a file gives, as ``skeleton_fingerprint``: also that of what may define its layout."""
        if self.is_file(url):
            found, suffix = self._states[url], f".{url.rpartition('.')[2].lower()}"
            if suffix in VERSIONS:
                return f"{found}:{VERSIONS[suffix]}"
            layouts = self._layouts.get(_folder(url)) if suffix == ".npz" else None
            return f"{found}:{_digest(layouts)}" if layouts else found
        if frames := self._frames.get(url):
            size = sum(int(frame.state.partition(":")[0]) for frame in frames)
            return f"{len(frames)}:{size}:{_digest(frames)}"
        return "missing"

    def _list(self, url: str) -> None:
        folder = _folder(url)
        if folder not in self._looked_into and not any(url.startswith(listed) for listed in self._listed):
            self._looked_into.add(folder)
            self._take(files_below(folder, "skeletons", depth=2))


def _folder(url: str) -> str:
    return url.rpartition("/")[0]


def _digest(files: Iterable[Found]) -> str:
    """Of the names and states of files in one folder."""
    state = hashlib.blake2b(digest_size=8)
    for name, own in sorted((file.url.rpartition("/")[2], file.state) for file in files):
        state.update(f"{name}\0{own}\0".encode("utf-8", "surrogateescape"))
    return state.hexdigest()
