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

from recognizer.skeletons import layout_text
from stages.pose.boxes import iou
from stages.pose.skeleton_rows import finished, relative
from stages.pose.stage import Models
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
        people = estimation.add(window, range(number * STEP, number * STEP + len(window)))
        estimation.run_all()
        estimation.look_again(people)
        estimation.run_all()
        pixels, layout, _ = finished(estimation.finish(people), estimation.layout, *models.finishing)
        identities = names.of(people.boxes)
        following = list(islice(jpegs, STEP))
        end = LENGTH - STEP // 2 if following else len(window)
        for t in range(begin, end):
            keypoints = relative(pixels[:, t], *size)
            persons = [
                Person(who.number, keypoints[m], _relative(people.boxes[m, t], size))
                for m, who in enumerate(identities)
                if keypoints[m, :, 2].any() or people.detected[m, t]
            ]
            yield People(tuple(persons), layout_text(layout))
        if not following:
            return
        window, begin = window[STEP:] + following, end - STEP


def _jpeg(image: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _relative(box: np.ndarray, size: tuple[int, int]) -> Box:
    x1, y1, x2, y2 = (box / (*size, *size)).tolist()
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

    def of(self, boxes: np.ndarray) -> list[_Identity]:
        """Who the people with these boxes (M,T,4; NaN: unknown) in the next window are."""
        from scipy.optimize import linear_sum_assignment

        identities = [_Identity(self._numbers) for _ in boxes]
        agreement = _agreement(self._boxes, boxes)
        for old, new in zip(*linear_sum_assignment(agreement, maximize=True), strict=True):
            if agreement[old, new] > 0:
                identities[new] = self._before[old]
        self._before, self._boxes = identities, boxes[:, STEP:]
        return identities


def _agreement(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """M,N: how far tracks with boxes M,S,4 and N,T,4 agree in the first S pictures; NaN: unknown."""
    total = np.zeros((len(before), len(now)))
    for t in range(min(before.shape[1], now.shape[1])):
        overlap = np.nan_to_num(iou(before[:, t], now[:, t]))
        total += np.where(overlap > AGREE, overlap, 0)
    return total
