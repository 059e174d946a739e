"""Recognition of new videos: a manifest derived from that of the run that trained the model.

The index is replaced by a folder of videos, training by the trained model, and evaluation and report by a table of
recognitions. The stages in between, from decoding to prediction, stay as they were in training. The new manifest is run
like any other: it resumes, its results are kept, and failures are counted.
"""

import json
from pathlib import Path
from typing import Any

from pipeline.errors import ManifestError
from pipeline.exports import is_outdated
from pipeline.graph import Graph, Node, build_graph
from pipeline.manifest import Manifest, load_resolved, manifest_from_dict
from pipeline.run import MANIFEST
from stages.commands.trained_run import MODEL, predicting_nodes, run_and_variant
from stages.tables import FRAMES, SKELETONS


def recognition_manifest(
    videos: Path, model: str, out: Path, window: float | None = None, stride: float | None = None
) -> Manifest:
    """The manifest that recognizes a video, or the videos in a folder.

    model: a run, or one variant of it (``runs/NAME/variants/modality=rgb``). out: the new run's folder.
    window: length, in seconds, of the windows into which longer videos are split; None: that of the clips the model was
    trained on; 0: every video is one clip. stride: seconds between the starts of two windows.
    """
    run, variant = run_and_variant(model)
    trained = load_resolved(run / MANIFEST)
    graph = build_graph(trained)
    predict = _predicting_node(graph, run, variant)
    weights = (run / "variants" / variant if variant else run) / MODEL
    if not weights.is_dir():
        raise ManifestError(f"{weights}: the run has no trained model yet; finish it first")
    if is_outdated(run, predict.inputs["models"][0]):
        raise ManifestError(f"{weights}: the run has been changed since this model was trained; finish it first")
    ancestors = [graph.nodes[name] for name in graph.ancestors(predict.name)]
    if not any(node.stage.makes.name == FRAMES.name for node in ancestors):
        raise ManifestError(
            f"{weights}: this model was trained on skeleton files alone, by a manifest that decodes no videos: to "
            "recognize videos, train with the stages decode and pose"
        )
    _refuse_other_runs(out)
    stages: dict[str, Any] = {}
    for name in [name for name in graph.nodes if name in graph.ancestors(predict.name)] + [predict.name]:
        node = graph.nodes[name]
        needs = [_called(graph.nodes[need]) for need in node.needs]
        stages[_called(node)] = {"uses": node.uses, "needs": needs, "with": _parameters(node)}
        if node.kind == "source":
            spans = {"window": _seconds_of_clips(weights) if window is None else window, "stride": stride}
            given = {key: value for key, value in spans.items() if value}
            stages[_called(node)] = {"uses": "videos", "with": {"root": str(videos.absolute()), **given}}
        elif node.kind == "whole":
            stages[_called(node)] = {"uses": "pretrained", "with": {"path": str(weights.absolute())}}
    stages[predict.spec]["with"]["split"] = None
    seen = {node.stage.makes.name: _called(node) for node in ancestors if node.stage.makes in (FRAMES, SKELETONS)}
    needs = [predict.spec, *seen.values()]
    folders = {"root": str(videos.absolute()), "out": str(out.absolute())}
    stages["recognitions"] = {"uses": "recognitions", "needs": needs, "with": folders}
    resolved = {
        "name": out.absolute().name,
        "store": trained.store,
        "runs": str(out.absolute().parent),
        "partition": trained.partition,
        "max_failed": 1.0,  # failures are listed, and all other videos are recognized
        "stages": stages,
    }
    return manifest_from_dict(resolved, "recognize")


def _refuse_other_runs(out: Path) -> None:
    """Raise ManifestError if a recognition would overwrite the files of another run."""
    try:
        recognizes = "recognitions" in json.loads((out / MANIFEST).read_bytes())["stages"]
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ManifestError(f"{out}: is a file; give a folder as --out") from None
    except (OSError, ValueError, LookupError, TypeError):
        recognizes = False
    if not recognizes:
        raise ManifestError(f"{out}: is the folder of another run: give another folder as --out")


def _called(node: Node) -> str:
    """The stage's name in the new manifest: the stage that loads the model of ``train`` does not train."""
    return f"{node.spec}-{MODEL}" if node.kind == "whole" else node.spec


def _predicting_node(graph: Graph, run: Path, variant: str) -> Node:
    """The node that predicts with the model of the variant asked for."""
    found = predicting_nodes(graph, run)
    if variant not in found:
        choices = ", ".join(str(run / "variants" / name) for name in found)
        raise ManifestError(f"{run}: the run has several models; give one as --model: {choices}")
    return found[variant]


def _seconds_of_clips(weights: Path) -> float | None:
    """The length of the clips that a model was trained on; None if its config does not say."""
    try:
        return round(float(_preprocessing(weights)["seconds"]), 1) or None
    except (ValueError, LookupError, TypeError):
        return None


def _preprocessing(weights: Path) -> dict[str, Any]:
    """What a model's config says about its clips; empty if it is damaged, which the stage that loads it will report."""
    try:
        found = json.loads((weights / "config.json").read_text(encoding="utf-8"))["preprocessing"]
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def data_of(model: str) -> str | None:
    """What a model's config says about its training data; None if it says nothing."""
    run, variant = run_and_variant(model)
    data = _preprocessing((run / "variants" / variant if variant else run) / MODEL).get("data")
    return str(data) if data else None


def _parameters(node: Node) -> dict[str, Any]:
    """The parameters that are set for this variant, also by the matrix; without those at their defaults."""
    return node.stage.model_dump(mode="json", exclude_unset=True)
