"""Draws a joint layout as a person who faces the reader, with the number and the name of each joint."""

from collections.abc import Mapping
from pathlib import Path

from recognizer.skeletons import Layout

_CENTER = {
    "head_top": 0.0,
    "head": 0.07,
    "nose": 0.11,
    "neck": 0.25,
    "spine_shoulder": 0.285,
    "spine_middle": 0.40,
    "belly": 0.49,
    "spine_base": 0.55,
}
"""Height of the joints in the middle, from the top of the head downward; the person is 1 high."""
_LEFT = {
    "eye_inner": (0.02, 0.08),
    "eye": (0.04, 0.075),
    "eye_outer": (0.06, 0.08),
    "ear": (0.09, 0.11),
    "mouth": (0.03, 0.16),
    "shoulder": (0.14, 0.28),
    "elbow": (0.20, 0.42),
    "wrist": (0.24, 0.54),
    "hand": (0.255, 0.585),
    "hand_tip": (0.265, 0.63),
    "thumb": (0.22, 0.59),
    "index": (0.25, 0.61),
    "pinky": (0.285, 0.60),
    "hip": (0.08, 0.57),
    "knee": (0.095, 0.75),
    "ankle": (0.10, 0.92),
    "heel": (0.085, 0.96),
    "foot": (0.125, 0.97),
    "foot_index": (0.135, 0.98),
    "big_toe": (0.12, 0.99),
    "small_toe": (0.165, 0.97),
}
"""Distance from the middle and height of the joints of one side."""
_COLORS = {"left": "#1f77d0", "right": "#e07b1a", "": "#444444"}


def positions(layout: Layout) -> Mapping[str, tuple[float, float]]:
    """Where each joint is drawn, x to the right and y downward. Joints of unknown names stand in a column beside."""
    found: dict[str, tuple[float, float]] = {}
    others = 0
    for joint in layout.joints:
        side, _, part = joint.partition("_")
        if joint in _CENTER:
            found[joint] = (0.0, _CENTER[joint])
        elif side in ("left", "right") and part in _LEFT:
            x, y = _LEFT[part]
            found[joint] = (x if side == "left" else -x, y)
        else:
            found[joint] = (0.42, 0.05 * others)
            others += 1
    return found


def draw_layout(layout: Layout, path: Path) -> None:
    """Write a picture; its format follows from the extension (png, svg, pdf). Raises ValueError for any other."""
    from matplotlib.figure import Figure

    figure = Figure((8, 8), layout="constrained")
    axes, legend = figure.subplots(1, 2, width_ratios=(3, 1))
    places = positions(layout)
    sides = [""] * layout.count
    for left, right in layout.pairs:
        sides[left], sides[right] = "left", "right"
    for a, b in layout.edges:
        touched = {sides[a], sides[b]} - {""}
        color = _COLORS[touched.pop() if len(touched) == 1 else ""]
        (x0, y0), (x1, y1) = places[layout.joints[a]], places[layout.joints[b]]
        axes.plot((x0, x1), (y0, y1), color=color, linewidth=2, zorder=1)
    for i, joint in enumerate(layout.joints):
        x, y = places[joint]
        axes.plot(x, y, "o", color=_COLORS[sides[i]], markersize=5, zorder=2)
        offset = (-4, 4) if x < 0 else (4, 4)
        axes.annotate(str(i), (x, y), offset, textcoords="offset points", fontsize=8, ha="right" if x < 0 else "left")
        height = 1 - i / max(layout.count, 20)
        legend.text(0, height, f"{i}  {joint.replace('_', ' ')}", color=_COLORS[sides[i]], fontsize=9, va="top")
    axes.set_title(f"{layout.name}: {layout.count} joints, the person's left in blue", fontsize=10)
    axes.invert_yaxis()
    axes.set_aspect("equal")
    for one in (axes, legend):
        one.axis("off")
    figure.savefig(path, dpi=120)
