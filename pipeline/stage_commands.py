"""Commands that know what stages do: found by name in the package of the stages, as the stages are themselves."""

import importlib
from collections.abc import Callable


def stage_commands() -> dict[str, Callable[..., None]]:
    """The commands that know what the package's stages do, by name."""
    commands = {}
    for name, target in importlib.import_module("stages").COMMANDS.items():
        module, _, function = target.partition(":")
        commands[name] = getattr(importlib.import_module(module), function)
    return commands
