"""The comparison as text: CSV with full figures for programs, Markdown as a table for a paper."""

from typing import Any

from stages.predict.evaluate import Metric, accuracy_text
from stages.report.comparison import Row, label_text, row_text, shows_top5


def headline(comparison: dict[str, Any], metric: Metric = "top1") -> str:
    """The best row in a line, with its name where there are several. ``metric``: the figure that comes first."""
    rows = comparison["rows"]
    best = max(rows, key=lambda row: row["metrics"][metric])
    text = accuracy_text(best["metrics"], metric)
    return text if len(rows) == 1 else f"best of {len(rows)}, {row_text(best, comparison['titles'])}: {text}"


def csv_text(comparison: dict[str, Any], parameters: list[int | None]) -> str:
    """One line per row; accuracies are shares of 1. ``parameters``: the size of each row's network."""
    import pandas as pd

    titles = comparison["titles"]
    top5 = any(shows_top5(row["metrics"]) for row in comparison["rows"])
    records = []
    for row, count in zip(comparison["rows"], parameters, strict=True):
        metrics, difference = row["metrics"], row["difference"] or {"mean": None, "interval": [None, None]}
        figures = {
            "top1": metrics["top1"],
            "top1_low": metrics["top1_interval"][0],
            "top1_high": metrics["top1_interval"][1],
            "top1_sd": row["sd"],
            "repetitions": row["repeats"],
            "folds": row["folds"],
            "clips": metrics["clips"],
            "failed": metrics["failed"],
            "mean_class": metrics["mean_class"],
            **({"top5": metrics["top5"] if shows_top5(metrics) else None} if top5 else {}),
            "difference": difference["mean"],
            "difference_low": difference["interval"][0],
            "difference_high": difference["interval"][1],
            "parameters": count,
        }
        labels = {titles[axis]: label_text(label) for axis, label in row["labels"].items()}
        records.append(
            {f"{name} (axis)" if name in figures else name: label for name, label in labels.items()} | figures
        )
    table = pd.DataFrame.from_records(records).astype({"parameters": "Int64"})
    return table.to_csv(index=False, lineterminator="\n")


def markdown_text(comparison: dict[str, Any]) -> str:
    """A table in percent, the best row in bold, and a line that explains the figures."""
    rows, titles, axes = comparison["rows"], comparison["titles"], comparison["axes"]
    repeated = any(row["sd"] is not None for row in rows)
    compared = any(row["difference"] for row in rows)
    head = [titles[axis] for axis in axes] or ["variants"]
    columns = [*head, "top-1 (%)", *(["SD"] if repeated else []), "95 % interval", "mean class (%)"]
    columns += ["difference to the best top-1"] if compared else []
    lines = [columns, ["---"] * len(head) + ["---:"] * (len(columns) - len(head))]
    for i, row in enumerate(rows):
        metrics = row["metrics"]
        top1 = f"{100 * metrics['top1']:.1f}"
        cells = [_cell(label_text(row["labels"][axis])) for axis in axes] or ["all"]
        cells.append(f"**{top1}**" if i == comparison["best"] else top1)
        cells += [_points(row["sd"])] if repeated else []
        cells += ["{:.1f}–{:.1f}".format(*(100 * end for end in metrics["top1_interval"]))]
        cells += [f"{100 * metrics['mean_class']:.1f}"]
        cells += [difference_text(row)] if compared else []
        lines.append(cells)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"{table}\n\n{explanation(comparison)}\n"


def explanation(comparison: dict[str, Any]) -> str:
    """Explains the figures, in a few sentences."""
    rows = comparison["rows"]
    clips, folds, repeats = (
        _range(values)
        for values in (
            [row["metrics"]["clips"] for row in rows],
            [row["folds"] for row in rows],
            [row["repeats"] for row in rows],
        )
    )
    text = f"{clips} test clips" + (f" of {folds} folds" if folds != "1" else "")
    text += f", mean of {repeats} repetitions (SD: their standard deviation)" if repeats != "1" else ""
    grouped = any(row["metrics"].get("groups") for row in rows)
    units = "groups that the clips come in" if grouped else "clips"
    text += f"; Wilson’s 95 % interval over the {units}."
    if any(row["difference"] for row in rows):
        text += " The difference to the row with the best top-1, in points, has the 95 % interval of a paired bootstrap"
        text += f" over the {units}."
    return text


def difference_text(row: Row) -> str:
    """Like ``−3.2 (−6.1 to −0.4)``, in points."""
    if row["difference"] is None:
        return ""
    low, high = (_signed(end) for end in row["difference"]["interval"])
    return f"{_signed(row['difference']['mean'])} ({low} to {high})"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−").replace("+0.0", "0.0").replace("−0.0", "0.0")


def _points(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _range(values: list[int]) -> str:
    return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _cell(text: str) -> str:
    """Text of a cell, escaped so that it cannot end the cell."""
    return text.replace("|", "\\|").replace("\n", " ")
