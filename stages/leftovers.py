"""What systems and programs leave behind in people's folders: no videos, no classes, no images of a clip."""

_NAMES = frozenset(
    {"$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"}  # Windows
    | {"__macosx"}  # zip files of macOS; its ``._name`` files are hidden
    | {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot"}  # network storage
    | {"lost+found", "lost.dir"}  # repaired file systems
)
"""In lower case."""


def is_leftover(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or was not put there by a person."""
    return name.startswith((".", "~$")) or name.lower() in _NAMES
