"""Arguments and options that several commands share, with their help texts."""

import json
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer


class ExecutorName(StrEnum):
    auto = "auto"
    local = "local"
    ray = "ray"


ManifestName = Annotated[
    str, typer.Argument(metavar="MANIFEST", help="A manifest: its file, or the name of one in `pipeline manifests`.")
]
RunName = Annotated[
    str, typer.Argument(metavar="RUN", help="A run: its folder or URL, its name in runs/, or its manifest.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="STAGE.PARAMETER=VALUE", help="Set a parameter, as in train.epochs=2. Repeatable."),
]
Name = Annotated[str | None, typer.Option(help="Name of the run, instead of the manifest's own.")]
From = Annotated[str | None, typer.Option("--from", metavar="STAGE", help="Only this stage and the stages after it.")]
Only = Annotated[str | None, typer.Option(metavar="STAGE", help="Only this stage.")]
Force = Annotated[
    list[str] | None, typer.Option(metavar="STAGE", help="Compute this stage again, even if it is done. Repeatable.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Retry clips that failed before.")]
Executor = Annotated[
    ExecutorName, typer.Option(help="Where to run: in this process, with Ray, or chosen by the amount of work.")
]
RayAddress = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Run on the Ray cluster at this address.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def named(settings: Sequence[str] | None, name: str | None) -> list[str]:
    """The settings of ``--set``, with the one that ``--name`` stands for."""
    return [*(settings or ()), *([] if name is None else [f"name={json.dumps(name)}"])]
