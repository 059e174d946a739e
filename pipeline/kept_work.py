"""Checkpoints of whole stages in a store at a URL, so that what one machine has begun can go on on another one.

A store in a folder needs no copies: the run's folder is on the same machine or shared with the others, too.
"""

from pathlib import Path
from typing import NamedTuple

from pipeline.store import WORK, Store


class KeptWork(NamedTuple):
    """The files that the computation of one result has left in its store."""

    store: str
    key: str

    def restore(self, folder: Path) -> bool:
        """Make the files right in a working folder those that were kept. Returns whether files are kept at all: not if
        the store is a folder."""
        store = Store(self.store)
        if store.is_local:
            return False
        folder.mkdir(parents=True, exist_ok=True)  # on this machine there may not be such a run
        kept = {name.removeprefix(f"{self.key}."): name for name in self._names(store)}
        for file in folder.iterdir():
            if file.is_file() and file.name not in kept:
                file.unlink()  # of a former run here, while the work has gone on elsewhere
        for name, there in kept.items():
            store.download(f"{WORK}/{there}", folder / name)
        return True

    def keep(self, file: Path) -> None:
        """Copy a file of the working folder into the store, in place of an older one."""
        store = Store(self.store)
        if not store.is_local:
            store.upload(file, f"{WORK}/{self.key}.{file.name}")

    def place(self, file: Path) -> str:
        """What to remove for the work to begin anew without what is in a file of the working folder."""
        store = Store(self.store)
        return str(file) if store.is_local else f"{store.url}/{WORK}/{self.key}.{file.name}"

    def remove(self, folder: Path) -> None:
        """Remove the files right in the working folder and their copies: the result is there."""
        for file in [path for path in folder.glob("*") if path.is_file()]:
            file.unlink()
        store = Store(self.store)
        for name in () if store.is_local else self._names(store):
            store.remove_note(f"{WORK}/{name}")

    def _names(self, store: Store) -> list[str]:
        return [name for name in store.notes(WORK) if name.startswith(f"{self.key}.")]


def key_of_work(path: str) -> str | None:
    """The key for whose result a file of a store was kept; None if it is something else."""
    folder, _, name = path.rpartition("/")
    return name.partition(".")[0] if folder.endswith(f"/{WORK}") else None
