"""A run with trained models: its folder, and the nodes that predict with the models."""

from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.graph import Graph, Node
from pipeline.runs import MANIFEST
from pipeline.status import find_run
from pipeline.urls import is_url

MODEL = "model"
"""The subfolder of a run, or of a variant, that contains its trained model."""


def run_and_variant(model: str) -> tuple[Path, str]:
    """The folder of a run, or a copy of it, and the variant's name if ``model`` is the folder of a variant or of its
    model, else ""."""
    if is_url(model):
        url, name = model.rstrip("/").removesuffix(f"/{MODEL}"), ""
        if url.rpartition("/")[0].endswith("/variants"):
            url, _, name = url.rpartition("/variants/")
        return find_run(url), name
    path = Path(model)
    if path.name == MODEL and path.is_dir():
        path = path.parent
    if path.parent.name == "variants" and (path.parents[1] / MANIFEST).is_file():
        return path.parents[1], path.name
    return find_run(str(path)), ""


def predicting_nodes(graph: Graph, run: Path) -> dict[str, Node]:
    """The nodes that predict, by the variant whose model they use. Raises ManifestError if there are none."""
    found: dict[str, Node] = {}
    for node in graph.nodes.values():
        models = node.inputs.get("models", ())
        if node.kind == "map" and models:
            found.setdefault(graph.nodes[models[0]].variant_name, node)
    if not found:
        raise ManifestError(f"{run}: the run has no stage that predicts with a trained model")
    return found
