"""Videos to be drawn, and the decode and pose stages of a manifest that look for the people in them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ManifestError
from pipeline.layers import expand, override, read_layers
from pipeline.manifest import built_stages, stage_spec
from pipeline.parameters import Complaint, raise_complaints
from pipeline.registry import resolve
from pipeline.shipped import find_manifest
from pipeline.stage import Stage
from pipeline.yaml_lines import KeyPath, Place
from recognizer.skeletons import layout_text
from stages.commands.showing import Item, Progress
from stages.leftovers import is_leftover
from stages.places import fingerprint
from stages.pose.estimators import TopDownEstimator, find_estimator
from stages.pose.skeleton_rows import relative
from stages.pose.stage import Models, Pose
from stages.showing.estimated import estimated
from stages.showing.footage import Footage
from stages.showing.people import People, of_keypoints
from stages.showing.show import Shown, show
from stages.skeletons.formats import entries, read_skeletons
from stages.sources.files import VIDEO_EXTENSIONS, Video, find_videos
from stages.sources.recordings import without_extension
from stages.sources.skeleton_entries import entry_of
from stages.tables import CLIPS
from stages.video.passes import Encoding
from stages.video.stage import Decode
from stages.video.with_images import EXTENSIONS as IMAGE_EXTENSIONS


class FrontEnd(NamedTuple):
    """What takes videos to skeletons in a manifest."""

    decode: Decode
    pose: Pose


def front_end(asked: str, settings: Sequence[str]) -> FrontEnd:
    """The decode and pose stages of a manifest, with settings like ``pose.persons=5``. The rest of it does not matter.

    Raises ManifestError if it has no pose stage, or something is wrong with the two.
    """
    origin = os.path.normpath(find_manifest(asked))
    values, places = read_layers(Path(origin), origin)
    stages = values.get("stages")
    kinds: tuple[type[Stage], ...] = (Decode, Pose)
    found: dict[type[Stage], str] = {}
    for name, body in stages.items() if isinstance(stages, dict) else ():
        for kind in kinds:
            if _is(kind, name, body):
                found.setdefault(kind, name)
    if Pose not in found:
        raise ManifestError(f"{origin}: has no stage that estimates poses: give another --manifest")
    values = {"stages": {name: stages[name] for name in found.values()}}
    for option in settings:
        override(values, places, option, ())
    complaints = list(expand(values, places, origin, os.environ))
    built: dict[type[Stage], Stage] = {}
    for kind, name in found.items():
        made, wrong = _built(name, values["stages"].get(name), places, origin)
        complaints += wrong
        built |= {kind: made[0]} if made else {}
    raise_complaints(complaints)
    decode, pose = built.get(Decode, Decode()), built[Pose]
    assert isinstance(decode, Decode) and isinstance(pose, Pose)
    return FrontEnd(decode, pose)


def _is(kind: type[Stage], name: str, body: object) -> bool:
    uses = body.get("uses") if isinstance(body, dict) else None
    try:
        return resolve(str(uses or name)) == f"{kind.__module__}:{kind.__name__}"
    except ManifestError:
        return False  # it is not asked for


def _built(name: str, body: object, places: dict[KeyPath, Place], origin: str) -> tuple[list[Stage], list[Complaint]]:
    spec, wrong = stage_spec(name, body, lambda path: places.get(path, Place(origin)))
    return ([], wrong) if spec is None else built_stages(spec, places, origin)


def estimating_items(videos: Path, stages: FrontEnd, out: Path) -> list[Item]:
    """Everything below a folder, or one video, with the people whom the stages find. Loads no model yet.

    Raises ManifestError if there is no video, or if weights are missing and cannot be downloaded.
    """
    found = _found(videos, out)
    problems = list(stages.pose.prepare(CLIPS.schema.empty_table(), fetch=True))
    if problems:
        raise ManifestError("\n".join(problem.text for problem in problems))
    models = stages.pose.load({})
    encoding = Encoding(stages.decode.short_side, stages.decode.quality)
    return [_estimating(video, models, encoding, _about(stages.pose)) for video in found]


def _found(root: Path, out: Path) -> list[Video]:
    if root.is_file() or _holds_images_alone(root):
        return [Video(root.absolute().name, str(root.absolute()), fingerprint(root))]
    results = out.resolve()
    videos = find_videos(root, "videos, or the images of one")[0]
    others = [video for video in videos if results not in Path(video.path).resolve().parents]
    if not others:
        raise ManifestError(f"{root}: holds no videos but those that were drawn")
    return others


def _holds_images_alone(folder: Path) -> bool:
    """Whether the images of a folder are the frames of a video."""
    entries = [entry for entry in folder.iterdir() if not is_leftover(entry.name)]
    videos = any(entry.is_dir() or entry.suffix.lower() in VIDEO_EXTENSIONS for entry in entries)
    return not videos and any(entry.suffix.lower() in IMAGE_EXTENSIONS for entry in entries)


def _about(pose: Pose) -> str:
    """Where the people come from."""
    boxes = f", boxes by {pose.detector}" if issubclass(find_estimator(pose.estimator), TopDownEstimator) else ""
    return f"skeletons by {pose.estimator}{boxes}"


def _estimating(video: Video, models: Models, encoding: Encoding, about: str) -> Item:
    footage = Footage(Path(video.path))

    def draw(out: Path, progress: Progress) -> Shown:
        people = estimated((seen.image for seen in footage.pictures()), models, encoding)
        return _shown(footage, people, video.name, about, out, progress)

    return Item(video.name, footage.path, footage.expected, draw)


def given_item(video: Path, skeletons: Path) -> Item:
    """A video with the people of a skeleton file, in which it may be one of many by its name without the extension.

    Raises ManifestError if ``video`` is more than one.
    """
    if video.is_dir() and not _holds_images_alone(video):
        raise ManifestError(f"{video}: --skeletons needs one video, or one folder of its images")
    footage = Footage(video)

    def draw(out: Path, progress: Progress) -> Shown:
        known = entries(skeletons)
        entry = None if known is None else entry_of(video.name, known) or without_extension(video.name)
        file = read_skeletons(skeletons, entry)
        height, width = next(footage.pictures()).image.shape[:2]
        file.check(footage.expected(), width, height)
        file = file.in_pixels(width, height)
        keypoints = np.nan_to_num(relative(file.keypoints, *(file.size or (width, height))))
        people = of_keypoints(keypoints, layout_text(file.layout))
        return _shown(footage, people, video.absolute().name, f"skeletons of {skeletons.name}", out, progress)

    return Item(video.absolute().name, footage.path, footage.expected, draw)


def _shown(footage: Footage, people: Iterator[People], name: str, about: str, out: Path, progress: Progress) -> Shown:
    sound_of = None if footage.path.is_dir() else footage.path
    shown = show(name, footage.pictures(), people, out, about, sound_of=sound_of, progress=progress)
    return shown._replace(notes=[*footage.notes, *shown.notes])
