"""Classes that parameters name: the package's by a short name, a user's own as ``my_module:MyClass``."""

import importlib
import re
from collections.abc import Mapping
from typing import Any

from pipeline.errors import StageError
from pipeline.registry import did_you_mean, make_current_folder_importable

CLASS = re.compile(r"[^\W\d][\w.]*:[^\W\d]\w*")
"""``module:Class``. Nothing else is imported, so what a text of another form names is never run."""


def check_name(name: str, ours: Mapping[str, str], what: str) -> str:
    """Return ``name`` if the package has it (``ours``, each with its target) or it has the form of a user's own class.

    what: the parameter. Raises ValueError with the nearest name and all names. Imports nothing.
    """
    if name in ours or CLASS.fullmatch(name):
        return name
    hint = did_you_mean(name, ours, most=0) or "."
    own = f"a class of your own, my_module:My{what.capitalize()}"
    raise ValueError(f"no {what} is called {name!r}{hint} Known: {', '.join(ours)}, or {own}")


def load_class(target: str, what: str) -> Any:
    """Import ``module:Class``, also from the current folder.

    what: the parameter that names it, for error texts. Raises StageError if the module cannot be imported, for any
    reason, or has no such class.
    """
    if not CLASS.fullmatch(target):
        raise StageError(f"{what}: {target!r} is not module:Class")
    module, _, name = target.partition(":")
    make_current_folder_importable()
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        raise StageError(f"{what}: {target} cannot be imported: {type(error).__name__}: {error}") from error


def build(target: str, what: str, *arguments: Any) -> Any:
    """An instance of ``module:Class``. Raises StageError if it cannot be imported or built."""
    cls = load_class(target, what)
    try:
        return cls(*arguments)
    except StageError:
        raise
    except Exception as error:
        raise StageError(f"{what}: {target} cannot be built: {type(error).__name__}: {error}") from error
