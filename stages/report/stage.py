"""The report: the results of a run on one page, for a browser."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.errors import ManifestError
from pipeline.stage import WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, VariantInputs
from stages.predict.evaluate import Metric
from stages.tables import METRICS, MODELS, PREDICTIONS, REPORTS, SHARDS, SKELETONS


class Report(WholeStage):
    """Gathers the figures of all variants of a matrix, compares them, and writes ``report.html``.

    The table contains only what depends on the inputs. Times and failures are added when the page is written, because
    they differ from run to run.
    """

    key_name: ClassVar[str | None] = "stages.report.stage:Report"
    version: ClassVar[int] = 6
    gathers: ClassVar[bool] = True
    makes: ClassVar = REPORTS
    takes: ClassVar = (METRICS,)
    may_take: ClassVar = (MODELS, PREDICTIONS, SHARDS, SKELETONS)

    pool: tuple[str, ...] = ()
    """Axes along which variants repeat each other, such as seeds and folds. Variants that differ only on these axes
    become one row of the comparison: the clips of folds are put together, and the mean is taken over seeds."""

    samples: int = Field(12, ge=0, le=60)
    """Clips shown with their skeletons; half of them are wrongly recognized ones, if there are enough."""

    metric: Metric = unkeyed("top1")
    """The figure that the page and the last line of a run begin with: top1, or mean_class where a data set is compared
    by the mean over its classes. Both are shown."""

    def check_axes(self, axes: Collection[str]) -> None:
        for axis in self.pool:
            if axis not in axes:
                known = f"; the axes are {', '.join(axes)}" if axes else ""
                raise ManifestError(f"pool: no matrix has an axis '{axis}'{known}")

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        """One row: the facts as JSON, and the JPEG images that they refer to by position."""
        from stages.report.facts import gather

        facts, images = gather(variants, self.samples, self.pool)
        return pa.Table.from_pylist([{"facts": facts, "images": images}], schema=REPORTS.schema)

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> str:
        """Write ``folder/report.html``, and for several variants ``metrics.json`` and the comparison's files."""
        from stages.report.comparison_table import headline
        from stages.report.page import write

        row = table.to_pylist()[0]
        write(row["facts"], row["images"], folder, run_folder, self.metric)
        return f"{headline(json.loads(row['facts'])['comparison'], self.metric)}: {folder / 'report.html'}"
