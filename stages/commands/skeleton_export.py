"""Writes the skeletons of a finished run as a file that other software reads.

Nothing is computed again: the frames are those that the run sampled. Keypoints are in pixels of the video. Where the
run read skeleton files alone, its coordinates are of the square around the frame; the frame's size is that of the file,
or what the stage was told. Skeletons in space have none, and are exported in pixels of a square.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pyarrow as pa

from pipeline.errors import ClipError, ManifestError
from pipeline.graph import Graph, Node, build_graph
from pipeline.manifest import load_resolved
from pipeline.runs import MANIFEST
from pipeline.stage import Source
from pipeline.stage_inputs import TableFiles
from pipeline.store import Store
from recognizer.skeletons import layout
from stages.commands.network_export import FORMATS
from stages.commands.stored_results import results_of
from stages.commands.trained_run import run_and_variant
from stages.pose.given import Skeletons
from stages.skeletons.coco_writer import write_coco
from stages.skeletons.exported_clips import ExportedClip
from stages.skeletons.formats import read_skeletons
from stages.skeletons.pyskl_writer import write_pyskl

Writer = Callable[[Path, Iterable[ExportedClip], Sequence[str]], int]
"""Takes the file to write, the clips, and the class names in the order of their numbers. Returns how many clips."""

WRITERS: dict[str, tuple[str, Writer]] = {"pyskl": (".pkl", write_pyskl), "coco": (".json", write_coco)}
"""Formats by name: the extension of their files, and what writes them."""

SQUARE = 1000
"""Pixels of an edge of the square that stands for the frame of skeletons in space, which have none."""

SizeOf = Callable[[str], tuple[int, int]]
"""Width and height of a clip's frames in pixels."""


class Exported(NamedTuple):
    """The file, the number of clips in it, and how many are not, by reason."""

    file: Path
    clips: int
    left_out: Counter[str]


def export_run(asked: str, form: str, variant: str | None, out: Path | None) -> Exported:
    """Write the skeletons of a run. variant: None is the first one. out: by default ``skeletons`` in the run's folder.

    Clips without skeletons or label are left out. Raises ManifestError if that leaves none.
    """
    if form not in WRITERS:
        known = ", ".join([*WRITERS, *FORMATS])
        raise ManifestError(f"--format: no format is called '{form}'; there are: {known}")
    extension, write = WRITERS[form]
    run, own = run_and_variant(asked)
    manifest = load_resolved(run / MANIFEST)
    graph = build_graph(manifest)
    node = _node(graph, run, variant or own)
    clips = cast(Source, graph.nodes[node.source].stage).clips()
    store = Store(manifest.store)
    skeletons = results_of(graph, node.name, run, store)
    sampled = "frames" in node.inputs
    size_of = _video_sizes(graph, node, run, store) if sampled else _file_sizes(clips, cast(Skeletons, node.stage))
    left_out: Counter[str] = Counter()
    file = out or run / f"skeletons{extension}"
    names = sorted(set(clips["label"].to_pylist()) - {None})
    count = write(file, _clips(clips, skeletons, size_of, not sampled, left_out), names)
    return Exported(file, count, left_out)


def _node(graph: Graph, run: Path, variant: str) -> Node:
    """The node that makes skeletons, of the variant with this name or else the first."""
    found = {node.variant_name: node for node in graph.nodes.values() if node.stage.makes.name == "skeletons"}
    if not found:
        raise ManifestError(f"{run}: the run has no stage that makes skeletons")
    variant = variant or next(iter(found))
    if variant not in found:
        raise ManifestError(f"{run}: no variant of '{next(iter(found.values())).spec}' is called '{variant}'")
    return found[variant]


def _video_sizes(graph: Graph, node: Node, run: Path, store: Store) -> SizeOf:
    columns = ["clip_id", "source_width", "source_height"]
    frames = results_of(graph, node.inputs["frames"][0], run, store).read(columns).to_pylist()
    return {row["clip_id"]: (row["source_width"], row["source_height"]) for row in frames}.__getitem__


def _file_sizes(clips: pa.Table, stage: Skeletons) -> SizeOf:
    """The sizes that skeleton files say, which are read again for it. Raises ManifestError where one is gone."""
    rows = clips.select(["clip_id", "skeleton_path", "skeleton_entry"]).to_pylist()
    files = {
        row["clip_id"]: (Path(row["skeleton_path"]), row["skeleton_entry"]) for row in rows if row["skeleton_path"]
    }

    def size_of(clip_id: str) -> tuple[int, int]:
        try:
            width, height = read_skeletons(*files[clip_id]).size or stage.size or (SQUARE, SQUARE)
        except ClipError as error:
            raise ManifestError(f"the size of {clip_id}'s frames is not known any more: {error}") from error
        return round(width), round(height)

    return size_of


def _clips(
    clips: pa.Table, skeletons: TableFiles, size_of: SizeOf, in_square: bool, left_out: Counter[str]
) -> Iterator[ExportedClip]:
    """The clips that can be written, partition by partition; the others are counted. Raises ManifestError at the end if
    there were none, so that no file is written."""
    listed = {row["clip_id"]: row for row in clips.select(["clip_id", "label", "split"]).to_pylist()}
    left_out["without skeletons"] = len(listed)
    for table in skeletons:
        for row in table.to_pylist():
            clip = listed.get(row["clip_id"])
            if clip is None or row["error"] is not None:
                continue
            left_out["without skeletons"] -= 1
            if clip["label"] is None:
                left_out["without label"] += 1
                continue
            width, height = size_of(row["clip_id"])
            joints = layout(row["layout"])
            keypoints = np.frombuffer(row["keypoints"], np.float16).reshape(row["persons"], -1, joints.count, 3)
            pixels = _pixels(keypoints, width, height, in_square)
            yield ExportedClip(row["clip_id"], clip["label"], clip["split"], pixels, joints, width, height)
    if left_out.total() == len(listed):
        raise ManifestError("nothing to export: no clip of the run has both skeletons and a label")


def _pixels(relative_MTR3: np.ndarray, width: int, height: int, in_square: bool) -> np.ndarray:
    """Keypoints relative to the frame, or to the square around it, as float32 in pixels; zeros where missing."""
    pixels = relative_MTR3.astype(np.float64)
    edges = (max(width, height),) * 2 if in_square else (width, height)
    margins = np.subtract(edges, (width, height)) / 2
    pixels[..., :2] = pixels[..., :2] * edges - margins - 0.5
    return np.where(pixels[..., 2:] > 0, pixels, 0).astype(np.float32)
