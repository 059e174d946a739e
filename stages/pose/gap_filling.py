"""Frames in which a tracked person was not detected: where to look for the person, and which skeletons to keep."""

from itertools import combinations

import numpy as np

from recognizer.skeletons import Layout
from stages.pose.similarity import similarity
from stages.pose.tracking import Track

_HELD = 4
"""The first and the last box are held for up to one quarter (1/4) of the clip before and after the detections."""

_MIN_SCORE = 0.4
"""Mean joint score below which a skeleton in a gap is dropped. On real video with SimplePose, 99 of 100 crops that show
a person score above 0.5, and 95 of 100 that show the ground score below 0.36."""

_OF_USUAL = 0.7
"""Nor is a skeleton in a gap dropped that has this share of the score that is usual for the person."""

_SEEN = 0.2
"""Score of a joint above which it tells where a person is."""
_AROUND_JOINTS = 0.1
"""How much larger a person is than the box around the joints, on each side."""

_SAME_PERSON = 0.7
"""OKS above which two skeletons are the same person's."""


def filled_boxes(track: Track) -> np.ndarray:
    """float T,4: the detected boxes, interpolated between detections and held around them; NaN where the gap is too
    long."""
    length = len(track.boxes)
    detected = np.flatnonzero(track.detections >= 0)
    frames = np.arange(max(0, detected[0] - length // _HELD), min(length, detected[-1] + 1 + length // _HELD))
    boxes = np.full((length, 4), np.nan)
    for column in range(4):
        boxes[frames, column] = np.interp(frames, detected, track.boxes[detected, column])
    return boxes


def doubtful_skeletons(keypoints: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """bool M,T: skeletons of keypoints M,T,R,3 that show nobody, unless people were detected there (bool M,T).

    People who are hard to see have lower scores where they were detected, too.
    """
    scores = np.ma.masked_array(keypoints[..., 2].mean(2), ~detected)
    least = np.minimum(_MIN_SCORE, _OF_USUAL * np.ma.median(scores, axis=1).filled(np.inf))
    return scores.data < least[:, None]


def carried_boxes(keypoints: np.ndarray, certain: np.ndarray) -> np.ndarray:
    """float T,4: boxes around the joints of the nearest frames before and after whose skeletons (keypoints T,R,3) are
    certain (bool T); NaN where none is."""
    own = np.full((len(keypoints), 4), np.nan)
    for t in np.flatnonzero(certain).tolist():
        joints = keypoints[t, keypoints[t, :, 2] >= _SEEN, :2]
        if len(joints) and np.ptp(joints, axis=0).min() > 1:
            own[t] = [*joints.min(0), *joints.max(0)]
    known = np.flatnonzero(~np.isnan(own[:, 0]))
    boxes = np.full_like(own, np.nan)
    for t in range(len(own)):
        beside = np.concatenate([known[known < t][-1:], known[known > t][:1]])
        if len(beside):
            low, high = own[beside, :2].min(0), own[beside, 2:].max(0)
            margin = _AROUND_JOINTS * (high - low)
            boxes[t] = [*(low - margin), *(high + margin)]
    return boxes


def drop_unlikely(keypoints: np.ndarray, filled: np.ndarray, layout: Layout) -> None:
    """Set skeletons to zero in keypoints M,T,R,3: those in gaps (bool M,T) that show nobody, and duplicates.

    Of two skeletons in the same place, that of the person stays who is nearer to it in the frames before and after.
    """
    keypoints[filled & doubtful_skeletons(keypoints, ~filled)] = 0
    duplicates = [
        (t, m, other)
        for t in range(filled.shape[1])
        for m, other in combinations(np.flatnonzero(keypoints[:, t, :, 2].any(1)).tolist(), 2)
        if similarity(keypoints[m, t], keypoints[other, t], layout) > _SAME_PERSON
    ]
    alone = np.asarray(keypoints[..., 2].any(2))
    for t, m, other in duplicates:
        alone[[m, other], t] = False
    for t, m, other in duplicates:
        nearer = _distance(keypoints[m], alone[m], t) <= _distance(keypoints[other], alone[other], t)
        keypoints[other if nearer else m, t] = 0


def _distance(keypoints: np.ndarray, alone: np.ndarray, t: int) -> float:
    """How far the skeleton in frame t is from the nearer one of those of the same person (keypoints T,R,3) in the
    nearest frames before and after that only this person is seen in (bool T)."""
    known = np.flatnonzero(alone)
    beside = np.concatenate([known[known < t][-1:], known[known > t][:1]])
    offsets = np.linalg.norm(keypoints[beside, :, :2] - keypoints[t, :, :2], axis=2)
    return float(np.median(offsets, axis=1).min()) if len(beside) else np.inf
