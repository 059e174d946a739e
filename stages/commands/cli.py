"""``pipeline explain``, ``doctor``, ``check-videos``, ``publish``: thin, with imports inside, as in pipeline.cli."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.arguments import Debug, Name, RunName, Settings, named
from pipeline.console import complain, plain_errors, say, table
from pipeline.texts import count


def explain(
    run: RunName,
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="CLIP", help="Ids of clips, or patterns. Default: a few clips of the run's predictions."
        ),
    ] = None,
    variant: Annotated[
        str | None, typer.Option(help="A variant of a matrix, such as modality=rgb. Default: the first.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Folder for the page and the pictures. Default: runs/NAME/explain."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Draw what a trained model attends to: points on the frames, joints over time.

    \b
    pipeline explain demo
    pipeline explain demo test/wave_left/0003.mp4 'test/push/*'
    pipeline explain demo_modalities --variant modality=pose --out pictures
    """
    with plain_errors(debug):
        from stages.commands.explanation import explain_run

        explained = explain_run(run, clips or [], variant, out)
        for clip_id, reason in explained.failed:
            complain(f"not explained: {clip_id}: {reason}")
        if len(explained.failed) == explained.clips:
            raise typer.Exit(1)
        say(str(explained.folder / "explanation.html"))


def doctor(
    manifest: Annotated[
        str | None, typer.Argument(metavar="[MANIFEST]", help="Also check what this one needs.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Also ask all machines of the Ray cluster at this address.")
    ] = None,
    settings: Settings = None,
    name: Name = None,
    debug: Debug = False,
) -> None:
    """Show what is installed, and what is missing before a run.

    \b
    pipeline doctor demo
    pipeline doctor demo --ray-address auto
    pipeline doctor finegym --set index.val_share=0.1
    """
    with plain_errors(debug):
        from pipeline.errors import ManifestError
        from pipeline.shipped import find_manifest
        from stages.commands.examination import examine

        settings = named(settings, name)
        if settings and manifest is None:
            option = "--set NAME=VALUE" if name is None else f"--name {name}"
            raise ManifestError(f"{option}: name the manifest: pipeline doctor MANIFEST {option}")
        findings = list(examine(find_manifest(manifest) if manifest else None, settings))
        table(("", "", ""), [(finding.what, finding.verdict, finding.detail) for finding in findings])
        missing = sum(finding.verdict == "missing" for finding in findings)
        if ray_address:
            from pipeline.nodes import node_lines
            from stages.commands.examination import examine_cluster

            nodes = examine_cluster(ray_address, find_manifest(manifest) if manifest else None, settings)
            say("")
            for line in node_lines(nodes):
                say(line)
            missing += sum(len(node.lacks) for node in nodes)
        if missing:
            say(f"\n{count(missing, 'thing')} missing")
            raise typer.Exit(1)


def check_videos(
    videos: Annotated[
        Path, typer.Argument(metavar="VIDEOS", help="A folder of videos, in any depth of folders, or one video.")
    ],
    debug: Debug = False,
) -> None:
    """Read videos from beginning to end, and say what is unusual.

    \b
    pipeline check-videos my_videos
    """
    with plain_errors(debug):
        from pipeline.texts import duration
        from stages.commands.video_check import check_videos as check_each

        checked, unusual, bad = 0, 0, 0
        for check in check_each(videos):
            checked += 1
            unusual += bool(check.notes)
            bad += bool(check.problems)
            about = f"{count(check.frames, 'frame')}, {duration(check.seconds)}, {check.size} {check.codec}"
            say(f"{check.name}: {about}" if check.frames else check.name)
            for text in check.notes:
                say(f"    note: {text}")
            for text in check.problems:
                say(f"    problem: {text}")
        say(f"\n{count(checked, 'video')}: {bad} with problems, {unusual} with something unusual that is read rightly")
        if bad:
            raise typer.Exit(1)


def publish(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A run, a variant of one, or the folder of a model.")],
    repository: Annotated[
        str, typer.Argument(metavar="OWNER/NAME", help="Its name on the Hugging Face hub. It need not exist.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Let everybody see it. Default: only the owner can.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Send a trained model with its card to the Hugging Face hub.

    Sent are config.json, model.safetensors, README.md and recognition.json, in which paths are reduced to names of
    files; of an earlier model there, those that this one lacks are deleted. Whoever may see the model recognizes with
    it: pipeline recognize VIDEOS --model OWNER/NAME --out recognized

    \b
    pipeline publish demo someone/waving --dry-run
    pipeline publish runs/demo/model someone/waving --public
    """
    with plain_errors(debug):
        from pipeline.texts import byte_size
        from stages.commands.publishing import prepared, send

        with prepared(model, repository) as sent:
            say(f"{repository}, {'for everybody' if public else 'private'}:")
            table(("file", "size", "SHA-256"), [(name, byte_size(size), digest) for name, size, digest in sent.files])
            for name in sent.not_sent:
                say(f"not sent, though recognition.json names it: {name}")
            if not dry_run:
                say(send(sent, repository, public))
