"""The manifests that ship with the package: found by name from any folder, listed, and printed to start one's own from.

A name is the path below ``manifests/`` without the suffix: ``demo``, ``base/laptop``.
"""

import re
from pathlib import Path

from pipeline.errors import ManifestError

_IN_WHEEL = Path(__file__).parent / "manifests"
FOLDER = _IN_WHEEL if _IN_WHEEL.is_dir() else Path(__file__).parents[1] / "manifests"
"""Inside the package where a wheel is installed, at the top of the repository in a clone."""

TO_EXTEND = "base/"
"""How the names of recipes begin that have no data of their own: they are extended, not run."""


def shipped_manifests() -> dict[str, Path]:
    """The file of each manifest by its name, sorted, those in subfolders last."""
    files = sorted(FOLDER.rglob("*.yaml"), key=lambda file: (len(file.parts), file))
    return {file.relative_to(FOLDER).with_suffix("").as_posix(): file for file in files}


def description(file: Path) -> str:
    """What a shipped manifest says about itself, on one line. Read without YAML: parsing them all takes 0.3 s."""
    line = re.search(r"^description: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return line[1] if line else ""


def find_manifest(asked: str) -> Path:
    """The manifest that a command is given: a file, or else a shipped one by its name. Raises ManifestError."""
    shipped = shipped_manifests().get(asked)
    if shipped and not Path(asked).is_file():  # a folder may well be called demo
        return shipped
    if not Path(asked).exists():
        raise _unknown(asked, "no such file, and no manifest of this name ships with the package")
    return Path(asked)


def find_shipped(name: str) -> Path:
    """The file of a shipped manifest. Raises ManifestError with the nearest name."""
    try:
        return shipped_manifests()[name]
    except KeyError:
        raise _unknown(name, "no manifest of this name ships with the package") from None


def shipped_base(extends: str) -> Path | None:
    """The shipped manifest that ``extends`` means where the file it names does not exist; None if there is none.

    It is given by name, or as shipped manifests do it, by its path from where they are (``../base/laptop.yaml``): a
    copy of one works in any folder.
    """
    return shipped_manifests().get(re.sub(r"^(\.\./)+|\.yaml$", "", extends))


def _unknown(asked: str, what: str) -> ManifestError:
    from pipeline.registry import did_you_mean  # imports pyarrow: too slow for listing manifests

    near = did_you_mean(re.sub(r"^(.*/)?manifests/|\.ya?ml$", "", asked), shipped_manifests(), most=0)
    return ManifestError(f"{asked}: {what}{near or ';'} 'pipeline manifests' lists them")
