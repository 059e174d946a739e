"""Joins the people that a tool saw in single frames into one skeleton per person, the main people first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

_TOO_FAR = 0.5
"""Of a person's size: two skeletons in successive frames whose joints are farther apart are two people. At 25 frames
per second a person would have to run at 20 m/s."""
_MOST_PEOPLE = 100
"""People kept in a frame, and looked for in the next: the largest, and those seen last."""
_MOST_NUMBERS = 2**27
"""In the array of a clip, 1 GB: people beyond it are left out, those who matter least first."""


class Sighting(NamedTuple):
    """One person in one frame."""

    frame: int
    keypoints: np.ndarray
    """float R,3: x, y, score; score 0: missing."""
    identity: int | str | None = None
    """Which person of the clip, if the file says so."""


def main_people(sightings: Iterable[Sighting], length: int) -> np.ndarray:
    """Keypoints M,T,R,3 of a clip of T = ``length`` frames; zeros where a person was not seen. M is at least 1.

    People are told apart by their identities if all sightings have one, and nobody is twice in a frame; otherwise they
    are joined from frame to frame. They are ordered as those of pose estimation are: by the sum over all frames of
    score times size, so that those come first who are seen longest and largest.
    """
    seen = [sighting for sighting in sightings if sighting.keypoints[:, 2].any()]
    people = _by_identity(seen) or _joined(seen)
    people.sort(key=lambda person: -sum(_prominence(sighting.keypoints) for sighting in person))
    joints = seen[0].keypoints.shape[0] if seen else 1
    most = max(1, _MOST_NUMBERS // (length * joints * 3))
    keypoints_MTR3 = np.zeros((min(max(len(people), 1), most), length, joints, 3))
    for skeleton, person in zip(keypoints_MTR3, people, strict=False):
        for sighting in person:
            skeleton[sighting.frame] = sighting.keypoints
    return keypoints_MTR3


def _by_identity(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """The sightings of each identity; none if identities do not tell people apart.

    That everybody is number 0 means that nobody was tracked.
    """
    people: defaultdict[int | str | None, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        people[sighting.identity].append(sighting)
    places = {(sighting.frame, sighting.identity) for sighting in sightings}
    untracked = None in people or people.keys() <= {0, "0"}
    return [] if untracked or len(places) < len(sightings) else list(people.values())


def _joined(sightings: Sequence[Sighting]) -> list[list[Sighting]]:
    """In each frame, the people seen last are matched with those in it so that the sum of distances is least.

    Who is too far from everybody is somebody new. Gaps may have any length.
    """
    from scipy.optimize import linear_sum_assignment

    frames: defaultdict[int, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        frames[sighting.frame].append(sighting)
    people: list[list[Sighting]] = []
    recent: list[list[Sighting]] = []
    for number in sorted(frames):
        here = sorted(frames[number], key=lambda sighting: -_prominence(sighting.keypoints))[:_MOST_PEOPLE]
        owners: dict[int, list[Sighting]] = {}
        if recent:
            last = np.stack([person[-1].keypoints for person in recent])
            distances = _distances(last, np.stack([sighting.keypoints for sighting in here]))
            # Pairs that cannot match must not influence the sum, or they would break up good pairs.
            for person, index in zip(*linear_sum_assignment(np.minimum(distances, _TOO_FAR)), strict=True):
                if distances[person, index] < _TOO_FAR:
                    owners[index] = recent[person]
        for index, sighting in enumerate(here):
            if index in owners:
                owners[index].append(sighting)
            else:
                people.append([sighting])
                recent.append(people[-1])
        recent = sorted(recent, key=lambda person: -person[-1].frame)[:_MOST_PEOPLE]
    return people


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """N,M: how far the joints of skeletons N,R,3 and M,R,3 are apart, as a share of the larger one's size.

    Skeletons that have no joint in common are as far apart as their middles.
    """
    apart_NMR = np.linalg.norm(a[:, None, :, :2] - b[None, :, :, :2], axis=-1)
    both_NMR = (a[:, None, :, 2] > 0) & (b[None, :, :, 2] > 0)
    middles = [np.stack([one[one[:, 2] > 0, :2].mean(0) for one in some]) for some in (a, b)]
    sizes = [np.array([np.hypot(*_extent(one)) for one in some]) for some in (a, b)]
    apart = np.linalg.norm(middles[0][:, None] - middles[1], axis=-1)
    np.divide((apart_NMR * both_NMR).sum(-1), both_NMR.sum(-1), out=apart, where=both_NMR.any(-1))
    return apart / np.maximum(np.maximum(sizes[0][:, None], sizes[1]), 1e-9)


def _prominence(keypoints: np.ndarray) -> float:
    return float(keypoints[:, 2].mean() * np.sqrt(_extent(keypoints).prod()))


def _extent(keypoints: np.ndarray) -> np.ndarray:
    """Width and height of the box around a skeleton's joints."""
    return np.ptp(keypoints[keypoints[:, 2] > 0, :2], axis=0)
