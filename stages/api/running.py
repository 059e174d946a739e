"""Runs a manifest from Python: what the command line prints is shown if asked for, or raised."""

from collections.abc import Callable

from pipeline.errors import StageError
from pipeline.events import Listener
from pipeline.manifest import Manifest
from pipeline.plan import Plan
from pipeline.runs import Options, Result
from pipeline.runs import run as run_engine

Watch = Callable[[Plan], Listener]


def finish(manifest: Manifest, options: Options, progress: bool, watch: Watch | None = None) -> Result:
    """Run a manifest to its end.

    progress: whether it is shown: as bars on a terminal, as lines elsewhere. watch: see ``run`` of the engine.
    Raises StageError if a stage failed, or more clips than the manifest allows.
    """
    result = _shown(manifest, options, watch) if progress else run_engine(manifest, options, watch=watch)
    if result.errors:
        raise StageError("; ".join([*result.errors, "what is done is kept"]))
    if not result.succeeded:
        first = result.failures[0]
        failed = f"{result.failed_clips:,} of {result.clips:,} clips failed"
        raise StageError(f"{manifest.name}: {failed}, such as {first.clip_id} in {first.stage}: {first.error}")
    return result


def _shown(manifest: Manifest, options: Options, watch: Watch | None) -> Result:
    from rich.console import Console

    from pipeline.progress import display_for

    display = display_for(Console())
    try:
        return run_engine(manifest, options, [display], watch=watch)
    finally:
        display.close()
