"""The people whom a pose stage finds in consecutive pictures, however many there are.

The stage takes clips. Here a clip is a window of consecutive pictures, and the next window begins in its middle, so
that half of its pictures are seen twice: whoever has the same boxes in these is the same person. A picture's people are
those of the window in which it is nearer to the middle. Somebody who is out of sight for half a window, or not among
the ``persons`` most prominent people of one, comes back under another number.
"""

from collections.abc import Iterator
from functools import cached_property
from itertools import chain, count, islice

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from stages.pose.boxes import iou
from stages.pose.stage import Models, relative
from stages.pose.tracking import Track
from stages.showing.footage import fitted, scaled
from stages.showing.people import Box, People, Person
from stages.video.passes import Encoding

LENGTH = 64
"""Pictures in a window."""
STEP = LENGTH // 2
"""Pictures from the start of a window to that of the next one."""
RENEWED = 16
"""Windows after which detections and skeletons of former pictures are forgotten."""
AGREE = 0.5
"""IoU of two boxes in the same picture above which they are of the same person."""


def estimated(images: Iterator[np.ndarray], models: Models, encoding: Encoding) -> Iterator[People]:
    """The people in each image (uint8 H,W,3 RGB), in order.

    models: of a pose stage. encoding: how its decode stage keeps pictures, since this is what it sees.
    """
    first = next(images, None)
    if first is None:
        return
    size = scaled(first, min(1.0, encoding.short_side / min(first.shape[:2])))
    jpegs = (_jpeg(fitted(image, size), encoding.quality) for image in chain([first], images))
    window = list(islice(jpegs, LENGTH))
    names, begin = _Names(), 0
    for number in count():
        if number % RENEWED == 0:
            estimation = models.estimation()
        pixels = estimation.add(window)
        tracks = estimation.tracks
        estimation.run_all()
        identities = names.of(tracks)
        following = list(islice(jpegs, STEP))
        end = LENGTH - STEP // 2 if following else len(window)
        for t in range(begin, end):
            keypoints = relative(pixels[:, t], *size)
            persons = [
                Person(who.number, joints, _box(one, t, size))
                for who, joints, one in zip(identities, keypoints, tracks, strict=True)
                if joints[:, 2].any() or one.detections[t] >= 0
            ]
            yield People(tuple(persons), estimation.layout.name)
        if not following:
            return
        window, begin = window[STEP:] + following, end - STEP


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _box(track: Track, t: int, size: tuple[int, int]) -> Box | None:
    """Where the person was detected in picture t, relative to it; None if it was not."""
    if track.detections[t] < 0:
        return None
    x1, y1, x2, y2 = (track.boxes[t] / (*size, *size)).tolist()
    return x1, y1, x2, y2


class _Identity:
    """Who a track is. Numbers are given in the order in which people are first shown."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers

    @cached_property
    def number(self) -> int:
        return next(self._numbers)


class _Names:
    """Recognizes the people of one window in the next."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._before: list[_Identity] = []
        self._boxes = np.empty((0, LENGTH - STEP, 4))
        """Of the people before, in the pictures that the next window shows too."""

    def of(self, tracks: list[Track]) -> list[_Identity]:
        """Who each track of the next window is."""
        identities = [_Identity(self._numbers) for _ in tracks]
        boxes = np.stack([one.boxes for one in tracks]) if tracks else np.empty((0, LENGTH, 4))
        agreement = _agreement(self._boxes, boxes)
        for old, new in zip(*linear_sum_assignment(agreement, maximize=True), strict=True):
            if agreement[old, new] > 0:
                identities[new] = self._before[old]
        self._before, self._boxes = identities, boxes[:, STEP:]
        return identities


def _agreement(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """M,N: how far tracks with boxes M,S,4 and N,T,4 agree in the first S pictures; NaN: not detected."""
    total = np.zeros((len(before), len(now)))
    for t in range(min(before.shape[1], now.shape[1])):
        overlap = np.nan_to_num(iou(before[:, t], now[:, t]))
        total += np.where(overlap > AGREE, overlap, 0)
    return total
