"""``pipeline recognize``: thin, as cli.py is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.arguments import Debug, Executor, ExecutorName, RayAddress, RetryFailed, Settings
from pipeline.console import complain, conclude, lines_about_skipped, plain_errors, run_and_show, say
from pipeline.texts import count

if TYPE_CHECKING:
    from pipeline.executor import Executor as Kept
    from pipeline.runs import Result

LISTED = 100
"""Up to this many videos are named that could not be recognized, or not all of them."""
NAMED = 5
"""Up to this many videos are named in one line."""


def recognize(
    videos: Annotated[
        Path,
        typer.Argument(
            metavar="VIDEOS", help="One video, or a folder with videos, or folders of images, at any depth; or a URL."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL",
            help="The run that trained the model, one of its variants, a model's folder or URL, or owner/name on the "
            "Hugging Face hub.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            metavar="OUT",
            help="Folder for recognitions.html and the other files; they replace those of an earlier recognition.",
        ),
    ],
    window: Annotated[
        float | None,
        typer.Option(
            help="Split longer videos into windows of this many seconds; 0: never. Default: as long as training clips."
        ),
    ] = None,
    stride: Annotated[
        float | None, typer.Option(help="Seconds between the starts of two windows. Default: half a window.")
    ] = None,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Where no class is as likely as this, the label is none.")
    ] = 0.0,
    right: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="The score from which on this share of validation clips was right: 0.9."),
    ] = None,
    min_seconds: Annotated[
        float | None,
        typer.Option(min=0, help="Shorter segments become a part of the one before or after. Default: half a window."),
    ] = None,
    smoothing: Annotated[
        float, typer.Option(min=0, help="Seconds over which probabilities are averaged (standard deviation).")
    ] = 0.0,
    per_person: Annotated[
        bool, typer.Option("--per-person", help="Recognize each person in a crop of their own: who does what when.")
    ] = False,
    export: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMATS",
            help="Also write vtt, srt, eaf, labelstudio, coco, jsonl, as in vtt,srt. Those that are in OUT from an "
            "earlier recognition are always written again.",
        ),
    ] = None,
    overlay: Annotated[
        bool, typer.Option("--overlay", help="Also write videos with labels, scores and people drawn.")
    ] = False,
    previews: Annotated[
        bool, typer.Option("--previews", help="Also write small mp4s of videos that browsers do not play.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on with files that arrive later, until interrupted (Ctrl-C).")
    ] = False,
    settings: Settings = None,
    executor: Executor = ExecutorName.auto,
    ray_address: RayAddress = None,
    retry_failed: RetryFailed = False,
    debug: Debug = False,
) -> None:
    """Recognize the actions in new videos: what happens when.

    \b
    pipeline recognize my_videos --model mine --out recognized
    pipeline recognize match.mp4 --model mine --out recognized --min-score 0.5
    pipeline recognize my_videos --model runs/mine --out recognized --window 2 --stride 0.5 --min-seconds 1
    pipeline recognize ward.mp4 --model mine --out recognized --per-person
    pipeline recognize my_videos --model mine --out recognized --export vtt,srt,eaf --overlay
    pipeline recognize incoming --model copied/model --out recognized --watch
    """
    with plain_errors(debug):
        from pipeline.errors import ManifestError
        from pipeline.runs import Options
        from pipeline.urls import is_url
        from stages.commands.live import LiveTables
        from stages.commands.recognition import (
            Windows,
            alone_in,
            data_of,
            least_score,
            recognition_manifest,
            what_is_replaced,
        )
        from stages.commands.watching import SETTLED, watch_folder
        from stages.places import address_of
        from stages.recognitions.exports import asked_for
        from stages.sources.videos import Videos

        remote = is_url(address_of(videos))
        if not (remote or videos.exists()):
            raise ManifestError(f"{videos}: no such file or folder")
        if watch and remote:
            raise ManifestError(f"{address_of(videos)}: only folders of this machine are watched: leave out --watch")
        if watch and not videos.is_dir():
            raise ManifestError(f"{videos}: is no folder, in which files could arrive: leave out --watch")
        try:
            exports = asked_for(export or ())
        except ValueError as error:
            raise ManifestError(f"--export: {error}") from None
        if right is not None and min_score:
            raise ManifestError("--right chooses the least score: leave out --min-score")
        min_score = min_score if right is None else least_score(model, right)
        merging = {"min_score": min_score, "min_seconds": min_seconds, "smoothing": smoothing}
        files = {"exports": exports, "model": model, "previews": previews}
        windows = Windows(window, stride, settled=SETTLED if watch else 0.0)
        manifest = recognition_manifest(videos, model, out, windows, merging | files, settings or (), per_person)
        if data := data_of(model):
            say(f"note: the model was trained on {data}")
        options = Options(executor=executor.value, ray_address=ray_address, retry_failed=retry_failed)
        with alone_in(out):
            if replaced := what_is_replaced(manifest, out):
                say(replaced)
            if not watch:
                result = run_and_show(manifest, options, watch=lambda plan: LiveTables(plan, say))
                for line in [*_what_is_missing(result), *([] if overlay else _left_overlays(result, out))]:
                    say(line)
                if overlay:
                    _draw_overlays(result, out)
                conclude(manifest, result)
                return

            told: set[str] = set()

            def once(executor: "Kept | None") -> None:
                result = run_and_show(manifest, options, executor, lambda plan: LiveTables(plan, say))
                lines = [*_what_is_missing(result), *([] if overlay else _left_overlays(result, out)), *result.exported]
                for line in lines:
                    if line not in told:
                        say(line)
                told.clear()
                told.update(lines)
                for error in result.errors:
                    complain(error)
                if overlay:
                    _draw_overlays(result, out)

            say(f"watching {videos}: files are taken {SETTLED:g} s after they last changed; Ctrl-C ends this")
            in_child = executor in (ExecutorName.auto, ExecutorName.local) and not ray_address
            watch_folder(Videos(root=videos, leave_out=out, settled=SETTLED), once, in_child, say)


def _what_is_missing(result: "Result") -> list[str]:
    """Lines that name the files that were not listed, and each video that failed, or a part of it."""
    failed = _failed_videos(result)
    lines = [*lines_about_skipped(result, each=True), *failed[:LISTED]]
    if len(failed) > LISTED:
        lines.append(f"and {count(len(failed) - LISTED, 'more video')}: pipeline failures {result.folder}")
    return lines


def _failed_videos(result: "Result") -> list[str]:
    """A line for each video of which something failed, however many windows that are."""
    from stages.recognitions.stage import Recognitions
    from stages.recognitions.videos import by_file

    errors = {failure.clip_id: failure.error for failure in result.failures}
    (listing,) = result.plan.sources.values()
    (stage,) = [own.node.stage for own in result.plan.nodes.values() if isinstance(own.node.stage, Recognitions)]
    lines = []
    for file, clips in by_file(listing.table.select(["clip_id", "path", "start", "end"]).to_pylist(), stage.folder):
        failed = [errors[clip["clip_id"]] for clip in clips if clip["clip_id"] in errors]
        if len(failed) == len(clips):
            lines.append(f"skipped {file}: {failed[0]}")
        elif failed:
            lines.append(f"skipped {len(failed):,} of {count(len(clips), 'window')} of {file}: {failed[0]}")
    return lines


def _left_overlays(result: "Result", out: Path) -> list[str]:
    """A line about drawings of earlier results, if there are any, of a run that succeeded."""
    from stages.commands.recognition_overlay import FOLDER, outdated_overlays

    left = [] if result.errors else outdated_overlays(result.plan, out)
    if not left:
        return []
    more = f" and {count(len(left) - NAMED, 'more video')}" if len(left) > NAMED else ""
    return [f"{out / FOLDER} shows earlier results: {', '.join(left[:NAMED])}{more}; --overlay draws them again"]


def _draw_overlays(result: "Result", out: Path) -> None:
    """Draw what is new of a run that succeeded."""
    from rich.console import Console

    from pipeline.progress import display_for
    from stages.commands.recognition_overlay import FOLDER, UNCHANGED, overlay_items
    from stages.commands.showing import show_items

    if result.errors:
        return
    display = display_for(Console())
    try:
        results = show_items(overlay_items(result.plan, out), out / FOLDER, display)
    finally:
        display.close()
    for one in results:
        if one.shown is None:
            complain(f"not drawn: {one.name}: {one.error}")
        for note in one.shown.notes if one.shown else ():
            say(f"{one.name}: {note}")
    drawn = [one.shown for one in results if one.shown]
    before = sum(shown.facts == UNCHANGED for shown in drawn)
    if drawn:
        say(f"{count(len(drawn), 'video')} in {out / FOLDER}" + (f", {before} of them drawn before" if before else ""))
