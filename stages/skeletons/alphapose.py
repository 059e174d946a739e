"""AlphaPose's ``alphapose-results.json`` in the formats of other tools, as ``--format open`` and ``cmu`` make it.

Without ``--format`` it is a list of results like COCO's (see coco.py).
"""

from collections.abc import Mapping
from typing import Any

from stages.skeletons.frame_names import places
from stages.skeletons.json_file import an_object
from stages.skeletons.openpose import people
from stages.skeletons.recording import Recording


def is_by_image(content: Mapping[str, Any]) -> bool:
    """Whether the content is of this format."""
    first = next(iter(content.values()), None)
    return isinstance(first, dict) and ("people" in first or "bodies" in first)


def by_image_clips(content: Mapping[str, Any], file: str) -> dict[str, Recording]:
    """The clips of ``{"12.jpg": {"people": [...]}}``: OpenPose's people for each image that shows somebody.

    Raises ClipError that says which image is wrong.
    """
    clips: dict[str, Recording] = {}
    for image, (clip, frame) in places(content, file).items():
        frame_people = an_object(content[image], file, f"image {image}")
        for layout, sighting in people(frame_people, frame, f"{file}, image {image}"):
            clips.setdefault(clip, Recording(layout, [])).sightings.append(sighting)
    return clips
