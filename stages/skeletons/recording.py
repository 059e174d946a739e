"""One clip as most tools write it: who was seen in which frame. It becomes a SkeletonFile by joining people."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import Layout
from stages.skeletons.json_file import shown
from stages.skeletons.people import Sighting, main_people
from stages.skeletons.skeleton_file import SkeletonFile, are_shares

_MOST_FRAMES = 500_000
"""Of a clip: more than four hours. A file with a larger frame number has something else in its place."""
_FARTHEST = 1e6
"""Pixels: a joint with a larger coordinate is missing."""


class Recording(NamedTuple):
    """What a file says of one clip."""

    layout: Layout
    sightings: list[Sighting]
    frames: Collection[int] | None = None
    """The numbers of all frames, also those without people. None: the file lists only frames with people."""
    sizes: Collection[tuple[float, float]] = ()
    """The different sizes of its frames."""
    relative: bool = False
    """See SkeletonFile."""

    def skeletons(self, path: Path, entry: str | None, remedy: str) -> SkeletonFile:
        """Raises ClipError if nobody was seen, if numbers are not those of frames, and if coordinates are not pixels
        although they should be; ``remedy`` says what to do about that."""
        file = f"skeleton file {path}" if entry is None else f"{entry} in skeleton file {path}"
        if not self.sightings:
            raise ClipError(f"{file} has no people in any frame")
        numbers = self.frames or [sighting.frame for sighting in self.sightings]
        first, last = _first(numbers, self.frames is not None), max(numbers)
        if last - first >= _MOST_FRAMES:
            raise ClipError(
                f"{file} has frames {min(numbers)} to {last}: these are not numbers of a clip's frames, counted from 0 "
                f"or 1, and at most {_MOST_FRAMES:,}"
            )
        if len(self.sizes) > 1:
            several = " and ".join(f"{width:g} x {height:g}" for width, height in sorted(self.sizes)[:2])
            raise ClipError(f"{file} has images of different sizes ({several}): they are not frames of one clip")
        seen = {sighting.frame for sighting in self.sightings if sighting.keypoints[:, 2].any()}
        doubtful = first > 1 and len(seen) == len(set(numbers))
        moved = [sighting._replace(frame=sighting.frame - first) for sighting in self.sightings]
        keypoints = main_people(moved, last - first + 1)
        if not self.relative and are_shares(keypoints):
            raise ClipError(f"{file}: no coordinate is beyond 1.5, so they are not pixels: {remedy}")
        return SkeletonFile(
            path,
            keypoints,
            self.layout,
            next(iter(self.sizes), None),
            entry,
            self.relative,
            open_end=self.frames is None,
            perhaps_before=first if doubtful else 0,
        )


def _first(numbers: Collection[int], complete: bool) -> int:
    """The number of the first frame.

    Tools count from 0 or 1, so a smallest number of 0 or 1 is the first frame. Images of a part of a video may begin
    at any number: if all frames are listed, that is the first. If only those with people are, the frames before the
    smallest number had none, and the count is taken to begin at 0.
    """
    smallest = min(numbers)
    return smallest if complete or smallest <= 1 else 0


def joints(numbers: object, file: str, place: str) -> np.ndarray:
    """Cleaned keypoints R,3 of a flat list x, y, score, ...

    Raises ClipError that names the place if it is not such a list.
    """
    if isinstance(numbers, list) and not numbers:
        numbers = np.zeros(0)
    if not isinstance(numbers, np.ndarray) or len(numbers) % 3:
        raise ClipError(f"{file}, {place}: expected a list of numbers x, y, score, x, y, ..., not {shown(numbers)}")
    return cleaned(numbers.reshape(-1, 3))


def cleaned(keypoints: np.ndarray) -> np.ndarray:
    """Keypoints ...,3 with zeros for missing joints: those at 0, 0, without finite coordinates, or with score 0."""
    possible = (np.abs(keypoints) < _FARTHEST).all(-1)  # false for NaN
    missing = ~possible | (keypoints[..., :2] == 0).all(-1) | (keypoints[..., 2] <= 0)
    return np.where(missing[..., None], 0, keypoints)
