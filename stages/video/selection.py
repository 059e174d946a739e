"""Which frames represent a clip: those on show at the middles of T equal parts of it."""

import numpy as np

from pipeline.errors import ClipError
from stages.frame_sampling import sample_frames

ROUNDING = 1.0
"""Seconds by which an annotated span may exceed the video, since annotations are rounded, often to whole seconds."""
TOUCH = 1e-6
"""Seconds; a frame counts as on show this much before its time, which is a rounded number."""


def middles(start: float, end: float, count: int) -> np.ndarray:
    """The middles of ``count`` equal parts of a span, in seconds: float64 T."""
    return start + (np.arange(count) + 0.5) / count * (end - start)


def select(times: np.ndarray, until: float, start: float | None, end: float | None, count: int) -> np.ndarray:
    """Positions of ``count`` frames spread evenly over a span, where the times of all frames are known: int64 T.

    times: float64 N, increasing. until: when the last frame is no longer shown. Where the span has fewer frames, some
    repeat. Where frames follow each other evenly, parts are counted in frames, so that rounded times decide nothing.
    Raises ClipError where the span lies beyond the film.
    """
    check_span(float(times[0]), until, start, end)
    begin = 0 if start is None else int(np.searchsorted(times, start - TOUCH))
    stop = len(times) if end is None else int(np.searchsorted(times, end - TOUCH))
    steps = np.diff(times[begin:stop])
    if stop > begin and (len(steps) == 0 or steps.max() < 1.5 * np.median(steps)):
        return begin + np.array(sample_frames(stop - begin, count))
    moments = middles(times[0] if start is None else start, until if end is None else end, count)
    return _on_show(times, moments)


def choose(
    times: np.ndarray, until: float, start: float | None, end: float | None, count: int, first: float
) -> np.ndarray:
    """As ``select``, but in a span with both ends by time alone, so that frames before and after it need not be known.

    first: when the picture of the film begins.
    """
    if start is None or end is None:
        return select(times, until, start, end, count)
    check_span(first, until, start, end)
    return _on_show(times, middles(start, end, count))


def _on_show(times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Positions of the frames that are on show at these moments."""
    return np.clip(np.searchsorted(times, moments + TOUCH, side="right") - 1, 0, None)


def check_span(first: float, until: float, start: float | None, end: float | None) -> None:
    """Raise ClipError where a span lies outside of the film, which is shown from ``first`` to ``until``."""
    if start is None and end is None:
        return
    span = f"the span {0 if start is None else start:g}–{until if end is None else end:g} s"
    if end is not None and end > until + ROUNDING:
        raise ClipError(f"{span} exceeds the video, which ends at {until:.2f} s: correct it, or complete the file")
    if start is not None and start >= until - TOUCH:
        raise ClipError(f"{span} contains no frame of the video, which ends at {until:.2f} s: correct the span")
    if end is not None and end <= first + TOUCH:
        raise ClipError(f"{span} contains no frame of the video, whose picture begins at {first:.2f} s")
