"""The results that a run left in its store."""

from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.graph import Graph
from pipeline.plan import stage_folder
from pipeline.reasons import recorded_keys
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
