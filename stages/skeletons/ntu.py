"""NTU RGB+D's text files (Shahroudy et al. 2016), and which of the bodies that Kinect v2 saw are the people.

Kinect also sees people in furniture, loses a body and finds it again under another id, and gives empty frames. As is
usual for this data set, where there is more than one body:

1. Bodies in 11 frames or fewer are noise.
2. So are bodies that are too wide for somebody upright in 70 % of their frames: tables and seats. A frame counts if the
   spread of the joints in x is more than 0.8 of their spread in y.
3. Bodies without a common frame are one person, so that a change of id in the middle makes no second one. A body that
   could continue several people continues the one nearest to it.
4. People are ranked by how much they move.

A rule that would leave nobody is not applied. Whoever reads the file takes as many people as wanted from the front. How
many people an action has is not used: that is known from the class alone.
"""

from pathlib import Path

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import NTU25
from stages.skeletons.skeleton_file import SkeletonFile

_SIZE = (1920, 1080)
"""Of the color video, which the pixels refer to."""
_NOISE_FRAMES = 11
_WIDE = 0.8
_WIDE_SHARE = 0.69754
"""The three thresholds of the published preprocessing (SGN, CTR-GCN, PYSKL), which takes spreads in meters."""
_MOST_PEOPLE = 6
"""Kinect follows no more at once."""

_Body = dict[int, np.ndarray]
"""By frame: the pixels 25,2 of the joints, not finite where the sensor could not tell."""


def read_ntu(path: Path, entry: str | None = None) -> SkeletonFile:
    """Raises ClipError, with the line, where the file is not such a text, and where it has no body at all."""
    length, bodies = _parse(path)
    if not bodies:
        raise ClipError(f"skeleton file {path} has no body in any of {length} frames")
    people = _people(_without_noise(bodies))[:_MOST_PEOPLE]
    keypoints = np.zeros((len(people), length, NTU25.count, 3))
    for person, body in enumerate(people):
        for frame, pixels in body.items():
            keypoints[person, frame, :, :2] = np.nan_to_num(pixels, posinf=0, neginf=0)
            keypoints[person, frame, :, 2] = np.isfinite(pixels).all(1)
    return SkeletonFile(path, keypoints, NTU25, _SIZE)


def _parse(path: Path) -> tuple[int, list[_Body]]:
    """The number of frames, and all bodies.

    The lines are: the number of frames; for each frame, the number of bodies; for each body, its state (which starts
    with its id), the number of joints, and for each joint 12 numbers, of which the 6th and 7th are the joint's pixel in
    the color video.
    """
    lines = path.read_text(errors="replace").splitlines()
    number = 0

    def take(count: int, what: str) -> list[str]:
        nonlocal number
        fields = lines[number].split() if number < len(lines) else []
        number += 1
        if len(fields) < count:
            raise ClipError(f"skeleton file {path}, line {number}: expected {what}")
        return fields

    bodies: dict[str, _Body] = {}
    try:
        length = int(take(1, "the number of frames")[0])
        if length >= len(lines) and length > 0:
            raise ClipError(f"skeleton file {path} should have {length} frames, but has only {len(lines)} lines")
        for frame in range(length):
            for _ in range(int(take(1, "the number of bodies")[0])):
                body = bodies.setdefault(take(1, "a body's state")[0], {})
                if int(take(1, "the number of joints")[0]) != NTU25.count:
                    raise ClipError(f"skeleton file {path}, line {number}: expected {NTU25.count} joints")
                joints = [take(12, "the 12 numbers of a joint")[5:7] for _ in range(NTU25.count)]
                body[frame] = np.array([(float(x), float(y)) for x, y in joints])
    except ValueError as error:
        raise ClipError(f"skeleton file {path}, line {number}: {error}") from error
    return length, list(bodies.values())


def _without_noise(bodies: list[_Body]) -> list[_Body]:
    lasting = [body for body in bodies if len(body) > _NOISE_FRAMES] or bodies
    return [body for body in lasting if _wide_share(body) < _WIDE_SHARE] or lasting


def _wide_share(body: _Body) -> float:
    """Share of a body's frames in which it is too wide."""
    width, height = np.ma.ptp(_stacked(body), axis=1).filled(0).T
    return float((width > _WIDE * height).mean())


def _people(bodies: list[_Body]) -> list[_Body]:
    """Everybody's bodies as one, those who move most first. These also choose first whom they continue."""
    people: list[_Body] = []
    motions: list[float] = []
    for body in sorted(bodies, key=_motion, reverse=True):
        free = [i for i, person in enumerate(people) if body.keys().isdisjoint(person)]
        if free:
            nearest = min(free, key=lambda i: _jump(people[i], body))
            people[nearest] = people[nearest] | body
            motions[nearest] += _motion(body)
        else:
            people.append(body)
            motions.append(_motion(body))
    order = sorted(range(len(people)), key=lambda i: motions[i], reverse=True)
    return [people[i] for i in order]


def _jump(one: _Body, other: _Body) -> float:
    """Pixels from center to center of two bodies without a common frame, where one continues the other."""
    earlier, later = (one, other) if min(one) < min(other) else (other, one)
    start = min(later)
    end = max(frame for frame in earlier if frame < start)
    before, after = (np.ma.masked_invalid(pixels).mean(0).filled(0) for pixels in (earlier[end], later[start]))
    return float(np.linalg.norm(after - before))


def _motion(body: _Body) -> float:
    """How much a body moves: the variance of its joints in pixels², times the number of frames that show it.

    Furniture hardly moves, or soon disappears.
    """
    return float(_stacked(body).var(axis=0).filled(0).sum() * len(body))


def _stacked(body: _Body) -> np.ma.MaskedArray:
    """The pixels T,25,2 in the body's frames, in order, without those that are not finite."""
    return np.ma.masked_invalid(np.stack([body[frame] for frame in sorted(body)]))
