"""Carries clips through the stages of a manifest in this process, as tables in memory."""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from pipeline.clips import NO_CLIPS, Clips
from pipeline.graph import Graph, Node
from pipeline.jobs import at_once, healthy
from pipeline.stage import MapStage, Stage, WholeStage
from pipeline.stage_inputs import StageContext, VariantInputs

Maker = Callable[[MapStage, pa.Table], pa.Table]
"""Makes a stage's table of the clips of a partition in its place."""


class StagesInMemory:
    """Keeps what stages have loaded, such as models, from call to call."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Any] = {}

    def tables(self, graph: Graph, clips: pa.Table, instead: Mapping[str, Maker]) -> Iterator[dict[str, pa.Table]]:
        """The tables that all map stages make, by name, one partition at a time: the partitions of a run, in which
        clips are computed together.

        clips: the index. instead: what makes a table in place of its stage, by the table's name.
        """
        index = Clips(clips, graph.manifest.partition)
        for start, stop in index.bounds:
            made: dict[str, pa.Table] = {}
            for node in graph.nodes.values():
                if isinstance(node.stage, MapStage):
                    part = index.unannotated.slice(start, stop - start)
                    made[node.stage.makes.name] = self._made(graph, node, node.stage, part, made, instead)
            yield made

    def _made(
        self,
        graph: Graph,
        node: Node,
        stage: MapStage,
        clips: pa.Table,
        made: Mapping[str, pa.Table],
        instead: Mapping[str, Maker],
    ) -> pa.Table:
        if stage.makes.name in instead:
            return instead[stage.makes.name](stage, clips)
        clips, inputs = healthy(clips, {name: made[name] for name in node.inputs if name in made})
        if not clips.num_rows:
            return stage.makes.schema.empty_table()  # without loading a model
        wholes = {name: graph.nodes[makers[0]].stage for name, makers in node.inputs.items() if name not in made}
        loaded = self._keep(stage, lambda: stage.load({name: self._whole(whole) for name, whole in wholes.items()}))
        return at_once(stage, clips, inputs, loaded)

    def _whole(self, stage: Stage) -> pa.Table:
        """The table of a whole stage that needs no input: of a trained model."""

        def run() -> pa.Table:
            with tempfile.TemporaryDirectory() as folder:
                context = StageContext(Path(folder), lambda done, total, **figures: None)
                return cast(WholeStage, stage).run([VariantInputs("", NO_CLIPS, {})], context)

        return self._keep(stage, run)

    def _keep(self, stage: Stage, make: Callable[[], Any]) -> Any:
        key = f"{type(stage).__module__}:{type(stage).__qualname__}", stage.model_dump_json()
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]
