"""Draws what the model of a finished run attends to, from the model and the shards that the run left in its store."""

from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa

from pipeline.errors import ManifestError
from pipeline.graph import build_graph
from pipeline.manifest import load_resolved
from pipeline.registry import did_you_mean, find_stage
from pipeline.runs import MANIFEST
from pipeline.stage import MapStage, Source, WholeStage
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from pipeline.store import Store
from stages.commands.stored_results import matching, results_of
from stages.commands.trained_run import predicting_nodes, run_and_variant


class Explained(NamedTuple):
    """The folder of the pictures, the number of clips, and the clips without pictures, each with the reason."""

    folder: Path
    clips: int
    failed: list[tuple[str, str]]


class Opened(NamedTuple):
    """The results of a finished run for one variant."""

    folder: Path
    """The folder of the run, or of the variant."""
    clips: pa.Table
    """The whole index, sorted."""
    predicted: pa.Table
    """The clips that the run made predictions for."""
    inputs: dict[str, TableFiles]
    """The inputs of these predictions, by table name: models and shards."""


def open_run(asked: str, variant: str | None) -> Opened:
    """Find the model and the shards of a run, or of one of its variants. variant: None is the first one."""
    run, own = run_and_variant(asked)
    manifest = load_resolved(run / MANIFEST)
    graph = build_graph(manifest)
    found = predicting_nodes(graph, run)
    variant = variant or own or next(iter(found))
    if variant not in found:
        raise ManifestError(f"{run}: no variant is called '{variant}'{did_you_mean(variant, found)}")
    predict = found[variant]
    store = Store(manifest.store)
    inputs = {table: results_of(graph, name, run, store) for table, (name,) in predict.inputs.items()}
    clips: pa.Table = cast(Source, graph.nodes[predict.source].stage).clips().sort_by("clip_id")
    folder = run / "variants" / variant if variant else run
    return Opened(folder, clips, cast(MapStage, predict.stage).select(clips), inputs)


def explain_run(asked: str, wanted: list[str], variant: str | None, out: Path | None) -> Explained:
    """Draw what the model of a run, or of one of its variants, attends to.

    wanted: ids of clips, or patterns such as ``test/wave*``; empty: a few of those that the run made
    predictions for. variant: None is the first one. out: by default ``explain`` in the folder of the run or variant.
    """
    opened = open_run(asked, variant)
    ids = matching(wanted, opened.clips["clip_id"].to_pylist(), opened.folder)
    folder = out or opened.folder / "explain"
    parameters: dict[str, Any] = {"clips": ids, "split": None, "out": folder.absolute()}
    stage = cast(type[WholeStage], find_stage("explain"))(**parameters)
    clips = opened.clips if wanted else opened.predicted
    context = StageContext(folder, lambda done, total, **figures: None)
    table = stage.run([VariantInputs("", clips, opened.inputs)], context)
    stage.export(table, folder, opened.folder)
    rows = table.select(["clip_id", "error"]).to_pylist()
    return Explained(folder, len(rows), [(row["clip_id"], row["error"]) for row in rows if row["error"] is not None])
