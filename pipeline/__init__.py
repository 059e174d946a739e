"""The engine: manifests, graph, keys, plans, store, runs and the command line. It knows tables, but no videos.

``from pipeline import run, recognize, load_model, Run`` gives Python programs what the command line does. Like stages
and commands, these are found by name in the package ``stages``, and imported when they are first asked for.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    target = "" if name.startswith("_") else import_module("stages").API.get(name, "")
    if not target:
        raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
    module, _, found = target.partition(":")
    return getattr(import_module(module), found)


def __dir__() -> list[str]:
    return [*globals(), *import_module("stages").API]
