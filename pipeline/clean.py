"""Finds results that are no longer needed: files in a store that no plan of the given manifests names, and no run in
progress has planned."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pipeline.claims import claimed
from pipeline.kept_work import key_of_work
from pipeline.manifest import Manifest, load_resolved
from pipeline.runs import manifests_of_runs, plan_run
from pipeline.store import Store

BATCH = 100
"""Files that are removed before looking again for what runs have claimed."""


@dataclass
class Garbage:
    """What can be removed from one store, and what stays."""

    store: Store
    remove: dict[str, int]
    """Bytes by path."""
    keep: dict[str, int]

    def by_folder(self) -> dict[str, tuple[int, int]]:
        """(files, bytes) to remove, by stage folder."""
        sums: dict[str, tuple[int, int]] = {}
        for path, size in sorted(self.remove.items()):
            folder = path.rpartition("/")[0].rpartition("/")[2]
            files, total = sums.get(folder, (0, 0))
            sums[folder] = files + 1, total + size
        return sums

    def sweep(self) -> None:
        """Remove it, except what runs have claimed since it was found."""
        paths = list(self.remove)
        for first in range(0, len(paths), BATCH):
            batch = paths[first : first + BATCH]
            kept = _kept(batch, claimed(self.store))
            for path in batch:
                if path in kept:
                    continue
                with suppress(FileNotFoundError):  # another one cleans, too
                    self.store.remove(path)


def find_garbage(manifests: Sequence[Manifest]) -> list[Garbage]:
    """For each store, the results that neither these manifests nor the runs in their ``runs`` folders need, and that no
    run in progress has planned, wherever its folder is."""
    runs = sorted({path for place in {manifest.runs for manifest in manifests} for path in manifests_of_runs(place)})
    manifests = [*manifests, *map(load_resolved, runs)]
    needed: dict[str, set[str]] = {}
    stores: dict[str, Store] = {}
    for manifest in manifests:
        plan = plan_run(manifest, create=True)
        root = plan.store.root
        stores.setdefault(root, plan.store)
        for node_plan in plan.nodes.values():
            needed.setdefault(root, set()).update(node_plan.paths(plan.store))
    found = []
    for root, store in stores.items():
        sizes = store.sizes()
        kept = _kept(sizes, needed[root] | claimed(store))
        found.append(
            Garbage(
                store,
                {path: size for path, size in sizes.items() if path not in kept},
                {path: size for path, size in sizes.items() if path in kept},
            )
        )
    return found


def _kept(paths: Iterable[str], needed: set[str]) -> set[str]:
    """Of the paths in a store, those of results that are needed, and of unfinished work for such results."""
    keys = {path.rpartition("/")[2].removesuffix(".parquet") for path in needed}
    return {path for path in paths if path in needed or key_of_work(path) in keys}
