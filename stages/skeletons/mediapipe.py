"""MediaPipe's 33 pose landmarks, which it gives to programs rather than writes: as CSV and JSON, as programs save them.

Coordinates are shares of the frame. They become pixels where a file has the frame's size too (``width``, ``height``).
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import MEDIAPIPE33
from stages.skeletons.json_file import shown, whole_number
from stages.skeletons.people import Sighting
from stages.skeletons.recording import Recording, cleaned
from stages.skeletons.skeleton_file import from_shares

FRAME = ("frame", "frame_id", "frame_number", "frame_num", "frame_index", "frame_idx", "frame_no")
PERSON = ("person", "person_id", "person_index", "pose", "pose_id", "pose_index", "track_id")
VISIBILITY = ("visibility", "vis", "v")
WIDTH = ("width", "image_width", "frame_width")
HEIGHT = ("height", "image_height", "frame_height")
_FRAMES = ("frames", "landmarks", "pose_landmarks", "poses", "results", "data")
"""Fields that hold the list of frames."""
_PEOPLE = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark", "poses", "keypoints")
"""Fields of a frame that hold its people, or its only one."""
_PIXELS = 2.0
"""If half of the coordinates are beyond this, they are not shares of the frame."""


def json_recording(content: object, file: str) -> Recording:
    """The clip of a list of frames, alone or in a field such as ``frames``.

    A frame is null or empty (nobody), the landmarks of one person (``[{"x", "y", "z", "visibility"}, ...]`` or lists of
    these numbers), a list of such people, or an object with such a field and perhaps the number of the ``frame``.
    Without a number frames count from 0. Raises ClipError that names the frame that is something else.
    """
    size = None
    if isinstance(content, Mapping):
        size = frame_size(_field(content, WIDTH), _field(content, HEIGHT), file)
        content = next((content[name] for name in _FRAMES if isinstance(content.get(name), list)), content)
    frames = content if isinstance(content, list) else None
    if frames is None or _is_person(frames):
        raise ClipError(
            f"{file} is of no known format: COCO has images and annotations, AlphaPose a list of results, MediaPipe a "
            "list of frames with 33 landmarks, and OpenPose a folder of files"
        )
    sightings: list[Sighting] = []
    numbers: list[int] = []
    numbered = False
    for position, frame in enumerate(frames):
        number = _field(frame, FRAME) if isinstance(frame, Mapping) else None
        numbered |= number is not None
        numbers.append(position if number is None else whole_number(number, file, f"frame {position}"))
        for person in _people(frame, file, f"frame {position}"):
            sightings.append(Sighting(numbers[-1], person))
    empty = len({sighting.frame for sighting in sightings}) < len(set(numbers))
    return recording(sightings, numbers if empty or not numbered else None, size, file)


def recording(
    sightings: Iterable[Sighting], frames: Collection[int] | None, size: tuple[float, float] | None, file: str
) -> Recording:
    """A clip of these people. Raises ClipError if coordinates are pixels."""
    seen = [sighting._replace(keypoints=cleaned(sighting.keypoints)) for sighting in sightings]
    points = np.concatenate([one.keypoints[one.keypoints[:, 2] > 0, :2] for one in seen] or [np.zeros((0, 2))])
    if len(points) and np.median(np.abs(points)) > _PIXELS:
        raise ClipError(
            f"{file}: coordinates are up to {np.abs(points).max():.0f}, but those of MediaPipe are shares of "
            "the frame: divide x by the width and y by the height of the video"
        )
    for one in seen:
        one.keypoints[:, 2] = one.keypoints[:, 2].clip(0, 1)
    if size is None:
        return Recording(MEDIAPIPE33, seen, frames, relative=True)
    placed = [one._replace(keypoints=cleaned(from_shares(one.keypoints, size))) for one in seen]
    return Recording(MEDIAPIPE33, placed, frames, frozenset({size}))


def frame_size(width: object, height: object, file: str) -> tuple[float, float] | None:
    """Raises ClipError if there is a size, but not a possible one."""
    if width is None and height is None:
        return None
    edges = [float(edge) for edge in (width, height) if isinstance(edge, int | float) and 0 < edge < 1e6]
    if len(edges) < 2:
        raise ClipError(f"{file}: width and height are {shown(width)} and {shown(height)}, not pixels of the video")
    return edges[0], edges[1]


def _people(frame: object, file: str, place: str) -> list[np.ndarray]:
    """The keypoints R,3 of everybody in a frame."""
    if isinstance(frame, Mapping):
        frame = next((frame[name] for name in _PEOPLE if name in frame), None)
        return _people(frame, file, place)
    if frame is None or (isinstance(frame, list) and not any(frame)):
        return []
    if not isinstance(frame, list):
        raise ClipError(f"{file}, {place}: expected a list of landmarks, not {shown(frame)}")
    if _is_landmark(frame[0]):
        return [_person(frame, file, place)]
    return [person for one in frame for person in _people(one, file, place)]


def _person(landmarks: list[Any], file: str, place: str) -> np.ndarray:
    """Keypoints R,3 of one person."""
    if len(landmarks) != MEDIAPIPE33.count:
        raise ClipError(f"{file}, {place}: has {len(landmarks)} landmarks, not the {MEDIAPIPE33.count} of a pose")
    rows = []
    for number, landmark in enumerate(landmarks):
        if isinstance(landmark, Mapping):
            row = [landmark.get("x"), landmark.get("y"), _field(landmark, VISIBILITY)]
        elif isinstance(landmark, list):
            row = [*landmark[:2], landmark[3] if len(landmark) > 3 else None]
        else:
            row = []
        row = [1.0 if value is None and axis == 2 else value for axis, value in enumerate(row)]
        if len(row) != 3 or not all(type(value) in (int, float) for value in row):
            raise ClipError(f"{file}, {place}, landmark {number}: x, y and visibility must be numbers")
        rows.append(row)
    try:
        return np.array(rows, float)
    except OverflowError:
        raise ClipError(f"{file}, {place}: has a number beyond all coordinates") from None


def _is_landmark(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and not isinstance(value[0], list | Mapping)
    return isinstance(value, Mapping) and "x" in value


def _is_person(frames: list[Any]) -> bool:
    """Whether what should be frames are the landmarks of a single one."""
    return bool(frames) and _is_landmark(frames[0])


def _field(value: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((value[name] for name in names if value.get(name) is not None), None)
