"""``pipeline show``, ``export``, ``layouts`` and ``models``: people and their skeletons; thin, as cli.py is."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.arguments import Debug, Settings
from pipeline.console import complain, plain_errors, say, table
from pipeline.texts import count


def export(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODEL",
            help="A run; for its network also a variant, a model's folder, or owner/name on the hub.",
        ),
    ],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Skeletons: pyskl (a pickle for MMAction2 and pyskl) or coco (COCO's keypoints as JSON). The trained "
            "network: onnx, torchscript or torch-export.",
        ),
    ],
    variant: Annotated[
        str | None, typer.Option(help="Of skeletons: a variant of the stage that made them. Default: the first.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="The file to write. Default: runs/NAME/skeletons.pkl or .json; model.onnx, .pt or .pt2 here.",
        ),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(
            metavar="N|dynamic", help="Of a network: how many frames its clips have. Default: as many as in training."
        ),
    ] = None,
    debug: Debug = False,
) -> None:
    """Write the skeletons or the trained network of a run as a file for other software.

    A network's file takes any number of clips at once, and describes its inputs (docs/export.md).

    \b
    pipeline export demo --format pyskl
    pipeline export demo --format coco --out skeletons.json
    pipeline export demo --format onnx --frames dynamic --out demo.onnx
    """
    with plain_errors(debug):
        from pipeline.errors import ManifestError
        from stages.commands.network_export import FORMATS, export_model

        if form in FORMATS:
            if variant is not None:
                raise ManifestError("--variant: of a network, name the variant's folder: runs/NAME/variants/VARIANT")
            say(str(export_model(run, form, frames, out)))
            return
        if frames is not None:
            raise ManifestError(f"--frames: is for networks ({', '.join(FORMATS)})")
        from stages.commands.skeleton_export import export_run

        exported = export_run(run, form, variant, out)
        for reason, number in exported.left_out.items():
            if number:
                say(f"left out: {count(number, 'clip')} {reason}")
        say(f"{exported.file}: {count(exported.clips, 'clip')}")


def show(
    what: Annotated[str, typer.Argument(metavar="VIDEO|FOLDER|RUN", help="A video, a folder of videos, or a run.")],
    clips: Annotated[
        list[str] | None, typer.Argument(metavar="CLIP", help="Of a run: ids of clips, or patterns. Default: a few.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Folder for the files. Default: shown; for a run, runs/NAME/shown."),
    ] = None,
    manifest: Annotated[
        str, typer.Option(metavar="MANIFEST", help="The manifest whose pose stage looks for people in videos.")
    ] = "folder_laptop",
    settings: Settings = None,
    skeletons: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the skeletons of this file on a video.")
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="Of a run with a matrix, such as modality=rgb. Default: the first.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw people: a video with boxes, track numbers and skeletons, and a contact sheet.

    Videos need no run: the pose stage of a manifest looks for people in all of their frames, as it would in training,
    also at most as many (pose.persons). Boxes are detected in some frames and interpolated between them. Who was out of
    sight for a second may come back under another number. Of a run, the frames and skeletons are drawn that its network
    sees, with label and prediction.

    \b
    pipeline show my_videos/jump.mp4
    pipeline show my_videos --out drawn --set pose.persons=4
    pipeline show jump.mp4 --set pose.estimator=onnx --set pose.weights=pose.onnx
    pipeline show demo_videos --manifest demo
    pipeline show jump.mp4 --skeletons jump.npz
    pipeline show demo 'test/wave_left/*'
    """
    with plain_errors(debug):
        from rich.console import Console

        from pipeline.progress import display_for
        from stages.commands.showing import show_items
        from stages.commands.showing_request import items_of

        folder, items = items_of(what, clips or [], out, manifest, settings or [], skeletons, variant)
        display = display_for(Console())
        try:
            results = show_items(items, folder, display)
        except KeyboardInterrupt:
            complain("interrupted; files that were done are whole, the others are not there")
            raise typer.Exit(130) from None
        finally:
            display.close()
        for result in results:
            if result.shown is None:
                complain(f"not shown: {result.name}: {result.error}")
                continue
            say(f"{result.shown.movie}: {result.shown.facts}")
            for note in result.shown.notes:
                say(f"    note: {note}")
        if not any(result.shown for result in results):
            raise typer.Exit(1)


def layouts(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A layout of the list, or a YAML file of your own.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the layout NAME to this file: .png, .svg or .pdf.")
    ] = None,
    debug: Debug = False,
) -> None:
    """List the joint layouts, or the joints and limbs of one.

    \b
    pipeline layouts
    pipeline layouts body25
    pipeline layouts my_joints.yaml --draw my_joints.png
    """
    with plain_errors(debug):
        from pipeline.errors import ManifestError
        from stages.commands.layouts import conversions, joints_of, known_layouts, layout_named

        if name is None:
            if draw is not None:
                raise ManifestError("--draw: name the layout: pipeline layouts NAME --draw FILE")
            table(("layout", "joints", "of"), [(one.name, str(one.count), one.about) for one in known_layouts()])
            return
        layout = layout_named(name)
        table(("", "joint", "limbs to", "mirrored"), joints_of(layout))
        say(f"\n{layout.name}: {count(layout.count, 'joint')}, {count(len(layout.edges), 'limb')}")
        if layout.about:
            say(layout.about)
        say(f"has joints of: {', '.join(conversions(layout))}")
        if draw is not None:
            from stages.commands.layout_drawing import draw_layout

            try:
                draw_layout(layout, draw)
            except (OSError, ValueError) as error:
                raise ManifestError(f"--draw: {draw}: {error}") from error
            say(str(draw))


models = typer.Typer(
    help="List the pose estimators and detectors: what they cost, how good they are, whether their weights are here.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context, debug: Debug = False) -> None:
    """List the pose estimators and detectors: what they cost, how good they are, whether their weights are here.

    \b
    pipeline models
    """
    if context.invoked_subcommand is None:
        with plain_errors(debug):
            from stages.commands.models import HEAD
            from stages.commands.models import models as known_models

            table(HEAD, [model.row for model in known_models()])


@models.command("get")
def get_models(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models, as pipeline models lists them.")],
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where to put them. Default: where the pose stage looks.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="A folder that has them, in place of the network.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Fetch published weights, and check them. For a machine without a network, by way of another one.

    \b
    pipeline models get nanodet movenet_thunder
    pipeline models get nanodet movenet_thunder --to /media/stick
    pipeline models get nanodet movenet_thunder --from /media/stick
    """
    with plain_errors(debug):
        from stages.commands.models import get

        for file in get(names, to, source):
            say(str(file))
