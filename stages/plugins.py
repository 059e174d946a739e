"""A user's own classes, named in a stage's parameters as ``my_module:MyClass``."""

import importlib
from typing import Any

from pipeline.errors import StageError
from pipeline.registry import make_current_folder_importable


def load_class(target: str, what: str) -> Any:
    """Import ``module:Class``, also from the current folder.

    what: the parameter that names it, for people. Raises StageError where the module cannot be imported, whatever it
    raises, or has no such class.
    """
    module, _, name = target.partition(":")
    make_current_folder_importable()
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:
        raise StageError(f"{what}: {target} cannot be imported: {type(error).__name__}: {error}") from error
