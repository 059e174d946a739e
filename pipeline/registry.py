"""Finds the stage class that a manifest names under ``uses``: one of the package's by name, or a user's own."""

import difflib
import importlib
import importlib.metadata
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.stage import Stage

DISTRIBUTION = "action-pipeline"


def known_stages() -> dict[str, str]:
    """The names that a manifest can use, each with its ``module:Class``."""
    return dict(importlib.import_module("stages").STAGES)


def resolve(uses: str) -> str:
    """The ``module:Class`` that ``uses`` means. Raises ManifestError for an unknown name; imports no stage."""
    stages = known_stages()
    if re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", uses):
        return _moved(uses) or uses
    if uses not in stages:
        hint = did_you_mean(uses, stages)
        raise ManifestError(f"no stage is called '{uses}'{hint or '; give your own as package.module:Class'}")
    return stages[uses]


def _moved(target: str) -> str | None:
    """The present ``module:Class`` of a stage whose former one an old run's manifest names."""
    ours = [known for known in known_stages().values() if known.partition(".")[0] == target.partition(".")[0]]
    if target in ours:
        return None
    return next((known for known in ours if load_stage(known).key_name == target), None)


def name_of(target: str) -> str:
    """What a manifest calls a stage: the name of one of the package's own, or a user's ``module:Class``."""
    return {known: name for name, known in known_stages().items()}.get(target, target)


def load_stage(target: str) -> type[Stage]:
    """Import ``module:Class``. Raises ManifestError that says what is missing, and which extra installs it."""
    module_name, class_name = target.split(":")
    make_current_folder_importable()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise ManifestError(f"module '{module_name}' of '{target}' was not found from {Path.cwd()}") from None
        raise ManifestError(f"'{target}' needs the package '{missing}'{how_to_get(missing)}") from None
    except Exception as error:
        raise ManifestError(f"'{target}' cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        classes = [name for name, value in vars(module).items() if isinstance(value, type)]
        raise ManifestError(f"module '{module_name}' has no class '{class_name}'{did_you_mean(class_name, classes)}")
    if not issubclass(found, Stage):
        raise ManifestError(f"'{target}' is not a stage: it must be a Source, MapStage or WholeStage of pipeline.stage")
    return found


def find_stage(uses: str) -> type[Stage]:
    """The class that ``uses`` means, imported. Raises ManifestError if there is none."""
    return load_stage(resolve(uses))


def make_current_folder_importable() -> None:
    """Let users import modules from the current folder, as with ``python -m``; installed ones take precedence."""
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)


def makers(table: str) -> list[str]:
    """Names of the package's stages that make a table. Those that cannot be imported are skipped."""
    names = []
    for name, target in known_stages().items():
        try:
            stage = load_stage(target)
        except ManifestError:
            continue
        if stage.makes.name == table:
            names.append(name)
    return names


def did_you_mean(name: str, valid: Iterable[str], most: int = 20, cutoff: float = 0.6) -> str:
    """``; did you mean 'frames'?``, or all valid names if none is similar; nothing if they are more than ``most``."""
    names = list(valid)
    lowered = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=cutoff)
    if not close and len(name) > 2:
        close = [other for other in lowered if name.lower() in other][:1]
    if close:
        return f"; did you mean '{lowered[close[0]]}'?"
    return f"; there are: {', '.join(names)}" if 0 < len(names) <= most else ""


def how_to_get(module: str) -> str:
    """``; pip install 'action-pipeline[onnx]'`` for a package that an extra installs, else a general hint."""
    top = module.partition(".")[0]
    known = extras().items()
    extra = next((extra for package, extra in known if package == top or package.startswith(f"{top}-")), None)
    return f"; pip install '{DISTRIBUTION}[{extra}]'" if extra else "; install it in this environment"


def extras() -> dict[str, str]:
    """Optional packages, each with the extra that installs it."""
    try:
        requirements = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    matches = (re.match(r"""([\w.-]+).*;.*extra == ['"](\w+)['"]""", requirement) for requirement in requirements)
    pairs = [(match[1], match[2]) for match in matches if match and match[1] != DISTRIBUTION and match[2] != "test"]
    size = Counter(extra for _, extra in pairs)
    # If several extras install a package: the smallest extra, and of these the one that is named like the package.
    return dict(sorted(pairs, key=lambda pair: (-size[pair[1]], pair[0].startswith(pair[1]))))
