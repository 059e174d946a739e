"""OpenPose's JSON: a folder with one file per frame, as ``--write_json`` makes it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.errors import ClipError
from recognizer.skeletons import BODY25, COCO17, OPENPOSE18, Layout
from stages.leftovers import is_leftover
from stages.skeletons.frame_names import frame_number
from stages.skeletons.json_file import an_object, objects, read_json_file, shown
from stages.skeletons.people import Sighting
from stages.skeletons.recording import Recording, joints
from stages.skeletons.skeleton_file import SkeletonFile

LAYOUTS = {25: BODY25, 18: OPENPOSE18, 17: COCO17}
"""Layouts by number of joints; COCO's 17 are what converters from other tools write."""
_FIELDS = ("pose_keypoints_2d", "pose_keypoints", "joints")
"""Names of a person's keypoints: now, before version 1.1, and in the format of CMU-Pose."""


def read_openpose(folder: Path, entry: str | None = None) -> SkeletonFile:
    """A folder of files ``NAME_000000000012_keypoints.json``, whose numbers are those of the frames.

    Raises ClipError if the folder has no such files, has files of several clips, or if a file is wrong.
    """
    sightings: list[Sighting] = []
    layouts: dict[Layout, str] = {}
    files = _files(folder)
    for number, path in files.items():
        content = an_object(read_json_file(path, f"skeleton file {path}"), f"skeleton file {path}", "the whole file")
        for layout, sighting in people(content, number, f"skeleton file {path}"):
            layouts.setdefault(layout, path.name)
            sightings.append(sighting)
    if len(layouts) > 1:
        several = ", ".join(f"{layout.name} in {name}" for layout, name in layouts.items())
        raise ClipError(f"skeleton folder {folder} mixes joint layouts: {several}")
    recording = Recording(next(iter(layouts), BODY25), sightings, files.keys())
    return recording.skeletons(folder, None, "write them with --keypoint_scale 0, in pixels of the video")


def people(content: Mapping[str, Any], frame: int, file: str) -> Iterator[tuple[Layout, Sighting]]:
    """The people of one frame: ``{"people": [{"person_id": [-1], "pose_keypoints_2d": [...]}]}``, or ``bodies`` with
    ``joints``. Raises ClipError that says which person is wrong."""
    name = "bodies" if "people" not in content and "bodies" in content else "people"
    for number, person in enumerate(objects(content.get(name), file, name)):
        field = next((field for field in _FIELDS if field in person), _FIELDS[0])
        keypoints = joints(person.get(field), file, f"{name}, {number}, {field}")
        if not len(keypoints):
            continue  # a person of whom only a face or a hand was seen
        if len(keypoints) not in LAYOUTS:
            known = ", ".join(f"{count} ({layout.name})" for count, layout in LAYOUTS.items())
            raise ClipError(f"{file}, {name}, {number}: has {len(keypoints)} joints, not {known}")
        keypoints[:, 2] = keypoints[:, 2].clip(0, 1)
        yield LAYOUTS[len(keypoints)], Sighting(frame, keypoints, _identity(person.get("person_id")))


def _identity(value: object) -> int | None:
    """OpenPose writes [-1] where it has not tracked people."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if type(value) is int and value >= 0 else None


def _files(folder: Path) -> dict[int, Path]:
    """The files of the frames by their numbers, in their order."""
    try:
        names = [entry.name for entry in os.scandir(folder) if not is_leftover(entry.name)]
    except OSError as error:
        raise ClipError(f"skeleton folder {folder} cannot be read: {error.strerror}") from error
    names = [name for name in names if name.lower().endswith(".json")]
    if not names:
        raise ClipError(f"skeleton folder {folder} has no files like OpenPose's NAME_000000000012_keypoints.json")
    found: dict[int, Path] = {}
    for name in sorted(names):
        number = frame_number(name)
        if number is None:
            raise ClipError(f"skeleton folder {folder}: {shown(name)} has no frame number at the end of its name")
        if number in found:
            raise ClipError(
                f"skeleton folder {folder}: {found[number].name} and {name} are the same frame: "
                "make a folder for each clip"
            )
        found[number] = folder / name
    return dict(sorted(found.items()))
