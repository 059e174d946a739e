"""Joint layouts by name."""

from difflib import get_close_matches

from recognizer.joint_layout import Layout
from recognizer.layouts import (
    BODY25,
    COCO17,
    H36M17,
    HALPE26,
    JHMDB15,
    KINECT20,
    MEDIAPIPE33,
    NTU25,
    OPENPOSE18,
    PENNACTION13,
)
from recognizer.layouts import BUILT_IN as LAYOUTS

__all__ = [
    "BODY25",
    "COCO17",
    "H36M17",
    "HALPE26",
    "JHMDB15",
    "KINECT20",
    "LAYOUTS",
    "MEDIAPIPE33",
    "NTU25",
    "OPENPOSE18",
    "PENNACTION13",
    "Layout",
    "layout",
]


def layout(name: str) -> Layout:
    """The layout called ``name``. Raises ValueError, which suggests the nearest name, if there is none."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    nearest = get_close_matches(name, LAYOUTS, n=1, cutoff=0.3)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    raise ValueError(f"no joint layout is called {name!r}{hint} Known layouts: {', '.join(LAYOUTS)}")
