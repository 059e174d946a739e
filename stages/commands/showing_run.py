"""Clips of a run to be drawn: the frames and skeletons that lie in its store, as its network sees them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import pyarrow as pa

from pipeline.errors import ClipError, ManifestError
from pipeline.graph import Graph, Node, build_graph
from pipeline.manifest import load_resolved
from pipeline.registry import did_you_mean
from pipeline.runs import MANIFEST
from pipeline.stage import Row, Source
from pipeline.store import Store
from stages.cache.shards import keypoints_of
from stages.commands.showing import Item, Progress
from stages.commands.stored_results import RowsByClip, matching, results_of
from stages.commands.trained_run import predicting_nodes, run_and_variant
from stages.frame_sampling import sample_frames
from stages.images import tile
from stages.showing.footage import Seen
from stages.showing.people import People, of_keypoints
from stages.showing.show import Shown, show
from stages.tables import FRAMES, PREDICTIONS, SKELETONS

SAMPLES = 6
"""Clips that are drawn if none are asked for."""
UNTIMED = 10.0
"""Pictures per second where a run has skeletons alone, without times."""
SIDE = 480
"""Pixels of a picture's side where a run has skeletons alone."""


class RunClips(NamedTuple):
    """What there is to draw of a run."""

    folder: Path
    """Of the run, or of the variant."""
    items: list[Item]


def run_items(asked: str, wanted: list[str], variant: str | None) -> RunClips:
    """Clips of a run, or of one of its variants.

    wanted: ids of clips, or patterns such as ``test/wave*``; empty: a few. variant: None is the first one.
    Raises ManifestError if there is no such run or clip, or if the run's results are no longer there.
    """
    run, own = run_and_variant(asked)
    manifest = load_resolved(run / MANIFEST)
    graph, store = build_graph(manifest), Store(manifest.store)
    predict = _predicting(graph, run, variant or own)
    nodes = [node for node in graph.nodes.values() if predict is None or node.name in graph.ancestors(predict.name)]
    tables: dict[str, RowsByClip] = {}
    source = ""
    for node in nodes:
        kind = node.stage.makes.name
        if kind in (FRAMES.name, SKELETONS.name) and kind not in tables:
            tables[kind] = RowsByClip(results_of(graph, node.name, run, store))
            source = node.source
    if not tables:
        raise ManifestError(f"{run}: the run has neither frames nor skeletons")
    if predict is not None:
        try:
            tables[PREDICTIONS.name] = RowsByClip(results_of(graph, predict.name, run, store))
        except ManifestError:
            predict = None  # it has not come so far
    clips: pa.Table = cast(Source, graph.nodes[source].stage).clips().sort_by("clip_id")
    labels = dict(zip(clips["clip_id"].to_pylist(), clips["label"].to_pylist(), strict=True))
    ids = list(labels)
    folder = run / "variants" / (variant or own) if variant or own else run
    chosen = matching(wanted, ids, folder) or _some(ids, tables)
    return RunClips(folder, [_item(clip_id, labels[clip_id], tables) for clip_id in chosen])


def _predicting(graph: Graph, run: Path, variant: str) -> Node | None:
    """The node that predicts in a variant; None if the run's manifest says nothing of predictions."""
    try:
        found = predicting_nodes(graph, run)
    except ManifestError:
        if variant:
            raise
        return None
    if variant and variant not in found:
        raise ManifestError(f"{run}: no variant is called '{variant}'{did_you_mean(variant, found)}")
    return found[variant or next(iter(found))]


def _some(ids: list[str], tables: dict[str, RowsByClip]) -> list[str]:
    """A few clips from all over the index; of those with predictions, if there are any."""
    predicted = tables[PREDICTIONS.name].places if PREDICTIONS.name in tables else {}
    ids = [clip_id for clip_id in ids if clip_id in predicted] or ids
    return [ids[i] for i in sample_frames(len(ids), min(SAMPLES, len(ids)))]


def _item(clip_id: str, label: str | None, tables: dict[str, RowsByClip]) -> Item:
    def row(table: str) -> Row | None:
        return tables[table].of(clip_id) if table in tables else None

    def total() -> int:
        return 0  # a few dozen

    def draw(out: Path, progress: Progress) -> Shown:
        frames, skeletons, prediction = row(FRAMES.name), row(SKELETONS.name), row(PREDICTIONS.name)
        for found in (frames, skeletons if frames is None else None):
            if found is not None and found["error"] is not None:
                raise ClipError(found["error"])
        if frames is None and skeletons is None:
            raise ClipError("the run has no results of it")
        unseen = "" if skeletons is None or skeletons["error"] is None else f"no skeletons: {skeletons['error']}"
        keypoints = keypoints_of(skeletons) if skeletons is not None and not unseen else None
        about = unseen or (f"skeletons: {skeletons['estimator']}" if skeletons is not None else "")
        seen, places, start = _pictures(frames, keypoints)
        people: Iterator[People] = iter(())
        if keypoints is not None and skeletons is not None:
            people = of_keypoints(keypoints[:, places].astype(float), skeletons["layout"])
        caption = _caption(label, prediction)
        return show(clip_id, seen, people, out, about, caption, start=start, progress=progress)

    return Item(clip_id, None, total, draw)


def _pictures(frames: Row | None, keypoints: np.ndarray | None) -> tuple[Iterator[Seen], list[int], float]:
    """The pictures of a clip, the position of each among its T frames, and when the first one is on show in its video.
    Frames that a short clip repeats are shown once."""
    if frames is None:
        assert keypoints is not None
        T = keypoints.shape[1]
        blank = tile(None, SIDE)
        return (Seen(blank, t / UNTIMED, (t + 1) / UNTIMED) for t in range(T)), list(range(T)), 0.0
    places = [t for t in range(len(frames["times"])) if t == 0 or frames["indices"][t] != frames["indices"][t - 1]]
    times = np.array([frames["times"][t] for t in places]) - frames["times"][0]
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    ends = [*times[1:].tolist(), float(times[-1]) + step]
    spans = zip(places, times.tolist(), ends, strict=True)
    seen = (Seen(_decoded(frames["frames"][t]), time, end) for t, time, end in spans)
    return seen, places, float(frames["times"][0])


def _decoded(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise ClipError("a frame in the store is not a JPEG image: decode the clip again (--force decode)")
    return image


def _caption(label: str | None, prediction: dict[str, Any] | None) -> str | None:
    """``wave, recognized as push (83 %)``, as far as it is known."""
    if prediction is None or prediction["error"] is not None:
        return label
    best = int(np.argmax(prediction["probabilities"]))
    recognized = f"recognized as {prediction['class_names'][best]} ({100 * prediction['probabilities'][best]:.0f} %)"
    return recognized if label is None else f"{label}, {recognized}"
