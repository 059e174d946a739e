"""What ``pipeline show`` is asked to draw: a video, a folder, or clips of a run."""

from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.events import EVENTS
from pipeline.runs import MANIFEST
from stages.commands.showing import Item
from stages.commands.showing_run import run_items
from stages.commands.showing_videos import estimating_items, front_end, given_item
from stages.sources.files import VIDEO_EXTENSIONS


def items_of(
    what: str,
    clips: list[str],
    out: Path | None,
    manifest: str,
    settings: list[str],
    skeletons: Path | None,
    variant: str | None,
) -> tuple[Path, list[Item]]:
    """The folder for the files, and what is to be drawn. Raises ManifestError if the request is wrong."""
    path = Path(what)
    if path.suffix.lower() in VIDEO_EXTENSIONS and not path.exists():
        raise ManifestError(f"{path}: no such video")
    if not _is_video_or_folder(path) or clips or variant:
        if settings or skeletons:
            raise ManifestError("--set and --skeletons are for videos: of a run, its own results are drawn")
        if path.is_file() and path.suffix not in (".yaml", ".yml"):
            raise ManifestError(f"{path}: is a video, not a run, so that it has no clips or variants")
        run = run_items(what, clips, variant)
        return out or run.folder / "shown", run.items
    folder = out or Path("shown")
    if skeletons is not None:
        if settings:
            raise ManifestError("--set: without effect, since nobody is looked for with --skeletons")
        return folder, [given_item(path, skeletons)]
    return folder, estimating_items(path, front_end(manifest, settings), folder)


def _is_video_or_folder(path: Path) -> bool:
    if path.is_dir():
        is_run = any((path / name).is_file() for name in (MANIFEST, EVENTS))
        is_part = path.parent.name == "variants" and (path.parents[1] / MANIFEST).is_file()
        return not (is_run or is_part or path.name == "model")
    return path.is_file() and path.suffix not in (".yaml", ".yml")
