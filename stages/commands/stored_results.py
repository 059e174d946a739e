"""The results that a run left in its store, and which of its clips are asked for."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import cast

from pipeline.errors import ManifestError
from pipeline.graph import Graph
from pipeline.plan import stage_folder
from pipeline.reasons import recorded_keys
from pipeline.registry import did_you_mean
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from pipeline.store import Store


def results_of(graph: Graph, name: str, run: Path, store: Store) -> TableFiles:
    """The table that a node made, as the run recorded it. Raises ManifestError if it no longer exists, or not yet."""
    stage = graph.nodes[name].stage
    keys = [key for key in recorded_keys(run).get(name, []) if key]
    if not keys or not store.keys(stage_folder(stage)).issuperset(keys):
        raise ManifestError(
            f"{run}: the results of '{name}' are not in the store {store.url}: finish the run, from the folder in "
            "which it was started"
        )
    return TableFiles([store.path(stage_folder(stage), key) for key in keys], store.open, stage.makes.schema)


def matching(wanted: list[str], ids: list[str], run: Path) -> list[str]:
    """The wanted ids in the given order, each once; ``wanted`` holds ids and patterns such as ``test/wave*``.

    Raises ManifestError if an item of ``wanted`` matches none.
    """
    known = set(ids)
    chosen: dict[str, None] = {}
    for one in wanted:
        found = [one] if one in known else [clip_id for clip_id in ids if fnmatchcase(clip_id, one)]
        if not found:
            raise ManifestError(f"{run}: no clip is called '{one}'{did_you_mean(one, ids)}")
        chosen |= dict.fromkeys(found)
    return list(chosen)


class RowsByClip:
    """The rows of a table by clip, read when they are needed."""

    def __init__(self, table: TableFiles) -> None:
        self._table = table
        self.places: dict[str, tuple[str, int]] = {}
        """The file and the row of each clip."""
        for path in table.paths:
            for i, clip_id in enumerate(table.read_one(path, ["clip_id"])["clip_id"].to_pylist()):
                self.places[clip_id] = path, i

    def of(self, clip_id: str, columns: list[str] | None = None) -> Row | None:
        """The row of a clip, or only these columns of it; None if there is none."""
        if clip_id not in self.places:
            return None
        path, i = self.places[clip_id]
        return cast(Row, self._table.read_one(path, columns).slice(i, 1).to_pylist()[0])
