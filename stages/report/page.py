"""Lays out the page from the facts of the table, and the times and failures in the run's folder."""

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.files import replace_file
from pipeline.texts import byte_size, duration
from stages.html import data_uri, templates
from stages.overlay import PALETTES
from stages.predict.evaluate import Metric
from stages.report.comparison import Row, label_text, mean_history, row_text, shows_top5
from stages.report.comparison_table import csv_text, difference_text, explanation, markdown_text
from stages.report.curves import Chart, learning_charts
from stages.report.plot import draw_comparison
from stages.report.reliability import calibration_text, reliability_chart

COUNTS_UP_TO = 30
"""Up to this many classes the confusion matrix is a table of counts; a larger one is drawn."""
CONFUSIONS_SHOWN = 12
DETAILED = 10
"""Rows of the comparison shown with curves and confusions; further rows appear only in the table, to keep the page
small."""
CLIPS_LISTED = 300
"""Failed clips listed per reason; ``failures.csv`` lists all of them."""


class Run(NamedTuple):
    """Contents of the run's folder; each is empty if its file is missing."""

    manifest: dict[str, Any]
    timings: dict[str, dict[str, Any]]
    failures: list[dict[str, str]]
    warnings: list[dict[str, str]]
    notes: list[dict[str, str]]

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """Read ``manifest.json``, ``timings.json``, ``failures.csv`` and ``warnings.csv`` (clip_id, stage, error), and
        ``notes.json`` (stage, text)."""
        failures, warnings = (_csv(folder / name) for name in ("failures.csv", "warnings.csv"))
        notes = _json(folder / "notes.json") or []
        return cls(_json(folder / "manifest.json"), _json(folder / "timings.json"), failures, warnings, notes)


