"""Recognition of a folder into which files keep coming."""

import time
from collections.abc import Callable
from contextlib import closing, nullcontext

from pipeline.errors import ManifestError, PipelineError
from pipeline.executor import Executor
from stages.sources.videos import Videos

SETTLED = 5.0
"""Seconds since a file last changed after which it is taken for complete."""
POLL = 2.0
"""Seconds between two looks at the folder."""


def watch_folder(
    source: Videos, recognize: Callable[[Executor | None], None], in_child: bool, say: Callable[[str], None]
) -> None:
    """Recognize what is in the folder, then what arrives or changes, until interrupted while waiting.

    What was recognized last stays as it is while the folder is empty. After the first time, errors are only told.
    recognize: called for each change, with an executor that is kept, or None to choose one. in_child: keep one worker
    process with its models, instead of starting others for each file.
    """
    from pipeline.child_executor import ChildExecutor

    before: list[tuple[str, str]] = []
    with closing(ChildExecutor()) if in_child else nullcontext() as kept:
        executor = None  # the first pass may be large
        while True:
            found = _listed(source)
            if found and found != before:
                try:
                    recognize(executor)
                except (PipelineError, OSError) as error:  # such as a folder that was emptied since, or a full disk
                    if not before:  # the request itself may be wrong
                        raise
                    say(f"not recognized: {error}")
                    if kept:
                        kept.close()  # it may have jobs of that run; the next run starts another worker
                before, executor = found, kept
            try:
                time.sleep(POLL)
            except KeyboardInterrupt:
                say("stopped watching; everything that was complete has been recognized")
                return


def _listed(source: Videos) -> list[tuple[str, str]]:
    """Name and fingerprint of each video that is complete; none as long as there is none."""
    try:
        return [(video.name, video.source) for video in source.complete()]
    except ManifestError:
        return []
