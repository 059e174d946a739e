"""Frames for all clips of a file in one pass: each frame is decoded once, and each one that is wanted encoded once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from pipeline.errors import ClipError
from stages.video.film import Break, Film, Picture, Start, UnprovenError
from stages.video.packets import packets_of
from stages.video.seen import as_seen
from stages.video.selection import TOUCH, choose, middles, select

SEEK_PAYS = 10.0
"""Seconds; what begins earlier is read from the beginning of the file."""

Span = tuple[float | None, float | None]
"""Start and end in seconds; None: from the first frame, to the last."""


class Encoding(NamedTuple):
    """How frames are kept."""

    short_side: int
    """Frames whose shorter side has more pixels are scaled down to this."""
    quality: int
    """JPEG quality."""


class Clip(NamedTuple):
    """The frames of one clip: columns of the frames table."""

    frames: list[bytes]
    indices: list[int]
    times: list[float]
    height: int
    width: int
    source_height: int
    source_width: int
    source_frames: int | None
    warning: str | None


def read_clips(path: str, spans: Sequence[Span], count: int, encoding: Encoding) -> list[Clip | ClipError]:
    """``count`` frames for each span, or what is wrong with it. Raises ClipError if the file is no film."""
    found: dict[int, Clip | ClipError] = {}
    for places in _passes(path, spans):
        found.update(zip(places, _Reading(path, [spans[i] for i in places], count, encoding).result(), strict=True))
    return [found[i] for i in range(len(spans))]


def _passes(path: str, spans: Sequence[Span]) -> list[list[int]]:
    """Positions of the spans that one pass serves: all of them, unless they are so far apart that a seek pays."""
    closed = [(start, end, i) for i, (start, end) in enumerate(spans) if start is not None and end is not None]
    if len(closed) < len(spans):
        return [list(range(len(spans)))]
    passes: list[list[int]] = []
    until = 0.0
    for start, end, i in sorted(closed):
        if not passes or (start > until + SEEK_PAYS and _can_skip(path, until, start)):
            passes.append([])
        passes[-1].append(i)
        until = max(until, end)
    return passes


def _can_skip(path: str, until: float, start: float) -> bool:
    """Whether a seek to ``start`` leads beyond ``until``."""
    packets = packets_of(path)
    begin = packets.start_before(start)
    return begin is not None and bool(packets.times[max(begin.number, 0)] > until)


class _Reading:
    """One file on its way to clips."""

    def __init__(self, path: str, spans: Sequence[Span], count: int, encoding: Encoding) -> None:
        self.path, self.spans, self.count = path, spans, count
        self.encoding = encoding
        self._begin()

    def _begin(self) -> None:
        """Nothing is known yet."""
        self.images = _Images(self.encoding)
        self.first = 0
        """Number of the first frame that was decoded."""
        self.count_of_frames: int | None = None
        """Of the file, if it was read from its beginning to its end."""
        self.times: list[float] = []
        self.until = 0.0
        self.bad: dict[int, str] = {}
        """Frames that are damaged, by number, with what to say of them."""
        self.gaps: list[tuple[float, float]] = []
        """Times between frames that could not be decoded."""
        self.broken: Break | None = None
        self.warnings: list[str] = []

    def result(self) -> list[Clip | ClipError]:
        closed = all(start is not None and end is not None for start, end in self.spans)
        try:
            self._pass(set() if closed else self._expected(), self._deep_start() if closed else None, closed)
        except UnprovenError:
            self._begin()
            self._pass(set(), None, closed)
        chosen = [self._chosen(span) for span in self.spans]
        numbers = {int(number) for one in chosen if not isinstance(one, ClipError) for number in one}
        if missing := numbers - self.images.encoded.keys() - self.bad.keys():
            # The packets had promised other frames than the decoder gave: now they are known.
            self._again(missing)
        return [
            one if isinstance(one, ClipError) else self._clip(one, whole=span == (None, None))
            for one, span in zip(chosen, self.spans, strict=True)
        ]

    def _expected(self) -> set[int]:
        """The frames that will be wanted, if the decoder gives one for each packet."""
        packets = packets_of(self.path)
        times, until = packets.times, packets.until
        wanted: set[int] = set()
        for start, end in self.spans:
            try:
                wanted.update(select(times, until, start, end, self.count).tolist() if len(times) else ())
            except ClipError:
                continue  # it will be said of the frames that there are
        return wanted

    def _deep_start(self) -> Start | None:
        """Where to begin if all spans lie so far behind the beginning that a seek pays."""
        earliest = min(start for start, _ in self.spans if start is not None)
        return packets_of(self.path).start_before(earliest) if earliest > SEEK_PAYS else None

    def _pass(self, wanted: set[int], begin: Start | None, closed: bool) -> None:
        """Decode, up to the end of the last span where all are ``closed``, and encode what is wanted by number or, in
        closed spans, by time. Raises UnprovenError where ``begin`` does not lead to what it promises."""
        moments = self._moments()
        stop = max(end for _, end in self.spans if end is not None) if closed else np.inf
        before: Picture | None = None
        with Film(self.path) as film:
            for picture in film.pictures_from(begin) if begin else film.pictures():
                if before is None:  # known from the first frame on
                    self.first = picture.number
                    self.images.aspect = film.stream.sample_aspect_ratio
                self._note(picture, before)
                while moments and before is not None and moments[-1] + TOUCH < picture.time:
                    moments.pop()
                    self._take(before)
                if picture.number in wanted:
                    self._take(picture)
                before = picture
                if not moments and picture.time > stop:
                    break
            else:
                self.count_of_frames = len(self.times) if begin is None else None
            if before is not None and moments:
                self._take(before)
            self.broken, self.warnings = film.broken, film.warnings

    def _again(self, numbers: set[int]) -> None:
        with Film(self.path) as film:
            for picture in film.pictures():
                if picture.number in numbers:
                    self._take(picture)

    def _moments(self) -> list[float]:
        """The times at which a frame of a closed span is wanted, latest first."""
        closed = [(start, end) for start, end in self.spans if start is not None and end is not None]
        return sorted({float(moment) for span in closed for moment in middles(*span, self.count)}, reverse=True)

    def _note(self, picture: Picture, before: Picture | None) -> None:
        self.times.append(picture.time)
        self.until = picture.until
        if picture.after_loss:
            self.gaps.append((before.until if before else 0.0, picture.time))
        if picture.damaged:
            self.bad[picture.number] = f"frame {picture.number} ({picture.time:.2f} s)"

    def _take(self, picture: Picture) -> None:
        if not picture.damaged and picture.number not in self.images.encoded:
            self.images.encode(picture)

    def _chosen(self, span: Span) -> np.ndarray | ClipError:
        """Numbers of a clip's frames, or why there are none."""
        start, end = span
        times = np.array(self.times)
        if self.broken and (self.until < end - TOUCH if end is not None else True):
            return ClipError(
                f"the file is cut off or broken after frame {self.broken.number - 1} ({self.broken.time:.2f} s): "
                f"{self.broken.reason}; copy or download it again"
            )
        moments = middles(self.times[0] if start is None else start, self.until if end is None else end, self.count)
        try:
            first = self.times[0] if self.first == 0 else 0.0
            numbers = choose(times, self.until, start, end, self.count, first)
        except ClipError as error:
            return error
        numbers = numbers + self.first
        lost = next(
            (gap for gap in self.gaps if np.any((moments >= gap[0] - TOUCH) & (moments < gap[1] - TOUCH))), None
        )
        if lost:
            number = int(np.searchsorted(times, lost[1] - TOUCH))
            return self._damaged(f"frame {number} ({lost[0]:.2f} s)")
        bad = next((self.bad[number] for number in numbers.tolist() if number in self.bad), None)
        return self._damaged(bad) if bad else numbers

    def _damaged(self, what: str) -> ClipError:
        return ClipError(f"{what} cannot be decoded: the file is corrupt there; copy or download it again")

    def _clip(self, numbers: np.ndarray, whole: bool) -> Clip:
        images = self.images
        frames = [images.encoded[number] for number in numbers.tolist()]
        warnings = [*self.warnings, *images.warnings]
        if self.bad or self.gaps:
            warnings.append("other parts of the file are damaged")
        return Clip(
            frames,
            numbers.tolist(),
            [self.times[number - self.first] for number in numbers.tolist()],
            *images.size,
            *images.source_size,
            self.count_of_frames if whole else None,
            "; ".join(dict.fromkeys(warnings)) or None,
        )


class _Images:
    """Encoded frames, all of one size."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.aspect: Any = None
        self.encoded: dict[int, bytes] = {}
        self.source_size = (0, 0)
        """Height and width of the first frame as it is seen."""
        self.size = (0, 0)
        """Height and width of the images."""
        self.warnings: list[str] = []

    def encode(self, picture: Picture) -> None:
        image = as_seen(picture.frame, self.aspect)
        height, width = image.shape[:2]
        if not self.encoded:
            self.source_size = height, width
            scale = min(1.0, self.encoding.short_side / min(height, width))
            self.size = max(1, round(height * scale)), max(1, round(width * scale))
        elif (height, width) != self.source_size:
            self.warnings = [f"the size of the frames changes; all are scaled to {self.size[1]} x {self.size[0]}"]
        if (height, width) != self.size:
            smaller = height >= self.size[0] and width >= self.size[1]
            how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            image = cv2.resize(image, self.size[::-1], interpolation=how)
        options = [cv2.IMWRITE_JPEG_QUALITY, self.encoding.quality]
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        self.encoded[picture.number] = cv2.imencode(".jpg", bgr, options)[1].tobytes()