def _csv(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(facts: str, images: list[bytes], folder: Path, run_folder: Path, metric: Metric = "top1") -> None:
    """Write ``folder/report.html``, and for several variants the files that compare them.

    ``metrics.json`` has the first row's figures at the top level and those of all variants under ``variants``;
    ``comparison.csv``, ``.md`` and ``.svg`` have one entry per row of the comparison.
    """
    known = json.loads(facts)
    variants, comparison = known["variants"], known["comparison"]
    plot = draw_comparison(comparison) if len(comparison["rows"]) > 1 else None
    # file names that are not UTF-8 arrive as lone surrogates, which cannot be encoded
    page = render(known, images, Run.read(run_folder), plot, metric)
    files = {"report.html": page.encode("utf-8", "backslashreplace")}
    if len(variants) > 1:
        figures = comparison["rows"][0]["metrics"]
        figures = figures | {"variants": [{"variant": v["name"]} | v["metrics"] for v in variants]}
        parameters = [variants[row["members"][0]]["parameters"] for row in comparison["rows"]]
        files["metrics.json"] = (json.dumps(figures, indent=2, ensure_ascii=False) + "\n").encode()
        files["comparison.csv"] = csv_text(comparison, parameters).encode()
        files["comparison.md"] = markdown_text(comparison).encode()
    if plot is not None:
        files["comparison.svg"] = plot
    for name, content in files.items():
        replace_file(folder / name, content)


def render(
    facts: dict[str, Any], images: list[bytes], run: Run, plot: bytes | None = None, metric: Metric = "top1"
) -> str:
    """The page as self-contained HTML: no scripts, no external resources, every text escaped.

    plot: the comparison's SVG image. metric: the figure at the top.
    """
    comparison, variants = facts["comparison"], facts["variants"]
    titles = comparison["titles"]
    environment = templates(Path(__file__).parent)
    environment.filters |= {"percent": percent, "duration": duration, "size": byte_size, "number": number}
    environment.tests["showing_top5"] = shows_top5
    return environment.get_template("page.html.jinja").render(
        title=run.manifest.get("name") or "Report",
        description=run.manifest.get("description"),
        data=facts["data"],
        variants=variants,
        rows=[_row(row, variants, titles) for row in comparison["rows"]],
        axes=[titles[axis] for axis in comparison["axes"]],
        pool=[titles[axis] for axis in comparison["pool"]],
        best=comparison["best"],
        metric=metric,
        explanation=explanation(comparison),
        comparison_plot=data_uri(plot, "svg+xml") if plot else None,
        detailed=DETAILED,
        samples=[_sample(sample, images) for sample in facts["samples"]],
        palettes=[{side: "rgb({}, {}, {})".format(*color) for side, color in p._asdict().items()} for p in PALETTES],
        failures=grouped(run.failures),
        warnings=grouped(run.warnings),
        notes=list(dict.fromkeys((note["stage"].partition("[")[0], note["text"]) for note in run.notes)),
        unusual_clips=len({warning["clip_id"] for warning in run.warnings}),
        failed_clips=len({failure["clip_id"] for failure in run.failures}),
        clips_listed=CLIPS_LISTED,
        timings=by_stage(run.timings),
        manifest=yaml.safe_dump(run.manifest, sort_keys=False, allow_unicode=True) if run.manifest else None,
    )


def _row(row: Row, variants: list[dict[str, Any]], titles: dict[str, str]) -> Row:
    """A row of the comparison with all that the page shows of it; its learning curve is the mean of its variants."""
    metrics, members = row["metrics"], [variants[i] for i in row["members"]]
    classes, confusion = metrics["classes"], metrics["confusion"]
    tested = [(name, figures) for name, figures in metrics["per_class"].items() if figures["clips"]]
    config = members[0]["config"]
    return row | {
        "title": members[0]["name"] if len(members) == 1 else row_text(row, titles),
        "cells": [label_text(label) for label in row["labels"].values()],
        "difference": difference_text(row),
        "parameters": members[0]["parameters"],
        "networks": 1 + len((config or {}).get("ensemble", ())),
        "charts": [_chart(chart) for chart in learning_charts(mean_history([v["history"] for v in members]))],
        "reliability": _chart(reliable) if (reliable := reliability_chart(metrics)) else None,
        "calibration": calibration_text(metrics, members) if reliable else "",
        "classes": classes,
        "matrix": _matrix(classes, confusion) if row["members"][0] == 0 or len(classes) <= COUNTS_UP_TO else [],
        "large": len(classes) > COUNTS_UP_TO,
        "confusions": confusions(classes, confusion)[:CONFUSIONS_SHOWN],
        "per_class": sorted(tested, key=lambda item: (-item[1]["accuracy"], item[0])),
        "untested": list(
            dict.fromkeys(
                [name for name, figures in metrics["per_class"].items() if not figures["clips"]]
                + metrics.get("classes_without_clips", [])
            )
        ),
        "unlearned": metrics.get(
            "classes_without_training_clips",
            [name for name, _ in tested if name not in (config or {}).get("class_names", classes)],
        ),
        "config": json.dumps(config, indent=2, ensure_ascii=False) if config else None,
    }


def _chart(chart: Chart) -> dict[str, Any]:
    images = {theme: data_uri(image, "svg+xml") for theme, image in chart.images.items()}
    return {"title": chart.title, "text": chart.text, "images": images}


def by_stage(timings: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Sums per stage over its variants, which are named ``stage[variant]``."""
    sums: dict[str, Counter[str]] = {}
    for name, spent in timings.items():
        sums.setdefault(name.partition("[")[0], Counter()).update({"variants": 1} | spent)
    return {stage: dict(spent) for stage, spent in sums.items()}


def _matrix(classes: list[str], confusion: list[list[int]]) -> list[dict[str, Any]]:
    """Rows of the confusion matrix, each count with its share of the row."""
    rows = []
    for name, counts in zip(classes, confusion, strict=True):
        total = sum(counts)
        cells = [{"count": count, "share": round(count / total, 3) if total else 0.0} for count in counts]
        rows.append({"name": name, "total": total, "cells": cells})
    return rows


def confusions(classes: list[str], confusion: list[list[int]]) -> list[dict[str, Any]]:
    """Pairs of a class and what it was mistaken for, the most frequent ones first."""
    found = [
        {"label": classes[i], "predicted": classes[j], "count": count, "share": count / sum(counts)}
        for i, counts in enumerate(confusion)
        for j, count in enumerate(counts)
        if i != j and count
    ]
    return sorted(found, key=lambda pair: (-pair["count"], -pair["share"], pair["label"], pair["predicted"]))


def _sample(sample: dict[str, Any], images: list[bytes]) -> dict[str, Any]:
    uris = [data_uri(images[i], "jpeg") for i in sample["images"]]
    if sample["persons"] is None:
        skeletons = "not used"
    elif sample["estimator"] is None:
        skeletons = "drawn"
    else:
        skeletons = (
            sample["estimator"] if sample["estimator"] == "ground truth" else f"estimated by {sample['estimator']}"
        )
    return sample | {
        "attention": [(found["caption"], data_uri(images[found["image"]], "jpeg")) for found in sample["attention"]],
        "frames": list(zip(uris, sample["times"] or [None] * len(uris), strict=True)),
        "correct": sample["label"] == sample["predicted"],
        "skeletons": skeletons,
    }


def grouped(failures: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Failures grouped by stage and reason, the largest group first.

    Reasons that differ only in numbers or in the clip's own name form one group, shown with the reason of its first
    clip.
    """
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for failure in failures:
        clip_id, stage, error = failure["clip_id"], failure["stage"], failure["error"]
        reason = error.replace(clip_id, "…") if clip_id else error
        key = (stage, re.sub(r"\d+", "0", reason))
        group = groups.setdefault(key, {"stage": stage, "reason": reason, "clips": []})
        group["clips"].append((clip_id, error))
    return sorted(groups.values(), key=lambda group: (-len(group["clips"]), group["stage"], group["reason"]))


def percent(share: float, digits: int = 1) -> str:
    """A share of 1, like ``91.7 %``."""
    return f"{100 * share:.{digits}f} %"


def number(value: float) -> str:
    """A count, like ``1 234`` or ``2.1 million``."""
    return f"{value / 1e6:.3g} million" if value >= 1e6 else f"{value:,.0f}".replace(",", " ")
