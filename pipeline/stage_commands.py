"""Commands that know what the stages do. Like the stages, they are found by name in the package ``stages``."""

import importlib
from collections.abc import Callable

import typer


def stage_commands() -> dict[str, Callable[..., None] | typer.Typer]:
    """These commands by name, imported; a Typer is a command with commands of its own."""
    commands = {}
    for name, target in importlib.import_module("stages").COMMANDS.items():
        module, _, function = target.partition(":")
        commands[name] = getattr(importlib.import_module(module), function)
    return commands
