"""What recognition reads of a finished run, without training, and videos to recognize."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np

from pipeline.exports import uses_of
from pipeline.graph import build_graph
from pipeline.manifest import load_manifest
from recognizer.config import RecognizerConfig
from stages.train.stage import Train

MANIFESTS = Path(__file__).resolve().parents[2] / "manifests"
RGB = [
    "train.model.modality=rgb",
    "stages.cache.needs=decode",
    "stages.pose=null",
    "stages.report=null",
    "decode.frames=4",
]


def trained(manifest: str, overrides: Sequence[str] = (), models: tuple[str, ...] = ("model",), **environ: str) -> None:
    """Write what recognition reads of a finished run."""
    loaded = load_manifest(MANIFESTS / manifest, [*overrides, "name=it"], environ)
    Path("runs/it").mkdir(parents=True, exist_ok=True)
    Path("runs/it/manifest.json").write_text(json.dumps(loaded.resolved))
    graph = build_graph(loaded)
    for model in models:
        folder = Path("runs/it", model)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").touch()
        if not (folder / "config.json").exists():
            (folder / "config.json").write_text(RecognizerConfig(class_names=("a", "b", "c")).model_dump_json())
        [name] = [
            node.name
            for node in graph.nodes.values()
            if node.spec == "train" and node.variant_name in (folder.parent.name, "")
        ]
        cast(Train, graph.nodes[name].stage).export_uses(uses_of(graph, name), folder.parent, "train", loaded.partition)


def save_model(**more: object) -> None:
    """A model with random weights for the manifest of ``trained("demo.yaml", RGB)``."""
    from recognizer.model import Recognizer

    config = RecognizerConfig(class_names=("a", "b", "c"), modality="rgb", frames=4, size=32, width=8, blocks=1, **more)
    Recognizer(config).save_pretrained("runs/it/model")


def write_video(path: Path, count: int, container: str | None = None) -> None:
    """A real H.264 file of ``count`` frames, 25 per second."""
    path.parent.mkdir(exist_ok=True)
    with av.open(path, "w", format=container) as file:
        stream = file.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            picture = np.full((48, 64, 3), number, np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
