"""A run from Python: start one, and read what it made."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.errors import ClipError, ManifestError
from pipeline.exports import is_outdated
from pipeline.failures import FAILURES
from pipeline.graph import Graph, Node, build_graph
from pipeline.manifest import Manifest, load_manifest, load_resolved
from pipeline.registry import did_you_mean
from pipeline.runs import MANIFEST, ExecutorChoice, Options
from pipeline.shipped import find_manifest
from pipeline.stage import Source, Table
from pipeline.stage_inputs import TableFiles
from pipeline.status import Status, read_status
from pipeline.store import Store
from recognizer.skeletons import layout
from stages.api.notebook import html_table, percent
from stages.api.running import finish
from stages.commands.stored_results import RowsByClip, results_of
from stages.commands.trained_run import run_and_variant
from stages.tables import FRAMES, METRICS, PREDICTIONS, SKELETONS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from recognizer.model import Recognizer


@dataclass(frozen=True, eq=False)
class Skeletons:
    """The skeletons of a clip: T frames of M persons with R joints."""

    clip_id: str
    keypoints: "np.ndarray" = field(repr=False)
    """float32 M,T,R,3: x and y relative to the frame (0 is the left or top edge, 1 the right or bottom edge), and a
    score between 0 and 1; score 0: missing."""
    layout: str
    """Name of the joint layout, such as ``coco17``."""
    joints: tuple[str, ...]
    """Names of the R joints."""
    times: "np.ndarray | None" = field(repr=False)
    """float32 T, in seconds from the first frame of the file; None where skeletons were read without a video."""
    estimator: str
    """Who estimated them, or ``ground truth``."""


def run(
    manifest: str | Path,
    settings: Sequence[str] = (),
    *,
    name: str | None = None,
    progress: bool = False,
    retry_failed: bool = False,
    executor: ExecutorChoice = "auto",
) -> "Run":
    """Run a manifest, as ``pipeline run`` does. What is already done is not done again.

    manifest: a YAML file, or the name of a manifest that ships with the package, such as ``demo``.
    settings: like ``train.epochs=2``. name: of the run's folder. progress: whether it is shown.

    Raises ManifestError if the request is wrong, and StageError if a stage failed, or more clips than the manifest
    allows; both are PipelineErrors (``pipeline.errors``).
    """
    named = [] if name is None else [f"name={json.dumps(name)}"]
    loaded = load_manifest(find_manifest(str(manifest)), [*settings, *named])
    return Run(finish(loaded, Options(retry_failed=retry_failed, executor=executor), progress).folder)


class Run:
    """What a run, or one variant of it, has made so far.

    Properties and methods read the files each time, so that they follow a run that is still at work. All raise
    ManifestError that says what is missing if the run has not come so far.
    """

    def __init__(self, run: str | Path) -> None:
        """run: the folder of a run or of a variant (``runs/NAME/variants/modality=rgb``), or the run's name.

        Raises ManifestError if there is none.
        """
        found, self._variant = run_and_variant(str(run))
        self._run = found.absolute()  # it is read again and again, perhaps from another current folder
        self.folder = self._run / "variants" / self._variant if self._variant else self._run
        """Where its files are, such as report.html."""

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def status(self) -> Status:
        """Whether it is finished, and what it is at; ``status.text()`` says it in words."""
        return read_status(self._run)

    @property
    def variants(self) -> "list[Run]":
        """The variants of a manifest with a matrix, as runs of their own; empty if there are none."""
        folders = [] if self._variant else sorted((self._run / "variants").glob("*/"))
        return [Run(folder) for folder in folders]

    @property
    def metrics(self) -> dict[str, Any]:
        """Accuracies between 0 and 1 (``top1``, ``mean_class``, …), confusion matrix and more: metrics.json."""
        node, path = self._maker(METRICS), self.folder / "metrics.json"
        if is_outdated(self._run, node.name):
            raise ManifestError(f"{path}: the run has been changed since, {self._advice()}")
        try:
            return cast(dict[str, Any], json.loads(path.read_bytes()))
        except FileNotFoundError:
            raise ManifestError(f"{self.folder}: the run has no metrics yet, {self._advice()}") from None
        except ValueError as error:
            raise ManifestError(f"{path}: damaged, {self._advice()}: {error}") from None

    def predictions(self) -> "pd.DataFrame":
        """A row for each clip that was predicted: clip_id, label, split, predicted, score, and the probability of each
        class in a column of its name. Clips that failed have none; see ``failures``."""
        import numpy as np
        import pandas as pd

        node = self._maker(PREDICTIONS)
        table = self._results(node).read(["clip_id", "error", "probabilities", "class_names"])
        table = table.filter(table["error"].is_null())
        names = table["class_names"][0].as_py() if table.num_rows else []
        p_NK = np.array(table["probabilities"].to_pylist(), np.float32).reshape(table.num_rows, len(names))
        listed = cast(Source, self._graph.nodes[node.source].stage).clips().select(["clip_id", "label", "split"])
        found = pd.DataFrame({"clip_id": table["clip_id"].to_pylist()}).merge(listed.to_pandas(), "left", "clip_id")
        found["predicted"] = [names[k] for k in p_NK.argmax(1)] if names else []
        found["score"] = p_NK.max(1) if names else []
        columns = [f"{name} (class)" if name in found.columns else name for name in names]
        return pd.concat([found, pd.DataFrame(p_NK, columns=columns)], axis=1)

    def skeletons(self, clip: str) -> Skeletons:
        """The skeletons of a clip, by its ``clip_id``. Raises ClipError if it has none since it failed."""
        import numpy as np

        from stages.cache.shards import keypoints_of

        node = self._maker(SKELETONS)
        rows = RowsByClip(self._results(node))
        row = rows.of(clip)
        if row is None:
            hint = did_you_mean(clip, rows.places)
            raise ManifestError(f"{self.folder}: there are no skeletons of a clip '{clip}'{hint}")
        if row["error"] is not None:
            raise ClipError(row["error"])
        own = layout(row["layout"])
        times = None
        if FRAMES.name in node.inputs:
            film = RowsByClip(self._results(self._graph.nodes[node.inputs[FRAMES.name][0]])).of(clip, ["times"])
            times = np.array(film["times"], np.float32) if film and film["times"] else None
        keypoints = keypoints_of(row).astype(np.float32)
        return Skeletons(clip, keypoints, own.name, tuple(own.joints), times, row["estimator"])

    def model(self) -> "Recognizer":
        """The trained network, on the CPU and in evaluation mode."""
        from recognizer.model import Recognizer
        from stages.commands.model_folder import model_folder

        return Recognizer.from_pretrained(model_folder(str(self.folder)))

    def failures(self) -> "pd.DataFrame":
        """The clips that failed: clip_id, stage, error. Of a run with a matrix, those of all variants."""
        import pandas as pd

        try:
            return pd.read_csv(self._run / FAILURES, dtype=str, keep_default_na=False)
        except FileNotFoundError:
            raise ManifestError(f"{self._run}: the run has no list of failures yet, {self._advice()}") from None

    def _repr_html_(self) -> str:
        """The main figures, of each variant if there are any, for notebooks."""
        rows = [one._figures() for one in self.variants or [self]]
        return html_table(["run", "top-1", "95 % interval", "mean class", "clips", "failed"], rows)

    def _figures(self) -> list[str]:
        try:
            found = self.metrics
        except ManifestError:
            return [self.folder.name, self._state()]
        low, high = (percent(bound) for bound in found["top1_interval"])
        shares = [percent(found["top1"]), f"{low} to {high}", percent(found["mean_class"])]
        return [self.folder.name, *shares, f"{found['clips']:,}", f"{found['failed']:,}"]

    @cached_property
    def _manifest(self) -> Manifest:
        return load_resolved(self._run / MANIFEST)

    @cached_property
    def _graph(self) -> Graph:
        return build_graph(self._manifest)

    def _maker(self, table: Table) -> Node:
        """The node that makes this table of the run or variant. Raises ManifestError if there is not just one."""
        graph = self._graph
        found = [node for node in graph.nodes.values() if node.stage.makes.name == table.name]
        if self._variant:
            own = {node.name for node in graph.nodes.values() if node.variant_name == self._variant}
            own |= {name for node in own for name in graph.ancestors(node)}
            found = [node for node in found if node.name in own]
        if not found:
            raise ManifestError(f"{self.folder}: the run's manifest has no stage that makes {table.name}")
        if len(found) > 1:
            several = ", ".join(node.variant_name for node in found)
            raise ManifestError(f"{self.folder}: the run has several variants; open one, in variants/: {several}")
        return found[0]

    def _results(self, node: Node) -> TableFiles:
        return results_of(self._graph, node.name, self._run, Store(self._manifest.store))

    def _state(self) -> str:
        try:
            return self.status.text().rstrip(",")
        except ManifestError:
            return "not started"

    def _advice(self) -> str:
        return f"finish it first ({self._state()})"
