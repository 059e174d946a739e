"""Joint layouts by name, and users' own by their definition.

Tables and models' configs say which joints they are about in a text: the name of a built-in layout, or the definition
of any other one. So they mean the same in every process and on every machine, whatever is installed there.
"""

import json
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

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
    "find_layout",
    "installed_layouts",
    "layout",
    "layout_text",
]

GROUP = "action_pipeline.layouts"
"""Entry points of this group are layouts of installed packages: ``dance16 = "my_package.skeletons:DANCE16"``."""


@lru_cache(maxsize=64)
def layout(text: str) -> Layout:
    """The layout that a table or a config names or defines, the inverse of ``layout_text``.

    Raises ValueError, which suggests the nearest name, if there is none.
    """
    if text in LAYOUTS:
        return LAYOUTS[text]
    if _defines(text):
        from recognizer.layout_definition import parse_definition

        return _not_taken(parse_definition(text))
    raise ValueError(_unknown(text))


def layout_text(layout: Layout) -> str:
    """What tables and configs call a layout: a built-in one by its name, any other by its definition in JSON."""
    if LAYOUTS.get(layout.name) == layout:
        return layout.name
    return json.dumps(layout.definition(), separators=(",", ":"), ensure_ascii=False)


def find_layout(text: str, folder: Path | None = None) -> Layout:
    """The layout that a user means.

    text: the name of a built-in layout or of an installed package's, a YAML file (``my_joints.yaml``), or its content.
    folder: what the file is relative to; None: the current folder.

    Raises ValueError that says what is wrong.
    """
    if text in LAYOUTS or _defines(text):
        return layout(text)
    if text.lower().endswith((".yaml", ".yml")):
        from recognizer.layout_definition import read_definition

        return _not_taken(read_definition((folder or Path()) / Path(text).expanduser()))
    return _installed(text) or layout(text)


def installed_layouts() -> list[str]:
    """Names of the layouts of installed packages, without importing them."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=GROUP)})


def _installed(name: str) -> Layout | None:
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=name):
        try:
            found = entry.load()
        except Exception as error:
            raise ValueError(f"layout {name} of {entry.value} cannot be imported: {error}") from error
        if not isinstance(found, Layout):
            raise ValueError(f"layout {name}: {entry.value} is not a recognizer.skeletons.Layout")
        return _not_taken(found)
    return None


def _defines(text: str) -> bool:
    return "\n" in text or text.startswith("{")


def _not_taken(own: Layout) -> Layout:
    """Raise ValueError if a layout has the name of a built-in one, but not its joints."""
    if own.name in LAYOUTS and LAYOUTS[own.name] != own:
        raise ValueError(f"{own.name} is the name of a built-in layout with other joints or limbs: choose another name")
    return own


def _unknown(name: str) -> str:
    known = [*LAYOUTS, *installed_layouts()]
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    nearest = get_close_matches(name, known, n=1, cutoff=0.3)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    return f"no joint layout is called {shown!r}{hint} Known layouts: {', '.join(known)}, or a YAML file of your own"
