"""The manifests that ship with the package. They are found by name from any folder, and can be printed and changed.

A name is the path below ``manifests/`` without the suffix: ``demo``, ``base/laptop``.
"""

import re
from pathlib import Path

from pipeline.errors import ManifestError

_IN_WHEEL = Path(__file__).parent / "manifests"
FOLDER = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).parents[1] / "manifests"
"""Inside the package if a wheel is installed; at the top of the repository in a clone."""

LONGEST_NAME = 100
"""Characters of an unknown name that are repeated in an error."""

TO_EXTEND = "base/"
"""The start of the names of recipes without data, which are extended and not run."""


def shipped_manifests() -> dict[str, Path]:
    """The file of each manifest by its name, sorted, those in subfolders last."""
    files = sorted(FOLDER.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(FOLDER).with_suffix("").as_posix(): file for file in files}


def description(file: Path) -> str:
    """The one-line description of a shipped manifest. Found without parsing YAML, which takes 0.3 s for all of them."""
    line = re.search(r"^description: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return line[1] if line else ""


def find_manifest(asked: str) -> Path:
    """The manifest that a command is given: a file, or else the name of a shipped one. Raises ManifestError."""
    shipped = shipped_manifests().get(asked)
    if shipped and not Path(asked).is_file():  # a folder called demo does not hide it
        return shipped
    if not _exists(asked):
        raise _unknown(asked, "no such file, and no manifest of this name ships with the package")
    return Path(asked)


def _exists(asked: str) -> bool:
    try:
        return Path(asked).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def find_shipped(name: str) -> Path:
    """The file of a shipped manifest. Raises ManifestError that suggests the nearest name."""
    try:
        return shipped_manifests()[name]
    except KeyError:
        raise _unknown(name, "no manifest of this name ships with the package") from None


def shipped_base(extends: str) -> Path | None:
    """The shipped manifest that ``extends`` means if the file that it names does not exist; None if there is none.

    It is given by name or, as in shipped manifests, by relative path (``../base/laptop.yaml``), so that a copy of a
    shipped manifest works in any folder.
    """
    return shipped_manifests().get(re.sub(r"^(\.\./)+|\.yaml$", "", extends))


def _unknown(asked: str, what: str) -> ManifestError:
    from pipeline.registry import did_you_mean  # imports pyarrow: too slow for listing manifests

    near = did_you_mean(re.sub(r"^(.*/)?manifests/|\.ya?ml$", "", asked), shipped_manifests(), most=0)
    asked = asked if len(asked) <= LONGEST_NAME else f"{asked[:LONGEST_NAME]}…"
    return ManifestError(f"{asked}: {what}{near or ';'} 'pipeline manifests' lists them")
