"""How results show themselves in notebooks: tables and time lines, as HTML in which every text is escaped."""

from collections.abc import Sequence
from html import escape

from pipeline.stage import Row

WIDTH, LANE, LETTER = 900, 22, 8
"""Of a time line, of a person's lane in it, and of a letter, in pixels."""


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; rows may be shorter than its head."""
    lines = [f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"]
    for row in rows:
        cells = [*row, *[""] * (len(head) - len(row))]
        lines.append(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>")
    return f"<table>{''.join(lines)}</table>"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def time_line(segments: Sequence[Row], class_names: Sequence[str]) -> str:
    """What happens when, as an SVG image: a lane for each person, a color for each class, and details on hovering.

    segments: with start, end, label, score and person.
    """
    if not segments:
        return ""
    begin, end = min(row["start"] for row in segments), max(row["end"] for row in segments)
    scale = WIDTH / max(end - begin, 1e-6)
    lanes = {person: i for i, person in enumerate(dict.fromkeys(row["person"] for row in segments))}
    parts = []
    for row in segments:
        x, width = scale * (row["start"] - begin), scale * (row["end"] - row["start"])
        label, y = escape(str(row["label"])), LANE * lanes[row["person"]]
        who = "" if row["person"] is None else f"person {row['person']}: "
        about = f"{who}{label} {percent(row['score'])}, {row['start']:.1f} to {row['end']:.1f} s"
        box = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{LANE - 2}"'
        color = _color(row["label"], class_names)
        parts.append(f'<rect {box} style="fill: {color}"><title>{about}</title></rect>')
        if len(label) * LETTER < width:
            parts.append(f'<text x="{x + 3:.1f}" y="{y + 14}" font-size="12" pointer-events="none">{label}</text>')
    height = LANE * len(lanes)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="max-width: {WIDTH}px">'
    return f"{head}{''.join(parts)}</svg>"


def _color(label: str, class_names: Sequence[str]) -> str:
    """That of the class on the page of recognitions; gray: no class."""
    if label not in class_names:
        return "#d8dbe0"
    return f"oklch(0.74 0.14 {(255 + 137.5 * class_names.index(label)) % 360})"
