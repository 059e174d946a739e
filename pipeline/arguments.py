"""Arguments and options that several commands share, with their help texts."""

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
    str, typer.Argument(metavar="RUN", help="A run: its folder, its name below runs/, or its manifest.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="STAGE.PARAMETER=VALUE", help="Change a parameter, as in train.epochs=2. Repeatable."
    ),
]
Name = Annotated[str | None, typer.Option(help="Name of the run, in place of the manifest's own.")]
From = Annotated[str | None, typer.Option("--from", metavar="STAGE", help="Only this stage and what follows from it.")]
Only = Annotated[str | None, typer.Option(metavar="STAGE", help="Only this stage.")]
Force = Annotated[
    list[str] | None, typer.Option(metavar="STAGE", help="Compute this stage again although it is done. Repeatable.")
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Try clips that failed before again.")]
Executor = Annotated[
    ExecutorName, typer.Option(help="Where to work: in this process, through Ray, or as the amount of work suggests.")
]
RayAddress = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Work on the Ray cluster at this address.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where in the program an error arose.")]
