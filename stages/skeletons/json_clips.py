"""The clips of a JSON file, whose content says which tool wrote it."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import ClipError, is_passing
from stages.skeletons.alphapose import by_image_clips, is_by_image
from stages.skeletons.coco import coco_clips, result_clips
from stages.skeletons.json_file import read_json_file
from stages.skeletons.mediapipe import json_recording
from stages.skeletons.recording import Recording
from stages.skeletons.skeleton_file import SkeletonFile

_NOT_PIXELS = "multiply them by the width and height of the video"


def read_json(path: Path, entry: str | None = None) -> SkeletonFile:
    """A clip of COCO's annotations or results, AlphaPose's results or MediaPipe's landmarks.

    Raises ClipError if the file has several clips and ``entry`` is none of them.
    """
    clips = _clips_of(path)
    if len(clips) == 1 and (entry is None or "" in clips):
        return next(iter(clips.values())).skeletons(path, None, _NOT_PIXELS)
    if entry is None or entry not in clips:
        some = ", ".join(sorted(clips)[:3]) + (", ..." if len(clips) > 3 else "")
        wanted = "say which one (skeleton_entry)" if entry is None else f"{entry} is none of them"
        raise ClipError(f"skeleton file {path} has {len(clips)} clips ({some}): {wanted}")
    return clips[entry].skeletons(path, entry, _NOT_PIXELS)


def names_in_json(path: Path) -> Collection[str] | None:
    """The names of a file's clips; None if its only clip has none. Raises ClipError if the file is damaged."""
    clips = _clips_of(path)
    return None if set(clips) <= {""} else clips.keys()


class _Read(NamedTuple):
    """What came of reading a file: its clips, or the error."""

    clips: Mapping[str, Recording]
    error: ClipError | None = None


def _clips_of(path: Path) -> Mapping[str, Recording]:
    status = path.stat()
    read = _read(path, status.st_size, status.st_mtime_ns)
    if read.error:
        raise read.error
    return read.clips


@lru_cache(maxsize=2)  # such as those of train and of val, whose clips take turns
def _read(path: Path, size: int, mtime_ns: int) -> _Read:
    """The clips of a file by name (see frame_names). A file may be large and hold thousands of clips, so the last ones
    read are kept, and so is the error of a wrong one."""
    file = f"skeleton file {path}"
    try:
        content = read_json_file(path, file)
        if isinstance(content, list) and content and isinstance(content[0], dict) and "image_id" in content[0]:
            return _Read(result_clips(content, file))
        if isinstance(content, dict) and "annotations" in content:
            return _Read(coco_clips(content, file))
        if isinstance(content, dict) and is_by_image(content):
            return _Read(by_image_clips(content, file))
        if isinstance(content, dict) and "people" in content:
            raise ClipError(f"{file} is one frame of OpenPose's: give the folder that has all frames of the clip")
        return _Read({"": json_recording(content, file)})
    except ClipError as error:
        if is_passing(error):
            raise  # it is not the file that is wrong
        return _Read({}, error)
